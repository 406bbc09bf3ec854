"""Commands, run in this process or in one of their own."""

import contextlib
import os
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from minigan.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def minigan(capsys, tmp_path, monkeypatch):
    """Return a function that runs one command in this process, in an empty folder, and returns its outcome."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as stop:  # --help
            code = stop.code or 0
        return Outcome(code, *capsys.readouterr())

    return run


@pytest.fixture
def refused(minigan):
    """Return a function that runs a command which must fail as it should, and returns what it said."""

    def run(*args):
        outcome = minigan(*args)
        lines = [line for line in outcome.err.splitlines() if line and "step/s]" not in line]  # beside the bar
        assert outcome.code == 2
        assert len(lines) == 1, outcome.err
        assert lines[0].startswith("minigan: ")
        assert "Traceback" not in outcome.out + outcome.err
        assert len(lines[0]) < 400
        return lines[0]

    return run


@pytest.fixture
def process(tmp_path):
    """Return a function that runs Python with these arguments (and environment) and returns the outcome."""

    def run(*args, **environment):
        done = subprocess.run(
            [sys.executable, *map(str, args)],
            cwd=tmp_path,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=300,
            # A shell's background job ignores Ctrl-C, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def trained(minigan, tmp_path):
    """The folder of a run of the preset `gaussian`, 20 steps."""
    assert minigan("train", "gaussian", "--steps", 20, "--out", tmp_path / "run", "--no-report").code == 0
    return tmp_path / "run"


@pytest.fixture
def contents():
    """Return a function from a run folder to the bytes of everything but pictures and report."""

    def read(folder):
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != ".lock" and path.suffix not in (".png", ".gif", ".html")
        }

    return read


@pytest.fixture
def one_step_raises(monkeypatch):
    """Return a context in which training step number `at` raises `error` half-way, between the two players."""
    from minigan.training import GAN

    @contextlib.contextmanager
    def patched(at, error):
        fake = GAN.fake
        calls = []

        def raising(self, n):
            calls.append(n)
            if len(calls) == 2 * at:
                raise error
            return fake(self, n)

        with monkeypatch.context() as patch:
            patch.setattr(GAN, "fake", raising)
            yield

    return patched
