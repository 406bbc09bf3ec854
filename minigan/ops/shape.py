"""Operations that move elements and change none of them: each pullback moves the cotangent back."""

import numpy as np

from minigan.domains import REAL, Domain, broadcastable_shapes, elementwise, random_shape
from minigan.engine import Tensor, as_tensor, primitive
from minigan.errors import DTypeError, MiniganError, ShapeError
from minigan.lowerings import Elementwise, Pieces


# Views need no lowering; the one here is for a compiled step where x was replaced by what its reference computes.
@primitive(vjp=(lambda g, out, x: g,), domain=elementwise(REAL), lowering=Pieces(lambda out, x: [out]))
def alias(x):
    """Return x as a tensor of its own identity: the same values, the same memory."""
    return x.view()


@primitive(
    vjp=(lambda g, out, x, dtype: g,),  # the engine casts a cotangent to its primal's dtype
    domain=Domain(lambda rng, side: (elementwise(REAL).sample(rng, side)[0], {"dtype": np.dtype("float64")})),
    lowering=Elementwise("x"),
)
def astype(x, *, dtype):
    """Return a copy of x, in C order, with another dtype."""
    return x.astype(dtype, order="C")


def _reshape_domain(rng, side):
    shape = random_shape(rng, side)
    target = tuple(int(n) for n in rng.permutation(shape))
    return (REAL.draw(rng, shape),), {"shape": target if rng.random() < 0.5 or 0 in shape else (-1,)}


@primitive(
    vjp=(lambda g, out, x, shape: reshape(g, x.shape),),
    domain=Domain(_reshape_domain),
    lowering=Pieces(lambda out, x, shape: [out.reshape(x.shape)]),  # where it is no view
    name="reshape",
)
def _reshape(x, *, shape):
    return x.reshape(shape)


def reshape(x, *shape):
    """Return the same elements in another shape, in C order; one length may be -1."""
    shape = shape[0] if len(shape) == 1 and not isinstance(shape[0], int | np.integer) else shape
    x = as_tensor(x)
    try:
        return _reshape(x, shape=tuple(int(n) for n in shape))
    except MiniganError:
        raise
    except ValueError as error:
        raise ShapeError(f"reshape: {x.size} elements of shape {x.shape} do not fit into shape {shape}") from error


def _transpose_domain(rng, side):
    shape = random_shape(rng, side)
    return (REAL.draw(rng, shape),), {"axes": tuple(int(a) for a in rng.permutation(len(shape)))}


@primitive(
    vjp=(lambda g, out, x, axes: _transpose(g, axes=tuple(int(a) for a in np.argsort(axes))),),
    domain=Domain(_transpose_domain),
    name="transpose",
)
def _transpose(x, *, axes):
    return x.transpose(axes)


def transpose(x, *axes):
    """Return x with its axes permuted, reversed if no `axes` are given. A view.  The pullback permutes back."""
    x = as_tensor(x)
    axes = axes[0] if len(axes) == 1 and not isinstance(axes[0], int | np.integer) else axes
    if axes is None or len(axes) == 0:
        axes = range(x.ndim)[::-1]
    return _transpose(x, axes=np.lib.array_utils.normalize_axis_tuple(tuple(axes), x.ndim))


def swapaxes(x, axis1, axis2):
    """Return x with two axes exchanged. A view."""
    x = as_tensor(x)
    axes = list(range(x.ndim))
    axes[axis1], axes[axis2] = axes[axis2], axes[axis1]
    return _transpose(x, axes=tuple(axes))


def _broadcast_domain(rng, side):
    small, _ = broadcastable_shapes(rng, 2, side)
    lead = random_shape(rng, 2, dims=int(rng.integers(0, 2)), least=1)
    full = tuple(int(rng.integers(1, side + 1)) if n == 1 else n for n in small)
    return (REAL.draw(rng, small),), {"shape": lead + full}


@primitive(vjp=(lambda g, out, x, shape: g,), domain=Domain(_broadcast_domain), name="broadcast_to")
def _broadcast_to(x, *, shape):  # its rule is the identity: the engine sums over what was repeated
    return np.broadcast_to(x, shape)


def broadcast_to(x, shape):
    """Return a read-only view of x repeated to `shape`.  The pullback sums over the repeats."""
    x = as_tensor(x)
    shape = (shape,) if isinstance(shape, int | np.integer) else shape
    try:
        return _broadcast_to(x, shape=tuple(shape))
    except ValueError as error:
        raise ShapeError(f"broadcast_to: shape {x.shape} does not broadcast to {tuple(shape)}") from error


# -- joining and cutting ------------------------------------------------------------------------------------------


