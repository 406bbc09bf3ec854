"""Checks of lesson 11: gradients of gradients."""

import warnings

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


def network(rng):
    """Return x (N, I), W1 (H, I), b1 (H,), w2 (H,) with three different lengths."""
    samples, inputs, hidden = rng.permutation([3, 4, 5])
    return [rng.normal(size=shape) for shape in [(samples, inputs), (hidden, inputs), (hidden,), (hidden,)]]


def r1(x, W1, b1, w2):
    h = np.tanh(x @ W1.T + b1)
    g = (w2 * (1 - h**2)) @ W1
    return np.sum(g * g) / len(x)


@check(
    "11.1",
    wrong={
        "return (w2 * (1 - np.tanh(x @ W1.T + b1) ** 2)) @ W1 / len(x)": "each divided by N",
        "return np.tile(w2 @ W1, (len(x), 1))": "the derivative of tanh",
        "return (w2 * np.tanh(x @ W1.T + b1)) @ W1": "times h",
        "return ((w2 * (1 - np.tanh(x @ W1.T + b1) ** 2)) @ W1).sum(axis=0)": "expected",
    },
)
def slopes(student, rng):
    x, W1, b1, w2 = network(rng)
    h = np.tanh(x @ W1.T + b1)
    right = (w2 * (1 - h**2)) @ W1
    got = student.slopes(x.copy(), W1, b1, w2)
    equal(np.shape(got), right.shape, "the shape of the result", hint="one slope for each sample")
    holds(not np.allclose(got, right / len(x)), "the slopes are each divided by N: start at the sum, not at the mean")
    holds(not np.allclose(got, np.tile(w2 @ W1, (len(x), 1))), "the derivative of tanh is missing: 1 - h^2")
    holds(not np.allclose(got, (w2 * h) @ W1), "this is w2 times h; the derivative of tanh is 1 - h^2")
    right_gradient(
        lambda x: np.sum(np.tanh(x @ W1.T + b1) @ w2), lambda x: student.slopes(x, W1, b1, w2), x, name="your slope"
    )


TABLE = """
h = np.tanh(x @ W1.T + b1)
s = w2 * (1 - h**2)
g_bar = {factor} * s @ W1
s_bar = g_bar @ W1.T
a_bar = {sign} 2 * s_bar * w2 * h{slope}
return {dW1}, a_bar.sum(axis=0), np.sum(s_bar * (1 - h**2), axis=0)
"""
RIGHT = {"factor": "2 / len(x)", "sign": "-", "slope": " * (1 - h**2)", "dW1": "s.T @ g_bar + a_bar.T @ x"}


@check(
    "11.2",
    wrong={
        TABLE.format(**RIGHT | {"dW1": "s.T @ g_bar"}): "the way up",
        TABLE.format(**RIGHT | {"dW1": "a_bar.T @ x"}): "the way down",
        TABLE.format(**RIGHT | {"factor": "2"}): "misses the 1/n of a mean",
        TABLE.format(**RIGHT | {"factor": "1 / len(x)"}): "0.5 times",
        TABLE.format(**RIGHT | {"slope": ""}): "from h to a",
        TABLE.format(**RIGHT | {"sign": "+"}): "other sign",
    },
)
def r1_gradients(student, rng):
    x, W1, b1, w2 = network(rng)
    h = np.tanh(x @ W1.T + b1)
    s = w2 * (1 - h**2)
    g_bar = 2 / len(x) * s @ W1
    s_bar = g_bar @ W1.T
    h_bar = -2 * s_bar * w2 * h
    a_bar = h_bar * (1 - h**2)
    got = student.r1_gradients(x.copy(), W1.copy(), b1.copy(), w2.copy())
    holds(isinstance(got, tuple) and len(got) == 3, "expected the tuple (dW1, db1, dw2)")
    named = {
        "dW1 has only the contribution of g = W1^T s; W1 is used on the way up as well, in a = W1 x + b1": (
            s.T @ g_bar
        ),
        "dW1 has only the contribution of a = W1 x + b1; W1 is used on the way down as well, in g = W1^T s": (
            a_bar.T @ x
        ),
        "the step from h to a is missing: tanh has a derivative here, too": s.T @ g_bar + h_bar.T @ x,
        "the contribution through h has the other sign: the derivative of 1 - h^2 is -2 h": s.T @ g_bar - a_bar.T @ x,
    }
    for message, value in named.items():
        if np.shape(got[0]) == value.shape and np.allclose(got[0], value):
            raise Wrong(message)
    right_gradient(lambda W1, b1, w2: r1(x, W1, b1, w2), lambda *weights: student.r1_gradients(x, *weights), W1, b1, w2)


