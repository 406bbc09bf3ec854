"""How much memory `minigan train mnist` takes at its peak: compiled and eager, with and without a cache."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.tables import table
from minigan.training.gan import WORTH_COMPILING

MODES = {"compiled": ["--no-report"], "eager": ["--no-report", "--no-compile"], "compiled, with report": []}

# A process inherits the peak of the one that started it, so a small one stands between this and the measured one.
LAUNCHER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(command, **variables):
    """Run a command, and return the most memory it held at a time (resident set), in bytes.

    Raises
    ------
    RuntimeError
        If the command fails; what it wrote to stderr is the message.
    """
    launch, environment = [sys.executable, "-c", LAUNCHER, *map(str, command)], os.environ | variables
    done = subprocess.run(launch, capture_output=True, text=True, check=True, env=environment)
    code, size = map(int, done.stdout.split())
    if code:
        raise RuntimeError(f"{' '.join(map(str, command))} failed with exit code {code}: {done.stderr.strip()}")
    return size * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux KiB


def run(options):
    """Print the peaks, or say why there are none."""
    folder = os.environ.get("MINIGAN_DATA")
    if not folder or not (Path(folder).expanduser() / "mnist").is_dir():
        print("skipped: set MINIGAN_DATA to the folder that holds MNIST's files in a folder named mnist")
        return
    steps = options.steps or WORTH_COMPILING  # with fewer, all are eager
    rows = []
    for name, words in MODES.items():
        with tempfile.TemporaryDirectory() as scratch:
            caches = {"XDG_CACHE_HOME": scratch, "NUMBA_CACHE_DIR": scratch}
            train = [sys.executable, "-m", "minigan", "train", "mnist", "--steps", steps, *words, "--out"]
            sizes = [peak([*train, Path(scratch) / f"run{k}"], **caches) for k in range(2)]
        rows.append([name, *(f"{size / 2**20:.1f} MiB" for size in sizes)])
    print(table([f"minigan train mnist --steps {steps}", "nothing cached", "from the cache"], rows))
