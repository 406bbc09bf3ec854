"""Digits after ten minutes: the presets for images beside the widely used dense GAN in PyTorch, by FID.

Every contestant trains on the same MNIST, one after the other, on all cores: PyTorch for `--minutes`, the presets for
their own number of steps. All are measured on 10,000 samples in the features of one classifier (`mg.metrics`).
"""

import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.tables import seconds, table
from minigan import data, metrics
from minigan.errors import DataError
from minigan.metrics.classifier import image_classifier
from minigan.training import presets

N = 10_000
PRESETS = ("mnist", "mnist-dense", "mnist-conv", "mnist-conv-plain")


def ours(name, quick):
    """Train a preset; return (N samples, its seconds)."""
    options = presets.config(name)
    if quick:
        options = replace(options, steps=20)
    gan = presets.build(options)
    took = seconds(lambda: gan.fit(presets.dataset(options)))
    return gan.sample(N), took


def theirs(minutes):
    """Train PyTorch's GAN in a process of its own; return (N samples, its seconds)."""
    with tempfile.TemporaryDirectory() as scratch:
        images, samples = Path(scratch) / "images.npy", Path(scratch) / "samples.npy"
        np.save(images, data.mnist()[:].astype(np.float32))
        command = [sys.executable, "-m", "benchmarks.torch_mnist", str(images), str(samples), str(60 * minutes), str(N)]
        took = seconds(lambda: subprocess.run(command, check=True))
        return np.load(samples, allow_pickle=False), took


def run(options):
    """Print FID, the class histogram's divergence, precision and recall of each contestant."""
    try:
        digits = data.mnist()
    except DataError as error:
        print(f"skipped: {error}")
        return
    classifier = image_classifier(digits, progress=True)
    names = options.presets or PRESETS
    contestants = {f"minigan {name}": lambda name=name: ours(name, options.quick) for name in names}
    if importlib.util.find_spec("torch"):
        contestants["torch, dense GAN"] = lambda: theirs(0.02 if options.quick else options.minutes)
    rows = []
    for name, train in contestants.items():
        samples, took = train()
        found = metrics.image_report(samples, digits, classifier=classifier)
        rows.append([name, f"{took:.0f} s", *(f"{found[k]:.3g}" for k in ("fid", "kl", "precision", "recall"))])
        print(rows[-1], flush=True)
    print("\n" + table(["MNIST", "time", "FID", "KL of classes", "precision", "recall"], rows))
    print(f"\n{N:,} samples; FID of as many real images {found['fid_real']:.2f}; classifier {found['classifier']}")
