"""Remedies: each does what its paper says, alone and beside the others."""

import dataclasses

import numpy as np
import pytest

import minigan as mg
from minigan import nn, random
from minigan.errors import ConfigError, ShapeError
from minigan.training import GAN, Config, presets, remedies


class Line(nn.Module):
    """x -> w x + b, of one number: its slope is w everywhere."""

    def __init__(self, w, b):
        self.w = nn.module.Parameter(np.float32(w), True)
        self.b = nn.module.Parameter(np.float32(b), True)

    def forward(self, x):
        return self.w * x + self.b


def gradient_of_d(slope, **options):
    """Return dL_D/d(slope, bias) at the first step of a game on the line. With beta1 = 0 Adam's m is the gradient."""
    gan = GAN(Line(1.0, 0.0), Line(slope, 0.0), latent_normals=1, steps=9, beta1=0.0, lr_g=0.0, seed=1, **options)
    gan.train_step(mg.tensor(np.full((8, 1), 3.0, np.float32)))
    return gan.state()[0]["d_optimiser.m"]


# -- penalties -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "derivative"),
    [
        ("r1", lambda v: v),  # gamma/2 v^2
        ("r2", lambda v: v),
        ("wgan_gp", lambda v: 2 * (abs(v) - 1) * np.sign(v)),  # lambda (|v| - 1)^2
        ("dragan", lambda v: 2 * (abs(v) - 1) * np.sign(v)),
    ],
)
@pytest.mark.parametrize("slope", [0.5, -3.0])
def test_a_penalty_adds_its_weight_times_its_derivative(name, derivative, slope):
    plain, penalised = gradient_of_d(slope), gradient_of_d(slope, **{name: 10.0})
    np.testing.assert_allclose(penalised - plain, [10.0 * derivative(slope), 0.0], rtol=1e-5, atol=1e-5)


def test_penalties_add_up():
    each = [gradient_of_d(-3.0, **{name: 2.0}) for name in ("r1", "r2", "wgan_gp", "dragan")]
    together = gradient_of_d(-3.0, r1=2.0, r2=2.0, wgan_gp=2.0, dragan=2.0)
    np.testing.assert_allclose(together - gradient_of_d(-3.0), np.sum(each, 0) - 4 * gradient_of_d(-3.0), rtol=1e-5)


@pytest.mark.parametrize("name", ["r1", "wgan_gp"])
def test_all_penalties_follow_the_schedule(name):
    """Ten steps; from 1 to 0.01 over the first 4 of them: at step 2 a tenth."""
    options = {"steps": 10, "penalty_end": 0.01, "decay_until": 0.4, name: 10.0}
    gan = GAN(Line(1.0, 0.0), Line(-3.0, 0.0), latent_normals=1, beta1=0.0, lr_g=0.0, seed=1, **options)
    gan.step = 2
    gan.train_step(mg.tensor(np.full((8, 1), 3.0, np.float32)))
    full = gradient_of_d(-3.0, **{name: 10.0}) - gradient_of_d(-3.0)
    tenth = gan.state()[0]["d_optimiser.m"] - gradient_of_d(-3.0)
    np.testing.assert_allclose(tenth[0], 0.1 * full[0], rtol=1e-5)


# -- limits ----------------------------------------------------------------------------------------------------------


def test_clipped_weights_stay_in_their_box(small, fit):
    gan = fit(small(loss="wasserstein", clip_weights=0.01))
    largest = [np.abs(p.numpy()).max() for p in gan.discriminator.parameters()]
    assert max(largest) == np.float32(0.01)  # of weights 0.1 to 1 before
    assert max(np.abs(p.numpy()).max() for p in gan.generator.parameters()) > 0.1  # G's are left alone


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_clipped_gradient_keeps_its_direction(networks, player):
    """Of the clipped side only; a limit that is not reached changes nothing."""
    real = mg.tensor(np.full((8, 1), 30.0, np.float32))
    side = player[0]

    def first(limit):
        options = {"steps": 9, "beta1": 0.0, "seed": 1, "lr_g": 0.0, "lr_d": 0.0, f"clip_grad_{side}": limit}
        gan = GAN(*networks(), **options)
        gan.train_step(real)
        arrays = gan.state()[0]
        return arrays[f"{side}_optimiser.m"], arrays[f"{'gd'.replace(side, '')}_optimiser.m"]

    (free, other), (clipped, same), (wide, _) = first(0.0), first(1e-3), first(1e6)
    assert np.linalg.norm(free) > 0.01
    np.testing.assert_allclose(clipped, free * (1e-3 / np.linalg.norm(free)), rtol=1e-4)
    np.testing.assert_array_equal(wide, free)
    np.testing.assert_array_equal(same, other)


