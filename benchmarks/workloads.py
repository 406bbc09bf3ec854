"""The networks that all libraries train, written once."""

from dataclasses import dataclass
from itertools import pairwise

RATE, BETAS = 2e-4, (0.5, 0.999)  # of Adam


@dataclass(frozen=True)
class Workload:
    """Widths of both networks from input to output, and samples per step. LeakyReLU(0.2) stands between the layers."""

    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    batch: int
    images: bool = False  # the generator ends in a sigmoid
    r1: float = 0.0  # gamma of the discriminator's penalty gamma/2 E|dD(x)/dx|^2 on real samples

    @property
    def real_shape(self):
        return self.batch, self.discriminator[0]

    @property
    def noise_shape(self):
        return self.batch, self.generator[0]


WORKLOADS = {
    "1D": Workload((8, 32, 32, 1), (1, 32, 32, 1), 128),
    "ring": Workload((2, 128, 128, 2), (2, 128, 128, 1), 256),
    "MNIST": Workload((100, 128, 128, 784), (784, 128, 128, 1), 128, images=True),
    "MNIST, R1": Workload((100, 128, 128, 784), (784, 128, 128, 1), 128, images=True, r1=3.0),  # what the preset trains
    "MNIST wide": Workload((100, 512, 512, 784), (784, 512, 512, 1), 128, images=True),
}


def networks(nn, dense, work):
    """Return (generator, discriminator) made of a library's `nn` and its dense layer."""

    def network(sizes, *output):
        layers = [layer for i, o in pairwise(sizes) for layer in (dense(i, o), nn.LeakyReLU(0.2))]
        return nn.Sequential(*layers[:-1], *output)

    return network(work.generator, *([nn.Sigmoid()] if work.images else [])), network(work.discriminator)
