"""Wrong gradients with plain arrays, by family: each must be found, with the right diagnosis."""

import numpy as np
from cases import Table, labels, logsumexp, sigmoid, softmax, softplus, uniform, weights

wrong = Table()


def cube(x):
    return np.sum(x * x * x)


def mean_square(w, x, y):
    """Mean squared error of a linear model: w (I,), x (N, I), y (N,)."""
    return np.mean((x @ w - y) ** 2)


def mean_square_grads(w, x, y):
    r = 2 * (x @ w - y) / len(y)
    return x.T @ r, np.outer(r, w), -r


def affine(x, w, b):
    """Weighted sum of tanh of an affine layer: x (N, I), w (I, O), b (O,)."""
    a = x @ w + b
    return np.sum(weights(*a.shape) * np.tanh(a))


def affine_grads(x, w, b, *, of_b=lambda da: da.sum(0), of_w=lambda x, da: x.T @ da, of_x=lambda da, w: da @ w.T):
    a = x @ w + b
    da = weights(*a.shape) * (1 - np.tanh(a) ** 2)
    return of_x(da, w), of_w(x, da), of_b(da)


def cross_entropy(x, y):
    """Mean cross-entropy of logits x (N, K) with one-hot y (N, K)."""
    return np.mean(logsumexp(x) - (x * y).sum(-1))


def tweak(grad, change):
    """Apply `change` to the first gradient, in place."""

    def changed(*inputs):
        g = grad(*inputs)
        change(g[0] if isinstance(g, tuple) else g)
        return g

    return changed


def at(index, factor=0.0):
    def change(g):
        g[index] *= factor

    return change


# -- sign -----------------------------------------------------------------------------------------------------------
wrong("cube", "sign", cube, lambda x: -3 * x * x, (3, 4))
wrong("log-likelihood", "sign", lambda x: np.sum(np.log(x)), lambda x: -1 / x, uniform(0.5, 2, 7))
wrong("a millionth", "sign", lambda x: 1e-6 * np.sum(np.sin(x)), lambda x: -1e-6 * np.cos(x), (5,))
wrong("a millionth beside one", "sign", lambda x: 1 + 1e-6 * np.sin(x), lambda x: -1e-6 * np.cos(x), 0.3)
wrong("1e8 tanh", "sign", lambda x: 1e8 * np.tanh(x).sum(), lambda x: -1e8 * (1 - np.tanh(x) ** 2), (4,))
wrong(
    "second argument",
    "sign",
    lambda a, b: np.sum(a**2 / b),
    lambda a, b: (2 * a / b, (a / b) ** 2),
    (6,),
    uniform(1, 2, 6),
)
wrong("bias only", "sign", affine, lambda *a: affine_grads(*a, of_b=lambda da: -da.sum(0)), (5, 3), (3, 2), (2,))
wrong("scalar", "sign", lambda x: np.exp(-x), lambda x: np.exp(-x), 0.7)
wrong("large array", "sign", cube, lambda x: -3 * x * x, (60, 90))
wrong(
    "residual",
    "sign",
    mean_square,
    lambda w, x, y: (*mean_square_grads(w, x, y)[:2], -mean_square_grads(w, x, y)[2]),
    (3,),
    (8, 3),
    (8,),
)

# -- scale ----------------------------------------------------------------------------------------------------------
wrong("factor 2 of a square", "scale", lambda x: np.sum(x**2), lambda x: x, (7,))
wrong("half squared norm", "scale", lambda x: 0.5 * np.sum(x**2), lambda x: 2 * x, (3, 5))
wrong("exp(20 x) without 20", "scale", lambda x: np.exp(20 * x).sum(), lambda x: np.exp(20 * x), uniform(-1, 1, 3))
wrong("sin(50 x) without 50", "scale", lambda x: np.sin(50 * x).sum(), lambda x: np.cos(50 * x), (6,))
wrong("temperature", "scale", lambda x: logsumexp(x / 0.7), lambda x: softmax(x / 0.7), (6,))
wrong("scalar factor", "scale", lambda x: x**3, lambda x: 2 * x**2, 1.3)
wrong("one per thousand", "scale", cube, lambda x: 3.003 * x**2, (4, 4))
wrong("large array, factor", "scale", cube, lambda x: 2 * x**2, (100, 50))
wrong("norm, not its square", "scale", lambda x: np.sqrt(np.sum(x**2)), lambda x: x, (9,))