def test_spectral_norm_holds_every_layer_of_d_at_one(networks, fit):
    generator, discriminator = networks()
    nn.spectral_norm(discriminator[0])
    gan = GAN(generator, discriminator, spectral_norm=True, steps=60, batch_size=8, lr_d=1e-2)  # [0] has it already
    fit(gan)
    for layer in (discriminator[0], discriminator[2]):
        assert np.linalg.norm(layer.weight.numpy(), 2) == pytest.approx(1.0, abs=0.05)
        assert np.linalg.norm(layer.weight_orig.numpy(), 2) != pytest.approx(1.0, abs=0.05)
    assert "weight" in vars(generator[0])
    x = np.linspace(-30, 30, 500)[:, None]
    assert np.abs(np.diff(gan.score(x)) / np.diff(x[:, 0])).max() <= 1.05  # LeakyReLU's slope is at most 1


def test_looking_does_not_change_what_training_sees(networks, fit):
    """Samples, scores and the trial of shapes leave running statistics and singular vectors as they are."""
    generator, discriminator = networks()
    generator = nn.Sequential(generator[0], nn.BatchNorm1d(8), *generator[1:])
    gan = fit(GAN(generator, discriminator, spectral_norm=True, steps=5, batch_size=8))
    before = gan.state()[0]
    gan._try_shapes(mg.data.gaussian())
    alone = gan.sample(1, seed=3)
    np.testing.assert_allclose(gan.sample(7, seed=3)[:1], alone, rtol=1e-5)  # no statistics of the batch
    gan.score(alone)
    after = gan.state()[0]
    assert all(np.array_equal(before[name], after[name]) for name in before)
    assert generator.training
    assert discriminator[0].training


# -- instance noise --------------------------------------------------------------------------------------------------


class Watched(nn.Module):
    """A discriminator that keeps what it is shown."""

    def __init__(self, inner):
        self.inner, self.seen = inner, []

    def forward(self, x):
        self.seen.append(x.numpy())
        return self.inner(x)


def test_instance_noise_is_on_real_and_fake_and_fades(networks):
    generator, discriminator = networks()
    for p in generator.parameters():
        p.assign(np.zeros(p.shape, np.float32))  # all fakes are 0
    watched = Watched(discriminator)
    gan = GAN(generator, watched, loss="relativistic", steps=100, noise=0.5, lr_g=0.0)
    real = mg.tensor(np.full((20_000, 1), 7.0, np.float32))
    for step, sd in ((0, 0.5), (25, 0.25), (50, 0.0), (99, 0.0)):  # a line to 0 over the first half
        gan.step = step
        watched.seen.clear()
        gan.train_step(real)
        assert len(watched.seen) == 4  # real and fake for D, real and fake for G: each with noise of its own
        for x, centre in zip(watched.seen, (7.0, 0.0, 7.0, 0.0), strict=True):
            assert x.mean() == pytest.approx(centre, abs=0.02)
            assert x.std() == pytest.approx(sd, rel=0.03, abs=1e-6)
    assert not np.array_equal(watched.seen[0], watched.seen[1])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"noise": 2.0}, [2.0, 1.0, 0.0, 0.0]),
        ({"noise": 2.0, "decay_until": 1.0}, [2.0, 1.5, 1.0, 0.5]),
        ({"noise": 2.0, "noise_end": 0.01}, [2.0, 0.2, 0.02, 0.02]),
        ({"noise": 2.0, "noise_end": 1.0}, [2.0, 2.0, 2.0, 2.0]),
        ({}, [0.0, 0.0, 0.0, 0.0]),
    ],
)
def test_the_schedule_of_the_noise(small, options, expected):
    gan = small(steps=100, **options)
    seen = []
    for gan.step in (0, 25, 50, 75):
        seen.append(gan._noise())
    np.testing.assert_allclose(seen, expected, rtol=1e-12)


