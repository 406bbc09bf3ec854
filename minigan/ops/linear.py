"""Matrix products, and the fused affine map with its activation."""

import math

import numpy as np

from minigan.domains import REAL, Domain, Interval, random_shape
from minigan.engine import as_tensor, primitive
from minigan.errors import ConfigError, ShapeError
from minigan.kernels import elementwise as kernels
from minigan.kernels import products
from minigan.kernels.host import promoted
from minigan.lowerings import Kernel
from minigan.ops import activations
from minigan.ops.reductions import sum
from minigan.ops.shape import reshape, swapaxes
from minigan.ops.smooth import tanh


def _matmul_domain(rng, side):
    n, k, m = rng.integers(1, side + 1, 3)
    batch = random_shape(rng, 2, dims=int(rng.integers(0, 2)), least=1)
    x, y = ((*batch, n, k), (k, m)) if rng.random() < 0.7 else ((n, k), (*batch, k, m))
    return (REAL.draw(rng, x), REAL.draw(rng, y)), {}


def _rows_or_pairs(x, y):
    """Return whether all rows of x meet one matrix, or these are pairs of matrices: what the compiled product takes."""
    pairs = x.ndim == y.ndim <= 3 and x.shape[:-2] == y.shape[:-2]
    return x.dtype == y.dtype and (pairs or x.ndim > y.ndim == 2)


def _rows(x):
    return x if x.ndim == 2 else reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _for_right_factor(g, out, x, y):
    if y.ndim == 2:
        x, g = _rows(x), _rows(g)
    return _matmul(swapaxes(x, -1, -2), g)


@primitive(
    vjp=(lambda g, out, x, y: _matmul(g, swapaxes(y, -1, -2)), _for_right_factor),
    domain=Domain(_matmul_domain),
    lowering=Kernel(products.matmul, takes=_rows_or_pairs),
    name="matmul",
)
def _matmul(x, y):
    if x.ndim == y.ndim == 2 and x.shape[1] == 1:
        return x * y  # a column times a row: BLAS takes five times as long
    return products.product(x, y)


def matmul(x, y):
    """Return the matrix product of x (..., N, K) and y (..., K, M): (..., N, M).  dx = g y^T, dy = x^T g.

    As in NumPy, an array of one axis is a row on the left, a column on the right, and leading axes broadcast.

    Raises
    ------
    ShapeError
        If the inner lengths differ or an argument is 0-d.
    """
    x, y = as_tensor(x), as_tensor(y)
    if x.ndim == 0 or y.ndim == 0 or x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ShapeError(f"matmul: shapes {x.shape} and {y.shape} do not fit: the inner lengths must be equal")
    row, column = x.ndim == 1, y.ndim == 1
    out = _matmul(reshape(x, (1, -1)) if row else x, reshape(y, (-1, 1)) if column else y)
    if column:
        out = reshape(out, out.shape[:-1])
    if row:
        out = reshape(out, (*out.shape[:-2], *out.shape[-1:])) if not column else reshape(out, out.shape[:-1])
    return out


# -- affine map and activation in one --------------------------------------------------------------------------------

# What is done to z = x W^T in place, and the cotangent of z + b given that of y: every derivative is read off y itself.
# identity and relu are leaky relus of slope 1 and 0.
SLOPES = {"identity": 1.0, "relu": 0.0}
IN_PLACE = {"tanh": lambda z: np.tanh(z, out=z), "sigmoid": kernels.sigmoid}
THROUGH = {"tanh": lambda g, y: g * (1.0 - y * y), "sigmoid": lambda g, y: g * (y * (1.0 - y))}
ACTIVATIONS = ("identity", "relu", "leaky_relu", "tanh", "sigmoid")


def affine_reference(x, w, b, *, activation="identity", slope=0.2):
    """Return activation(x W^T + b) from small operations: what `affine` computes in one go."""
    z = matmul(x, swapaxes(w, 0, 1)) + b
    if activation == "identity":
        return z
    if activation == "leaky_relu":
        return activations.leaky_relu(z, slope)
    return {"relu": activations.relu, "tanh": tanh, "sigmoid": activations.sigmoid}[activation](z)


def _affine_domain(rng, side):
    i, o = rng.integers(1, side + 1, 2)
    lead = random_shape(rng, side, dims=int(rng.integers(1, 3)), least=1)
    args = tuple(Interval(-2, 2).draw(rng, shape) for shape in ((*lead, i), (o, i), (o,)))
    activation = ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
    return args, {"activation": activation, "slope": SLOPES.get(activation, 0.2)}


def _through_activation(g, y, x, w, b, *, activation, slope):
    if activation == "identity":
        return g
    return THROUGH[activation](g, y) if activation in THROUGH else activations.gate(g, y, slope=slope)


