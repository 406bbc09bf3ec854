"""Where minigan keeps what it can make or download again."""


def cache_folder():
    """Return the user's cache folder for minigan, which may not exist yet.

    Returns
    -------
    pathlib.Path
    """
    from platformdirs import user_cache_path

    return user_cache_path("minigan", appauthor=False)
