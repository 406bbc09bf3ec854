"""The examples run, and print the table that they promise."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from minigan.compiler import cache

FOLDER = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Return a function from the name of an example and its arguments to the lines that it prints."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)

    def main(name, *args):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.main(list(args))
        return capsys.readouterr().out.splitlines()

    return main


def test_the_directional_derivative_foretells_a_step(run):
    lines = run("s1_directional_derivatives", "--steps", "20")
    rows = np.array([[float(cell) for cell in line.split()] for line in lines[2:-1]])
    assert rows.shape == (10, 7)
    np.testing.assert_allclose(rows[:, 3], rows[:, 4], rtol=0.05)  # foretold and true
    np.testing.assert_allclose(rows[:, 5], rows[:, 6], rtol=0.05)
    assert np.all(rows[:, 3:] < 0)


@pytest.mark.slow
def test_the_dense_gan_of_the_tutorials(run):
    """One epoch: five rows, the first of the data itself."""
    lines = run("s2_dense_gan", "--epochs", "1")
    assert len(lines) == 6
    mean, sd, w1 = (float(cell) for cell in lines[1].split()[-3:])
    assert (mean, sd) == (pytest.approx(0.6, abs=0.01), pytest.approx(0.1, abs=0.01))
    assert w1 < 0.01
