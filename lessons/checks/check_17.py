import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


@check(
    "17.1",
    wrong={
        """
        variance = np.exp(log_variance)
        kl = 0.5 * (mean**2 + variance - log_variance - 1).sum(axis=1).mean()
        return kl, mean, 0.5 * (variance - 1)
        """: "misses the 1/n",
        """
        variance = np.exp(log_variance)
        kl = 0.5 * (mean**2 + variance - log_variance - 1).mean()
        return kl, mean / mean.size, 0.5 * (variance - 1) / mean.size
        """: "sum over k",
        """
        variance = np.exp(log_variance)
        kl = 0.5 * (mean**2 + variance - log_variance - 1).sum(axis=1).mean()
        return kl, mean / len(mean), 0.5 * (1 - 1 / variance) / len(mean)
        """: "by the variance",
        """
        variance = np.exp(2 * log_variance)
        kl = 0.5 * (mean**2 + variance - 2 * log_variance - 1).sum(axis=1).mean()
        return kl, mean / len(mean), (variance - 1) / len(mean)
        """: "logarithm of s^2",
        """
        variance = np.exp(log_variance)
        kl = 0.5 * (mean**2 + variance - log_variance).sum(axis=1).mean()
        return kl, mean / len(mean), 0.5 * (variance - 1) / len(mean)
        """: "of a standard normal",
    },
)
def kl_and_gradients(student, rng):
    samples, codes = (int(k) for k in rng.permutation([3, 5]))
    mean, log_variance = rng.normal(size=(2, samples, codes))
    got = student.kl_and_gradients(mean.copy(), log_variance.copy())
    if not isinstance(got, tuple | list) or len(got) != 3:
        raise Wrong(f"kl_and_gradients returns {type(got).__name__}; expected three: KL and the two gradients")
    zero = np.zeros((samples, codes))
    equal(student.kl_and_gradients(zero, zero)[0], 0, "the KL of a standard normal to itself")

    def kl(mean, log_variance):
        return np.mean(np.sum(mean**2 + np.exp(log_variance) - log_variance - 1, axis=1)) / 2

    right, variance = kl(mean, log_variance), np.exp(log_variance)
    holds(not np.allclose(got[0], right / codes), "the KL is a sum over k, and a mean over the samples only")
    holds(not np.allclose(got[0], kl(mean, 2 * log_variance)), "log_variance is the logarithm of s^2, not of s")
    equal(got[0], right, "the KL")
    by_variance = 0.5 * (1 - 1 / variance) / samples
    if np.shape(got[2]) == by_variance.shape:
        holds(
            not np.allclose(got[2], by_variance), "that is the derivative by the variance; wanted is by its logarithm"
        )
    right_gradient(kl, lambda mean, log_variance: tuple(student.kl_and_gradients(mean, log_variance)[1:]), mean,
                   log_variance)  # fmt: skip


