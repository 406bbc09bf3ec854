"""GAN.fit, sample, score: what a user calls, with networks and arrays of their own."""

import dataclasses
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import minigan as mg
from minigan import losses, nn
from minigan.errors import ConfigError, DataError, MiniganError, ShapeError, TrainingDiverged
from minigan.training import GAN, Config

# -- fitting ---------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(small, fit, weights, same):
    first, again, other = (weights(fit(small(seed=seed, r1=0.1, ema=0.9))) for seed in (5, 5, 6))
    assert same(first, again)
    assert not same(first, other)


def test_a_seed_of_fit_is_the_seed_of_the_run(small, fit, weights, same):
    gan = fit(small(), seed=5)
    assert gan.config.seed == 5
    assert same(weights(gan), weights(fit(small(seed=5))))


def test_fitting_twice_goes_on(small, fit, weights, same):
    twice = fit(fit(small(), steps=7), steps=5)
    assert twice.step == twice.config.steps == 12
    assert same(weights(twice), weights(fit(small(), steps=12)))
    assert same(weights(fit(twice)), weights(twice))  # nothing is left to do


SCHEDULES = {"warmup": 3, "cosine_from": 0.25, "r1": 1.0, "penalty_end": 0.1, "noise": 0.2}


def test_portions_of_a_planned_run_are_the_run(small, fit, weights, same, tmp_path, contents):
    """Rates, penalties and noise follow the steps that the options name, not those of a portion."""
    for folder in ("whole", "portions"):
        gan, portions = small(**SCHEDULES), [12] if folder == "whole" else [5, 2, 5]
        for steps in portions:
            fit(gan, steps=steps, out=tmp_path / folder)
            assert gan.config.steps == 12
    assert contents(tmp_path / "portions") == contents(tmp_path / "whole")
    assert fit(gan, steps=3).config.steps == 15  # longer than planned


def test_a_run_without_a_plan_ends_with_its_portion(networks, fit, weights, same):
    short, planned = GAN(*networks(), **SCHEDULES), GAN(*networks(), steps=7, **SCHEDULES)
    assert same(weights(fit(short, steps=7)), weights(fit(planned)))
    assert short.config == planned.config


@pytest.mark.parametrize("steps", [0, -3])
def test_fit_wants_at_least_one_step(small, fit, steps):
    gan = fit(small())
    with pytest.raises(ConfigError, match=f"steps is {steps}; it must be at least 1"):
        fit(gan, steps=steps)
    assert gan.config.steps == 12


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_discriminator_may_return_one_number_or_a_column(networks, points, shape):
    generator, body = networks()

    class Discriminator(nn.Module):
        def __init__(self):
            self.body = body

        def forward(self, x):
            return self.body(x).reshape(len(x), *shape)

    gan = GAN(generator, Discriminator(), loss="relativistic", r1=0.1, r2=0.1).fit(points, steps=5, progress=False)
    assert gan.score(points).shape == (200,)


def test_all_losses_train_by_name_and_as_records(small, fit, weights, same):
    for name in losses.names():
        by_name = fit(small(name))
        record = fit(small(losses.get(name)))
        option = fit(small(config=Config(loss=name)))
        assert by_name.config.loss == record.config.loss == option.config.loss == name
        assert same(weights(by_name), weights(record))
        assert same(weights(by_name), weights(option))


def test_history_holds_what_was_logged(small, fit):
    gan = fit(small(steps=13, log_every=5))
    assert [record["step"] for record in gan.history] == [5, 10, 13]
    for record in gan.history:
        assert set(record) == {"step", "d_loss", "g_loss", "d_real", "d_fake"}
        assert 0 < record["d_real"] < 1
        assert 0 < record["d_fake"] < 1


