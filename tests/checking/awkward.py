"""Right gradients that are hard to judge: none may be refuted."""

import math

import numpy as np
from cases import Table, labels, logsumexp, sigmoid, softmax, softplus, uniform, weights
from planted import affine, affine_grads, cross_entropy, cube, mean_square, mean_square_grads
from planted_systems import (
    lstm_cell,
    lstm_cell_grad,
    minimax,
    minimax_grads,
    normalise,
    normalise_grad,
    penalty,
    penalty_grad,
    recurrent,
    recurrent_grads,
)

right = Table()


def ok(name, f, grad, *inputs):
    right(name, None, f, grad, *inputs)


def fixed(*values):
    return lambda rng: np.array(values, dtype=float)


def tanh_sum(x):
    return np.sum(np.tanh(x))


def tanh_grad(x):
    return 1 - np.tanh(x) ** 2


# -- units ----------------------------------------------------------------------------------------------------------
ok("1e8 tanh", lambda x: 1e8 * tanh_sum(x), lambda x: 1e8 * tanh_grad(x), (5,))
ok("1e-12 tanh", lambda x: 1e-12 * tanh_sum(x), lambda x: 1e-12 * tanh_grad(x), (5,))
ok("1e200 tanh", lambda x: 1e200 * tanh_sum(x), lambda x: 1e200 * tanh_grad(x), (5,))
ok("1e-200 tanh", lambda x: 1e-200 * tanh_sum(x), lambda x: 1e-200 * tanh_grad(x), (5,))
ok("inputs of 1e-6", lambda x: np.sum(np.sin(x)), np.cos, uniform(-1e-6, 1e-6, 4))
ok("inputs of 1e-6, beside 1", lambda x: 1 + np.sum(np.sin(x)), np.cos, uniform(-1e-6, 1e-6, 4))
ok("inputs of 1e-12, beside 1", lambda x: 1 + np.sum(np.exp(x)), np.exp, uniform(-1e-12, 1e-12, 4))
ok("inputs of 1e6", lambda x: np.sum(np.sin(x)), np.cos, uniform(0.9e6, 1.1e6, 4))
ok(
    "inputs of 1e6, scaled",
    lambda x: np.sum(np.tanh(x / 1e6)),
    lambda x: tanh_grad(x / 1e6) / 1e6,
    uniform(-1e6, 1e6, 4),
)
ok("inputs of 1e-6 and 1e6", lambda x: np.sum(np.log(x)), lambda x: 1 / x, fixed(1e-6, 1.0, 1e6))
ok(
    "gradients of 1e-6 and 1e6",
    lambda x: np.sum(10.0 ** np.arange(-6, 7) * np.sin(x)),
    lambda x: 10.0 ** np.arange(-6, 7) * np.cos(x),
    (13,),
)
ok("1e6 + sin", lambda x: 1e6 + np.sum(np.sin(x)), np.cos, (4,))
ok("1e10 + sin", lambda x: 1e10 + np.sum(np.sin(x)), np.cos, (4,))
ok("(1e8 + sin) - 1e8", lambda x: np.sum((1e8 + np.sin(x)) - 1e8), np.cos, (4,))

