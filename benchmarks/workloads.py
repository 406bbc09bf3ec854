"""The networks that all libraries train, written once: sizes for JAX, and modules of any library like PyTorch's."""

from dataclasses import dataclass
from itertools import pairwise

RATE, BETAS = 2e-4, (0.5, 0.999)  # of Adam


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What all kinds have. A kind adds its sizes, and says how both networks are made of a library's `nn`."""

    batch: int
    relativistic: bool = (
        False  # the loss: softplus(fake - real) for D and the reverse for G; else the non-saturating one
    )
    r1: float = 0.0  # gamma of the discriminator's penalty gamma/2 E|dD(x)/dx|^2 on real samples
    r2: float = 0.0  # the same on generated ones


@dataclass(frozen=True, kw_only=True)
class Dense(Workload):
    """Widths of both networks from input to output. LeakyReLU(0.2) stands between the layers."""

    generator: tuple[int, ...]
    discriminator: tuple[int, ...]
    images: bool = False  # the generator ends in a sigmoid

    @property
    def real_shape(self):
        return self.batch, self.discriminator[0]

    @property
    def noise_shape(self):
        return self.batch, self.generator[0]

    def networks(self, nn, dense):
        def network(sizes, *output):
            layers = [layer for i, o in pairwise(sizes) for layer in (dense(i, o), nn.LeakyReLU(0.2))]
            return nn.Sequential(*layers[:-1], *output)

        return network(self.generator, *([nn.Sigmoid()] if self.images else [])), network(self.discriminator)


@dataclass(frozen=True, kw_only=True)
class Recurrent(Workload):
    """Sequences (T, N, 1) of `steps` = T, from noise at every step. Each network is an LSTM and a dense head.

    The generator's head ends in tanh; the discriminator's logits are averaged over time.
    """

    hidden: int
    steps: int
    noise: int = 8  # per step

    @property
    def real_shape(self):
        return self.steps, self.batch, 1

    @property
    def noise_shape(self):
        return self.steps, self.batch, self.noise

    def networks(self, nn, dense):
        class Network(nn.Module):
            def __init__(self, inputs, hidden, *output):
                super().__init__()
                self.lstm, self.head = nn.LSTM(inputs, hidden), nn.Sequential(dense(hidden, 1), *output)

            def forward(self, x):
                return self.head(self.lstm(x)[0])

        class Judge(Network):
            def forward(self, x):
                return super().forward(x).mean(0)

        return Network(self.noise, self.hidden, nn.Tanh()), Judge(1, self.hidden)


@dataclass(frozen=True, kw_only=True)
class Convolutional(Workload):
    """A DCGAN (Radford et al., 2016) for 28 x 28 images: kernel 4, stride 2, padding 1, a dense layer at the far end.

    Batch norm after all layers but the generator's last and the discriminator's first and last; such layers have no
    bias. ReLU in the generator, which ends in a sigmoid; LeakyReLU(0.2) in the discriminator.
    """

    channels: tuple[int, int]  # where images are 7 x 7 and 14 x 14
    noise: int = 100

    @property
    def real_shape(self):
        return self.batch, 1, 28, 28

    @property
    def noise_shape(self):
        return self.batch, self.noise

    def networks(self, nn, dense):
        many, few = self.channels
        unfold = nn.Reshape(many, 7, 7) if hasattr(nn, "Reshape") else nn.Unflatten(1, (many, 7, 7))
        generator = nn.Sequential(
            *[dense(self.noise, many * 49, bias=False), unfold, nn.BatchNorm2d(many), nn.ReLU()],
            *[nn.ConvTranspose2d(many, few, 4, 2, 1, bias=False), nn.BatchNorm2d(few), nn.ReLU()],
            *[nn.ConvTranspose2d(few, 1, 4, 2, 1), nn.Sigmoid()],
        )
        discriminator = nn.Sequential(
            *[nn.Conv2d(1, few, 4, 2, 1), nn.LeakyReLU(0.2)],
            *[nn.Conv2d(few, many, 4, 2, 1, bias=False), nn.BatchNorm2d(many), nn.LeakyReLU(0.2)],
            *[nn.Flatten(), dense(many * 49, 1)],
        )
        return generator, discriminator


def line(hidden, batch):
    """Return networks for samples on a line."""
    return Dense(generator=(8, hidden, hidden, 1), discriminator=(1, hidden, hidden, 1), batch=batch)


def plane(hidden, batch, depth=2, **options):
    """Return networks for samples in the plane, with `depth` hidden layers."""
    between = (hidden,) * depth
    return Dense(generator=(2, *between, 2), discriminator=(2, *between, 1), batch=batch, **options)


def digits(hidden, **options):
    """Return dense networks for 28 x 28 images."""
    sizes = {"generator": (100, hidden, hidden, 784), "discriminator": (784, hidden, hidden, 1)}
    return Dense(**sizes, batch=128, images=True, **options)


WORKLOADS = {
    "1D": line(32, 128),
    "ring": plane(128, 256),
    "ring relativistic + R1 + R2": plane(128, 256, relativistic=True, r1=0.3, r2=0.3),
    "MNIST": digits(128),
    "MNIST + R1": digits(128, r1=3.0),  # what the preset trains
    "MNIST wide": digits(512),
    "LSTM": Recurrent(hidden=64, steps=24, batch=64),
    "DCGAN": Convolutional(channels=(64, 32), batch=64),
    "1D hidden 48": line(48, 96),
    "LSTM hidden 48 T 30": Recurrent(hidden=48, steps=30, batch=96),
}


def networks(nn, dense, work):
    """Return (generator, discriminator) made of a library's `nn` and its dense layer."""
    return work.networks(nn, dense)
