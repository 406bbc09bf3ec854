"""Checks of lesson 5: dense and sigmoid layers by hand."""

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


def sigmoid(a):
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, small) / (1 + small)


def lengths(rng, n):
    """Return n different lengths of axes, none of them 2."""
    return (int(length) for length in rng.permutation([3, 4, 5, 6])[:n])


@check(
    "05.1",
    wrong={
        "return g * sigmoid(a) * (1 - sigmoid(a))": "at a = 40",
        "return sigmoid(a) * sigmoid(-a)": "does not depend on g",
        "return g * sigmoid(a)": "times sigmoid itself",
        "return g * np.exp(-a) / (1 + np.exp(-a)) ** 2": "overflow",
        "g *= sigmoid(a) * sigmoid(-a)\nreturn g": "is changed",
    },
)
def sigmoid_vjp(student, rng):
    a, g = rng.normal(size=(2, *lengths(rng, 2)))
    kept = g.copy()
    got = student.sigmoid_vjp(a, g)
    holds(np.array_equal(g, kept), "g is changed afterwards: return a new array")
    if np.array_equal(got, student.sigmoid_vjp(a, 3 * g)):
        raise Wrong("the result does not depend on g, the cotangent of the output")
    holds(not np.allclose(got, g * sigmoid(a)), "this is g times sigmoid itself; it should be times its slope")
    right_gradient(lambda a: np.sum(g * sigmoid(a)), lambda a: student.sigmoid_vjp(a, g.copy()), a)
    for far in (40.0, -40.0, 700.0, -700.0):
        try:
            with np.errstate(over="raise", invalid="raise"):
                got = student.sigmoid_vjp(np.array([far]), np.array([1.0]))
        except FloatingPointError:
            raise Wrong(f"at a = {far:g} there is an overflow: use the function sigmoid, which has none") from None
        right = float(np.exp(-abs(far)))
        equal(
            got / right, np.ones(1), f"at a = {far:g}, your result over the right one", hint="what is 1 - sigmoid(a)?"
        )


@check(
    "05.2",
    wrong={
        """
        return g @ W, g.T @ x, g.sum(axis=0)
        """: "slope of tanh",
        """
        delta = g * (1 - np.tanh(x @ W.T + b) ** 2)
        return delta @ W, delta.T @ x / len(x), delta.sum(axis=0) / len(x)
        """: "a 1/n too many",
        """
        delta = g * (1 - np.tanh(x @ W.T + b) ** 2)
        return delta @ W, x.T @ delta, delta.sum(axis=0)
        """: "has shape",
        """
        delta = g * (1 - np.tanh(x @ W.T + b))
        return delta @ W, delta.T @ x, delta.sum(axis=0)
        """: "1 minus the square",
        """
        delta = g * (1 - np.tanh(x @ W.T) ** 2)
        return delta @ W, delta.T @ x, delta.sum(axis=0)
        """: "forgets b",
        """
        delta = g * (1 - np.tanh(x @ W.T + b) ** 2)
        return delta @ W, delta.T @ x, delta.mean(axis=0)
        """: "gradient with respect to b has a 1/n too many",
    },
)
def layer_vjp(student, rng):
    N, I, O = lengths(rng, 3)  # noqa: E741 as in the notation
    x, W, b, g = rng.normal(size=(N, I)), rng.normal(size=(O, I)), rng.normal(size=O), rng.normal(size=(N, O))
    kept = [array.copy() for array in (x, W, b, g)]
    got = student.layer_vjp(x, W, b, g)
    if not isinstance(got, (tuple, list)) or len(got) != 3:
        raise Wrong("expected three arrays: the cotangents of x, of W and of b")
    for name, array, before in zip("xWbg", (x, W, b, g), kept, strict=True):
        holds(np.array_equal(array, before), f"{name} is changed afterwards: work on a new array")
    for name, array, part in zip("xWb", (x, W, b), got, strict=True):
        holds(
            np.shape(part) == array.shape,
            f"the cotangent of {name} has shape {np.shape(part)}; {name} has {array.shape}",
        )
    holds(not np.allclose(got[0], g @ W), "the slope of tanh is missing: first from the cotangent of h to the one of a")
    holds(
        not np.allclose(got[0], (g * (1 - np.tanh(x @ W.T + b))) @ W), "the slope of tanh is 1 minus the square of tanh"
    )
    delta = g * (1 - np.tanh(x @ W.T) ** 2)
    holds(not np.allclose(got[1], delta.T @ x), "the slope of tanh is taken at a point that forgets b")

    def weighted(x, W, b):
        return np.sum(g * np.tanh(x @ W.T + b))

    right_gradient(weighted, lambda x, W, b: tuple(student.layer_vjp(x, W, b, g)), x, W, b)