# -- missing_mean ---------------------------------------------------------------------------------------------------
wrong("mean without 1/n", "missing_mean", lambda x: np.mean(np.tanh(x)), lambda x: 1 - np.tanh(x) ** 2, (11,))
wrong("sum with 1/n", "missing_mean", lambda x: np.sum(np.tanh(x)), lambda x: (1 - np.tanh(x) ** 2) / x.size, (11,))
wrong("mean over the batch only", "missing_mean", lambda x: np.mean(x**2), lambda x: 2 * x / len(x), (6, 5))
wrong("cross-entropy summed", "missing_mean", cross_entropy, lambda x, y: softmax(x) - y, (7, 4), labels(7, 4))
wrong(
    "mean squared error",
    "missing_mean",
    mean_square,
    lambda w, x, y: (len(y) * mean_square_grads(w, x, y)[0], *mean_square_grads(w, x, y)[1:]),
    (3,),
    (9, 3),
    (9,),
)
wrong("n - 1 for n", "missing_mean", np.var, lambda x: 2 * (x - x.mean()) / (x.size - 1), (8,))
wrong("1/n twice", "missing_mean", lambda x: np.mean(x**4), lambda x: 4 * x**3 / x.size**2, (5,))


@wrong.build("missing_mean")
def data_in_a_closure(rng):
    x, y = rng.standard_normal((13, 3)), rng.standard_normal(13)
    return lambda w: np.mean((x @ w - y) ** 2), lambda w: 2 * x.T @ (x @ w - y), (rng.standard_normal(3),)


# -- wrong_axis -----------------------------------------------------------------------------------------------------
wrong(
    "bias of a square layer",
    "wrong_axis",
    affine,
    lambda *a: affine_grads(*a, of_b=lambda da: da.sum(1)),
    (4, 3),
    (3, 4),
    (4,),
)
wrong(
    "bias added",
    "wrong_axis",
    lambda x, b: np.sum((x + b) ** 3),
    lambda x, b: (3 * (x + b) ** 2, (3 * (x + b) ** 2).sum(1)),
    (5, 5),
    (5,),
)
wrong("softmax", "wrong_axis", lambda x: np.sum(logsumexp(x)), lambda x: softmax(x, axis=0), (4, 6))
wrong(
    "norm of rows",
    "wrong_axis",
    lambda x: np.sum(np.sqrt((x**2).sum(1))),
    lambda x: x / np.sqrt((x**2).sum(0, keepdims=True)),
    (4, 6),
)
wrong(
    "norm of the batch", "wrong_axis", lambda x: np.sum(np.sqrt((x**2).sum(1))), lambda x: x / np.linalg.norm(x), (4, 6)
)
wrong(
    "broadcast",
    "wrong_axis",
    lambda x: weights(4) @ (x.sum(0) ** 2),
    lambda x: np.broadcast_to((2 * weights(4) * x.sum(0))[:, None], x.shape),
    (4, 4),
)
wrong(
    "centred",
    "wrong_axis",
    lambda x: np.sum(weights(4, 5) * (x - x.mean(1, keepdims=True))),
    lambda x: weights(4, 5) - weights(4, 5).mean(0),
    (4, 5),
)
wrong(
    "log-softmax",
    "wrong_axis",
    lambda x: np.sum(weights(4, 6) * (x - logsumexp(x)[:, None])),
    lambda x: weights(4, 6) - softmax(x, axis=0) * weights(4, 6).sum(0),
    (4, 6),
)
wrong(
    "max of rows",
    "wrong_axis",
    lambda x: np.sum(x.max(1) ** 2),
    lambda x: 2 * x * (x == x.max(0, keepdims=True)),
    (5, 5),
)
wrong(
    "cumulative sum",
    "wrong_axis",
    lambda x: np.sum(np.cumsum(x, 1) ** 2),
    lambda x: 2 * np.cumsum(np.cumsum(x, 0)[::-1], 0)[::-1],
    (4, 4),
)