def test_history_holds_the_numbers_of_the_step(small, fit, monkeypatch):
    gan, seen = small(steps=3, log_every=1), []
    step = GAN.train_step
    monkeypatch.setattr(GAN, "train_step", lambda self, real: seen.append(step(self, real)) or seen[-1])
    fit(gan)
    for record, (d_loss, g_loss, real, fake) in zip(gan.history, seen, strict=True):
        assert (record["d_loss"], record["g_loss"]) == (d_loss.item(), g_loss.item())
        assert record["d_real"] == pytest.approx(np.mean(1 / (1 + np.exp(-real.numpy()))), rel=1e-6)
        assert record["d_fake"] == pytest.approx(np.mean(1 / (1 + np.exp(-fake.numpy()))), rel=1e-6)


def test_the_progress_bar_shows_both_losses_and_both_scores(small, capsys):
    gan = small(steps=4).fit(mg.data.gaussian())
    shown = capsys.readouterr().err
    record = gan.history[-1]
    for name, key in {"D loss": "d_loss", "G loss": "g_loss", "D(x)": "d_real", "D(G(z))": "d_fake"}.items():
        assert f"{name}={record[key]:.2f}" in shown
    assert "4/4" in shown


def test_no_bar_is_no_output(small, fit, capsys):
    fit(small())
    assert capsys.readouterr() == ("", "")


def test_a_log_is_not_flooded(small, capsys):
    """Where stderr is no terminal, a bar is written at its start and its end, and every ten seconds between."""
    small(steps=300, log_every=1).fit(mg.data.gaussian())
    assert 1 <= capsys.readouterr().err.count("\r") <= 4


@pytest.mark.parametrize(("width", "threads"), [(8, 1), (20_000, None)])
def test_small_products_stay_on_one_thread(networks, points, monkeypatch, width, threads):
    """In training, and when samples and scores are made."""
    asked = []

    def limits(limit, user_api):
        asked.append(limit)
        return threadpool_limits(limit, user_api=user_api)

    monkeypatch.setattr("minigan.training.gan.threadpool_limits", limits)
    gan = GAN(*networks(width=width), batch_size=500, steps=1).fit(points, progress=False)
    gan.score(gan.sample(5))
    assert asked == [threads] * 4  # the journal tries the generator once, then training, samples, scores


def test_it_trains_outside_the_main_thread(small, fit, weights, same):
    """Signal handlers can only be set in the main thread."""
    gan = small()
    thread = threading.Thread(target=lambda: fit(gan))
    thread.start()
    thread.join()
    assert same(weights(gan), weights(fit(small())))


# -- data ------------------------------------------------------------------------------------------------------------


def test_arrays_lists_and_data_sets_are_data(small, weights, same, points):
    fits = [
        small().fit(data, progress=False)
        for data in (points, points[:, 0], points.tolist(), mg.data.from_array(points))
    ]
    for gan in fits[1:]:
        assert same(weights(gan), weights(fits[0]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 137, 199])
def test_a_value_that_is_not_finite_is_found_anywhere(small, weights, same, points, bad, place):
    points[place] = bad
    gan = small()
    before = weights(gan)
    with pytest.raises(DataError, match=rf"x\[{place}, 0\] is {bad}"):
        gan.fit(points)
    assert same(weights(gan), before)


