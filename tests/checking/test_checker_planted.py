"""Planted errors: every wrong gradient is found and named, no right one is refuted; five seeds each."""

import awkward
import numpy as np
import planted
import planted_conduct
import planted_systems
import pytest

import minigan as mg

SEEDS = range(5)
WRONG = [*planted.wrong, *planted_systems.mistakes, *planted_conduct.misconduct]
# The derivative is zero, or hidden by rounding.
PROVES_NOTHING = {
    "constant",
    "softmax that is summed",
    "minimum of a square",
    "bias before batch norm",
    "nothing but empty",
    "dead relu",
    "saturated cross-entropy",
}


def check(case, seed):
    f, grad, inputs = case.build(np.random.default_rng(seed))
    return mg.check_gradients(f, *inputs, grad=grad, seed=seed, raise_on_failure=False)


@pytest.mark.parametrize("case", WRONG, ids=repr)
def test_wrong_gradient_is_found_and_named(case):
    for seed in SEEDS:
        report = check(case, seed)
        assert not report.ok, f"missed with seed {seed}"
        assert report.diagnosis == case.diagnosis, f"seed {seed}:\n{report}"


@pytest.mark.parametrize("case", awkward.right, ids=repr)
def test_right_gradient_is_not_refuted(case):
    for seed in SEEDS:
        report = check(case, seed)
        assert report.ok, f"false alarm with seed {seed}:\n{report}"
        assert report.vacuous == (case.name in PROVES_NOTHING), f"seed {seed}"


def test_the_tables_are_large_and_cover_every_diagnosis():
    assert len(WRONG) >= 80
    assert len(awkward.right) >= 40
    for table in (WRONG, awkward.right):
        assert len({case.name for case in table}) == len(table)
    assert {case.diagnosis for case in WRONG} == set(mg.checking.report.ADVICE)
