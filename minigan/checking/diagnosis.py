"""The likely cause of a wrong gradient, read off from claimed and numerical values side by side.

Each rule undoes one mistake and looks whether the numerical gradient comes out: ``-claimed`` fits, so a sign is wrong.
The rules are tried from the specific to the general.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from minigan.checking.localise import Evidence
from minigan.checking.whatif import WhatIf

ADVICE = {
    "sign": "the claimed gradient is the negative of the numerical one: a minus sign, or a maximised objective",
    "scale": "the claimed gradient is the numerical one times a constant: a factor of the chain rule",
    "missing_mean": "the factor is a number of elements: the 1/n of a mean missing, doubled, or with another n",
    "wrong_axis": "a sum, mean or norm runs over another axis than in the function, or a result is broadcast along it",
    "transposed": "the transpose of the claimed gradient is right: an x.T too many or too few",
    "permuted": "the right values stand in other places: an index, a reshape with another order, a reversed axis",
    "zero": "the claimed gradient is zero, the function changes: a detached value, a term left out, a dead branch",
    "one_element": "all elements but one are right: a boundary, an index off by one, a value overwritten",
    "one_slice": "one slice is wrong, the rest is right: an axis boundary, one gate or block of a joint array",
    "argument_swapped": "the claimed gradient fits another argument: the order of what grad returns",
    "not_deterministic": "the same inputs give different results: seed the random numbers, or pass them as an input",
    "mutated_input": "work on a copy: `x = x.copy()` before an in-place operation such as `x -= ...` or `x.sort()`",
    "wrong_shape": "return one array of the shape of each input: look for a sum over a wrong axis, or keepdims",
    "wrong_dtype": "compute and return the gradient in the dtype of its input: look for astype and integer arithmetic",
    "stale": "the gradient must follow from its own inputs alone: look for cached values and for sums that go on",
    "precision": "right to a few digits only: float32 inside, a constant such as 1e-8 in a log, a difference quotient",
    "unknown": "no simple relation; compare the terms one by one, or plot claimed against numerical: report.plot()",
}

_LIKE = 1e-6  # what counts as equal between claimed values, relative to the largest
_SAME_FACTOR = 1e-5  # the same for quotients of claimed and numerical values
_FEW_DIGITS = 1e-4  # an error below this part of each element is one of precision, not of calculus
_SIX_DIGITS = 1e-6  # below this, even if it is the only one


def diagnose(evidence: Evidence, what_if: WhatIf) -> str:
    """Return the name of the likely mistake in a gradient of which at least one element is bad."""
    if not np.all(np.isfinite(evidence.on_grid(evidence.claimed))):
        return "unknown"
    if not np.any(evidence.claimed):
        return "zero"
    if _few_digits(evidence):
        return "precision"
    if np.all(evidence.kinks[evidence.bad]):  # outside the interval of a kink: its width fits any relation
        return next((name for name, rule in _SUBSETS if rule(evidence)), "unknown")
    ratio = common_ratio(evidence)
    if ratio is not None and abs(ratio + 1) < 1e-3:
        return "sign"
    if what_if.another_argument():
        return "argument_swapped"
    if ratio is not None:
        return _name_of_factor(ratio, evidence, what_if)
    rules: Rules = [
        *_PLACES,
        ("transposed", lambda _: what_if.another_input_transposed()),
        ("transposed", lambda _: any(_fits(evidence, c) for c in what_if.with_the_other_transpose())),
        ("wrong_axis", lambda _: what_if.other_axis()),
        *_SUBSETS,
        *_SUMS,
        ("wrong_axis", lambda e: _factor_along_one_axis(e, what_if)),
    ]
    return next((name for name, rule in rules if rule(evidence)), "unknown")


def _name_of_factor(ratio: float, evidence: Evidence, what_if: WhatIf) -> str:
    """Tell a forgotten 1/n from another factor: it changes with the number of elements."""
    if is_a_count(abs(ratio), what_if.counts()):
        depends = what_if.depends_on_the_count(ratio)
        usual = {2.0} if depends is None else {2.0, 3.0, 4.0}  # of powers; as constants, more likely than counts
        factor = max(abs(ratio), 1 / abs(ratio))
        return "missing_mean" if depends or not any(np.isclose(factor, u, rtol=1e-4) for u in usual) else "scale"
    trivial = evidence.claimed.size == 1  # a single element always has a ratio
    return "unknown" if trivial and not what_if.same_ratio_elsewhere(ratio) else "scale"


def common_ratio(evidence: Evidence) -> float | None:
    """Return c if claimed = c * numerical for every element, else None."""
    claimed, numerical = evidence.on_grid(evidence.claimed), evidence.numerical
    largest = float(np.max(np.abs(numerical), initial=0.0))
    if largest == 0:
        return None
    unit = numerical / largest  # so that squares do not overflow
    c = float(np.sum(claimed * unit) / np.sum(unit * unit)) / largest
    if abs(c) < 1e-9 or abs(c - 1) < 1e-9 or not _fits(evidence, evidence.claimed / c):
        return None
    return c


def is_a_count(ratio: float, lengths: Iterable[int]) -> bool:
    """Whether `ratio` or its inverse is a number of elements, a quotient of two, or n/(n - 1)."""
    counts = {n for n in lengths if n > 1}
    corrected = {n / (n - 1) for n in counts if n > 2}
    quotients = {a / b for a, b in itertools.permutations(counts, 2)}
    return any(np.isclose(r, c, rtol=1e-4) for r in (ratio, 1 / ratio) for c in counts | corrected | quotients)


def _fits(evidence: Evidence, candidate: np.ndarray) -> bool:
    """Whether an array of the argument's shape is the numerical gradient, within its margin."""
    size = np.abs(evidence.numerical)
    allowed = 2 * evidence.error + _LIKE * size + 1e-13 * float(np.max(size, initial=0.0))
    return bool(np.all(np.abs(evidence.on_grid(candidate) - evidence.numerical) <= allowed))


