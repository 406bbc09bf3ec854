"""Each pass by itself, on programs small enough to see through."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigan as mg
from minigan.compiler import cache, passes
from minigan.compiler.layout import Layout
from minigan.compiler.loops import loop_source
from minigan.compiler.source import Source
from minigan.compiler.trace import program_of, trace
from minigan.engine import Recording, Tensor
from minigan.ops import writes


def recorded(step, *arrays):
    arguments = [Tensor(np.asarray(a)) for a in arrays]
    record = Recording(closed=True)
    return program_of(record, arguments, trace(step, arguments, record), {})


def names(program):
    return [e.primitive.name for e in program.equations]


X = np.arange(6.0).reshape(2, 3)


def test_expand_replaces_fused_operations_by_small_ones():
    layer = mg.nn.Dense(3, 2)
    program = recorded(lambda x: layer(x, "tanh"), X.astype("f4"))
    assert names(program) == ["affine"]
    assert names(passes.expand(program)) == ["transpose", "matmul", "add", "tanh"]


def test_expand_reaches_references_inside_references():
    program = recorded(lambda x: mg.losses.get("minimax").generator(None, x), X)
    assert set(names(passes.expand(program))) <= {"softplus", "sum", "multiply", "negative"}


def test_constants_are_folded():
    program = recorded(lambda x: x * (mg.exp(mg.tensor(2.0)) + 1.0), X)
    assert names(program) == ["exp", "add", "multiply"]
    folded = passes.fold_constants(program)
    assert names(folded) == ["multiply"]
    np.testing.assert_allclose(folded.equations[0].inputs[1].array, np.exp(np.float32(2)) + 1, rtol=1e-6)


def test_copies_go_unless_one_of_both_is_written_to_or_looked_at():
    w = mg.tensor(X)

    def step(x):
        plain = (x * 2.0).astype("f8")  # a copy, which goes
        before = w.astype("f8")  # what w was; it is written to
        w.assign(plain)
        rows = (x + 1.0).astype("f8").reshape(-1)
        return plain, before, rows, x.astype("f4"), x.T.astype("f8")

    program = recorded(step, X)
    assert names(program).count("astype") == 5
    dropped = passes.drop_copies(program)
    assert names(dropped).count("astype") == 4
    assert dropped.results[0] is dropped.equations[0].outputs[0]
    compiled = mg.compile(step)
    for k in range(3):
        w.assign(X + k)
        for got, expected in zip(compiled(X), (2 * X, X + k, (X + 1).ravel(), X, X.T), strict=True):
            np.testing.assert_array_equal(got.numpy(), expected)


def test_what_nobody_reads_goes_and_what_is_written_stays():
    w = mg.tensor(X)

    def step(x):
        mg.exp(x)
        w.assign(x + 1.0)
        return x * 2.0

    assert names(passes.drop_unused(recorded(step, X))) == ["add", "assign", "multiply"]


def test_the_same_is_computed_once():
    program = recorded(lambda x: mg.exp(x) * mg.exp(x) + x * 2.0 + x * 2.0, X)
    assert names(passes.share_common(program)).count("exp") == 1
    assert names(passes.share_common(program)).count("multiply") == 2  # e e, and x 2 with two equal constants


def test_but_not_across_a_write():
    w = mg.tensor(X)

    def step(x):
        before = mg.exp(w)
        w.assign(x)
        return before + mg.exp(w)

    assert names(passes.share_common(recorded(step, X))).count("exp") == 2


def test_random_draws_are_never_the_same():
    rng = mg.random.default_rng(0)
    program = recorded(lambda x: x + rng.normal((3,)) + rng.normal((3,)), X)
    assert names(passes.share_common(program)).count("random_normal") == 2


# -- fusion ------------------------------------------------------------------------------------------------------------


def groups(step, *arrays):
    return passes.fuse(passes.optimise(recorded(step, *arrays)))


def test_a_chain_is_one_loop():
    (loop,) = groups(lambda x: mg.tanh(mg.exp(x) * 2.0 + 1.0).sum(axis=0), X)
    assert [e.primitive.name for e in loop.equations] == ["exp", "multiply", "add", "tanh"]
    assert loop.summed.primitive.name == "sum"


def test_what_two_read_is_written_once():
    found = groups(lambda x: (mg.exp(x) * 2.0, mg.exp(x) + 1.0), X)
    assert [[e.primitive.name for e in loop.equations] for loop in found] == [["exp"], ["multiply"], ["add"]]


def test_nothing_moves_past_a_write():
    w = mg.tensor(X)

    def step(x):
        before = mg.exp(w)
        w.assign(x)
        return before * 2.0

    found = groups(step, X)
    assert [g.equations[0].primitive.name for g in found if isinstance(g, passes.Loop)] == ["exp", "multiply"]


def test_a_loop_reads_a_limited_number_of_arrays():
    arrays = [np.full(3, float(k)) for k in range(12)]
    found = groups(lambda *a: sum(a[1:], start=a[0]), *arrays)
    assert len(found) > 1
    assert all(len(passes.inputs_of(loop)) <= passes.MOST_INPUTS for loop in found)


# -- layout ------------------------------------------------------------------------------------------------------------


def laid_out(step, *arrays):
    program = passes.optimise(recorded(step, *arrays))
    found = passes.fuse(program)
    return program, found, Layout(program.inputs, found, program.results)


def test_buffers_are_used_again():
    def step(x):
        for _ in range(20):
            x = mg.matmul(x, mg.tensor(np.eye(3))) * 2.0
        return x

    program, _, layout = laid_out(step, X)
    memory = {layout.cells[v].ctypes.data for e in program.equations for v in e.outputs if v in layout.cells}
    assert len(memory) <= 3


def test_a_loop_overwrites_what_it_reads_for_the_last_time():
    program, _, layout = laid_out(lambda x: mg.exp(mg.matmul(x, mg.tensor(np.eye(3)))), X)
    product, result = (e.outputs[0] for e in program.equations)
    assert layout.cells[product] is layout.cells[result]


def test_gradients_are_written_where_the_optimiser_wants_them():
    flat = mg.tensor(np.zeros(9))

    def step(x):
        with mg.no_grad():
            writes.gather(flat, mg.matmul(x, mg.tensor(np.eye(3))), x.sum(axis=0))
        return x.sum()

    program, _, layout = laid_out(step, X)
    product = next(e for e in program.equations if e.primitive.name == "matmul").outputs[0]
    assert np.shares_memory(layout.cells[product], flat._data)
    assert "copy" not in Source(program, "step").text


def test_an_assignment_that_is_read_on_the_way_is_copied():
    w = mg.tensor(X)

    def step(x):
        new = w * 0.5 + x
        old = mg.exp(w).sum()
        w.assign(new)
        return old, w.sum()

    f = mg.compile(step)
    now = X.copy()
    for _ in range(4):
        old, total = f(X)
        np.testing.assert_allclose(old.item(), np.exp(now).sum(), rtol=1e-13)
        now = now * 0.5 + X
        np.testing.assert_allclose(total.item(), now.sum(), rtol=1e-13)


def test_loops_run_over_as_few_axes_as_they_can():
    program, (loop,), layout = laid_out(lambda x, b: x * 2.0 + b, np.ones((4, 5, 6)), np.ones((5, 6)))
    text, arguments = loop_source(loop, layout.cell, layout.cell(program.results[0]))
    assert text.count("for ") == 2
    assert [a.shape for a in arguments] == [(4, 30), (4, 30), (30,)]


# -- the cache ---------------------------------------------------------------------------------------------------------

SCRIPT = """
import sys, numpy as np, minigan as mg
from pathlib import Path
from minigan.compiler import cache
cache.folder = lambda: Path(sys.argv[1])
f = mg.compile(lambda x: mg.tanh(x) * 3.0)
for _ in range(3):
    y = f(np.ones(4, "f4"))
