"""What every loss is: two functions of logits, their gradients in closed form, and what they need to be given."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import numpy as np

from minigan.domains import REAL, Domain, random_shape
from minigan.engine import as_tensor, no_grad
from minigan.errors import ConfigError, ShapeError


@dataclass(frozen=True)
class Loss:
    """The two players' losses on logits, and their gradients in closed form.

    Attributes
    ----------
    name : str
        With the options that are not at their defaults: ``minimax(real_label=0.9)``.
    equilibrium : (float, float)
        The losses of discriminator and generator where generated and real samples are alike and D is optimal. For
        `hinge` and `wasserstein` D's is a fact, while G's is a convention: see there.
    paired : bool
        Whether each real logit is compared with the fake one at its place: equal shapes are needed.
    real_in_generator : bool
        Whether the generator's loss looks at real logits; if not, pass ``real=None`` there.

    Examples
    --------
    >>> import minigan as mg
    >>> loss = mg.losses.get("non_saturating")
    >>> round(loss.discriminator([1.0, -1.0], [0.0, 0.0]).item(), 3)  # logits of real and of fake samples
    1.506
    >>> loss.generator_grad(None, [0.0, 0.0])  # -(1 - p) / n
    (None, array([-0.25, -0.25], dtype=float32))
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


# -- declaring a loss -------------------------------------------------------------------------------------------------


def rules_for_both(gradient):
    """Return the derivative rules of a loss of (real, fake): the cotangent times its gradient, a pair of arrays."""
    return {
        "shared": lambda g, out, real, fake, **labels: tuple(g * side for side in gradient(real, fake, **labels)),
        "vjp": (lambda g, out, real, fake, **labels: g[0], lambda g, out, real, fake, **labels: g[1]),
    }


def logits(*intervals, **labels):
    """Return the domain of a loss: arrays of one shape, an interval for each; `labels` are its parameters."""
    intervals = intervals or (REAL,)

    def draw(rng, side):
        shape = random_shape(rng, side, dims=int(rng.integers(1, 3)), least=1)
        return tuple(interval.draw(rng, shape) for interval in intervals), dict(labels)

    return Domain(draw, intervals=intervals)


def checked_label(name, value, low=-np.inf, high=np.inf, hint="a finite number"):
    """Return the option `value` as a float in (low, high], or say what it should be."""
    if not isinstance(value, Real) or not np.isfinite(value) or not low < value <= high:
        raise ConfigError(f"{name} is {value!r}; expected {hint}")
    return float(value)


def full_name(name, defaults, **given):
    """Return the name of a loss with those options that are not at their defaults."""
    changed = [f"{key}={value!r}" for key, value in given.items() if value != defaults[key]]
    return f"{name}({', '.join(changed)})" if changed else name
