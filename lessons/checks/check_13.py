import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


@check(
    "13.1",
    wrong={
        """
        x, sequence = np.zeros((z.shape[1], len(c))), []
        for z_t in z:
            h = np.tanh(z_t @ W.T + x @ U.T + b)
            x = np.tanh(h @ V.T + c)
            sequence.append(x)
        return np.stack(sequence)
        """: "from the output",
        """
        h = np.tanh(z @ W.T + b)
        return np.tanh(h @ V.T + c)
        """: "forgets",
        """
        h, x = np.zeros((z.shape[1], len(b))), []
        for z_t in z:
            h = np.tanh(z_t @ W.T + h @ U + b)
            x.append(np.tanh(h @ V.T + c))
        return np.stack(x)
        """: "transposed",
        """
        h, x = np.zeros((z.shape[1], len(b))), []
        for z_t in z:
            x.append(np.tanh(h @ V.T + c))
            h = np.tanh(z_t @ W.T + h @ U.T + b)
        return np.stack(x)
        """: "a step late",
        """
        h, x = np.zeros((len(z), len(b))), []
        for t in range(z.shape[1]):
            h = np.tanh(z[:, t] @ W.T + h @ U.T + b)
            x.append(np.tanh(h @ V.T + c))
        return np.stack(x, axis=1)
        """: "first axis of z is time",
    },
)
def generate(student, rng):
    steps, samples, noise = (int(k) for k in rng.permutation([3, 4, 5]))
    size = int(rng.integers(3, 5))  # C = H, so that mistakes run
    z, b, c = rng.normal(size=(steps, samples, noise)), *rng.normal(size=(2, size))
    W, U, V = rng.normal(size=(size, noise)), *rng.normal(size=(2, size, size))

    def run(z, U, feed="state"):
        h, x = np.zeros((z.shape[1], size)), []
        for z_t in z:
            h = np.tanh(z_t @ W.T + (x[-1] if x and feed == "output" else h) @ U.T + b)
            x.append(np.tanh(h @ V.T + c))
        return np.stack(x)

    got, right = student.generate(z.copy(), W, U, b, V, c), run(z, U)
    holds(got is not None, "generate returns None: does your function return its result?")
    if np.shape(got) == right.shape:
        named = {
            "the state is updated from the output x_{t-1}; the formula has the state h_{t-1}": run(z, U, "output"),
            "the generator forgets: h_{t-1} has no influence on h_t": run(z, 0 * U),
            "U is transposed: with samples as rows, U h is h @ U.T": run(z, U.T),
            "time runs along the wrong axis: the first axis of z is time": run(z.swapaxes(0, 1), U).swapaxes(0, 1),
        }
        for words, wrong in named.items():
            holds(not np.allclose(got, wrong), words)
        holds(not np.allclose(got[1:], right[:-1]), "x is a step late: x_t is made from h_t, not from h_{t-1}")
    equal(got, right, "the sequence")


