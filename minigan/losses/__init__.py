"""GAN losses on logits, each with its gradient derived by hand.

Notation: a = D(x) is what the discriminator returns: a logit, or for a critic a score. Every loss is to be *minimised*
by its player, and is a mean over all n elements, which puts a 1/n into each gradient. p and q are the densities of the
real and of the generated samples.

A loss is a primitive whose derivative rule *is* the hand-derived gradient, so training uses it; the same loss built
from small operations is its `reference`: `minigan check` holds the gradient against it and against differences.

=================  =====================  ==========================================================
loss               optimal D(x)           D's loss there, or what G follows
=================  =====================  ==========================================================
`minimax`          log p/q                D: log 4 - 2 JSD(p, q); G minimises JSD
`non_saturating`   log p/q                D: the same; G follows the gradient of KL(q, p) - 2 JSD
`least_squares`    (b p + a q) / (p + q)  D: (b - a)^2/2 times the integral of p q / (p + q)
`hinge`            sign(p - q)            D: 2 - 2 TV(p, q)
`wasserstein`      Kantorovich potential  D: -W1(p, q), among critics of slope at most 1
`relativistic`     log p/q + constant     D: log 2 where p = q, less elsewhere
=================  =====================  ==========================================================

JSD, KL: Jensen-Shannon and Kullback-Leibler divergence in nats (for G of `non_saturating`: Arjovsky & Bottou, 2017,
theorem 2.5); TV: total variation in [0, 1]; a, b: labels of fake and real; W1: earth mover's distance in units of x.
"""

import inspect

from minigan.errors import ConfigError
from minigan.losses.cross_entropy import minimax, non_saturating, relativistic
from minigan.losses.record import Loss
from minigan.losses.scores import hinge, least_squares, wasserstein

__all__ = [
    "Loss",
    "get",
    "hinge",
    "least_squares",
    "minimax",
    "names",
    "non_saturating",
    "options",
    "relativistic",
    "wasserstein",
]

_LOSSES = {f.__name__: f for f in (minimax, non_saturating, least_squares, hinge, wasserstein, relativistic)}


def names():
    """Return the names of all losses, for `get`."""
    return list(_LOSSES)


def options(name):
    """Return the names of the options that a loss takes."""
    return list(inspect.signature(_LOSSES[name]).parameters)


def get(name, **given):
    """Return the `Loss` of that name.

    Parameters
    ----------
    name : str
        One of `names`.
    **given
        Options of that loss: ``real_label=0.9`` smooths the label of real samples.

    Raises
    ------
    ConfigError
        If there is no such loss, it does not take an option, or an option is out of range.

    Examples
    --------
    >>> import minigan as mg
    >>> mg.losses.get("minimax", real_label=0.9).name
    'minimax(real_label=0.9)'
    """
    if name not in _LOSSES:
        raise ConfigError(f"unknown loss {name!r}; known are {', '.join(names())}")
    if unknown := [option for option in given if option not in options(name)]:
        takes = ", ".join(options(name)) or "none"
        raise ConfigError(f"loss {name!r} does not take the options {', '.join(unknown)}; it takes {takes}")
    return _LOSSES[name](**given)
