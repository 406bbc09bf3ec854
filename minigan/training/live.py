"""Pictures that are drawn again in place while a GAN trains, in a notebook."""

import sys
import time

import numpy as np

from minigan import plots
from minigan.errors import MiniganError


def in_notebook():
    """Return whether this is a notebook's kernel, which can show a picture and replace it."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()  # never imported here: costs a second
    return getattr(shell, "kernel", None) is not None


def live_pictures(data):
    """Return `LivePictures` of a training on `data` in a notebook, and elsewhere a callable that does nothing."""
    return LivePictures(data) if in_notebook() else (lambda gan: None)


class LivePictures:
    """Call it with the GAN after every step: now and then it shows how samples and scores stand, always in one place.

    Parameters
    ----------
    data : dataset
        What it is trained on.
    every : float
        Seconds between two pictures, at least; drawing takes a tenth of that at most, so that training goes on.
    display : callable, optional
        ``IPython.display.display``, or one that takes the same: ``display(figure, display_id=True)`` returns a handle
        with ``update(figure)``.

    Notes
    -----
    It draws samples as `GAN.sample` does, from noise that training never sees: a run gives the same numbers with or
    without pictures.
    """

    def __init__(self, data, every=2.0, display=None):
        self.every, self.display = every, display
        self.real = data.sample(1000, 0)
        self._handles = {}
        self._next = time.monotonic() + every

    def __call__(self, gan):
        """Draw, if it is time to, or the run has come to its end."""
        if time.monotonic() < self._next and gan.step < gan.config.steps:
            return
        started = time.monotonic()
        for name, draw in (("samples", self._samples), ("scores", self._scores)):
            try:
                figure = draw(gan)
            except MiniganError:  # a GAN that diverges is told of by the training, not by its picture
                continue
            if figure is not None:
                self._show(name, figure)
        now = time.monotonic()
        self._next = now + max(self.every, 10 * (now - started))

    def _show(self, name, figure):
        if name in self._handles:
            self._handles[name].update(figure)
            return
        if self.display is None:
            from IPython.display import display

            self.display = display
        self._handles[name] = self.display(figure, display_id=True)

    def _samples(self, gan):
        title = f"Step {gan.step:,}"
        shape = self.real.shape[1:]
        if shape == (1,):
            return plots.density1d(self.real, gan.sample(1000), discriminator=gan.score, title=title)
        if shape == (2,):
            return plots.plane(self.real, gan.sample(1000), discriminator=gan.score, title=title)
        if len(shape) == 2:
            return plots.sequences(self.real, gan.sample(12), title=title)
        if len(shape) == 3 and shape[0] == 1:
            low, high = min(0.0, self.real.min()), max(1.0, self.real.max())
            return plots.image_grid(np.clip((gan.sample(36) - low) / (high - low), 0, 1), title=title)
        return None

    def _scores(self, gan):
        return plots.scores(gan.history) if gan.history else None
