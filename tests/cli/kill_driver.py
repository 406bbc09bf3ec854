"""Run a preset once undisturbed, and once killed at random moments and resumed until it is done.

usage: python kill_driver.py PRESET STEPS KILLS FOLDER

Each life is a fork of this process, which has everything imported already: the time of a life is training, not start.
It dies by SIGKILL, which no code can notice.
"""

import os
import random
import signal
import sys
import time

from minigan.cli import main
from minigan.training import presets, report  # noqa: F401  imported before the first fork


def live(*args):
    """Run a command in a fork; return its process id."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        code = main(list(args))
    finally:
        sys.stdout.flush()
        os._exit(code)


def wait(pid):
    """Return how a fork ended: its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def drive(preset, steps, kills, folder):
    moments = random.Random(0)
    train = ("train", preset, "--steps", steps, "--no-report", "--out")
    start = time.monotonic()
    assert wait(live(*train, f"{folder}/undisturbed")) == 0
    duration = time.monotonic() - start

    run, killed = f"{folder}/killed", 0
    while killed < int(kills):
        begun = os.path.exists(f"{run}/config.toml")
        pid = live("resume", run, "--no-report") if begun else live(*train, run)
        time.sleep(moments.uniform(0, 0.25 * duration))
        os.kill(pid, signal.SIGKILL)
        killed += 1
        code = wait(pid)
        assert code in (0, -signal.SIGKILL), f"a life ended with exit code {code}"
    begun = os.path.exists(f"{run}/config.toml")
    assert wait(live("resume", run, "--no-report") if begun else live(*train, run)) == 0


if __name__ == "__main__":
    drive(*sys.argv[1:])
