"""Looking into a trained GAN: walks through the generator's noise, and what the discriminator looks at."""

import numpy as np

from minigan import ops, random
from minigan.engine import Tensor, modes
from minigan.errors import ConfigError
from minigan.training import remedies
from minigan.training.gan import evaluated


def interpolation(gan, walks=6, steps=9, seed=0):
    """Return what the generator makes on the way from one sample to another.

    The normal entries z of the noise go along the arc between two draws (slerp), for a straight line would pass
    through the middle, where a normal vector of many dimensions never is:

        z(t) = (sin((1 - t) w) a + sin(t w) b) / sin w,    w the angle between a and b

    Random signs have nothing between them: they change one after the other along the way.

    Parameters
    ----------
    gan : GAN
    walks, steps : int
        R and S.
    seed : int

    Returns
    -------
    (R, S, ...) array
        In the data's own units.
    """
    if walks < 1 or steps < 2:
        raise ConfigError(f"interpolation: got {walks} walks of {steps} steps; expected at least 1 of at least 2")
    a, b = (gan.latent.draw(random.default_rng([seed, 4, end]), walks).numpy() for end in (0, 1))
    t = np.linspace(0, 1, steps)
    z = np.stack([_between(a[i], b[i], t, gan.latent.signs) for i in range(walks)])
    return _decoded(gan, z)


def _between(a, b, t, signs):
    """Return noise (S, ...) on the way from a (...) to b (...) at the times t (S,)."""
    normals = a.shape[-1] - signs
    arc = _slerp(a[..., :normals].ravel(), b[..., :normals].ravel(), t).reshape(len(t), *a.shape[:-1], normals)
    flips = (np.arange(signs) + 1) / (signs + 1)
    late = t.reshape(-1, *[1] * a.ndim) > flips
    return np.concatenate([arc, np.where(late, b[..., normals:], a[..., normals:])], axis=-1)


def _slerp(a, b, t):
    t = t[:, None]
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    w = np.arccos(np.clip(a @ b / lengths, -1, 1)) if lengths else 0.0
    if np.sin(w) < 1e-6 or len(a) < 2:  # parallel, opposite, or on a line, where there is no arc
        return (1 - t) * a + t * b
    return (np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.sin(w)


def traversal(gan, coordinates=6, steps=9, reach=2.5, seed=0):
    """Return what the generator makes while one entry of the noise goes from -reach to reach and the others stay.

    Parameters
    ----------
    gan : GAN
        With noise (N, Z).
    coordinates : int
        How many entries: those first that change the sample most, as a mean over 32 draws of the others.
    steps : int
        S; signs take the two values that they have.
    reach : float
        In standard deviations.
    seed : int
        Of the entries that stay.

    Returns
    -------
    indices : (R,) array of int
        Which entries, R at most `coordinates`.
    samples : (R, S, ...) array
        In the data's own units.

    Raises
    ------
    ConfigError
        If the noise has other axes than (N, Z).
    """
    draws = gan.latent.draw(random.default_rng([seed, 5]), 32).numpy()
    if draws.ndim != 2:
        raise ConfigError(f"traversal: noise of shape (N, {', '.join(map(str, draws.shape[1:]))}); expected (N, Z)")
    order = np.argsort(-_effects(gan, draws, reach), kind="stable")[:coordinates]
    values = np.linspace(-reach, reach, steps)
    z = np.repeat(np.repeat(draws[None, :1], steps, axis=1), len(order), axis=0)
    for row, entry in enumerate(order):
        is_sign = entry >= draws.shape[1] - gan.latent.signs
        z[row, :, entry] = np.where(values < 0, -1, 1) if is_sign else values
    return order, _decoded(gan, z)


def _effects(gan, draws, reach):
    """Return for each entry of the noise the mean square change of the sample between its two ends: (Z,)."""
    effects = []
    for entry in range(draws.shape[1]):
        end = 1.0 if entry >= draws.shape[1] - gan.latent.signs else reach
        low, high = draws.copy(), draws.copy()
        low[:, entry], high[:, entry] = -end, end
        effects.append(np.square(gan.decode(Tensor(high)) - gan.decode(Tensor(low))).mean())
    return np.array(effects)


def _decoded(gan, z):
    rows = gan.decode(Tensor(z.reshape(-1, *z.shape[2:]).astype(modes.default_dtype)))
    return rows.reshape(*z.shape[:2], *rows.shape[1:])


def score_gradient(gan, x):
    """Return the gradient of the discriminator's logit with respect to its input: its saliency.

    Entry i is the directional derivative of `GAN.score` along that entry's axis.

    Parameters
    ----------
    gan : GAN
    x : (N, ...) array_like
        Samples in the data's own units.

    Returns
    -------
    (N, ...) array
        Logits per unit of the data.

    References
    ----------
    Simonyan, Vedaldi & Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models and
    Saliency Maps", 2013.
    """
    x = Tensor(np.asarray(x, dtype=modes.default_dtype), requires_grad=True)
    seen, m = (x - gan.centre) / gan.scale, gan.config.pack
    if m > 1:  # a pack of copies, as in `score`
        seen = remedies.packed(ops.stack([seen] * m, axis=1).reshape(len(x) * m, *x.shape[1:]), m)
    with evaluated(gan.discriminator):
        gan.discriminator(seen).sum().backward(inputs=[x])  # each logit depends on its own sample only
    return x.grad.numpy()
