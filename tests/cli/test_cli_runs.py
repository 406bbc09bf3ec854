"""Runs from the command line: the same bytes twice, interrupted and killed and resumed, and what comes out of them."""

import csv
import os
import re
import signal
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from minigan import __version__
from minigan.cli import sample
from minigan.training import GAN, RunFolder, VirtualDataset, presets
from minigan.training.diagnosis import NAMES
from minigan.training.evaluation import kept
from minigan.training.virtual import fingerprint

KILL_DRIVER = Path(__file__).with_name("kill_driver.py")

# Run a command that sends itself a signal in the middle of training step 37.
SIGNALLED = """
import os, signal, sys
from minigan.cli import main
from minigan.training import GAN

fake = GAN.fake

def signalled(self, n):
    if self.step == 36:
        GAN.fake = fake
        os.kill(os.getpid(), int(sys.argv[1]))
    return fake(self, n)

GAN.fake = signalled
sys.exit(main(sys.argv[2:]))
"""


def train(preset="gaussian", steps=60, out="run", *more):
    return "train", preset, "--steps", steps, "--no-report", "--out", out, *more


@pytest.fixture
def undisturbed(minigan, tmp_path, contents):
    """What 60 steps of `gaussian` leave that nothing disturbs."""
    assert minigan(*train(out="undisturbed")).code == 0
    return contents(tmp_path / "undisturbed")


def test_the_same_seed_twice_is_the_same_bytes(process, undisturbed, tmp_path, contents):
    for folder in ("first", "second"):
        code, out, err = process("-m", "minigan", *train(out=folder), PYTHONHASHSEED="random")
        assert code == 0, err
        assert "training into" in out
        assert contents(tmp_path / folder) == undisturbed
    assert len(undisturbed) == 4 + 31  # options, metrics, two checkpoints, and snapshots every second step


HEAVY = ["sines", *(name for name in presets.PRESETS if "-" in name)]  # networks that take long to compile


@pytest.fixture
def digits(tmp_path):
    """A folder with twenty images in the form of MNIST."""
    (tmp_path / "data").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (20, 28, 28), np.uint8)
    for name, values in (("images-idx3", pixels), ("labels-idx1", np.zeros(20, np.uint8))):
        header = bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()
        (tmp_path / f"data/train-{name}-ubyte").write_bytes(header + values.tobytes())
    return tmp_path / "data"


@pytest.mark.parametrize(
    ("preset", "compiled"),
    [(name, False) for name in presets.PRESETS]
    + [
        pytest.param(name, True, marks=pytest.mark.deep if name in HEAVY else pytest.mark.slow)
        for name in presets.PRESETS
    ],
)
def test_every_preset_repeats_itself_and_resumes(minigan, tmp_path, contents, digits, monkeypatch, preset, compiled):
    """Bitwise: run twice, and stopped after three steps and resumed from two; another seed is another run."""

    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("minigan.training.gan.WORTH_COMPILING", 1)
    options = ["--checkpoints", 2, "--snapshots", 2, "--log-every", 1, "--batch-size", 8]
    options += [] if compiled else ["--no-compile"]
    options += ["--data", digits] if preset.startswith("mnist") else []
    for folder in ("first", "second"):
        assert minigan(*train(preset, 4, folder, *options)).code == 0
    step = GAN.train_step
    with monkeypatch.context() as patch:
        patch.setattr(GAN, "train_step", lambda self, *real: step(self, *real) if self.step < 3 else interrupted())
        assert minigan(*train(preset, 4, "stopped", *options)).code == 130
    assert RunFolder("stopped").load_checkpoint()[1]["step"] == 2
    assert minigan("resume", "stopped", "--no-report").code == 0
    assert minigan(*train(preset, 4, "other", *options, "--seed", 1)).code == 0
    first, second, stopped, other = (contents(tmp_path / f) for f in ("first", "second", "stopped", "other"))
    assert first == second == stopped
    assert first["checkpoint.safetensors"] != other["checkpoint.safetensors"]


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_saves_and_resume_ends_with_the_same_bytes(process, minigan, tmp_path, undisturbed, contents, name):
    code, _, err = process("-c", SIGNALLED, int(getattr(signal, name)), *train())
    assert code == 130
    assert err.splitlines()[-1] == "minigan: stopped at step 37; the run is saved. To go on: minigan resume run"
    assert "Traceback" not in err
    assert RunFolder("run").load_checkpoint()[1]["step"] == 37
    assert minigan("resume", "run", "--no-report").code == 0
    assert contents(tmp_path / "run") == undisturbed


