"""Distributions in one and two dimensions whose density or shape is known exactly.

They are endless: each call of ``sample`` draws fresh points.
"""

import numpy as np

from minigan.errors import ConfigError


class Mixture:
    r"""A mixture of K Gaussians in D dimensions, each as wide in all directions.

    .. math:: p(x) = \sum_k w_k \, (2 \pi s_k^2)^{-D/2} \exp\left( -\frac{|x - m_k|^2}{2 s_k^2} \right)

    Parameters
    ----------
    name : str
    means : (K, D) array_like
        m
    stds : (K,) array_like or float
        s, greater than 0
    weights : (K,) array_like, optional
        w, not negative; they are divided by their sum. Default: all equal.

    Attributes
    ----------
    means, stds, weights : (K, D), (K,), (K,) float64
        Read-only.
    shape : tuple
        ``(D,)``
    mean, std : float
        Mean and standard deviation over all coordinates.

    Raises
    ------
    ConfigError
        If the shapes do not go together, or a width or weight is out of its range.

    Examples
    --------
    >>> import minigan as mg
    >>> data = mg.data.Mixture("pair", means=[[-1.0], [1.0]], stds=0.1)
    >>> data.sample(3, seed=0).shape, data.mean
    ((3, 1), 0.0)
    >>> data.density([[0.0], [1.0]]).round(3)
    array([0.   , 1.995])
    """

    def __init__(self, name, means, stds, weights=None):
        self.name = name
        self.means = np.array(means, dtype=float)
        if self.means.ndim != 2 or not self.means.size or not np.isfinite(self.means).all():
            raise ConfigError(f"{name}: means must be finite, of shape (K, D) and not empty, got {self.means}")
        components, dimension = self.means.shape
        self.stds = _one_each(name, "stds", stds, components)
        if not ((self.stds > 0) & (self.stds < np.inf)).all():
            raise ConfigError(f"{name}: stds must be finite and greater than 0, got {self.stds}")
        weights = _one_each(name, "weights", 1.0 if weights is None else weights, components)
        if not ((weights >= 0).all() and 0 < weights.sum() < np.inf):
            raise ConfigError(f"{name}: weights must not be negative and must have a positive sum, got {weights}")
        self.weights = weights / weights.sum()
        for array in (self.means, self.stds, self.weights):
            array.flags.writeable = False

        self.shape = (dimension,)
        self.mean = float(self.weights @ self.means.mean(axis=1))
        second_moment = self.weights @ ((self.means**2).mean(axis=1) + self.stds**2)
        self.std = float(np.sqrt(second_moment - self.mean**2))

        # For fast draws: float32 tables (K, D), and where [0, 1) is cut into K intervals as long as the weights.
        self._centres = self.means.astype(np.float32)
        self._widths = np.repeat(self.stds.astype(np.float32)[:, np.newaxis], dimension, axis=1)
        self._cuts = np.cumsum(self.weights)[:-1]

    def sample(self, n, seed):
        """Draw ``n`` points: a component k by its weight, then m_k + s_k times a standard normal.

        Parameters
        ----------
        n : int
        seed : int or numpy.random.Generator

        Returns
        -------
        ndarray
            x : (n, D) float32
        """
        rng = np.random.default_rng(seed)
        k = self._cuts.searchsorted(rng.random(n), side="right")
        x = rng.standard_normal((n, *self.shape), dtype=np.float32)
        x *= self._widths.take(k, axis=0)
        x += self._centres.take(k, axis=0)
        return x

    def density(self, x):
        """Return the exact density at ``x``.

        Parameters
        ----------
        x : (..., D) array_like
            Points; in one dimension the last axis has length 1.

        Returns
        -------
        ndarray
            p(x) : (...) float64
        """
        x = np.asarray(x, dtype=float)
        squared = ((x[..., np.newaxis, :] - self.means) ** 2).sum(axis=-1)  # (..., K)
        peaks = self.weights * (2 * np.pi * self.stds**2) ** (-self.shape[0] / 2)
        return np.exp(-squared / (2 * self.stds**2)) @ peaks

    def __repr__(self):
        return f"<{self.name}: mixture of {len(self.stds)} Gaussians in {self.shape[0]} dimension(s)>"


def _one_each(name, what, values, components):
    """Return (components,) floats from one number or one for each component."""
    try:
        return np.full(components, values, dtype=float)
    except ValueError:
        raise ConfigError(f"{name}: {what} has shape {np.shape(values)}, expected one number or ({components},)")


