"""How much memory `minigan train mnist` takes at its peak, its report included."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

# A process inherits the peak of the one that started it, so a small one stands between this and the measured one.
LAUNCHER = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(command):
    """Run a command; return the most memory it held at a time (resident set), in bytes.

    Raises
    ------
    RuntimeError
        If the command fails; what it wrote to stderr is the message.
    """
    done = subprocess.run(
        [sys.executable, "-c", LAUNCHER, *map(str, command)], capture_output=True, text=True, check=True
    )
    code, size = map(int, done.stdout.split())
    if code:
        raise RuntimeError(f"{' '.join(map(str, command))} failed with exit code {code}: {done.stderr.strip()}")
    return size * (1 if sys.platform == "darwin" else 1024)  # macOS counts bytes, Linux KiB


def run(options):
    """Print the peak, or say why there is none."""
    folder = os.environ.get("MINIGAN_DATA")
    if not folder or not (Path(folder).expanduser() / "mnist").is_dir():
        print("skipped: set MINIGAN_DATA to the folder that holds MNIST's files in a folder named mnist")
        return
    steps = options.steps or (50 if options.quick else 500)
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "minigan", "train", "mnist", "--steps", steps, "--out", Path(scratch) / "run"]
        print(f"minigan train mnist --steps {steps}: {peak(command) / 1e6:.0f} MB at its peak")