@pytest.mark.parametrize("at", [1, 2, 31, 60])
def test_an_interrupt_inside_a_step(minigan, tmp_path, undisturbed, contents, one_step_raises, at):
    with one_step_raises(at, KeyboardInterrupt):
        code, _, err = minigan(*train())
    assert code == 130
    assert re.fullmatch(r"minigan: stopped .*To go on: minigan resume run", err.splitlines()[-1])
    assert minigan("resume", "run", "--no-report").code == 0
    assert contents(tmp_path / "run") == undisturbed


def test_resume_before_the_first_checkpoint(minigan, tmp_path, undisturbed, contents):
    """Killed between the first file and the second."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.toml").write_bytes(undisturbed["config.toml"])
    assert minigan("resume", "run", "--no-report").code == 0
    assert contents(tmp_path / "run") == undisturbed


def test_resume_at_step_0(minigan, tmp_path, undisturbed, contents, one_step_raises):
    """Killed after the first checkpoint and before the second."""
    with one_step_raises(1, SystemExit(1)):
        minigan(*train())
    assert RunFolder("run").load_checkpoint()[1]["step"] == 0
    assert minigan("resume", "run", "--no-report").code == 0
    assert contents(tmp_path / "run") == undisturbed


def test_train_again_where_a_start_was_killed(minigan, tmp_path, undisturbed, contents, refused):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/config.toml").write_bytes(undisturbed["config.toml"])
    assert "is not empty" in refused(*train(steps=61))
    assert minigan(*train()).code == 0
    assert contents(tmp_path / "run") == undisturbed


def test_resume_of_a_finished_run_changes_nothing(minigan, tmp_path, undisturbed, contents):
    for _ in range(2):
        assert minigan("resume", "undisturbed", "--no-report").code == 0
        assert contents(tmp_path / "undisturbed") == undisturbed


def test_train_resume_begins_or_goes_on(minigan, tmp_path, undisturbed, contents, one_step_raises):
    """One command for a queue that may stop it at any time, and start it again."""
    for at in (20, 23):
        with one_step_raises(at, KeyboardInterrupt):
            assert minigan(*train(), "--resume").code == 130
    for _ in range(2):
        assert minigan(*train(), "--resume").code == 0
        assert contents(tmp_path / "run") == undisturbed
    assert minigan(*train(steps=70), "--resume").code == 0
    assert RunFolder("run").load_checkpoint()[1]["step"] == 70


def test_resume_from_the_checkpoint_before_the_last(minigan, refused, tmp_path, undisturbed, contents):
    path = tmp_path / "undisturbed/checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "minigan resume undisturbed --previous" in refused("resume", "undisturbed")
    assert minigan("resume", "undisturbed", "--previous", "--no-report").code == 0
    assert contents(tmp_path / "undisturbed") == undisturbed


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "steps"), [("gaussian", 150), ("mixture1d", 80), ("ring", 40)])
def test_killed_twenty_times(process, tmp_path, contents, preset, steps):
    """SIGKILL at random moments."""
    code, out, err = process(KILL_DRIVER, preset, steps, 20, tmp_path, OPENBLAS_NUM_THREADS="1")
    assert code == 0, err
    assert out.count("killed\n") + out.count("done already\n") == 20
    assert out.count("killed\n") >= 3  # how many it takes to be done depends on the machine
    assert contents(tmp_path / "killed") == contents(tmp_path / "undisturbed")


# -- the report at the end -------------------------------------------------------------------------------------------


def test_train_ends_with_a_report(minigan, tmp_path):
    code, out, err = minigan("train", "gaussian", "--steps", 30, "--snapshots", 2, "--out", "run", "--seed", 4)
    assert code == 0
    assert out.splitlines() == [
        "training into run: 30 steps, loss relativistic, seed 4",
        "report: run/report.html",
    ]
    assert (tmp_path / "run/report.html").stat().st_size > 50_000
    for name in ("D loss=", "G loss=", "D(x)=", "D(G(z))="):
        assert name in err
    before = (tmp_path / "run/report.html").read_bytes()
    (tmp_path / "run/report.html").unlink()
    assert minigan("report", "run").out.endswith("\nreport: run/report.html\n")
    assert (tmp_path / "run/report.html").read_bytes() == before


def test_an_interrupt_while_the_report_is_made(minigan, tmp_path, monkeypatch):
    from minigan.training import report

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(report.plots, "render_report", interrupted)
        code, _, err = minigan("train", "gaussian", "--steps", 20, "--snapshots", 1, "--out", "run")
        assert code == 130
        assert err.splitlines()[-1] == "minigan: stopped; the run is complete. To make its report: minigan report run"
        assert minigan("report", "run").code == 130
    assert RunFolder("run").load_checkpoint()[1]["step"] == 20
    assert minigan("report", "run").code == 0
    assert (tmp_path / "run/report.html").exists()


def test_the_default_folder_tells_preset_and_seed(minigan, tmp_path):
    code, out, _ = minigan("train", "gaussian", "--steps", 3, "--seed", 9, "--no-report")
    assert code == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"gaussian-\d{8}-\d{6}-9", folder.name)
    assert f"training into runs/{folder.name}: 3 steps" in out


def test_options_reach_the_run(minigan, tmp_path):
    assert minigan(*train("ring", 3, "run", "--loss", "minimax", "--lr-g", "0.5", "--no-standardise")).code == 0
    config = RunFolder("run").config()
    assert (config.preset, config.loss, config.lr_g, config.standardise) == ("ring", "minimax", 0.5, False)
    assert GAN.load("run").loss.name == "minimax"


@pytest.mark.usefixtures("digits")
def test_files_of_mnist_are_found_again_from_elsewhere(minigan, tmp_path, monkeypatch):
    """A relative --data is kept as an absolute one."""
    assert minigan(*train("mnist", 4, "run", "--data", "data", "--checkpoints", 2)).code == 0
    monkeypatch.chdir(tmp_path / "data")
    assert minigan("resume", "../run", "--no-report").code == 0


# -- samples and measures --------------------------------------------------------------------------------------------


def test_samples_as_arrays_and_as_text(minigan, trained, tmp_path):
    code, out, err = minigan("sample", "run", "-n", 1500, "--seed", 5, "--out", "a.npz")
    assert (code, out) == (0, "1500 samples of shape (1,) in a.npz\n")
    assert "Traceback" not in err
    with np.load("a.npz", allow_pickle=False) as archive:
        assert archive.files == ["samples", "seed", "preset", "step", "generator", "version"]
        samples, facts = archive["samples"], {name: archive[name].item() for name in archive.files[1:]}
    assert samples.shape == (1500, 1)
    assert samples.dtype == np.float32
    assert np.array_equal(samples, VirtualDataset("run", seed=5)[:1500])
    assert abs(samples.mean() - 4) < 2  # the data's own units
    gan = GAN.load("run")
    assert facts == {
        "seed": 5,
        "preset": "gaussian",
        "step": 20,
        "generator": fingerprint(gan),
        "version": __version__,
    }

    assert minigan("sample", "run", "--n", 1500, "--seed", 5, "--out", "a.csv").code == 0
    lines = Path("a.csv").read_text().splitlines()
    assert lines[:6] == [f"# {name}: {value}" for name, value in (facts | {"shape": 1}).items()]
    header, *rows = csv.reader(lines[6:])
    assert header == ["x0"]
    assert np.array_equal(np.array(rows, np.float32), samples)  # nine digits tell every float32
    assert np.array_equal(np.loadtxt("a.csv", delimiter=",", skiprows=7, dtype=np.float32), samples[:, 0])


def test_many_samples_need_no_more_memory(minigan, monkeypatch):
    """Beyond one chunk, what is held at once does not grow with n."""
    assert minigan(*train("glyphs", 1)).code == 0
    monkeypatch.setattr(sample, "CHUNK", 4 * 784 * 256)

    def peak(n):
        tracemalloc.start()
        assert minigan("sample", "run", "-n", n, "--out", f"{n}.npz").code == 0
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(512)  # imports and caches
    assert peak(4096) < peak(512) + 0.25 * 4 * 784 * (4096 - 512)
    with np.load("4096.npz") as archive:
        assert np.array_equal(archive["samples"], VirtualDataset("run")[:4096])


def test_more_samples_begin_with_the_same_ones(minigan, trained):
    for n in (10, 1000):
        assert minigan("sample", "run", "-n", n, "--out", f"{n}.npz").code == 0
    with np.load("10.npz") as few, np.load("1000.npz") as many:
        assert np.array_equal(few["samples"], many["samples"][:10])


def test_samples_repeat_themselves(minigan, trained):
    for name in ("a", "b"):
        assert minigan("sample", "run", "-n", 10, "--out", f"{name}.npz").code == 0
    assert minigan("sample", "run", "-n", 10, "--seed", 1, "--out", "c.npz").code == 0
    a, b, c = (Path(f"{name}.npz").read_bytes() for name in "abc")
    assert a == b != c


def test_samples_of_images(minigan):
    assert minigan(*train("glyphs", 2)).code == 0
    assert minigan("sample", "run", "-n", 3).code == 0
    with np.load("samples.npz") as archive:
        assert archive["samples"].shape == (3, 1, 28, 28)
    assert minigan("sample", "run", "-n", 3, "--out", "images.csv").code == 0
    lines = Path("images.csv").read_text().splitlines()
    assert "# shape: 1 28 28" in lines
    assert len(lines[-1].split(",")) == 784
    assert len(lines) == 3 + 1 + 6  # samples, header, facts


def test_a_failed_write_keeps_the_old_samples(minigan, refused, trained, monkeypatch):
    Path("samples.npz").write_bytes(b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "samples.npz cannot be written: No space left on device" in refused("sample", "run")
    assert Path("samples.npz").read_bytes() == b"old"
    assert sorted(os.listdir()) == ["run", "samples.npz"]


def test_measures(minigan, trained):
    code, out, err = minigan("evaluate", "run")
    assert (code, err) == (0, "")
    values = dict(re.split(r" {2,}", line) for line in out.splitlines())
    floor, w1 = (float(values[name]) for name in ("W1 between two real sets (floor)", "W1 (data units)"))
    assert float(values["W1 / floor (1 is perfect)"]) == pytest.approx(w1 / floor, rel=1e-3)
    assert 0.005 < floor < 0.02  # about sd / sqrt(n) of 10,000 samples with sd 0.5
    assert kept(RunFolder("run"), GAN.load("run"))["W1 (data units)"] == pytest.approx(w1, rel=1e-3)

    assert minigan(*train("ring", 3, "plane")).code == 0
    assert "modes of 8" in minigan("evaluate", "plane").out


def test_measures_of_images(minigan, monkeypatch):
    """With a classifier that has hardly learnt."""
    from minigan.metrics import classifier

    settings = classifier.Settings(steps=3, channels=(2, 2), features=8)
    monkeypatch.setattr(classifier, "Settings", lambda: settings)
    monkeypatch.setattr("minigan.training.evaluation.IMAGES", 200)
    assert minigan(*train("glyphs", 2, "images")).code == 0
    code, out, _ = minigan("evaluate", "images")
    assert code == 0
    for name in ("FID, 200 images", "KL of the classes", "copies: distance to the training set"):
        assert name in out


def test_measures_of_a_folder_that_cannot_be_written_to(minigan, trained, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    code, out, err = minigan("evaluate", "run")
    assert code == 0
    assert "W1 (data units)" in out
    assert err == "minigan: the numbers are not kept in run: No space left on device\n"


def test_judges_are_counted(refused, trained):
    assert "--judges is 0; expected 1 to 1000" in refused("evaluate", "run", "--judges", 0)


def test_the_report_says_how_the_run_went(minigan, trained):
    code, out, _ = minigan("report", "run")
    assert code == 0
    first, *evidence, last = out.splitlines()
    assert first.removeprefix("diagnosis: ") in NAMES
    assert all(line.startswith("  ") for line in evidence)
    assert evidence
    assert last == "report: run/report.html"