@check(
    "17.2",
    wrong={
        "return np.random.default_rng(seed).normal(size=(len(index), size))": "in another order",
        "return np.stack([np.random.default_rng(seed + int(i)).normal(size=size) for i in index])": "row 0 of seed",
        "return np.stack([np.random.default_rng(int(i)).normal(size=size) for i in index])": "not depend on the seed",
        "return np.stack([np.random.default_rng(seed).normal(size=size) for i in index])": "all rows are alike",
        "return np.stack([np.random.default_rng([seed, int(i)]).random(size=size) for i in index])": "standard normal",
        """
        rng = np.random.default_rng(seed)
        table = rng.normal(size=(max(index) + 1, size))
        return table[index]
        """: "a billion",
    },
)
def virtual_noise(student, rng):
    size, seed = int(rng.integers(3, 6)), int(rng.integers(1, 1000))
    index = rng.permutation(40)[:7]
    got = student.virtual_noise(index.copy(), size, seed)
    holds(got is not None, "virtual_noise returns None: does your function return its result?")
    got = np.asarray(got)
    holds(got.shape == (7, size), f"the noise has shape {got.shape}; expected {(7, size)}")
    holds(np.array_equal(got, student.virtual_noise(index.copy(), size, seed)), "the rows differ from call to call")
    holds(not np.allclose(got[0], got[1]), "all rows are alike: they must depend on the index")
    other = student.virtual_noise(index[::-1].copy(), size, seed)[::-1]
    holds(np.array_equal(got, other), "the same rows asked for in another order are not the same")
    alone = student.virtual_noise(index[3:4].copy(), size, seed)[0]
    holds(np.array_equal(got[3], alone), "a row that is asked for alone is another one than in company")
    holds(not np.allclose(got, student.virtual_noise(index, size, seed + 1)), "the noise does not depend on the seed")
    one = student.virtual_noise(np.array([1]), size, seed)
    zero = student.virtual_noise(np.array([0]), size, seed + 1)
    holds(not np.allclose(one, zero), f"row 1 of seed {seed} is row 0 of seed {seed + 1}: adding the two mixes them up")
    try:
        far = student.virtual_noise(np.array([10**12]), size, seed)
    except MemoryError:
        raise Wrong("row number a billion takes all rows before it, and the memory of the machine") from None
    holds(np.shape(far) == (1, size), "row number a billion is not made like the others")
    many = student.virtual_noise(np.arange(500), size, seed)
    standard = abs(np.mean(many)) < 0.15 and abs(np.std(many) - 1) < 0.15
    holds(
        bool(standard), f"mean {np.mean(many):.2f} and standard deviation {np.std(many):.2f}; expected standard normal"
    )


@check(
    "17.3",
    wrong={
        """
        def median_distance(x, others):
            return np.median(np.sqrt(((x[:, None] - others) ** 2).sum(axis=-1)).min(axis=1))
        return median_distance(fake, held_out) / median_distance(train, held_out)
        """: "nearest *training* point",
        """
        def median_distance(x):
            return np.mean(np.sqrt(((x[:, None] - train) ** 2).sum(axis=-1)).min(axis=1))
        return median_distance(fake) / median_distance(held_out)
        """: "a mean",
        """
        def median_distance(x):
            return np.median(((x[:, None] - train) ** 2).sum(axis=-1).min(axis=1))
        return median_distance(fake) / median_distance(held_out)
        """: "square",
        """
        def median_distance(x):
            return np.median(np.sqrt(((x[:, None] - train) ** 2).sum(axis=-1)).min(axis=0))
        return median_distance(fake) / median_distance(held_out)
        """: "other way round",
        """
        def median_distance(x):
            return np.median(np.abs(x[:, None] - train).sum(axis=-1).min(axis=1))
        return median_distance(fake) / median_distance(held_out)
        """: "Euclidean",
    },
)
def copy_ratio(student, rng):
    features = int(rng.integers(3, 5))
    train = rng.normal(size=(23, features))
    fake, held_out = rng.normal(size=(17, features)) * rng.uniform(0.3, 0.6), rng.normal(size=(19, features))

    def ratio(middle=np.median, power=2, end=0.5, a=fake, b=held_out, points=train, axis=1):
        def typical(x):
            return middle((np.abs(x[:, None] - points) ** power).sum(axis=-1).min(axis=axis) ** end)

        return typical(a) / typical(b)

    got = student.copy_ratio(fake.copy(), train.copy(), held_out.copy())
    holds(got is not None, "copy_ratio returns None: does your function return its result?")
    if np.ndim(got) == 0:
        named = {
            "ask for the nearest *training* point, of fake and of held-out points": ratio(b=train, points=held_out),
            "that is a mean, and one far point moves it: take the median": ratio(np.mean),
            "that is the square of a distance": ratio(end=1),
            "it is the other way round: for each point of x the nearest of train, not for each of train": ratio(axis=0),
            "distances are Euclidean: the root of a sum of squares": ratio(power=1, end=1),
        }
        for words, wrong in named.items():
            holds(not np.isclose(got, wrong), words)
    equal(got, ratio(), "the ratio")
    equal(student.copy_ratio(train[:7].copy(), train, held_out), 0, "the ratio of exact copies")