def _few_digits(evidence: Evidence) -> bool:
    """The wrong elements are nearly right: most of them relative to themselves, all relative to the largest."""
    claimed, numerical, bad = evidence.on_grid(evidence.claimed), evidence.numerical, evidence.bad
    off = np.abs(claimed - numerical)[bad] - evidence.error[bad]
    own = np.abs(numerical)[bad]
    largest = float(np.max(np.abs(numerical)))
    if np.all(off <= _SIX_DIGITS * own):
        return True
    half = _representable(evidence.claimed, np.float16) and off.max() < 2e-3 * own.max()
    most = np.mean(off <= _FEW_DIGITS * own) >= 0.5  # the others are near zeros, where there is less to be relative to
    nearly = most and off.max() <= 10 * _FEW_DIGITS * largest
    if bad.sum() == 1 and bad.size > 2:  # one element slightly off among exact ones is a wrong element
        return bool((nearly or half) and _representable(evidence.claimed, np.float32))
    return bool(nearly or half)


def _representable(array: np.ndarray, dtype: type) -> bool:
    return bool(np.array_equal(array, array.astype(dtype).astype(array.dtype)))


def _broadcast_along_another_axis(evidence: Evidence) -> bool:
    """The numerical gradient is constant along one axis, the claimed one along another."""
    claimed, numerical = evidence.on_grid(evidence.claimed), evidence.numerical
    right, wrong = (set(_constant_axes(a)) for a in (numerical, claimed))
    return bool(right - wrong) and bool(wrong - right)


def _constant_axes(array: np.ndarray) -> Iterator[int]:
    largest = float(np.max(np.abs(array)))
    for axis, length in enumerate(array.shape):
        if length > 1 and float(np.max(np.ptp(array, axis=axis))) <= _LIKE * largest:
            yield axis


def _transposed(evidence: Evidence) -> bool:
    claimed = evidence.claimed
    pairs = itertools.combinations(range(claimed.ndim), 2)
    candidates = [np.swapaxes(claimed, a, b) for a, b in pairs if claimed.shape[a] == claimed.shape[b]]
    return any(_fits(evidence, candidate) for candidate in candidates)


