"""Measures of sequences by a network trained for the purpose: can it tell them apart, can it learn from them?"""

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from minigan import losses, nn, ops, optim, random
from minigan.engine import Tensor, no_grad
from minigan.errors import ConfigError, DataError, ShapeError
from minigan.progress import progress_bar

PART = 1000  # sequences that pass a network at once outside training


class NextStepError(NamedTuple):
    """Mean absolute error of predicting the next step of real sequences, in the data's units.

    Attributes
    ----------
    synthetic : float
        Of a network trained on generated sequences.
    real : float
        Of a network trained on real ones: what can be reached.
    """

    synthetic: float
    real: float


class LastStateClassifier(nn.Module):
    """The judge: a GRU reads a sequence, and its last state becomes one logit, positive for real."""

    def __init__(self, features, hidden, rng):
        self.gru = nn.GRU(features, hidden, batch_first=True, rng=rng)
        self.head = nn.Dense(hidden, 1, rng=rng)

    def forward(self, x):
        """Map sequences (N, T, C) to logits (N, 1)."""
        _, h = self.gru(x)
        return self.head(h[-1])


class NextStep(nn.Module):
    """The forecaster: a GRU reads a sequence and says after each step what the next one will be."""

    def __init__(self, features, hidden, rng):
        self.gru = nn.GRU(features, hidden, batch_first=True, rng=rng)
        self.head = nn.Dense(hidden, features, rng=rng)

    def forward(self, x):
        """Map sequences (N, T, C), steps 1 ... T, to predictions (N, T, C) of steps 2 ... T + 1."""
        states, _ = self.gru(x)
        return self.head(states)


def discriminative_score(
    fake, real, *, hidden=2, judges=10, iterations=2000, batch_size=128, lr=1e-3, seed=0, progress=False
):
    """Return how well a fresh classifier tells generated sequences from real ones: ``|accuracy - 1/2|`` (TimeGAN).

    Parameters
    ----------
    fake, real : (N, T, C), (M, T, C) array_like
        At least five each; in the protocol N = M = 10,000 and the values are in [0, 1]. They are not rescaled here.
    hidden : int
        Units of the judge's GRU. The protocol has 2 for 5 features, which is weak; 32 see far more.
    judges : int
        Trainings, each with first weights, batches and a split of its own.
    iterations, batch_size, lr : int, int, float
        Of one training, with Adam; a batch holds so many sequences of either kind.
    seed : int
    progress : bool
        Show a bar that counts the judges.

    Returns
    -------
    float
        The mean over the judges: from 0 (they cannot tell) to 0.5 (they always can). Real sequences against real ones
        give not 0 but about 0.01, since ``|accuracy - 1/2|`` scatters to one side.

    Raises
    ------
    ShapeError, DataError
        If these are no sequences of the same shape, too few of them, or they hold nan or inf.
    ConfigError
        If an option is out of range.

    Notes
    -----
    A judge sees 80 % of both kinds and is asked about the rest. Accuracy is the mean of that on real and that on
    generated sequences, so that 1/2 means guessing also where N and M differ.

    References
    ----------
    Yoon, Jarrett & van der Schaar, "Time-series Generative Adversarial Networks", 2019, section 5 and its code.
    """
    fake, real = _sequences(fake, real, "discriminative_score")
    _check_options("discriminative_score", hidden=hidden, judges=judges, iterations=iterations, batch_size=batch_size)
    seeds = progress_bar(range(judges), desc="judges", unit="judge", disable=not progress)
    accuracies = [_accuracy(fake, real, hidden, iterations, batch_size, lr, [seed, judge]) for judge in seeds]
    return float(np.mean(np.abs(np.array(accuracies) - 0.5)))