# -- label smoothing -------------------------------------------------------------------------------------------------


def test_real_label_is_the_losss_own_option(small):
    assert small(real_label=0.9).loss.name == "non_saturating(real_label=0.9)"
    assert small(real_label=0.9).config.loss == "non_saturating"
    with pytest.raises(ConfigError, match="real_label is for the losses minimax, non_saturating, least_squares, not"):
        small(loss="hinge", real_label=0.9)
    with pytest.raises(ConfigError, match="real_label is for losses by name"):
        small(mg.losses.get("minimax"), real_label=0.9)


# -- packing ---------------------------------------------------------------------------------------------------------


def test_packs_hold_neighbours_side_by_side():
    x = mg.tensor(np.arange(8.0).reshape(4, 2))
    np.testing.assert_array_equal(remedies.packed(x, 2).numpy(), [[0, 1, 2, 3], [4, 5, 6, 7]])
    images = np.random.default_rng(0).random((6, 2, 4, 5))
    packs = remedies.packed(mg.tensor(images), 3).numpy()
    np.testing.assert_array_equal(packs, [np.concatenate(images[:3]), np.concatenate(images[3:])])  # along C
    sequences = np.random.default_rng(0).random((6, 4, 2))
    packs = remedies.packed(mg.tensor(sequences), 3).numpy()
    np.testing.assert_array_equal(packs, [np.concatenate(sequences[i : i + 3], axis=1) for i in (0, 3)])


@pytest.mark.parametrize("shape", [(5, 2), (4,), (4, 1, 2, 3, 4)])
def test_what_cannot_be_packed(shape):
    with pytest.raises(ShapeError, match=r"expected vectors, sequences or images, in a multiple of 2 rows"):
        remedies.packed(mg.tensor(np.zeros(shape)), 2)


def test_a_packed_game(networks, fit):
    generator, _ = networks()
    _, discriminator = networks(features=2)
    gan = fit(GAN(generator, discriminator, pack=2, batch_size=8, steps=3, r1=1.0))
    d_loss, _, real, fake = gan.train_step(mg.tensor(np.zeros((8, 1), np.float32)))
    assert real.shape == fake.shape == (4, 1)
    assert d_loss.shape == ()
    assert gan.sample(5).shape == (5, 1)
    assert gan.score(gan.sample(5)).shape == (5,)
    with pytest.raises(ShapeError, match="expects I=1"):
        fit(GAN(*networks(), pack=2, batch_size=8))


@pytest.mark.parametrize("name", ["ring", "mnist", "gaussian"])
def test_presets_build_a_discriminator_for_packs(name):
    config = dataclasses.replace(presets.config(name), pack=4, compile=False)
    gan = presets.build(config)
    batch = mg.tensor(np.random.default_rng(0).random((8, *gan.sample(1).shape[1:])).astype(np.float32))
    assert gan.train_step(batch)[2].shape == (2, 1)


# -- stages ----------------------------------------------------------------------------------------------------------


def moved(gan):
    """Return how often (D, G) have moved, as their optimisers count it."""
    return tuple(set(gan.state()[0][f"{side}_optimiser.t"]).pop() for side in "dg")


def test_several_discriminator_steps_each_on_a_batch_of_its_own(small, networks, fit):
    generator, discriminator = networks()
    watched = Watched(discriminator)
    gan = fit(GAN(generator, watched, d_steps=3, steps=4, batch_size=8))
    assert moved(gan) == (12, 4)
    seen = [x.tobytes() for x in watched.seen[1:]]  # the trial of shapes came first
    assert len(set(seen)) == len(seen) == 4 * (3 * 2 + 1)


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"freeze_g_until": 5}, (12, 7)),
        ({"freeze_d_from": 9}, (9, 12)),
        ({"freeze_g_until": 5, "freeze_d_from": 5}, (5, 7)),
        ({"freeze_g_until": 100}, (12, 0)),
        ({"freeze_g_until": 5, "freeze_d_from": 9, "d_steps": 2}, (18, 7)),
    ],
)
def test_one_side_stands_still_for_a_while(small, fit, loss, options, expected):
    gan = fit(small(loss=loss, log_every=1, **options))
    assert moved(gan) == expected
    assert all(np.isfinite(list(record.values())).all() for record in gan.history)
    assert len(gan.history) == 12


