"""What the commands share: reading options from a dataclass."""

import contextlib
import io
import re

import tyro

from minigan.errors import ConfigError


def parse(kind, args, command, *, default=None):
    """Read command line arguments into the dataclass `kind`; `default` gives the values of those not named.

    Raises
    ------
    ConfigError
        If the arguments are not usable: one line of what tyro would print in a box.
    SystemExit
        With code 0, after ``--help``.
    """
    kwargs = {} if default is None else {"default": default}
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(kind, args=args, prog=f"minigan {command}", config=(tyro.conf.OmitArgPrefixes,), **kwargs)
    except SystemExit as stop:
        if not stop.code:
            raise
        raise ConfigError(f"{_first_sentence(complaint.getvalue())}; see minigan {command} --help") from None


def _first_sentence(box):
    """Return what stands in a box of tyro's between its title and its first rule, on one line."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", box)
    first = re.split(r"─{3,}", plain.split("\n", 1)[-1])[0]
    return " ".join(re.sub(r"[│╰╯]", " ", first).split()).removeprefix("Error parsing config: ")
