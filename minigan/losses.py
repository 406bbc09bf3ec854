"""GAN losses on logits, each with its gradient derived by hand.

Notation: a = D(x) is a logit, p = sigmoid(a) the discriminator's probability that x is real, and
softplus(a) = log(1 + e^a), so that -log p = softplus(-a), -log(1 - p) = softplus(a), softplus' = sigmoid.
Every loss is to be *minimised* by its player, and is a mean over all n elements, which puts a 1/n into each gradient.

A loss is a primitive whose derivative rule *is* the hand-derived gradient, so training uses it; the same loss built
from small operations is its `reference`: `minigan check` holds the gradient against it and against differences.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minigan.domains import REAL, Domain, random_shape
from minigan.engine import as_tensor, no_grad, primitive
from minigan.errors import ConfigError, ShapeError
from minigan.ops import mean, sigmoid, softplus

LOG2 = float(np.log(2.0))


def _np_softplus(a):
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


def _logits(n):
    def draw(rng, side):
        shape = random_shape(rng, side, dims=int(rng.integers(1, 3)), least=1)
        return tuple(REAL.draw(rng, shape) for _ in range(n)), {}

    return Domain(draw)


# -- the discriminator's cross-entropy ------------------------------------------------------------------------------
# L = mean -log p(real) + mean -log(1 - p(fake)) = mean softplus(-a_real) + mean softplus(a_fake)
# dL/da_real = -sigmoid(-a_real)/n = (p - 1)/n,   dL/da_fake = sigmoid(a_fake)/n = p/n


def _cross_entropy_grad(real, fake):
    return sigmoid(-real) * (-1.0 / real.size), sigmoid(fake) * (1.0 / fake.size)


@primitive(
    vjp=(
        lambda g, out, real, fake: g * _cross_entropy_grad(real, fake)[0],
        lambda g, out, real, fake: g * _cross_entropy_grad(real, fake)[1],
    ),
    reference=lambda real, fake: mean(softplus(-real)) + mean(softplus(fake)),
    domain=_logits(2),
)
def cross_entropy_discriminator(real, fake):
    """Return mean -log p(real) + mean -log(1 - p(fake))."""
    return np.mean(_np_softplus(-real)) + np.mean(_np_softplus(fake))


# -- the two generators that go with it -----------------------------------------------------------------------------
# saturating (the zero-sum game):  L = mean log(1 - p(fake)) = -mean softplus(a),  dL/da = -sigmoid(a)/n = -p/n
# non-saturating:                  L = mean -log p(fake) = mean softplus(-a),      dL/da = -sigmoid(-a)/n = (p - 1)/n
# They pull the same way; but where D is sure (p -> 0) the first gradient vanishes and the second does not.


def _saturating_grad(fake):
    return sigmoid(fake) * (-1.0 / fake.size)


@primitive(
    vjp=(lambda g, out, fake: g * _saturating_grad(fake),),
    reference=lambda fake: -mean(softplus(fake)),
    domain=_logits(1),
)
def saturating_generator(fake):
    """Return mean log(1 - p(fake))."""
    return -np.mean(_np_softplus(fake))


def _non_saturating_grad(fake):
    return sigmoid(-fake) * (-1.0 / fake.size)


@primitive(
    vjp=(lambda g, out, fake: g * _non_saturating_grad(fake),),
    reference=lambda fake: mean(softplus(-fake)),
    domain=_logits(1),
)
def non_saturating_generator(fake):
    """Return mean -log p(fake)."""
    return np.mean(_np_softplus(-fake))


# -- relativistic pairing -------------------------------------------------------------------------------------------
# D compares a real with a fake logit: with s = a_high - a_low, L = mean -log sigmoid(s) = mean softplus(-s);
# D wants high = real, G wants high = fake.   dL/da_high = -sigmoid(-s)/n = -dL/da_low


def _pairing_grad(high, low):
    g = sigmoid(low - high) * (1.0 / high.size)
    return -g, g


@primitive(
    vjp=(
        lambda g, out, high, low: g * _pairing_grad(high, low)[0],
        lambda g, out, high, low: g * _pairing_grad(high, low)[1],
    ),
    reference=lambda high, low: mean(softplus(low - high)),
    domain=_logits(2),
)
def pairing(high, low):
    """Return mean -log sigmoid(high - low)."""
    return np.mean(_np_softplus(low - high))


# -- the records ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loss:
    """The two players' losses on logits, and their gradients in closed form.

    Attributes
    ----------
    name : str
    equilibrium : (float, float)
        The losses of discriminator and generator where generated and real samples are alike and D is optimal.
    paired : bool
        Whether each real logit is compared with the fake one at its place: equal shapes are needed.
    real_in_generator : bool
        Whether the generator's loss looks at real logits; if not, pass ``real=None`` there.
    """

    name: str
    equilibrium: tuple[float, float]
    _discriminator: Callable
    _generator: Callable
    _discriminator_grad: Callable
    _generator_grad: Callable
    paired: bool = False
    real_in_generator: bool = False

    def discriminator(self, real, fake):
        """Return the discriminator's loss.

        Parameters
        ----------
        real, fake : arrays of logits D(x) and D(G(z)), any shape; equal shapes where `paired`

        Returns
        -------
        0-d Tensor, the mean over all elements
        """
        return self._discriminator(*self._both(real, fake, "discriminator"))

    def generator(self, real, fake):
        """Return the generator's loss; `real` is None unless `real_in_generator`. Parameters as `discriminator`."""
        if self.real_in_generator:
            return self._generator(*self._both(real, fake, "generator"))
        return self._generator(self._only_fake(real, fake))

    def discriminator_grad(self, real, fake):
        """Return the hand-derived gradient of `discriminator` as arrays ``(g_real, g_fake)``, the 1/n included."""
        return _as_arrays(self._discriminator_grad, *self._both(real, fake, "discriminator_grad"))

    def generator_grad(self, real, fake):
        """Return the hand-derived gradient of `generator`, ``(g_real, g_fake)``; None for a side it does not use."""
        if self.real_in_generator:
            return _as_arrays(self._generator_grad, *self._both(real, fake, "generator_grad"))
        return None, _as_arrays(self._generator_grad, self._only_fake(real, fake))[0]

    def _both(self, real, fake, what):
        if real is None or fake is None:
            side = "real" if real is None else "fake"
            raise ConfigError(f"{self.name}.{what}: {side} is None, but this loss needs the logits of both sides")
        real, fake = _as_logits(real), _as_logits(fake)
        if self.paired and real.shape != fake.shape:
            raise ShapeError(
                f"{self.name}.{what}: real has shape {real.shape}, fake {fake.shape}; this loss compares them in "
                "pairs, so the shapes must be equal"
            )
        return real, fake

    def _only_fake(self, real, fake):
        if real is not None:
            raise ConfigError(f"{self.name}: the generator's loss does not use real logits; pass real=None")
        if fake is None:
            raise ConfigError(f"{self.name}: fake is None; pass the logits D(G(z))")
        return _as_logits(fake)


