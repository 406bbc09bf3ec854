"""Wrong gradients from published GAN code and tutorials."""

import numpy as np
from cases import Table, labels, logsumexp, sigmoid, softmax, softplus, uniform, weights

mistakes = Table()


def minimax(real, fake):
    """Discriminator loss on logits: -mean log sigmoid(real) - mean log(1 - sigmoid(fake))."""
    return np.mean(softplus(-real)) + np.mean(softplus(fake))


def minimax_grads(real, fake):
    return -sigmoid(-real) / real.size, sigmoid(fake) / fake.size


# -- GAN losses -----------------------------------------------------------------------------------------------------
mistakes(
    "second term of the loss",
    "sign",
    minimax,
    lambda real, fake: (minimax_grads(real, fake)[0], -minimax_grads(real, fake)[1]),
    (9,),
    (9,),
)
mistakes(
    "critic maximised",
    "sign",
    lambda real, fake: fake.mean() - real.mean(),
    lambda real, fake: (np.full(real.shape, 1 / real.size), np.full(fake.shape, -1 / fake.size)),
    (8,),
    (8,),
)
mistakes(
    "D's value cooperates",
    "sign",
    lambda fake: np.mean(-softplus(fake)),
    lambda fake: sigmoid(fake) / fake.size,
    (6, 1),
)
mistakes("real and fake exchanged", "argument_swapped", minimax, lambda r, f: minimax_grads(r, f)[::-1], (7,), (7,))
mistakes("D never sees a fake", "zero", minimax, lambda r, f: (minimax_grads(r, f)[0], 0 * f), (7,), (7,))
mistakes(
    "no mean over the batch",
    "missing_mean",
    minimax,
    lambda r, f: tuple(7 * g for g in minimax_grads(r, f)),
    (7,),
    (7,),
)
mistakes(
    "least squares without 2",
    "scale",
    lambda r, f: np.mean((r - 1) ** 2) + np.mean(f**2),
    lambda r, f: ((r - 1) / r.size, f / f.size),
    (6,),
    (6,),
)
mistakes(
    "double sigmoid",
    "unknown",
    lambda a: np.mean(softplus(-a)),
    lambda a: -sigmoid(a) * (1 - sigmoid(a)) * sigmoid(-sigmoid(a)) / a.size,
    (8,),
)
mistakes(
    "log(sigmoid + 1e-8) at -20",
    "unknown",
    lambda a: np.mean(softplus(-a)),
    lambda a: -sigmoid(a) * (1 - sigmoid(a)) / (sigmoid(a) + 1e-8) / a.size,
    uniform(-25, -15, 8),
)
mistakes(
    "log(sigmoid + 1e-8) at 0",
    "precision",
    lambda a: np.mean(softplus(-a)),
    lambda a: -sigmoid(a) * (1 - sigmoid(a)) / (sigmoid(a) + 1e-8) / a.size,
    uniform(-2, 2, 8),
)
mistakes(
    "saturating for non-saturating", "unknown", lambda a: np.mean(softplus(-a)), lambda a: -sigmoid(a) / a.size, (8,)
)
mistakes(
    "real part without the log",
    "unknown",
    lambda p, q: -np.mean(np.log(p)) - np.mean(np.log(1 - q)),
    lambda p, q: (np.full(p.shape, -1 / p.size), 1 / (1 - q) / q.size),
    uniform(0.1, 0.9, 6),
    uniform(0.1, 0.9, 6),
)
mistakes(
    "log D where 1/D belongs",
    "unknown",
    lambda p: np.mean(np.log(p)),
    lambda p: np.log(p) / p.size,
    uniform(0.1, 0.9, 6),
)
mistakes(
    "hinge without its corner",
    "unknown",
    lambda r: np.mean(np.maximum(0, 1 - r)),
    lambda r: np.full(r.shape, -1 / r.size),
    lambda rng: np.array([-1.0, 3.0, 0.2, 2.0, 4.0, -0.5, 1.7]),
)
mistakes(
    "relativistic, one side",
    "zero",
    lambda r, f: np.mean(softplus(f - r)),
    lambda r, f: (-sigmoid(f - r) / r.size, np.zeros(f.shape)),
    (6,),
    (6,),
)
mistakes(
    "relativistic, same sign",
    "sign",
    lambda r, f: np.mean(softplus(f - r)),
    lambda r, f: (-sigmoid(f - r) / r.size, -sigmoid(f - r) / f.size),
    (6,),
    (6,),
)


