"""Options: what is accepted, what is refused in one clear sentence, and config.toml as their mirror."""

import dataclasses
import math
import tomllib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import losses
from minigan.errors import ConfigError, MiniganError
from minigan.training import Config

FIELDS = {field.name: field for field in dataclasses.fields(Config)}
DAMAGED = 200  # variants of a damaged file


def rate(high=None):
    return st.floats(0, high, allow_nan=False, allow_infinity=False, exclude_max=high is not None)


def whole(low, high=2**63 - 1):
    return st.integers(low, high)


configs = st.builds(
    lambda pack, **options: Config(pack=pack, **options | {"batch_size": pack * options["batch_size"]}),
    pack=whole(1, 1000),
    preset=st.text(),
    data=st.text(),
    loss=st.sampled_from([*losses.names(), "custom"]),
    steps=whole(1),
    seed=whole(0),
    batch_size=whole(1, 1000),
    lr_g=rate(),
    lr_d=rate(),
    beta1=rate(1),
    beta2=rate(1),
    ema=rate(1),
    warmup=whole(0),
    cosine_from=st.floats(0, 1),
    r1=rate(),
    r2=rate(),
    wgan_gp=rate(),
    dragan=rate(),
    penalty_end=st.floats(1e-12, 1),
    noise=rate(),
    noise_end=st.floats(0, 1),
    decay_until=st.floats(1e-6, 1),
    d_steps=whole(1, 1000),
    freeze_g_until=whole(0),
    spectral_norm=st.booleans(),
    clip_weights=rate(),
    clip_grad_g=rate(),
    clip_grad_d=rate(),
    compile=st.booleans(),
    latent_normals=whole(0, 1_000_000),
    latent_signs=whole(0, 1_000_000),
    standardise=st.booleans(),
    log_every=whole(1),
    checkpoints=whole(1, 10_000),
    snapshots=whole(0, 10_000),
)


@given(configs)
def test_config_toml_is_a_mirror(config):
    text = config.to_toml()
    assert set(tomllib.loads(text)) == set(FIELDS)
    back = Config.from_toml(text)
    assert back == config
    assert all(type(getattr(back, name)) is type(getattr(config, name)) for name in FIELDS)


def test_every_number_has_a_range_that_the_default_lies_in():
    for name, field in FIELDS.items():
        if field.type in (int, float):
            with pytest.raises(ConfigError, match=rf"^{name} is -1; it must be at least"):
                Config(**{name: -1})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"steps": 1.5}, "steps is 1.5; expected int"),
        ({"steps": "10"}, "steps is '10'; expected int"),
        ({"steps": True}, "steps is True; expected int"),
        ({"steps": 2**63}, "steps is too large"),
        ({"seed": 10**5000}, "seed is too large"),
        ({"lr_g": 10**400}, "lr_g is too large"),
        ({"lr_g": math.nan}, "lr_g is nan; it must be a finite number"),
        ({"lr_d": math.inf}, "lr_d is inf; it must be a finite number"),
        ({"lr_d": None}, "lr_d is None; expected float"),
        ({"beta1": 1}, "must be below 1"),
        ({"ema": 1.0}, "must be below 1"),
        ({"beta2": 1.5}, "beta2 is 1.5; it must be at least 0 and at most 1"),
        ({"penalty_end": 0}, "penalty_end is 0; it must be at least 1e-12 and at most 1"),
        ({"standardise": 1}, "standardise is 1; expected bool"),
        ({"loss": "hinges"}, "unknown loss 'hinges'; known are minimax"),
        ({"loss": 3}, "loss is 3; expected str"),
        ({"real_label": 1.1}, "real_label is 1.1; it must be at least 0 and at most 1"),
        ({"real_label": 0.9, "loss": "hinge"}, "real_label is for the losses minimax, non_.* not for hinge; leave it"),
        ({"real_label": 0.9, "loss": "custom"}, "real_label is for the losses .* not for custom"),
        ({"d_steps": 0}, "d_steps is 0; it must be at least 1"),
        ({"pack": 3}, "batch_size is 128; with pack 3 it must be a multiple of that"),
        ({"freeze_g_until": 9, "freeze_d_from": 8}, "freeze_g_until is 9, but freeze_d_from 8: nobody would move"),
        ({"decay_until": 0}, "decay_until is 0; it must be at least 1e-06 and at most 1"),
        ({"batch_size": 2_000_000}, "batch_size is 2e.06; it must be at least 1 and at most 1e.06"),
    ],
)
def test_bad_values_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        Config(**options)


def test_numpy_numbers_become_plain_ones():
    config = Config(steps=np.int64(7), lr_g=np.float64(0.5), lr_d=1, r1=np.int32(2))
    assert (config.steps, config.lr_g, config.lr_d, config.r1) == (7, 0.5, 1.0, 2.0)
    assert [type(v) for v in (config.steps, config.lr_g, config.lr_d, config.r1)] == [int, float, float, float]


def without(*names):
    return "\n".join(line for line in Config().to_toml().splitlines() if line.split(" =")[0] not in names)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = ", "run.toml is not valid TOML"),
        ("\x00", "run.toml is not valid TOML"),
        (f"steps = {'9' * 5000}", "run.toml is not valid TOML"),
        (f"steps = {'[' * 10_000}", "run.toml is not valid TOML"),
        ("", "run.toml lacks the options batch_size, beta1"),
        (without("lr_g"), "run.toml lacks the options lr_g; is it damaged"),
        (Config().to_toml() + "sevens = 7\n", "run.toml has unknown options sevens"),
        (Config().to_toml() + "[more]\nx = 1\n", "run.toml has unknown options more"),
        (without("steps") + "\nsteps = '5'", "run.toml: steps is '5'; expected int"),
        (without("steps") + "\nsteps = 2024-01-01", "run.toml: steps is .*; expected int"),
        (without("steps") + "\nsteps = 1000000000000000000000", "run.toml: steps is too large"),
        (without("lr_g") + "\nlr_g = nan", "run.toml: lr_g is nan"),
        (without("lr_g") + "\nlr_g = 1e999", "run.toml: lr_g is inf"),
    ],
)
def test_a_damaged_file_is_one_clear_error(text, message):
    with pytest.raises(ConfigError, match=message):
        Config.from_toml(text, "run.toml")


# What config.toml held before there were other penalties than R1 and R2, instance noise, packing and stages.
FIRST = (
    "preset steps seed loss batch_size lr_g lr_d beta1 beta2 warmup cosine_from r1 r2 penalty_end ema latent_normals"
)
FIRST += " latent_signs standardise log_every checkpoints snapshots compile data"


def test_a_run_folder_of_an_earlier_version_is_read():
    """What it lacks is off; what it always had may not be missing."""
    old = without(*FIELDS.keys() - set(FIRST.split()))
    assert len(tomllib.loads(old)) == 23
    assert Config.from_toml(old) == Config()
    for name in FIRST.split():
        with pytest.raises(ConfigError, match=f"lacks the options {name};"):
            Config.from_toml(without(name))


def test_no_damage_ends_in_anything_but_a_clear_error():
    rng = np.random.default_rng(0)
    good = bytearray(Config().to_toml().encode())
    refused = 0
    for _ in range(DAMAGED):
        text = good[: rng.integers(len(good))] if rng.random() < 0.3 else good.copy()
        for at in rng.integers(max(len(text), 1), size=rng.integers(1, 6)):
            if text:
                text[at] = rng.integers(32, 127)
        try:
            Config.from_toml(text.decode())
        except MiniganError:
            refused += 1
    assert refused > 0.8 * DAMAGED  # the rest changed one digit into another
