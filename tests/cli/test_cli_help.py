"""The way in: usage, help, versions, unknown words, and how quick it is to ask."""

import re
import subprocess
import sys

import pytest

import minigan as package
from minigan.cli import COMMANDS, usage
from minigan.training.config import Config

IMPORTS = """
import sys
from minigan.cli import main
code = main(sys.argv[1:])
heavy = {"numpy", "numba", "scipy", "matplotlib", "tyro", "tqdm"} & sys.modules.keys()
sys.exit(f"imported {heavy}" if heavy else code)
"""


@pytest.mark.parametrize("ask", [[], ["--help"], ["-h"], ["help"]])
def test_usage_names_every_command(minigan, ask):
    code, out, err = minigan(*ask)
    assert (code, err) == (0, "")
    assert out == usage() + "\n"
    for name, text in COMMANDS.items():
        assert re.search(rf"^  {name} +{text}$", out, re.MULTILINE)


@pytest.mark.parametrize("ask", ["--help", "--version", "wrong"])
def test_usage_loads_nothing_heavy(process, ask):
    outcome = process("-c", IMPORTS, ask)
    assert outcome.code == (2 if ask == "wrong" else 0), outcome.err


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version(minigan, flag):
    assert minigan(flag) == (0, f"minigan {package.__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(minigan, command):
    code, out, err = minigan(command, "--help")
    assert (code, err) == (0, "")
    assert f"usage: minigan {command}" in out
    assert len(out.splitlines()) > 3


def test_every_option_of_a_run_is_explained(minigan):
    code, out, _ = minigan("train", "mixture1d", "--help")
    assert code == 0
    for name in Config.__dataclass_fields__:
        assert re.search(rf"--{name.replace('_', '-')}[ ,]", out)
    assert "(default: relativistic)" in out  # the preset's own values
    assert "Steps over which both rates rise from 0" in " ".join(out.replace("│", " ").split())


def test_presets_are_listed_where_one_is_asked_for(minigan, refused):
    _, out, _ = minigan("train", "--help")
    assert "gaussian, mixture1d, ring" in out
    assert "gaussian, mixture1d, ring" in refused("train")
    assert "gaussian, mixture1d, ring" in refused("train", "--steps", 5)


@pytest.mark.parametrize("word", ["learn", "Train", "", "--steps", "../train", "options", "__init__"])
def test_an_unknown_command(refused, word):
    assert refused(word).startswith(f"minigan: unknown command {word!r}; known are train, resume")


def test_it_is_a_module_too(process):
    assert process("-m", "minigan", "--version").out == f"minigan {package.__version__}\n"
    outcome = process("-m", "minigan", "learn")
    assert outcome.code == 2
    assert outcome.err.startswith("minigan: unknown command 'learn'")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("command", ["check", "--help"])
def test_a_reader_that_goes_away_is_no_error(command):
    """As in ``minigan check | true``."""
    args = [sys.executable, "-m", "minigan", command]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_wrong_option_is_one_line_whatever_the_terminal_shows(process, encoding):
    code, out, err = process("-m", "minigan", "train", "gaussian", "--steps", "x", PYTHONIOENCODING=encoding)
    assert (code, out) == (2, "")
    said = "Error parsing --steps: invalid literal for int() with base 10: 'x'; see minigan train gaussian --help"
    assert err == f"minigan: {said}\n"


def test_doctor(minigan):
    code, out, err = minigan("doctor")
    assert (code, err) == (0, "")
    for words in ("numpy", "numba", "cores usable", "kernels", "OPENBLAS_NUM_THREADS", "GFLOP/s", "what to do"):
        assert words in out
    assert re.search(r"^  - .+", out, re.MULTILINE)


def test_doctor_knows_what_makes_things_slow(minigan, monkeypatch):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "512")
    out = minigan("doctor").out
    assert "NUMBA_DISABLE_JIT is set" in out
    assert "512 BLAS threads on" in out


def test_doctor_takes_no_arguments(refused):
    refused("doctor", "who")
