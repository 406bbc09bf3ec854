"""The losses of a critic: D's output is a score, regressed on labels, held apart by a margin, or just compared."""

import functools

import numpy as np

from minigan.domains import REAL, Interval
from minigan.engine import filled_like, primitive
from minigan.errors import ConfigError
from minigan.losses.record import Loss, checked_label, full_name, logits, rules_for_both
from minigan.ops import greater, less, mean, relu

# -- least squares ----------------------------------------------------------------------------------------------------
# With the labels a (fake), b (real) and c (what G wants its samples to be taken for):
#   L_D = mean (real - b)^2/2 + mean (fake - a)^2/2:   dL/dreal = (real - b)/n,   dL/dfake = (fake - a)/n
#   L_G = mean (fake - c)^2/2:                         dL/dfake = (fake - c)/n


def _half_square(x):
    return 0.5 * x * x


def _least_squares_grad(real, fake, *, fake_label, real_label):
    return (real - real_label) * (1.0 / real.size), (fake - fake_label) * (1.0 / fake.size)


@primitive(
    **rules_for_both(_least_squares_grad),
    reference=lambda real, fake, *, fake_label, real_label: (
        mean(_half_square(real - real_label)) + mean(_half_square(fake - fake_label))
    ),
    domain=logits(REAL, REAL, fake_label=-0.5, real_label=1.0),
)
def least_squares_discriminator(real, fake, *, fake_label, real_label):
    """Return mean (real - b)^2/2 + mean (fake - a)^2/2."""
    return np.mean(_half_square(real - real_label)) + np.mean(_half_square(fake - fake_label))


def _least_squares_generator_grad(fake, *, target):
    return (fake - target) * (1.0 / fake.size)


@primitive(
    vjp=(lambda g, out, fake, *, target: g * _least_squares_generator_grad(fake, target=target),),
    reference=lambda fake, *, target: mean(_half_square(fake - target)),
    domain=logits(REAL, target=1.0),
)
def least_squares_generator(fake, *, target):
    """Return mean (fake - c)^2/2."""
    return np.mean(_half_square(fake - target))


_LABELS = {"fake_label": 0.0, "real_label": 1.0, "target": 1.0}


def least_squares(fake_label=_LABELS["fake_label"], real_label=_LABELS["real_label"], target=_LABELS["target"]):
    """LSGAN (Mao et al., 2017, eq. 2): D's score is regressed on labels, and samples far on the right side pull too.

    - D: mean (a_real - b)^2/2 + mean (a_fake - a)^2/2; gradient (a_real - b)/n and (a_fake - a)/n.
    - G: mean (a_fake - c)^2/2; gradient (a_fake - c)/n, which grows with the distance instead of saturating.

    Optimal discriminator: at each x, p (D - b)^2 + q (D - a)^2 is least at D* = (b p + a q) / (p + q), the mean label.
    At p = q: D* = (a + b)/2, D's loss (b - a)^2/4, G's ((a + b)/2 - c)^2/2; with the default labels 1/4 and 1/8.

    Parameters
    ----------
    fake_label, real_label : float
        a and b: 0 and 1. They must differ.
    target : float
        c, what G wants its samples to be taken for: 1, the label of real ones. With b - c = 1 and b - a = 2 (a = -1,
        b = 1, c = 0) the game minimises Pearson's chi^2 divergence between p + q and 2 q (section 3.2 there).

    Raises
    ------
    ConfigError
        If a label is not a finite number, or a = b.
    """
    given = {"fake_label": fake_label, "real_label": real_label, "target": target}
    a, b, c = (checked_label(name, value) for name, value in given.items())
    if a == b:
        raise ConfigError(f"least_squares: fake_label and real_label are both {a:g}; D needs something to tell apart")
    return Loss(
        full_name("least_squares", _LABELS, fake_label=a, real_label=b, target=c),
        ((b - a) ** 2 / 4, ((a + b) / 2 - c) ** 2 / 2),
        functools.partial(least_squares_discriminator, fake_label=a, real_label=b),
        functools.partial(least_squares_generator, target=c),
        functools.partial(_least_squares_grad, fake_label=a, real_label=b),
        functools.partial(_least_squares_generator_grad, target=c),
    )


# -- the generator of a critic ----------------------------------------------------------------------------------------
# L_G = -mean a_fake, dL/da = -1/n: every sample is pushed up D's slope with the same weight, whatever its score.


def _push_up_grad(fake):
    return filled_like(fake._data, -1.0 / fake.size)


