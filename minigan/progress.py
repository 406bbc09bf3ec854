"""The progress bars of what takes long."""

import sys

from tqdm.auto import tqdm


def progress_bar(iterable=None, **options):
    """Return a tqdm bar; where stderr is no terminal but a log, it writes every ten seconds only."""
    interval = 0.1 if sys.stderr is not None and sys.stderr.isatty() else 10.0
    return tqdm(iterable, mininterval=interval, dynamic_ncols=True, **options)
