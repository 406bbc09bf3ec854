"""Run a preset once undisturbed, and once killed at random moments and resumed until it is done.

usage: python kill_driver.py PRESET STEPS KILLS FOLDER

Each life is a fork of this process, which has everything imported and compiled: the time of a life is training, not
start. It dies by SIGKILL, which no code can notice.
"""

import os
import random
import signal
import sys
import threading
import time

from tqdm import tqdm

from minigan.cli import main


def live(*args):
    """Run a command in a fork; return its process id."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    signal.alarm(120)  # a life that hangs shall not go on for ever
    tqdm.set_lock(threading.RLock())  # tqdm's own is shared by forks: one killed while it writes would block the others
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
    tqdm.monitor_interval = 0  # no thread that a fork would not inherit
    tqdm.set_lock(threading.RLock())
    main(["train", preset, "--steps", "2", "--no-report", "--out", f"{folder}/warm"])
    main(["resume", f"{folder}/warm", "--no-report"])
    start = time.monotonic()
    assert wait(live(*train, f"{folder}/undisturbed")) == 0
    duration = time.monotonic() - start

    run = f"{folder}/killed"
    for _ in range(int(kills)):
        begun = os.path.exists(f"{run}/config.toml")
        pid = live("resume", run, "--no-report") if begun else live(*train, run)
        time.sleep(moments.uniform(0, 0.2 * duration))
        os.kill(pid, signal.SIGKILL)
        code = wait(pid)
        assert code in (0, -signal.SIGKILL), f"a life ended with exit code {code}"
        print("killed" if code else "done already", flush=True)
    begun = os.path.exists(f"{run}/config.toml")
    assert wait(live("resume", run, "--no-report") if begun else live(*train, run)) == 0


if __name__ == "__main__":
    drive(*sys.argv[1:])
