"""Commands on run folders that are damaged: done, or one clear line that names the folder; never a traceback."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from minigan.training import GAN, RunFolder
from minigan.training.evaluation import keep

sys.path.insert(0, str(Path(__file__).parents[1]))
import damage

DECISIVE = ["config.toml", "checkpoint.safetensors"]
OTHERS = [
    "metrics.jsonl",
    "evaluation.json",
    "previous.safetensors",
    "snapshots/00000010.npy",
    "snapshots/00000000.npy",
]
COMMANDS = {
    "sample": ("sample", "run", "-n", 5),
    "resume": ("resume", "run", "--no-report"),
    "previous": ("resume", "run", "--no-report", "--previous"),
    "evaluate": ("evaluate", "run"),
    "report": ("report", "run"),
}


def a_folder(path):
    path.unlink()
    path.mkdir()


def spoil(rng, run):
    """Damage one to three files of a run, or put something else in their place; return their names."""
    names = rng.choice(DECISIVE + OTHERS, size=rng.integers(1, 4), replace=False)
    for name in names:
        path, what = run / name, rng.integers(12)
        if what == 0:
            path.unlink()
        elif what == 1:
            a_folder(path)
        else:
            path.write_bytes(damage.blindly(rng, path.read_bytes()))
    return names


@pytest.fixture
def never_long(monkeypatch):
    """A damaged number of steps may be a large one: stop there."""
    step = GAN.train_step

    def limited(self, *real):
        if self.step > 40:
            raise KeyboardInterrupt
        return step(self, *real)

    monkeypatch.setattr(GAN, "train_step", limited)


@pytest.mark.usefixtures("never_long")
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("deep", [False, pytest.param(True, marks=pytest.mark.deep)])
def test_commands_on_damaged_runs(minigan, tmp_path, monkeypatch, name, deep):
    monkeypatch.setattr("minigan.metrics.wasserstein1_over_floor", lambda *_: (0.1, 0.1))  # takes a second
    options = ["--steps", 20, "--snapshots", 2, "--checkpoints", 4, "--no-report", "--out", "good"]
    assert minigan("train", "gaussian", *options).code == 0
    keep(RunFolder("good"), GAN.load("good"), {"a": 1.0})
    refused = 0
    count = {"report": 6, "sample": 100}.get(name, 50) * (5 if deep else 1)
    for trial in range(count):
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree("good", "run")
        spoiled = spoil(np.random.default_rng([trial, list(COMMANDS).index(name), deep]), tmp_path / "run")
        code, out, err = minigan(*COMMANDS[name])
        where = f"trial {trial}, {spoiled}: {err}"
        said = [line for line in err.splitlines() if line.startswith("minigan: ")]
        assert "Traceback" not in out + err, where
        assert code in (0, 2, 130), where
        if code == 2:
            refused += 1
            assert len(said) == 1, where
            assert "run" in said[0], where
            assert said[0].isprintable(), where
            assert len(said[0]) < 800, where
        elif name != "previous" and code == 0:
            assert GAN.load("run").is_finite(), where  # what was damaged did not matter, or is mended
    assert 0 < refused < count
