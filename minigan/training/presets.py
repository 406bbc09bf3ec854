"""Ready-made runs: for each preset its options, its networks and its data."""

from dataclasses import replace
from functools import partial

from minigan import data, nn, random
from minigan.errors import ConfigError
from minigan.training import networks as architectures
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

# The relativistic recipe for images.
RELATIVISTIC = replace(
    IMAGES,
    loss="relativistic",
    steps=15_000,
    latent_normals=64,
    lr_g=1e-3,
    lr_d=1e-3,
    beta1=0.0,
    beta2=0.99,
    warmup=100,
    r1=1.0,
    r2=1.0,
)

# DCGAN's batch, with the two rates of InfoGAN.
CONVOLUTIONAL = replace(IMAGES, steps=6000, batch_size=64, lr_g=1e-3, lr_d=2e-4, r1=0.0, latent_normals=64)

PLAIN_CONVOLUTIONAL = replace(RELATIVISTIC, steps=8000, batch_size=64, lr_g=5e-4, lr_d=5e-4)

# Instance noise in place of a gradient penalty: that one would go through every step of the LSTM twice.
SEQUENCES = Config(
    preset="sines",
    steps=15_000,
    loss="relativistic",
    batch_size=64,
    lr_g=2e-3,
    lr_d=2e-3,
    beta1=0.0,
    beta2=0.9,
    warmup=100,
    cosine_from=0.5,
    noise=0.5,
    noise_end=0.02,
    ema=0.99,
    latent_normals=10,
    standardise=True,
)

KINDS_OF_IMAGES = {
    "": (IMAGES, architectures.dense_images),
    "-dense": (RELATIVISTIC, architectures.wide_dense_images),
    "-conv": (CONVOLUTIONAL, architectures.convolutional),
    "-conv-plain": (PLAIN_CONVOLUTIONAL, architectures.plain_convolutional),
}
OF_IMAGES = {f"{data}{kind}": both for data in ("glyphs", "mnist") for kind, both in KINDS_OF_IMAGES.items()}

PRESETS = {
    "gaussian": replace(
        POINTS, preset="gaussian", steps=5000, lr_d=1e-3, r1=0.1, r2=0.1, penalty_end=0.03, latent_normals=1
    ),
    "mixture1d": replace(POINTS, preset="mixture1d", steps=3200, latent_normals=1, latent_signs=8),
    "ring": replace(POINTS, preset="ring", steps=6000, latent_normals=2, latent_signs=8),
    # With 25 narrow modes, rates fall early and penalties as long as they do: else modes are too narrow. Three normals
    # and a wider G keep each of them from becoming a line.
    "grid": replace(
        POINTS,
        preset="grid",
        steps=6000,
        cosine_from=0.3,
        penalty_end=0.001,
        decay_until=1.0,
        latent_normals=3,
        latent_signs=8,
    ),
    "sines": SEQUENCES,
    **{name: replace(options, preset=name) for name, (options, _) in OF_IMAGES.items()},
}

NETWORKS = {
    "gaussian": partial(architectures.points, 1, (32, 32), 2, 0),
    "mixture1d": partial(architectures.points, 1, (64, 64), 2, 16),
    "ring": partial(architectures.points, 2, (64, 64), 3, 32),
    "grid": partial(architectures.points, 2, (128, 64), 3, 32),
    "sines": partial(architectures.sequences, 24, 5, 32),
    **{name: pair for name, (_, pair) in OF_IMAGES.items()},
}


def config(name):
    """Return the options of the preset `name`; ConfigError if there is none."""
    if name not in PRESETS:
        raise ConfigError(f"unknown preset {name!r:.60}; known are {', '.join(PRESETS)}")
    return PRESETS[name]


def dataset(options):
    """Return the data of a preset's run."""
    name = config(options.preset).preset
    if options.data and not name.startswith("mnist"):
        raise ConfigError(f"data is {options.data!r:.60}, but {name} is drawn and reads no files; leave it out")
    return data.mnist(options.data or None) if name.startswith("mnist") else getattr(data, name.partition("-")[0])()


def networks(options):
    """Return (generator, discriminator) of a preset's run, their first weights drawn from its seed."""
    if options.preset == "custom":
        raise ConfigError("this run has networks of your own: pass them, GAN.load(run, generator=G, discriminator=D)")
    config(options.preset)
    if options.latent_normals + options.latent_signs == 0:
        raise ConfigError("latent_normals and latent_signs are both 0; a generator needs noise to start from")
    generator, discriminator = NETWORKS[options.preset](options=options, rng=random.default_rng([options.seed, 0]))
    if options.latent == "gaussian" and options.latent_signs:
        generator = nn.Sequential(architectures.Gates(options.latent_signs), generator)
    return generator, discriminator


def build(options):
    """Return the GAN of a preset's options, untrained."""
    return GAN(*networks(options), config=options)
