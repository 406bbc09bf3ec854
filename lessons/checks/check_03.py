"""Checks of lesson 3: vector-Jacobian products and broadcasting."""

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


def lengths(rng, count):
    """Return different lengths, so that a wrong axis shows; no 2, for a factor of 2 need not be a forgotten 1/n."""
    return rng.permutation([3, 4, 5, 7])[:count]


def weighted(y, g):
    return float(np.sum(y * g))


@check(
    "03.1",
    wrong={
        "return B @ g.T, A.T @ g": "A has a wrong shape",
        "return g @ B.T, g.T @ A": "B has a wrong shape",
        "return A.T @ g, g @ B.T": "order of what you return",
        "return g @ B.T / len(A), A.T @ g / len(A)": "1/n too many",
        "return g @ B.T": "a pair",
    },
)
def matmul_vjp(student, rng):
    N, K, M = lengths(rng, 3)
    A, B, g = rng.normal(size=(N, K)), rng.normal(size=(K, M)), rng.normal(size=(N, M))
    got = student.matmul_vjp(A, B, g)
    holds(isinstance(got, tuple) and len(got) == 2, "expected a pair: the cotangent of A and that of B")
    right_gradient(
        lambda A, B: weighted(A @ B, g), lambda A, B: student.matmul_vjp(A, B, g), A, B, name="the cotangent"
    )


SHAPES = [((4, 3), (4, 3)), ((4, 3), (3,)), ((4, 3), (4, 1)), ((2, 4, 3), (1, 3)), ((2, 4, 3), ()), ((2, 1, 3), (1, 1))]


@check(
    "03.2",
    wrong={
        "while g.ndim > len(shape):\n    g = g.sum(axis=0)\nreturn g": "shape (4, 3); expected (4, 1)",
        """
        g = g.sum(axis=tuple(range(g.ndim - len(shape))))
        for axis, length in enumerate(shape):
            if length == 1:
                g = g.mean(axis=axis, keepdims=True)
        return g
        """: "a mean",
        """
        g = g.sum(axis=tuple(range(g.ndim - len(shape))))
        return g.sum(axis=tuple(a for a, n in enumerate(shape) if n == 1))
        """: "has shape (4,); expected (4, 1)",
        "return np.broadcast_to(g.sum(), shape)": "everything",
        "return g.ravel()[: int(np.prod(shape))].reshape(shape)": "has the values",
    },
)
def unbroadcast(student, rng):
    for wide, narrow in SHAPES:
        g = rng.normal(size=wide)
        g += 1 - g.mean()  # its sum is not 0
        # The definition: <g, broadcast(dx)> for each unit dx.
        right = np.zeros(narrow)
        for index in np.ndindex(*narrow):
            unit = np.zeros(narrow)
            unit[index] = 1.0
            right[index] = np.sum(g * unit)
        got = np.asarray(student.unbroadcast(g.copy(), narrow))
        what = f"unbroadcast of shape {wide} to {narrow}"
        if got.shape == narrow and not np.allclose(got, right):
            ratio = got.ravel()[0] / right.ravel()[0]
            count = g.size / right.size
            holds(not np.isclose(ratio * count, 1), f"{what} is a mean; a number used n times gets the sum")
            holds(not np.allclose(got, g.sum()), f"{what} sums everything, the axes that were not stretched too")
            raise Wrong(
                f"{what} has the values {got.ravel()[:3].round(3)} ...; right are {right.ravel()[:3].round(3)} ..."
            )
        equal(got, right, what)


@check(
    "03.3",
    wrong={
        "p = softmax(x)\nreturn p * (1 - p) * g": "diagonal",
        "p = softmax(x)\nreturn p * (g - np.sum(p * g))": "the whole batch",
        "p = softmax(x)\nreturn p * (g - np.sum(g, axis=-1, keepdims=True))": "your cotangent is wrong",
        "p = softmax(x)\nreturn -p * (g - np.sum(p * g, axis=-1, keepdims=True))": "sign",
    },
)
def softmax_vjp(student, rng):
    N, C = lengths(rng, 2)
    x, g = rng.normal(size=(N, C)), rng.normal(size=(N, C))
    p = student.softmax(x)
    got = np.asarray(student.softmax_vjp(x, g))
    if got.shape == x.shape:
        holds(
            not np.allclose(got, p * (1 - p) * g),
            "this is the diagonal of the Jacobian only: every p depends on every x of its row",
        )
        holds(not np.allclose(got, p * (g - np.sum(p * g))), "the sum runs over the whole batch; it belongs to one row")
    right_gradient(
        lambda x: weighted(student.softmax(x), g), lambda x: student.softmax_vjp(x, g), x, name="your cotangent"
    )


@check(
    "03.4",
    wrong={
        "return np.broadcast_to(np.expand_dims(g, axis), x.shape)": "misses the 1/n",
        "return np.broadcast_to(np.expand_dims(g, axis), x.shape) / x.size": "1/n too many",
        "return np.broadcast_to(g, x.shape) / x.shape[axis]": "raises ValueError",
        "return np.expand_dims(g, axis) / x.shape[axis]": "wrong shape",
    },
)
def mean_vjp(student, rng):
    shape = tuple(lengths(rng, 3))
    x = rng.normal(size=shape)
    for axis in (1, 0, 2, -1):
        g = rng.normal(size=x.mean(axis).shape)
        right_gradient(
            lambda x, axis=axis, g=g: weighted(x.mean(axis), g),
            lambda x, axis=axis, g=g: student.mean_vjp(x, axis, g),
            x,
            name=f"your cotangent for axis {axis}",
        )