# -- transposed -----------------------------------------------------------------------------------------------------
wrong(
    "outer product",
    "transposed",
    lambda w, x, y: y @ w @ x,
    lambda w, x, y: (np.outer(x, y), w.T @ y, w @ x),
    (4, 4),
    (4,),
    (4,),
)
wrong(
    "square layer", "transposed", affine, lambda *a: affine_grads(*a, of_w=lambda x, da: da.T @ x), (6, 3), (3, 3), (3,)
)
wrong("trace of a product", "transposed", lambda a, b: np.trace(a @ b), lambda a, b: (b, a.T), (4, 4), (4, 4))
wrong(
    "inverse",
    "transposed",
    lambda a: np.log(np.linalg.det(a)),
    np.linalg.inv,
    lambda rng: 3 * np.eye(3) + 0.5 * rng.standard_normal((3, 3)) @ np.diag([1, 1, 0]),
)
wrong("square layer: no .T", "transposed", affine, lambda *a: affine_grads(*a, of_x=np.matmul), (5, 3), (3, 3), (3,))


@wrong.build("transposed")
def matrix_in_a_closure(rng):
    w, y = rng.standard_normal((4, 4)), rng.standard_normal(4)
    return lambda x: np.tanh(y) @ w @ x, lambda x: w @ np.tanh(y), (rng.standard_normal(4),)


wrong("large", "transposed", lambda x: np.sum(weights(40, 40) * x), lambda x: weights(40, 40).T.copy(), (40, 40))

# -- permuted -------------------------------------------------------------------------------------------------------
wrong("reversed", "permuted", cube, lambda x: 3 * x[::-1] ** 2, (7,))
wrong("off by one", "permuted", cube, lambda x: np.roll(3 * x**2, 1), (12,))
wrong("two exchanged", "permuted", cube, lambda x: 3 * x[[1, 0, 2, 3, 4]] ** 2, (5,))
wrong("column-major reshape", "permuted", cube, lambda x: (3 * x**2).reshape(-1, order="F").reshape(x.shape), (3, 4))
wrong(
    "gates in another order",
    "permuted",
    lambda b: np.sum(weights(4, 3) * np.tanh(b.reshape(4, 3))),
    lambda b: (weights(4, 3) * (1 - np.tanh(b.reshape(4, 3)) ** 2))[[0, 1, 3, 2]].ravel(),
    (12,),
)
wrong(
    "sorted",
    "permuted",
    lambda x: weights(6) @ np.sort(x),
    lambda x: weights(6)[np.argsort(x)],
    lambda rng: np.array([3.0, 1.0, 2.0, 6.0, 4.0, 5.0]) + rng.uniform(-0.3, 0.3, 6),
)
wrong("large, rolled", "permuted", cube, lambda x: np.roll(3 * x**2, 3), (900,))

wrong(
    "crop off by one",
    "permuted",
    lambda x: np.sum(weights(4, 5) * np.sin(x)),
    lambda x: (np.pad(weights(4, 5), 1) * np.pad(np.cos(x), 1))[:-2, 2:],
    (4, 5),
)

# -- zero -----------------------------------------------------------------------------------------------------------
wrong("forgotten", "zero", cube, np.zeros_like, (3, 3))
wrong("None", "zero", lambda a, b: np.sum(a * b), lambda a, b: (b, None), (4,), (4,))
wrong(
    "detached target",
    "zero",
    lambda p, q: np.mean((p - q) ** 2),
    lambda p, q: (2 * (p - q) / p.size, 0 * q),
    (5,),
    (5,),
)
wrong("softmax that is summed with weights", "zero", lambda x: weights(5) @ softmax(x), lambda x: 0 * x, (5,))

