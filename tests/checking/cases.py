"""How the tables of right and wrong gradients are written down, and functions that several of them use."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Case:
    """A function, a claimed gradient, inputs drawn from a generator, and the diagnosis wanted (None: it is right).

    ``build(rng)`` returns ``(f, grad, inputs)`` afresh, so that a gradient with a memory starts without one.
    """

    name: str
    diagnosis: str | None
    build: Callable

    def __repr__(self):
        return self.name


class Table(list):
    """A list of cases; calling it adds one."""

    def __call__(self, name, diagnosis, f, grad, *inputs):
        """Add a case; an input given as a tuple of lengths is drawn from the standard normal distribution."""
        self.append(Case(name, diagnosis, lambda rng: (f, grad, tuple(draw(rng, x) for x in inputs))))

    def build(self, diagnosis):
        """Add a case by a decorated function ``build(rng) -> (f, grad, inputs)``."""

        def add(build):
            self.append(Case(build.__name__, diagnosis, build))
            return build

        return add


def draw(rng, x):
    if isinstance(x, tuple):
        return rng.standard_normal(x)
    return x(rng) if callable(x) else x


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softplus(x):
    return np.logaddexp(0, x)


def softmax(x, axis=-1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def logsumexp(x, axis=-1):
    top = x.max(axis=axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis=axis)) + np.squeeze(top, axis)


def labels(n, k):
    """Draw one-hot labels (N, K) as booleans, which are not differentiated."""
    return lambda rng: np.eye(k, dtype=bool)[rng.integers(k, size=n)]


def uniform(low, high, *shape):
    return lambda rng: rng.uniform(low, high, shape)


def weights(*shape):
    """Fixed, irregular numbers: what a function is weighted with where a plain sum would be too symmetric."""
    return np.random.default_rng(sum(shape)).standard_normal(shape)
