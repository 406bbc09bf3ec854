"""report.html of every kind of run."""

import base64
import dataclasses
import html
import os
import re

import numpy as np
import pytest
from PIL import Image

from minigan import nn
from minigan.errors import CheckpointError, ConfigError
from minigan.training import GAN, RunFolder, presets, report
from minigan.training.evaluation import keep
from minigan.training.report import make_report, write_report


@pytest.fixture
def trained(tmp_path):
    """Return a function that trains a preset for a few steps and returns (gan, data, folder)."""

    def train(name, **options):
        config = dataclasses.replace(presets.config(name), **{"steps": 25, "log_every": 1, "snapshots": 2, **options})
        gan, source = presets.build(config), presets.dataset(config)
        gan.fit(source, out=tmp_path / name, progress=False)
        return gan, source, tmp_path / name

    return train


INSIGHTS = ["walks.png", "traversal.png", "saliency.png"]  # of images


def pictures(page):
    """Return (media type, bytes) of everything embedded in a page."""
    found = re.findall(r'src="data:([a-z/]+);base64,([^"]+)"', page)
    return [(kind, base64.b64decode(text)) for kind, text in found]


def assert_complete(folder, names):
    """A page that needs nothing from outside and embeds the pictures that lie beside it."""
    page = (folder / "report.html").read_text()
    assert not re.search(r"""(src|href)\s*=\s*(?!["']?(data:|#))""", page)
    assert not re.search(r"@import|url\(|<script[^>]+src|<link|<iframe", page)
    embedded = pictures(page)
    files = {name: (folder / name).read_bytes() for name in names}
    assert sorted(bytes_ for _, bytes_ in embedded) == sorted(files.values())
    for name in names:
        with Image.open(folder / name) as image:
            image.load()
            assert image.width > 50
    assert sorted(p.name for p in folder.iterdir() if p.suffix in (".png", ".gif")) == sorted(names)
    assert [p for p in folder.iterdir() if p.suffix == ".tmp"] == []
    return page


def test_points_on_the_line(trained, capsys):
    _, _, folder = trained("mixture1d")
    assert write_report(folder) == folder / "report.html"
    page = assert_complete(folder, ["training.gif", "samples.png", "map.png", "losses.png", "scores.png"])
    assert "played 25 steps on mixture1d with the relativistic loss" in page
    assert "visibly off" in page  # 25 steps do not do it
    assert "from step 0 to step 25" in page
    with Image.open(folder / "training.gif") as gif:
        assert gif.n_frames == 3
    assert "animation" in capsys.readouterr().err


def test_points_in_the_plane(trained):
    gan, source, folder = trained("ring")
    write_report(folder, gan=gan, data=source)
    page = assert_complete(folder, ["training.gif", "samples.png", "walks.png", "losses.png", "scores.png"])
    assert "of 8 modes are found: the generator has collapsed" in page


def test_images(trained):
    gan, source, folder = trained("glyphs", steps=3)
    write_report(folder, gan=gan, data=source)
    page = assert_complete(folder, ["training.gif", "samples.png", "real.png", *INSIGHTS, "losses.png", "scores.png"])
    assert "times that of new data" in page
    assert "played 3 steps on glyphs" in page


def test_no_snapshots_no_animation(trained):
    _, _, folder = trained("gaussian", snapshots=0)
    write_report(folder)
    assert_complete(folder, ["samples.png", "map.png", "losses.png", "scores.png"])


def test_a_run_without_a_single_step(tmp_path):
    presets.build(presets.config("gaussian")).save(tmp_path / "run")
    write_report(tmp_path / "run")
    page = assert_complete(tmp_path / "run", ["samples.png", "map.png"])
    assert "played 0 steps" in page


def test_a_run_shorter_than_its_first_line_of_metrics(trained):
    gan, _, folder = trained("gaussian", steps=3, log_every=100)
    assert [record["step"] for record in gan.history] == [3]
    write_report(folder)
    assert_complete(folder, ["training.gif", "samples.png", "map.png", "losses.png", "scores.png"])


def test_own_networks_and_an_array(small, points, tmp_path):
    gan = small(snapshots=1).fit(points, out=tmp_path / "run", progress=False)
    write_report(tmp_path / "run", gan=gan, data=points)
    assert_complete(tmp_path / "run", ["training.gif", "samples.png", "map.png", "losses.png", "scores.png"])
    with pytest.raises(ConfigError, match="networks of your own: pass them"):
        write_report(tmp_path / "run")