# -- one element, one slice -----------------------------------------------------------------------------------------
wrong("last element", "one_element", cube, tweak(lambda x: 3 * x * x, at(-1)), (8,))
wrong(
    "first difference",
    "one_element",
    lambda x: np.sum(np.diff(x) ** 2),
    tweak(lambda x: 2 * np.append(0, np.diff(x)) - 2 * np.append(np.diff(x), 0), at(0)),
    (9,),
)
wrong("a thousandth, of 100", "one_element", cube, tweak(lambda x: 3 * x * x, at(37, 1.001)), uniform(0.5, 2, 100))
wrong(
    "a thousandth, of 60,000",
    "one_element",
    cube,
    tweak(lambda x: 3 * x * x, at((7, 7), 1.001)),
    uniform(0.5, 2, 200, 300),
)
wrong(
    "tiny beside large",
    "one_element",
    lambda x: np.sum(10.0 ** np.arange(-6, 6) * np.sin(x)),
    tweak(lambda x: 10.0 ** np.arange(-6, 6) * np.cos(x), at(0, -1)),
    (12,),
)
wrong("a corner", "one_element", lambda x: np.sum(np.cos(x)), tweak(lambda x: -np.sin(x), at((0, 3), -1)), (3, 4))
wrong("last row", "one_slice", cube, tweak(lambda x: 3 * x * x, at(-1)), (5, 4))
wrong("a column twice", "one_slice", cube, tweak(lambda x: 3 * x * x, at((slice(None), 2), 2)), (4, 5))
wrong("first time step", "one_slice", lambda x: np.sum(np.sin(x)), tweak(np.cos, at(0)), (4, 3, 2))
wrong(
    "forget gate",
    "one_slice",
    lambda b: np.sum(np.tanh(b)),
    tweak(lambda b: 1 - np.tanh(b) ** 2, at(slice(3, 6), -1)),
    (12,),
)
wrong("one row of many", "one_slice", cube, tweak(lambda x: 3 * x * x, at(11, 1.01)), (50, 60))

# -- argument_swapped -----------------------------------------------------------------------------------------------
wrong("product", "argument_swapped", lambda a, b: np.sum(a * b * b), lambda a, b: (2 * a * b, b * b), (5,), (5,))
wrong("scalars", "argument_swapped", lambda a, b: a * np.exp(b), lambda a, b: (a * np.exp(b), np.exp(b)), 1.3, 0.4)
wrong(
    "shapes give it away",
    "argument_swapped",
    lambda x, w: np.sum(np.tanh(x @ w)),
    lambda x, w: (x.T @ (1 - np.tanh(x @ w) ** 2), (1 - np.tanh(x @ w) ** 2) @ w.T),
    (5, 3),
    (3, 2),
)
wrong(
    "query and key",
    "argument_swapped",
    lambda q, k: np.sum(weights(4, 4) * (q @ k.T)),
    lambda q, k: (weights(4, 4).T @ q, weights(4, 4) @ k),
    (4, 3),
    (4, 3),
)
wrong(
    "mean and log-variance",
    "argument_swapped",
    lambda m, s: 0.5 * np.sum(np.exp(s) + m**2 - 1 - s),
    lambda m, s: (0.5 * (np.exp(s) - 1), m),
    (4,),
    (4,),
)

# -- precision ------------------------------------------------------------------------------------------------------
wrong("rounded to float32", "precision", cube, lambda x: (3 * x**2).astype("f4").astype("f8"), (20,))
wrong(
    "computed in float32",
    "precision",
    lambda x: np.sum(np.tanh(x)),
    lambda x: (1 - np.tanh(x.astype("f4")) ** 2).astype("f8"),
    (30,),
)
wrong("rounded to float16", "precision", cube, lambda x: (3 * x**2).astype("f2").astype("f8"), (20,))
wrong(
    "forward difference",
    "precision",
    lambda x: np.sum(np.exp(x)),
    lambda x: (np.exp(x + 1e-6) - np.exp(x)) / 1e-6,
    (6,),
)
wrong("large, float32", "precision", cube, lambda x: (3 * x**2).astype("f4").astype("f8"), (100, 100))
wrong(
    "a constant in the root",
    "precision",
    lambda x: np.sum(np.sqrt(1 + x * x)),
    lambda x: x / np.sqrt(1 + x * x + 1e-6),
    (6,),
)

wrong(
    "pi = 3.1415",
    "precision",
    lambda x: np.sum(np.sin(np.pi * x)),
    lambda x: 3.1415 * np.cos(3.1415 * x),
    lambda rng: np.append(rng.uniform(-0.4, 0.4, 6), 1.5001),  # near a zero, there is less to be relative to
)
wrong("one element, eighth digit", "precision", cube, tweak(lambda x: 3 * x * x, at(2, 1 + 3e-8)), uniform(0.5, 2, 6))