# -- penalties: of gradients (N, C) at samples ----------------------------------------------------------------------
def penalty(g):
    """mean_n (|g_n| - 1)^2."""
    return np.mean((np.linalg.norm(g, axis=1) - 1) ** 2)


def penalty_grad(g, norm):
    return 2 * (norm - 1) * g / norm / len(g)


mistakes("penalty: norm of the batch", "wrong_axis", penalty, lambda g: penalty_grad(g, np.linalg.norm(g)), (5, 3))
mistakes(
    "penalty: norm over the batch axis",
    "wrong_axis",
    penalty,
    lambda g: penalty_grad(g, np.linalg.norm(g, axis=0)) * len(g) / g.shape[1],
    (4, 3),
)
mistakes("penalty: per element", "unknown", penalty, lambda g: penalty_grad(g, np.abs(g)), (4, 3))
mistakes(
    "penalty: not back-propagated",
    "zero",
    lambda w, x: np.mean((x @ w) ** 2) + (np.linalg.norm(w) - 1) ** 2 - np.mean((x @ w) ** 2),
    lambda w, x: (0 * w, 0 * x),
    (4,),
    (6, 4),
)
mistakes(
    "penalty: opposite sign",
    "sign",
    penalty,
    lambda g: -penalty_grad(g, np.linalg.norm(g, axis=1, keepdims=True)),
    (5, 3),
)
mistakes(
    "penalty: square for norm",
    "unknown",
    penalty,
    lambda g: penalty_grad(g, np.sum(g**2, axis=1, keepdims=True)),
    (5, 3),
)


# -- layers ---------------------------------------------------------------------------------------------------------
def normalise(x):
    return (x - x.mean(0)) / x.std(0)


def normalise_grad(x, g):
    n = normalise(x)
    return (g - g.mean(0) - n * (g * n).mean(0)) / x.std(0)


mistakes(
    "batch norm: statistics held fixed",
    "unknown",
    lambda x: np.sum(weights(6, 3) * normalise(x)),
    lambda x: weights(6, 3) / x.std(0),
    (6, 3),
)
mistakes(
    "batch norm: variance held fixed",
    "unknown",
    lambda x: np.sum(weights(6, 3) * normalise(x)),
    lambda x: (weights(6, 3) - weights(6, 3).mean(0)) / x.std(0),
    (6, 3),
)
mistakes(
    "batch norm: layer's axis",
    "wrong_axis",
    lambda x: np.sum(normalise(x) ** 3),
    lambda x: normalise_grad(x.T, 3 * normalise(x.T) ** 2).T,
    (5, 4),
)
mistakes(
    "cross-entropy: softmax over the batch",
    "wrong_axis",
    lambda x, y: np.sum(logsumexp(x) - (x * y).sum(-1)),
    lambda x, y: softmax(x, 0) - y,
    (5, 5),
    lambda rng: np.eye(5, dtype=bool),
)
mistakes(
    "cross-entropy: one-hot minus softmax",
    "sign",
    lambda x, y: np.mean(logsumexp(x) - (x * y).sum(-1)),
    lambda x, y: (y - softmax(x)) / len(x),
    (6, 3),
    labels(6, 3),
)


def recurrent(w, h0, xs):
    """Sum of the states of h_t = tanh(w h_{t-1} + x_t)."""
    total, h = 0.0, h0
    for x in xs:
        h = np.tanh(w @ h + x)
        total = total + np.sum(h)
    return total