print(y.numpy().tobytes().hex())
"""


def test_the_same_step_has_the_same_source_every_time():
    """Else nothing is ever found in the cache: no order may come from a set."""

    def text():
        D = mg.nn.Sequential(mg.nn.Dense(3, 8), mg.nn.Tanh(), mg.nn.Dense(8, 8), mg.nn.ReLU(), mg.nn.Dense(8, 1))

        def step(x):
            for p in D.parameters():
                p.grad = None
            (mg.penalties.r1(D, x) + D(x).mean()).backward()
            return [p.grad.detach() for p in D.parameters()]

        return Source(passes.optimise(recorded(step, X.astype("f4"))), "step").text

    assert len({text() for _ in range(5)}) == 1


def test_two_processes_share_the_cache(tmp_path):
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    results = [p.communicate()[0] for p in both]
    assert [p.returncode for p in both] == [0, 0]
    assert results[0] == results[1]
    (source,) = tmp_path.glob("step_*.py")
    compiled = sorted(p.name for p in (tmp_path / "__pycache__").glob("*.nbc"))
    assert compiled
    again = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert again == results[0]
    assert sorted(p.name for p in (tmp_path / "__pycache__").glob("*.nbc")) == compiled
    assert source.read_text().startswith('"""')


@pytest.mark.parametrize("damage", [b"", b"\xff\x00 nonsense (", b"x = 2"], ids=["empty", "nonsense", "another"])
def test_a_damaged_step_in_the_cache_is_made_anew(own_cache, damage):
    one = cache.load("x = 1\n")
    Path(one.__file__).write_bytes(damage)
    del sys.modules[one.__name__]
    again = cache.load("x = 1\n")
    assert again.__file__ == one.__file__
    assert again.x == 1


def test_the_name_depends_on_the_source_and_on_the_kernels(own_cache, monkeypatch):
    one = cache.load("x = 1\n").__file__
    assert cache.load("x = 2\n").__file__ != one
    assert cache.load("x = 1\n").__file__ == one
    monkeypatch.setattr(cache, "_surroundings", lambda: "another numba")
    assert cache.load("x = 1\n").__file__ != one


def test_a_slice_of_a_layers_output_costs_nothing():
    layer = mg.nn.Dense(3, 4)
    program = passes.optimise(recorded(lambda x: mg.split(layer(x), 2, axis=1)[1] * 2.0, X.astype("f4")))
    (split,) = [e for e in program.equations if e.primitive.name == "split"]
    assert passes.is_view(split)


def test_what_is_written_to_later_is_not_shared():
    def step(x):
        with mg.no_grad():
            a = x * 2.0
            b = x * 2.0
            a.assign(a + 1.0)
            return a, b, x * 2.0

    f = mg.compile(step)
    for k in (1.0, 2.0, 3.0):
        assert [t.item() for t in f(mg.tensor(np.array(k)))] == [2 * k + 1, 2 * k, 2 * k]
