"""How a compiled step is called, what it takes and gives back, and what it is beside a function."""

import collections
import copy
import dataclasses
import functools
import pickle
import threading

import numpy as np
import pytest
from scalars import scalar

import minigan as mg
from minigan.errors import DTypeError, GraphError, TraceError

# -- memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "step",
    [
        lambda x: (x.T + 1.0).T.reshape(-1) * 2.0,
        lambda x: mg.tanh(x.T).T.reshape(-1),
        lambda x: x.T.reshape(-1) * 2.0,
        lambda x: mg.reshape(mg.exp(mg.swapaxes(x, 0, 1)), (3, 2)).T.reshape(6),
    ],
)
@pytest.mark.parametrize("order", ["rows", "columns", "steps"])
def test_views_of_turned_results_and_arguments_in_any_order(step, order):
    x = np.arange(6.0).reshape(2, 3)
    x = {"rows": x, "columns": np.asfortranarray(x), "steps": np.repeat(x, 2, axis=1)[:, ::2]}[order]
    x = mg.Tensor(x)
    f = mg.compile(step)
    for _ in range(3):
        np.testing.assert_allclose(f(x).numpy(), step(x).numpy(), rtol=1e-15)


@pytest.mark.parametrize("layer", ["RNN", "LSTM", "GRU"])
def test_a_slope_penalty_through_a_batch_first_layer(layer):
    rng = np.random.default_rng(0)
    with mg.default_dtype("float64"):
        net = getattr(mg.nn, layer)(3, 4, batch_first=True, rng=0)
    x = mg.tensor(rng.standard_normal((2, 3, 3)))

    def step(x):
        net.zero_grad()
        mg.penalties.r1(lambda u: net(u)[0].sum(axis=(1, 2)), x).backward()
        return [p.grad for p in net.parameters() if p.grad is not None]

    f = mg.compile(step)
    for _ in range(3):
        for got, expected in zip(f(x), step(x), strict=True):
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)


def test_one_array_as_two_arguments_is_two_arguments():
    f = mg.compile(lambda a, b: 2 * a + 3 * b)
    x = scalar(1)
    assert [f(x, x).item(), f(scalar(1), scalar(5)).item(), f(x, x).item()] == [5.0, 17.0, 5.0]
    w = scalar(3)
    g = mg.compile(lambda x: w * x)
    assert [g(w).item(), g(scalar(7)).item()] == [9.0, 21.0]


@pytest.mark.parametrize("turn", [lambda w: w[::-1], lambda w: w[:, ::-1], lambda w: w.T])
def test_a_tensor_is_assigned_from_itself(turn):
    w = mg.tensor(np.arange(9.0).reshape(3, 3))
    expected = turn(w.numpy()).copy()
    mg.compile(lambda: w.assign(turn(w)))()
    assert np.array_equal(w.numpy(), expected)


def test_a_broadcast_result():
    f = mg.compile(lambda x: mg.broadcast_to(x.sum(), (2, 2)))
    for _ in range(3):
        assert np.array_equal(f(np.ones(3)).numpy(), np.full((2, 2), 3.0))


def test_gradients_are_none_afterwards_even_those_of_before():
    w = mg.tensor(np.ones(2), requires_grad=True)

    def step(x):
        w.grad = None
        (w * x).sum().backward()
        return w.grad

    f = mg.compile(step)
    for _ in range(4):
        (w * w).sum().backward()
        f(np.ones(2))
        assert w.grad is None


def test_uniform_numbers_between_limits_are_the_same_bits():
    for dtype in ("float32", "float64"):
        mine, other = mg.random.default_rng(0), mg.random.default_rng(0)
        f = mg.compile(lambda: mine.uniform((50,), -0.3, 0.7, dtype=dtype))  # noqa: B023
        for _ in range(3):
            got, expected = f().numpy(), other.uniform((50,), -0.3, 0.7, dtype=dtype).numpy()
            assert got.tobytes() == expected.tobytes()
            assert expected.min() >= -0.3
            assert expected.max() < 0.7


# -- arguments and results ---------------------------------------------------------------------------------------------


