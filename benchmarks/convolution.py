"""The convolutions of a DCGAN for 28 x 28 images, forward and backward: against PyTorch.

Kernel 4, stride 2, padding 1, batch 64: the discriminator's two layers and the generator's two. The discriminator's
first layer is also measured without the gradient of its input, which training does not ask for.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks import passes

BATCH = 64


@dataclass(frozen=True)
class Layer(passes.Layer):
    """One layer and its input: channels in and out, the side of its square images."""

    kind: str
    channels: tuple[int, int]
    side: int
    input_gradient: bool = True

    def make(self, nn):
        return getattr(nn, self.kind)(*self.channels, 4, 2, 1)

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


def run(options):
    """Print the tables."""
    passes.print_tables(LAYERS, options)
