"""When a training run logs, takes a snapshot, saves a checkpoint, and how it notices that it has diverged."""

import math

import numpy as np

from minigan import random
from minigan.errors import TrainingDiverged
from minigan.kernels.elementwise import sigmoid
from minigan.training.config import some


class Journal:
    """What is written down during training: to the GAN's history, and to a run folder where there is one."""

    def __init__(self, gan, run):
        self.gan, self.run = gan, run
        self.noise = gan.latent.draw(random.default_rng([gan.config.seed, 1]), 64 if _makes_images(gan) else 2000)
        self.checkpoint_every = math.ceil(gan.config.steps / gan.config.checkpoints)
        self.snapshot_every = math.ceil(gan.config.steps / gan.config.snapshots) if gan.config.snapshots else None
        self.saved = gan.step  # the step of the checkpoint that is there

    def begin(self):
        """Bring the folder to this GAN's step, so that a resumed run finds what it needs from now on."""
        if self.run is None:
            return
        self.run.rewind(self.gan.step, self.gan.history)
        if self.gan.step == 0 and self.snapshot_every:
            self.snapshot()
        self.checkpoint()
        self.run.save_config(self.gan.config)  # `fit` may have changed it
        self.gan.folder = self.run.path.resolve()

    def log(self, outcome):
        d_loss, g_loss, real_logits, fake_logits = outcome
        record = {
            "step": self.gan.step,
            "d_loss": d_loss.item(),
            "g_loss": g_loss.item(),
            "d_real": float(sigmoid(real_logits._data).mean()),
            "d_fake": float(sigmoid(fake_logits._data).mean()),
        }
        if not all(math.isfinite(value) for value in record.values()):
            self._diverged(f"losses: discriminator {record['d_loss']}, generator {record['g_loss']}")
        self.gan.history.append(record)
        if self.run is not None:
            self.run.append_metrics(record)
        return record

    def keep(self):
        """After a step: a snapshot and a checkpoint where one is due. The checkpoint comes last: it vouches for all."""
        step, last = self.gan.step, self.gan.step == self.gan.config.steps
        if self.snapshot_every and (step % self.snapshot_every == 0 or last):
            self.snapshot()
        if step % self.checkpoint_every == 0:
            self.checkpoint()

    def snapshot(self):
        self._check_finite()
        if self.run is not None:
            self.run.save_snapshot(self.gan.step, self.gan.decode(self.noise))

    def checkpoint(self):
        self._check_finite()
        if self.run is None:
            return
        # Not one from an interrupt: the folder shall tell nothing of that once the run is over.
        if self.saved != self.gan.step and self.saved % self.checkpoint_every == 0:
            self.run.keep_previous()
        self.run.save_checkpoint(*self.gan.state(copy=False))
        self.saved = self.gan.step

    def _check_finite(self):
        if not self.gan.is_finite():
            bad = [name for name, array in self.gan.state(copy=False)[0].items() if not np.isfinite(array).all()]
            self._diverged(f"no longer finite: {some(bad)}")

    def _diverged(self, what):
        if self.run is not None:
            self.run.append_metrics({"step": self.gan.step, "diverged": what})  # for the report; a resume cuts it off
        kept = f"; the last good checkpoint is in {self.run}" if self.run is not None else ""
        raise TrainingDiverged(f"training diverged at step {self.gan.step} ({what}){kept}. Try smaller learning rates")


def _makes_images(gan):
    """Return whether samples have the axes (C, H, W)."""
    return gan.decode(gan.latent.draw(random.default_rng(0), 1)).ndim == 4


def in_short(record):
    """Return what the progress bar shows of a record."""
    names = {"d_loss": "D loss", "g_loss": "G loss", "d_real": "D(x)", "d_fake": "D(G(z))"}
    return {name: f"{record[key]:.2f}" for key, name in names.items()}
