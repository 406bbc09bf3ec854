"""The examples in docstrings do what they say."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest

import minigan as mg

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(mg.__path__, "minigan.") if not module.name.endswith("__main__")
)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Finder(doctest.DocTestFinder):
    """Finds the examples of primitives too, which are functions that another module made."""

    def _from_module(self, module, thing):
        return isinstance(thing, property) or getattr(thing, "__module__", None) == module.__name__


def examples():
    """Return the tests of all docstrings that have examples."""
    found = [test for name in MODULES for test in Finder().find(importlib.import_module(name), name)]
    return [test for test in found if test.examples]


@pytest.mark.parametrize("test", examples(), ids=lambda test: test.name)
def test_example(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # what an example writes
    test.globs = {"mg": mg, "np": np}  # as a reader has them, and nothing else of the module
    found = []
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    runner.run(test, out=found.append)
    assert not runner.failures, "".join(found)
