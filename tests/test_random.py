"""Random draws: reproducible, of the right distribution, constants of the graph, and recorded."""

import copy
import json

import numpy as np
import pytest

import minigan as mg
from minigan.engine import recording
from minigan.errors import DTypeError

DRAWS = {
    "normal": lambda rng, *a, **k: rng.normal(*a, **k),
    "uniform": lambda rng, *a, **k: rng.uniform(*a, **k),
    "signs": lambda rng, *a, **k: rng.signs(*a, **k),
}
each_draw = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)


@each_draw
def test_the_same_seed_gives_the_same_numbers(draw):
    a, b, c = (draw(mg.random.default_rng(seed), (100,)).numpy() for seed in (5, 5, 6))
    assert a.tolist() == b.tolist()
    assert a.tolist() != c.tolist()


def test_the_numbers_are_numpys():
    """The contract with `.numpy`: one stream, whoever draws from it."""
    rng, numpy = mg.random.default_rng(7), np.random.default_rng(7)
    assert rng.normal((3,)).numpy().tolist() == numpy.standard_normal(3, dtype="f4").tolist()
    assert rng.numpy.integers(100) == numpy.integers(100)
    assert rng.uniform((3,), dtype="f8").numpy().tolist() == numpy.random(3).tolist()


@each_draw
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0,), (2, 0)])
def test_shapes(draw, shape):
    assert draw(mg.random.default_rng(0), shape).shape == shape


@each_draw
def test_a_number_is_a_shape_of_one_axis(draw):
    assert draw(mg.random.default_rng(0), 4).shape == (4,)


@each_draw
def test_without_a_shape_there_is_one_number(draw):
    assert draw(mg.random.default_rng(0)).shape == ()


@each_draw
def test_dtypes(draw):
    rng = mg.random.default_rng(0)
    assert draw(rng, (2,)).dtype == "f4"
    assert draw(rng, (2,), dtype="float64").dtype == "f8"
    with mg.default_dtype("float64"):
        assert draw(rng, (2,)).dtype == "f8"
        assert draw(rng, (2,), dtype=np.float32).dtype == "f4"


@pytest.mark.parametrize("draw", [DRAWS["normal"], DRAWS["uniform"]])
@pytest.mark.parametrize("dtype", ["float16", "int64"])
def test_real_numbers_are_drawn_in_two_dtypes_only(draw, dtype):
    with pytest.raises(DTypeError, match=f"random: got dtype {dtype}, expected float32 or float64"):
        draw(mg.random.default_rng(0), (2,), dtype=dtype)


def test_the_uniform_interval_keeps_its_dtype():
    rng = mg.random.default_rng(0)
    for dtype in ("f4", "f8"):
        u = rng.uniform((1000,), low=-2.0, high=5.0, dtype=dtype)
        assert u.dtype == dtype
        assert -2.0 <= u.numpy().min() < -1.9
        assert 4.9 < u.numpy().max() < 5.0


@each_draw
def test_a_draw_is_a_constant(draw):
    t = draw(mg.random.default_rng(0), (2,))
    assert not t.requires_grad
    assert t.is_leaf
    x = mg.tensor([1.0, 2.0], requires_grad=True)
    (x * t).sum().backward()
    assert x.grad.numpy().tolist() == t.numpy().tolist()
    assert t.grad is None


@each_draw
def test_a_draw_is_recorded_with_its_generator(draw):
    rng = mg.random.default_rng(0)
    with recording() as equations:
        t = draw(rng, (2, 3))
    ((primitive, inputs, params, outputs),) = equations
    assert primitive.name.startswith("random_")
    assert inputs == ()
    assert outputs == (t,)
    assert params["generator"] is rng.numpy
    assert params["shape"] == (2, 3)


def moments(x):
    return [float(np.mean(x**k)) for k in (1, 2, 3, 4)]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (lambda rng, n, dtype: rng.normal(n, dtype=dtype), [0, 1, 0, 3]),
        (lambda rng, n, dtype: rng.uniform(n, dtype=dtype), [1 / 2, 1 / 3, 1 / 4, 1 / 5]),
        (lambda rng, n, dtype: rng.uniform(n, -1.0, 3.0, dtype=dtype), [1, 7 / 3, 5, 61 / 5]),
        (lambda rng, n, dtype: rng.signs(n, dtype=dtype), [0, 1, 0, 1]),
    ],
    ids=["normal", "uniform", "uniform of an interval", "signs"],
)
def test_distributions(draw, expected, dtype):
    """The first four moments, within 4 standard errors."""
    x = draw(mg.random.default_rng(1), 200_000, dtype).numpy().astype("f8")
    errors = [4 * np.sqrt(np.mean(x ** (2 * k)) / x.size) for k in (1, 2, 3, 4)]
    for found, wanted, error in zip(moments(x), expected, errors, strict=True):
        assert abs(found - wanted) <= error


def test_signs_are_signs():
    assert set(mg.random.default_rng(0).signs((100,)).numpy().tolist()) == {-1.0, 1.0}


# -- state -----------------------------------------------------------------------------------------------------------


def test_the_state_goes_on_from_where_it_was():
    rng = mg.random.default_rng(3)
    rng.normal((7,))
    state = rng.state
    a = [rng.normal((5,)).numpy().tolist(), rng.signs((5,)).numpy().tolist()]
    rng.state = state
    b = [rng.normal((5,)).numpy().tolist(), rng.signs((5,)).numpy().tolist()]
    other = mg.random.default_rng(99)
    other.state = json.loads(json.dumps(state))  # numbers and strings: what a checkpoint can hold
    c = [other.normal((5,)).numpy().tolist(), other.signs((5,)).numpy().tolist()]
    assert a == b == c


def test_the_state_that_was_read_does_not_move():
    rng = mg.random.default_rng(3)
    state = rng.state
    before = copy.deepcopy(state)
    rng.normal((100,))
    assert state == before
    assert rng.state != before


# -- making one ------------------------------------------------------------------------------------------------------


def test_seeds():
    a = mg.random.default_rng([1, 2]).normal((4,)).numpy()
    b = mg.random.default_rng((1, 2)).normal((4,)).numpy()
    c = mg.random.default_rng([1, 3]).normal((4,)).numpy()
    assert a.tolist() == b.tolist() != c.tolist()


def test_without_a_seed_every_generator_differs():
    a, b = (mg.random.default_rng().normal((4,)).numpy().tolist() for _ in range(2))
    assert a != b


def test_a_generator_is_shared_not_copied():
    numpy = np.random.default_rng(0)
    rng = mg.random.default_rng(numpy)
    assert rng.numpy is numpy
    assert mg.random.default_rng(rng) is rng


def test_the_packages_own_generator_can_be_seeded():
    def draws():
        return mg.random.default_rng_or_package(None).normal((3,)).numpy().tolist()

    mg.random.seed(5)
    a = draws()
    mg.random.seed(5)
    b = draws()
    c = draws()
    mg.random.seed(0)
    assert a == b != c
    mine = mg.random.default_rng(1)
    assert mg.random.default_rng_or_package(mine) is mine