def _concatenate_domain(rng, side):
    shape = random_shape(rng, side, dims=int(rng.integers(1, 4)), least=1)
    axis = int(rng.integers(-len(shape), len(shape)))
    parts = []
    for _ in range(int(rng.integers(1, 4))):
        one = list(shape)
        one[axis] = int(rng.integers(1, side + 1))
        parts.append(REAL.draw(rng, tuple(one)))
    return tuple(parts), {"axis": axis}


def _own_part(g, out, *parts, axis, position):
    start = sum(p.shape[axis] for p in parts[:position])
    index = [slice(None)] * g.ndim
    index[axis] = slice(start, start + parts[position].shape[axis])
    return g[tuple(index)]


def _between_joints(out, *parts, axis):
    return np.split(out, np.cumsum([p.shape[axis] for p in parts])[:-1], axis=axis)


@primitive(vjp=_own_part, domain=Domain(_concatenate_domain), lowering=Pieces(_between_joints), name="concatenate")
def _concatenate(*parts, axis):
    return np.concatenate(parts, axis=axis)


def concatenate(arrays, axis=0):
    """Return the arrays joined along an existing axis (None: all flattened first).

    The pullback cuts the cotangent where they were joined.
    """
    arrays = tuple(arrays)
    if axis is None:
        arrays, axis = tuple(reshape(a, -1) for a in arrays), 0
    if not arrays:
        raise ShapeError("concatenate: got no arrays, expected at least one")
    try:
        return _concatenate(*arrays, axis=axis)
    except MiniganError:
        raise
    except ValueError as error:
        shapes = ", ".join(str(as_tensor(a).shape) for a in arrays)
        raise ShapeError(f"concatenate: shapes {shapes} must agree except along axis {axis}") from error


def stack(arrays, axis=0):
    """Return the arrays, all of one shape, joined along a new axis."""
    tensors = [as_tensor(a) for a in arrays]
    if len({t.shape for t in tensors}) != 1:
        raise ShapeError(f"stack: expected one or more arrays of one shape, got {[t.shape for t in tensors]}")
    at = np.lib.array_utils.normalize_axis_index(axis, tensors[0].ndim + 1)
    return concatenate([reshape(t, (*t.shape[:at], 1, *t.shape[at:])) for t in tensors], axis=at)


def _split_domain(rng, side):
    shape = random_shape(rng, side, dims=int(rng.integers(1, 4)), least=2)
    axis = int(rng.integers(-len(shape), len(shape)))
    return (REAL.draw(rng, shape),), {"at": (1,), "axis": axis}


@primitive(vjp=(lambda g, out, x, at, axis: concatenate(g, axis=axis),), domain=Domain(_split_domain), name="split")
def _split(x, *, at, axis):
    return tuple(np.split(x, at, axis=axis))


