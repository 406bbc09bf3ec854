"""Every lesson runs: as a script, and as the notebook that a student gets."""

import json
import os
import subprocess
import sys

import pytest
from all_lessons import LESSONS

from minigan.course import exports
from minigan.course.library import folder

# What Jupyter does, without Jupyter: run the code cells in order, in one namespace.
EXECUTOR = """
import json, pathlib, sys
namespace = {"__name__": "__main__"}
for cell in json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), cell["id"], "exec"), namespace)
"""


def run(cwd, cache, *arguments):
    environment = os.environ | {"MPLBACKEND": "Agg", "HYPOTHESIS_STORAGE_DIRECTORY": str(cache)}
    done = subprocess.run(
        [sys.executable, "-W", "error", *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", LESSONS)
def test_lesson_runs_as_a_script(number, tmp_path, tmp_path_factory):
    run(tmp_path, tmp_path_factory.mktemp("hypothesis"), folder() / f"{LESSONS[number].name}.py")
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


@pytest.mark.parametrize("number", LESSONS)
def test_lesson_runs_as_a_notebook(number, tmp_path):
    path = tmp_path / "lesson.ipynb"
    path.write_text(exports.notebook(exports.stub_cells(LESSONS[number])), encoding="utf-8")
    run(tmp_path, tmp_path / "hypothesis", "-c", EXECUTOR, path)


@pytest.mark.parametrize("number", LESSONS)
def test_notebook_has_the_form_of_one(number):
    content = json.loads(exports.notebook(exports.stub_cells(LESSONS[number])))
    assert (content["nbformat"], content["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in content["cells"]}) == len(content["cells"])
    for cell in content["cells"]:
        keys = {"id", "metadata", "cell_type", "source"}
        assert cell.keys() == keys | ({"execution_count", "outputs"} if cell["cell_type"] == "code" else set())
        assert all(line.endswith("\n") for line in cell["source"][:-1])