def recurrent_grads(w, h0, xs, *, through_time=1.0, skip_first=False):
    hs = [h0]
    for x in xs:
        hs.append(np.tanh(w @ hs[-1] + x))
    dw, dxs, dh = np.zeros_like(w), np.zeros_like(xs), np.zeros_like(h0)
    for t in range(len(xs) - 1, -1, -1):
        da = (dh + 1) * (1 - hs[t + 1] ** 2)
        dxs[t] = 0 if skip_first and t == 0 else da
        dw += np.outer(da, hs[t])
        dh = through_time * (w.T @ da)
    return dw, dh, dxs


def small(*shape):
    return lambda rng: 0.5 * rng.standard_normal(shape)


mistakes(
    "recurrent: no gradient through time",
    "unknown",
    recurrent,
    lambda *a: recurrent_grads(*a, through_time=0.5),
    small(3, 3),
    (3,),
    (4, 3),
)
mistakes(
    "recurrent: first input dropped",
    "one_slice",
    recurrent,
    lambda *a: recurrent_grads(*a, skip_first=True),
    small(3, 3),
    (3,),
    (4, 3),
)
mistakes(
    "recurrent: weight transposed",
    "transposed",
    recurrent,
    lambda *a: (recurrent_grads(*a)[0].T, *recurrent_grads(*a)[1:]),
    small(3, 3),
    (3,),
    (4, 3),
)
mistakes(
    "shared node counted once", "scale", lambda x: np.sum(np.sin(x) * np.sin(x)), lambda x: np.sin(x) * np.cos(x), (5,)
)
mistakes(
    "leaky relu: slope forgotten",
    "unknown",
    lambda x: np.sum(np.where(x > 0, x, 0.2 * x)),
    lambda x: np.where(x > 0, 1.0, 0.0),
    lambda rng: np.array([-1.0, 2.0, -0.3, 0.5, 1.0, -2.0, 0.7]),
)
mistakes(
    "embedding: a row that is taken twice",
    "one_slice",
    lambda table: np.sum(np.sin(table[[0, 2, 2, 4]])),
    lambda table: np.isin(np.arange(6), [0, 2, 4])[:, None] * np.cos(table),
    (6, 3),
)
mistakes(
    "convolution: kernel not flipped",
    "permuted",
    lambda k: weights(9) @ np.convolve(weights(5), k),
    lambda k: np.correlate(weights(9), weights(5), "valid")[::-1],
    (5,),
)


C0, X = weights(6, 3), weights(6, 4)


def lstm_cell(w):
    """Weighted sum of h = o tanh(f c0 + i g), gates in PyTorch's order from w (4H, I)."""
    i, f, g, o = np.split(X @ w.T, 4, axis=1)
    c = sigmoid(f) * C0 + sigmoid(i) * np.tanh(g)
    return np.sum(weights(6, 3) * sigmoid(o) * np.tanh(c))


def lstm_cell_grad(w, *, order=(0, 1, 2, 3), of_tanh=lambda y: 1 - y * y):
    i, f, g, o = np.split(X @ w.T, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    tanh_c, dh = np.tanh(f * C0 + i * g), weights(6, 3)
    dc = dh * o * of_tanh(tanh_c)
    gates = [dc * g * i * (1 - i), dc * C0 * f * (1 - f), dc * i * (1 - g * g), dh * tanh_c * o * (1 - o)]
    return np.concatenate([gates[k] for k in order], axis=1).T @ X


mistakes("LSTM: gates i, f, o, g", "permuted", lstm_cell, lambda w: lstm_cell_grad(w, order=(0, 1, 3, 2)), (12, 4))
mistakes("LSTM: no tanh' of c", "unknown", lstm_cell, lambda w: lstm_cell_grad(w, of_tanh=np.ones_like), (12, 4))
