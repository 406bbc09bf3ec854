"""What comes in: checked, and turned into plain NumPy arrays."""

import numpy as np

from minigan.errors import DataError, ShapeError


def as_samples(name, x, features):
    """Return samples as a float array ``(N, features)``; rows that hold NaN or infinity are left out.

    Parameters
    ----------
    name : str
        What the array is, for error messages.
    x : (N, features) array or Tensor
        Samples; ``(N,)`` is taken too where `features` is 1.
    features : int
        Numbers in a sample.

    Raises
    ------
    ShapeError
        If the array has another shape.
    DataError
        If no finite sample is left.
    """
    array = np.asarray(x, dtype=float)
    if features == 1 and array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != features:
        raise ShapeError(f"{name}: has shape {np.shape(x)}, expected (N, {features}): one sample in each row")
    finite = array[np.isfinite(array).all(axis=1)]
    if len(finite) == 0:
        raise DataError(f"{name}: none of the {len(array)} samples is finite, nothing can be drawn")
    return finite


def evaluate(name, function, points, shape):
    """Call a user's function on points and check the shape of what comes back.

    The points are handed over in float32, the type that networks are trained in.

    Parameters
    ----------
    name : str
        What the function is, for error messages.
    function : callable
        Takes ``(N, d)`` float32.
    points : (N, d) array
        Where to evaluate.
    shape : tuple
        Expected shape of the result; a trailing axis of length 1 may come on top.

    Raises
    ------
    ShapeError
        If the result has another shape.
    """
    result = np.asarray(function(points.astype(np.float32)), dtype=float)
    if result.shape not in (shape, (*shape, 1)):
        raise ShapeError(f"{name}: returned shape {result.shape} for points {points.shape}, expected {shape}")
    return result.reshape(shape)


def probability(logit):
    """Return ``sigmoid(logit) = 1 / (1 + exp(-logit))``, written with tanh so that it cannot overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * logit))