@check(
    "13.2",
    wrong={
        """
        return -1 / (1 + np.exp(a)) / a.size
        """: "padding",
        """
        valid = np.arange(a.shape[1]) < lengths[:, None]
        return np.where(valid, -1, 0) / (1 + np.exp(a)) / valid.sum()
        """: "counts the same",
        """
        valid = np.arange(a.shape[1]) < lengths[:, None]
        return np.where(valid, -1, 0) / (1 + np.exp(a)) / lengths[:, None]
        """: "misses the 1/n",
        """
        valid = np.arange(a.shape[1]) <= lengths[:, None]
        return np.where(valid, -1, 0) / (1 + np.exp(a)) / lengths[:, None] / len(a)
        """: "padding",
        """
        valid = np.arange(a.shape[1]) < lengths[:, None]
        return valid / (1 + np.exp(-a)) / lengths[:, None] / len(a)
        """: "label 0",
        """
        valid = np.arange(a.shape[1]) < lengths[:, None]
        return np.where(valid, -1, 0) / (1 + np.exp(a)) / a.shape[1] / len(a)
        """: "T steps",
    },
)
def generator_loss_grad(student, rng):
    steps = 7
    lengths = np.array([*rng.permutation([1, 3, 5, 6]), 7])[: rng.integers(3, 6)]
    a = rng.normal(size=(len(lengths), steps))
    valid = np.arange(steps) < lengths[:, None]
    got = student.generator_loss_grad(a.copy(), lengths.copy())
    if got is None:
        raise Wrong("generator_loss_grad returns None: does your function return its result?")
    if np.shape(got) == a.shape:
        got = np.asarray(got)
        holds(np.all(got[~valid] == 0), "the gradient at the padding is not 0: steps t < lengths[n] count, no others")
        p = 1 / (1 + np.exp(a))
        every = np.where(valid, -p, 0) / valid.sum()
        holds(not np.allclose(got, every), "long sequences count more than short ones: each sequence counts the same")
        holds(
            not np.allclose(got, np.where(valid, -p, 0) / a.size),
            "each mean has T steps; sequence n has lengths[n] only",
        )
        other = valid / (1 + np.exp(-a)) / lengths[:, None] / len(a)
        holds(
            not np.allclose(got, other), "that is the gradient of log(1 + exp(a)), for label 0: the sign of a matters"
        )

    def loss(a):
        return np.mean([np.mean(np.logaddexp(0, -row[:n])) for row, n in zip(a, lengths, strict=True)])

    right_gradient(loss, lambda a: student.generator_loss_grad(a, lengths), a)


@check(
    "13.3",
    wrong={
        """
        centred = x - x.mean(axis=1, keepdims=True)
        products = [np.mean(centred[:, lag:] * centred[:, :-lag]) for lag in range(1, lags + 1)]
        return np.array(products) / np.mean(centred**2)
        """: "a mean of its own",
        """
        products = [np.mean(x[:, lag:] * x[:, :-lag]) for lag in range(1, lags + 1)]
        return np.array(products) / np.mean(x**2)
        """: "not been subtracted",
        """
        centred = x - x.mean()
        products = [np.mean(np.roll(centred, lag, axis=1) * centred) for lag in range(1, lags + 1)]
        return np.array(products) / np.mean(centred**2)
        """: "round the end",
        """
        centred = x - x.mean()
        products = [np.sum(centred[:, lag:] * centred[:, :-lag]) for lag in range(1, lags + 1)]
        return np.array(products) / np.sum(centred**2)
        """: "N (T - l)",
        """
        centred = x - x.mean()
        products = [np.mean(centred[:, lag:] * centred[:, : x.shape[1] - lag]) for lag in range(lags)]
        return np.array(products) / np.mean(centred**2)
        """: "lag 0",
    },
)
def autocorrelation(student, rng):
    samples, steps, lags = int(rng.integers(3, 6)), int(rng.integers(8, 12)), 5
    x = np.cumsum(rng.normal(size=(samples, steps)), axis=1) + rng.normal(size=(samples, 1)) + 2

    def at_lags(x, mean, rolled=False, pairs=True):
        y = x - mean
        values = []
        for lag in range(1, lags + 1):
            products = np.roll(y, lag, axis=1) * y if rolled else y[:, lag:] * y[:, :-lag]
            values.append(products.mean() if pairs else products.sum() / y.size)
        return np.array(values) / np.mean(y**2)

    got, right = student.autocorrelation(x.copy(), lags), at_lags(x, x.mean())
    holds(got is not None, "autocorrelation returns None: does your function return its result?")
    if np.shape(got) == (lags,):
        named = {
            "each sequence has a mean of its own there: take one mean over all of x": at_lags(
                x, x.mean(1, keepdims=True)
            ),
            "the mean has not been subtracted": at_lags(x, 0),
            "pairs go round the end of a sequence": at_lags(x, x.mean(), rolled=True),
            "the sum at lag l has N (T - l) products: divide by their number": at_lags(x, x.mean(), pairs=False),
            "the first value is that of lag 0, which is always 1": np.array([1, *right[:-1]]),
        }
        for words, wrong in named.items():
            holds(not np.allclose(got, wrong), words)
    equal(got, right, "the autocorrelation")