# -- steep, wavy, near the edge -------------------------------------------------------------------------------------
ok("exp(20 x)", lambda x: np.sum(np.exp(20 * x)), lambda x: 20 * np.exp(20 * x), (5,))
ok("sin(50 x)", lambda x: np.sum(np.sin(50 * x)), lambda x: 50 * np.cos(50 * x), (5,))
ok("sin(1e4 x)", lambda x: np.sum(np.sin(1e4 * x)), lambda x: 1e4 * np.cos(1e4 * x), (5,))
ok("log from 1e-10 to 1e10", lambda x: np.sum(np.log(x)), lambda x: 1 / x, fixed(1e-10, 1e-5, 1.0, 1e10))
ok("log from 1e-200 to 1e200", lambda x: np.sum(np.log(x)), lambda x: 1 / x, fixed(1e-200, 1e200))
ok(
    "harmonic mean",
    lambda x: x.size / np.sum(1 / x),
    lambda x: x.size / np.sum(1 / x) ** 2 / x**2,
    lambda rng: 10.0 ** rng.uniform(-6, 6, 8),
)
ok(
    "parallel resistors",
    lambda a, b: np.sum(a * b / (a + b)),
    lambda a, b: ((b / (a + b)) ** 2, (a / (a + b)) ** 2),
    lambda rng: 10.0 ** rng.uniform(-6, 6, 4),
    lambda rng: 10.0 ** rng.uniform(-6, 6, 4),
)
ok("sqrt near 0", lambda x: np.sum(np.sqrt(x)), lambda x: 0.5 / np.sqrt(x), fixed(1e-8, 1e-4, 1.0))
ok("log near 0", lambda x: np.sum(np.log(x)), lambda x: 1 / x, fixed(1e-10, 1e-5, 1.0))
ok("1/x near 0", lambda x: np.sum(1 / x), lambda x: -1 / x**2, fixed(1e-4, -1e-3, 1.0))
ok("arcsin near 1", lambda x: np.sum(np.arcsin(x)), lambda x: 1 / np.sqrt(1 - x * x), fixed(1 - 1e-6, -1 + 1e-5, 0.3))
ok("math.log raises", lambda x: math.log(x), lambda x: 1 / x, 1e-3)
ok("math.log raises beside the point", lambda x: sum(map(math.log, x)), lambda x: 1 / x, fixed(1e-5, 1e-3, 1.0, 2.0))
ok(
    "nearly singular",
    lambda a: 2 * np.sum(np.log(np.diag(np.linalg.cholesky((a + a.T) / 2)))),
    lambda a: np.linalg.inv((a + a.T) / 2),
    lambda rng: np.cov(rng.standard_normal((4, 20)) * [[1.0], [1e-2], [1e-3], [1e-4]]),
)
ok(
    "Runge",
    lambda x: np.sum(1 / (1 + 1e4 * (x - 1) ** 2)),
    lambda x: -2e4 * (x - 1) / (1 + 1e4 * (x - 1) ** 2) ** 2,
    uniform(0.99, 1.01, 4),
)
ok(
    "Rosenbrock",
    lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
    lambda x: __import__("scipy.optimize").optimize.rosen_der(x),
    (6,),
)
ok(
    "saturated sigmoid",
    lambda x: np.sum(sigmoid(x)),
    lambda x: sigmoid(x) * sigmoid(-x),
    fixed(-40.0, 30.0, -700.0, 0.0),
)
ok("softplus at +-700", lambda x: np.sum(softplus(x)), sigmoid, fixed(-700.0, 700.0, -30.0, 0.0))
ok("exp near overflow", lambda x: np.sum(np.exp(x)), np.exp, fixed(709.5))
ok("exp near overflow, beside 0", lambda x: np.sum(np.exp(x)), np.exp, fixed(705.0, 0.0))
ok("logsumexp at 1000", lambda x: np.sum(logsumexp(x)), softmax, lambda rng: 1000 + rng.standard_normal((3, 4)))
ok(
    "product with zeros",
    np.prod,
    lambda x: np.array([np.prod(np.delete(x, i)) for i in range(len(x))]),
    fixed(0.0, 2.0, -3.0, 1.5),
)

# -- kinks and jumps ------------------------------------------------------------------------------------------------
ok("relu at 0", lambda x: np.sum(np.maximum(x, 0)), lambda x: (x > 0) * 1.0, fixed(0.0, 1.0, -2.0, 0.0))
ok(
    "relu at 0, other convention",
    lambda x: np.sum(np.maximum(x, 0)),
    lambda x: np.heaviside(x, 0.5),
    fixed(0.0, 1.0, -2.0),
)
ok("relu beside 0", lambda x: np.sum(np.maximum(x, 0)), lambda x: (x > 0) * 1.0, fixed(1e-7, -1e-7, 1e-3, -1e-12))
ok(
    "kinks that cancel",
    lambda x: np.maximum(x[0], 0) - np.maximum(-x[1], 0) + x[2] ** 2,
    lambda x: np.array([x[0] > 0, x[1] < 0, 2 * x[2]], dtype=float),
    fixed(0.0, 0.0, 0.3),
)
ok("abs at 0", lambda x: np.sum(np.abs(x)), np.sign, fixed(0.0, 1.0, -2.0))
ok("abs at 0 only", lambda x: np.sum(np.abs(x)), np.sign, fixed(0.0, 0.0, 0.0))
ok("norm at 0", lambda x: np.sqrt(x @ x), lambda x: x / (np.sqrt(x @ x) or 1.0), fixed(0.0, 0.0, 0.0))
ok("max with ties", np.max, lambda x: np.eye(4)[np.argmax(x)], fixed(1.0, 1.0, 0.5, -1.0))
ok("max with ties, shared", np.max, lambda x: (x == x.max()) / np.sum(x == x.max()), fixed(1.0, 1.0, 0.5, -1.0))
ok(
    "clip at its ends",
    lambda x: np.sum(np.clip(x, -1, 1) ** 2),
    lambda x: 2 * x * (np.abs(x) < 1),
    fixed(1.0, -1.0, 0.2, 3.0, 1 + 1e-9),
)
ok(
    "hinge at its corner",
    lambda r: np.mean(np.maximum(0, 1 - r)),
    lambda r: -1.0 * (r < 1) / r.size,
    fixed(1.0, 0.5, 2.0),
)
ok(
    "many relus at 0",
    lambda x: np.sum(weights(30, 10) * np.maximum(x, 0)),
    lambda x: weights(30, 10) * (x > 0),
    lambda rng: rng.standard_normal((30, 10)) * (rng.random((30, 10)) < 0.5),
)
ok("staircase", lambda x: np.sum(np.floor(3 * x) + x), np.ones_like, (6,))
ok("sorted", lambda x: weights(6) @ np.sort(x), lambda x: weights(6)[np.argsort(np.argsort(x))], (6,))
ok(
    "|x|^1.5 at 0",
    lambda x: np.sum(np.abs(x) ** 1.5),
    lambda x: 1.5 * np.sign(x) * np.sqrt(np.abs(x)),
    fixed(0.0, 1.0, -0.5),
)


