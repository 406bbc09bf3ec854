"""The smallest inputs at which a gradient check fails, found by hypothesis."""

import random
from collections.abc import Callable
from typing import Any

from minigan.checking.gradients import check_gradients
from minigan.checking.report import GradientReport

try:
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis import strategies as st
    from hypothesis.errors import NoSuchExample
except ImportError as error:
    raise ImportError("minigan.checking.smallest_failure needs hypothesis: pip install hypothesis") from error


def smallest_failure(
    f: Callable[..., Any],
    *inputs: st.SearchStrategy[Any],
    seed: int = 0,
    max_examples: int = 200,
    **options: Any,
) -> GradientReport | None:
    """Draw inputs, check the gradient at each, and shrink the first failure to the simplest that still fails.

    *Simplest* is hypothesis's notion: few elements, then zeros and round numbers. An error that needs two rows, or
    unequal elements, or a negative one, shows itself by what is left.

    Parameters
    ----------
    f : callable
        As for `check_gradients`.
    *inputs : hypothesis strategies
        One for each input of f: `minigan.checking.strategies.arrays` or any other. Inputs whose shapes depend on each
        other come from one strategy that draws a tuple.
    seed : int
        Of the search and of every check in it: the same call returns the same report.
    max_examples : int
        How many inputs to try before giving up.
    **options
        ``grad``, ``order`` and ``directions`` of `check_gradients`.

    Returns
    -------
    GradientReport or None
        The report of the smallest failure, with `inputs`; None if no input failed.

    Examples
    --------
    >>> import numpy as np
    >>> from minigan.checking import smallest_failure
    >>> from minigan.checking.strategies import arrays
    >>> report = smallest_failure(lambda x: np.sum(np.abs(x)), arrays(), grad=np.ones_like)
    >>> report.inputs["x"].tolist()
    -0.001
    """
    drawn = inputs[0].map(_as_tuple) if len(inputs) == 1 else st.tuples(*inputs)

    def report_at(arguments: tuple[Any, ...]) -> GradientReport:
        return check_gradients(f, *arguments, seed=seed, raise_on_failure=False, **options)

    limits = settings(
        max_examples=max_examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    try:
        example = find(
            drawn, lambda arguments: not report_at(arguments).ok, settings=limits, random=random.Random(seed)
        )
    except NoSuchExample:
        return None
    return report_at(example)


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)
