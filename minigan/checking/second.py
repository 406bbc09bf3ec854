"""Order 2: the gradient of the gradient."""

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from minigan.checking.differences import Derivative, differentiate
from minigan.checking.directions import cotangent, direction, size_of
from minigan.checking.report import GradientReport
from minigan.checking.subject import PlainFunction, Subject, TensorFunction, pull_back
from minigan.engine import Tensor


def second_order(subject: Subject, first: GradientReport, check: Callable[[Subject], GradientReport]) -> GradientReport:
    """Check second derivatives, after `first` has passed.

    For Tensors, the gradient of ``<c, f>`` with random c is a function of its own, whose gradient is checked. For
    NumPy, the Jacobian of `grad` must be symmetric: ``u^T J v = v^T J u``, as second derivatives are.
    """
    rng = np.random.default_rng([first.seed, 2])
    if isinstance(subject, PlainFunction):
        report = _symmetric(subject, first, rng)
    else:
        outputs = subject.values(subject.inputs)
        weights = [cotangent(rng, "even", y) for y in outputs]

        @functools.wraps(subject.f)  # keeps the names of the arguments
        def gradient(*inputs: Tensor) -> tuple[Tensor, ...]:
            return pull_back(subject.f, inputs, subject.argnums, weights)

        derived = TensorFunction(gradient, subject.inputs)
        size = float(sum(np.sum(np.abs(c * y)) for c, y in zip(weights, outputs, strict=True)))
        derived.roundings = [np.finfo(float).eps * size / size_of(subject.inputs[i]) for i in subject.argnums]
        report = check(derived)
    if report.vacuous and not first.vacuous:
        first.notes.append("nothing was proved at order 2: every second derivative is zero or hidden")
        return replace(first, order=2, evaluations=first.evaluations + report.evaluations)
    return replace(
        report, order=2, evaluations=first.evaluations + report.evaluations, notes=first.notes + report.notes
    )


def _symmetric(subject: PlainFunction, first: GradientReport, rng: np.random.Generator) -> GradientReport:
    """Compare u^T J v with v^T J u, where J is the Jacobian of `grad`, measured numerically along v and along u."""
    arguments = [i for i in subject.argnums if subject.inputs[i].size]
    u, v = ({i: direction(rng, "even", x, x) for i in arguments for x in [subject.inputs[i]]} for _ in range(2))

    def slope(along: dict[int, np.ndarray], weights: dict[int, np.ndarray]) -> Derivative:
        def phi(t: float) -> float:
            inputs = [x + t * along[i] if i in along else x for i, x in enumerate(subject.inputs)]
            try:
                gradients = dict(zip(subject.argnums, subject.raw_gradients(inputs), strict=True))
            except (ArithmeticError, ValueError):
                return float("nan")
            return float(sum(np.vdot(weights[i], gradients[i]) for i in arguments if gradients[i] is not None))

        return differentiate(phi)

    one, two = slope(v, u), slope(u, v)
    margin = one.error + two.error
    report = GradientReport(ok=True, seed=first.seed, order=2, comparisons=first.comparisons)
    report.vacuous = not margin <= 0.1 * max(abs(one.value), abs(two.value))
    if abs(one.value - two.value) > margin:
        report.ok, report.diagnosis = False, "unknown"
        report.claimed, report.numerical, report.error = one.value, two.value, margin
        report.sentence = "the Jacobian of grad is not symmetric: u^T J v (claimed) is not v^T J u (numerical)"
    return report
