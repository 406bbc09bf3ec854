"""Check a gradient against numerical derivatives: the public `check_gradients` and its course of action."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from minigan.checking import conduct
from minigan.checking.compare import Comparer, Comparison
from minigan.checking.conduct import Fault
from minigan.checking.directions import KINDS, cotangent, direction, nearby
from minigan.checking.investigate import DISTANCE, Investigation
from minigan.checking.report import GradientReport
from minigan.checking.second import second_order
from minigan.checking.subject import Function, PlainFunction, Subject, TensorFunction
from minigan.errors import GradientCheckError, ShapeError

_COORDINATES = 64  # inputs of at most so many elements in all are checked element by element as well
_IF_IN_DOUBT = 32  # calls of f that must agree before anything but "right" is said: three may draw the same dropout
# Where "elsewhere" is: within the digits that two gradients are compared to, and tried until f is defined there.
_ELSEWHERE = [(DISTANCE, "even"), *((DISTANCE * 2.0**-k, "relative") for k in (0, 6, 12, 18))]

Suspect = tuple[Comparer, Comparison, np.ndarray]  # what failed, and the direction along which it did


def check_gradients(
    f: Function,
    *inputs: Any,
    grad: Function | None = None,
    order: int = 1,
    directions: int | str = 3,
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
    directions : int or "all"
        Random directions per argument; three kinds of scaling are used in turn. "all": also every element of every
        gradient, for every element of the output: the full Jacobian, at the price of a full Jacobian.
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
    >>> import minigan as mg
    >>> report = mg.check_gradients(lambda x: np.sum(x**3), np.array([1.0, 2.0]), grad=lambda x: -3 * x**2,
    ...                             raise_on_failure=False)
    >>> report.diagnosis
    'sign'
    """
    if order not in (1, 2):
        raise ValueError(f"check_gradients: got order={order!r}, expected 1 or 2")
    if directions != "all" and not (isinstance(directions, int) and directions > 0):
        raise ValueError(f"check_gradients: got directions={directions!r}, expected a positive number or 'all'")
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else int(seed)
    subject = TensorFunction(f, inputs) if grad is None else PlainFunction(f, grad, inputs)
    with np.errstate(all="ignore"):  # steps leave the domain on purpose; a claim that is not finite is refuted
        report = _Check(subject, directions, seed).run()
        if report.ok and order == 2:
            report = second_order(subject, report, lambda s: _Check(s, directions, seed).run())
    report.inputs = {subject.name(i).strip("'"): x for i, x in enumerate(subject.inputs)}
    if not report.ok and raise_on_failure:
        raise GradientCheckError(str(report), report)
    return report