def _permuted(evidence: Evidence) -> bool:
    """The same values in other places; of a large array, each measured value occurs somewhere among the claimed."""
    if evidence.bad.sum() < 2:
        return False
    available = np.sort(evidence.claimed, axis=None)
    order = np.argsort(evidence.numerical, axis=None)
    wanted, margin = evidence.numerical.ravel()[order], evidence.error.ravel()[order]
    if evidence.whole:
        return bool(np.all(np.abs(available - wanted) <= 2 * margin + _LIKE * np.abs(wanted).max()))
    place = np.clip(np.searchsorted(available, wanted), 1, len(available) - 1)
    nearest = np.minimum(np.abs(available[place] - wanted), np.abs(available[place - 1] - wanted))
    return len(np.unique(wanted)) > 8 and bool(np.all(nearest <= 2 * margin + 1e-10 * np.abs(wanted).max()))


def _shifted(evidence: Evidence) -> bool:
    """Moved by one along some axes, with something else moving in at the end: a crop or an index off by one."""
    claimed, numerical, error = evidence.claimed, evidence.numerical, evidence.error
    if not evidence.whole:
        return False
    for shift in itertools.product((-1, 0, 1), repeat=claimed.ndim):
        if not any(shift) or any(s and n < 3 for s, n in zip(shift, claimed.shape, strict=True)):
            continue
        here = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(shift, claimed.shape, strict=True))
        there = tuple(slice(max(-s, 0), n + min(-s, 0)) for s, n in zip(shift, claimed.shape, strict=True))
        wanted = numerical[there]
        off = np.abs(claimed[here] - wanted)
        if np.ptp(wanted) > 0 and np.all(off <= 2 * error[there] + _LIKE * np.abs(wanted)):
            return True
    return False


def _one_element(evidence: Evidence) -> bool:
    if not evidence.whole:
        return evidence.only is not None
    return int(evidence.bad.sum()) == 1 and evidence.bad.size > 1


def _one_slice(evidence: Evidence) -> bool:
    """All wrong elements lie in one range along one axis, which is wrong throughout (where there is a gradient)."""
    if evidence.slice_axis is not None:
        return True
    bad = evidence.bad
    largest = float(np.max(np.abs(evidence.numerical), initial=0.0))
    there = bad | (np.abs(evidence.numerical) > evidence.error + 1e-9 * largest)
    for axis in range(bad.ndim):
        rest = tuple(a for a in range(bad.ndim) if a != axis)
        where = np.flatnonzero(bad.any(axis=rest))
        n = bad.shape[axis]
        if len(where) == n or len(where) > (n + 1) // 2 or (bad.ndim == 1 and len(where) < 2):
            continue  # where most of it is wrong, the rest is rather right by accident
        steps = np.diff(where)
        regular = len(where) < 2 or np.all(steps == 1) or (len(where) > 2 and np.all(steps == steps[0]))
        inside = np.take(bad, where, axis), np.take(there, where, axis)
        if regular and inside[0].sum() >= (0.5 if bad.ndim > 1 else 1.0) * inside[1].sum():
            return True
    return False


def _sum_of_another_gradient(evidence: Evidence) -> bool:
    """The claim is the sum or mean of another argument's gradient over some axes (a bias of a square layer)."""
    claimed = evidence.claimed
    for other in evidence.others.values():
        for count in range(1, other.ndim + 1):
            for axes in itertools.combinations(range(other.ndim), count):
                total = other.sum(axis=axes)
                sums = [total, total / np.prod([other.shape[a] for a in axes])]
                largest = float(np.max(np.abs(claimed)))
                if total.shape == claimed.shape and any(
                    np.allclose(claimed, s, rtol=0, atol=_LIKE * largest) for s in sums
                ):
                    return True
    return False


def _same_total(evidence: Evidence) -> bool:
    """The elements are wrong, their sum is right: the same terms were added along another axis."""
    if not evidence.whole or evidence.bad.sum() < 2:
        return False
    right, wrong = float(evidence.numerical.sum()), float(evidence.claimed.sum())
    size = float(np.abs(evidence.numerical).sum())
    return abs(right) > 1e-3 * size and abs(right - wrong) <= _LIKE * size + float(evidence.error.sum())


def _total_everywhere(evidence: Evidence) -> bool:
    """Each element holds what a sum along some axes should have been: `db.sum()` where `db` was a vector already."""
    n = evidence.numerical
    if not evidence.whole or not evidence.bad.all():
        return False
    for count in range(1, n.ndim + 1):
        for axes in itertools.combinations(range(n.ndim), count):
            total, size, error = (a.sum(axis=axes, keepdims=True) for a in (n, np.abs(n), evidence.error))
            if np.all(np.abs(evidence.claimed - total) <= error + _LIKE * size):
                return True
    return False