def _accuracy(fake, real, hidden, iterations, batch_size, lr, seed):
    """Train one judge; return its accuracy on sequences that it has not seen."""
    rng = np.random.default_rng(seed)
    (fake, new_fake), (real, new_real) = _split(fake, rng), _split(real, rng)
    judge = LastStateClassifier(real.shape[-1], hidden, random.default_rng(rng))
    cross_entropy = losses.get("non_saturating").discriminator

    def loss():
        both = np.concatenate([_batch(real, batch_size, rng), _batch(fake, batch_size, rng)])
        logits = judge(Tensor(both))  # one pass of both is faster than two
        return cross_entropy(logits[:batch_size], logits[batch_size:])

    _train(judge, loss, iterations, lr)
    right = (_apply(judge, new_real) > 0).mean(), (_apply(judge, new_fake) <= 0).mean()
    return float(np.mean(right))


def tstr_sequences(fake, real, *, hidden=16, iterations=2000, batch_size=128, lr=1e-3, seed=0):
    """Train on synthetic sequences, test on real ones (TSTR): are generated sequences as useful as real ones?

    The task is to predict every next step of a sequence from the steps before it. One network learns it from `fake`,
    one from 80 % of `real`; both are tested on the other 20 % of `real`.

    Parameters
    ----------
    fake, real : (N, T, C), (M, T, C) array_like
        At least five each, T of 2 or more. They are not rescaled.
    hidden : int
        Units of the GRU.
    iterations, batch_size, lr : int, int, float
        Of one training, with Adam on the mean absolute error.
    seed : int

    Returns
    -------
    NextStepError

    Raises
    ------
    ShapeError, DataError
        If these are no sequences of the same shape, too few of them, or they hold nan or inf.
    ConfigError
        If an option is out of range.

    References
    ----------
    Esteban, Hyland & Rätsch, "Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs", 2017,
    section 5. Yoon et al. (2019) call the next step's mean absolute error predictive score; theirs is of one feature.
    """
    fake, real = _sequences(fake, real, "tstr_sequences", steps=2)
    _check_options("tstr_sequences", hidden=hidden, iterations=iterations, batch_size=batch_size)
    known, new = _split(real, np.random.default_rng([seed, 0]))
    errors = []
    for material in (fake, known):
        rng = np.random.default_rng([seed, 1])  # the same first weights for both
        network = NextStep(real.shape[-1], hidden, random.default_rng(rng))
        _train(network, lambda: _forecast_error(network, _batch(material, batch_size, rng)), iterations, lr)  # noqa: B023
        errors.append(float(np.abs(_apply(network, new[:, :-1]) - new[:, 1:]).mean()))
    return NextStepError(*errors)


def _forecast_error(network, x):
    x = Tensor(x)
    return ops.abs(network(x[:, :-1]) - x[:, 1:]).mean()


def _train(network, loss, iterations, lr):
    optimiser = optim.Adam(network.parameters(), lr)
    with threadpool_limits(1, user_api="blas"):  # the products are small
        for _ in range(iterations):
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()


def _apply(network, x):
    with no_grad(), threadpool_limits(1, user_api="blas"):
        return np.concatenate([network(Tensor(x[i : i + PART])).numpy() for i in range(0, len(x), PART)])


def _batch(x, size, rng):
    return x[rng.integers(len(x), size=size)]


def _split(x, rng):
    """Return 80 % of the sequences and the rest, in random order."""
    x = x[rng.permutation(len(x))]
    cut = int(0.8 * len(x))
    return x[:cut], x[cut:]


def _sequences(fake, real, name, steps=1):
    fake, real = np.asarray(fake, dtype=np.float32), np.asarray(real, dtype=np.float32)
    if fake.ndim != 3 or fake.shape[1:] != real.shape[1:] or fake.shape[1] < steps or fake.shape[2] < 1:
        expected = f"(N, T, C), (M, T, C) with T of {steps} or more"
        raise ShapeError(f"{name}: got shapes {fake.shape} and {real.shape}; expected {expected}")
    if min(len(fake), len(real)) < 5:
        raise ShapeError(f"{name}: got {len(fake)} and {len(real)} sequences; 80 and 20 % of them need at least 5")
    if not (np.isfinite(fake).all() and np.isfinite(real).all()):
        raise DataError(f"{name}: the sequences hold nan or inf")
    return fake, real


def _check_options(name, **options):
    for option, value in options.items():
        if value < 1:
            raise ConfigError(f"{name}: {option} is {value}; it must be at least 1")