def test_a_frozen_player_keeps_every_byte(small, fit, weights):
    gan = small(steps=10, freeze_g_until=5, freeze_d_from=5)
    before = weights(gan)
    fit(gan, steps=5)
    middle = weights(gan)
    fit(gan, steps=5)
    after = weights(gan)
    for name in before:
        if name.startswith("generator."):
            assert np.array_equal(before[name], middle[name])
            assert not np.array_equal(middle[name], after[name])
        if name.startswith("discriminator."):
            assert not np.array_equal(before[name], middle[name])
            assert np.array_equal(middle[name], after[name])


def test_the_losses_that_a_frozen_player_is_told(networks):
    """A frozen G's loss is of the fakes that D saw; a frozen D's is that of its logits."""
    for loss in ("non_saturating", "relativistic"):
        real = mg.tensor(np.full((8, 1), 2.0, np.float32))
        gan = GAN(*networks(), loss=loss, freeze_g_until=1, freeze_d_from=1, seed=2, steps=9)
        for gan.step in (0, 1):
            d_loss, g_loss, reals, fakes = gan.train_step(real)
            assert d_loss.item() == pytest.approx(gan.loss.discriminator(reals, fakes).item(), rel=1e-6)
            if gan.step == 0:
                told = gan.loss.generator(reals if gan.loss.real_in_generator else None, fakes)
                assert g_loss.item() == pytest.approx(told.item(), rel=1e-6)


# -- all of them, resumed --------------------------------------------------------------------------------------------

SETTINGS = [
    {"wgan_gp": 10.0, "loss": "wasserstein", "d_steps": 3},
    {"dragan": 10.0, "loss": "minimax"},
    {"clip_weights": 0.01, "loss": "wasserstein"},
    {"clip_grad_g": 0.1, "clip_grad_d": 0.1},
    {"spectral_norm": True, "loss": "hinge"},
    {"noise": 0.5, "noise_end": 0.1},
    {"real_label": 0.9, "loss": "least_squares"},
    {"freeze_g_until": 4, "freeze_d_from": 8},
    {"pack": 2, "loss": "relativistic", "r1": 1.0, "r2": 1.0},
]


@pytest.mark.parametrize("options", SETTINGS, ids=lambda options: next(iter(options)))
def test_each_is_resumed_to_the_same_bytes(networks, fit, tmp_path, weights, same, options):
    def build():
        generator, _ = networks()
        return generator, networks(features=options.get("pack", 1))[1]

    plan = {"steps": 12, "batch_size": 8, "lr_g": 1e-2, "lr_d": 1e-2, "ema": 0.9}
    undisturbed = fit(GAN(*build(), **plan, **options))
    half = GAN(*build(), **plan, **options)
    for _ in range(7):
        half.train_step(*(half._batch(mg.data.gaussian()) for _ in range(half.config.d_steps)))
        half.step += 1
    half.save(tmp_path / "run")
    resumed = fit(GAN.load(tmp_path / "run", *build()), out=tmp_path / "run")
    assert same(weights(resumed), weights(undisturbed))
    assert resumed.state()[1] == undisturbed.state()[1]


def test_without_a_remedy_nothing_is_drawn_for_it(small, fit):
    """The random stream of a run is that of the batches and the noise z, as it was before there were remedies."""
    gan = fit(small(steps=3))
    rng = random.default_rng(gan.config.seed)
    for _ in range(3):
        mg.data.gaussian().sample(8, rng.numpy)
        rng.normal((8, 1))
        rng.normal((8, 1))
    assert gan.rng.state == rng.state


def test_options_of_all_remedies_are_off_by_default():
    text = Config().to_toml()
    for name in ("wgan_gp = 0.0", "noise = 0.0", "pack = 1", "d_steps = 1", "real_label = 1.0", "clip_weights = 0.0"):
        assert name in text