# -- derivative zero, or nearly -------------------------------------------------------------------------------------
ok("constant", lambda x: 3.0, np.zeros_like, (4,))
ok(
    "softmax that is summed",
    lambda x: np.sum(softmax(x)),
    lambda x: softmax(x) * (1 - np.sum(softmax(x), -1, keepdims=True)),
    (4, 5),
)
ok("minimum of a square", lambda x: np.sum(x**2), lambda x: 2 * x, fixed(0.0, 0.0, 0.0))
ok(
    "least squares at its solution",
    lambda w: np.sum((weights(9, 3) @ w - weights(9, 3) @ weights(3)) ** 2),
    lambda w: 2 * weights(9, 3).T @ (weights(9, 3) @ w - weights(9, 3) @ weights(3)),
    lambda rng: weights(3) * (1 + 1e-9 * rng.standard_normal(3)),
)
ok(
    "bias before batch norm",
    lambda b: np.sum(weights(6, 3) * normalise(weights(6, 3) ** 2 + b)),
    lambda b: normalise_grad(weights(6, 3) ** 2 + b, weights(6, 3)).sum(0),
    (3,),
)
ok("dead relu", lambda x: np.sum(np.maximum(x, 0)), lambda x: (x > 0) * 1.0, uniform(-2, -1, 5))
ok(
    "saturated cross-entropy",  # 0, exactly: its rounding is that of the logits
    lambda x: np.mean(logsumexp(x) - x[:, 0]),
    lambda x: (softmax(x) - np.eye(3)[0]) / len(x),
    lambda rng: rng.standard_normal((4, 3)) + [40, 0, 0],
)
ok("cube near 0", lambda x: 1 + np.sum(x**3), lambda x: 3 * x**2, uniform(-1e-4, 1e-4, 4))
ok("unused argument", lambda a, b: np.sum(a**2), lambda a, b: (2 * a, None), (3,), (4,))

# -- precision of the function --------------------------------------------------------------------------------------
ok("float32 inside", lambda x: float(np.sum(np.tanh(x.astype("f4")))), tanh_grad, (6,))
ok("float32 result", lambda x: np.float32(tanh_sum(x)), tanh_grad, (6,))
ok("float32 inputs", tanh_sum, tanh_grad, lambda rng: rng.standard_normal((3, 4)).astype("f4"))
ok("float32 inputs, wider gradient", np.mean, lambda x: np.full(x.shape, 1 / x.size), lambda rng: rng.random(5, "f4"))
ok("float32, exp(20 x)", lambda x: float(np.sum(np.exp(20 * x.astype("f4")))), lambda x: 20 * np.exp(20 * x), (4,))
ok(
    "float16 inside",
    lambda x: float(np.sum((3 * x.astype("f2")).astype(float))),
    lambda x: 0 * x + 3,
    uniform(0.3, 3, 4),
)
ok("three decimals", lambda x: np.sum(np.round(x, 3) ** 2), lambda x: 2 * x, (5,))
ok("eight digits", lambda x: round(tanh_sum(x), 8), tanh_grad, (6,))
ok("noise of 1e-9", lambda x: tanh_sum(x) + 1e-9 * np.sin(1e13 * np.sum(x)), tanh_grad, (6,))
ok(
    "noise of 1e-9, relative",
    lambda x: np.sum(np.exp(x)) * (1 + 1e-9 * np.sin(1e12 * x[0])),
    np.exp,
    (6,),
)


