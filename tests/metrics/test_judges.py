"""Discriminative score and TSTR: what must and what cannot be told apart or learnt, seeds, and refusals."""

import numpy as np
import pytest

from minigan import data
from minigan.errors import ConfigError, DataError, ShapeError
from minigan.metrics import discriminative_score, judges, tstr_sequences

SHORT = {"judges": 2, "iterations": 120, "batch_size": 32, "lr": 0.02}


def waves(seed, n=300, frequency=0.8):
    """Sines of any phase, one channel, 8 steps, all of one frequency."""
    kind = data.Sines("s", np.arange(8), 1, amplitude=(1, 1), frequency=(frequency, frequency), phase=(-np.pi, np.pi))
    return kind.sample(n, seed)


def test_sequences_elsewhere_are_always_told_apart():
    assert discriminative_score(waves(0) + 3, waves(1), **SHORT) == 0.5


def test_real_sequences_are_not_told_from_real_ones():
    score = discriminative_score(waves(0, 1000), waves(1, 1000), **SHORT)
    assert 0 < score < 0.06  # guessing on 400 sequences has the deviation 0.025


def test_only_the_order_of_steps_gives_these_away():
    """Each step alone has the same distribution for all frequencies: the judge has to read the sequence."""
    slow, fast = waves(0, frequency=0.4), waves(1, frequency=1.6)
    assert discriminative_score(slow, fast, hidden=8, **{**SHORT, "iterations": 250}) > 0.4


def test_guessing_is_a_half_also_where_one_set_is_larger():
    """A judge that always says real is right on 90 % of these sequences, and knows nothing."""
    assert discriminative_score(waves(0, 100), waves(1, 900), **SHORT) < 0.2


def test_seed_decides():
    options = {**SHORT, "iterations": 5}
    first = discriminative_score(waves(0), waves(1), seed=3, **options)
    assert discriminative_score(waves(0), waves(1), seed=3, **options) == first
    assert discriminative_score(waves(0), waves(1), seed=4, **options) != first


def test_score_is_the_mean_over_different_judges(monkeypatch):
    seeds = []

    def accuracy(fake, real, hidden, iterations, batch_size, lr, seed):
        seeds.append(tuple(seed))
        return [0.3, 0.9][len(seeds) - 1]

    monkeypatch.setattr(judges, "_accuracy", accuracy)
    assert discriminative_score(waves(0), waves(1), judges=2, seed=7) == pytest.approx((0.2 + 0.4) / 2)
    assert seeds == [(7, 0), (7, 1)]


def test_judge_is_asked_about_sequences_that_it_has_not_seen():
    rng = np.random.default_rng(0)
    known, new = judges._split(np.arange(50), rng)
    assert (len(known), len(new)) == (40, 10)
    assert sorted([*known, *new]) == list(range(50))
    assert not np.array_equal(known, np.arange(40))


def test_bar_counts_the_judges(capsys):
    discriminative_score(waves(0, 10), waves(1, 10), judges=1, iterations=1, progress=True)
    assert "judges" in capsys.readouterr().err


# -- train on synthetic, test on real ----------------------------------------------------------------------------------

LEARN = {"hidden": 8, "iterations": 250, "batch_size": 32, "lr": 0.02}


def test_real_sequences_teach_as_well_as_real_ones():
    error = tstr_sequences(waves(0), waves(1), **LEARN)
    assert error.synthetic == pytest.approx(error.real, rel=0.3)
    assert 0 < error.real < 0.3  # a mean step of these waves is 0.5


def test_sequences_of_another_frequency_teach_the_wrong_thing():
    error = tstr_sequences(waves(0, frequency=1.6), waves(1), **LEARN)
    assert error.synthetic > 2 * error.real


def test_tstr_is_the_same_for_the_same_sequences_and_seed():
    short = {**LEARN, "iterations": 3}
    real = waves(1)
    first = tstr_sequences(waves(0), real, **short)
    assert tstr_sequences(waves(0), real, **short) == first
    assert tstr_sequences(waves(2), real, **short).real == first.real
    assert tstr_sequences(waves(0), real, seed=1, **short) != first


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [discriminative_score, tstr_sequences])
def test_what_cannot_be_judged_is_refused(measure):
    x = waves(0, 10)
    for fake, real in ((x, x[:, :5]), (x[..., 0], x[..., 0]), (x[..., :0], x[..., :0])):
        with pytest.raises(ShapeError, match=r"expected \(N, T, C\), \(M, T, C\)"):
            measure(fake, real)
    with pytest.raises(ShapeError, match="need at least 5"):
        measure(x, x[:4])
    with pytest.raises(DataError, match="nan or inf"):
        measure(x * np.nan, x)
    with pytest.raises(ConfigError, match="iterations is 0; it must be at least 1"):
        measure(x, x, iterations=0)


def test_one_step_has_no_next():
    with pytest.raises(ShapeError, match="T of 2 or more"):
        tstr_sequences(waves(0)[:, :1], waves(1)[:, :1])
