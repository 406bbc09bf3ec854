"""Ready-made runs: for each preset its options, its networks and its data."""

import math
from dataclasses import replace

from minigan import data, nn, random
from minigan.errors import ConfigError
from minigan.training.config import Config
from minigan.training.gan import GAN

# A recipe that reaches all modes (relativistic loss, R1 and R2 at every step: Huang et al., 2024), for points.
POINTS = Config(
    loss="relativistic",
    batch_size=256,
    lr_g=1e-3,
    lr_d=3e-3,
    beta1=0.0,
    beta2=0.9,
    warmup=100,
    cosine_from=0.5,
    r1=0.3,
    r2=0.3,
    penalty_end=0.01,
    ema=0.99,
    standardise=True,
)

# The classic dense GAN for 28x28 images, ten epochs of 60,000. Without R1 its discriminator wins and all samples become
# one blot (docs/decisions/0008): that is `--r1 0 --ema 0 --cosine-from 1`.
IMAGES = Config(steps=4690, latent_normals=100, r1=3.0, ema=0.998, cosine_from=0.5, log_every=20)


PRESETS = {
    "gaussian": replace(
        POINTS, preset="gaussian", steps=3000, lr_d=1e-3, r1=0.1, r2=0.1, penalty_end=0.1, latent_normals=1
    ),
    "mixture1d": replace(POINTS, preset="mixture1d", steps=3200, latent_normals=1, latent_signs=8),
    "ring": replace(POINTS, preset="ring", steps=6000, latent_normals=2, latent_signs=8),
    # Rates fall early here: with 25 narrow modes that is what brings their width close to the data's.
    "grid": replace(POINTS, preset="grid", steps=6000, cosine_from=0.3, latent_normals=2, latent_signs=8),
    "glyphs": replace(IMAGES, preset="glyphs"),
    "mnist": replace(IMAGES, preset="mnist"),
}


def config(name):
    """Return the options of the preset `name`; ConfigError if there is none."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r}; known are {', '.join(PRESETS)}")
    return PRESETS[name]


def dataset(options):
    """Return the data of a preset's run."""
    name = config(options.preset).preset
    if options.data and name != "mnist":
        raise ConfigError(f"data is {options.data!r}, but {name} is drawn and reads no files; leave it out")
    return data.mnist(options.data or None) if name == "mnist" else getattr(data, name)()


def networks(options):
    """Return (generator, discriminator) of a preset's run, their first weights drawn from its seed."""
    if options.preset == "custom":
        raise ConfigError("this run has networks of your own: pass them, GAN.load(run, generator=G, discriminator=D)")
    config(options.preset)
    if options.latent_normals + options.latent_signs == 0:
        raise ConfigError("latent_normals and latent_signs are both 0; a generator needs noise to start from")
    rng = random.default_rng([options.seed, 0])
    return (_images if options.preset in ("glyphs", "mnist") else _points)(options, rng)


def build(options):
    """Return the GAN of a preset's options, untrained."""
    return GAN(*networks(options), config=options)


def _points(options, rng):
    """Multilayer perceptrons for points on the line and in the plane."""
    features, width, depth, frequencies = {
        "gaussian": (1, 32, 2, 0),
        "mixture1d": (1, 64, 2, 16),
        "ring": (2, 64, 3, 32),
        "grid": (2, 64, 3, 32),
    }[options.preset]
    latent = options.latent_normals + options.latent_signs
    generator = nn.Sequential(*_mlp(latent, width, depth, features, nn.ReLU(), rng))
    seen = options.pack * features
    lift = [nn.FourierFeatures(seen, frequencies, 3.0, rng)] if frequencies else []
    discriminator = nn.Sequential(*lift, *_mlp(seen + 2 * frequencies, width, depth, 1, nn.LeakyReLU(), rng))
    return generator, discriminator


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


def _images(options, rng):
    """The dense networks for 28x28 images: z-128-128-784 and 784-128-128-1, LeakyReLU."""
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
