"""Wrong input: one clear line on stderr, exit code 2, nothing lost."""

import errno
import gzip
import os
import subprocess
import sys

import numpy as np
import pytest

from minigan.training import RunFolder

HOLD = """
import filelock, sys
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["gauss"], "unknown preset 'gauss'; known are gaussian, mixture1d"),
        (["custom"], "unknown preset 'custom'"),
        (["gaussian", "--steps", "0"], "steps is 0; it must be at least 1"),
        (["gaussian", "--steps", "-1"], "steps is -1; it must be at least 1"),
        (["gaussian", "--steps", "1e3"], "--steps: invalid literal for int"),
        (["gaussian", "--steps", "many"], "--steps: invalid literal for int"),
        (["gaussian", "--steps", "9" * 30], "steps is too large"),
        (["gaussian", "--steps", "9" * 5000], "--steps"),
        (["gaussian", "--steps"], "steps"),
        (["gaussian", "--seed", "-1"], "seed is -1; it must be at least 0"),
        (["gaussian", "--lr-g", "nan"], "lr_g is nan; it must be a finite number"),
        (["gaussian", "--lr-d", "inf"], "lr_d is inf; it must be a finite number"),
        (["gaussian", "--lr-d", "-0.1"], "lr_d is -0.1; it must be at least 0"),
        (["gaussian", "--lr-d", "fast"], "--lr-d"),
        (["gaussian", "--beta1", "1"], "must be below 1"),
        (["gaussian", "--ema", "2"], "ema is 2; it must be at least 0 and at most 1"),
        (
            ["gaussian", "--loss", "hinges"],
            "unknown loss 'hinges'; known are minimax, non_saturating, least_squares, hinge, ",
        ),
        (["gaussian", "--loss", "custom"], "unknown loss 'custom'"),
        (["gaussian", "--epochs", "3"], "Unrecognized options: --epochs, 3"),
        (["gaussian", "ring"], "Unrecognized options: ring"),
        (["gaussian", "--preset", "ring"], "the preset is the first word: minigan train ring"),
        (["gaussian", "--latent-normals", "0"], "a generator needs noise"),
        (["gaussian", "--data", "."], "gaussian is drawn and reads no files"),
        (["mnist", "--data", "nowhere"], "nowhere"),
    ],
)
def test_options_of_a_run(refused, tmp_path, args, said):
    assert said in refused("train", *args)
    assert list(tmp_path.iterdir()) == []


def test_long_words_stay_on_one_line(refused, monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    line = refused("train", "gaussian", "--loss", "a loss of many many words that no terminal shows on one line")
    assert "unknown loss 'a loss of many many words that no terminal shows on one line'; known are" in line
    assert not set("│╭╮╰╯─") & set(line)


@pytest.mark.parametrize("command", ["resume", "sample", "evaluate", "report"])
def test_a_folder_that_is_no_run(refused, tmp_path, command):
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    assert "nowhere is not a run folder: it has no config.toml" in refused(command, "nowhere")
    assert "empty is not a run folder: it has no config.toml" in refused(command, "empty")
    assert "file/config.toml cannot be read" in refused(command, "file")
    assert "PATH" in refused(command)
    assert "Unrecognized" in refused(command, "nowhere", "--all")
    assert sorted(os.listdir(tmp_path)) == ["empty", "file"]


@pytest.mark.parametrize("command", ["resume", "sample", "evaluate", "report"])
def test_a_run_with_networks_of_its_own(refused, tmp_path, command):
    from minigan import nn
    from minigan.training import GAN

    GAN(nn.Dense(1, 1), nn.Dense(1, 1)).save(tmp_path / "run")
    assert "GAN.load(run, generator=G, discriminator=D)" in refused(command, "run")
    (tmp_path / "run/checkpoint.safetensors").unlink()
    assert {"resume": "networks of your own"}.get(command, "has no checkpoint yet") in refused(command, "run")


@pytest.mark.parametrize("command", ["resume", "sample", "evaluate", "report"])
@pytest.mark.parametrize(
    ("name", "damage", "said"),
    [
        ("checkpoint.safetensors", lambda b: b[:-3], "checkpoint.safetensors is damaged or not a checkpoint"),
        ("checkpoint.safetensors", lambda b: b[:-3] + b"\0\0\0", "its checksum is wrong"),
        ("checkpoint.safetensors", lambda b: b"", "checkpoint.safetensors is damaged or not a checkpoint"),
        ("config.toml", lambda b: b[:-9], "config.toml is not valid TOML"),
        ("config.toml", lambda b: b.replace(b"steps = 20", b"steps = '20'"), "steps is '20'; expected int"),
        ("config.toml", lambda b: b.replace(b"steps = 20", b"stops = 20"), "unknown options stops"),
        ("config.toml", lambda b: b.replace(b"steps = 20", b"steps = " + b"9" * 5000), "is not valid TOML"),
        ("config.toml", lambda b: b.replace(b"latent_normals = 1", b"latent_normals = 2"), "latent_normals 1 -> 2"),
        (
            "config.toml",
            lambda b: b.replace(b"ema = 0.99", b"ema = 0.0"),
            "run is of another configuration: ema 0.99 -> 0.0",
        ),
        ("config.toml", lambda b: b.replace(b'"gaussian"', b'"gauss"'), "preset 'gaussian' -> 'gauss'"),
    ],
)
def test_a_damaged_run(refused, trained, contents, command, name, damage, said):
    before = (trained / name).read_bytes()
    (trained / name).write_bytes(damage(before))
    assert (trained / name).read_bytes() != before
    damaged = contents(trained)
    assert said in refused(command, "run")
    assert contents(trained) == damaged


def test_options_of_a_run_that_has_no_checkpoint_yet(refused, trained):
    for file in ("checkpoint.safetensors", "previous.safetensors"):
        (trained / file).unlink()
    text = (trained / "config.toml").read_text()
    (trained / "config.toml").write_text(text.replace('"gaussian"', '"gauss"'))
    assert "run/config.toml: unknown preset 'gauss'" in refused("resume", "run")
    (trained / "config.toml").write_text(text.replace('data = ""', 'data = "there"'))
    assert "run/config.toml: data is 'there', but gaussian is drawn" in refused("resume", "run")


def test_going_on_with_other_options(refused, minigan, trained, contents):
    """Each setting that differs is told, old -> new; in a run folder as well as on the command line."""
    before = contents(trained)
    args = ["train", "gaussian", "--steps", 20, "--out", "run", "--batch-size", 64, "--no-standardise"]
    change = "batch_size 256 -> 64, standardise True -> False"
    assert refused(*args).endswith(f"go on with it: minigan resume run. That run has other options: {change}")
    said = refused(*args, "--resume")
    assert f"the checkpoint of run is of another configuration: {change}. Give these options their old values" in said
    for more in ([], ["--resume"]):
        outcome = minigan("train", "ring", "--out", "run", *more)
        assert outcome.code == 2
        for told in ("preset 'gaussian' -> 'ring'", "r1 0.1 -> 0.3", "latent_normals 1 -> 2", "latent_signs 0 -> 8"):
            assert told in outcome.err
    assert "Name its folder: --resume --out DIR" in refused("train", "gaussian", "--resume")
    assert contents(trained) == before


@pytest.mark.parametrize("command", ["train", "resume"])
def test_a_run_in_use(refused, trained, contents, command):
    (trained / "checkpoint.safetensors").unlink() if command == "train" else None
    before = contents(trained)
    with subprocess.Popen([sys.executable, "-c", HOLD, trained / ".lock"], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        args = ["train", "gaussian", "--steps", 20, "--out", "run"] if command == "train" else ["resume", "run"]
        assert "run is in use by another process; wait for it or choose another --out" in refused(*args)
        holder.communicate()
    assert contents(trained) == before


def test_where_a_run_cannot_go(refused, trained, tmp_path, contents):
    (tmp_path / "file").write_text("important")
    before = contents(tmp_path)
    for out, said in {
        "run": "run is not empty; choose another --out, or to go on with it: minigan resume run",
        "file": "file is a file; choose another --out",
        "file/below": "file/below",
        "/proc/run": "/proc/run",
        ".": "is not empty; choose another --out, or empty it first",
        "": "is not empty; choose another --out, or empty it first",
        "x" * 300: "File name too long",
    }.items():
        assert said in refused("train", "gaussian", "--steps", 5, "--out", out)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EACCES, "run cannot be written to (Permission denied); choose another --out"),
        (errno.EROFS, "run cannot be written to (Read-only file system); choose another --out"),
        (errno.ENOSPC, "the disk of run is full; free some space, then start again"),
    ],
)
@pytest.mark.parametrize("call", ["mkdir", "fsync"])
def test_a_disk_that_takes_nothing(refused, tmp_path, monkeypatch, code, said, call):
    def broken(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, broken)
    assert said in refused("train", "gaussian", "--steps", 5, "--out", "run")


def test_a_disk_that_fills_up(refused, minigan, tmp_path, monkeypatch, contents):
    """In the middle of a run: the line says how to go on, and going on ends with the same bytes."""
    args = ["train", "gaussian", "--steps", 20, "--no-report", "--out"]
    assert minigan(*args, "whole").code == 0
    calls = iter(range(1000))
    fsync = os.fsync

    def fills(descriptor):
        if next(calls) > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fills)
        said = refused(*args, "run")
    assert "the disk of run is full; free some space, then: minigan resume run" in said
    assert 0 < RunFolder("run").load_checkpoint()[1]["step"] < 20
    assert minigan("resume", "run", "--no-report").code == 0
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def idx(shape, values):
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes() + bytes(values)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (None, "has no"),
        (b"", "is not an IDX file"),
        (b"PNG or whatever", "is not an IDX file"),
        (idx((2, 28, 28), 2 * 784)[:-10], "truncated"),
        (gzip.compress(idx((2, 28, 28), 2 * 784))[:-20], "truncated"),
        (idx((2, 14, 14), 2 * 196), "expected (28, 28)"),
        (idx((2,), 2), "expected"),
    ],
)
def test_files_that_are_not_mnist(refused, tmp_path, images, said):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/train-labels-idx1-ubyte").write_bytes(idx((2,), 2))
    if images is not None:
        (tmp_path / "data/train-images-idx3-ubyte").write_bytes(images)
    assert said in refused("train", "mnist", "--data", "data", "--out", "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["-n", "0"], "-n is 0"),
        (["-n", "-5"], "-n is -5"),
        (["-n", "1" + "0" * 30], "expected 1 to 1e9"),
        (["-n", "some"], "-n"),
        (["--seed", "-1"], "--seed -1"),
        (["--out", "samples.txt"], "expected a name that ends in .npz or .csv"),
        (["--out", "samples"], "expected a name that ends in .npz or .csv"),
        (["--out", "nowhere/samples.npz"], "nowhere/samples.npz cannot be written: No such file or directory"),
        (["--out", "run/config.toml/s.csv"], "cannot be written: Not a directory"),
        (["--out", "folder.npz"], "folder.npz cannot be written: Is a directory"),
        (["--out", "/proc/samples.npz"], "/proc/samples.npz cannot be written"),
    ],
)
def test_samples_that_cannot_be_drawn(refused, trained, tmp_path, args, said):
    (tmp_path / "folder.npz").mkdir()
    before = sorted(tmp_path.rglob("*"))
    assert said in refused("sample", "run", *args)
    assert sorted(tmp_path.rglob("*")) == before


def test_more_than_fits_into_memory(refused, trained, monkeypatch):
    from minigan.training import GAN

    def too_much(self, z):
        raise MemoryError("Unable to allocate 3.64 TiB")

    monkeypatch.setattr(GAN, "decode", too_much)
    assert "not enough memory (Unable to allocate 3.64 TiB); take smaller numbers" in refused("sample", "run")


def test_a_run_that_diverges(refused, tmp_path):
    """Not one warning of NumPy's beside the one line, and the last good checkpoint stays."""
    said = refused("train", "ring", "--lr-g", 1e7, "--lr-d", 1e7, "--steps", 50, "--no-report", "--out", "run")
    assert "training diverged at step" in said
    assert "the last good checkpoint is in run" in said
    assert RunFolder("run").load_checkpoint()[1]["step"] == 0
