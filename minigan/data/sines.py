"""Sine waves of random frequency and phase: the sequences on which recurrent GANs are compared."""

import numpy as np

from minigan.errors import ConfigError


class Sines:
    r"""Sequences of T steps of C features, each feature a sine of its own.

    .. math:: x_{tc} = m + A_c \sin(f_c \, t + \varphi_c)

    Amplitude, frequency and phase are uniform, and independent for each sequence and feature.

    Parameters
    ----------
    name : str
    times : (T,) array_like
        t
    features : int
        C
    amplitude : (low, high)
        A, in the data's units.
    frequency : (low, high)
        f, in radians per unit of `times`.
    phase : (low, high)
        phi, in radians.
    offset : float
        m

    Attributes
    ----------
    shape : tuple
        ``(T, C)``
    mean, std : float
        Mean and standard deviation over all entries.

    Raises
    ------
    ConfigError
        If there is no time step or no feature, or a range is not finite or ends before it starts.
    """

    def __init__(self, name, times, features, *, amplitude, frequency, phase, offset=0.0):
        self.name = name
        self.times = np.array(times, dtype=np.float32)
        if self.times.ndim != 1 or not self.times.size or features < 1:
            raise ConfigError(f"{name}: got times {self.times} and {features} features; expected at least one of each")
        self.shape = (len(self.times), features)
        self.offset = offset
        self._ranges = {"amplitude": amplitude, "frequency": frequency, "phase": phase}
        for what, (low, high) in self._ranges.items():
            if not -np.inf < low <= high < np.inf:
                raise ConfigError(f"{name}: {what} from {low} to {high} is no range; expected finite, low <= high")
        self.mean, self.std = self._moments()

    def sample(self, n, seed):
        """Draw ``n`` sequences.

        Parameters
        ----------
        n : int
        seed : int or numpy.random.Generator

        Returns
        -------
        ndarray
            x : (n, T, C) float32
        """
        rng = np.random.default_rng(seed)
        each = (n, 1, self.shape[1])
        amplitude, frequency, phase = (
            np.float32(low) + np.float32(high - low) * rng.random(each, dtype=np.float32)
            for low, high in self._ranges.values()
        )
        x = np.sin(frequency * self.times[:, np.newaxis] + phase)
        x *= amplitude
        x += np.float32(self.offset)
        return x

    def _moments(self):
        """Return mean and standard deviation over all entries, from E[sin] and E[sin^2] = (1 - E[cos 2.]) / 2."""
        amplitude, frequency, phase = self._ranges.values()
        times = self.times.astype(float)
        first = (_wave(times, frequency) * _wave(1.0, phase)).imag.mean()
        second = (1 - (_wave(2 * times, frequency) * _wave(2.0, phase)).real.mean()) / 2
        low, high = amplitude
        mean = first * (low + high) / 2
        square = second * (low**2 + low * high + high**2) / 3
        return float(self.offset + mean), float(np.sqrt(max(square - mean**2, 0.0)))

    def __repr__(self):
        return f"<{self.name}: {self.shape[1]} sine(s) of {self.shape[0]} steps>"


def _wave(t, bounds):
    """Return E[exp(i t u)] of u, uniform between the two bounds: the characteristic function."""
    low, high = bounds
    return np.exp(0.5j * t * (low + high)) * np.sinc(t * (high - low) / (2 * np.pi))


def sines(kind="timegan"):
    """Return sine waves as one of two papers draws them.

    Parameters
    ----------
    kind : {"timegan", "rgan"}
        ``"timegan"``: (1 + sin(f j + phi)) / 2 at j = 0 ... 23 in 5 features, f and phi from U(0, 0.1); in [0, 1].
        ``"rgan"``: A sin(2 pi f t / 30 + phi) at t = 1 ... 30, A from U(0.1, 0.9), f from U(1, 5) waves in 30 steps,
        phi from U(-pi, pi); one feature, in [-0.9, 0.9].

    Returns
    -------
    Sines
        Items of shape ``(24, 5)`` or ``(30, 1)``.

    Raises
    ------
    ConfigError
        If there is no such kind.

    References
    ----------
    Yoon, Jarrett & van der Schaar, "Time-series Generative Adversarial Networks", 2019 (TimeGAN; the ranges are those
    of its code). Esteban, Hyland & Rätsch, "Real-valued (Medical) Time Series Generation with Recurrent Conditional
    GANs", 2017 (RGAN).
    """
    if kind == "timegan":
        small = (0.0, 0.1)
        return Sines("sines", np.arange(24), 5, amplitude=(0.5, 0.5), frequency=small, phase=small, offset=0.5)
    if kind == "rgan":
        turns = 2 * np.pi / 30
        return Sines(
            *("sines-rgan", np.arange(1, 31), 1),
            amplitude=(0.1, 0.9),
            frequency=(turns * 1, turns * 5),
            phase=(-np.pi, np.pi),
        )
    raise ConfigError(f"sines: unknown kind {kind!r}; known are timegan and rgan")
