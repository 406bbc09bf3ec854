"""What the checks of exercises are made of.

A file ``lessons/checks/check_NN.py`` has one function per exercise::

    @check("04.1", wrong={"return 1 / (1 + np.exp(-w))": "misses the 1/n"})
    def mean_softplus(student, rng):
        w = rng.normal(size=rng.integers(3, 9))
        right_gradient(lambda w: np.mean(np.logaddexp(0, w)), student.grad_mean_softplus, w)

`student` has everything that the student's cells define, `rng` is a NumPy Generator seeded per student. The function
returns if the answer is right and raises `Wrong` if not. `wrong` maps planted wrong answers, each in the place of the
solution region, to words that the feedback must have: the tests prove them.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan.checking import GradientReport, check_gradients
from minigan.checking.diagnosis import ADVICE

Judge = Callable[[Any, np.random.Generator], None]

# What a diagnosis of the checker means to somebody who has just derived a gradient. Without an entry: its own advice.
SENTENCES = {
    "sign": "{name} has the wrong sign",
    "zero": "{name} is zero, but the function changes",
    "transposed": "{name} is transposed: a .T too many or too few",
    "argument_swapped": "{name} fits another argument: look at the order of what you return",
    "mutated_input": "{name} changes its input in place: work on a copy",
    "wrong_dtype": "{name} has another dtype than its input",
    "precision": "{name} is right to a few digits only: no difference quotients, no float32, no guards such as 1e-8",
    "wrong_axis": "{name} sums, averages or broadcasts along another axis than the function",
    "permuted": "{name} has the right values in the wrong places",
    "one_element": "{name} is right in all elements but one",
    "one_slice": "{name} is wrong in one slice, right in the rest",
}


class Wrong(Exception):
    """An answer is wrong; the message is the feedback that the student reads."""


@dataclass(frozen=True)
class Check:
    """The judge of one exercise, and wrong answers with the words that its feedback to them must have."""

    number: str
    judge: Judge
    wrong: Mapping[str, str]


def check(number: str, *, wrong: Mapping[str, str]) -> Callable[[Judge], Check]:
    """Make a function the check of exercise `number`."""
    return lambda judge: Check(number, judge, dict(wrong))


def right_gradient(
    f: Callable[..., Any], grad: Callable[..., Any], *inputs: Any, name: str = "your gradient", **options: Any
) -> None:
    """Raise `Wrong`, in the words of a teacher, unless `grad` is the gradient of the NumPy function `f` at `inputs`.

    Parameters
    ----------
    f, grad, *inputs
        As for `minigan.check_gradients`.
    name : str
        What the feedback calls the gradient.
    **options
        ``order``, ``directions`` and ``seed`` of `minigan.check_gradients`; the seed is 0 by default.
    """

    def returned(*arrays: Any) -> Any:
        value = grad(*arrays)
        if value is None:
            raise Wrong(f"{name} is None: does your function return its result?")
        return value

    report = check_gradients(f, *inputs, grad=returned, raise_on_failure=False, **{"seed": 0, **options})
    if not report.ok:
        raise Wrong(explain(report, name))


def explain(report: GradientReport, name: str = "your gradient") -> str:
    """Say what a failed gradient check found: the likely mistake first, then numbers."""
    diagnosis = report.diagnosis or "unknown"
    if report.argument is not None and len(report.inputs) > 1:
        name += f" with respect to {report.name.strip(chr(39))}"
    lines = [_sentence(report, diagnosis, name)]
    if report.claimed is not None and report.numerical is not None:
        place = (
            f"at index {report.index}" if report.index else "as a number" if report.index == () else "in a direction"
        )
        lines.append(f"{place}: yours {report.claimed:.6g}, right {report.numerical:.6g}")
    small = {key: x for key, x in report.inputs.items() if np.size(x) <= 8}
    if small and len(small) == len(report.inputs):
        lines += [f"with {key} = {np.array2string(np.asarray(x), precision=4)}" for key, x in small.items()]
    return "\n".join(lines)


def _sentence(report: GradientReport, diagnosis: str, name: str) -> str:
    if diagnosis == "wrong_shape":
        return f"{name} has a wrong shape: {report.sentence}"
    if diagnosis in ("missing_mean", "scale") and report.numerical:
        ratio = (report.claimed or 0.0) / report.numerical
        sign = " and has the wrong sign" if ratio < 0 else ""
        if diagnosis == "scale":
            return f"{name} is {ratio:.4g} times the right one: a factor of the chain rule"
        if abs(ratio) > 1:
            return f"{name} misses the 1/n of a mean{sign}: it is {ratio:.4g} times the right one"
        return f"{name} has a 1/n too many{sign}: it is {ratio:.4g} times the right one"
    if diagnosis in SENTENCES:
        return SENTENCES[diagnosis].format(name=name)
    return f"{name} is wrong; {report.sentence or ADVICE[diagnosis]}"


def equal(got: Any, expected: Any, what: str, *, hint: str = "", rtol: float = 1e-9, atol: float = 1e-12) -> None:
    """Raise `Wrong` unless `got` is a number or array like `expected`: shape and values.

    Parameters
    ----------
    got, expected : array-like
    what : str
        What `got` is, such as ``"slope(f, 2.0)"``: the subject of the sentence.
    hint : str
        Goes after the numbers.
    """
    hint = f"\n{hint}" if hint else ""
    if got is None:
        raise Wrong(f"{what} is None: does your function return its result?")
    try:
        values, wanted = np.asarray(got, dtype=float), np.asarray(expected, dtype=float)
    except (TypeError, ValueError):
        raise Wrong(f"{what} is of type {type(got).__name__}; expected numbers") from None
    if values.shape != wanted.shape:
        raise Wrong(f"{what} has shape {values.shape}; expected {wanted.shape}{hint}")
    if not np.allclose(values, wanted, rtol=rtol, atol=atol):
        raise Wrong(f"{what} is {_short(values)}; expected {_short(wanted)}{hint}")


def holds(condition: bool, otherwise: str) -> None:
    """Raise `Wrong` with the message `otherwise` unless `condition` holds."""
    if not condition:
        raise Wrong(otherwise)


def _short(x: np.ndarray) -> str:
    return f"{x:.8g}" if x.ndim == 0 else " ".join(np.array2string(x, precision=5, threshold=12).split())


@contextlib.contextmanager
def hypothesis_for_grading() -> Iterator[None]:
    """Run tests with hypothesis quietly: always the same inputs, no search for a smaller one, nothing kept on disk."""
    from hypothesis import HealthCheck, Phase, settings

    before = settings()
    settings.register_profile(
        "grading",
        max_examples=30,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("grading")
    try:
        yield
    finally:
        settings.register_profile("before grading", before)
        settings.load_profile("before grading")
