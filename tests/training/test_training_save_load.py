"""Keeping a GAN: save, load, going on in its folder, and what else is in the way."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors.numpy

from minigan import data, losses
from minigan.errors import CheckpointError, ConfigError
from minigan.training import GAN, Config, RunFolder, presets


def test_what_is_loaded_is_what_was_saved(small, fit, networks, tmp_path, weights, same):
    gan = fit(small(ema=0.9, standardise=True, loss="minimax"))
    gan.save(tmp_path / "run")
    back = GAN.load(tmp_path / "run", *networks(seed=1))
    assert same(weights(back), weights(gan))
    assert back.state()[1] == gan.state()[1]
    assert back.config == gan.config
    assert back.history == gan.history
    assert (back.step, back.centre, back.scale) == (gan.step, gan.centre, gan.scale)
    assert np.array_equal(back.sample(20, seed=4), gan.sample(20, seed=4))
    assert same(weights(fit(back, steps=5)), weights(fit(gan, steps=5)))


def test_an_empty_folder_will_do(small, networks, tmp_path):
    small().save(tmp_path)
    assert GAN.load(tmp_path, *networks()).step == 0


def test_saving_again_into_the_own_folder(small, fit, networks, tmp_path):
    gan = small()
    gan.save(tmp_path / "run")
    fit(gan).save(tmp_path / "run")
    back = GAN.load(tmp_path / "run", *networks())
    assert (back.step, back.config.steps) == (12, 12)
    fit(back, steps=3).save(tmp_path / "run")
    assert GAN.load(tmp_path / "run", *networks()).config.steps == 15


def test_nothing_of_another_run_is_overwritten(small, fit, tmp_path, contents):
    fit(small(seed=1), out=tmp_path / "run")
    before = contents(tmp_path)
    other = fit(small(seed=2))
    for attempt in (lambda: other.save(tmp_path / "run"), lambda: fit(other, steps=3, out=tmp_path / "run")):
        with pytest.raises(
            CheckpointError, match="is not empty; choose another --out, or to go on with it: minigan resume"
        ):
            attempt()
    assert contents(tmp_path) == before


def test_what_differs_from_the_run_that_is_there_is_told(small, fit, tmp_path):
    fit(small(), out=tmp_path / "run")
    with pytest.raises(CheckpointError) as caught:
        fit(small(batch_size=4, lr_g=0.5, snapshots=7), out=tmp_path / "run")
    assert str(caught.value).endswith(". That run has other options: batch_size 8 -> 4, lr_g 0.01 -> 0.5")
    with pytest.raises(CheckpointError, match=r"minigan resume \S*$"):
        fit(small(steps=99), out=tmp_path / "run")


def test_going_on_with_other_options(small, fit, networks, tmp_path, weights, same):
    """Those that decide numbers must stay; how long it goes on, and what is written down, may change."""
    gan = fit(small(cosine_from=0.5), out=tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"run is of another configuration: beta1 0.5 -> 0.0, r1 0.0 -> 1.0\. Gi"):
        GAN.load(tmp_path / "run", *networks(), config=dataclasses.replace(gan.config, beta1=0, r1=1, steps=30))
    text = (tmp_path / "run/config.toml").read_text()
    (tmp_path / "run/config.toml").write_text(text.replace("batch_size = 8", "batch_size = 9"))
    with pytest.raises(CheckpointError, match=r"run is of another configuration: batch_size 8 -> 9\."):
        GAN.load(tmp_path / "run", *networks())
    longer = dataclasses.replace(gan.config, steps=30, log_every=3, checkpoints=2, snapshots=0)
    back = GAN.load(tmp_path / "run", *networks(), config=longer)
    fit(back, out=tmp_path / "run")
    assert back.step == 30
    assert RunFolder(tmp_path / "run").config() == longer
    with pytest.raises(CheckpointError, match="another configuration: loss 'non_saturating' -> 'hinge'"):
        small("hinge").load_state(*gan.state())


def test_nothing_of_other_files_is_overwritten(small, tmp_path, contents):
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CheckpointError, match="is not empty; choose another --out, or empty it first"):
        small().save(tmp_path)
    with pytest.raises(CheckpointError, match="is a file; choose another --out"):
        small().save(tmp_path / "file")
    with pytest.raises(CheckpointError, match="file/below"):
        small().save(tmp_path / "file" / "below")
    assert sorted(tmp_path.iterdir()) == before  # not even a lock


def test_a_run_can_move_into_a_folder_later(small, fit, networks, tmp_path, weights, same):
    """The first steps without a folder, the next ones with: the folder tells of all of them."""
    gan = fit(fit(small(), steps=6), steps=6, out=tmp_path / "run")
    back = GAN.load(tmp_path / "run", *networks())
    assert same(weights(back), weights(fit(small())))
    assert [record["step"] for record in back.history] == [2, 4, 6, 8, 10, 12] == [r["step"] for r in gan.history]


def test_going_on_after_the_end_is_written_down(small, fit, networks, tmp_path, weights, same):
    """`fit(steps=...)` on a loaded GAN changes its options: they must be in the folder before the first new step."""
    fit(small(), out=tmp_path / "run")
    gan = GAN.load(tmp_path / "run", *networks())

    def stop(real):
        raise KeyboardInterrupt

    gan.train_step = stop
    with pytest.raises(KeyboardInterrupt):
        fit(gan, steps=8, seed=7, out=tmp_path / "run")
    resumed = GAN.load(tmp_path / "run", *networks())
    assert (resumed.config.steps, resumed.config.seed) == (20, 7)
    fit(resumed, out=tmp_path / "run")
    assert same(weights(resumed), weights(fit(fit(small()), steps=8, seed=7)))


def test_a_relative_folder_stays_the_own_one(small, fit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gan = fit(small(), out="run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    fit(gan, steps=2, out="../run")
    assert json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])["step"] == 14


# -- whose networks, whose loss --------------------------------------------------------------------------------------


def test_a_preset_rebuilds_its_networks(tmp_path, weights, same):
    gan = presets.build(dataclasses.replace(presets.config("ring"), steps=2, batch_size=4))
    gan.fit(data.ring(), out=tmp_path / "run", progress=False)
    assert same(weights(GAN.load(tmp_path / "run")), weights(gan))


def test_own_networks_must_be_passed(small, tmp_path):
    small().save(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"networks of your own: pass them, GAN.load\(run, generator=G, discrim"):
        GAN.load(tmp_path / "run")


@pytest.mark.parametrize("missing", [0, 1])
def test_one_network_is_not_enough(small, networks, tmp_path, missing):
    small().save(tmp_path / "run")
    pair = [None if i == missing else network for i, network in enumerate(networks())]
    with pytest.raises(ConfigError, match="networks of your own"):
        GAN.load(tmp_path / "run", *pair)


def test_a_network_that_is_passed_is_used(tmp_path, networks):
    config = dataclasses.replace(presets.config("gaussian"), latent_normals=1)
    presets.build(config).save(tmp_path / "run")
    generator, _ = presets.networks(config)
    assert GAN.load(tmp_path / "run", generator=generator).generator is generator
    with pytest.raises(CheckpointError, match="does not belong to these networks"):
        GAN.load(tmp_path / "run", generator=networks()[0])


def test_a_built_in_loss_is_found_again_by_its_record(networks, tmp_path):
    GAN(*networks(), loss=losses.get("relativistic")).save(tmp_path / "run")
    assert GAN.load(tmp_path / "run", *networks()).loss.name == "relativistic"


def test_an_own_loss_must_be_passed(networks, tmp_path):
    loss = dataclasses.replace(losses.get("minimax"), name="mine")
    GAN(*networks(), loss=loss).save(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"has a loss of your own: pass it, GAN.load\(run, loss=LOSS\)"):
        GAN.load(tmp_path / "run", *networks())
    assert GAN.load(tmp_path / "run", *networks(), loss=loss).loss is loss


@pytest.mark.parametrize("options", [{"width": 9}, {"latent": 2}, {"features": 2}])
def test_other_networks_are_told(small, fit, networks, tmp_path, options):
    fit(small()).save(tmp_path / "run")
    with pytest.raises(CheckpointError, match=r"run does not belong to these networks: .*shape"):
        GAN.load(tmp_path / "run", *networks(**options))


def test_the_checkpoint_is_a_file_that_others_read(small, fit, tmp_path):
    """Names and shapes of PyTorch, nothing pickled."""
    gan = fit(small(ema=0.5))
    gan.save(tmp_path / "run")
    arrays = safetensors.numpy.load_file(tmp_path / "run/checkpoint.safetensors")
    assert {name: a.shape for name, a in arrays.items() if name.startswith("generator.")} == {
        "generator.0.weight": (8, 1),
        "generator.0.bias": (8,),
        "generator.2.weight": (1, 8),
        "generator.2.bias": (1,),
    }
    assert {name.split(".")[0] for name in arrays} == {
        "generator", "discriminator", "g_optimiser", "d_optimiser", "average",
    }  # fmt: skip


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(CheckpointError, match=r"is not a run folder: it has no config\.toml"):
        GAN.load(tmp_path)
    RunFolder(tmp_path).save_config(Config())
    with pytest.raises(CheckpointError, match="has no checkpoint yet"):
        GAN.load(tmp_path)