def _vanishing_sums_along_another_axis(evidence: Evidence) -> bool:
    """Sums along one axis vanish as they do for a softmax or a centred array, but along another one."""
    if not evidence.whole:
        return False
    right, wrong = (
        {
            axis
            for axis, length in enumerate(a.shape)
            if length > 1 and np.max(np.abs(a.sum(axis))) <= _LIKE * np.max(np.abs(a)) + evidence.error.sum(axis).max()
        }
        for a in (evidence.numerical, evidence.claimed)
    )
    return bool(right - wrong) and bool(wrong - right)


def _factors_along_two_axes(evidence: Evidence) -> bool:
    """claimed / numerical is one factor per row times one per column: a norm was taken over other axes.

    Of two outer products, any quotient is of that kind and means nothing.
    """
    ratio = _quotient(evidence)
    if ratio is None:
        return False
    pairs = zip(_tables(ratio), _tables(evidence.numerical), strict=True)
    return any(_is_outer_product(r) and _varies_along_both(r) and not _is_outer_product(n) for r, n in pairs)


def _factor_along_one_axis(evidence: Evidence, what_if: WhatIf) -> bool:
    """claimed / numerical is one factor per slice, taken from all slices: a norm of everything, not of each slice.

    A factor of its own for each slice may be anything that was forgotten: a weight, a variance.
    """
    ratio = _quotient(evidence)
    if ratio is None:
        return False
    for axis in range(ratio.ndim):
        within = tuple(a for a in range(ratio.ndim) if a != axis)
        if within and np.max(np.ptp(ratio, axis=within)) <= _SAME_FACTOR * np.max(np.abs(ratio)):
            return what_if.mixes_slices(axis)
    return False


def _quotient(evidence: Evidence) -> np.ndarray | None:
    """Return claimed / numerical; None if one of them is zero somewhere, or too noisy to be divided by."""
    claimed, numerical = evidence.on_grid(evidence.claimed), evidence.numerical
    usable = np.all(claimed) and np.all(np.abs(numerical) > 1e3 * evidence.error)
    return claimed / numerical if usable else None


def _difference_by_axis(evidence: Evidence) -> bool:
    """claimed - numerical is a sum of a term per row and one per column: a mean was subtracted along another axis."""
    difference = evidence.on_grid(evidence.claimed) - evidence.numerical
    return any(
        _vanishes(d + d[0, 0] - d[:, :1] - d[:1], d) and min(np.ptp(d[0]), np.ptp(d[:, 0])) > 1e-3
        for d in _tables(difference)
    )


def _tables(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the array as a table of one axis against all others, of largest element 1."""
    largest = float(np.max(np.abs(array)))
    for axis in range(array.ndim):
        table = np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1) / largest
        if min(table.shape) > 1 and max(table.shape) > 2:
            yield table


def _is_outer_product(table: np.ndarray) -> bool:
    row, column = _cross(table)
    return _vanishes(table - np.outer(column, row), table)


def _varies_along_both(table: np.ndarray) -> bool:
    return min(np.ptp(factors) for factors in _cross(table)) > 1e-3


def _cross(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and the column through the largest element: the two factors, if the table is their product."""
    i, j = np.unravel_index(np.argmax(np.abs(table)), table.shape)
    return table[i] / table[i, j], table[:, j]


def _vanishes(left_over: np.ndarray, table: np.ndarray) -> bool:
    return bool(np.max(np.abs(left_over)) <= _SAME_FACTOR * np.max(np.abs(table)))


Rules = list[tuple[str, Callable[[Evidence], bool]]]

_PLACES: Rules = [
    ("wrong_axis", _broadcast_along_another_axis),
    ("transposed", _transposed),
    ("permuted", _permuted),
    ("permuted", _shifted),
]
_SUBSETS: Rules = [
    ("one_element", _one_element),
    ("one_slice", _one_slice),
]
_SUMS: Rules = [
    ("wrong_axis", _sum_of_another_gradient),
    ("wrong_axis", _same_total),
    ("wrong_axis", _total_everywhere),
    ("wrong_axis", _vanishing_sums_along_another_axis),
    ("wrong_axis", _factors_along_two_axes),
    ("wrong_axis", _difference_by_axis),
]
