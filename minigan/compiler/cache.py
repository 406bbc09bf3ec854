"""The compiled steps on disk: found again by what they were made from."""

import atexit
import functools
import hashlib
import importlib.util
import os
import platform
import shutil
import sys
import tempfile
import warnings
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
    file is put there whole, and both would write the same. Where the folder cannot be written, a temporary one serves.
    """
    key = hashlib.sha256("\n".join([text, _surroundings()]).encode()).hexdigest()[:20]
    path = _file(f"step_{key}.py", text)
    name = f"minigan_compiled_{key}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


def _file(name, text):
    """Return a file with this text, in a folder where Numba can write beside it."""
    path = folder() / name
    known = _holds(path, text)
    if not known:  # or somebody, or a full disk, has damaged it
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, text)
        except OSError as error:
            _say_why(folder(), error.strerror or error)
    if os.access(path.parent, os.W_OK) and _holds(path, text):
        return path
    copy = _temporary() / name
    if not _holds(copy, text):
        if not known:
            write_bytes(copy, text)
        else:
            shutil.copy2(path, copy)
            for file in (path.parent / "__pycache__").glob(f"{path.stem}.*.nb[ic]"):  # by Numba: index and code
                shutil.copy2(file, copy.parent / "__pycache__")
    return copy


def _holds(path, text):
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


@functools.cache  # one for this process
def _temporary():
    made = Path(tempfile.mkdtemp(prefix="minigan-compiled-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    (made / "__pycache__").mkdir()
    return made


@functools.cache  # once for each folder
def _say_why(where, why):
    warnings.warn(
        f"compiled steps cannot be kept in {where}: {why}. This process has a temporary folder for them, and the next "
        "one compiles them again; make the folder writable, or set XDG_CACHE_HOME to one that is",
        stacklevel=2,
    )


def _surroundings():
    sources = [path.read_bytes() for path in sorted(Path(kernels.__file__).parent.glob("*.py"))]
    digest = hashlib.sha256(b"".join(sources)).hexdigest()
    return " ".join([digest, numba.__version__, np.__version__, platform.machine(), numba.config.CPU_NAME or ""])
