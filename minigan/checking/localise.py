"""From a direction in which a gradient fails to the elements that are wrong.

A small array is measured element by element. In a large one, bisection of the direction finds one wrong element
in log2(n) comparisons; then a sub-grid of at most `GRID` elements around it is measured, so that the cost is bounded
whatever the size of the array.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from minigan.checking.compare import Comparer, Comparison

WHOLE = 128  # arrays of at most so many elements are measured whole
GRID = 64  # elements measured of a larger array


@dataclass(frozen=True)
class Evidence:
    """Claimed and numerical gradient on a sub-grid of one argument: what the diagnosis is made from.

    Attributes
    ----------
    argument : int
    claimed : array
        The whole claimed gradient.
    grid : tuple of 1-D integer arrays
        Which indices were measured along each axis; ``claimed[np.ix_(*grid)]`` belongs to `numerical`.
    numerical, error : arrays of the shape of the grid
        The numerical gradient and the margin of each element: outside it, a claim is wrong.
    kinks : boolean array of the shape of the grid
        Where the left and the right derivative differ.
    others : dict
        The claimed gradients of the other arguments.
    only : tuple of int or None
        Index of the only wrong element, if the comparison of all the others agreed (large arrays).
    slice_axis : int or None
        Axis along which one slice holds all that is wrong, if the comparison of the rest agreed (large arrays).
    comparisons : list of Comparison
        One per element of the grid, in order.
    """

    argument: int
    claimed: np.ndarray
    grid: tuple[np.ndarray, ...]
    numerical: np.ndarray
    error: np.ndarray
    kinks: np.ndarray
    others: dict[int, np.ndarray]
    only: tuple[int, ...] | None = None
    slice_axis: int | None = None
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every element was measured."""
        return self.numerical.shape == self.claimed.shape

    def on_grid(self, array: np.ndarray) -> np.ndarray:
        """Return the part of an array of the argument's shape that was measured."""
        return array[np.ix_(*self.grid)] if self.grid else array

    @property
    def bad(self) -> np.ndarray:
        """Where the claim lies outside the margin."""
        off = np.abs(self.on_grid(self.claimed) - self.numerical) > self.error
        return off | ~np.isfinite(self.on_grid(self.claimed))

    def worst(self) -> tuple[int, ...] | None:
        """Return the index of the element furthest outside its margin, None if none is."""
        if not self.bad.any():
            return None
        distance = np.abs(self.on_grid(self.claimed) - self.numerical)
        distance = np.where(np.isnan(distance), np.inf, distance)
        flat = int(np.argmax(np.where(self.bad, distance, -1.0)))
        place = np.unravel_index(flat, self.numerical.shape)
        return tuple(int(axis[p]) for axis, p in zip(self.grid, place, strict=True))


def gather(comparer: Comparer, argument: int, v: np.ndarray) -> Evidence:
    """Measure the gradient of one argument around what fails along the direction `v`."""
    shape = comparer.gradients[argument].shape
    if comparer.gradients[argument].size <= WHOLE:
        return _measure(comparer, argument, tuple(np.arange(n) for n in shape))
    found = bisect(comparer, argument, v)
    evidence = _measure(comparer, argument, _grid_around(shape, found))
    if comparer.coordinate(argument, found).agrees:
        return evidence
    only, slice_axis = _alone(comparer, argument, v, found)
    return replace(evidence, only=only, slice_axis=slice_axis)


def bisect(comparer: Comparer, argument: int, v: np.ndarray) -> tuple[int, ...]:
    """Halve the direction `v` until one element remains that fails."""
    low, high = 0, v.size
    while high - low > 1:
        middle = (low + high) // 2
        half = np.zeros(v.size)
        half[low:middle] = v.ravel()[low:middle]
        if comparer.along(argument, half.reshape(v.shape)).agrees:
            low = middle
        else:
            high = middle
    return tuple(int(i) for i in np.unravel_index(low, v.shape))


def _alone(
    comparer: Comparer, argument: int, v: np.ndarray, found: tuple[int, ...]
) -> tuple[tuple[int, ...] | None, int | None]:
    """Whether everything agrees once the element, or one slice through it, is left out of the direction."""
    without = v.copy()
    without[found] = 0.0
    if comparer.along(argument, without).agrees:
        return found, None
    for axis, i in enumerate(found):
        without = v.copy()
        without[(slice(None),) * axis + (i,)] = 0.0
        if v.ndim > 1 and comparer.along(argument, without).agrees:
            return None, axis
    return None, None


def _grid_around(shape: tuple[int, ...], found: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Choose evenly spaced indices along each axis, the element itself among them: at most `GRID` elements in all."""
    lengths = [1] * len(shape)
    while True:  # lengthen the shortest axis that still can be, while the product allows
        axes = [a for a in range(len(shape)) if lengths[a] < shape[a]]
        axes = [a for a in axes if np.prod(lengths) // lengths[a] * (lengths[a] + 1) <= GRID]
        if not axes:
            break
        lengths[min(axes, key=lambda a: lengths[a])] += 1
    grid = []
    for n, length, i in zip(shape, lengths, found, strict=True):
        chosen = np.unique(np.linspace(0, n - 1, length).round().astype(int))
        chosen[np.argmin(np.abs(chosen - i))] = i
        grid.append(np.unique(chosen))
    return tuple(grid)


def _measure(comparer: Comparer, argument: int, grid: tuple[np.ndarray, ...]) -> Evidence:
    shape = tuple(len(axis) for axis in grid)
    comparisons = []
    for place in np.ndindex(*shape):
        index = tuple(int(axis[p]) for axis, p in zip(grid, place, strict=True))
        comparisons.append(comparer.coordinate(argument, index))
    return Evidence(
        argument=argument,
        claimed=comparer.gradients[argument],
        grid=grid,
        numerical=np.array([c.numerical.value for c in comparisons]).reshape(shape),
        error=np.array([c.margin for c in comparisons]).reshape(shape),
        kinks=np.array([c.numerical.kink for c in comparisons]).reshape(shape),
        others={i: g for i, g in comparer.gradients.items() if i != argument},
        comparisons=comparisons,
    )
