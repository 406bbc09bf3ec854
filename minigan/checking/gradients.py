"""Check a gradient against numerical derivatives: the public `check_gradients` and its course of action."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigan.checking import conduct
from minigan.checking.compare import Comparer, Comparison
from minigan.checking.conduct import Fault
from minigan.checking.diagnosis import common_ratio, diagnose
from minigan.checking.directions import KINDS, cotangent, direction, nearby
from minigan.checking.localise import Evidence, gather
from minigan.checking.report import GradientReport
from minigan.checking.second import second_order
from minigan.checking.subject import PlainFunction, Subject, TensorFunction, counts_of
from minigan.errors import GradientCheckError, ShapeError

_COORDINATES = 64  # inputs of at most so many elements in all are checked element by element as well
_DISTANCE = 2.0**-9  # of the nearby point, relative to the size of the input


def check_gradients(
    f: Callable,
    *inputs: Any,
    grad: Callable | None = None,
    order: int = 1,
    directions: int = 3,
    seed: int | None = None,
    raise_on_failure: bool = True,
) -> GradientReport:
    """Prove or refute a gradient by numerical directional derivatives, and say what is wrong with it.

    Along random signed directions v, the claim ``<g, v>`` must lie within the error estimate of the numerical
    derivative; no tolerance is set by hand. The number of evaluations does not depend on the number of elements,
    until a check fails: then the argument, the index and the likely mistake are looked for.

    Parameters
    ----------
    f : callable
        Without `grad`: a function of Tensors that returns a Tensor of any shape, or a tuple of them. With `grad`: a
        function of NumPy arrays that returns a number.
    *inputs : arrays, numbers or Tensors
        Where to check. Floats are differentiated, in float64; integers, booleans and other objects are constants.
    grad : callable, optional
        The hand-derived gradient: a function of the same inputs that returns one array per input (None where f does
        not depend on it), bare where there is one input.
    order : {1, 2}
        2 checks the gradient of the gradient as well: for Tensors, ``<grad f, u>`` with random u as a function of its
        own; for NumPy, that the Jacobian of `grad` is symmetric and is the second derivative of f.
    directions : int
        Random directions per argument; three kinds of scaling are used in turn.
    seed : int, optional
        Replays a check; fresh by default, and always in the report.
    raise_on_failure : bool
        Raise, or return the report with ``ok=False``.

    Returns
    -------
    GradientReport

    Raises
    ------
    GradientCheckError
        If the gradient is refuted; the report is its attribute ``.report``.
    ShapeError, DTypeError
        If f or the inputs are nothing that has a gradient.

    Notes
    -----
    The method is described in ``docs/checker.md``.

    Examples
    --------
    >>> import numpy as np
    >>> report = check_gradients(lambda x: np.sum(x**3), np.array([1.0, 2.0]), grad=lambda x: -3 * x**2,
    ...                          raise_on_failure=False)
    >>> report.diagnosis
    'sign'
    """
    if order not in (1, 2):
        raise ValueError(f"check_gradients: got order={order!r}, expected 1 or 2")
    if not isinstance(directions, int) or directions < 1:
        raise ValueError(f"check_gradients: got directions={directions!r}, expected a positive number of directions")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
    subject = TensorFunction(f, inputs) if grad is None else PlainFunction(f, grad, inputs)
    report = _Check(subject, directions, seed).run()
    if report.ok and order == 2:
        report = second_order(subject, report, lambda s: _Check(s, directions, seed).run())
    if not report.ok and raise_on_failure:
        error = GradientCheckError(str(report))
        error.report = report  # type: ignore[attr-defined]
        raise error
    return report


class _Check:
    """One check at order 1: the steps in order, and what they found."""

    def __init__(self, subject: Subject, directions: int, seed: int):
        self.subject = subject
        self.directions = directions
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.comparisons: list[Comparison] = []
        self.notes: list[str] = []

    def run(self) -> GradientReport:
        subject = self.subject
        outputs = subject.values(subject.inputs)
        if not all(np.all(np.isfinite(y)) for y in outputs):
            return self._refuted(
                Fault("unknown", "f is not finite at the inputs given: there is nothing to differentiate")
            )
        self.arguments = [i for i in subject.argnums if subject.inputs[i].size]
        fault = conduct.same_value_twice(subject) or conduct.inputs_kept(subject)
        if fault:
            return self._refuted(fault)
        cotangents = self._cotangents("even", outputs)
        try:
            gradients = subject.gradients(subject.inputs, cotangents)
        except ShapeError as error:
            if isinstance(subject, PlainFunction):
                return self._refuted(Fault("wrong_shape", str(error)))
            raise
        fault = conduct.inputs_kept(subject) or self._shape_fault(gradients, cotangents)
        fault = fault or conduct.dtype_in_original_precision(subject)
        fault = fault or conduct.gradient_repeats(subject, self._elsewhere(), cotangents, gradients)
        fault = fault or conduct.inputs_kept(subject)
        if fault:
            return self._refuted(fault)
        return self._numbers(outputs, cotangents, gradients) or self._passed()

    # -- conduct ------------------------------------------------------------------------------------------------
    def _shape_fault(self, gradients: list, cotangents: list) -> Fault | None:
        fault = conduct.shapes_and_dtypes(self.subject, gradients)
        if fault is None or fault.diagnosis != "wrong_shape":
            return fault
        exchanged = self._exchanged(gradients, cotangents)
        if exchanged is not None:
            return Fault("argument_swapped", f"{fault.sentence}; in another order, the gradients are right", exchanged)
        return fault

    def _exchanged(self, gradients: list, cotangents: list) -> int | None:
        """Return an argument if some order of the gradients has the right shapes, and is right."""
        argnums, inputs = self.subject.argnums, self.subject.inputs
        shapes = [None if g is None else g.shape for g in gradients]
        for a in range(len(argnums)):
            for b in range(a + 1, len(argnums)):
                order = list(range(len(argnums)))
                order[a], order[b] = b, a
                if all(shapes[k] == inputs[i].shape for k, i in zip(order, argnums, strict=True)):
                    comparer = self._comparer(inputs, cotangents, [gradients[k] for k in order])
                    if self._agrees_along(comparer, argnums[a]) and self._agrees_along(comparer, argnums[b]):
                        return argnums[a]
        return None

    def _elsewhere(self) -> list:
        """Return another point: every differentiated input moved a little."""
        moved = list(self.subject.inputs)
        for i in self.arguments:
            moved[i] = nearby(self.rng, moved[i], _DISTANCE)
        return moved

    # -- numbers ------------------------------------------------------------------------------------------------
    def _numbers(self, outputs: list, cotangents: list, gradients: list) -> GradientReport | None:
        comparer = self._comparer(self.subject.inputs, cotangents, gradients)
        suspects = []  # (comparer, comparison, direction)
        for draw in range(self.directions):
            kind = KINDS[draw % len(KINDS)]
            if draw and outputs[0].shape + outputs[-1].shape != ():  # a number has one cotangent
                cotangents = self._cotangents(kind, outputs)
                comparer = self._comparer(
                    self.subject.inputs, cotangents, self.subject.gradients(self.subject.inputs, cotangents)
                )
            if draw == 0:
                first = comparer
            for i in self.arguments:
                v = direction(self.rng, kind, self.subject.inputs[i], comparer.gradients[i])
                comparison = comparer.along(i, v, kind)
                self.comparisons.append(comparison)
                if not comparison.agrees:
                    suspects.append((comparer, comparison, v))
        suspects += self._coordinates(first)
        for suspect in suspects:
            report = self._investigate(*suspect)
            if report is not None:
                return report
        return self._elsewhere_too(first) or self._layout(first)

    def _coordinates(self, comparer: Comparer) -> list:
        if sum(self.subject.inputs[i].size for i in self.arguments) > _COORDINATES:
            return []
        suspects = []
        for i in self.arguments:
            for index in np.ndindex(*self.subject.inputs[i].shape):
                comparison = comparer.coordinate(i, index)
                self.comparisons.append(comparison)
                if not comparison.agrees:
                    v = np.zeros(self.subject.inputs[i].shape)
                    v[index] = 1.0
                    suspects.append((comparer, comparison, v))
        return suspects

    def _elsewhere_too(self, comparer: Comparer) -> GradientReport | None:
        """Check at a nearby point: a gradient remembered from the first call is wrong there.

        Also decides where nothing could be decided, since the inputs lie on a kink.
        """
        for i in self.arguments:
            inputs = list(self.subject.inputs)
            inputs[i] = nearby(self.rng, inputs[i], _DISTANCE)
            undecided = all(c.weak for c in self.comparisons if c.argument == i)
            kinks = [c.numerical for c in self.comparisons if c.argument == i and c.numerical.kink]
            if kinks:
                self.notes.append(
                    f"the input {self.subject.name(i)} lies on a kink (derivatives {kinks[0].left:.4g} from the left, "
                    f"{kinks[0].right:.4g} from the right); checked at a nearby point as well"
                )
            comparison = self._nearby_comparison(comparer, inputs, i)
            if comparison is None:
                continue
            moved, v, here = comparison
            remembered = np.array_equal(moved.gradients[i], comparer.gradients[i])
            if not here.agrees and remembered and not moved.along(i, v, careful=True).agrees:
                return self._refuted(
                    Fault("stale", "the gradient is the same at another point, where it is wrong", i), here
                )
            if undecided and kinks:
                self.comparisons.append(here)
                if not here.agrees:
                    return self._investigate(moved, here, v)
        return None

    def _nearby_comparison(self, comparer: Comparer, inputs: list, i: int):
        try:
            with np.errstate(all="ignore"):
                if not all(np.all(np.isfinite(y)) for y in self.subject.values(inputs)):
                    return None
                moved = self._comparer(inputs, comparer.cotangents, self.subject.gradients(inputs, comparer.cotangents))
        except (ArithmeticError, ValueError):
            return None
        v = direction(self.rng, "even", inputs[i], moved.gradients[i])
        return moved, v, moved.along(i, v)

    def _layout(self, comparer: Comparer) -> GradientReport | None:
        gradients = [comparer.gradients[i] for i in self.subject.argnums]
        fault = conduct.layout_ignored(self.subject, comparer.cotangents, gradients)
        return self._refuted(fault) if fault else None

    # -- when something fails -----------------------------------------------------------------------------------
    def _investigate(self, comparer: Comparer, comparison: Comparison, v: np.ndarray) -> GradientReport | None:
        """Confirm, locate and diagnose a comparison that failed; None if it was a false alarm."""
        i = comparison.argument
        if np.isfinite(comparison.claimed):
            again = (
                comparer.along(i, v, careful=True)
                if comparison.index is None
                else comparer.coordinate(i, comparison.index, careful=True)
            )
            if again.agrees or self._rounding_of_the_claim(comparer, again, v):
                return None
        evidence = gather(comparer, i, v)
        self.comparisons += evidence.comparisons
        if not evidence.bad.any():
            return self._no_element_to_blame(comparer, comparison, evidence)
        diagnosis = diagnose(
            evidence,
            counts_of(self.subject),
            swapped=lambda: self._swapped(comparer, i),
            turned=lambda: self._turned(comparer, i),
        )
        if (
            diagnosis == "scale"
            and evidence.claimed.size == 1
            and not self._same_ratio_elsewhere(comparer, i, evidence)
        ):
            diagnosis = "unknown"
        index = evidence.worst()
        shown = next((c for c in evidence.comparisons if c.index == index), comparison)
        return self._refuted(Fault(diagnosis, "", i), shown)

    def _no_element_to_blame(self, comparer: Comparer, comparison: Comparison, evidence: Evidence):
        """A direction fails, every element agrees: kinks that cancel along it, or elements too noisy to tell."""
        i = comparison.argument
        if evidence.kinks.any():
            inputs = list(self.subject.inputs)
            inputs[i] = nearby(self.rng, inputs[i], _DISTANCE)
            moved = self._nearby_comparison(comparer, inputs, i)
            if moved is None or moved[2].agrees:
                self.notes.append(f"{int(evidence.kinks.sum())} elements of {self.subject.name(i)} lie on kinks")
                return None
        elif self._agrees_along(comparer, i):
            return None
        return self._refuted(Fault("unknown", "no single element could be blamed", i), comparison)

    def _rounding_of_the_claim(self, comparer: Comparer, comparison: Comparison, v: np.ndarray) -> bool:
        """Whether the claim's own rounding explains a tiny difference: ask for it at inputs a few roundings away."""
        i = comparison.argument
        off = abs(comparison.claimed - comparison.numerical.value)
        steepest = max((w.fit.secant for w in comparison.numerical.windows if w.fit is not None), default=0.0)
        if comparison.index is not None:
            steepest /= float(np.max(np.abs(v))) or 1.0
        if not off <= 1e-10 * max(steepest, comparison.scale):
            return False
        spread = []
        for _ in range(4):
            inputs = list(comparer.inputs)
            x = inputs[i]
            inputs[i] = x * (1 + np.finfo(float).eps * self.rng.integers(-2, 3, x.shape))
            gradients = self.subject.gradients(inputs, comparer.cotangents)
            g = gradients[self.subject.argnums.index(i)]
            spread.append(float(g[comparison.index]) if comparison.index is not None else float(np.sum(g * v)))
        return off <= comparison.margin + 10 * float(np.std([comparison.claimed, *spread]))

    def _swapped(self, comparer: Comparer, i: int) -> bool:
        """Whether the claim for another argument, wrong there, is right here."""
        for j, other in comparer.gradients.items():
            if j == i or other.shape != comparer.gradients[i].shape or self._agrees_along(comparer, j):
                continue
            gradients = [other if k == i else g for k, g in comparer.gradients.items()]
            if self._agrees_along(self._comparer(comparer.inputs, comparer.cotangents, gradients), i):
                return True
        return False

    def _turned(self, comparer: Comparer, i: int) -> bool:
        """Whether the claim is right once two axes of the input are exchanged: it sums over the other one."""
        x = comparer.inputs[i]
        for a in range(x.ndim):
            for b in range(a + 1, x.ndim):
                inputs = list(comparer.inputs)
                inputs[i] = np.ascontiguousarray(np.swapaxes(x, a, b))
                gradients = [np.swapaxes(g, a, b) if k == i else g for k, g in comparer.gradients.items()]
                try:
                    turned = self._comparer(inputs, comparer.cotangents, gradients)
                    if np.isfinite(turned.at_zero) and self._agrees_along(turned, i):
                        return True
                except (ArithmeticError, ValueError, IndexError):
                    continue
        return False

    def _same_ratio_elsewhere(self, comparer: Comparer, i: int, evidence: Evidence) -> bool:
        """One element has a ratio anyway: it is a factor only if it is the same at another point."""
        inputs = list(self.subject.inputs)
        inputs[i] = nearby(self.rng, inputs[i], 0.1)
        moved = self._nearby_comparison(comparer, inputs, i)
        if moved is None:
            return True
        ratio, there = common_ratio(evidence), moved[2]
        value, margin = there.numerical.value, there.margin
        return ratio is None or abs(there.claimed - ratio * value) <= abs(ratio) * margin + 1e-4 * abs(there.claimed)

    # -- small things -------------------------------------------------------------------------------------------
    def _agrees_along(self, comparer: Comparer, i: int) -> bool:
        """Two fresh directions of the argument agree."""
        draws = (direction(self.rng, "even", comparer.inputs[i], comparer.gradients[i]) for _ in range(2))
        return all((c := comparer.along(i, v)).agrees and c.margin < math.inf for v in draws)

    def _comparer(self, inputs: list, cotangents: list, gradients: list) -> Comparer:
        return Comparer(self.subject, inputs, cotangents, gradients)

    def _cotangents(self, kind: str, outputs: list) -> list:
        if isinstance(self.subject, PlainFunction):
            return [np.array(1.0)]
        return [cotangent(self.rng, kind, y) for y in outputs]

    def _refuted(self, fault: Fault, shown: Comparison | None = None) -> GradientReport:
        report = GradientReport(
            ok=False,
            seed=self.seed,
            diagnosis=fault.diagnosis,
            argument=fault.argument,
            name="" if fault.argument is None else self.subject.name(fault.argument),
            sentence=fault.sentence,
            evaluations=self.subject.calls,
            notes=self.notes,
            comparisons=self.comparisons,
        )
        if shown is not None:
            report.index = shown.index
            report.claimed, report.numerical = shown.claimed, shown.numerical.value
            report.error = shown.margin
        return report

    def _passed(self) -> GradientReport:
        proved = {c.argument for c in self.comparisons if not c.weak}
        for i in self.subject.argnums:
            if i not in proved and proved:
                self.notes.append(f"nothing was proved about {self.subject.name(i)}: its derivative is zero or hidden")
        return GradientReport(
            ok=True,
            seed=self.seed,
            vacuous=not proved,
            evaluations=self.subject.calls,
            notes=self.notes,
            comparisons=self.comparisons,
        )
