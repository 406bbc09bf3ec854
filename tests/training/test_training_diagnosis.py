"""Runs that fail in a known way are told by name, sound ones are not accused."""

import dataclasses
import math

import numpy as np
import pytest
from failing_runs import RUNS, build
from hypothesis import given
from hypothesis import strategies as st

from minigan import data, nn
from minigan.errors import TrainingDiverged
from minigan.metrics import Memorisation
from minigan.training import GAN, RunFolder
from minigan.training.diagnosis import NAMES, Symptoms, diagnose, sway
from minigan.training.symptoms import stuck_units, symptoms_of, told_apart

EXPECTED = {
    "healthy": {"recipe": (0, 1, 2), "recipe on a ring": (1, 2), "plain with R1": (0, 1), "hinge with R1": (0, 1)},
    "divergence": {"huge rates": (0, 1), "rates beyond numbers": (0,)},
    "saturation": {"stuck tanh": (0, 1), "stuck sigmoid": (0, 1)},
    "discriminator wins": {"fast discriminator": (0, 1), "resting generator": (0, 1)},
    "mode collapse": {
        "two bits of noise for eight modes": (0, 1),
        "two pictures of ten": (0, 1),
        "plain on a ring": (0, 1),
    },
    "oscillation": {"critic with momentum": (0, 1), "critic without penalty": (0, 1)},
    "memorisation": {"thirty points": (0, 1)},
}


@pytest.mark.parametrize(
    ("name", "kind", "seed"),
    [(name, kind, seed) for name, kinds in EXPECTED.items() for kind, seeds in kinds.items() for seed in seeds],
)
def test_a_run_is_called_by_its_name(tmp_path, name, kind, seed):
    gan, source = build(kind, seed)
    try:
        gan.fit(source, out=tmp_path / "run", progress=False)
    except TrainingDiverged:
        gan.load_state(*RunFolder(tmp_path / "run").load_checkpoint())  # as a report finds it
    run = RunFolder(tmp_path / "run")
    found = diagnose(symptoms_of(gan, source, run.snapshots(), run.divergence()))
    assert found.name == name, str(found)
    assert bool(found.remedy) == (name != "healthy")


def test_every_kind_of_failure_is_built():
    assert set(EXPECTED) == set(NAMES) - {"unclear"}
    assert {kind for kinds in EXPECTED.values() for kind in kinds} == set(RUNS)


# -- the rules on numbers --------------------------------------------------------------------------------------------
SOUND = Symptoms(
    d_loss=np.full(50, 1.3),
    equilibrium=1.39,
    logits=0.3,
    told_apart=0.55,
    pull=0.5,
    variety=1.0,
    distance=0.05,
    kinds=1,
)
CIRCLE = np.stack([np.cos(np.arange(20)), np.sin(np.arange(20))], axis=1)


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        ({}, "healthy", "0.05 standard deviations"),
        ({"diverged": "losses: nan"}, "divergence", "Training stopped: losses: nan."),
        ({"logits": math.nan}, "divergence", "no longer finite"),
        ({"d_loss": np.geomspace(1, 1e6, 50)}, "divergence", "1e+06"),
        ({"distance": 50.0}, "divergence", "50 of the data's standard deviations"),
        ({"stuck": 0.98}, "saturation", "98% of the units"),
        ({"stuck": 0.9}, "healthy", ""),  # many dead ReLUs do no harm
        ({"told_apart": 0.99, "d_loss": np.full(50, 0.1), "pull": 1e-3}, "discriminator wins", "shrunk to 0.001"),
        (
            {"told_apart": 0.99},
            "healthy",
            "it has not won, for the generator gets a gradient (mean size 0.5 on a score)",
        ),
        ({}, "healthy", "ranks a real sample above a generated one in 55% of all pairs"),
        ({"told_apart": 0.99, "pull": 0.02}, "discriminator wins", "99.0% of all pairs, and its loss is 1.3, where"),
        ({"told_apart": 0.99, "d_loss": np.full(50, -9.0), "equilibrium": 0.0}, "healthy", ""),  # a critic has no scale
        ({"variety": 0.1}, "mode collapse", "vary 0.1 times as much"),
        ({"kinds": 0.1}, "mode collapse", "few of the data's kinds: 10%"),
        (
            {"shares": np.array([1.9, 0.05, 1.05]), "modes": np.array([[0, 0], [1.5, 2], [3, 3]])},
            "mode collapse",
            "1 of 3 modes get less than a tenth of their share: 1 at (1.5, 2).",
        ),
        ({"shares": np.zeros(12), "modes": np.zeros((12, 1))}, "mode collapse", "7 at (0) and 4 more."),
        ({"path": 0.5 * CIRCLE}, "oscillation", "by 0.50 of"),
        ({"path": 0.05 * CIRCLE}, "healthy", ""),
        ({"path": 2 * CIRCLE, "variety": 0.1}, "oscillation", ""),  # a point that runs around
        ({"memorisation": Memorisation(0.05, 0.95, -8.0, 1e-15)}, "memorisation", "0.05 times as far"),
        ({"memorisation": Memorisation(0.9, 0.6, -8.0, 1e-15)}, "healthy", ""),  # a little closer, not copies
        ({"memorisation": Memorisation(0.05, 0.6, -1.0, 0.2)}, "healthy", ""),  # by chance
        ({"distance": 0.8}, "unclear", "0.80 standard deviations"),
        ({"between": 0.7}, "unclear", "70% of them between the modes"),
    ],
)
def test_thresholds(change, name, said):
    found = diagnose(dataclasses.replace(SOUND, **change))
    assert found.name == name
    assert said in str(found)


