"""What is measured of a run, and what its report says in words."""

import math

import numpy as np
import pytest

from minigan import data
from minigan.errors import ConfigError
from minigan.training.evaluation import evaluate, is_measured
from minigan.training.words import describe


class Source:
    """Stands for a GAN: samples from a data set, with other seeds than the data's own."""

    def __init__(self, source, shift=0.0):
        self.source, self.shift = source, shift

    def sample(self, n, seed):
        return self.source.sample(n, seed + 1000) + np.float32(self.shift)


def test_perfect_samples_on_the_line():
    measures = evaluate(Source(data.gaussian()), data.gaussian())
    assert 0.5 < measures["W1 / floor (1 is perfect)"] < 2
    shifted = evaluate(Source(data.gaussian(), 0.25), data.gaussian())
    assert shifted["W1 (data units)"] == pytest.approx(0.25, rel=0.05)  # W1 of a shift is the shift
    assert shifted["W1 / floor (1 is perfect)"] > 10


def test_perfect_samples_in_the_plane():
    measures = evaluate(Source(data.ring()), data.ring())
    assert measures["modes of 8"] == 8
    assert measures["high-quality samples (perfect 0.989)"] == pytest.approx(0.989, abs=0.003)
    assert measures["reverse KL in nats (0 is perfect)"] == pytest.approx(0, abs=0.01)
    assert measures["width of the modes (1 is perfect)"] == pytest.approx(1, abs=0.03)


def test_samples_that_miss_every_mode():
    measures = evaluate(Source(data.ring(), 100.0), data.ring())
    assert measures["modes of 8"] == 0
    assert math.isnan(measures["width of the modes (1 is perfect)"])


def test_constant_data_has_no_floor():
    constant = data.from_array(np.full((5, 1), 2.0))
    assert evaluate(Source(constant, 1.0), constant)["W1 / floor (1 is perfect)"] == math.inf


def test_what_has_no_measure_says_so():
    source = data.from_array(np.zeros((5, 3)))
    assert not is_measured(source)
    assert not is_measured(data.moons())  # points of the plane without modes
    with pytest.raises(ConfigError, match=r"no measure for samples of shape \(3,\)"):
        evaluate(Source(source), source)


def record(d_real, d_fake, n=40):
    return [{"step": i, "d_loss": 1.25, "g_loss": 0.7, "d_real": d_real, "d_fake": d_fake} for i in range(n)]


@pytest.mark.parametrize(
    ("history", "measures", "said"),
    [
        (record(0.95, 0.05), {}, "the discriminator was well ahead"),
        (record(0.7, 0.4), {}, "the discriminator was somewhat ahead"),
        (record(0.5, 0.5), {}, "could hardly tell"),
        (record(0.5, 0.5), {}, "its loss was 1.25, at equilibrium it is 1.39"),
        ([], {"W1 (data units)": 0.02, "W1 / floor (1 is perfect)": 1.5}, "hardly told from real ones"),
        ([], {"W1 (data units)": 0.02, "W1 / floor (1 is perfect)": 2.5}, "close to the real ones"),
        ([], {"W1 (data units)": 0.02, "W1 / floor (1 is perfect)": 9.0}, "visibly off"),
        ([], {"modes of 8": 8.0, "high-quality samples (perfect 0.989)": 0.97}, "All 8 modes are found; 97.0%"),
        ([], {"modes of 25": 3.5, "high-quality samples (perfect 0.989)": 0.5}, "Only 3.5 of 25 modes are found"),
    ],
)
def test_words_follow_the_numbers(small, history, measures, said):
    assert said in " ".join(describe(history, measures, small(), data.gaussian()))


def test_words_tell_the_run(small, fit):
    gan = fit(small(ema=0.99, seed=3))
    first = describe(gan.history, {}, gan, data.gaussian())[0]
    for fact in ("12 steps", "gaussian", "non_saturating", "8 samples a step", "seed 3", "decay 0.99"):
        assert fact in first
    assert "average" not in describe([], {}, small(), data.gaussian())[0]


def test_a_short_run_draws_no_conclusion(small):
    assert len(describe(record(0.5, 0.5, n=5), {}, small(), data.gaussian())) == 1
