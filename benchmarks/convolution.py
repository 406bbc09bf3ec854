"""The convolutions of a DCGAN for 28 x 28 images, forward and backward, in minigan and PyTorch.

Kernel 4, stride 2, padding 1, float32, batch 64: the discriminator's two layers and the generator's two. A pass
computes the output and the gradients of input, weight and bias; the discriminator's first layer is also measured
without the gradient of its input, which training does not ask for. Both libraries live in one process, in turns.
"""

import importlib.util
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.contest import cores, measured, ratio, threads_of_all
from benchmarks.tables import duration, interleave, table

BATCH = 64


@dataclass(frozen=True)
class Layer:
    """One layer and its input: channels in and out, the side of its square images."""

    kind: str
    channels: tuple[int, int]
    side: int
    input_gradient: bool = True

    def arrays(self):
        """Return x (N, C, H, W) and a cotangent of the output."""
        rng = np.random.default_rng(0)
        after = self.side // 2 if self.kind == "Conv2d" else self.side * 2
        shapes = (BATCH, self.channels[0], self.side, self.side), (BATCH, self.channels[1], after, after)
        return [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]


LAYERS = {
    "Conv2d 1-32 (28)": Layer("Conv2d", (1, 32), 28, input_gradient=False),
    "the same with dx": Layer("Conv2d", (1, 32), 28),
    "Conv2d 32-64 (14)": Layer("Conv2d", (32, 64), 14),
    "Conv2d 64-32 (14)": Layer("Conv2d", (64, 32), 14),
    "ConvTranspose2d 64-32 (7)": Layer("ConvTranspose2d", (64, 32), 7),
    "ConvTranspose2d 32-1 (14)": Layer("ConvTranspose2d", (32, 1), 14),
}


def minigan_pass(layer):
    """Return a function that runs the layer forward and backward once."""
    import minigan as mg

    module = getattr(mg.nn, layer.kind)(*layer.channels, 4, 2, 1)
    x, g = (mg.tensor(a) for a in layer.arrays())
    x.requires_grad = layer.input_gradient

    def once():
        x.grad = None
        module.zero_grad()
        module(x).backward(gradient=g)
        return module.weight.grad.numpy()

    return once


def torch_pass(layer):
    """Return the same for PyTorch."""
    import torch

    module = getattr(torch.nn, layer.kind)(*layer.channels, 4, 2, 1)
    x, g = map(torch.from_numpy, layer.arrays())
    x.requires_grad = layer.input_gradient

    def once():
        x.grad = None
        module.zero_grad(set_to_none=True)
        module(x).backward(gradient=g)
        return module.weight.grad.numpy()

    return once


def compare(layer, *, rounds, span):
    """Return a dict from library to its seconds per pass in each round."""
    passes = {"minigan": minigan_pass, "torch": torch_pass}
    return interleave({name: measured(make(layer), span) for name, make in passes.items()}, rounds)


def run(options):
    """Print a table for one thread and one for all cores."""
    if not importlib.util.find_spec("torch"):
        print("skipped: torch is not installed here (`make bench` installs it)")
        return
    import torch

    rounds, span = (5, 0.02) if options.quick else (15, 0.05)
    for threads in sorted({1, cores()}):
        rows = []
        with threads_of_all(threads):
            for label, layer in LAYERS.items():
                times = compare(layer, rounds=rounds, span=span)
                ours, theirs = times["minigan"], times["torch"]
                fastest = f"{min(theirs) / min(ours):.2f}"
                rows.append(
                    [label, *map(duration, (median(ours), median(theirs))), f"{ratio(theirs, ours):.2f}", fastest]
                )
        print(table([f"threads: {threads}", "minigan", "torch", "torch/minigan", "of the fastest"], rows) + "\n")
    print(f"medians of {rounds} rounds, batch {BATCH}; a ratio above 1: minigan is faster. torch {torch.__version__}")
