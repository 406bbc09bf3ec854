"""What happens when a comparison fails: confirm it, find the element, name the mistake."""

from typing import Any

import numpy as np

from minigan.checking.compare import Comparer, Comparison
from minigan.checking.conduct import Fault
from minigan.checking.diagnosis import diagnose
from minigan.checking.directions import nearby, sizes_of
from minigan.checking.localise import Evidence, gather
from minigan.checking.subject import Subject
from minigan.checking.whatif import WhatIf

DISTANCE = 2.0**-9  # of a nearby point, relative to the size of the input


class Investigation:
    """One failed comparison, and what it comes from.

    Parameters
    ----------
    subject, comparer, comparison, v
        What failed: `comparison`, by `comparer`, along the direction `v`.
    rng : numpy.random.Generator
    first_call : tuple
        Another point, and the gradient that the very first call returned there (or None).

    Attributes
    ----------
    measured : list of Comparison
        Elements measured on the way.
    shown : Comparison or None
        The one to show: the worst element, or the direction.
    notes : list of str
    """

    def __init__(
        self,
        subject: Subject,
        comparer: Comparer,
        comparison: Comparison,
        v: np.ndarray,
        rng: np.random.Generator,
        first_call: tuple[list[Any], list[Any] | None],
    ):
        self.subject, self.comparer, self.v, self.rng = subject, comparer, v, rng
        self.shown: Comparison = comparison
        self.argument = comparison.argument
        self.first_call = first_call
        self.measured: list[Comparison] = []
        self.notes: list[str] = []

    def run(self) -> Fault | None:
        """Return what is wrong, or None if the failure was no failure."""
        if not self._confirmed():
            return None
        evidence = gather(self.comparer, self.argument, self.v)
        self.measured = evidence.comparisons
        if not evidence.bad.any():
            return self._no_element_to_blame(evidence)
        index = evidence.worst()
        self.shown = next((c for c in evidence.comparisons if c.index == index), self.shown)
        if self._was_right_at_first(evidence):
            return Fault("stale", "right at the first call, wrong at the next, with other inputs", self.argument)
        what_if = WhatIf(self.subject, self.comparer, self.argument, self.rng)
        return Fault(diagnose(evidence, what_if), "", self.argument)

    # -- is it true? --------------------------------------------------------------------------------------------
    def _confirmed(self) -> bool:
        """Measure again on other points, at every scale; and ask whether the claim's own rounding explains it."""
        if not np.isfinite(self.shown.claimed):
            return True
        if self.shown.index is None:
            again = self.comparer.along(self.argument, self.v, careful=True)
        else:
            again = self.comparer.coordinate(self.argument, self.shown.index, careful=True)
        return not again.agrees and not self.comparer.hidden(again) and not self._rounding_explains(again)

    def _rounding_explains(self, comparison: Comparison) -> bool:
        """Ask for the claim at inputs a few roundings away: what it scatters by is no mistake of calculus.

        Only where the difference is tiny beside the slopes seen and f itself: a difference quotient scatters too.
        """
        off = abs(comparison.claimed - comparison.numerical.value)
        index, claims = comparison.index, [comparison.claimed]
        length = 1.0 if index is None else float(sizes_of(self.comparer.inputs[self.argument])[index])
        slopes = [w.fit.secant / length for w in comparison.numerical.windows]
        if not off <= 1e-10 * max(self.comparer.size / length, comparison.scale, *slopes):
            return False
        for _ in range(4):
            x = self.comparer.inputs[self.argument]
            moved = self.comparer.moved(
                self.argument, x * (1 + np.finfo(float).eps * self.rng.integers(-2, 3, x.shape))
            )
            if moved is not None:
                g = moved.gradients[self.argument]
                claims.append(float(np.sum(g * self.v) if index is None else g[index]))
        return off <= comparison.margin + 4 * float(np.ptp(claims))

    def _no_element_to_blame(self, evidence: Evidence) -> Fault | None:
        """A direction fails, every element agrees: kinks that cancel along it, or elements too noisy to tell."""
        i = self.argument
        if evidence.kinks.any():
            self.notes.append(f"{int(evidence.kinks.sum())} elements of {self.subject.name(i)} lie on kinks")
            moved = self._nearby(DISTANCE)
            if moved is None or self._remembers(moved) or moved.agrees_along_two(i, self.rng):
                return None
        elif self.comparer.agrees_along_two(i, self.rng):
            return None
        return Fault("unknown", "no single element could be blamed", i)

    # -- what is it? --------------------------------------------------------------------------------------------
    def _was_right_at_first(self, evidence: Evidence) -> bool:
        inputs, gradients = self.first_call
        if gradients is None or evidence.kinks.any():
            return False
        shapes = [None if g is None else g.shape for g in gradients]
        if shapes != [inputs[i].shape for i in self.subject.argnums]:
            return False
        early = Comparer(self.subject, inputs, self.comparer.cotangents, gradients)
        worst = evidence.worst()
        if worst is None or not early.agrees_along_two(self.argument, self.rng):
            return False
        there = early.coordinate(self.argument, worst)
        return there.agrees and not there.weak

    def _nearby(self, distance: float) -> Comparer | None:
        x = self.comparer.inputs[self.argument]
        return self.comparer.moved(self.argument, nearby(self.rng, x, distance))

    def _remembers(self, moved: Comparer) -> bool:
        """Whether the claim is the same at another point, so that nothing follows from what it is worth there."""
        return np.array_equal(moved.gradients[self.argument], self.comparer.gradients[self.argument])