def test_arguments_by_name_and_with_defaults():
    def step(x, weight=2.0, *, other=1.0):
        return x * weight

    f = mg.compile(lambda x, weight=2.0: x * weight)
    assert [f(x=scalar(3)).item(), f(scalar(3), weight=5.0).item(), f(scalar(3), weight=scalar(7)).item()] == [
        6,
        15,
        21,
    ]
    with pytest.raises(TypeError, match="keyword-only"):
        mg.compile(step)(scalar(1), other=2.0)


def test_numbers_as_arguments_are_constants_of_their_kind():
    f = mg.compile(lambda x, k, word: x * k if word == "times" else x + k)
    x = mg.tensor(np.ones(2, "f4"))
    for k, word in [(0.5, "times"), (2, "plus"), (0.5, "times")]:
        assert f(x, k, word).dtype == np.float32
        assert np.array_equal(f(x, k, word).numpy(), np.full(2, k if word == "times" else 1 + k, "f4"))


def test_what_is_no_argument_is_named():
    with pytest.raises(TraceError, match="argument 1 of the step is a Generator"):
        mg.compile(lambda x, rng: x)(scalar(1), mg.random.default_rng(0))
    for odd in (np.ones(2, np.float16), np.ones(2, bool)):  # NumPy's tanh of a boolean is half a float
        with pytest.raises(DTypeError, match="has to do with float16"):
            mg.compile(lambda x: mg.tanh(x))(odd)
    with pytest.raises(TypeError, match="expected a function"):
        mg.compile(3)


Pair = collections.namedtuple("Pair", "a b")


def test_results_keep_their_form():
    def step(x):
        return {"pair": Pair(x, [x * 2, None]), "more": collections.OrderedDict(y=x * 3, word="w")}

    f = mg.compile(step)
    for k in (1, 2, 3):
        made = f(scalar(k))
        assert isinstance(made["pair"], Pair)
        assert isinstance(made["more"], collections.OrderedDict)
        assert made["pair"].b[1] is None
        assert [made["pair"].a.item(), made["pair"].b[0].item(), made["more"]["y"].item()] == [k, 2 * k, 3 * k]


@dataclasses.dataclass
class Losses:
    d: object


@pytest.mark.parametrize("made", [Losses, lambda x: (y for y in [x]), lambda x: {x}])
def test_results_that_cannot_be_rebuilt_are_refused(made):
    with pytest.raises(TraceError, match="the step returned"):
        mg.compile(lambda x: made(x))(scalar(1))


def test_captured_nan_is_the_same_nan():
    mask = np.array([1.0, np.nan])
    f = mg.compile(lambda x: mg.where(mg.tensor(np.isnan(mask)), 0.0, x * mask))
    for _ in range(3):
        assert np.array_equal(f(np.ones(2)).numpy(), [1.0, 0.0])


# -- beside a function -------------------------------------------------------------------------------------------------


def test_a_compiled_step_within_another():
    inner = mg.compile(lambda x: x * 2)
    outer = mg.compile(lambda x: inner(x) * 2)
    assert [outer(scalar(k)).item() for k in (1, 5, 15)] == [4.0, 20.0, 60.0]
    assert [inner(scalar(k)).item() for k in (1, 5)] == [2.0, 10.0]


def test_a_method_compiled_in_its_class():
    class Counter:
        def __init__(self, by):
            self.by = scalar(by)

        @mg.compile
        def step(self, x):
            return x * self.by

    two, three = Counter(2), Counter(3)
    assert [two.step(scalar(5)).item(), three.step(scalar(5)).item(), two.step(scalar(1)).item()] == [10.0, 15.0, 2.0]
    assert two.step is two.step


def test_copies_of_an_object_with_a_compiled_step_are_apart():
    class Holder:
        def __init__(self):
            self.w = scalar(2)
            self.fast = mg.compile(self.step)

        def step(self, x):
            self.w.assign(self.w * x)
            return self.w

    one = Holder()
    one.fast(scalar(2))
    other = copy.deepcopy(one)
    other.fast(scalar(5))
    assert [one.w.item(), other.w.item()] == [4.0, 20.0]


