"""Make the pictures of README.md and of the site's first page: results of this code, kept in docs/images.

    .venv/bin/python docs/make_pictures.py          # all of them, in about five minutes
    .venv/bin/python docs/make_pictures.py grid.png # only this one

`make docs` makes those that are missing. Each comes from one seed, so the same code on the same machine gives the same
bytes; all together have to stay below one megabyte.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

import minigan as mg
from minigan.files import write_bytes
from minigan.plots.style import in_style, png_bytes
from minigan.training import presets
from minigan.training.report import write_report

IMAGES = Path(__file__).parent / "images"
LIMIT = 1_000_000  # bytes in all


def trained(preset, folder, data=None):
    """Train a preset as ``minigan train PRESET --seed 0`` does, into `folder`; return the GAN and its data."""
    options = presets.config(preset)
    gan, data = presets.build(options), data or presets.dataset(options)
    return gan.fit(data, out=folder), data


def mixture1d(path):
    """Draw the densities of a 1D GAN over its training."""
    with tempfile.TemporaryDirectory() as folder:
        gan, data = trained("mixture1d", folder)
        write_report(folder, gan=gan, data=data)
        shutil.copyfile(Path(folder, "training.gif"), path)


def ring(path):
    """Draw points of a GAN over its training, as they find eight modes."""
    with tempfile.TemporaryDirectory() as folder:
        _, data = trained("ring", folder)
        snapshots = [(step, x[:500]) for step, x in mg.training.RunFolder(folder).snapshots() if step <= 4000]
    frames = mg.plots.plane_frames(snapshots, data.sample(500, 0))
    mg.plots.animate(frames, path, dpi=75, colours=64)


def grid(path):
    """Draw real and generated points of twenty-five modes."""
    with tempfile.TemporaryDirectory() as folder:
        gan, data = trained("grid", folder)
    save(mg.plots.plane(data.sample(2000, 0), gan.sample(2000, 0), title="Twenty-five modes"), path)


def digits(path):
    """Draw digits of the dense GAN on MNIST, from noise that no training step has seen."""
    with tempfile.TemporaryDirectory() as folder:
        gan, _ = trained("mnist-dense", folder, mg.data.mnist(mirrors=()))  # never a download: `make docs` is offline
    save(mg.plots.image_grid(gan.sample(64, 0).clip(0, 1), columns=8), path, colours=32)


def wrong_gradient(path):
    """Draw what the checker says of a softmax regression whose gradient has the wrong sign for one class."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(12, 5)), rng.integers(0, 3, 12)

    def loss(w):
        a = x @ w
        return np.mean(np.log(np.exp(a).sum(axis=1)) - a[np.arange(12), labels])

    def claimed(w):
        a = x @ w
        p = np.exp(a) / np.exp(a).sum(axis=1, keepdims=True)
        g = x.T @ (p - np.eye(3)[labels]) / 12
        g[:, 1] *= -1  # the planted mistake
        return g

    report = mg.check_gradients(loss, rng.normal(size=(5, 3)), grad=claimed, seed=0, raise_on_failure=False)
    with in_style():
        save(report.plot(), path)


def graph(path):
    """Draw the recorded graph of a discriminator's loss on generated samples."""
    x = mg.tensor(np.zeros((8, 2), np.float32))
    W, b = mg.tensor(np.zeros((1, 2), np.float32), requires_grad=True), mg.tensor([0.0], requires_grad=True)
    loss = mg.mean(mg.softplus(mg.matmul(x, W.T) + b))
    save(mg.draw(loss, names={"x": x, "W": W, "b": b}), path, colours=64)


PICTURES = {
    "mixture1d.gif": mixture1d,
    "ring.gif": ring,
    "grid.png": grid,
    "mnist.png": digits,
    "wrong_gradient.png": wrong_gradient,
    "graph.png": graph,
}


def save(figure, path, colours=128):
    """Write a figure as a PNG with so many colours that no difference is to be seen."""
    write_bytes(path, png_bytes(figure, dpi=130, colours=colours))


def make(names, folder=IMAGES):
    """Make the pictures of these names."""
    for name in names:
        print(f"making {name}", file=sys.stderr)
        try:
            PICTURES[name](folder / name)
        except mg.errors.DataError as error:
            print(f"left out {name}: {error}", file=sys.stderr)


def missing(folder=IMAGES):
    """Return the names of the pictures that are not there."""
    return [name for name in PICTURES if not (folder / name).exists()]


if __name__ == "__main__":
    if unknown := [name for name in sys.argv[1:] if name not in PICTURES]:
        sys.exit(f"unknown picture {', '.join(unknown)}; known are {', '.join(PICTURES)}")
    make(sys.argv[1:] or PICTURES)
    if (size := sum(path.stat().st_size for path in IMAGES.iterdir())) > LIMIT:
        sys.exit(f"docs/images holds {size:,} bytes, more than {LIMIT:,}")
