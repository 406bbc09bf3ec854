"""Random signed directions and cotangents, scaled so that the check depends on no unit.

A direction of equal lengths everywhere would not feel an element of 1e-6 beside one of 1e6, and a large part of the
gradient hides a small one. So three kinds are drawn in turn: *even* (all elements move by the size of the array),
*relative* (each moves by its own size) and *balanced* (each moves so that it changes the function about equally).
All have random signs: a direction without signs cannot see an error whose elements sum to zero.
"""

import math

import numpy as np

KINDS = ("even", "relative", "balanced")
_LARGEST = 1000.0  # of <g, v>, as a power of two: some room is left below the largest float, 2^1024


def norm(x: np.ndarray) -> float:
    """Return the Euclidean norm of the finite elements, without overflow."""
    finite = np.abs(x[np.isfinite(x)])
    largest = float(np.max(finite, initial=0.0))
    return largest * float(np.sqrt(np.sum((finite / largest) ** 2))) if largest else 0.0


def size_of(x: np.ndarray) -> float:
    """Return the root mean square of the finite elements; 1 if all are zero."""
    return norm(x) / math.sqrt(np.sum(np.isfinite(x))) if np.any(x) else 1.0


def sizes_of(x: np.ndarray) -> np.ndarray:
    """Return the size of each element by itself; zeros have the size of the array."""
    own = np.abs(x)
    return np.where((own > 0) & np.isfinite(own), own, size_of(x))


def signed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Draw numbers with random signs and lengths in [0.5, 1.5]: never near 0, and sums cancel by accident only."""
    return np.asarray(rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape))


def direction(rng: np.random.Generator, kind: str, x: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """Draw a direction for the input `x`, of which a step of 1 is a change of the size of `x` itself.

    Parameters
    ----------
    rng : numpy.random.Generator
    kind : str
        One of `KINDS`.
    x, gradient : float arrays of one shape
        The input and its claimed gradient; non-finite elements of `x` stay where they are.
    """
    sizes = sizes_of(x) if kind == "relative" else np.full(x.shape, size_of(x))
    v = sizes * signed(rng, x.shape)
    if kind == "balanced":
        known = np.abs(np.nan_to_num(gradient, posinf=0.0, neginf=0.0))
        effect = known / (np.max(known, initial=0.0) or 1.0) * sizes  # no overflow, other than of sizes alone
        if np.any(effect > 0):
            level = np.quantile(effect[effect > 0], 0.25)
            v = v * np.minimum(1.0, level / np.maximum(effect, level))
    return np.where(np.isfinite(x), v, 0.0)


def within_range(gradient: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Shorten `v` where <gradient, v> would overflow, though the gradient is finite."""
    if np.isfinite(np.sum(np.abs(gradient * v))) or not np.all(np.isfinite(gradient)):
        return v
    digits = float(np.max(np.log2(np.abs(gradient)) + np.log2(np.abs(v)))) + math.log2(v.size)
    return v * 2.0 ** (_LARGEST - digits)


def cotangent(rng: np.random.Generator, kind: str, y: np.ndarray) -> np.ndarray:
    """Draw weights for the elements of the output `y`; of the kind *relative*, each in units of the element itself."""
    weights, size = signed(rng, y.shape), size_of(y)
    return weights * (size / np.maximum(sizes_of(y), 1e-4 * size)) if kind == "relative" else weights


def nearby(rng: np.random.Generator, x: np.ndarray, distance: float, kind: str = "even") -> np.ndarray:
    """Return a point beside `x`: no element keeps its value, so none stays on a kink."""
    return x + direction(rng, kind, x, x) * distance
