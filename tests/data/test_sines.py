"""Sine waves: what each protocol says of them, recovered from the samples."""

import numpy as np
import pytest

from minigan import data
from minigan.errors import ConfigError

N = 20_000
KINDS = pytest.mark.parametrize(
    ("kind", "name", "shape"), [("timegan", "sines", (24, 5)), ("rgan", "sines-rgan", (30, 1))]
)


@KINDS
class TestBothKinds:
    def test_has_what_a_trainer_asks_of_data(self, kind, name, shape):
        dataset = data.sines(kind)
        assert isinstance(dataset, data.Dataset)
        assert dataset.name == name
        assert dataset.shape == shape
        assert repr(dataset) == f"<{name}: {shape[1]} sine(s) of {shape[0]} steps>"

    @pytest.mark.parametrize("n", [0, 1, 7])
    def test_sample_has_shape_and_dtype(self, kind, name, shape, n):
        x = data.sines(kind).sample(n, seed=0)
        assert x.shape == (n, *shape)
        assert x.dtype == np.float32

    def test_mean_and_std_are_those_of_the_samples(self, kind, name, shape):
        dataset = data.sines(kind)
        x = dataset.sample(N, seed=1).astype(float)
        per_sequence = x.mean(axis=(1, 2))  # entries of one sequence depend on each other
        assert abs(per_sequence.mean() - dataset.mean) < 4 * per_sequence.std() / np.sqrt(N)
        squares = ((x - dataset.mean) ** 2).mean(axis=(1, 2))
        assert abs(squares.mean() - dataset.std**2) < 4 * squares.std() / np.sqrt(N)

    def test_seed_decides_and_a_generator_is_advanced(self, kind, name, shape):
        dataset = data.sines(kind)
        np.testing.assert_array_equal(dataset.sample(9, seed=3), data.sines(kind).sample(9, seed=3))
        rng = np.random.default_rng(3)
        first, second = dataset.sample(9, rng), dataset.sample(9, rng)
        np.testing.assert_array_equal(first, dataset.sample(9, seed=3))
        assert not np.array_equal(first, second)


def test_timegan_waves_have_the_frequencies_and_phases_of_the_paper():
    """Within a quarter turn the arcsine undoes the sine, so both can be read off the first four steps."""
    x = data.sines().sample(N, seed=5).astype(float)
    angle = np.arcsin(2 * x[:, :4] - 1)
    phase, frequency = angle[:, 0], np.diff(angle, axis=1)
    np.testing.assert_allclose(frequency, frequency[:, :1].repeat(3, axis=1), atol=1e-5)
    for drawn in (phase, frequency[:, 0]):
        assert drawn.min() > -1e-5
        assert drawn.max() < 0.1 + 1e-5
        np.testing.assert_allclose(np.quantile(drawn, [0.1, 0.5, 0.9]), [0.01, 0.05, 0.09], atol=0.001)
    # A frequency for each feature, and none that goes with the phase.
    table = np.corrcoef(np.concatenate([phase, frequency[:, 0]], axis=1).T)
    assert np.abs(table - np.eye(10)).max() < 4 / np.sqrt(N)


def test_every_timegan_wave_obeys_its_recurrence():
    """A sine satisfies s_{t+1} + s_{t-1} = 2 cos(f) s_t, to the last step."""
    s = 2 * data.sines().sample(50, seed=6).astype(float) - 1
    frequency = np.arcsin(s[:, 1]) - np.arcsin(s[:, 0])
    np.testing.assert_allclose(s[:, 2:] + s[:, :-2], 2 * np.cos(frequency)[:, None] * s[:, 1:-1], atol=1e-6)
    assert 0 <= data.sines().sample(1000, seed=7).min() <= data.sines().sample(1000, seed=7).max() <= 1


def test_rgan_waves_have_the_ranges_of_the_paper():
    """The recurrence gives the frequency, the two quadratures then amplitude and phase."""
    s = data.sines("rgan").sample(N, seed=8).astype(float)[..., 0]
    cosine = ((s[:, 2:] + s[:, :-2]) * s[:, 1:-1]).sum(axis=1) / (2 * (s[:, 1:-1] ** 2).sum(axis=1))
    frequency = np.arccos(cosine) * 30 / (2 * np.pi)  # waves in 30 steps
    np.testing.assert_allclose(np.quantile(frequency, [0, 0.25, 0.5, 0.75, 1]), [1, 2, 3, 4, 5], atol=0.05)
    step = 2 * np.pi * frequency / 30
    # s_1 = A sin(f + phi), s_2 = A sin(2f + phi): two equations for A cos(phi) and A sin(phi)
    a, b, c, d = np.sin(step), np.cos(step), np.sin(2 * step), np.cos(2 * step)
    determinant = a * d - b * c
    along, across = (s[:, 0] * d - s[:, 1] * b) / determinant, (a * s[:, 1] - c * s[:, 0]) / determinant
    amplitude, phase = np.hypot(along, across), np.arctan2(across, along)
    np.testing.assert_allclose(np.quantile(amplitude, [0, 0.25, 0.5, 0.75, 1]), [0.1, 0.3, 0.5, 0.7, 0.9], atol=0.02)
    np.testing.assert_allclose(np.quantile(phase, [0.25, 0.5, 0.75]), [-np.pi / 2, 0, np.pi / 2], atol=0.08)


def test_moments_in_closed_form():
    rgan = data.sines("rgan")  # a phase over a whole turn: mean 0, mean square E[A^2] / 2
    assert abs(rgan.mean) < 1e-12
    assert rgan.std == pytest.approx(np.sqrt((0.9**3 - 0.1**3) / (3 * 0.8) / 2), rel=1e-12)
    constant = data.Sines("constant", [0.0], 1, amplitude=(2, 2), frequency=(1, 1), phase=(0.5, 0.5), offset=1)
    assert constant.mean == pytest.approx(1 + 2 * np.sin(0.5))
    assert constant.std == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: data.sines("lstm"), "unknown kind 'lstm'; known are timegan and rgan"),
        (lambda: data.Sines("s", [], 1, amplitude=(0, 1), frequency=(0, 1), phase=(0, 1)), "at least one of each"),
        (lambda: data.Sines("s", [0], 0, amplitude=(0, 1), frequency=(0, 1), phase=(0, 1)), "at least one of each"),
        (lambda: data.Sines("s", [0], 1, amplitude=(1, 0), frequency=(0, 1), phase=(0, 1)), "amplitude from 1 to 0"),
        (lambda: data.Sines("s", [0], 1, amplitude=(0, 1), frequency=(0, np.inf), phase=(0, 1)), "frequency from 0"),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