def split(x, indices_or_sections, axis=0):
    """Return x cut along `axis`: into equal parts (an int), or before the given positions. A tuple of views."""
    x = as_tensor(x)
    at = indices_or_sections
    if isinstance(at, int | np.integer):
        if at < 1 or x.shape[axis] % at:
            raise ShapeError(f"split: axis {axis} of length {x.shape[axis]} cannot be cut into {at} equal parts")
        at = range(x.shape[axis] // at, x.shape[axis], x.shape[axis] // at)
    return _split(x, at=tuple(at), axis=axis)


# -- indexing -----------------------------------------------------------------------------------------------------


def _index_domain(rng, side):
    shape = random_shape(rng, side, dims=int(rng.integers(1, 4)), least=1)
    n = shape[0]
    choices = (
        (slice(None, None, -1),),
        (..., int(rng.integers(shape[-1]))),
        (None, slice(0, 1)),
        (rng.integers(0, n, size=(3,)),),  # with repeats: the pullback must add, not overwrite
        (rng.random(shape) < 0.5,),
    )
    return (REAL.draw(rng, shape),), {"index": choices[rng.integers(len(choices))]}


@primitive(
    vjp=(lambda g, out, x, index: scatter_add(g, index=index, shape=x.shape),),
    domain=Domain(_index_domain),
    name="getitem",
)
def _getitem(x, *, index):
    return x[index]


def getitem(x, index):
    """Return x[index], with all of NumPy's indexing.  The pullback adds each element where it came from.

    One Tensor of integers as the index is `take` along the first axis.
    """
    if isinstance(index, Tensor) and index.dtype.kind in "iu":
        return take(x, index, axis=0)
    parts = index if isinstance(index, tuple) else (index,)
    return _getitem(x, index=tuple(_plain(part) for part in parts))


def _plain(part):
    """Index arrays become constants of their own: a later change must not reach the recorded equation."""
    if isinstance(part, Tensor):
        if part.dtype.kind == "f":
            raise DTypeError(f"an index has dtype {part.dtype}; make it with mg.tensor(..., dtype=int)")
        return part.numpy()
    return np.array(part) if isinstance(part, np.ndarray | list | tuple | range) else part


def _scatter_domain(rng, side):
    (x,), params = _index_domain(rng, side)
    return (REAL.draw(rng, x[params["index"]].shape),), {**params, "shape": x.shape}


@primitive(
    vjp=(lambda g, out, x, index, shape: _getitem(g, index=index),),
    domain=Domain(_scatter_domain),
    lowering=Pieces(
        lambda out, x, index, shape: [out[index if Ellipsis in index else (*index, ...)]],  # a view, even if 0-d
        filled=True,
        takes=lambda x, index, shape: not any(isinstance(part, np.ndarray | bool | np.bool) for part in index),
    ),
)
def scatter_add(x, *, index, shape):
    """Return zeros of `shape` to which x is added at `index`: the transpose of indexing."""
    out = np.zeros(shape, x.dtype)
    if any(isinstance(part, np.ndarray) for part in index):
        np.add.at(out, index, x)
    else:
        out[index] = x  # slices and integers take no element twice
    return out


def _take_domain(rng, side):
    shape = random_shape(rng, side, dims=int(rng.integers(1, 4)), least=1)
    axis = int(rng.integers(len(shape)))
    indices = rng.integers(-shape[axis], shape[axis], size=random_shape(rng, 2, dims=int(rng.integers(0, 3)), least=1))
    return (REAL.draw(rng, shape), indices), {"axis": axis}


def _put_domain(rng, side):
    (x, indices), params = _take_domain(rng, side)
    axis = params["axis"]
    return (REAL.draw(rng, np.take(x, indices, axis).shape), indices), {"axis": axis, "length": x.shape[axis]}


@primitive(
    vjp=(lambda g, out, x, indices, axis: _put(g, indices, axis=axis, length=x.shape[axis]), None),
    domain=Domain(_take_domain),
    name="take",
)
def _take(x, indices, *, axis):
    return np.take(x, indices, axis)


@primitive(
    vjp=(lambda g, out, x, indices, axis, length: _take(g, indices, axis=axis), None),
    domain=Domain(_put_domain),
    name="put",
)
def _put(x, indices, *, axis, length):
    """Return zeros with this length along `axis`, x added at `indices`: the transpose of `take`."""
    rows = np.moveaxis(x, tuple(range(axis, axis + indices.ndim)), tuple(range(indices.ndim)))
    out = np.zeros((length, *rows.shape[indices.ndim :]), x.dtype)
    np.add.at(out, indices, rows)
    return np.moveaxis(out, 0, axis)


def take(x, indices, axis=None):
    """Return the elements at integer `indices` along `axis` (None: of the flattened x).

    Indices in a Tensor may differ from call to call of a compiled step: a batch is one gather.

    Raises
    ------
    ShapeError
        If the indices are no integers.
    IndexError
        If one of them is out of range.
    """
    x, indices = as_tensor(x), indices if isinstance(indices, Tensor) else np.array(indices)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    if indices.dtype.kind not in "iu":
        raise ShapeError(f"take: indices have dtype {indices.dtype}, expected integers")
    return _take(x, indices, axis=np.lib.array_utils.normalize_axis_index(axis, x.ndim))


def _pad_domain(rng, side):
    shape = random_shape(rng, side)
    return (REAL.draw(rng, shape),), {"width": tuple((int(a), int(b)) for a, b in rng.integers(0, 3, (len(shape), 2)))}


def _inside(padded, x, width):
    return padded[tuple(slice(before, before + n) for (before, _), n in zip(width, x.shape, strict=True))]


@primitive(
    vjp=(lambda g, out, x, width, value=0.0: _inside(g, x, width),),
    domain=Domain(_pad_domain),
    lowering=Pieces(
        lambda out, x, width, value=0.0: [_inside(out, x, width)],
        filled=True,
        takes=lambda x, width, value=0.0: value == 0,
    ),
    name="pad",
)
def _pad(x, *, width, value=0.0):
    return np.pad(x, width, constant_values=value) if width else x.copy()


def pad(x, pad_width, value=0.0):
    """Return x with `value` around it; `pad_width` as in np.pad.  The pullback cuts the frame off."""
    x = as_tensor(x)
    width = np.broadcast_to(np.asarray(pad_width, dtype=int), (x.ndim, 2))
    return _pad(x, width=tuple((int(a), int(b)) for a, b in width), value=value)
