"""The wrapper around Numba: what is kept on disk, and functions that depend on the precision."""

import importlib.util
import re

import numba
import numpy as np
import pytest

from minigan.kernels import jit

pytestmark = pytest.mark.skipif(numba.config.DISABLE_JIT, reason="NUMBA_DISABLE_JIT is set: nothing is compiled")


def test_a_kernel_on_disk_is_found_until_the_functions_that_it_may_call_change(tmp_path, monkeypatch):
    called, file = tmp_path / "called.py", tmp_path / "kernel.py"
    called.write_text("first")
    file.write_text("from minigan.kernels.jit import njit\n\n\n@njit\ndef double(x):\n    return 2 * x\n")
    monkeypatch.setattr(jit, "CALLED", [called])

    def run():
        spec = importlib.util.spec_from_file_location("kernel_on_disk", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.double(2.0) == 4.0
        return sum(module.double.stats.cache_hits.values())

    assert [run(), run(), run()] == [0, 1, 1]
    called.write_text("second")
    assert [run(), run()] == [0, 1]


def test_by_precision_picks_where_a_kernel_compiles():
    one = jit.by_precision(numba.njit(lambda x: np.float32(1)), numba.njit(lambda x: 2.0))

    @jit.njit(cache=False)
    def kernel(x):
        return one(x[0])

    assert [kernel(np.zeros(1, dtype)) for dtype in ("f4", "f8")] == [1, 2]
    assert [one(np.dtype(dtype).type(0)) for dtype in ("f4", "f8")] == [1, 2]


@pytest.mark.skipif(not jit.AVX512, reason="the processor has no registers of 512 bits")
def test_wide_loops_take_whole_registers():
    def scale(x, factor):
        jit.wide()
        for i in range(x.size):
            x[i] *= factor

    compiled, x = jit.njit(scale, cache=False), np.arange(40, dtype=np.float32)
    compiled(x, np.float32(2))
    np.testing.assert_array_equal(x, 2 * np.arange(40))
    (text,) = compiled.inspect_asm().values()
    assert re.search("vmulps.*%zmm", text)
    scale(x, 0.5)  # plain Python takes no notice
    np.testing.assert_array_equal(x, np.arange(40))


def test_python_may_call_an_inner_function_too():
    @jit.inner(cache=False)
    def two_more(x):
        return x + 2

    @jit.njit(cache=False)
    def kernel(x):
        return 3 * two_more(x)

    assert kernel(4) == 18
    assert [two_more(4), two_more(0.5)] == [6, 2.5]
    assert len(two_more.overloads) == 1  # without the code for Python, which would end in a crash here


def test_an_inner_function_on_disk_becomes_a_part_of_another_kernel(tmp_path):
    """It is kept without machine code: what a kernel takes in must be there all the same."""
    file = tmp_path / "inner_on_disk.py"
    file.write_text(
        "import numpy as np\nfrom minigan.kernels.jit import inner, njit\n\n\n"
        "@inner\ndef norm(x):\n    return np.sqrt(np.sum(x * x))\n\n\n"
        "@njit(cache=False)\ndef once(x):\n    return norm(x)\n\n\n"
        "@njit(cache=False)\ndef twice(x):\n    return 2 * norm(x)\n"
    )

    def load():
        spec = importlib.util.spec_from_file_location("inner_on_disk", file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    x, first, second = np.array([3.0, 4.0]), load(), load()
    assert first.once(x) == 5
    assert second.twice(x) == 10
    assert [sum(m.norm.stats.cache_hits.values()) for m in (first, second)] == [0, 1]
    assert second.norm(x) == 5
    (compiled,) = second.norm.overloads.values()
    assert compiled.library.get_pointer_to_function(compiled.fndesc.llvm_cpython_wrapper_name) == 0
