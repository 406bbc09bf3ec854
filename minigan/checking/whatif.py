"""Experiments that tell mistakes apart: what would the claim be right for?

A wrong gradient is often the right one of something else: of another argument, of the transposed input, of a mean over
another number of elements. Each experiment measures that other thing.
"""

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigan.checking.compare import Comparer, Comparison
from minigan.checking.directions import direction, nearby
from minigan.checking.subject import Subject, arrays_used_by, counts_of


class WhatIf:
    """Experiments on the claim for one argument.

    Parameters
    ----------
    subject : Subject
    comparer : Comparer
        Where the claim failed.
    argument : int
    rng : numpy.random.Generator
    """

    def __init__(self, subject: Subject, comparer: Comparer, argument: int, rng: np.random.Generator):
        self.subject, self.comparer, self.argument, self.rng = subject, comparer, argument, rng
        self.claimed = comparer.gradients[argument]

    def another_argument(self) -> bool:
        """Whether the claim for another argument, wrong there, is right here."""
        i, gradients = self.argument, self.comparer.gradients
        for j, other in gradients.items():
            if j == i or other.shape != self.claimed.shape or self.comparer.agrees_along_two(j, self.rng):
                continue
            exchanged = Comparer(
                self.subject, self.comparer.inputs, self.comparer.cotangents, [*{**gradients, i: other}.values()]
            )
            if exchanged.agrees_along_two(i, self.rng):
                return True
        return False

    def other_axis(self) -> bool:
        """Whether the claim, up to a factor, is right once two axes of the input are exchanged: it sums over the other.

        Inputs of the same shape (targets, labels) are turned with it, where the function needs that.
        """
        x = self.comparer.inputs[self.argument]
        companions = [i for i, other in enumerate(self.comparer.inputs) if np.shape(other) == x.shape]
        for a, b in itertools.combinations(range(x.ndim), 2):
            turn = functools.partial(_turn, a=a, b=b)
            if any(self._has_one_ratio(turned, turn) for turned in ([self.argument], companions)):
                return True
        return False

    def another_input_transposed(self) -> bool:
        """Whether the claim is right once another square input is transposed: a weight used without its .T."""
        for j, x in enumerate(self.comparer.inputs):
            if (
                j != self.argument
                and _is_square(x)
                and self._has_one_ratio([j], functools.partial(_turn, a=0, b=1), exactly=True)
            ):
                return True
        return False

    def with_the_other_transpose(self) -> Iterator[np.ndarray]:
        """Yield the claim with a factor W exchanged for W^T or the other way round, for each square W that f uses."""
        own = self.comparer.inputs[self.argument]
        for w in [*self.comparer.inputs, *arrays_used_by(self.subject.f)]:
            if w is own or not _is_square(w) or self.claimed.ndim == 0:
                continue
            w = np.asarray(w, dtype=float)
            for used, right in ((w, w.T), (w.T, w)):
                try:
                    exchange = np.linalg.solve(used, right)  # (g W) W^-1 W^T
                    if self.claimed.shape[-1] == len(w):
                        yield self.claimed @ exchange
                    if self.claimed.shape[0] == len(w):
                        yield np.linalg.solve(used.T, right.T).T @ self.claimed  # W^T W^-1 (W g)
                except np.linalg.LinAlgError:  # singular
                    continue

    def depends_on_the_count(self, ratio: float) -> bool | None:
        """Whether claimed / numerical is another when every axis of the data is twice as long; None if f refuses."""
        repeated = [np.tile(x, (2,) * x.ndim) if isinstance(x, np.ndarray) else x for x in self.comparer.inputs]
        try:
            if [y.shape for y in self.subject.values(repeated)] != [np.shape(c) for c in self.comparer.cotangents]:
                return None
            gradients = self.subject.gradients(repeated, self.comparer.cotangents)
            comparer = Comparer(self.subject, repeated, self.comparer.cotangents, gradients)
            ratios = list(self._ratios(comparer))
        except (ArithmeticError, ValueError, IndexError, TypeError):
            return None
        return bool(ratios) and not np.allclose(ratios, ratio, rtol=1e-3)

    def same_ratio_elsewhere(self, ratio: float) -> bool:
        """Whether claimed / numerical is the same at another point; a claim that is a constant tells nothing."""
        moved = self.comparer.moved(self.argument, nearby(self.rng, self.comparer.inputs[self.argument], 0.1))
        if moved is None or np.array_equal(moved.gradients[self.argument], self.claimed):
            return True
        return np.allclose(list(self._ratios(moved)), ratio, rtol=1e-4)

    def mixes_slices(self, axis: int) -> bool:
        """Whether the first slice along an axis changes the claim for the last one, but not its true value."""
        x = self.comparer.inputs[self.argument].copy()
        first, last = ((slice(None),) * axis + (i,) for i in (0, -1))
        x[first] = nearby(self.rng, x[first], 0.1)
        moved = self.comparer.moved(self.argument, x)
        if moved is None:
            return False
        within = np.zeros(x.shape)
        within[last] = np.abs(self.claimed[last])
        largest = tuple(int(k) for k in np.unravel_index(np.argmax(within), x.shape))
        before, after = (c.coordinate(self.argument, largest) for c in (self.comparer, moved))
        changed = abs(before.claimed - after.claimed) > 1e-6 * abs(before.claimed)
        return changed and abs(before.numerical.value - after.numerical.value) <= before.margin + after.margin

    def counts(self) -> set[int]:
        """Return the numbers of elements that a mean may run over."""
        return counts_of(self.subject)

    def _has_one_ratio(self, changed: list[int], change: Callable[[Any], np.ndarray], *, exactly: bool = False) -> bool:
        """Whether the claim fits, up to a factor, the function at inputs that are `changed`; the claim with them."""
        inputs = [change(x) if i in changed else x for i, x in enumerate(self.comparer.inputs)]
        gradients = [change(g) if i in changed else g for i, g in self.comparer.gradients.items()]
        try:
            comparer = Comparer(self.subject, inputs, self.comparer.cotangents, gradients)
            measured = [self._along(comparer) for _ in range(3)] if np.isfinite(comparer.at_zero) else []
        except (ArithmeticError, ValueError, IndexError, TypeError):
            return False
        if not measured or any(c.weak for c in measured):
            return False
        ratio = 1.0 if exactly else measured[0].claimed / measured[0].numerical.value
        return abs(ratio) > 1e-9 and all(
            abs(c.claimed - ratio * c.numerical.value) <= 2 * (1 + abs(ratio)) * c.margin for c in measured
        )

    def _ratios(self, comparer: Comparer) -> Iterator[float]:
        """Yield claimed / numerical along three directions, where both are beyond doubt."""
        for _ in range(3):
            c = self._along(comparer)
            if not c.weak and c.margin < 1e-6 * abs(c.numerical.value):
                yield c.claimed / c.numerical.value

    def _along(self, comparer: Comparer) -> Comparison:
        x, g = comparer.inputs[self.argument], comparer.gradients[self.argument]
        return comparer.along(self.argument, direction(self.rng, "even", x, g))


def _is_square(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.ndim == 2 and x.dtype.kind in "fiu" and x.shape[0] == x.shape[1] > 1


def _turn(x: np.ndarray, a: int, b: int) -> np.ndarray:
    return np.ascontiguousarray(np.swapaxes(x, a, b))