def test_the_cause_comes_before_what_follows_from_it():
    """A generator that is stuck makes one sample, and a discriminator tells that easily."""
    everything = dataclasses.replace(
        *(SOUND,), stuck=1.0, told_apart=1.0, d_loss=np.zeros(50), variety=0.0, distance=3.0, path=CIRCLE
    )
    assert diagnose(everything).name == "saturation"
    assert diagnose(dataclasses.replace(everything, stuck=0.0)).name == "discriminator wins"
    assert diagnose(dataclasses.replace(everything, diverged="a parameter")).name == "divergence"


@given(st.integers(5, 60), st.floats(0.1, 10), st.floats(0, 6.28))
def test_sway_of_a_line_and_of_a_wave(n, size, angle):
    direction = np.array([np.cos(angle), np.sin(angle)])
    _, turns = sway(np.linspace(-size, size, 2 * n)[:, None] * direction)
    assert turns == 1
    wave = np.tile([size, -size], n)[:, None] * direction + 7
    swing, turns = sway(wave)
    assert swing == pytest.approx(size, rel=1e-6)
    assert turns == 2 * n - 1
    assert sway(wave[:4]) == (0.0, 0)


# -- the symptoms ----------------------------------------------------------------------------------------------------
def test_told_apart_counts_pairs():
    assert told_apart(np.array([3.0, 4.0]), np.array([1.0, 2.0, 2.5])) == 1
    assert told_apart(np.array([1.0, 3.0]), np.array([2.0, 3.0])) == pytest.approx((0 + 0 + 1 + 0.5) / 4)


def test_stuck_units_of_layers_that_are_known():
    source = data.from_array(np.random.default_rng(0).uniform(-1, 1, (100, 4)))
    real = source.sample(100, 0)
    layers = nn.Dense(2, 4), nn.Tanh()
    layers[0].bias.assign(np.array([50.0, 0, 0, -50.0], np.float32))
    gan = GAN(nn.Sequential(*layers), nn.Dense(4, 1))
    assert stuck_units(gan, real) == 0.5
    real[:, 0] = 1.0  # where the data does not vary, the generator need not either
    assert stuck_units(gan, real) == pytest.approx(1 / 3)
    relu = nn.Dense(2, 4)
    relu.bias.assign(np.array([-50.0, 50, 50, 50], np.float32))
    assert stuck_units(GAN(nn.Sequential(relu, nn.ReLU(), nn.Dense(4, 4)), nn.Dense(4, 1)), real) == 0.25
    assert stuck_units(GAN(nn.Dense(2, 4), nn.Dense(4, 1)), real) == 0.0


def test_what_stopped_a_run_is_kept_until_it_is_resumed(tmp_path):
    gan, source = build("rates beyond numbers", 0)
    with pytest.raises(TrainingDiverged):
        gan.fit(source, out=tmp_path / "run", progress=False)
    run = RunFolder(tmp_path / "run")
    assert "discriminator" in run.divergence() or "parameter" in run.divergence()
    assert all("diverged" not in record for record in run.metrics())
    again = GAN(*[build("rates beyond numbers", 0)[0].generator, gan.discriminator], config=gan.config)
    again.load_state(*run.load_checkpoint())
    again.folder = run.path.resolve()
    again.save(run.path)
    assert run.divergence() is None


@pytest.mark.parametrize("content", ["", "rubbish\n", "[]\n", '{"diverged": 3}\n', '{"step": 1}\n', "\xff\n"])
def test_a_damaged_journal_says_nothing(tmp_path, content):
    (tmp_path / "metrics.jsonl").write_text(content, encoding="latin1")
    assert RunFolder(tmp_path).divergence() is None
    assert RunFolder(tmp_path / "nowhere").divergence() is None
