"""Pictures that a notebook replaces while a GAN trains."""

import sys
import types

import numpy as np
import pytest

from minigan import data, nn
from minigan.errors import DataError
from minigan.training import GAN, live
from minigan.training.live import LivePictures, in_notebook, live_pictures


class Screen:
    """Stands for IPython.display.display: keeps what is shown, in the places where it is shown."""

    def __init__(self):
        self.places = []

    def __call__(self, figure, *, display_id):
        assert display_id is True
        place = types.SimpleNamespace(shown=[figure])
        place.update = place.shown.append
        self.places.append(place)
        return place


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told."""
    now = types.SimpleNamespace(time=0.0)
    monkeypatch.setattr(live.time, "monotonic", lambda: now.time)
    return now


def test_pictures_are_replaced_in_place(small, fit, clock):
    screen, gan = Screen(), fit(small())
    show = LivePictures(data.gaussian(), every=2.0, display=screen)
    gan.step = 3
    show(gan)
    assert screen.places == []  # not yet time
    for clock.time in (2.0, 3.0, 4.0):
        show(gan)
    samples, scores = screen.places
    assert len(samples.shown) == len(scores.shown) == 2
    assert samples.shown[-1].axes[0].get_title(loc="left") == "Step 3"
    gan.step = gan.config.steps
    show(gan)  # the last one, whatever the time
    assert len(samples.shown) == 3


@pytest.mark.parametrize("shape", [(2,), (5, 2), (1, 4, 4), (3,)])
def test_every_kind_of_data(shape, clock):
    size = int(np.prod(shape))
    generator = nn.Sequential(nn.Dense(2, size), nn.Reshape(*shape))
    gan = GAN(generator, nn.Sequential(nn.Flatten(), nn.Dense(size, 1)), steps=1, log_every=1)
    source = data.from_array(np.random.default_rng(0).uniform(-1, 1, (20, *shape)))
    gan.fit(source, progress=False)
    screen = Screen()
    LivePictures(source, display=screen)(gan)
    assert len(screen.places) == (1 if shape == (3,) else 2)  # no picture shows three numbers
    for place in screen.places:
        assert place.shown[0]._repr_png_().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_drawn_stops_nothing(small, clock, monkeypatch):
    def broken(*args, **kwargs):
        raise DataError("none of the samples is finite")

    monkeypatch.setattr(live.plots, "density1d", broken)
    screen, gan = Screen(), small()
    gan.step = gan.config.steps
    LivePictures(data.gaussian(), display=screen)(gan)
    assert screen.places == []


def test_pictures_change_no_number(small, fit, clock):
    watched, plain = small(), fit(small())
    show = LivePictures(data.gaussian(), every=0.0, display=Screen())
    for _ in range(12):
        watched.fit(data.gaussian(), steps=1, progress=False)
        show(watched)
    assert np.array_equal(watched.generator.state_dict()["0.weight"], plain.generator.state_dict()["0.weight"])


@pytest.mark.parametrize(("shell", "answer"), [(None, False), (object(), False), ("kernel", True)])
def test_only_a_notebook_shows_them(monkeypatch, shell, answer):
    if shell == "kernel":
        shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert in_notebook() is answer
    assert isinstance(live_pictures(data.gaussian()), LivePictures) is answer


def test_ipython_is_not_imported_to_find_out(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    assert live_pictures(data.gaussian())(None) is None
    assert "IPython" not in sys.modules


def test_the_notebook_s_own_display_is_used(small, fit, clock, monkeypatch):
    screen = Screen()
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=screen))
    LivePictures(data.gaussian())(fit(small()))
    assert len(screen.places) == 2