# -- unknown: no relation to name -----------------------------------------------------------------------------------
wrong("sine for cosine", "unknown", lambda x: np.sum(np.sin(x)), np.sin, (9,))
wrong("half of the product rule", "unknown", lambda x: np.sum(x * np.exp(x)), np.exp, (8,))
wrong(
    "softmax: diagonal only",
    "unknown",
    lambda x: weights(6) @ softmax(x),
    lambda x: weights(6) * softmax(x) * (1 - softmax(x)),
    (6,),
)
wrong("other function, scalar", "unknown", np.tanh, lambda x: 1 / (1 + x * x), 0.9)
wrong("sigmoid' of the output", "unknown", lambda x: np.sum(sigmoid(x)), lambda x: x * (1 - x), (7,))
wrong("softplus", "unknown", lambda x: np.sum(softplus(x)), lambda x: sigmoid(x) * (1 - sigmoid(x)), (7,))

wrong(
    "a column, all of it",
    "unknown",
    lambda x: np.sum(np.cumsum(x, 0) ** 2),
    lambda x: 2 * np.cumsum(np.cumsum(x, 0), 0),
    (2, 1),
)
wrong("upper triangle", "unknown", lambda a: np.sum(np.tanh(a)), lambda a: np.tril(1 - np.tanh(a) ** 2), (5, 5))

wrong(
    "bias summed altogether",
    "wrong_axis",
    affine,
    lambda *a: affine_grads(*a, of_b=lambda da: np.full(da.shape[1], da.sum())),
    (5, 3),
    (3, 4),
    (4,),
)
wrong(
    "summed, then broadcast",
    "wrong_axis",
    lambda x: np.sum(weights(4, 5) * np.sin(x)),
    lambda x: 0 * x + (weights(4, 5) * np.cos(x)).sum(0),
    (4, 5),
)

# a factor per row or column, two outer products, a claim with zeros: none of them is an axis
wrong(
    "weights of the samples",
    "unknown",
    lambda x: np.sum(weights(5)[:, None] * np.sin(x)),
    np.cos,
    (5, 4),
)
wrong(
    "deviation of each column",
    "unknown",
    lambda x: np.sum(weights(6, 3) * np.tanh(x / (1 + weights(3) ** 2))),
    lambda x: weights(6, 3) * (1 - np.tanh(x / (1 + weights(3) ** 2)) ** 2),
    (6, 3),
)
wrong(
    "outer products",
    "unknown",
    lambda w, x, y: np.tanh(y) @ w @ x**2,
    lambda w, x, y: (np.outer(y, x), 2 * x * (np.tanh(y) @ w), (1 - np.tanh(y) ** 2) * (w @ x**2)),
    (4, 5),
    (5,),
    (4,),
)
wrong("relu: passes all", "unknown", lambda x: np.sum(np.maximum(x, 0)), np.ones_like, lambda rng: np.eye(5)[3] - 0.3)
wrong("one corner only", "unknown", cube, lambda x: 3 * x * x * np.pad(np.ones((2, 3)), [(0, 2), (0, 2)]), (4, 5))

# -- beside kinks: no free pass -------------------------------------------------------------------------------------


def half_zeros(rng):
    return rng.standard_normal((20, 15)) * (rng.random((20, 15)) < 0.5)


wrong("relu with inputs at 0", "scale", lambda x: np.sum(np.maximum(x, 0) ** 1.0), lambda x: 1.01 * (x > 0), half_zeros)
wrong(
    "one of many relus",
    "one_element",
    lambda x: np.sum(np.maximum(x, 0)),
    tweak(lambda x: 1.0 * (x > 0), at((4, 4), 0)),
    lambda rng: np.where(np.arange(300).reshape(20, 15) == 64, 1.0, np.round(half_zeros(rng) * 2)),
)
wrong(
    "abs at 0, outside its slopes",
    "one_element",
    lambda x: np.sum(np.abs(x)),
    lambda x: np.sign(x) + 1.1 * (x == 0),
    lambda rng: np.append(rng.uniform(0.5, 1, 4), 0.0),
)
