"""Pictures keep to themselves: no global state, no pyplot, a quick import."""

import io
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from minigan import plots
from minigan.plots.style import PAPER


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_no_matplotlib():
    assert run_python("import sys, minigan.plots; print('matplotlib' in sys.modules)").strip() == "False"


def test_no_pyplot_is_loaded():
    code = "import sys; from minigan.plots import *; print('matplotlib.pyplot' in sys.modules)"
    assert run_python(code).strip() == "False"


@pytest.mark.parametrize("name", plots.__all__)
def test_every_public_name_exists_and_is_documented(name):
    assert getattr(plots, name).__doc__.strip()


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'densities'"):
        plots.densities  # noqa: B018


def test_the_users_settings_stay_and_do_not_matter(records):
    plain = np.asarray(Image.open(io.BytesIO(plots.losses(records)._repr_png_())))
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "xtick.color": "red", "lines.linewidth": 9}):
        before = dict(matplotlib.rcParams)
        figure = plots.losses(records)
        shown = np.asarray(Image.open(io.BytesIO(figure._repr_png_())))
        assert dict(matplotlib.rcParams) == before
    np.testing.assert_array_equal(shown, plain)


def test_settings_are_restored_after_an_error():
    before = dict(matplotlib.rcParams)
    with pytest.raises(ValueError):
        plots.losses([])
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_figures_save_in_every_usual_format(records, rng, tmp_path, suffix):
    figure = plots.plane(rng.normal(size=(50, 2)), rng.normal(size=(50, 2)), discriminator=lambda x: x[:, 0])
    assert isinstance(figure, Figure)
    figure.savefig(tmp_path / f"plane.{suffix}")
    assert (tmp_path / f"plane.{suffix}").stat().st_size > 2000


def test_the_background_is_opaque_paper(records):
    figure = plots.scores(records)
    picture = Image.open(io.BytesIO(figure._repr_png_())).convert("RGBA")
    assert picture.getpixel((0, 0)) == (*bytes.fromhex(PAPER[1:]), 255)


def test_a_dollar_in_a_title_is_a_dollar(rng):
    figure = plots.density1d(rng.normal(size=50), rng.normal(size=50), title=r"$\nothing_$")
    figure.savefig(io.BytesIO())
    assert figure.axes[0].get_title(loc="left") == r"$\nothing_$"
