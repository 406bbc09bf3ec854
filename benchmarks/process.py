"""A whole training run as a process: `minigan train gaussian` from the cache, and the same training in PyTorch.

Imports, data, training and writing are all in it; the report is switched off. minigan's step comes from the cache on
disk, as in every run but the first.
"""

import dataclasses
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.contest import cores, ratio
from benchmarks.tables import duration, interleave, seconds, table

STEPS = 5000


def commands(steps):
    """Return a dict from a library to a function from a folder, which does not exist yet, to its command."""
    from minigan.training import presets

    options = dataclasses.asdict(dataclasses.replace(presets.config("gaussian"), steps=steps))
    ours = [sys.executable, "-m", "minigan", "train", "gaussian", "--steps", str(steps), "--no-report", "--out"]
    theirs = [sys.executable, "-m", "benchmarks.torch_gaussian", json.dumps(options)]
    return {"minigan": lambda out: [*ours, str(out)], "torch": lambda out: [*theirs, str(out)]}


def compare(contestants, rounds):
    """Return a dict from a library to the seconds of its process in each round, after one that fills caches.

    Raises
    ------
    RuntimeError
        If a process fails; what it wrote to stderr is the message.
    """
    with tempfile.TemporaryDirectory() as scratch:

        def once(name, command):
            out = Path(tempfile.mkdtemp(dir=scratch)) / name
            return seconds(lambda: _call(command(out)))

        measures = {name: lambda n=name, c=command: once(n, c) for name, command in contestants.items()}
        interleave(measures, 1)
        return interleave(measures, rounds)


def run(options):
    """Print the table."""
    steps = options.steps or (500 if options.quick else STEPS)
    contestants = commands(steps)
    if not importlib.util.find_spec("torch"):
        print("torch left out: it is not installed here (`make bench` installs it)")
        del contestants["torch"]
    rounds = 2 if options.quick else 7
    times = compare(contestants, rounds)
    rows = [[name, duration(median(t)), duration(min(t))] for name, t in times.items()]
    print(table([f"gaussian, {steps:,} steps", "median", "fastest"], rows))
    if "torch" in times:
        print(f"\ntorch/minigan: {ratio(times['torch'], times['minigan']):.2f} ({rounds} rounds, {cores()} cores)")


def _call(command):
    root = Path(__file__).resolve().parents[1]  # where `-m benchmarks` is found
    done = subprocess.run(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed with exit code {done.returncode}: {done.stderr.strip()}")
