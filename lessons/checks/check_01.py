"""Checks of lesson 1: directional derivatives by differences."""

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds


def smooth(rng, shape):
    """Return a function of an array of this shape, and its directional derivative along v at x."""
    a, b = rng.normal(size=shape), rng.uniform(0.5, 1.5)
    return lambda x: np.sin(np.sum(a * x) + b), lambda x, v: np.cos(np.sum(a * x) + b) * np.sum(a * v)


def alike(a, b):
    """Whether two numbers, which may both be tiny, agree to nine digits."""
    return bool(np.isclose(a, b, rtol=1e-9, atol=0))


def order_of(rule, f, exact, x, v, h):
    """Return the power of h with which the error of a rule falls between 2 h and h."""
    errors = [abs(rule(f, x, v, step) - exact(x, v)) for step in (2 * h, h)]
    return np.log2(errors[0] / max(errors[1], 1e-300))


@check(
    "01.1",
    wrong={
        "return (f(x + h * v) - f(x)) / h": "a forward difference",
        "return (f(x + h * v) - f(x - h * v)) / h": "2 times the right one",
        "v = v / np.linalg.norm(v)\nreturn (f(x + h * v) - f(x - h * v)) / (2 * h)": "length of v",
        "return (f(x - h * v) - f(x + h * v)) / (2 * h)": "sign",
    },
)
def slope_along(student, rng):
    f, exact = smooth(rng, (3,))
    x, v = rng.normal(size=3), rng.uniform(1.5, 3, size=3)
    got = student.slope_along(f, x, v)
    holds(isinstance(got, float), f"slope_along returns {type(got).__name__}; expected a number")
    ratio = got / exact(x, v)
    holds(abs(ratio + 1) > 1e-4, "the sign is the other way round: f at the far end minus f at the near end")
    holds(abs(ratio - 2) > 1e-4, "the result is 2 times the right one: the two points lie 2 h apart")
    holds(
        abs(ratio * np.linalg.norm(v) - 1) > 1e-4,
        "the result is divided by the length of v; a direction keeps its length, twice v is twice the derivative",
    )
    holds(abs(ratio - 1) < 1e-3, f"along v, the result is {got:.8g}; right is {exact(x, v):.8g}")
    order = order_of(student.slope_along, f, exact, x, v, 1e-3)
    holds(
        order > 1.5, f"the error falls as h to the power {order:.1f}: this is a forward difference, not a central one"
    )


@check(
    "01.2",
    wrong={
        "return np.sqrt(eps)": "the value and the curvature",
        "return np.sqrt(eps * abs(value) / abs(curvature))": "0.5 times",
        "return 2 * np.sqrt(eps * abs(curvature) / abs(value))": "the other way round",
        "return 2 * np.sqrt(eps * value / curvature)": "negative",
    },
)
def best_forward_step(student, rng):
    value, curvature = rng.uniform(2, 9), rng.uniform(20, 90)
    right = 2 * np.sqrt(2.0**-52 * value / curvature)
    got = student.best_forward_step(value, curvature)
    if alike(got, student.best_forward_step(2 * value, 3 * curvature)):
        raise Wrong("the result does not change with the value and the curvature")
    if alike(got * right, 4 * 2.0**-52):
        raise Wrong("value and curvature stand the other way round: more curvature needs a smaller step")
    holds(alike(got, right), f"the result is {got / right:.4g} times the right one; set the derivative in h to 0")
    for signs in ((-1, 1), (1, -1)):
        got = student.best_forward_step(signs[0] * value, signs[1] * curvature)
        holds(alike(got, right), f"for a negative value or curvature, the result is {got}: errors have no sign")


@check(
    "01.3",
    wrong={
        """
        gradient = np.zeros(x.shape)
        for index in np.ndindex(*x.shape):
            before = f(x)
            x[index] += h
            gradient[index] = (f(x) - before) / h
        return gradient
        """: "x is changed",
        """
        gradient = np.zeros(x.size)
        for i in range(x.size):
            v = np.zeros(x.size)
            v[i] = h
            v = v.reshape(x.shape)
            gradient[i] = (f(x + v) - f(x - v)) / (2 * h)
        return gradient
        """: "has shape (6,); expected (2, 3)",
        "return (f(x + h) - f(x - h)) / (2 * h) * np.ones(x.shape)": "one element at a time",
    },
)
def numerical_gradient(student, rng):
    for shape in ((4,), (2, 3), ()):
        a = rng.normal(size=shape)
        x = rng.normal(size=shape)
        kept = x.copy()
        got = student.numerical_gradient(lambda x, a=a: np.sum(a * np.sin(x)), x)
        holds(np.array_equal(x, kept), "x is changed afterwards: work on a copy, or add h v to it")
        right = a * np.cos(x)
        if np.allclose(got, np.sum(right)) and np.size(right) > 1:
            raise Wrong("every element of the result is the sum of the gradient: move one element at a time")
        equal(got, right, f"the gradient at an x of shape {shape}", rtol=1e-6, atol=1e-8)


@check(
    "01.4",
    wrong={
        """
        c = lambda s: (f(x + s * v) - f(x - s * v)) / (2 * s)
        return 2 * c(h) - c(2 * h)
        """: "power 2.0",
        """
        c = lambda s: (f(x + s * v) - f(x - s * v)) / (2 * s)
        return (4 * c(2 * h) - c(h)) / 3
        """: "power 2.0",
        """
        c = lambda s: (f(x + s * v) - f(x - s * v)) / (2 * s)
        return 4 * c(h) - c(2 * h)
        """: "a + b",
    },
)
def extrapolated(student, rng):
    x, v = rng.normal(size=3), rng.uniform(0.5, 1.5, size=3)
    line = student.extrapolated(lambda x: np.sum(x), x, v)
    holds(
        np.isclose(line, np.sum(v)),
        f"of a linear function, the result is {line / np.sum(v):.4g} times the right one: a + b must be 1",
    )
    # the middle of several: where the next derivative happens to vanish, one alone says little
    draws = [(*smooth(rng, (3,)), rng.normal(size=3), rng.uniform(0.5, 1.5, size=3)) for _ in range(9)]
    order = np.median([order_of(student.extrapolated, f, exact, x, v, 0.02) for f, exact, x, v in draws])
    holds(
        order > 3.3, f"the error falls as h to the power {order:.1f}; the terms with h squared must cancel in a + 4 b"
    )
