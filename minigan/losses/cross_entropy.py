"""The losses of a classifier: D's output is a logit, p = sigmoid(a) its probability that x is real.

softplus(a) = log(1 + e^a), so that -log p = softplus(-a), -log(1 - p) = softplus(a), and softplus' = sigmoid.
"""

import functools
import math

import numpy as np

from minigan.domains import REAL
from minigan.engine import primitive
from minigan.losses.record import Loss, checked_label, full_name, logits, rules_for_both
from minigan.ops import mean, sigmoid, softplus

LOG2 = math.log(2.0)


def _np_softplus(a):
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


# -- the discriminator's cross-entropy ------------------------------------------------------------------------------
# With the label s for real and 0 for fake:
#   L = mean [-s log p - (1 - s) log(1 - p)](real) + mean -log(1 - p(fake))
#     = mean softplus(a_real) - s a_real           + mean softplus(a_fake)       since -log p = softplus(a) - a
#     = mean softplus(-a_real) + (1 - s) a_real    + mean softplus(a_fake)       which keeps its digits for a >> 0
# dL/da_real = (p - s)/n = ((1 - s) - sigmoid(-a_real))/n,   dL/da_fake = p/n = sigmoid(a_fake)/n


def _cross_entropy_grad(real, fake, *, real_label):
    doubt = 1.0 - real_label  # 0 without label smoothing
    return (doubt - sigmoid(-real)) * (1.0 / real.size), sigmoid(fake) * (1.0 / fake.size)


def _cross_entropy_reference(real, fake, *, real_label):
    value = mean(softplus(-real)) + mean(softplus(fake))
    return value if real_label == 1.0 else value + (1.0 - real_label) * mean(real)


@primitive(
    **rules_for_both(_cross_entropy_grad), reference=_cross_entropy_reference, domain=logits(REAL, REAL, real_label=0.9)
)
def cross_entropy_discriminator(real, fake, *, real_label):
    """Return mean -s log p(real) - (1 - s) log(1 - p(real)) + mean -log(1 - p(fake)), s = `real_label`."""
    value = np.mean(_np_softplus(-real)) + np.mean(_np_softplus(fake))
    return value if real_label == 1.0 else value + real.dtype.type(1.0 - real_label) * np.mean(real)


# -- the two generators that go with it -----------------------------------------------------------------------------
# saturating (the zero-sum game):  L = mean log(1 - p(fake)) = -mean softplus(a),  dL/da = -sigmoid(a)/n = -p/n
# non-saturating:                  L = mean -log p(fake) = mean softplus(-a),      dL/da = -sigmoid(-a)/n = (p - 1)/n
# They pull the same way; but where D is sure (p -> 0) the first gradient vanishes and the second does not.


def _saturating_grad(fake):
    return sigmoid(fake) * (-1.0 / fake.size)


@primitive(
    vjp=(lambda g, out, fake: g * _saturating_grad(fake),),
    reference=lambda fake: -mean(softplus(fake)),
    domain=logits(REAL),
)
def saturating_generator(fake):
    """Return mean log(1 - p(fake))."""
    return -np.mean(_np_softplus(fake))


def _non_saturating_grad(fake):
    return sigmoid(-fake) * (-1.0 / fake.size)


@primitive(
    vjp=(lambda g, out, fake: g * _non_saturating_grad(fake),),
    reference=lambda fake: mean(softplus(-fake)),
    domain=logits(REAL),
)
def non_saturating_generator(fake):
    """Return mean -log p(fake)."""
    return np.mean(_np_softplus(-fake))


def _classifier(name, real_label, generator, generator_grad):
    """Return a loss whose discriminator minimises the cross-entropy, and D's loss where it cannot tell."""
    s = checked_label(
        "real_label",
        real_label,
        0.0,
        1.0,
        "a number above 0 and at most 1, the label of real samples (1: no smoothing)",
    )
    d_value = -s * math.log(s / 2) - (2 - s) * math.log1p(-s / 2)  # at p = q, where D* = s/2
    g_value = {"minimax": math.log1p(-s / 2), "non_saturating": -math.log(s / 2)}[name]
    return Loss(
        full_name(name, {"real_label": 1.0}, real_label=s),
        (d_value, g_value),
        functools.partial(cross_entropy_discriminator, real_label=s),
        generator,
        functools.partial(_cross_entropy_grad, real_label=s),
        generator_grad,
    )


