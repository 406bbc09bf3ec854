"""Compiled steps of the tests: cached in a folder of their own, or run as the Python that was generated."""

import types

import pytest

from minigan.compiler import cache


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "folder", lambda: folder)
        yield folder


@pytest.fixture
def as_python(monkeypatch):
    """Run generated sources without Numba: slow steps, but nothing to compile, so that many programs can be tried."""

    def load(text):
        module = types.ModuleType("generated")
        text = text.replace(
            "from minigan.kernels.jit import inner, njit", "inner = njit = lambda f=None, **flags: f or (lambda g: g)"
        )
        text = text.replace("arrays import array_of", "arrays import of_in_python as array_of")
        text = text.replace("from numba import", "from numpy import bool as boolean, float32, float64  #")
        text = text.replace("from numpy import inf, nan", "from numpy import *; from numpy import abs, bool as boolean")
        exec(compile(text, "generated", "exec"), vars(module))
        return module

    monkeypatch.setattr(cache, "load", load)