def _as_logits(a):
    a = as_tensor(a)
    if a.dtype.kind != "f":
        a = a.astype(np.float64)
    if a.size == 0:
        raise ShapeError(f"loss: got no logits (shape {a.shape}); the mean over nothing is not defined")
    return a


def _as_arrays(gradient, *logits):
    with no_grad():
        result = gradient(*logits)
    return tuple(g.numpy() for g in (result if isinstance(result, tuple) else (result,)))


def minimax():
    """The zero-sum game of Goodfellow et al. (2014, eq. 1): G minimises what D maximises.

    V(D, G) = E log D(x) + E log(1 - D(G(z))).  D minimises -V, G minimises its second term.

    - D: mean softplus(-a_real) + mean softplus(a_fake); gradient -(1 - p_real)/n and p_fake/n.
    - G: -mean softplus(a_fake); gradient -p_fake/n, which vanishes where D is sure of the fakes (it *saturates*).

    Optimal discriminator: D* = p_data / (p_data + p_g). At p_g = p_data: D's loss 2 log 2, G's -log 2.
    """
    d, g = cross_entropy_discriminator, saturating_generator
    return Loss("minimax", (2 * LOG2, -LOG2), d, g, _cross_entropy_grad, _saturating_grad)


def non_saturating():
    """The heuristic of Goodfellow et al. (2014, section 3): G maximises log D(G(z)).

    - D: as in `minimax`.
    - G: mean softplus(-a_fake); gradient -(1 - p_fake)/n, strongest where D is sure of the fakes.

    At p_g = p_data: D's loss 2 log 2, G's log 2.
    """
    d, g = cross_entropy_discriminator, non_saturating_generator
    return Loss("non_saturating", (2 * LOG2, LOG2), d, g, _cross_entropy_grad, _non_saturating_grad)


def relativistic():
    """The pairing loss RpGAN (Jolicoeur-Martineau, 2019; Huang et al., 2024, "The GAN is dead", eq. 2).

    D is asked which of a pair is the real one: with d = a_real - a_fake,

    - D: mean softplus(-d); gradient -sigmoid(-d)/n for real, +sigmoid(-d)/n for fake.
    - G: mean softplus(+d); gradient +sigmoid(d)/n for real (G cannot change it), -sigmoid(d)/n for fake.

    At p_g = p_data both losses are log 2.
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


_LOSSES = {f.__name__: f for f in (minimax, non_saturating, relativistic)}


def names():
    """Return the names of all losses, for `get`."""
    return sorted(_LOSSES)


def get(name, **options):
    """Return the `Loss` of that name.

    Raises
    ------
    ConfigError
        If there is no such loss, or it does not take an option.
    """
    if name not in _LOSSES:
        raise ConfigError(f"unknown loss {name!r}; known are {', '.join(names())}")
    try:
        return _LOSSES[name](**options)
    except TypeError as error:
        raise ConfigError(f"loss {name!r} does not take the options {', '.join(options)}") from error
