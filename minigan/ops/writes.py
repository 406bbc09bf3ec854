"""Operations that write: every change of a Tensor's memory is one of these, so versions and recordings see it."""

import numpy as np

from minigan.domains import REAL, Domain, random_shape
from minigan.engine import primitive
from minigan.engine.primitive import lift
from minigan.errors import DTypeError, ShapeError
from minigan.kernels import updates
from minigan.kernels.host import PRECISIONS
from minigan.lowerings import Fill, Kernel, Pieces


def _same_shapes(n):
    def draw(rng, side):
        shape = random_shape(rng, side)
        return tuple(REAL.draw(rng, shape) for _ in range(n)), {}

    return Domain(draw, order=0)


@primitive(
    vjp=None,
    domain=_same_shapes(2),
    mutates=(0,),
    lowering=Pieces(lambda target, _, values: [target], first=1),
    name="assign",
)
def _assign(target, values):
    np.copyto(target, values)
    return target


def assign(target, values):
    """Overwrite the values of a leaf in place. What was recorded with the old values can no longer be walked.

    Raises
    ------
    ShapeError
        If `values` does not have the shape of `target`.
    DTypeError
        If `target` holds integers or booleans, and `values` what is none.
    GraphError
        If `target` was computed, or its memory is read-only.
    """
    _, values = lift((target, values))
    if values.shape != target.shape:
        raise ShapeError(f"assign: got values of shape {values.shape} for a tensor of shape {target.shape}")
    if not np.can_cast(values.dtype, target.dtype, "same_kind"):
        raise DTypeError(f"assign: got {values.dtype} for a tensor of {target.dtype}; convert with .astype")
    _assign(target, values)


def _gather_domain(rng, side):
    pieces = [REAL.draw(rng, random_shape(rng, side)) for _ in range(3)]
    return (np.empty(sum(p.size for p in pieces)), *pieces), {}


def _places(flat, _, *pieces):
    ends = np.cumsum([p.size for p in pieces])
    return [flat[end - p.size : end].reshape(p.shape) for end, p in zip(ends, pieces, strict=True)]


@primitive(
    vjp=None,
    domain=Domain(_gather_domain, order=0),
    mutates=(0,),
    lowering=Pieces(_places, first=1),
)
def gather(flat, *pieces):
    """Overwrite a flat array with all elements of the pieces, one after the other."""
    np.concatenate([p.reshape(-1) for p in pieces], out=flat)
    return flat


def _fill_numbers(out, *, source, dtype):
    def fill():
        out[:] = source()

    return fill


@primitive(
    vjp=(),
    domain=Domain(lambda rng, side: ((), {"source": lambda: (1.0, 2.0), "dtype": np.dtype("f8")}), order=0),
    name="numbers",
    lowering=Fill(_fill_numbers),
)
def _numbers(*, source, dtype):
    return np.array(source(), dtype)


def numbers(source, dtype):
    """Return as a Tensor (K,) what Python works out: ``source()``, K numbers that may be others at every step.

    A recording holds the call, not the numbers: learning rates and step counts stay alive in a compiled step.
    """
    return _numbers(source=source, dtype=dtype)


def _update(kernel, states, hyperparameters):
    """Declare an optimiser's update ``update(parameters, gradient, *states, hyperparameters)``: flat, in place."""
    n = 2 + states

    def draw(rng, side):
        (size,) = random_shape(rng, side, dims=1, least=1)
        positive = tuple(np.abs(REAL.draw(rng, (size,))) for _ in range(states))
        return (REAL.draw(rng, (size,)), REAL.draw(rng, (size,)), *positive, np.full(hyperparameters, 0.5)), {}

    @primitive(
        vjp=None,
        domain=Domain(draw, order=0),
        mutates=(0, *range(2, n)),
        lowering=Kernel(kernel),
        name=f"{kernel.__name__}_update",
    )
    def update(*arrays):
        for a in arrays:
            if a.dtype not in PRECISIONS:
                raise DTypeError(f"got an array of dtype {a.dtype}; an update works in place, in float32 or float64")
        kernel(*arrays)
        return arrays[0]

    return update


sgd_update = _update(updates.sgd, states=1, hyperparameters=2)
adam_update = _update(updates.adam, states=2, hyperparameters=6)
rmsprop_update = _update(updates.rmsprop, states=1, hyperparameters=3)
ema_update = _update(updates.ema, states=0, hyperparameters=1)