def minimax(real_label=1.0):
    """The zero-sum game of Goodfellow et al. (2014, eq. 1): G minimises what D maximises.

    V(D, G) = E log D(x) + E log(1 - D(G(z))).  D minimises -V, G minimises its second term.

    - D: mean softplus(-a_real) + mean softplus(a_fake); gradient -(1 - p_real)/n and p_fake/n.
    - G: -mean softplus(a_fake); gradient -p_fake/n, which vanishes where D is sure of the fakes (it *saturates*).

    Optimal discriminator: at each x, -p log D - q log(1 - D) is least where p/D = q/(1 - D): D* = p / (p + q), a logit
    of log p/q. Then V = -log 4 + 2 JSD(p, q). At p = q: D's loss 2 log 2, G's -log 2.

    Parameters
    ----------
    real_label : float in (0, 1]
        s, what D is told about real samples; 0.9 is usual. One-sided label smoothing (Salimans et al., 2016, section
        3.4): D may not become sure, so that its gradient does not blow up. Fake samples keep the label 0: a label
        above 0 there would hold the fakes where they are.

        - D: mean softplus(a_real) - s a_real + mean softplus(a_fake); gradient (p_real - s)/n and p_fake/n.

        D* = s p / (p + q), never above s. At p = q: D* = s/2, D's loss -s log(s/2) - (2 - s) log(1 - s/2).

    Raises
    ------
    ConfigError
        If `real_label` is out of range.

    Examples
    --------
    >>> import minigan as mg
    >>> loss = mg.losses.minimax()
    >>> _, g = loss.generator_grad(None, [-20.0])
    >>> bool(-1e-8 < g[0] < 0)  # D is sure of this fake: next to nothing is left of the pull
    True
    """
    return _classifier("minimax", real_label, saturating_generator, _saturating_grad)


def non_saturating(real_label=1.0):
    """The heuristic of Goodfellow et al. (2014, section 3): G maximises log D(G(z)).

    - D: as in `minimax`, with its optimum and its `real_label`.
    - G: mean softplus(-a_fake); gradient -(1 - p_fake)/n, strongest where D is sure of the fakes.

    At p = q: D's loss 2 log 2, G's log 2; with the label s, G's is -log(s/2).

    Examples
    --------
    >>> import minigan as mg
    >>> loss = mg.losses.non_saturating()
    >>> _, g = loss.generator_grad(None, [-20.0])
    >>> g  # D is sure of this fake: the strongest pull
    array([-1.], dtype=float32)
    """
    return _classifier("non_saturating", real_label, non_saturating_generator, _non_saturating_grad)


# -- relativistic pairing -------------------------------------------------------------------------------------------
# D compares a real with a fake logit: with s = a_high - a_low, L = mean -log sigmoid(s) = mean softplus(-s);
# D wants high = real, G wants high = fake.   dL/da_high = -sigmoid(-s)/n = -dL/da_low


def _pairing_grad(high, low):
    g = sigmoid(low - high) * (1.0 / high.size)
    return -g, g


@primitive(
    **rules_for_both(_pairing_grad),
    reference=lambda high, low: mean(softplus(low - high)),
    domain=logits(REAL, REAL),
)
def pairing(high, low):
    """Return mean -log sigmoid(high - low)."""
    return np.mean(_np_softplus(low - high))


def relativistic():
    """The pairing loss RpGAN (Jolicoeur-Martineau, 2019; Huang et al., 2024, "The GAN is dead", eq. 2).

    D is asked which of a pair is the real one: with d = a_real - a_fake,

    - D: mean softplus(-d); gradient -sigmoid(-d)/n for real, +sigmoid(-d)/n for fake.
    - G: mean softplus(+d); gradient +sigmoid(d)/n for real (G cannot change it), -sigmoid(d)/n for fake.

    Optimal discriminator: for the pair (x, y) the odds of "x is the real one" are p(x) q(y) / (q(x) p(y)), so
    D* = log p/q + c, with any constant c: only differences count. At p = q both losses are log 2.

    Examples
    --------
    >>> import minigan as mg
    >>> loss = mg.losses.relativistic()
    >>> loss.discriminator([3.0], [1.0]).item() == loss.discriminator([12.0], [10.0]).item()
    True
    """
    return Loss(
        "relativistic",
        (LOG2, LOG2),
        pairing,
        lambda real, fake: pairing(fake, real),
        _pairing_grad,
        lambda real, fake: _pairing_grad(fake, real)[::-1],
        paired=True,
        real_in_generator=True,
    )