def test_names_of_the_function_do_not_hide_its_own():
    def step(x):
        return x * 2

    step.step, step.versions = 3, None
    assert mg.compile(step)(scalar(2)).item() == 4.0
    assert mg.compile(functools.partial(lambda k, x: k * x, 3.0))(scalar(2)).item() == 6.0


def test_threads_take_turns():
    f = mg.compile(lambda x: mg.exp(x) * 2.0 - mg.exp(x))
    wrong = []

    def run(k):
        x = np.full(2000, float(k))
        expected = np.exp(x)
        for _ in range(200):
            if not np.allclose(f(x).numpy(), expected, rtol=1e-12):
                wrong.append(k)

    f(np.zeros(2000))
    workers = [threading.Thread(target=run, args=(k,)) for k in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_a_batch_is_gathered_by_indices_that_are_passed():
    data = mg.tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)

    def step(i):
        data.grad = None
        (data[i] * mg.take(data, i, axis=0) + mg.take(data, i.sum() * 0, axis=0)).sum().backward()
        return data.grad, mg.take(data, i)

    f = mg.compile(step)
    for i in ([0, 1], [3, 3], [2, 0], [-1, 1]):
        i = mg.tensor(np.array(i))
        for got, expected in zip(f(i), step(i), strict=True):
            assert np.array_equal(got.numpy(), expected.numpy())


def test_lists_are_numbers_and_nests_of_arrays_are_refused():
    f = mg.compile(lambda x: x * 2)
    assert f([1.0, 2.0]).dtype == mg.tensor([1.0, 2.0]).dtype == np.float32
    assert f((1, 2)).data.tolist() == [2, 4]
    for nest in ((np.ones(2), np.ones(3)), [mg.tensor(1.0)], [[np.ones(2)]]):
        with pytest.raises(TraceError, match=r"argument 0 of the step is a (tuple|list): .* each by itself"):
            f(nest)


def test_a_method_that_is_overridden():
    class Base:
        @mg.compile
        def step(self, x):
            return x * 2.0

    class Derived(Base):
        def step(self, x):
            return super().step(x) + 1.0

    class Compiled(Base):
        @mg.compile
        def step(self, x):
            return super().step(x) + 10.0

    derived, compiled = Derived(), Compiled()
    for _ in range(3):
        assert derived.step(scalar(1.0)).item() == 3.0
        assert compiled.step(scalar(1.0)).item() == 12.0
        assert Base().step(scalar(1.0)).item() == 2.0


class Scaling:
    def __init__(self, factor):
        self.factor = factor

    @mg.compile
    def step(self, x):
        return x * self.factor


def test_a_shallow_copy_has_steps_of_its_own():
    one = Scaling(2.0)
    assert one.step(scalar(1.0)).item() == 2.0
    for other in (copy.copy(one), copy.deepcopy(one)):
        other.factor = 3.0
        assert [other.step(scalar(1.0)).item(), one.step(scalar(1.0)).item()] == [3.0, 2.0]


def test_an_object_with_slots_is_refused():
    class Slotted:
        __slots__ = ()

        @mg.compile
        def step(self, x):
            return x

    with pytest.raises(TypeError, match="Slotted has __slots__"):
        Slotted().step(scalar(1.0))


def test_an_index_out_of_range_leaves_no_older_graph():
    w, table = mg.nn.Parameter(np.ones(2)), mg.tensor(np.arange(3.0))
    sgd = mg.optim.SGD([w], 0.1)

    def step(i):
        sgd.zero_grad()
        (w * w).sum().backward()
        sgd.step()
        return mg.take(table, i)

    f = mg.compile(step)
    f(np.array(0)), f(np.array(0))
    before = (w * w).sum()
    with pytest.raises(IndexError):
        f(np.array(7))
    with pytest.raises(GraphError):
        before.backward()


def test_an_object_with_compiled_methods_is_pickled_without_them():
    one = Scaling(2.0)
    one.step(scalar(1.0))
    other = pickle.loads(pickle.dumps(one))
    other.factor = 3.0
    assert [other.step(scalar(1.0)).item(), one.step(scalar(1.0)).item()] == [3.0, 2.0]
