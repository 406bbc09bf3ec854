"""Folders of compiled code that cannot be written, and damaged files in them: compiled anew, with a word if need be."""

import importlib.util
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core.caching import CacheImpl

from minigan.compiler import cache
from minigan.kernels import disk, jit

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")

STEP = "from minigan.kernels.jit import njit\n\n\n@njit\ndef part1(memory):\n    memory += {}\n"
SCRIPT = """
import numpy as np, minigan as mg
f = mg.compile(lambda x: mg.tanh(x) * 3.0)
print([float(f(np.zeros(4, "f4"))[0]) for _ in range(3)])
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: tmp_path / "compiled")
    cache._say_why.cache_clear()
    return tmp_path / "compiled"


def run(text):
    """Run a step as a new process would; return its module and whether its machine code was found."""
    module = cache.load(text)
    del sys.modules[module.__name__]
    memory = np.zeros(3)
    module.part1(memory)
    assert memory.tolist() == [float(text.split()[-1])] * 3
    return Path(module.__file__), sum(module.part1.stats.cache_hits.values()) == 1


def refuse(monkeypatch, folder):
    """Have the system refuse, as it would somebody other than root, to write into this folder."""
    write, access = cache.write_bytes, os.access

    def write_bytes(path, data):
        if path.parent == folder:
            raise PermissionError(13, "Permission denied", str(path))
        write(path, data)

    monkeypatch.setattr(cache, "write_bytes", write_bytes)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != folder and access(path, mode))


# -- a folder that cannot be written ----------------------------------------------------------------------------------


def test_a_known_step_is_found_in_a_folder_that_can_only_be_read(folder, monkeypatch):
    assert run(STEP.format(1)) == (folder / next(folder.glob("step_*.py")).name, False)
    files = sorted(folder.rglob("*"))
    refuse(monkeypatch, folder)
    path, found = run(STEP.format(1))
    assert found
    assert path.parent != folder
    assert sorted(folder.rglob("*")) == files


def test_a_new_step_goes_to_a_temporary_folder_with_one_warning(folder, monkeypatch):
    folder.mkdir()
    refuse(monkeypatch, folder)
    with pytest.warns(UserWarning, match="compiled steps cannot be kept in .*Permission denied.*set XDG_CACHE_HOME"):
        path, found = run(STEP.format(2))
    assert not found
    assert path.parent.parent != folder.parent
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(STEP.format(2)) == (path, True)
        run(STEP.format(3))
    assert not list(folder.iterdir())


@pytest.mark.parametrize("where", ["a file", "in a file", "/proc"])
def test_a_folder_that_cannot_be_made(tmp_path, where):
    file = tmp_path / "file"
    file.write_text("")
    home = {"a file": file, "in a file": file / "cache", "/proc": "/proc/minigan"}[where]
    environment = os.environ | {"XDG_CACHE_HOME": str(home)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True)
    assert done.stdout == "[0.0, 0.0, 0.0]\n", done.stderr
    assert done.stderr.count("compiled steps cannot be kept") == 1
    assert "Traceback" not in done.stderr


def test_kernels_are_compiled_where_nothing_can_be_kept(monkeypatch):
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    disk._say_that_nothing_is_kept.cache_clear()
    with pytest.warns(UserWarning, match="compiled kernels cannot be kept.*set NUMBA_CACHE_DIR"):
        kernel = jit.njit(lambda x: x + 1)
    inner = jit.inner(lambda x: x + 2)  # without another warning
    assert [kernel(1), inner(1)] == [2, 3]
    called = jit.compiled_apart(1)(_nothing)
    if jit.AVX512:
        assert called.compiled.native_name


def _nothing(n):
    pass


def test_a_kernel_whose_files_cannot_be_written_is_compiled_all_the_same(folder, monkeypatch):
    def refused(self, path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "_open_for_write", refused)
    assert [run(STEP.format(4))[1] for _ in range(2)] == [False, False]


# -- damaged files -----------------------------------------------------------------------------------------------------

DAMAGES = {
    "empty": lambda data: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "garbage": lambda data: bytes(reversed(data)),
    "nonsense": lambda data: b"\x80\x04nonsense",
}


def damage(folder, kind, how):
    (file,) = (folder / "__pycache__").glob(f"*{kind}")
    file.write_bytes(DAMAGES[how](file.read_bytes()))


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("kind", [".nbi", ".nbc"])
def test_a_step_whose_machine_code_is_damaged_is_compiled_anew_once(folder, kind, how):
    text = STEP.format(5)
    assert [run(text)[1] for _ in range(2)] == [False, True]
    damage(folder, kind, how)
    assert [run(text)[1] for _ in range(2)] == [False, True]


def test_damaged_and_not_to_be_written(folder, monkeypatch):
    text = STEP.format(6)
    run(text)
    damage(folder, ".nbi", "cut off")
    refuse(monkeypatch, folder)

    def refused(self, path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(numba.core.caching.IndexDataCacheFile, "_open_for_write", refused)
    assert not run(text)[1]


@pytest.mark.parametrize("kind", [".nbi", ".nbc"])
def test_a_damaged_kernel_is_compiled_anew_once(tmp_path, kind):
    file = tmp_path / "kernel.py"
    file.write_text("from minigan.kernels.jit import njit\n\n\n@njit\ndef double(x):\n    return 2 * x\n")

    def found():
        spec = importlib.util.spec_from_file_location("kernel_damaged", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.double(2.0) == 4.0
        return sum(module.double.stats.cache_hits.values())

    assert [found(), found()] == [0, 1]
    damage(tmp_path, kind, "cut off")
    assert [found(), found()] == [0, 1]


@pytest.mark.skipif(not jit.AVX512, reason="nothing is compiled apart")
def test_what_is_compiled_apart_is_found_on_disk_and_made_anew_where_damaged(tmp_path):
    file = tmp_path / "apart.py"
    file.write_text(
        "from minigan.kernels.jit import compiled_apart\n\n\n@compiled_apart(1)\ndef nothing(n):\n    pass\n"
    )

    def found():
        spec = importlib.util.spec_from_file_location("compiled_apart", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.nothing.compiled.cache_hits

    assert [found(), found()] == [0, 1]
    damage(tmp_path, ".nbc", "cut off")
    assert [found(), found()] == [0, 1]
