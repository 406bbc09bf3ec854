"""A recording has shapes and no values: what that means for a step, and for whoever looks at its tensors."""

import tracemalloc

import numpy as np
import pytest
from scalars import scalar

import minigan as mg
from minigan.compiler import step as step_module
from minigan.domains import Domain
from minigan.engine.primitive import Primitive, bind
from minigan.errors import AnomalyError, GraphError, TraceError


def test_a_recording_holds_no_values(monkeypatch):
    """Its results are of the right shapes, but take no memory: no more than a few of them are there at a time."""
    size = 2**18  # elements, of 2 MB together
    w = mg.tensor(np.ones(size), requires_grad=True)
    descend = mg.optim.Adam([w], 0.1)

    def step(x):
        y = x
        for _ in range(20):
            y = mg.tanh(y * w)
        descend.zero_grad()
        y.sum().backward()
        descend.step()
        return y

    x, f = mg.tensor(np.ones(size)), mg.compile(step)
    recorded, used = step_module.Recorded, []

    def watched(*arguments):
        tracemalloc.start()
        try:
            return recorded(*arguments)
        finally:
            used.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    monkeypatch.setattr(step_module, "Recorded", watched)
    before = [a.copy() for a in (w.data, *(s.data for s in (descend.m, descend.v)))]
    watched(step, [x], {})
    assert all(np.array_equal(a, b) for a, b in zip(before, (w.data, descend.m.data, descend.v.data), strict=True))
    f(x), f(x)
    assert len(used) == 3
    assert max(used) < 4 * 8 * size


def test_an_operation_of_ones_own_that_refuses_zeros_is_named():
    def cholesky(x):
        return np.linalg.cholesky(x)

    own = Primitive("own_cholesky", cholesky, None, Domain(lambda rng, side: ((np.eye(2),), {})))
    with pytest.raises(TraceError, match=r"'own_cholesky' raised LinAlgError \(.*\) while a step was recorded"):
        mg.compile(lambda x: bind(own, x))(np.eye(50))
    with pytest.raises(np.linalg.LinAlgError):  # no fault of the recording
        bind(own, np.zeros((2, 2)))
    f = mg.compile(lambda x: bind(own, x) * 2)
    assert [f(k * np.eye(2)).data[1, 1] for k in (1.0, 4.0, 9.0)] == [2.0, 4.0, 6.0]


def test_a_tensor_being_recorded_shows_its_shape(capsys):
    def step(x):
        print(x, x * 2)
        return x

    f = mg.compile(step)
    assert [f(np.full((2, 3), k)).data[0, 0] for k in (1.0, 2.0, 3.0)] == [1.0, 2.0, 3.0]
    shown = "tensor(shape=(2, 3), dtype=float64)"
    assert capsys.readouterr().out == f"{shown} {shown}\n" * 2


def test_a_step_under_detect_anomaly_is_the_eager_one():
    f = mg.compile(lambda x: mg.log(x) * 2)
    f(scalar(1.0))
    with mg.detect_anomaly(), np.errstate(all="ignore"), pytest.raises(AnomalyError, match="'log' returned"):
        f(scalar(0.0))
    with np.errstate(all="ignore"):
        assert f(scalar(0.0)).item() == -np.inf


def test_zeros_that_stand_for_values_warn_of_nothing():
    f = mg.compile(lambda x: mg.log(x * 2).sum() + (1 / x).sum())
    x = np.linspace(1, 2, 10_000)
    for k in (1, 2, 3):
        np.testing.assert_allclose(f(x * k).item(), np.log(2 * k * x).sum() + (1 / (k * x)).sum())


def test_a_tensor_that_is_put_aside_has_no_value():
    w, aside = mg.tensor(np.ones(1000)), []

    def step(x):
        y = (w * x).sum()
        aside.extend([y, y.detach(), x * 2])
        return y * 2

    f = mg.compile(step)
    assert [f(np.full(1000, k)).item() for k in (1.0, 2.0, 3.0)] == [2000.0, 4000.0, 6000.0]
    assert len(aside) == 6  # of two recordings
    for t in aside:
        assert repr(t) == "tensor(without a value: made while a step was recorded)"
        for use in (lambda t: t.item(), lambda t: t + 1, lambda t: np.ones(1000) * t, lambda t: t.shape, np.asarray):
            with pytest.raises(TraceError, match=r"has no value\. Let the step return it"):
                use(t)


