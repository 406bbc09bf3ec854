"""benchmarks/checkers.py gives every checker the same cases, and counts what they say."""

import sys
from pathlib import Path
from types import SimpleNamespace

import awkward
import numpy as np
import planted
import pytest
from cases import Case

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmarks are not installed

from benchmarks import checkers
from benchmarks.checkers import CHECKERS, NotApplicable, Score, Split, judge

RIGHT = next(case for case in awkward.right if case.name == "mean square")
WRONG = next(case for case in planted.wrong if case.name == "cube")


@pytest.mark.parametrize("name", CHECKERS)
def test_every_checker_tells_a_right_gradient_from_a_wrong_one(name):
    package, check = CHECKERS[name]
    pytest.importorskip(package)
    assert judge(check, RIGHT, 0)[0] is None
    assert checkers._is_verdict(judge(check, WRONG, 0)[0])


def test_constants_are_held_and_all_floats_become_float64():
    def f(a, n, b, mask):
        assert (type(a), type(n)) == (float, int)
        return a**n * np.sum(b[mask])

    def grad(a, n, b, mask):
        return n * a ** (n - 1) * np.sum(b[mask]), None, a**n * mask, None

    b = np.ones(3, "f4")[::-1]
    split = Split(f, grad, (2.0, 3, b, np.array([True, False, True])))
    assert [(x.dtype, x.shape) for x in split.floats] == [("f8", ()), ("f8", (3,))]
    assert split.value(*split.floats) == 16
    assert [g.tolist() for g in split.gradients(*split.floats)] == [24, [8, 0, 8]]
    zeros = Split(np.sum, lambda x: None, (b,)).gradients(np.ones(3))
    assert zeros[0].tolist() == [0, 0, 0]


def test_what_is_counted():
    wrong, right = Case("w", "sign", None), Case("r", None, None)
    score = Score()
    for case, raised in (
        (wrong, AssertionError()),
        (wrong, TypeError()),  # found, in its own way
        (wrong, None),
        (right, None),
        (right, AssertionError()),
        (right, TypeError()),  # says nothing of the gradient
        (wrong, NotApplicable()),
    ):
        score.add(case, raised, 0.5)
    assert (score.wrong, score.missed, score.named) == (3, ["w"], 0)
    assert (score.right, score.alarms, score.unfit) == (2, ["r"], ["r", "w"])
    assert score.times == [0.5] * 7


def test_ours_alone_without_the_others(monkeypatch, capsys):
    monkeypatch.setattr(checkers, "find_spec", lambda package: package == "minigan")
    monkeypatch.setattr(checkers, "suites", lambda: [RIGHT, WRONG])
    checkers.run(SimpleNamespace(quick=True))
    told = capsys.readouterr().out
    assert "jax check_grads left out: jax is not installed here (python -m pip install jax)" in told
    row = told.splitlines()[-1].split()
    assert row[:7] == ["minigan", "1", "of", "1", "(100.0%)", "0", "of"]


def test_full_jacobians_of_huge_arrays_are_left_out():
    pytest.importorskip("torch")
    with pytest.raises(NotApplicable):
        checkers.torch_gradcheck(np.sum, np.ones_like, (np.ones(checkers.MOST_COLUMNS + 1),), 0)
