"""The numbers that a diagnosis looks at, taken from a GAN, its data and its run."""

import numpy as np
from scipy.stats import rankdata

from minigan import metrics, nn, random
from minigan.engine import no_grad
from minigan.training.diagnosis import Symptoms
from minigan.training.evaluation import memorisation

N = 1000  # samples of either kind
ANCHORS = 200
FLAT = {nn.Tanh: lambda y: 1 - y**2, nn.Sigmoid: lambda y: 4 * y * (1 - y), nn.ReLU: lambda y: y > 0}  # f'/max f'


def symptoms_of(gan, data, snapshots=(), diverged=None):
    """Collect the Symptoms of a GAN.

    Parameters
    ----------
    gan : GAN
    data : dataset
        What it was trained on.
    snapshots : list of (step, samples)
        From one fixed noise, over the run; without them no oscillation is seen.
    diverged : str, optional
        What stopped the training, if something did.

    Returns
    -------
    Symptoms
    """
    fake, real, more = gan.sample(N, 0), data.sample(N, 0), data.sample(N, 1)
    with np.errstate(all="ignore"):  # a diverged GAN
        real_logits, fake_logits = gan.score(real), gan.score(fake)
    d_loss = np.array([record["d_loss"] for record in gan.history])
    sane = np.isfinite(fake).all() and np.isfinite([real_logits, fake_logits]).all()
    if not sane:
        return Symptoms(d_loss, gan.loss.equilibrium[0], *[np.nan] * 6, diverged=diverged)
    spread = _spread(real) or 1.0
    return Symptoms(
        d_loss=d_loss,
        equilibrium=gan.loss.equilibrium[0],
        logits=float(np.median(np.abs([real_logits, fake_logits]))),
        told_apart=told_apart(real_logits, fake_logits),
        pull=_pull(gan.loss, real_logits, fake_logits),
        variety=_spread(fake) / spread,
        distance=_distance(fake, real, more),
        kinds=_kinds(fake, real[:ANCHORS]) / _kinds(more, real[:ANCHORS]),
        **_modes(fake, data),
        stuck=stuck_units(gan, real),
        path=np.array([x.mean(axis=0).ravel() for _, x in snapshots[len(snapshots) // 2 :]]) / spread,
        memorisation=memorisation(gan, data),
        diverged=diverged,
    )


def told_apart(real_logits, fake_logits):
    """Return the probability that a real logit (N,) is above a generated one (M,); equal ones count half."""
    n, m = len(real_logits), len(fake_logits)
    ranks = rankdata(np.concatenate([real_logits, fake_logits]))[:n]
    return float((ranks.sum() - n * (n + 1) / 2) / (n * m))


def stuck_units(gan, real):
    """Return the largest share, over the generator's activation layers, of units that pass no gradient.

    A unit is stuck if the slope of its activation is below 1 % of the largest possible one for 99 % of the noise.
    Of the last layer, only units count whose data varies: the margin of a digit is black for good reason. Seen are the
    layers of an `nn.Sequential`.
    """
    generator = gan.average.module if gan.average is not None else gan.generator
    if not isinstance(generator, nn.Sequential):
        return 0.0
    x, worst = gan.latent.draw(random.default_rng(0), 256), 0.0
    last = max((i for i, layer in enumerate(generator.layers) if layer.parameters()), default=-1) + 1
    varies = real.reshape(len(real), -1).std(axis=0) > 0.05 * real.std()
    with no_grad(), nn.frozen_statistics():
        for i, layer in enumerate(generator.layers):
            x = layer(x)
            if type(layer) in FLAT:
                stuck = (FLAT[type(layer)](x.numpy()) < 0.01).reshape(len(x), -1).mean(axis=0) > 0.99
                makes_samples = i == last and stuck.shape == varies.shape
                worst = max(worst, float((stuck[varies] if makes_samples else stuck).mean()))
    return worst


def _spread(x):
    """Return the root mean square distance of samples (N, ...) to their mean."""
    return float(np.sqrt(((x - x.mean(axis=0, dtype=float)) ** 2).reshape(len(x), -1).sum(axis=1).mean()))


def _distance(fake, real, more):
    unit = _spread(real) / np.sqrt(real[0].size) or 1.0  # standard deviation along a random line
    floor = metrics.sliced_wasserstein(more, real, projections=64)
    return max(metrics.sliced_wasserstein(fake, real, projections=64) - floor, 0.0) / unit


def _kinds(x, anchors):
    """Count the anchors that are the nearest one of some sample."""
    x, anchors = (a.reshape(len(a), -1).astype(float) for a in (x, anchors))
    squared = (x**2).sum(axis=1)[:, None] - 2 * x @ anchors.T + (anchors**2).sum(axis=1)
    return len(np.unique(squared.argmin(axis=1)))


def _modes(fake, data):
    """Return the symptoms `shares`, `modes` and `between`, where the data is a mixture of two modes or more."""
    means = getattr(data, "means", None)
    if means is None or len(means) < 2 or means.shape[1:] != data.shape:
        return {}
    away = np.linalg.norm(fake[:, None] - means, axis=-1)
    nearest = away.argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(means)) / len(fake)
    shares = np.divide(shares, data.weights, out=np.ones(len(means)), where=data.weights > 0)
    between = away.min(axis=1) > 5 * data.stds[nearest]
    return {"shares": shares, "modes": means, "between": float(between.mean())}


def _pull(loss, real_logits, fake_logits):
    """Return the mean of |dL_G / dD(G(z))|, the mean's own 1/n taken out."""
    real = real_logits[:, None] if loss.real_in_generator else None
    return float(np.abs(loss.generator_grad(real, fake_logits[:, None])[1]).mean() * len(fake_logits))
