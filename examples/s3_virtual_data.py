"""Data virtualisation: work with rows that a generator makes, without access to the data it has learnt.

The dense GAN of many tutorials (G 100-128-128-784, D 784-128-128-1 with logits) learns images of digits and is kept in
a run folder: the preset `glyphs`, or `mnist` with --mnist. From there on the folder takes the place of the data. Is it
as useful, and does it give the data away? An interrupted run goes on with the next call; a finished one is not trained
again.

    python examples/s3_virtual_data.py
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

import minigan as mg
from minigan.training import presets


def train(preset, images, run, steps):
    """Train a preset on these images (N, 1, 28, 28) into the run folder `run`: what is missing there."""
    config = presets.config(preset)
    begun = mg.training.RunFolder(run).has_checkpoint()
    gan = mg.training.GAN.load(run) if begun else presets.build(replace(config, steps=steps or config.steps))
    if gan.step < gan.config.steps:
        gan.fit(mg.data.from_array(images), out=run)


def explained(directions_from, x, k=20):
    """Return which share of the variance of images x lies in the first k principal directions of other images.

    What people do with data: find structure in some rows, and rely on it for others.
    """
    source, x = (images.reshape(len(images), -1).astype(float) for images in (directions_from, x))
    centre = source.mean(axis=0)
    directions = np.linalg.svd(source - centre, full_matrices=False)[2][:k]
    centred = x - centre
    return np.sum((centred @ directions.T) ** 2) / np.sum(centred**2)


def nearest(x, others):
    """Return for each image of x the nearest one of others, by Euclidean distance."""
    flat, pool = (images.reshape(len(images), -1).astype(float) for images in (x, others))
    squared = (flat**2).sum(axis=1)[:, None] + (pool**2).sum(axis=1) - 2 * flat @ pool.T
    return others[squared.argmin(axis=1)]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", action="store_true", help="MNIST (downloaded once) instead of drawn digits")
    parser.add_argument("--steps", type=int, help="training steps (default: the preset's)")
    parser.add_argument("--out", type=Path, default=Path("runs/s3"), help="folder (default: runs/s3)")
    given = parser.parse_args(argv)
    name = "mnist" if given.mnist else "glyphs"
    data = mg.data.mnist() if given.mnist else mg.data.glyphs()
    order = np.random.default_rng(0).permutation(len(data))
    held_out, known = data[np.sort(order[:1000])], data[np.sort(order[1000:])]

    run = given.out / name
    train(name, known, run, given.steps)
    rows = mg.training.VirtualDataset(run, n=1_000_000_000, seed=1)  # from the folder alone: no image is needed
    print(rows)
    print(f"row 123,456,789 alone and in a slice: {np.array_equal(rows[123456789], rows[123456780:123456790][9])}")

    shares = {"the data": known[:2000], "virtual rows": rows[:2000]}
    shares["noise"] = np.random.default_rng(0).random((1000, 1, 28, 28))
    print("\nvariance of new real images along 20 directions that were learnt from ...")
    for source, images in shares.items():
        print(f"  {source:14} {explained(images, held_out):6.1%}")

    print("\ndistance to the training set, over that of new real images (1: new; near 0: copies)")
    for what, x in {"virtual rows": rows[:1000], "copies": known[:1000] + np.float32(0.001)}.items():
        found = mg.metrics.memorisation(x, known, held_out)
        print(f"  {what:14} {found.median_ratio:6.2f}   z {found.z:7.1f} (far below 0: copies)")

    sixteen = rows[:16]
    pairs = np.stack([sixteen[:8], nearest(sixteen[:8], known), sixteen[8:], nearest(sixteen[8:], known)])
    labels = ["virtual", "nearest real", "virtual", "nearest real"]
    picture = given.out / f"{name}.png"
    mg.plots.image_walks(pairs, labels=labels, title="16 rows, and the training images nearest to them").savefig(
        picture
    )
    print(f"\npicture: {picture}")


if __name__ == "__main__":
    main()
