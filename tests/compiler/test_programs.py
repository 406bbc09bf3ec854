"""Every primitive compiled, and random programs: the same values as eager, whatever the passes did to them."""

import functools
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigan as mg
import minigan.ops  # fills the registry
from minigan.compiler.step import CompiledStep
from minigan.engine import REGISTRY, Tensor
from minigan.engine.primitive import bind


@pytest.fixture(scope="module", autouse=True)
def everything_hollow():
    """Small arrays, too, have no values while a step is recorded: none may be needed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["minigan.engine.recording"], "HOLLOW", 1)
        yield


PRIMITIVES = [p for p in REGISTRY.values() if not p.mutates and p.vjp != ()]


def values(result):
    return [t.numpy() for t in (result if isinstance(result, tuple) else (result,))]


def agree(got, expected, rtol):
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        if a.dtype.kind == "f":
            scale = np.max(np.abs(b), where=np.isfinite(b), initial=0.0)
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)
        else:
            np.testing.assert_array_equal(a, b)


def compare(primitive, seed, dtype, rtol):
    """Compile a primitive for one drawn example, and hold three calls, two with other values, against eager ones."""
    arrays, params = primitive.domain.sample(np.random.default_rng(seed), 3)
    arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in map(np.asarray, arrays)]
    params = {k: (np.dtype(dtype) if k == "dtype" else v) for k, v in params.items()}
    run = functools.partial(bind, primitive, **params)
    step = CompiledStep(lambda *a: run(*a))
    for factor in (1.0, 1.0, 0.5):
        tensors = [Tensor((a * a.dtype.type(factor)) if a.dtype.kind == "f" else a) for a in arrays]
        agree(values(step(*tensors)), values(run(*tensors)), rtol)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda p: p.name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, where half of an argument leaves the domain
def test_every_primitive_as_generated_python(primitive, as_python):
    for seed in range(8):
        compare(primitive, seed, "f8", 1e-12)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda p: p.name)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_primitive_compiled(primitive):
    compare(primitive, 1, "f4", 2e-6)


# -- random programs ------------------------------------------------------------------------------------------------

UNARY = (mg.exp, mg.tanh, mg.sigmoid, mg.softplus, mg.sin, mg.relu, mg.negative, mg.abs, mg.leaky_relu, mg.silu)
BINARY = (mg.add, mg.subtract, mg.multiply, mg.maximum, mg.minimum)
SHAPES = ((3, 4), (4,), (3, 1), (1,), ())


def program_of(choices):
    """Return a function of two Tensors that does what the drawn choices say, and the gradient of its sum."""

    def f(x, y):
        pool = [x, y, mg.matmul(x, mg.transpose(x)), x.sum(axis=0), mg.tensor(np.array(0.5))]
        for kind, i, j, which in choices:
            a, b = pool[i % len(pool)], pool[j % len(pool)]
            if kind == "unary":
                made = UNARY[which % len(UNARY)](a * 0.3)
            elif kind == "binary":
                try:
                    made = BINARY[which % len(BINARY)](a, b)
                except mg.errors.ShapeError:
                    continue
            elif kind == "shape":
                made = (
                    lambda a: mg.reshape(a, -1),
                    mg.transpose,
                    lambda a: a.sum(axis=-1, keepdims=True) if a.ndim else a * 2.0,
                    lambda a: mg.reshape(mg.transpose(mg.tanh(mg.transpose(a))), -1),  # NumPy would return a view of it
                )[which % 4](a)
            else:
                made = mg.concatenate([mg.reshape(a, -1), mg.reshape(b, -1)])
            pool.append(made)
        total = functools.reduce(mg.add, [mg.tanh(p).mean() for p in pool])
        return total, *pool[-3:]

    def with_gradient(x, y):
        x, y = x.detach(), y.detach()
        x.requires_grad = y.requires_grad = True
        total, *last = f(x, y)
        total.backward(inputs=[x, y], create_graph=True)
        first = x.grad
        (first * first).sum().backward(inputs=[y])
        return (total, *last, first, y.grad if y.grad is not None else mg.tensor(0.0))

    return with_gradient


CHOICE = st.tuples(
    st.sampled_from(["unary", "binary", "shape", "join"]), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)
)


@pytest.mark.usefixtures("as_python")
@settings(max_examples=30)
@given(
    choices=st.lists(CHOICE, max_size=10),
    seed=st.integers(0, 99),
    shape=st.sampled_from(SHAPES),
    laid_out=st.sampled_from([np.asarray, np.asfortranarray, lambda a: np.repeat(a, 2, axis=-1)[..., ::2]]),
)
def test_random_programs_and_their_gradients(choices, seed, shape, laid_out):
    f = program_of(choices)
    step = CompiledStep(f)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        x, y = Tensor(laid_out(rng.standard_normal((3, 4)))), Tensor(rng.standard_normal(shape))
        agree(values(step(x, y)), values(f(x, y)), 1e-11)