@primitive(
    vjp=(lambda g, out, fake: g * _push_up_grad(fake),),
    reference=lambda fake: -mean(fake),
    domain=logits(REAL),
)
def critic_generator(fake):
    """Return -mean score(fake)."""
    return -np.mean(fake)


# -- hinge ------------------------------------------------------------------------------------------------------------
# L_D = mean max(0, 1 - a_real) + mean max(0, 1 + a_fake): only scores within the margin, or wrong, still count.
# dL/da_real = -1/n where a_real < 1, else 0;   dL/da_fake = 1/n where a_fake > -1, else 0
# At the kinks, a_real = 1 and a_fake = -1, every slope between the two is a subgradient: 0 is chosen, as in relu.


def _hinge_grad(real, fake):
    of_real = less(real, 1.0).astype(real.dtype) * (-1.0 / real.size)
    return of_real, greater(fake, -1.0).astype(fake.dtype) * (1.0 / fake.size)


@primitive(
    **rules_for_both(_hinge_grad),
    reference=lambda real, fake: mean(relu(1.0 - real)) + mean(relu(1.0 + fake)),
    domain=logits(Interval(kinks=(1.0,)), Interval(kinks=(-1.0,))),
)
def hinge_discriminator(real, fake):
    """Return mean max(0, 1 - real) + mean max(0, 1 + fake)."""
    return np.mean(np.maximum(1.0 - real, 0.0)) + np.mean(np.maximum(1.0 + fake, 0.0))


def hinge():
    """The hinge loss (Lim & Ye, 2017, "Geometric GAN"; Miyato et al., 2018, eq. 16): a margin of 1 about 0.

    - D: mean max(0, 1 - a_real) + mean max(0, 1 + a_fake); gradient -1/n for real scores below 1, 1/n for fake ones
      above -1, and 0 for those beyond the margin.
    - G: -mean a_fake; gradient -1/n.

    Optimal discriminator: at each x, p max(0, 1 - D) + q max(0, 1 + D) is piecewise linear with corners at -1 and 1,
    and least at D* = sign(p - q). D's loss is then the integral of 2 min(p, q), which is 2 - 2 TV(p, q): TV, the total
    variation, is 0 for equal and 1 for disjoint distributions.

    At p = q, D's loss is 2, whatever D in [-1, 1] it has: the optimum is not unique. G's loss, -E D, may then be
    anything in [-1, 1]; the record's 0 is that of D = 0, where neither side is favoured. So compare a run's D loss
    with its equilibrium; G's loss says nothing by itself.
    """
    return Loss("hinge", (2.0, 0.0), hinge_discriminator, critic_generator, _hinge_grad, _push_up_grad)


# -- Wasserstein ------------------------------------------------------------------------------------------------------
# L_D = mean a_fake - mean a_real:   dL/da_real = -1/n,   dL/da_fake = 1/n


def _wasserstein_grad(real, fake):
    return filled_like(real._data, -1.0 / real.size), filled_like(fake._data, 1.0 / fake.size)


@primitive(
    **rules_for_both(_wasserstein_grad),
    reference=lambda real, fake: mean(fake) - mean(real),
    domain=logits(REAL, REAL),
)
def wasserstein_discriminator(real, fake):
    """Return mean score(fake) - mean score(real)."""
    return np.mean(fake) - np.mean(real)


def wasserstein():
    """WGAN (Arjovsky et al., 2017, eq. 2-3): the critic measures how far the generated samples are from the real ones.

    - D: mean a_fake - mean a_real; gradient -1/n and 1/n.
    - G: -mean a_fake; gradient -1/n.

    Optimal critic: among all functions of slope at most 1, the one with the largest E_p D - E_q D, a Kantorovich
    potential: its slope is 1 along every path on which mass is to be moved, and that largest value is the distance
    W1(p, q) (Kantorovich and Rubinstein's duality). So D's loss is -W1. Without a limit on the slope there is no
    optimum: twice the critic has twice the value. The limit is not part of this loss: add `mg.penalties.wgan_gp`,
    `mg.nn.spectral_norm` or `mg.optim.clip_weights`.

    At p = q, D's loss is 0 for every critic, not just for the best one. G's loss, -E D, depends on a constant that may
    be added to D at will; the record's 0 is that of a critic with E D = 0. So -D's loss is the curve to watch, while
    G's says nothing by itself.
    """
    return Loss(
        "wasserstein", (0.0, 0.0), wasserstein_discriminator, critic_generator, _wasserstein_grad, _push_up_grad
    )