@primitive(
    shared=_through_activation,  # dz, from here on g
    vjp=(
        lambda g, y, x, w, b, **_: matmul(g, w),
        lambda g, y, x, w, b, **_: _matmul(swapaxes(_rows(g), 0, 1), _rows(x)),
        lambda g, y, x, w, b, **_: sum(_rows(g), axis=0),
    ),
    reference=affine_reference,
    domain=Domain(_affine_domain),
    name="affine",
)
def _affine(x, w, b, *, activation, slope):
    x, w, b = promoted(x, w, b)
    z = products.product(x.reshape(-1, x.shape[-1]), w.T)
    if activation in IN_PLACE:
        z += b
        z = IN_PLACE[activation](z)
    else:
        kernels.add_bias_leaky_relu(z, b, slope)
    return z.reshape(*x.shape[:-1], len(w))


def affine(x, weight, bias, activation="identity", slope=0.2):
    """Return activation(x W^T + b), the dense layer, in one operation.

    Parameters
    ----------
    x : (..., I) array
    weight : (O, I) array
    bias : (O,) array
    activation : {"identity", "relu", "leaky_relu", "tanh", "sigmoid"}
    slope : float
        Of leaky_relu below 0.

    Returns
    -------
    y : (..., O) Tensor
        In float32 or float64: of half precision and integers, float32 at least.

    Notes
    -----
    With dz = g activation'(z), where every activation here has a derivative that can be read off y:
    dx = dz W, dW = dz^T x, db = sum dz over all leading axes.

    Raises
    ------
    ShapeError
        If the last axis of `x` is not I.
    """
    x, weight, bias = as_tensor(x), as_tensor(weight), as_tensor(bias)
    if x.ndim == 0 or bias.ndim != 1 or weight.shape != (*bias.shape, x.shape[-1]):
        raise ShapeError(
            f"affine: x has shape {x.shape}, the weight {weight.shape}, the bias {bias.shape}; "
            "expected (..., I), (O, I) and (O,)"
        )
    if slope < 0:
        raise ConfigError(f"affine: slope is {slope:g}; it must not be negative, since the derivative is read off y")
    if activation not in ACTIVATIONS:
        raise ConfigError(f"affine: unknown activation {activation!r}; known are {', '.join(ACTIVATIONS)}")
    return _affine(x, weight, bias, activation=activation, slope=SLOPES.get(activation, float(slope)))


# -- einsum -----------------------------------------------------------------------------------------------------------


def _einsum_domain(rng, side):
    spec = ("ij,jk->ik", "ij,ij->", "bij,bjk->bik", "ij->ji", "i,j->ij", "ij->j", "ij,jk,k->i")[rng.integers(7)]
    length = {letter: int(rng.integers(1, side + 1)) for letter in "ijkb"}
    operands = spec.split("->")[0].split(",")
    return tuple(REAL.draw(rng, tuple(length[c] for c in letters)) for letters in operands), {"spec": spec}


def _einsum_rule(g, out, *operands, spec, position):
    """Exchange the operand with the output; letters that only it had (they were summed) come back as ones."""
    inputs, result = spec.split("->")
    inputs = inputs.split(",")
    mine = inputs[position]
    others = [(letters, x) for i, (letters, x) in enumerate(zip(inputs, operands, strict=True)) if i != position]
    others = [(result, g), *others]
    known = set("".join(letters for letters, _ in others))
    others += [(c, np.ones(n, g.dtype)) for c, n in zip(mine, operands[position].shape, strict=True) if c not in known]
    return _einsum(*(x for _, x in others), spec=",".join(letters for letters, _ in others) + "->" + mine)


@primitive(vjp=_einsum_rule, domain=Domain(_einsum_domain), name="einsum")
def _einsum(*operands, spec):
    return np.einsum(spec, *operands, optimize=True)


def einsum(subscripts, *operands):
    """Return the Einstein sum, as np.einsum, for subscripts without ellipsis and without a letter twice in one operand.

    The pullback of an operand is the Einstein sum with that operand and the output exchanged.
    """
    spec = subscripts.replace(" ", "")
    inputs, arrow, result = spec.partition("->")
    letters = inputs.replace(",", "")
    if not arrow:  # NumPy's rule: the letters that occur once, in alphabetical order
        result = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    if not letters.isalpha() or any(len(set(part)) != len(part) for part in inputs.split(",")):
        raise ShapeError(
            f"einsum: cannot read {subscripts!r}; expected letters, commas and one '->', no '...', and no letter twice "
            "in one operand (take a diagonal by indexing)"
        )
    return _einsum(*operands, spec=f"{inputs}->{result}")
