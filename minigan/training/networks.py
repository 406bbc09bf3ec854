"""The networks of the presets."""

import math

from minigan import nn, ops


def points(features, widths, depth, frequencies, options, rng):
    """Return (generator, discriminator), perceptrons of two widths for points on the line and in the plane."""
    width_g, width_d = widths
    latent, seen = options.latent_normals + options.latent_signs, options.pack * features
    generator = nn.Sequential(*_mlp(latent, width_g, depth, features, nn.ReLU(), rng))
    lift = [nn.FourierFeatures(seen, frequencies, 3.0, rng)] if frequencies else []
    discriminator = nn.Sequential(*lift, *_mlp(seen + 2 * frequencies, width_d, depth, 1, nn.LeakyReLU(), rng))
    return generator, discriminator


class Gates(nn.Module):
    """The last entries of a noise (N, Z) pass steep gates, tanh(1000 z): signs, but for one entry in 500.

    Separate modes have nothing between them, so a continuous generator has to jump from one to the other within a small
    part of the noise, and to be flat elsewhere, where the shape of a mode is made. Layers that learn one of both miss
    the other; here the jumps are given.
    """

    steepness = 1000.0

    def __init__(self, gates):
        self.gates = gates

    def forward(self, z):
        return ops.concatenate([z[:, : -self.gates], ops.tanh(self.steepness * z[:, -self.gates :])], axis=1)

    def extra_repr(self):
        return f"{self.gates}"


def _mlp(inputs, width, depth, outputs, activation, rng):
    """Dense layers with He's initialisation, biases 0, and an output layer of variance 1/fan_in."""
    layers = []
    for i in range(depth):
        layer = nn.Dense(inputs if i == 0 else width, width, rng=rng)
        nn.init.kaiming_normal_(layer.weight, activation.name, getattr(activation, "slope", 0.0), rng)
        nn.init.zeros_(layer.bias)
        layers += [layer, activation]
    last = nn.Dense(width, outputs, rng=rng)
    nn.init.normal_(last.weight, 0.0, 1 / math.sqrt(width), rng)
    nn.init.zeros_(last.bias)
    return [*layers, last]


def dense_images(options, rng):
    """Return the dense networks for 28x28 images: z-128-128-784 and 784-128-128-1, LeakyReLU."""
    latent = options.latent_normals + options.latent_signs
    generator = nn.Sequential(
        nn.Dense(latent, 128, rng=rng),
        nn.LeakyReLU(),
        nn.Dense(128, 128, rng=rng),
        nn.LeakyReLU(),
        nn.Dense(128, 784, rng=rng),
        nn.Sigmoid(),
        nn.Reshape(1, 28, 28),
    )
    discriminator = nn.Sequential(
        nn.Flatten(),
        nn.Dense(784 * options.pack, 128, rng=rng),
        nn.LeakyReLU(),
        nn.Dense(128, 128, rng=rng),
        nn.LeakyReLU(),
        nn.Dense(128, 1, rng=rng),
    )
    return generator, discriminator


def wide_dense_images(options, rng):
    """Return multilayer perceptrons for 28x28 images with He's initialisation, twice as wide as `dense_images`."""
    latent, leaky = options.latent_normals + options.latent_signs, nn.LeakyReLU()
    generator = nn.Sequential(*_mlp(latent, 256, 2, 784, leaky, rng), nn.Sigmoid(), nn.Reshape(1, 28, 28))
    discriminator = nn.Sequential(nn.Flatten(), *_mlp(784 * options.pack, 256, 2, 1, leaky, rng))
    return generator, discriminator


def convolutional(options, rng):
    """Return the networks of DCGAN (Radford et al., 2016) for 28x28 images, with 32 and 64 channels.

    Both have a dense hidden layer, as those of InfoGAN for MNIST (Chen et al., 2016, appendix C.1): without one, digits
    are made of good strokes in the wrong places. Weights start from N(0, 0.02^2), and there is no batch normalisation
    at G's output and D's input, as in the paper.
    """
    relu, leaky = nn.ReLU(), nn.LeakyReLU()
    generator = nn.Sequential(
        *(nn.Dense(options.latent_normals + options.latent_signs, 256, rng=rng), nn.BatchNorm1d(256), relu),
        *(nn.Dense(256, 64 * 7 * 7, rng=rng), nn.Reshape(64, 7, 7), nn.BatchNorm2d(64), relu),
        *(nn.ConvTranspose2d(64, 32, 4, 2, 1, rng=rng), nn.BatchNorm2d(32), relu),
        *(nn.ConvTranspose2d(32, 1, 4, 2, 1, rng=rng), nn.Sigmoid()),
    )
    discriminator = nn.Sequential(
        *(nn.Conv2d(options.pack, 32, 4, 2, 1, rng=rng), leaky),
        *(nn.Conv2d(32, 64, 4, 2, 1, rng=rng), nn.BatchNorm2d(64), leaky, nn.Flatten()),
        *(nn.Dense(64 * 7 * 7, 256, rng=rng), nn.BatchNorm1d(256), leaky),
        nn.Dense(256, 1, rng=rng),
    )
    for layer in _with_weights(generator, discriminator):
        nn.init.normal_(layer.weight, 0.0, 0.02, rng)
    return generator, discriminator


