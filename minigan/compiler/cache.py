"""The compiled steps on disk: found again by what they were made from."""

import hashlib
import importlib.util
import platform
import shutil
import sys
from pathlib import Path

import numba
import numpy as np

from minigan import kernels
from minigan.files import cache_folder, write_bytes


def folder():
    """Return the folder of compiled steps, ``compiled`` in the user's cache."""
    return cache_folder() / "compiled"


def files():
    """Return the compiled steps that are kept."""
    return sorted(folder().glob("step_*.py")) if folder().exists() else []


def clear():
    """Remove all compiled steps, and return how many there were."""
    count = len(files())
    shutil.rmtree(folder(), ignore_errors=True)
    return count


def load(text):
    """Return the module with this source, compiled before or to be compiled at its first call.

    It stands in a file whose name is a hash of the source, of the kernels that it calls, of the versions of Numba and
    NumPy, and of the processor; Numba keeps the machine code beside it. Two processes may do this at the same time: the
    file is put there whole, and both would write the same.
    """
    key = hashlib.sha256("\n".join([text, _surroundings()]).encode()).hexdigest()[:20]
    path = folder() / f"step_{key}.py"
    if not path.exists() or path.read_bytes() != text.encode():  # somebody, or a full disk, has damaged it
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, text)
    name = f"minigan_compiled_{key}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def _surroundings():
    sources = [path.read_bytes() for path in sorted(Path(kernels.__file__).parent.glob("*.py"))]
    digest = hashlib.sha256(b"".join(sources)).hexdigest()
    return " ".join([digest, numba.__version__, np.__version__, platform.machine(), numba.config.CPU_NAME or ""])
