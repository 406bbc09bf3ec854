"""The command line. `minigan --help` answers at once: a command's module is imported only when it is called."""

import os
import sys
from importlib import import_module

from minigan import __version__
from minigan.errors import MiniganError

COMMANDS = {
    "train": "train a GAN on a preset, with pictures and a report",
    "resume": "go on with a run that was interrupted, as if it had not been",
    "sample": "draw samples from a run's generator into a file",
    "evaluate": "measure how good a run's samples are",
    "report": "make a run's report.html again",
    "check": "prove the losses' hand-derived gradients",
    "lesson": "get a lesson of the course, grade its exercises, see solutions",
    "bench": "time a preset's training step, eager and compiled",
    "doctor": "show versions, BLAS, threads and caches, and what to do when something is slow",
}

USAGE = "usage: minigan COMMAND [options]\n\nAutodiff and GANs on a CPU, written to be read.\n\ncommands:\n{}\n\n{}"
HINT = "minigan COMMAND --help tells the options of a command. Start with: minigan train mixture1d"


def usage():
    width = max(map(len, COMMANDS)) + 2
    return USAGE.format("\n".join(f"  {name:{width}}{text}" for name, text in COMMANDS.items()), HINT)


def main(argv=None):
    """Run one command; return its exit code: 0 done, 1 a check failed, 2 wrong input, 130 interrupted."""
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        return code
    except MiniganError as error:
        return fail(str(error))
    except MemoryError as error:
        return fail(f"there is not enough memory ({error}); take smaller numbers")
    except BrokenPipeError:  # the reader of our output went away (minigan check | head): not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}")
    except KeyboardInterrupt:
        return fail("interrupted", code=130)


def _run(argv):
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if argv[0] in ("-V", "--version"):
        print(f"minigan {__version__}")
        return 0
    if argv[0] not in COMMANDS:
        return fail(f"unknown command {argv[0]!r}; known are {', '.join(COMMANDS)}")
    return import_module(f"minigan.cli.{argv[0]}").main(argv[1:]) or 0


def fail(message, code=2):
    """Say what is wrong in one line on stderr."""
    print(f"minigan: {' '.join(message.split())}", file=sys.stderr)
    return code