def plain_convolutional(options, rng):
    """Return such networks without normalisation, with 16 and 32 channels, for the relativistic recipe.

    He's initialisation keeps the size of the signals in its stead; the last weights have variance 1/fan_in.
    """
    leaky = nn.LeakyReLU()
    generator = nn.Sequential(
        *(nn.Dense(options.latent_normals + options.latent_signs, 256, rng=rng), leaky),
        *(nn.Dense(256, 32 * 7 * 7, rng=rng), leaky, nn.Reshape(32, 7, 7)),
        *(nn.ConvTranspose2d(32, 16, 4, 2, 1, rng=rng), leaky),
        *(nn.ConvTranspose2d(16, 1, 4, 2, 1, rng=rng), nn.Sigmoid()),
    )
    discriminator = nn.Sequential(
        *(nn.Conv2d(options.pack, 16, 4, 2, 1, rng=rng), leaky),
        *(nn.Conv2d(16, 32, 4, 2, 1, rng=rng), leaky, nn.Flatten()),
        *(nn.Dense(32 * 7 * 7, 256, rng=rng), leaky),
        nn.Dense(256, 1, rng=rng),
    )
    for network in (generator, discriminator):
        layers = _with_weights(network)
        for layer in layers:
            gain = 1.0 if layer is layers[-1] else math.sqrt(2 / (1 + leaky.slope**2))
            nn.init.normal_(layer.weight, 0.0, gain / math.sqrt(_terms(layer)), rng)
            nn.init.zeros_(layer.bias)
    return generator, discriminator


def _with_weights(*networks):
    kinds = nn.Dense | nn.Conv2d | nn.ConvTranspose2d
    return [layer for network in networks for layer in network.modules() if isinstance(layer, kinds)]


def _terms(layer):
    """Return of how many products an output of the layer is the sum: its fan_in."""
    if isinstance(layer, nn.ConvTranspose2d):  # a pixel of its output is reached by every stride-th row and column
        return layer.weight[:, 0].size // math.prod(layer.stride)
    return layer.weight[0].size


def sequences(steps, features, hidden, options, rng):
    """Return two LSTMs for sequences (N, T, C): a generator that is told the same noise at every step, and a judge."""
    latent = options.latent_normals + options.latent_signs
    generator = SequenceGenerator(latent, hidden, steps, features, rng)
    return generator, SequenceDiscriminator(options.pack * features, hidden, rng)


class SequenceGenerator(nn.Module):
    """From noise (N, Z), given at each of T steps, through an LSTM and a dense layer to sequences (N, T, C)."""

    def __init__(self, latent, hidden, steps, features, rng=None):
        self.steps = steps
        self.lstm = nn.LSTM(latent, hidden, batch_first=True, rng=rng)
        self.head = nn.Dense(hidden, features, rng=rng)

    def forward(self, z):
        n, latent = z.shape
        repeated = ops.broadcast_to(ops.reshape(z, (n, 1, latent)), (n, self.steps, latent))
        return self.head(self.lstm(repeated)[0])


class SequenceDiscriminator(nn.Module):
    """From a sequence (N, T, C) and its first differences through an LSTM to a logit, the mean over all steps (N, 1).

    The differences are seen `emphasis` times as large as they are: a smooth curve and a jagged one lie close together
    point by point, and far apart there.
    """

    def __init__(self, features, hidden, rng=None, emphasis=5.0):
        self.emphasis = emphasis
        self.lstm = nn.LSTM(2 * features, hidden, batch_first=True, rng=rng)
        self.head = nn.Dense(hidden, 1, rng=rng)

    def forward(self, x):
        steps = self.emphasis * (x[:, 1:] - x[:, :-1])
        seen = ops.concatenate([x, ops.pad(steps, ((0, 0), (1, 0), (0, 0)))], axis=2)
        return self.head(self.lstm(seen)[0]).mean(axis=1)
