"""Interrupted, killed, out of disk, at any moment: the run goes on, to the same bytes."""

import os
import signal

import pytest

from minigan.errors import CheckpointError
from minigan.training import GAN, RunFolder

# Files that the short run puts in place: options, metrics, snapshot and checkpoint of step 0, options again, snapshots
# of steps 4, 8, 12, checkpoints of steps 3, 6, 9, 12, before each the one that it replaces, and one at the end.
WRITES = 17


class Killed(BaseException):
    """Stands for SIGKILL: what catches everything must not help."""


@pytest.fixture
def undisturbed(small, fit, tmp_path, contents):
    """What a run leaves that nothing disturbs."""
    fit(small(ema=0.9), out=tmp_path / "undisturbed")
    return contents(tmp_path / "undisturbed")


@pytest.fixture
def go_on(small, networks, fit):
    """Return a function that does what `minigan resume` does."""

    def resume(run):
        gan = GAN.load(run, *networks()) if RunFolder(run).has_checkpoint() else small(ema=0.9)
        return fit(gan, out=run)

    return resume


def dying(function, at, how=Killed):
    """Return `function` so that its call number `at` dies instead, and every later one, too."""
    calls = iter(range(10**6))

    def die(*args, **kwargs):
        if next(calls) >= at:
            raise how
        return function(*args, **kwargs)

    return die


def kill_at(patch, name, at):
    """Let the process die at call number `at` of ``os.name``. Nobody removes its temporary files then."""
    dead = []
    function, unlink = getattr(os, name), os.unlink

    def die(*args, **kwargs):
        dead.append(True)
        raise Killed

    def stays(path, **kwargs):
        if dead:
            raise FileNotFoundError
        unlink(path, **kwargs)

    calls = iter(range(10**6))
    patch.setattr(os, name, lambda *args: (die if next(calls) >= at else function)(*args))
    patch.setattr(os, "unlink", stays)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_killed_at_any_write(small, fit, tmp_path, monkeypatch, contents, undisturbed, go_on, call):
    for at in range(100):
        run = tmp_path / f"run{at}"
        with monkeypatch.context() as patch:
            kill_at(patch, call, at)
            try:
                fit(small(ema=0.9), out=run)
                break
            except Killed:
                pass
        go_on(run)
        assert contents(run) == undisturbed, f"killed at {call} number {at}"
    assert at == WRITES


def test_killed_again_and_again(small, fit, tmp_path, monkeypatch, contents, undisturbed, go_on):
    """Each life does two more writes than the one before, and dies."""
    run = tmp_path / "run"
    for at in range(0, 60, 2):
        with monkeypatch.context() as patch:
            kill_at(patch, "replace", at)
            try:
                go_on(run)
                break
            except Killed:
                pass
    else:
        pytest.fail("it never came to an end")
    assert contents(run) == undisturbed


@pytest.mark.parametrize("step", range(0, 12, 3))
@pytest.mark.parametrize("moment", ["before", "between the players", "after"])
def test_killed_inside_a_step(small, fit, tmp_path, monkeypatch, contents, undisturbed, go_on, step, moment):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        target = {"before": "train_step", "between the players": "fake", "after": "is_finite"}[moment]
        at = 2 * step + 1 if target == "fake" else step
        patch.setattr(GAN, target, dying(getattr(GAN, target), at))
        with pytest.raises(Killed):
            fit(small(ema=0.9), out=run)
    go_on(run)
    assert contents(run) == undisturbed


@pytest.mark.parametrize("step", range(0, 12, 2))
def test_ctrl_c_raised_inside_a_step(small, fit, tmp_path, monkeypatch, contents, undisturbed, go_on, step):
    """As a second Ctrl-C does, or one in a notebook's thread: half a step is not saved, the last checkpoint stands."""
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(GAN, "fake", dying(GAN.fake, 2 * step + 1, KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fit(small(ema=0.9), out=run)
    go_on(run)
    assert contents(run) == undisturbed


@pytest.mark.parametrize("step", range(12))
def test_ctrl_c_lets_the_step_end_and_saves_it(
    small, fit, tmp_path, monkeypatch, contents, networks, undisturbed, go_on, step
):
    run, gan, arrived = tmp_path / "run", small(ema=0.9), []
    fake = GAN.fake

    def interrupted(self, n):
        if self.step == step and not arrived:
            arrived.append(True)
            signal.raise_signal(signal.SIGINT)
        return fake(self, n)

    with monkeypatch.context() as patch:
        patch.setattr(GAN, "fake", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(gan, out=run)
    assert gan.step == step + 1
    assert GAN.load(run, *networks()).step == step + 1  # nothing is lost
    go_on(run)
    assert contents(run) == undisturbed


def test_a_second_ctrl_c_stops_at_once(small, fit, monkeypatch):
    gan = small()

    def impatient(self, real):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("still running")

    monkeypatch.setattr(GAN, "train_step", impatient)
    with pytest.raises(KeyboardInterrupt):
        fit(gan)
    assert gan.step == 0


def test_going_on_in_the_same_session_after_ctrl_c(small, fit, monkeypatch, weights, same):
    gan = small()
    step = GAN.train_step
    with monkeypatch.context() as patch:
        patch.setattr(GAN, "train_step", lambda self, real: (signal.raise_signal(signal.SIGINT), step(self, real))[1])
        with pytest.raises(KeyboardInterrupt):
            fit(gan)
    assert gan.step == 1
    assert same(weights(fit(gan)), weights(fit(small())))


def test_signal_handlers_are_put_back_and_others_are_left_alone(small, fit, monkeypatch):
    def own(signum, frame):
        pass

    usual = signal.getsignal(signal.SIGINT)
    seen = []
    step = GAN.train_step

    def watched(self, real):
        seen.append((signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)))
        return step(self, real)

    monkeypatch.setattr(GAN, "train_step", watched)
    before = signal.signal(signal.SIGTERM, own)
    try:
        fit(small())
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
    assert signal.getsignal(signal.SIGINT) is usual
    assert all(term is own for _, term in seen)
    assert all(interrupt is not usual for interrupt, _ in seen)


def test_half_a_line_of_metrics_is_written_again(small, fit, tmp_path, monkeypatch, contents, undisturbed, go_on):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(GAN, "train_step", dying(GAN.train_step, 11))
        with pytest.raises(Killed):
            fit(small(ema=0.9), out=run)
    with open(run / "metrics.jsonl", "a") as file:
        file.write('{"step": 12, "d_lo')
    go_on(run)
    assert contents(run) == undisturbed


def test_going_on_with_a_finished_run_changes_nothing(tmp_path, contents, undisturbed, go_on):
    for _ in range(2):
        assert go_on(tmp_path / "undisturbed").step == 12
        assert contents(tmp_path / "undisturbed") == undisturbed


def test_a_full_disk_at_any_write(small, fit, tmp_path, monkeypatch, contents, undisturbed, go_on):
    for at in range(100):
        run = tmp_path / f"run{at}"
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", dying(os.fsync, at, OSError(28, "No space left on device")))
            try:
                fit(small(ema=0.9), out=run)
                break
            except CheckpointError as error:
                said = str(error)
        assert "is full; free some space, then" in said
        go_on(run)
        assert contents(run) == undisturbed, f"the disk was full at write number {at}"
    assert at == WRITES
