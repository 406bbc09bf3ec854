"""Remedies: what keeps the game of two networks in balance. Each is one small piece; all are off unless asked for.

=================  =========================================  ======================================================
option             against                                    source
=================  =========================================  ======================================================
`r1`, `r2`         a generator pushed away again              Mescheder et al., 2018
`wgan_gp`          an unbounded critic                        Gulrajani et al., 2017
`dragan`           a discriminator steep around the data      Kodali et al., 2017
`clip_weights`     an unbounded critic (crudely)              Arjovsky et al., 2017, algorithm 1
`spectral_norm`    an unbounded critic                        Miyato et al., 2018
`clip_grad_*`      rare, huge gradients                       Pascanu et al., 2013
`noise`            real and fake that do not overlap          Sønderby et al., 2017; Arjovsky & Bottou, 2017
`real_label`       a discriminator that is too sure           Salimans et al., 2016, section 3.4
`pack`             mode collapse                              Lin et al., 2018 (PacGAN)
`lr_g`, `lr_d`     a discriminator that cannot keep up        Heusel et al., 2017
`d_steps`          the same                                   Goodfellow et al., 2014, algorithm 1
`freeze_*`         a player that starts, or ends, too strong  (stages of training)
`ema`              a generator that circles its goal          Yazıcı et al., 2019
=================  =========================================  ======================================================

`minigan.training.players` puts them together; those that are one line of it have no function here.
"""

from minigan import nn, penalties
from minigan.errors import ShapeError


def penalty(options, factor, discriminator, real, real_logits, fake, fake_logits, rng):
    """Return the sum of the penalties that the options ask for, with their weights.

    factor (gamma_1/2 R1 + gamma_2/2 R2 + lambda WGAN-GP + lambda DRAGAN)

    Parameters
    ----------
    options : Config
    factor : () Tensor
        What their schedule says at this step.
    real, fake : (N, ...) Tensors
        What the discriminator saw; leaves that require a gradient where `r1` or `r2` is on.
    real_logits, fake_logits : Tensors
        What it said. R1 and R2 are taken of these, without a pass of their own.
    rng : mg.random.Generator
        For the places where `wgan_gp` and `dragan` look.

    Returns
    -------
    0-d Tensor, or 0.0 without any penalty
    """
    total = 0.0
    if options.r1:
        total = total + factor * (0.5 * options.r1) * penalties.squared_gradient(real_logits, real)
    if options.r2:
        total = total + factor * (0.5 * options.r2) * penalties.squared_gradient(fake_logits, fake)
    if options.wgan_gp:
        total = total + factor * options.wgan_gp * penalties.wgan_gp(discriminator, real, fake, rng)
    if options.dragan:
        total = total + factor * options.dragan * penalties.dragan(discriminator, real, rng)
    return total


def noisy(x, sd, rng):
    """Return x + sd u with fresh u ~ N(0, 1): instance noise.

    The densities of real and generated samples are both smoothed by the same Gaussian. They overlap then, however far
    apart they were, and the optimal discriminator log p/q stays finite, with a slope that G can follow.

    Parameters
    ----------
    x : (N, ...) Tensor
    sd : () Tensor
        In the units that the networks see.
    rng : mg.random.Generator
    """
    return x + sd * rng.normal(x.shape, dtype=x.dtype)


def packed(x, m):
    """Return m samples side by side as one, for a discriminator that judges m at a time.

    A generator that has lost modes draws m samples that resemble each other more often than m real ones do: the density
    of packs, p(x_1)...p(x_m), shows collapse to D m times as plainly.

    Parameters
    ----------
    x : (N, F), (N, T, C) or (N, C, H, W) Tensor
    m : int
        N must be a multiple of it.

    Returns
    -------
    (N/m, m F), (N/m, T, m C) or (N/m, m C, H, W) Tensor
        Row i holds samples i m to i m + m - 1, joined along features or channels.

    Raises
    ------
    ShapeError
        If N is no multiple of m, or the samples have another number of axes.
    """
    n, *shape = x.shape
    if n % m or len(shape) not in (1, 2, 3):
        raise ShapeError(
            f"pack: x has shape {x.shape}; expected vectors, sequences or images, in a multiple of {m} rows"
        )
    if len(shape) == 2:
        steps, channels = shape
        return x.reshape(n // m, m, steps, channels).swapaxes(1, 2).reshape(n // m, steps, m * channels)
    return x.reshape(n // m, m * shape[0], *shape[1:])


def normalise_spectra(network, rng):
    """Apply `mg.nn.spectral_norm` to each dense or convolutional layer of a network that does not have it yet."""
    for layer in network.modules():
        if isinstance(layer, nn.Dense | nn.Conv2d | nn.ConvTranspose2d) and "weight" in vars(layer):
            nn.spectral_norm(layer, rng=rng)
