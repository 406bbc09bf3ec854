"""Facts about the project's frame: names, versions, files and commands agree with each other."""

import os
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import minigan as mg

ROOT = Path(__file__).resolve().parents[1]
MADE = {".venv", ".git", ".hypothesis", "runs", "dist", "build", "_build", "__pycache__"}  # left behind by tools
PAGES = ["README.md", "CONTRIBUTING.md"]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def repository_files():
    """Yield every file that belongs to the repository."""
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [f for f in folders if f not in MADE and not f.endswith(("_cache", ".egg-info"))]
        yield from (Path(folder, name) for name in names)


@pytest.mark.parametrize("name", mg.__all__)
def test_public_name_imports(name):
    assert getattr(mg, name) is not None


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'sigmiod'"):
        mg.sigmiod  # noqa: B018


def test_import_loads_nothing_heavy():
    code = "import sys, minigan; print(*{'numpy', 'numba', 'scipy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


def test_versions_agree():
    assert tomllib.loads(read("pyproject.toml"))["project"]["version"] == mg.__version__
    assert re.search(r"^version: (.+)$", read("CITATION.cff"), flags=re.M)[1] == mg.__version__


def test_no_file_names_a_package_registry():
    hosts = ["py" + "pi.org", "python" + "hosted.org", "anaconda" + ".org", "download." + "pytorch.org"]
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path in repository_files()
        for host in hosts
        if host.encode() in path.read_bytes().lower()
    ]
    assert found == []


@pytest.mark.parametrize("page", PAGES)
def test_make_commands_of_a_page_exist(page):
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.M))
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", read(page), flags=re.M))
    assert named  # else the pattern above is wrong
    assert named <= targets


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_of_a_page_lead_somewhere(page):
    links = set(re.findall(r"\]\((?!https?:)([^)#]+)", read(page)))
    assert links
    assert [link for link in sorted(links) if not (ROOT / link).exists()] == []


def test_hooks_run_the_commands_of_make_lint():
    lint = read("Makefile").partition("\nlint:")[2].partition("\n\n")[0]
    hooks = re.findall(r"entry: (.+)", read(".pre-commit-config.yaml"))
    assert hooks == [line.strip() for line in lint.splitlines()[1:]]


def test_ci_and_make_compare_with_the_same_torch():
    wanted = re.search(r"^TORCH \?= (\S+)$", read("Makefile"), flags=re.M)[1]
    assert f" {wanted} " in read(".ci/run")
    assert wanted in read(".ci/constraints.txt").splitlines()


def python_blocks(page):
    blocks = re.findall(r"^```python\n(.*?)^```", read(page), flags=re.M | re.S)
    assert blocks
    return blocks


PAGES_THAT_RUN = ["getting-started.md", "engine.md", "losses.md", "training.md", "index.md"]


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{page}" for page in PAGES_THAT_RUN)])
def test_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for number, block in enumerate(python_blocks(page), start=1):
        exec(compile(block, f"{page}, code block {number}", "exec"), namespace)


def test_recipe_for_a_new_operation_works():
    (recipe,) = python_blocks("CONTRIBUTING.md")
    proof = """
import minigan as mg
mg.check_gradients(lambda x: mg.sum(arctan(x)), np.array([-2.0, 0.5, 1000.0]), order=2, seed=0)
"""
    # In a process of its own: the registry of this one stays as it is.
    subprocess.run([sys.executable, "-c", recipe + proof], check=True, cwd=ROOT)


@pytest.mark.parametrize("package", [mg.plots, mg.metrics], ids=lambda package: package.__name__)
def test_no_lazy_name_is_that_of_a_file(package):
    """Whoever imports such a file puts the module in the place of the function."""
    files = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not files & set(package.__all__)
