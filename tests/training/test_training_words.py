"""What is measured of a run, and what its report says in words."""

import math

import numpy as np
import pytest

from minigan import data
from minigan.training.diagnosis import Diagnosis
from minigan.training.evaluation import COPIES, COPIES_Z, copies, evaluate, is_quick, keep, kept, memorisation
from minigan.training.run import RunFolder
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


def test_anything_has_a_distance():
    source = data.moons()
    assert is_quick(source)
    measures = evaluate(Source(source, 1.0), source)
    assert measures["sliced W2 (data units)"] == pytest.approx(1.0, rel=0.05)  # a shift of both axes, sqrt(2) / sqrt(2)
    assert measures["sliced W2 between two real sets (floor)"] < 0.1


def test_sequences(monkeypatch):
    asked = []

    def score(fake, real, *, hidden, judges, progress):
        asked.append((fake.shape, hidden, judges))
        return 0.25

    monkeypatch.setattr("minigan.metrics.discriminative_score", score)
    source = data.sines("rgan")
    assert not is_quick(source)
    measures = evaluate(Source(source), source, judges=2)
    assert asked == [((10_000, 30, 1), 2, 2), ((10_000, 30, 1), 2, 2), ((10_000, 30, 1), 32, 2)]
    assert measures["discriminative score, 32 units (0 is perfect)"] == 0.25
    assert measures["autocorrelation difference (0 is perfect)"] < 0.05
    assert abs(measures["MMD^2 of 2,000 (0 is perfect)"]) < 1e-3


def test_images_with_labels(monkeypatch):
    given = []
    monkeypatch.setattr("minigan.metrics.evaluate_images", lambda x, d, **o: given.append((x.shape, o)) or {"FID": 3.0})
    rng = np.random.default_rng(0)
    source = data.ArrayDataset(rng.random((40, 1, 4, 4)), "squares", np.arange(40) % 2)
    measures = evaluate(Source(source), source)
    assert given == [((10_000, 1, 4, 4), {"progress": False})]
    assert measures["FID"] == 3.0
    assert measures[COPIES] < 0.1  # the source repeats its rows
    assert is_quick(data.ArrayDataset(rng.random((40, 1, 4, 4)), "squares"))  # without labels there is no classifier


@pytest.mark.parametrize(("rows", "ratio", "z"), [("same", 0, -5), ("new", 1, 0)])
def test_copies_are_told_from_new_data(rows, ratio, z):
    draw = np.random.default_rng(0)
    source = data.from_array(draw.normal(size=(300, 4)))
    fresh = data.from_array(draw.normal(size=(3000, 4)))
    found = memorisation(Source(source if rows == "same" else fresh), source)
    assert found.median_ratio == pytest.approx(ratio, abs=0.1)
    assert found.z == pytest.approx(z, abs=3)
    assert memorisation(Source(source), data.gaussian()) is None  # endless
    assert memorisation(Source(source), data.from_array(np.zeros((14, 4)))) is None
    assert copies(None) == {}


def test_measures_are_kept_for_this_generator_only(small, fit, tmp_path):
    gan = fit(small(), out=tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    assert kept(run, gan) == {}
    keep(run, gan, {"a": np.float32(1.5), "b": math.inf, "c": 3})
    found = kept(run, gan)
    assert (found["a"], found["c"]) == (1.5, 3.0)
    assert math.isnan(found["b"])
    assert kept(run, fit(small(seed=1))) == {}
    for content in (b"", b"{", b"[]", b'{"generator": 3}', b"\xff", b"null", b"[" * 100_000):
        (tmp_path / "run/evaluation.json").write_bytes(content)
        assert kept(run, gan) == {}


SCORES = {
    "discriminative score, 2 units (0 is perfect)": 0.02,
    "discriminative score, 2 units, real against real (floor)": 0.01,
}


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
        ([], {COPIES: 0.02, COPIES_Z: -9.0}, "are closer to the training data than new data is"),
        ([], {COPIES: 1.1, COPIES_Z: 2.0}, "are not closer to the training data"),
        ([], {"FID, 10000 images (own classifier)": 6.0, "FID between two real sets (floor)": 3.0}, "FID is 6, where"),
        ([], SCORES, "right about 52.0% of the sequences"),
        ([], {"modes of 25": 3.5, "high-quality samples (perfect 0.989)": 0.5}, "Only 3.5 of 25 modes are found"),
    ],
)
def test_words_follow_the_numbers(small, history, measures, said):
    gan = small()
    gan.history = history
    assert said in " ".join(describe(gan, data.gaussian(), measures))


def test_words_begin_with_the_diagnosis(small):
    said = describe(small(), data.gaussian(), {}, Diagnosis("mode collapse", "Seen.", "Try."))
    assert said[1] == "Diagnosis: mode collapse. Seen. Try."


def test_words_tell_the_run(small, fit):
    gan = fit(small(ema=0.99, seed=3))
    first = describe(gan, data.gaussian(), {})[0]
    for fact in ("12 steps", "gaussian", "non_saturating", "8 samples a step", "seed 3", "decay 0.99"):
        assert fact in first
    assert "average" not in describe(small(), data.gaussian(), {})[0]


def test_a_short_run_draws_no_conclusion(small):
    gan = small()
    gan.history = record(0.5, 0.5, n=5)
    assert len(describe(gan, data.gaussian(), {})) == 1