class _Check:
    """One check of first derivatives: the steps in order, and what they found."""

    def __init__(self, subject: Subject, directions: int | str, seed: int):
        self.subject = subject
        self.directions = len(KINDS) if directions == "all" else int(directions)
        self.everything = directions == "all"
        self.seed = seed
        self.rng = np.random.default_rng(seed)
        self.arguments = [i for i in subject.argnums if subject.inputs[i].size]
        self.comparisons: list[Comparison] = []
        self.notes: list[str] = []

    def run(self) -> GradientReport:
        subject = self.subject
        self.elsewhere = self._another_point()
        outputs = subject.values(subject.inputs)
        if not all(np.all(np.isfinite(y)) for y in outputs):
            return self._refuted(Fault("unknown", "f is not finite at the inputs: there is nothing to differentiate"))
        fault = conduct.same_value(subject) or conduct.inputs_kept(subject)
        if fault:
            return self._refuted(fault)
        cotangents = self._cotangents("even", outputs)
        self.first_call = self._gradients_elsewhere(cotangents)
        try:
            gradients = subject.gradients(subject.inputs, cotangents)
        except ShapeError as error:
            if isinstance(subject, PlainFunction):
                return self._refuted(Fault("wrong_shape", str(error)))
            raise
        fault = self._fault_of_conduct(gradients, cotangents)
        if fault:
            return self._refuted(fault)
        subject.trusted = True
        report = self._numbers(outputs, cotangents, gradients) or self._passed()
        if not report.ok or report.vacuous:
            fault = conduct.same_value(subject, _IF_IN_DOUBT)
            return self._refuted(fault) if fault else report
        return report

    # -- conduct ------------------------------------------------------------------------------------------------
    def _another_point(self) -> list[Any]:
        """Call f at another point before anything else: what it keeps of its first call will be wrong here.

        Where f is not defined there, nearer points are tried.
        """
        for distance, kind in _ELSEWHERE:
            point = [
                nearby(self.rng, x, distance, kind) if i in self.arguments else x
                for i, x in enumerate(self.subject.inputs)
            ]
            with contextlib.suppress(ArithmeticError, ValueError):
                if all(np.all(np.isfinite(y)) for y in self.subject.values(point)):
                    break
        return point

    def _gradients_elsewhere(self, cotangents: list[np.ndarray]) -> list[Any] | None:
        """Ask for the gradient at another point first: one that is remembered from there will be wrong here."""
        try:
            self.subject.values(self.elsewhere)
            return self.subject.gradients(self.elsewhere, cotangents)
        except (ArithmeticError, ValueError):  # not defined there
            return None
        finally:
            self.subject.values(self.subject.inputs)

    def _fault_of_conduct(self, gradients: list[Any], cotangents: list[np.ndarray]) -> Fault | None:
        subject = self.subject
        fault = conduct.inputs_kept(subject) or conduct.shapes_and_dtypes(subject, gradients)
        if fault and fault.diagnosis == "wrong_shape":
            exchanged = self._exchanged(gradients, cotangents)
            if exchanged is not None:
                return Fault("argument_swapped", f"{fault.sentence}; in another order, they are right", exchanged)
        fault = fault or conduct.dtype_in_original_precision(subject)
        fault = fault or conduct.gradient_repeats(subject, self.elsewhere, cotangents, gradients)
        return fault or conduct.inputs_kept(subject)

    def _exchanged(self, gradients: list[Any], cotangents: list[np.ndarray]) -> int | None:
        """Return an argument if the gradients have the right shapes, and are right, with two of them exchanged."""
        argnums, inputs = self.subject.argnums, self.subject.inputs
        for a, b in itertools.combinations(range(len(argnums)), 2):
            order = list(gradients)
            order[a], order[b] = order[b], order[a]
            if all(g is not None and g.shape == inputs[i].shape for g, i in zip(order, argnums, strict=True)):
                comparer = Comparer(self.subject, inputs, cotangents, order)
                if all(comparer.agrees_along_two(argnums[k], self.rng) for k in (a, b)):
                    return argnums[a]
        return None

    # -- numbers ------------------------------------------------------------------------------------------------
    def _numbers(
        self, outputs: list[np.ndarray], cotangents: list[np.ndarray], gradients: list[Any]
    ) -> GradientReport | None:
        first = Comparer(self.subject, self.subject.inputs, cotangents, gradients)
        suspects = [*self._directions(first, outputs), *self._coordinates(first), *self._jacobian(outputs)]
        for comparer, comparison, v in suspects:
            report = self._investigate(comparer, comparison, v)
            if report is not None:
                return report
        for i in self.arguments:
            report = self._off_the_kink(first, i)
            if report is not None:
                return report
        fault = conduct.layout_ignored(self.subject, cotangents, gradients)
        fault = fault or conduct.forward_agrees(first, self.rng)
        return self._refuted(fault) if fault else None

    def _directions(self, comparer: Comparer, outputs: list[np.ndarray]) -> Iterator[Suspect]:
        """Compare along random directions, with a new cotangent for each draw where f has more than one output."""
        single = sum(y.size for y in outputs) == 1
        for draw in range(self.directions):
            kind = KINDS[draw % len(KINDS)]
            if draw and not single:
                cotangents = self._cotangents(kind, outputs)
                gradients = self.subject.gradients(self.subject.inputs, cotangents)
                comparer = Comparer(self.subject, self.subject.inputs, cotangents, gradients)
            for i in self.arguments:
                v = direction(self.rng, kind, self.subject.inputs[i], comparer.gradients[i])
                comparison = comparer.along(i, v, kind)
                self.comparisons.append(comparison)
                if not comparison.agrees:
                    yield comparer, comparison, v

    def _coordinates(self, comparer: Comparer) -> Iterator[Suspect]:
        """Compare element by element where there are few: an error of one of them may hide in a sum."""
        if sum(self.subject.inputs[i].size for i in self.arguments) <= _COORDINATES or self.everything:
            for i in self.arguments:
                yield from self._elements(comparer, i, np.ndindex(*self.subject.inputs[i].shape))

    def _elements(self, comparer: Comparer, i: int, indices: Iterable[tuple[int, ...]]) -> Iterator[Suspect]:
        for index in indices:
            comparison = comparer.coordinate(i, index)
            self.comparisons.append(comparison)
            if not comparison.agrees:
                v = np.zeros(self.subject.inputs[i].shape)
                v[index] = 1.0
                yield comparer, comparison, v

    def _jacobian(self, outputs: list[np.ndarray]) -> Iterator[Suspect]:
        """Compare every element of the Jacobian, if that was asked for: one row for each element of the outputs."""
        if not self.everything or sum(y.size for y in outputs) == 1:
            return
        for k, y in enumerate(outputs):
            for index in np.ndindex(*y.shape):
                row = [np.zeros(z.shape) for z in outputs]
                row[k][index] = 1.0
                gradients = self.subject.gradients(self.subject.inputs, row)
                yield from self._coordinates(Comparer(self.subject, self.subject.inputs, row, gradients))

    def _off_the_kink(self, comparer: Comparer, i: int) -> GradientReport | None:
        """Where the input lies on a kink, most directions prove little: check at a nearby point as well."""
        kinks = [c for c in self.comparisons if c.argument == i and c.numerical.kink]
        if not kinks:
            return None
        shown = next((c for c in kinks if c.index is not None), kinks[0])
        where = "along a random direction" if shown.index is None else f"at index {shown.index}"
        self.notes.append(
            f"{self.subject.name(i)} lies on a kink: {where}, the derivative is {shown.numerical.left:.4g} from the "
            f"left, {shown.numerical.right:.4g} from the right"
        )
        moved = comparer.moved(i, nearby(self.rng, self.subject.inputs[i], DISTANCE))
        if moved is None:
            return self._some_elements(comparer, i)
        v = direction(self.rng, "even", moved.inputs[i], moved.gradients[i])
        comparison = moved.along(i, v)
        if not comparison.agrees and np.array_equal(moved.gradients[i], comparer.gradients[i]):
            return self._some_elements(
                comparer, i
            )  # a claim that is the same everywhere is not meant for another point
        self.comparisons.append(comparison)
        self.notes[-1] += "; checked at a nearby point as well"
        return None if comparison.agrees else self._investigate(moved, comparison, v)

    def _some_elements(self, comparer: Comparer, i: int) -> GradientReport | None:
        """Where no direction and no other point can decide, look at elements drawn at random."""
        shape, size = self.subject.inputs[i].shape, self.subject.inputs[i].size
        if size <= _COORDINATES:
            return None
        chosen = self.rng.choice(size, _COORDINATES, replace=False)
        indices = [tuple(int(k) for k in np.unravel_index(c, shape)) for c in chosen]
        reports = (self._investigate(*suspect) for suspect in self._elements(comparer, i, indices))
        return next((report for report in reports if report is not None), None)

    def _investigate(self, comparer: Comparer, comparison: Comparison, v: np.ndarray) -> GradientReport | None:
        found = Investigation(self.subject, comparer, comparison, v, self.rng, (self.elsewhere, self.first_call))
        fault = found.run()
        self.comparisons += found.measured
        self.notes += found.notes
        return self._refuted(fault, found.shown) if fault else None

    # -- results ------------------------------------------------------------------------------------------------
    def _cotangents(self, kind: str, outputs: list[np.ndarray]) -> list[np.ndarray]:
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
            report.claimed, report.numerical, report.error = shown.claimed, shown.numerical.value, shown.margin
        return report

    def _passed(self) -> GradientReport:
        proved = {c.argument for c in self.comparisons if c.agrees and not c.weak}
        for i in self.subject.argnums:
            if proved and i not in proved:
                self.notes.append(f"nothing was proved about {self.subject.name(i)}: its derivative is zero or hidden")
        for i, x in enumerate(self.subject.inputs):
            if type(x) is int:
                self.notes.append(
                    f"{self.subject.name(i)} is an integer, so it was held constant: pass {x}.0 to vary it"
                )
        return GradientReport(
            ok=True,
            seed=self.seed,
            vacuous=not proved,
            evaluations=self.subject.calls,
            notes=self.notes,
            comparisons=self.comparisons,
        )