@pytest.mark.parametrize("shape", [(3,), (3, 4, 4)])
def test_samples_that_no_picture_shows(tmp_path, shape):
    size = int(np.prod(shape))
    generator = nn.Sequential(nn.Dense(2, size), nn.Reshape(*shape))
    gan = GAN(generator, nn.Sequential(nn.Flatten(), nn.Dense(size, 1)), steps=2, log_every=1)
    source = np.random.default_rng(0).normal(size=(20, *shape))
    gan.fit(source, out=tmp_path / "run", progress=False)
    write_report(tmp_path / "run", gan=gan, data=source)
    assert_complete(tmp_path / "run", ["losses.png", "scores.png"])


def test_sequences(tmp_path):
    generator = nn.Sequential(nn.Dense(2, 8), nn.Reshape(4, 2))
    gan = GAN(generator, nn.Sequential(nn.Flatten(), nn.Dense(8, 1)), steps=2, log_every=1, snapshots=2)
    source = np.random.default_rng(0).normal(size=(20, 4, 2))
    gan.fit(source, out=tmp_path / "run", progress=False)
    write_report(tmp_path / "run", gan=gan, data=source)
    assert_complete(tmp_path / "run", ["samples.png", "losses.png", "scores.png"])


def test_the_page_tells_the_diagnosis_and_what_was_measured(trained):
    gan, source, folder = trained("gaussian", snapshots=0)
    keep(RunFolder(folder), gan, {"a measure that takes long": 12.5})
    page, diagnosis = make_report(folder)
    text = html.unescape(page.read_text())
    assert f"Diagnosis: {diagnosis.name}. {diagnosis.evidence}" in text
    assert "a measure that takes long" in text
    gan.fit(source, steps=1, out=folder, progress=False)
    write_report(folder)
    assert "a measure that takes long" not in page.read_text()  # of another generator


def test_a_diverged_run_says_so(trained):
    _, _, folder = trained("gaussian", snapshots=0)
    RunFolder(folder).append_metrics({"step": 30, "diverged": "losses: discriminator nan, generator 1.0"})
    page, diagnosis = make_report(folder)
    assert diagnosis.name == "divergence"
    assert "Training stopped: losses: discriminator nan" in page.read_text()


def test_images_of_another_range(tmp_path):
    """Images in [-1, 1], as a tanh makes them."""
    generator = nn.Sequential(nn.Dense(2, 16), nn.Tanh(), nn.Reshape(1, 4, 4))
    gan = GAN(generator, nn.Sequential(nn.Flatten(), nn.Dense(16, 1)), steps=2, log_every=1, snapshots=1)
    source = np.random.default_rng(0).uniform(-1, 1, (20, 1, 4, 4))
    gan.fit(source, out=tmp_path / "run", progress=False)
    write_report(tmp_path / "run", gan=gan, data=source)
    names = ["training.gif", "samples.png", "real.png", *INSIGHTS, "losses.png", "scores.png"]
    assert_complete(tmp_path / "run", names)


def test_damaged_snapshots_and_metrics_do_not_stop_it(trained):
    _, _, folder = trained("gaussian", snapshots=3)
    snapshots = sorted((folder / "snapshots").iterdir())
    snapshots[1].write_bytes(b"rubbish")
    np.save(snapshots[2], np.zeros((3, 5), np.float32))
    np.save(folder / "snapshots/00000099.npy", np.zeros((2000, 1), np.float32))  # of steps that are not done yet
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"step": 3}\n{"st')
    write_report(folder)
    with Image.open(folder / "training.gif") as gif:
        assert gif.n_frames == 2


def test_a_killed_run_tells_of_what_its_checkpoint_holds(trained, monkeypatch):
    """Lines past the last checkpoint are of steps that will be done again."""
    gan, _, folder = trained("gaussian", steps=20, checkpoints=2)
    RunFolder(folder).append_metrics({**gan.history[-1], "step": 30, "d_loss": 1e9})
    shown = []
    monkeypatch.setattr(report.plots, "losses", lambda history, **_: shown.extend(history) or real(history))
    real = report.plots.scores
    write_report(folder)
    assert [record["step"] for record in shown] == list(range(1, 21))


@pytest.mark.parametrize("name", ["generator_map", "render_report"])
def test_an_interrupt_loses_nothing(trained, monkeypatch, name):
    _, _, folder = trained("gaussian", snapshots=1)
    before = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(report.plots, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_report(folder)
    assert all((folder / name).read_bytes() == content for name, content in before.items())
    assert not (folder / "report.html").exists()
    write_report(folder)
    assert_complete(folder, ["training.gif", "samples.png", "map.png", "losses.png", "scores.png"])


def test_a_full_disk(trained, monkeypatch):
    _, _, folder = trained("gaussian", snapshots=1)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="is full; free some space"):
        write_report(folder)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(CheckpointError, match="is not a run folder"):
        write_report(tmp_path)
