"""Gradients of a wrong shape or dtype, and gradients and functions that misbehave from call to call."""

import math

import numpy as np
from cases import Table
from planted import affine, affine_grads, cube

misconduct = Table()


# -- wrong shape, wrong dtype ---------------------------------------------------------------------------------------
misconduct("flattened", "wrong_shape", cube, lambda x: (3 * x**2).ravel(), (3, 4))
misconduct("keepdims", "wrong_shape", lambda x: np.sum(x), lambda x: np.ones((1, x.size)), (4,))
misconduct("summed", "wrong_shape", cube, lambda x: np.sum(3 * x**2), (4,))
misconduct("not square, transposed", "wrong_shape", cube, lambda x: 3 * x.T**2, (3, 4))
misconduct(
    "bias as a row",
    "wrong_shape",
    affine,
    lambda *a: affine_grads(*a, of_b=lambda da: da.sum(0, keepdims=True)),
    (4, 3),
    (3, 2),
    (2,),
)
misconduct("one for two", "wrong_shape", lambda a, b: np.sum(a * b), lambda a, b: (b,), (4,), (4,))
misconduct("float32", "wrong_dtype", cube, lambda x: (3 * x**2).astype("f4"), (4,))
misconduct("integers", "wrong_dtype", lambda x: np.sum(2 * x), lambda x: np.full(x.shape, 2), (4,))
misconduct("complex", "wrong_dtype", cube, lambda x: 3 * x * x + 0j, (4,))
misconduct(
    "half for single",
    "wrong_dtype",
    cube,
    lambda x: (3 * x**2).astype("f2"),
    lambda rng: rng.standard_normal(4).astype("f4"),
)


# -- from call to call ----------------------------------------------------------------------------------------------
class Layer:
    """sum(tanh(x)^2): remembers the forward pass, as layers do, and can get it wrong in several ways."""

    def __init__(self):
        self.h, self.total, self.first, self.calls = None, 0.0, None, 0

    def forward(self, x):
        self.h = np.tanh(x)
        return np.sum(self.h**2)

    def from_cache(self, x):
        return 2 * self.h * (1 - self.h**2)

    def right(self, x):
        h = np.tanh(x)
        return 2 * h * (1 - h**2)

    def accumulated(self, x):
        self.total = self.total + self.right(x)
        return self.total

    def remembered(self, x):
        if self.first is None:
            self.first = self.right(x)
        return self.first

    def freed(self, x):
        self.calls += 1
        return self.right(x) if self.calls == 1 else np.zeros_like(x)

    def momentum(self, x):
        self.total = 0.9 * self.total + self.right(x)
        return self.total


@misconduct.build("stale")
def first_forward_pass(rng):
    kept = {}

    def f(x):
        kept.setdefault("h", np.tanh(x))
        return np.sum(np.tanh(x))

    return f, lambda x: 1 - kept["h"] ** 2, (rng.standard_normal(5),)


@misconduct.build("stale")
def remembered_on_a_narrow_domain(rng):
    kept = {}
    return (
        lambda x: sum(map(math.log, x)),  # raises where an element is below 0
        lambda x: kept.setdefault("g", 1 / x),
        (np.append(1e-5, rng.uniform(1, 2, 4)),),
    )


def _stale(method):
    def build(rng):
        layer = Layer()
        return layer.forward, getattr(layer, method), (rng.standard_normal((3, 2)),)

    build.__name__ = method
    return build


for _method in ("from_cache", "accumulated", "remembered", "freed", "momentum"):
    misconduct.build("stale")(_stale(_method))


@misconduct.build("not_deterministic")
def dropout(rng):
    noise = np.random.default_rng(rng.integers(1000))
    return lambda x: np.sum(x * (noise.random(x.shape) > 0.5)), np.ones_like, (rng.standard_normal(6),)


@misconduct.build("not_deterministic")
def constant_nine_times_of_ten(rng):
    noise = np.random.default_rng(rng.integers(1000))
    return lambda x: 1.0 * (noise.random() < 0.9), np.zeros_like, (rng.standard_normal(3),)


@misconduct.build("not_deterministic")
def noise_in_the_gradient(rng):
    noise = np.random.default_rng(rng.integers(1000))
    return lambda x: np.sum(x**2), lambda x: 2 * x + 1e-4 * noise.standard_normal(x.shape), (rng.standard_normal(6),)


@misconduct.build("not_deterministic")
def another_batch_each_time(rng):
    data, noise = rng.standard_normal((50, 3)), np.random.default_rng(rng.integers(1000))
    return (
        (lambda w: np.mean(data[noise.integers(50, size=8)] @ w)),
        (lambda w: data.mean(0)),
        (rng.standard_normal(3),),
    )


@misconduct.build("mutated_input")
def centred_in_place(rng):
    def f(x):
        x -= x.mean()
        return np.sum(x**2)

    return f, lambda x: 2 * (x - x.mean()), (rng.standard_normal(5),)


@misconduct.build("mutated_input")
def sorted_in_place(rng):
    def grad(x):
        g = 2 * x
        x.sort()
        return g

    return lambda x: np.sum(x**2), grad, (np.array([2.0, -1.0, 3.0]) + rng.uniform(0, 0.5, 3),)


@misconduct.build("mutated_input")
def clipped_in_place(rng):
    def f(w, x):
        np.clip(w, -0.01, 0.01, out=w)
        return np.sum(x @ w)

    return f, lambda w, x: (x.sum(0), np.outer(np.ones(4), w)), (rng.standard_normal(3), rng.standard_normal((4, 3)))