def gaussian(mean=4.0, std=0.5):
    """Return one Gaussian in one dimension.

    Parameters
    ----------
    mean, std : float

    Returns
    -------
    Mixture
        Of one component; items of shape ``(1,)``.

    Examples
    --------
    >>> import minigan as mg
    >>> x = mg.data.gaussian().sample(100_000, seed=0)
    >>> round(float(x.mean()), 1), round(float(x.std()), 1)
    (4.0, 0.5)
    """
    return Mixture("gaussian", [[mean]], std)


def mixture1d():
    """Return four unequal Gaussians in one dimension: unequal gaps, widths and weights.

    Returns
    -------
    Mixture
        Items of shape ``(1,)``.
    """
    return Mixture("mixture1d", [[-4], [-1], [2], [5]], stds=[0.3, 0.5, 0.3, 0.4], weights=[0.2, 0.35, 0.3, 0.15])


def ring(modes=8, radius=1.0, std=0.01):
    """Return equal Gaussians on a circle, at the angles 2 pi k / modes for k = 0 ... modes - 1.

    Parameters
    ----------
    modes : int
    radius : float
    std : float
        Of each Gaussian, in each coordinate.

    Returns
    -------
    Mixture
        Items of shape ``(2,)``.

    References
    ----------
    Srivastava et al., "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017.

    Examples
    --------
    >>> import minigan as mg
    >>> mg.data.ring(modes=4).means.round(3) + 0.0
    array([[ 1.,  0.],
           [ 0.,  1.],
           [-1.,  0.],
           [ 0., -1.]])
    """
    # Not linspace(0, 2 pi, modes): it holds both 0 and 2 pi, which are one point, and a mode would be missing.
    angle = 2 * np.pi * np.arange(modes) / modes
    return Mixture("ring", radius * np.column_stack([np.cos(angle), np.sin(angle)]), std)


def grid(std=0.05):
    """Return 25 equal Gaussians on the square grid {-4, -2, 0, 2, 4} x {-4, -2, 0, 2, 4}.

    Parameters
    ----------
    std : float
        Of each Gaussian, in each coordinate.

    Returns
    -------
    Mixture
        Items of shape ``(2,)``.

    References
    ----------
    Srivastava et al., "VEEGAN: Reducing Mode Collapse in GANs using Implicit Variational Learning", 2017.

    Examples
    --------
    >>> import minigan as mg
    >>> data = mg.data.grid()
    >>> len(data.means), data.sample(10, seed=0).shape
    (25, (10, 2))
    """
    ticks = [-4, -2, 0, 2, 4]
    return Mixture("grid", [(x, y) for x in ticks for y in ticks], std)


class Moons:
    r"""Two interleaving half circles with Gaussian noise.

    A unit circle :math:`(\cos t, \sin t)`, :math:`t \sim U(0, 2 \pi)`, is cut along the x axis, and its lower half
    moved by :math:`(1, 1/2)`.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise in each coordinate.

    Attributes
    ----------
    shape : tuple
        ``(2,)``
    mean, std : float
        Mean and standard deviation over both coordinates.

    Raises
    ------
    ConfigError
        If `noise` is negative or not finite.
    """

    name = "moons"
    shape = (2,)
    mean = 0.375  # half of the points are moved by (1, 1/2): the mean is (1/2, 1/4)

    def __init__(self, noise):
        if not 0 <= noise < np.inf:
            raise ConfigError(f"moons: noise must be a finite number from 0 up, got {noise}")
        self.noise = noise
        # E[x^2] = 1 and E[y^2] = 5/8 - 1/pi without the noise, from E[cos^2] = E[sin^2] = 1/2, E[sin | lower] = -2/pi
        self.std = float(np.sqrt((1 + 5 / 8 - 1 / np.pi) / 2 - self.mean**2 + noise**2))

    def sample(self, n, seed):
        """Draw ``n`` points, each from either moon with probability 1/2.

        Parameters
        ----------
        n : int
        seed : int or numpy.random.Generator

        Returns
        -------
        ndarray
            x : (n, 2) float32
        """
        rng = np.random.default_rng(seed)
        angle = 2 * np.pi * rng.random(n, dtype=np.float32)
        lower = angle > np.pi
        x = rng.standard_normal((n, 2), dtype=np.float32)
        x *= self.noise
        x[:, 0] += np.cos(angle) + lower
        x[:, 1] += np.sin(angle) + np.float32(0.5) * lower
        return x

    def __repr__(self):
        return f"<moons: two half circles, noise {self.noise}>"


def moons(noise=0.05):
    """Return two interleaving half circles of radius 1 with noise.

    Parameters
    ----------
    noise : float
        Standard deviation of the noise in each coordinate.

    Returns
    -------
    Moons
        Items of shape ``(2,)``.
    """
    return Moons(noise)
