"""One call of every public function: what the parity tests and the gradient checks of composed functions share."""

import numpy as np

import minigan as mg

_RNG = np.random.default_rng(0)


def _draw(*shape, low=None):
    x = _RNG.standard_normal(shape)
    return x if low is None else low + np.abs(x)


A, B, ROW, COLUMN = _draw(2, 3), _draw(2, 3), _draw(3), _draw(2, 1)
CUBE, POSITIVE, SQUARE = _draw(2, 3, 4), _draw(2, 3, low=0.3), _draw(3, 3)
CONDITION = A > 0
INDEX = np.array([2, 0, 2])

# name: (function of the differentiable arguments, those arguments). Every public array function has a row or more.
CALLS = {
    "add": (mg.add, (A, ROW)),
    "subtract": (mg.subtract, (A, COLUMN)),
    "multiply": (mg.multiply, (A, B)),
    "divide": (mg.divide, (A, POSITIVE)),
    "divide by negative": (mg.divide, (ROW, -POSITIVE)),
    "negative": (mg.negative, (A,)),
    "power": (mg.power, (POSITIVE, B)),
    "power of negative": (lambda x: mg.power(x, 3), (A,)),
    "matmul": (mg.matmul, (A, SQUARE)),
    "matmul of rows": (mg.matmul, (ROW, ROW + 1.0)),
    "matmul row by matrix": (mg.matmul, (ROW, SQUARE)),
    "matmul matrix by column": (mg.matmul, (SQUARE, ROW)),
    "matmul batch by column": (mg.matmul, (CUBE.swapaxes(1, 2), ROW)),
    "matmul row by batch": (mg.matmul, (ROW, CUBE)),
    "matmul of batches": (mg.matmul, (CUBE.swapaxes(1, 2), A[:, :, None])),
    "exp": (mg.exp, (A,)),
    "log": (mg.log, (POSITIVE,)),
    "log1p": (mg.log1p, (POSITIVE,)),
    "expm1": (mg.expm1, (A,)),
    "sqrt": (mg.sqrt, (POSITIVE,)),
    "abs": (mg.abs, (A,)),
    "sin": (mg.sin, (A,)),
    "cos": (mg.cos, (A,)),
    "tanh": (mg.tanh, (A,)),
    "sigmoid": (mg.sigmoid, (A,)),
    "softplus": (mg.softplus, (A,)),
    "relu": (mg.relu, (A,)),
    "leaky_relu": (mg.leaky_relu, (A,)),
    "leaky_relu slope": (lambda x: mg.leaky_relu(x, 0.01), (A,)),
    "elu": (mg.elu, (A,)),
    "elu alpha": (lambda x: mg.elu(x, 0.3), (A,)),
    "silu": (mg.silu, (A,)),
    "gelu": (mg.gelu, (A,)),
    "softmax": (mg.softmax, (A,)),
    "softmax axis": (lambda x: mg.softmax(x, axis=0), (CUBE,)),
    "log_softmax": (mg.log_softmax, (A,)),
    "log_softmax axis": (lambda x: mg.log_softmax(x, axis=-2), (CUBE,)),
    "logsumexp": (mg.logsumexp, (A,)),
    "logsumexp axis": (lambda x: mg.logsumexp(x, axis=0, keepdims=True), (CUBE,)),
    "maximum": (mg.maximum, (A, B)),
    "minimum": (mg.minimum, (A, B)),
    "where": (lambda x, y: mg.where(CONDITION, x, y), (A, ROW)),
    "clip": (lambda x: mg.clip(x, -0.5, 0.5), (A,)),
    "clip below": (lambda x: mg.clip(x, 0.1), (A,)),
    "clip by tensors": (mg.clip, (A, B - 0.7, B + 0.7)),
    "clip above by a tensor": (lambda x, high: mg.clip(x, None, high), (A, B)),
    "clip between a number and a tensor": (lambda x, high: mg.clip(x, -0.2, high), (A, B)),
    "sum": (mg.sum, (A,)),
    "sum axis": (lambda x: mg.sum(x, axis=(0, -1), keepdims=True), (CUBE,)),
    "mean": (mg.mean, (A,)),
    "mean axis": (lambda x: mg.mean(x, axis=-2), (CUBE,)),
    "var": (mg.var, (A,)),
    "var axis": (lambda x: mg.var(x, axis=(0, 2), ddof=1), (CUBE,)),
    "max": (mg.max, (A,)),
    "max axis": (lambda x: mg.max(x, axis=1, keepdims=True), (CUBE,)),
    "min": (mg.min, (A,)),
    "min axis": (lambda x: mg.min(x, axis=(0, 2)), (CUBE,)),
    "reshape": (lambda x: mg.reshape(x, (3, -1)), (CUBE,)),
    "transpose": (mg.transpose, (CUBE,)),
    "transpose axes": (lambda x: mg.transpose(x, (2, 0, 1)), (CUBE,)),
    "swapaxes": (lambda x: mg.swapaxes(x, 0, -1), (CUBE,)),
    "broadcast_to": (lambda x: mg.broadcast_to(x, (4, 2, 3)), (COLUMN,)),
    "concatenate": (lambda x, y: mg.concatenate([x, y], axis=-1), (A, COLUMN)),
    "stack": (lambda x, y: mg.stack([x, y], axis=-1), (A, B)),
    "split": (lambda x: mg.split(x, 2, axis=2), (CUBE,)),
    "split at": (lambda x: mg.split(x, [1, 3], axis=-1), (CUBE,)),
    "pad": (lambda x: mg.pad(x, ((1, 0), (2, 1)), value=3.0), (A,)),
    "take": (lambda x: mg.take(x, INDEX, axis=-1), (A,)),
    "take of all": (lambda x: mg.take(x, [[0, 5], [5, 5]]), (A,)),
    "einsum": (lambda x, y: mg.einsum("ij,kj->ik", x, y), (A, B)),
    "einsum of three": (lambda x, y, z: mg.einsum("bij, j, k -> bk", x, y, z), (CUBE.swapaxes(1, 2), ROW, ROW)),
    "einsum without arrow": (lambda x, y: mg.einsum("ij,jk", x, y), (A, SQUARE)),
    "norm": (mg.norm, (A,)),
    "norm axis": (lambda x: mg.norm(x, axis=(0, 1), keepdims=True), (CUBE,)),
    "index": (lambda x: x[1, ..., ::-1], (CUBE,)),
    "index with repeats": (lambda x: x[:, INDEX], (A,)),
    "index with a mask": (lambda x: x[CONDITION], (A,)),
    "index with two arrays": (lambda x: x[[0, 1, 1], INDEX], (A,)),
    "index with a new axis": (lambda x: x[None, :, 0], (A,)),
    **{
        f"affine {name}": (
            lambda x, w, b, name=name: mg.ops.affine(x, w, b, activation=name),
            (CUBE, _draw(5, 4), _draw(5)),
        )
        for name in ("identity", "relu", "leaky_relu", "tanh", "sigmoid")
    },
}