@pytest.mark.parametrize(
    "bad",
    [
        np.array(["a", "b"]),
        np.ones((5, 1), complex),
        np.array([object()]),
        np.empty((0, 1)),
        np.float32(3),
        [[1.0], [2.0, 3.0]],
        np.array([[1e300]]),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(small, bad):
    with pytest.raises(DataError, match="from_array: x"):
        small().fit(bad)


def test_a_table_with_a_sample_of_its_own_is_read_as_an_array(small, points, weights, same):
    class Table:
        """What a data frame looks like from outside."""

        def sample(self, n=None, frac=None):
            raise AssertionError("not a data set's sample")

        def __array__(self, dtype=None, copy=None):
            return points

    assert same(
        weights(small().fit(Table(), progress=False)),
        weights(small().fit(points, progress=False)),
    )


def test_an_endless_source_of_nan_is_caught(small):
    class Broken:
        name, shape, mean, std = "broken", (1,), 0.0, 1.0

        def sample(self, n, seed):
            return np.full((n, 1), np.nan, np.float32)

    with pytest.raises(DataError, match="holds nan or inf"):
        small().fit(Broken())


@pytest.mark.parametrize("features", [2, 3])
def test_networks_that_do_not_fit_the_data(networks, points, features):
    generator, discriminator = networks(features=1)
    wide_generator, wide_discriminator = networks(features=features)
    with pytest.raises(ShapeError, match=rf"the generator makes shape \({features},\), the data has \(1,\)"):
        GAN(wide_generator, discriminator).fit(points)
    with pytest.raises(ShapeError, match=rf"expects I={features}"):
        GAN(generator, wide_discriminator).fit(points)


def test_a_discriminator_must_return_one_logit_for_each_sample(networks, points):
    generator, _ = networks()
    with pytest.raises(ShapeError, match=r"returns shape \(2, 3\), expected \(2, 1\) or \(2,\)"):
        GAN(generator, nn.Dense(1, 3)).fit(points)


def test_nothing_is_written_when_the_networks_do_not_fit(networks, points, tmp_path):
    generator, discriminator = networks(features=2)
    with pytest.raises(ShapeError):
        GAN(generator, discriminator).fit(points, out=tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


# -- options ---------------------------------------------------------------------------------------------------------


def test_unknown_options_are_named(networks):
    with pytest.raises(ConfigError, match=r"unknown option lr, gamma; known are preset, steps, .*lr_g"):
        GAN(*networks(), lr=1e-3, seed=1, gamma=2)


def test_options_override_a_config(networks):
    gan = GAN(*networks(), config=Config(lr_g=0.5, steps=7), lr_g=0.25)
    assert (gan.config.lr_g, gan.config.steps) == (0.25, 7)
    assert gan.g_optimiser.lr == 0.25


@pytest.mark.parametrize("loss", ["hinges", 3, nn.Tanh()])
def test_what_is_no_loss_is_refused(networks, loss):
    with pytest.raises(ConfigError, match="loss"):
        GAN(*networks(), loss=loss)


# -- divergence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["non_saturating", "relativistic"])
@pytest.mark.parametrize("logged", [1, 1000])
def test_divergence_stops_the_run_and_keeps_the_last_good_checkpoint(networks, fit, tmp_path, loss, logged):
    options = {"lr_g": 1e9, "lr_d": 1e9, "r1": 1.0, "steps": 400, "log_every": logged, "checkpoints": 100}
    gan = GAN(*networks(), loss=loss, **options)
    run = tmp_path / "run"
    with pytest.raises(TrainingDiverged, match=rf"diverged at step \d+ .* the last good checkpoint is in {run}"):
        fit(gan, out=run)
    kept = GAN.load(run, *networks())
    assert kept.step < gan.step < 400
    assert kept.is_finite()
    assert np.isfinite(kept.sample(10)).all()
    assert all(np.isfinite(list(record.values())).all() for record in gan.history)


def test_divergence_without_a_folder(networks, fit):
    gan = GAN(*networks(), lr_g=1e9, lr_d=1e9, r1=1.0, steps=400)
    with pytest.raises(TrainingDiverged, match="Try smaller learning rates") as caught:
        fit(gan)
    assert isinstance(caught.value, MiniganError)
    assert "checkpoint" not in str(caught.value)


def test_parameters_that_overflow_in_the_last_step_are_noticed(small, fit, monkeypatch):
    step = GAN.train_step

    def spoiled(self, real):
        result = step(self, real)
        if self.step == self.config.steps - 1:
            self.generator.parameters()[0].assign(np.full((8, 1), np.nan, np.float32))
        return result

    monkeypatch.setattr(GAN, "train_step", spoiled)
    with pytest.raises(TrainingDiverged, match="at step 12"):
        fit(small())


def test_config_is_not_shared(small, fit):
    """A config may serve several GANs: fitting one does not change it."""
    config = Config(steps=3, batch_size=4)
    copy = dataclasses.replace(config)
    fit(small(config=config), steps=2, seed=9)
    assert config == copy