def test_a_failed_recording_leaves_no_gradients():
    w = scalar(1.0, requires_grad=True)

    def step(x):
        y = mg.log(w * x.sum())
        y.backward()
        return float(y)

    with pytest.raises(TraceError, match="item"):
        mg.compile(step)(np.ones(1000))
    assert w.grad is None


def test_memory_made_of_constants_and_written_to_is_no_constant():
    def step(x):
        t = mg.tensor(np.zeros(3)) + 0.0
        t.assign(x)
        return t * 2

    f = mg.compile(step)
    for k in (1.0, 2.0, 3.0):
        assert f(np.full(3, k)).data.tolist() == [2 * k] * 3


def test_indices_that_are_computed_stay_in_range():
    table = mg.tensor(np.arange(11.0))

    def step(x):
        rows = x.mean(axis=1)
        first = mg.take(table, (rows / rows.max() * 10).astype("i8"), axis=0)
        return first, mg.take(rows, mg.sum(x == 0.0)), mg.power(mg.sum(x > 0), 2)

    f, rng = mg.compile(step), np.random.default_rng(0)
    for _ in range(3):
        x = rng.random((64, 16))
        for got, expected in zip(f(x), step(mg.tensor(x)), strict=True):
            np.testing.assert_allclose(got.data, expected.data, rtol=1e-14)


def test_detect_anomaly_inside_a_step_does_not_judge_zeros():
    w = scalar(1.0, requires_grad=True)

    def step(x):
        w.grad = None
        with mg.detect_anomaly():
            y = mg.log((w * x).sum())
            y.backward()
        return y, w.grad

    y, grad = mg.compile(step)(np.ones(1000))
    assert y.item() == np.log(1000)
    np.testing.assert_allclose(grad.item(), 1.0)


def test_arguments_are_tensors_under_detect_anomaly_too():
    f = mg.compile(lambda x: x * 2)
    with mg.detect_anomaly():
        assert f([1.0, 2.0]).data.tolist() == [2.0, 4.0]
        with pytest.raises(AnomalyError, match="'multiply' returned inf"):
            f(np.array([np.inf]))


def test_what_a_write_returns_is_its_target():
    def double(p):
        p *= 2
        return p

    own = Primitive("own_double", double, None, Domain(lambda rng, side: ((np.ones(2),), {}), order=0), mutates=(0,))
    p = mg.tensor(np.ones(1000))
    f = mg.compile(lambda x: (bind(own, p) * x).sum())
    assert [f(scalar(1.0)).item() for _ in range(3)] == [2000.0, 4000.0, 8000.0]


def test_a_reference_of_ones_own_warns_of_nothing():
    own = Primitive(
        "own_log",
        np.log,
        (lambda g, y, x: g / x,),
        Domain(lambda rng, side: ((np.ones(2),), {})),
        reference=lambda x: mg.log(x),
    )
    f, x = mg.compile(lambda x: bind(own, x * 1.0).sum()), np.linspace(1, 2, 10_000)
    for k in (1, 2, 3):
        np.testing.assert_allclose(f(k * x).item(), np.log(k * x).sum())


def test_gradients_are_not_copied():
    w = mg.tensor(np.ones((100, 100)), requires_grad=True)

    def step(x):
        w.grad = None
        (w @ x).sum().backward()
        return w.grad.reshape(-1)

    f = mg.compile(step)
    f(np.ones((100, 100)))
    assert "astype" not in str(f.program)


def test_a_graph_from_before_is_noticed_after_any_number_of_calls():
    w = mg.nn.Parameter(np.ones(3))
    descend = mg.optim.SGD([w], 0.1)

    def step(x):
        descend.zero_grad()
        y = (w * x).sum()
        y.backward()
        descend.step()
        return y

    f = mg.compile(step)
    for _ in range(4):
        before = (w * w).sum()
        f(np.ones(3))
        with pytest.raises(GraphError, match="changed in place"):
            before.backward()
