"""What the commands share: reading options from a dataclass."""

import contextlib
import io
import re
from itertools import dropwhile, takewhile

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
    lines = [line.strip(" │╭╮╰╯") for line in re.sub(r"\x1b\[[0-9;]*m", "", box).splitlines()]
    after_title = dropwhile(_is_rule, lines[1:])
    said = takewhile(lambda line: not _is_rule(line), after_title)
    return " ".join(said).removeprefix("Error parsing config: ")


def _is_rule(line):
    return set(line) <= set("─-")