@check(
    "11.3",
    wrong={
        "e = rng.uniform()\nreturn e * real + (1 - e) * fake": "the same e for all samples",
        "e = rng.uniform(size=real.shape)\nreturn e * real + (1 - e) * fake": "box",
        "e = rng.uniform(size=(len(real), 1))\nreturn e * real + (1 - e) * fake": "four axes",
        "e = rng.normal(size=(len(real),) + (1,) * (real.ndim - 1))\nreturn e * real + (1 - e) * fake": (
            "between 0 and 1"
        ),
        """
        e = np.random.default_rng(0).uniform(size=(len(real),) + (1,) * (real.ndim - 1))
        return e * real + (1 - e) * fake
        """: "come from rng",
    },
)
def between(student, rng):
    for shape, what in [((40, 3), "vectors (N, I)"), ((9, 3, 4, 5), "images (N, C, H, W): they have four axes")]:
        real, fake = rng.normal(size=shape) + 5, rng.normal(size=shape) - 5
        seed = int(rng.integers(2**31))
        try:
            got = student.between(real.copy(), fake.copy(), np.random.default_rng(seed))
        except ValueError as error:
            raise Wrong(f"for {what}, it fails: {error}") from None
        equal(np.shape(got), shape, f"the shape of the result for {what}")
        e = ((got - fake) / (real - fake)).reshape(len(real), -1)
        if not np.allclose(e, e[:, :1]):
            if len(shape) == 4:
                raise Wrong(f"e differs within a sample for {what}; give e as many axes as real")
            raise Wrong("e differs within a sample: the points fill a box instead of the line")
        e = e[:, 0]
        holds(np.ptp(e) > 1e-9, "the same e for all samples: draw one for each")
        holds(bool(np.all((e >= 0) & (e <= 1))), f"an e of {e[np.abs(e - 0.5).argmax()]:.2f}: draw it between 0 and 1")
        again = student.between(real, fake, np.random.default_rng(seed + 1))
        holds(not np.allclose(again, got), "another seed gives the same points: e must come from rng")
    ends = np.mean(e)
    holds(0.05 < ends < 0.95, f"the mean of e is {ends:.2f}; expected about 0.5")


@check(
    "11.4",
    wrong={
        """
        length = np.linalg.norm(g)
        return (length - 1) ** 2, 2 * (length - 1) * g / length
        """: "one length for the whole batch",
        """
        length = np.linalg.norm(g, axis=0, keepdims=True)
        return np.mean((length - 1) ** 2), 2 / length.size * (length - 1) * g / length
        """: "along the batch",
        """
        length = np.linalg.norm(g, axis=1, keepdims=True)
        return np.mean((length - 1) ** 2), 2 / length.size * (length - 1) * g / np.where(length > 0, length, 1)
        """: "each pixel",
        """
        flat = g.reshape(len(g), -1)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.mean((length - 1) ** 2), (2 / len(g) * (length - 1) * flat / length).reshape(g.shape)
        """: "a slope of 0",
        """
        flat = g.reshape(len(g), -1)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.mean((length - 1) ** 2), (2 * (length - 1) * flat / np.where(length > 0, length, 1)).reshape(g.shape)
        """: "misses the 1/n of a mean",
        """
        square = np.sum(g.reshape(len(g), -1) ** 2, axis=1)
        return np.mean((square - 1) ** 2), g
        """: "squared",
    },
)
def slope_penalty(student, rng):
    def penalty(g):
        return np.mean((np.sqrt(np.sum(g.reshape(len(g), -1) ** 2, axis=1)) - 1) ** 2)

    def asked(g):
        with np.errstate(all="ignore"):
            got = student.slope_penalty(g.copy())
        holds(isinstance(got, tuple) and len(got) == 2, "expected the pair (P, gradient)")
        return got

    N = int(rng.integers(5, 8))
    g = rng.normal(size=(N, 3))
    value, gradient = asked(g)
    if np.ndim(value) == 0:
        named = {
            "P takes one length for the whole batch; each sample has its own": (np.linalg.norm(g) - 1) ** 2,
            "P takes lengths along the batch: axis 0 counts samples": np.mean((np.linalg.norm(g, axis=0) - 1) ** 2),
            "P takes the squared length; expected (|g| - 1)^2": np.mean((np.sum(g**2, axis=1) - 1) ** 2),
        }
        for message, wrong in named.items():
            holds(not np.isclose(value, wrong), message)
    equal(value, penalty(g), "P")
    equal(np.shape(gradient), g.shape, "the shape of the gradient")
    right_gradient(penalty, lambda g: asked(g)[1], g)
    images = rng.normal(size=(3, 4, 5, 6))
    value, gradient = asked(images)
    if np.ndim(value) == 0 and np.isclose(value, np.mean((np.linalg.norm(images, axis=1) - 1) ** 2)):
        raise Wrong("for images (N, C, H, W), P takes a length at each pixel, along C only")
    equal(value, penalty(images), "P for slopes (3, 4, 5, 6)")
    right_gradient(penalty, lambda g: asked(g)[1], images, name="your gradient for slopes (3, 4, 5, 6)")
    g[1] = 0
    value, gradient = asked(g)
    holds(bool(np.all(np.isfinite(gradient))), f"for a slope of 0, the gradient is {np.asarray(gradient)[1]}")
    equal(value, penalty(g), "P with a slope of 0")
    equal(np.asarray(gradient)[1], np.zeros(3), "the gradient at a slope of 0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            student.slope_penalty(g.copy())
        except Warning as warning:
            raise Wrong(f"for a slope of 0, there is a warning: {warning}; do not divide by 0") from None