def fixed_point(x):
    """Solve y = cos(y/2 + x) to ten digits."""
    y, before = np.cos(x), x
    while np.max(np.abs(y - before)) > 1e-10:
        y, before = np.cos(y / 2 + x), y
    return y


def fixed_point_grad(x):
    s = np.sin(fixed_point(x) / 2 + x)
    return -s / (1 + s / 2)


ok("solver stopped at 1e-10", lambda x: np.sum(fixed_point(x)), fixed_point_grad, (4,))
ok(
    "ill-conditioned",
    lambda x: 0.5 * x @ np.vander(np.arange(1.0, 8)) @ x,
    lambda x: 0.5 * (np.vander(np.arange(1.0, 8)) + np.vander(np.arange(1.0, 8)).T) @ x,
    (7,),
)

# -- kinds of input and output --------------------------------------------------------------------------------------
ok("a number", np.tanh, tanh_grad, 0.3)
ok("an integer", lambda x: x**3, lambda x: 3 * x**2, 2)
ok("a number that is formatted", lambda x: float(f"{np.tanh(x):.17g}"), tanh_grad, 0.3)
ok("0-d array", lambda x: np.array(np.exp(x)), np.exp, np.array(0.3))
ok("one element", cube, lambda x: 3 * x**2, (1, 1, 1))
ok("empty", lambda a, b: np.sum(a) + np.sum(b**2), lambda a, b: (np.ones_like(a), 2 * b), (0, 3), (2,))
ok("nothing but empty", np.sum, np.ones_like, (0,))
ok("column-major", cube, lambda x: 3 * x**2, lambda rng: np.asfortranarray(rng.standard_normal((4, 3))))
ok("strided", cube, lambda x: 3 * x**2, lambda rng: rng.standard_normal((8, 6))[::2, ::-3])
ok("labels", cross_entropy, lambda x, y: ((softmax(x) - y) / len(x), None), (7, 4), labels(7, 4))
ok("labels left out", cross_entropy, lambda x, y: (softmax(x) - y) / len(x), (7, 4), labels(7, 4))
ok("None for real", lambda r, f: np.mean(softplus(-f)), lambda r, f: (None, -sigmoid(-f) / f.size), None, (6,))
ok("Python floats", lambda a, b: a * b**2, lambda a, b: (b**2, 2 * a * b), 1.5, -0.7)
ok("a tuple of one", cube, lambda x: (3 * x**2,), (4,))
ok("a list", lambda a, b: np.sum(a * b), lambda a, b: [b, a], (4,), (4,))
ok("same array twice", lambda a, b: np.sum(a * b), lambda a, b: (b, a), fixed(1.0, 2.0), fixed(1.0, 2.0))
ok("60,000 elements", lambda x: np.sum(np.sin(x)), np.cos, (200, 300))
ok("a view of its buffer", lambda x: np.sum(x), lambda x: np.broadcast_to(1.0, x.shape), (3, 4))
ok("equal arguments", lambda a, b: np.sum(np.tanh(a + b)), lambda a, b: (tanh_grad(a + b),) * 2, (4,), (4,))


@right.build(None)
def a_buffer_used_again(rng):
    buffer = np.empty(6)

    def grad(x):
        np.multiply(2, x, out=buffer)
        return buffer

    return lambda x: np.sum(x**2), grad, (rng.standard_normal(6),)


# -- the right versions of what is planted --------------------------------------------------------------------------
ok("mean square", mean_square, mean_square_grads, (3,), (8, 3), (8,))
ok("affine", affine, affine_grads, (5, 3), (3, 4), (4,))
ok("minimax", minimax, minimax_grads, (9,), (7,))
ok("penalty", penalty, lambda g: penalty_grad(g, np.linalg.norm(g, axis=1, keepdims=True)), (5, 3))
ok("batch norm", lambda x: np.sum(weights(6, 3) * normalise(x)), lambda x: normalise_grad(x, weights(6, 3)), (6, 3))
ok("recurrent", recurrent, recurrent_grads, lambda rng: 0.5 * rng.standard_normal((3, 3)), (3,), (4, 3))
ok("LSTM cell", lstm_cell, lstm_cell_grad, (12, 4))
ok("chaotic", recurrent, recurrent_grads, lambda rng: 3 * rng.standard_normal((3, 3)), (3,), (40, 3))
ok(
    "log-determinant, symmetric",
    lambda a: np.linalg.slogdet(a)[1],
    np.linalg.inv,
    lambda rng: np.cov(rng.standard_normal((4, 20))),
)
