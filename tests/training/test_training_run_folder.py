"""The run folder: one owner, files that are whole, and what a damaged one is called."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

from minigan.errors import CheckpointError, TrainingDiverged
from minigan.training import GAN, Config, RunFolder

DAMAGED = 200  # variants of a damaged checkpoint
HOLD = """
import filelock, sys
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(small, fit, tmp_path):
    """The folder of a finished run."""
    fit(small(ema=0.9, standardise=True), out=tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def in_use(run):
    """Let another process hold the lock of the run."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, run / ".lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    yield
    holder.communicate()


def test_what_is_in_it(run):
    assert sorted(path.name for path in run.iterdir() if path.name != ".lock") == [
        "checkpoint.safetensors", "config.toml", "metrics.jsonl", "previous.safetensors", "snapshots",
    ]  # fmt: skip
    assert [path.name for path in sorted((run / "snapshots").iterdir())] == [
        "00000000.npy", "00000004.npy", "00000008.npy", "00000012.npy",
    ]  # fmt: skip
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4, 6, 8, 10, 12]
    assert all(samples.shape == (2000, 1) for _, samples in RunFolder(run).snapshots())


def test_no_snapshots_if_none_are_wanted(small, fit, tmp_path):
    fit(small(snapshots=0), out=tmp_path / "run")
    assert not (tmp_path / "run/snapshots").exists()


# -- one owner -------------------------------------------------------------------------------------------------------


def test_a_run_in_use_is_left_alone(run, in_use, networks, fit, contents):
    before = contents(run)
    gan = GAN.load(run, *networks())
    for attempt in (lambda: fit(gan, steps=3, out=run), lambda: gan.save(run)):
        with pytest.raises(CheckpointError, match="run is in use by another process; wait for it or choose another"):
            attempt()
    assert contents(run) == before


def test_a_lock_that_was_left_behind_is_no_obstacle(run, networks, fit):
    assert (run / ".lock").exists()
    assert fit(GAN.load(run, *networks()), steps=3, out=run).step == 15


def test_of_two_that_want_the_same_new_folder_one_gets_it(small, fit, tmp_path, monkeypatch):
    """The other process begins its run between our look into the folder and our lock."""
    locked = RunFolder.locked

    def late(self):
        self.save_config(Config(seed=99))
        return locked(self)

    monkeypatch.setattr(RunFolder, "locked", late)
    with pytest.raises(CheckpointError, match="is not empty"):
        fit(small(), out=tmp_path / "run")
    assert RunFolder(tmp_path / "run").config() == Config(seed=99)


def test_a_start_that_was_killed_may_start_again_with_the_same_options_only(small, fit, tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.save_config(small().config)
    (tmp_path / ".config.toml.x7f.tmp").write_text("half")
    with pytest.raises(CheckpointError, match="is not empty"):
        fit(small(seed=1), out=tmp_path)
    assert folder.config() == small().config
    fit(small(), out=tmp_path)
    assert not (tmp_path / ".config.toml.x7f.tmp").exists()


# -- a disk that does not take it ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "the disk of {run} is full; free some space, then: minigan resume {run}"),
        (errno.EDQUOT, "the disk of {run} is full; free some space, then: minigan resume {run}"),
        (errno.EROFS, "{run} cannot be written to (Read-only file system); choose another --out"),
        (errno.EACCES, "{run} cannot be written to (Permission denied); choose another --out"),
        (errno.EIO, "{run}: Input/output error"),
    ],
)
def test_what_the_file_system_says_is_told_and_nothing_is_lost(
    run, networks, fit, monkeypatch, contents, code, message
):
    before = contents(run)

    def broken(descriptor):
        raise OSError(code, os.strerror(code))

    gan = GAN.load(run, *networks())
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", broken)
        with pytest.raises(CheckpointError) as caught:
            fit(gan, steps=4, out=run)
    assert str(caught.value) == message.format(run=run)
    assert contents(run) == before


def test_a_disk_that_is_full_from_the_start(small, fit, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CheckpointError, match="is full; free some space, then start again"):
        fit(small(), out=tmp_path / "run")
    monkeypatch.undo()
    assert fit(small(), out=tmp_path / "run").step == 12


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_disk_that_is_full_for_metrics(small, fit, networks, tmp_path, monkeypatch, weights, same):
    run, gan = tmp_path / "run", small()
    step = GAN.train_step

    def fills(self, real):
        if self.step == 7:
            os.replace(run / "metrics.jsonl", run / "kept")
            os.symlink("/dev/full", run / "metrics.jsonl")
        return step(self, real)

    with monkeypatch.context() as patch:
        patch.setattr(GAN, "train_step", fills)
        with pytest.raises(CheckpointError, match="is full; free some space, then: minigan resume"):
            fit(gan, out=run)
    os.replace(run / "kept", run / "metrics.jsonl")
    assert same(weights(fit(GAN.load(run, *networks()), out=run)), weights(fit(small())))


def test_a_folder_that_cannot_be_made(small, fit, tmp_path):
    (tmp_path / "file").write_text("")
    for impossible in (tmp_path / "file" / "run", "/proc/run", tmp_path / ("x" * 300)):
        with pytest.raises(CheckpointError):
            fit(small(), out=impossible)


# -- damage ----------------------------------------------------------------------------------------------------------


def rewrite(run, change):
    """Save the checkpoint of a run again after `change(arrays, state)`."""
    folder = RunFolder(run)
    arrays, state = folder.load_checkpoint()
    change(arrays, state)
    folder.save_checkpoint(arrays, state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, s: a.pop("generator.0.weight"), "does not belong to these networks: .*generator.0.weight"),
        (lambda a, s: a.pop("average.0.bias"), "does not belong to these networks: .*average.0.bias"),
        (lambda a, s: a.update(more=np.zeros(3)), "does not belong to these networks: .*more"),
        (lambda a, s: a.update({"generator.0.weight": np.zeros((3, 3))}), "these networks: .*shape"),
        (lambda a, s: a.update({"g_optimiser.m": np.zeros(3, np.float32)}), "these networks: "),
        (lambda a, s: a.update({"g_optimiser.t": np.zeros((2, 2))}), "these networks: "),
        (lambda a, s: a["generator.0.weight"].fill(np.nan), "holds nan or inf in generator.0.weight"),
        (lambda a, s: a["d_optimiser.v"].fill(np.inf), "holds nan or inf in d_optimiser.v"),
        (lambda a, s: s.pop("step"), "these networks: step"),
        (lambda a, s: s.update(step=-1), "these networks: step -1"),
        (lambda a, s: s.update(step=float("inf")), "these networks: "),
        (lambda a, s: s.update(step="many"), "these networks: "),
        (lambda a, s: s.update(centre=float("nan")), "centre nan"),
        (lambda a, s: s.update(scale=0.0), "scale 0.0"),
        (lambda a, s: s.update(rng=3), "these networks: "),
        (lambda a, s: s["rng"].update(bit_generator="MT19937"), "these networks: "),
        (lambda a, s: s["rng"]["state"].update(state=-1), "these networks: "),
        (lambda a, s: s["rng"].pop("state"), "these networks: "),
        (lambda a, s: s.update(step=1.5), "these networks: step 1.5"),
        (lambda a, s: s.update(step=10**400), "these networks: step 1000"),
        (lambda a, s: a["g_optimiser.t"].fill(-3), "a count is negative in g_optimiser.t"),
        (lambda a, s: a.update({"g_optimiser.t": a["g_optimiser.t"].astype(float)}), "g_optimiser.t is float64"),
        (lambda a, s: a.update({"generator.0.bias": np.full(8, 1e300)}), "holds nan or inf in generator.0.bias"),
        (lambda a, s: s["options"].update(batch_size=4), "of another configuration: batch_size 4 -> 8. Give these"),
        (lambda a, s: s["options"].pop("ema"), "of another configuration: ema 0.0 -> 0.9"),
        (lambda a, s: s.update(options=[]), "the options in its checkpoint are not usable"),
        (lambda a, s: s["options"].update(ema="much"), "the options in its checkpoint are not usable"),
    ],
)
def test_a_checkpoint_of_something_else(run, networks, change, message):
    rewrite(run, change)
    with pytest.raises(CheckpointError, match=message):
        GAN.load(run, *networks())


@pytest.mark.parametrize("rest", ["[]", "3", '{"state": 5, "crc32": 0}', '{"state": {}}', "{" * 5000, "x", ""])
def test_a_foreign_file_of_the_same_format(run, networks, rest):
    (run / "checkpoint.safetensors").write_bytes(safetensors.numpy.save({"a": np.zeros(3)}, metadata={"minigan": rest}))
    with pytest.raises(CheckpointError, match="is damaged or not a checkpoint of minigan"):
        GAN.load(run, *networks())
    (run / "checkpoint.safetensors").write_bytes(safetensors.numpy.save({"a": np.zeros(3)}))
    with pytest.raises(CheckpointError, match="is damaged or not a checkpoint of minigan"):
        GAN.load(run, *networks())


def test_a_folder_where_the_checkpoint_should_be(run, networks):
    (run / "checkpoint.safetensors").unlink()
    (run / "checkpoint.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="is damaged or not a checkpoint"):
        GAN.load(run, *networks())


def test_every_damage_is_noticed(run, networks, weights, same):
    """Cut off, bytes changed, a piece doubled: refused with a clear error, or without any effect."""
    rng = np.random.default_rng(0)
    path = run / "checkpoint.safetensors"
    good, whole = path.read_bytes(), weights(GAN.load(run, *networks()))
    header = int.from_bytes(good[:8], "little")
    refused = 0
    for trial in range(DAMAGED):
        data = bytearray(good)
        kind = trial % 4
        if kind == 0:
            data = data[: rng.integers(len(data))]
        elif kind == 1:  # one bit, anywhere
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        elif kind == 2:  # some bytes of the header
            for at in rng.integers(8 + header, size=3):
                data[at] = rng.integers(256)
        else:
            at, n = rng.integers(len(data)), rng.integers(1, 100)
            data[at:at] = data[at : at + n]
        path.write_bytes(data)
        try:
            loaded = GAN.load(run, *networks())
        except CheckpointError:
            refused += 1
        else:
            assert same(weights(loaded), whole)
    assert refused >= 0.97 * DAMAGED


def test_a_checkpoint_of_an_earlier_version_is_taken_as_it_is(run, networks):
    rewrite(run, lambda arrays, state: state.pop("options"))
    assert GAN.load(run, *networks()).step == 12


# -- the checkpoint before the last ----------------------------------------------------------------------------------


def test_the_checkpoint_before_the_last_is_kept(run, networks, fit, contents):
    """Where the last one is damaged the one before it leads to the same end."""
    before = contents(run)
    (run / "checkpoint.safetensors").write_bytes(before["checkpoint.safetensors"][:-7])
    with pytest.raises(CheckpointError, match=f"damaged .*; go on from the one before it: minigan resume {run} --prev"):
        GAN.load(run, *networks())
    older = GAN.load(run, *networks(), previous=True)
    assert older.step == 9
    assert [record["step"] for record in older.history] == [2, 4, 6, 8]
    fit(older, out=run)
    assert contents(run) == before


def test_there_is_no_previous_checkpoint_at_first(small, networks, tmp_path):
    small().save(tmp_path / "run")
    with pytest.raises(CheckpointError, match="run has no previous checkpoint"):
        GAN.load(tmp_path / "run", *networks(), previous=True)
    (tmp_path / "run/checkpoint.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="start the run again"):
        GAN.load(tmp_path / "run", *networks())


def test_a_way_back_from_before_it_diverged(small, networks, fit, tmp_path, monkeypatch):
    """What diverged is named; the last checkpoint is finite, and so is the one before it."""
    step = GAN.train_step

    def spoiled(self, real):
        result = step(self, real)
        if self.step == 7:
            self.generator.parameters()[0].assign(np.full((8, 1), np.inf, np.float32))
        return result

    monkeypatch.setattr(GAN, "train_step", spoiled)
    with pytest.raises(
        TrainingDiverged, match=r"step 8 \(no longer finite: generator.0.weight\); the last good checkp"
    ):
        fit(small(log_every=50), out=tmp_path / "run")
    assert [GAN.load(tmp_path / "run", *networks(), previous=p).step for p in (True, False)] == [3, 6]


# -- damage of what is only looked at --------------------------------------------------------------------------------


def test_records_come_in_order_and_once(run):
    path = run / "metrics.jsonl"
    whole, lines = RunFolder(run).metrics(), path.read_text().splitlines()
    path.write_text("\n".join([*lines[3:], lines[0].replace(', "g_loss"', ', "more": [3], "g_loss"'), *lines[:5]]))
    assert RunFolder(run).metrics() == whole
    wrong = [("2,", "-2,"), ("2,", "2.5,"), ('"d_real": 0', '"d_real": 7'), ('"d_loss": ', '"d_loss": NaN, "x": ')]
    path.write_text("\n".join(lines[0].replace(*change, 1) for change in wrong))
    assert RunFolder(run).metrics() == []


def test_damaged_metrics_are_left_out(run, networks, contents):
    whole = RunFolder(run).metrics()
    with open(run / "metrics.jsonl", "ab") as file:
        file.write(
            b'\xff\xfe\n[]\nnull\n{"step": 3}\n{"step": "x", "d_loss": 1.0}\n' + b"[" * 100_000 + b'\n{"step": 9'
        )
    assert RunFolder(run).metrics() == whole
    assert GAN.load(run, *networks()).history == whole


def test_damaged_snapshots_are_left_out(run):
    whole = RunFolder(run).snapshots()
    for name, content in {
        "00000001.npy": b"",
        "00000002.npy": b"\x93NUMPY",
        "00000003.npy": (run / "snapshots/00000004.npy").read_bytes()[:-5],
        "00000005.npy": b"PK\x03\x04",
        "name.npy": (run / "snapshots/00000004.npy").read_bytes(),
    }.items():
        (run / "snapshots" / name).write_bytes(content)
    np.save(run / "snapshots/00000006.npy", np.array([{}]), allow_pickle=True)  # must not be unpickled
    found = RunFolder(run).snapshots()
    assert [step for step, _ in found] == [0, 4, 8, 12]
    for (_, samples), (_, expected) in zip(found, whole, strict=True):
        assert np.array_equal(samples, expected)


@pytest.mark.parametrize("name", ["config.toml", "metrics.jsonl"])
def test_what_should_be_a_file_and_is_a_folder(run, networks, name):
    (run / name).unlink()
    (run / name).mkdir()
    with pytest.raises(CheckpointError, match="cannot be read"):
        GAN.load(run, *networks())


def test_options_that_are_no_text(run, networks):
    (run / "config.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match=r"config\.toml cannot be read"):
        GAN.load(run, *networks())