@check(
    "05.3",
    wrong={
        """
        h = np.tanh(x @ W1.T + b1)
        delta2 = -sigmoid(-(h @ W2.T + b2))
        delta1 = (delta2 @ W2) * (1 - h**2)
        return delta1.T @ x, delta1.sum(axis=0), delta2.T @ h, delta2.sum(axis=0)
        """: "misses the 1/n of a mean",
        """
        h = np.tanh(x @ W1.T + b1)
        delta2 = sigmoid(-(h @ W2.T + b2)) / len(x)
        delta1 = (delta2 @ W2) * (1 - h**2)
        return delta1.T @ x, delta1.sum(axis=0), delta2.T @ h, delta2.sum(axis=0)
        """: "wrong sign",
        """
        h = np.tanh(x @ W1.T + b1)
        delta2 = sigmoid(h @ W2.T + b2) / len(x)
        delta1 = (delta2 @ W2) * (1 - h**2)
        return delta1.T @ x, delta1.sum(axis=0), delta2.T @ h, delta2.sum(axis=0)
        """: "of softplus(+a)",
        """
        h = np.tanh(x @ W1.T + b1)
        delta2 = -sigmoid(-(h @ W2.T + b2)) / len(x)
        delta1 = delta2 @ W2
        return delta1.T @ x, delta1.sum(axis=0), delta2.T @ h, delta2.sum(axis=0)
        """: "the second layer is right",
        """
        h = np.tanh(x @ W1.T + b1)
        delta2 = -sigmoid(-(h @ W2.T + b2)) / len(x)
        delta1 = (delta2 @ W2) * (1 - h**2)
        return delta1.T @ x, delta2.T @ h, delta1.sum(axis=0), delta2.sum(axis=0)
        """: "in this order",
    },
)
def discriminator_grad(student, rng):
    N, I, H = lengths(rng, 3)  # noqa: E741 as in the notation
    x = rng.normal(size=(N, I))
    start = (rng.normal(size=(H, I)), rng.normal(size=H), rng.normal(size=(1, H)), 0.3 * rng.normal(size=1))
    got = student.discriminator_grad(*start, x)
    if not isinstance(got, (tuple, list)) or len(got) != 4:
        raise Wrong("expected four arrays, the gradients by W1, b1, W2 and b2")
    shapes = [np.shape(part) for part in got]
    holds(
        shapes == [part.shape for part in start],
        f"the gradients have the shapes {shapes}; expected those of W1, b1, W2 and b2, in this order",
    )
    W1, b1, W2, b2 = start
    h = np.tanh(x @ W1.T + b1)
    p = sigmoid(h @ W2.T + b2)
    if np.allclose(got[3], p.mean(axis=0)):
        raise Wrong("this is the gradient of softplus(+a), the loss of fakes; the loss is softplus(-a)")
    last_is_right = np.allclose(got[2], -((1 - p).T @ h) / N)

    def mean_loss(W1, b1, W2, b2):
        return np.mean(np.logaddexp(0, -(np.tanh(x @ W1.T + b1) @ W2.T + b2)))

    try:
        right_gradient(mean_loss, lambda *start: tuple(student.discriminator_grad(*start, x)), *start)
    except Wrong as wrong:
        hint = "\nthe second layer is right: look at the way from h back to the first" if last_is_right else ""
        raise Wrong(f"{wrong}{hint}") from None


@check(
    "05.4",
    wrong={
        "return rng.normal(size=(outputs, inputs)) * np.sqrt(2 / inputs)": "does not change with the slope",
        "return rng.normal(size=(outputs, inputs)) * np.sqrt(2 / ((1 + slope**2) * outputs))": "number of outputs",
        "return rng.normal(size=(outputs, inputs)) * 2 / ((1 + slope**2) * inputs)": "variance",
        "return rng.normal(size=(inputs, outputs)) * np.sqrt(2 / ((1 + slope**2) * inputs))": "has shape",
        "return rng.normal(size=(outputs, inputs)) * np.sqrt(2 / ((1 + slope) * inputs))": "times as large",
        "return rng.random((outputs, inputs)) * np.sqrt(2 / ((1 + slope**2) * inputs))": "mean",
    },
)
def leaky_weights(student, rng):
    outputs, inputs, slope = int(rng.integers(500, 600)), int(rng.integers(250, 300)), rng.uniform(0.5, 0.7)
    seed = int(rng.integers(2**31))
    W = student.leaky_weights(outputs, inputs, slope, np.random.default_rng(seed))
    holds(np.shape(W) == (outputs, inputs), f"the result has shape {np.shape(W)}; expected {(outputs, inputs)}")
    holds(abs(W.mean()) < 0.05 * W.std(), f"the weights have mean {W.mean():.3g}; expected 0")
    right = np.sqrt(2 / ((1 + slope**2) * inputs))
    if np.isclose(W.std(), right**2, rtol=0.02):
        raise Wrong("the variance is used as the standard deviation of the weights: a square root is missing")
    if np.isclose(W.std(), right * np.sqrt(inputs / outputs), rtol=0.02):
        raise Wrong("the number of outputs decides; but an element of x W^T is a sum over the inputs")
    other = student.leaky_weights(outputs, inputs, slope / 2, np.random.default_rng(seed))
    holds(not np.array_equal(W, other), "the result does not change with the slope")
    x = rng.normal(size=(400, inputs))
    a = x @ W.T
    grown = np.mean(np.where(a > 0, a, slope * a) ** 2) / np.mean(x**2)
    holds(
        abs(grown - 1) < 0.04,
        f"with slope {slope:.3f}, the mean of h^2 is {grown:.3f} times as large as the mean of x^2; it should stay",
    )
    spread = np.mean(W**4) / np.mean(W**2) ** 2
    holds(abs(spread - 3) < 0.15, "the weights are not normal: draw them with rng.normal")
