"""How long whole processes take, from the shell's point of view, with warm caches."""

import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.tables import duration, interleave, seconds, table


def commands():
    """Return the commands by the name under which they are shown."""
    script = Path(sys.executable).with_name("minigan")
    minigan = [script] if script.exists() else [sys.executable, "-m", "minigan"]
    python = [sys.executable, "-c"]
    return {
        "minigan --help": [*minigan, "--help"],
        "import minigan": [*python, "import minigan"],
        "import numba": [*python, "import numba"],
        "import minigan, one sigmoid": [*python, "import minigan as mg; mg.sigmoid(0.0)"],
        "python itself": [*python, ""],
    }


def run(options):
    """Print the table."""
    contestants = {name: lambda c=command: seconds(lambda: _call(c)) for name, command in commands().items()}
    interleave(contestants, 1)  # fills the caches
    times = interleave(contestants, 3 if options.quick else 15)
    print(
        table(["process", "median", "fastest"], [[n, duration(median(t)), duration(min(t))] for n, t in times.items()])
    )


def _call(command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
