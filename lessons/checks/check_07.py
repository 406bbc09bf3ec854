"""Checks of lesson 7: published mistakes."""

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds


def sigmoid(a):
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, small) / (1 + small)


def softplus(a):
    return np.logaddexp(0, a)


@check(
    "07.1",
    wrong={
        "return np.mean(np.log(D_real)) - np.mean(np.log(1 - D_fake))": "does not depend on the direction",
        "return np.mean(h_real / D_real) + np.mean(h_fake / (1 - D_fake))": "inner derivative",
        "return np.sum(h_real / D_real) - np.sum(h_fake / (1 - D_fake))": "sums",
        "return np.mean(h_real / D_real) - np.mean(h_fake / D_fake)": "1 - D",
        "return h_real / D_real - np.mean(h_fake / (1 - D_fake))": "expected a number",
    },
)
def value_derivative(student, rng):
    N, M = (int(n) for n in rng.permutation([4, 5, 7])[:2])
    real, fake = rng.uniform(0.2, 0.8, size=N), rng.uniform(0.2, 0.8, size=M)
    h_real, h_fake = rng.normal(size=N), rng.normal(size=M)
    by_real, by_fake = np.mean(h_real / real), np.mean(h_fake / (1 - fake))
    got = student.value_derivative(real, fake, h_real, h_fake)
    holds(np.ndim(got) == 0, f"the result has shape {np.shape(got)}; expected a number, a mean over each batch")
    if got is not None:
        again = student.value_derivative(real, fake, 2 * h_real, 2 * h_fake)
        holds(not np.isclose(got, again), "the result does not depend on the direction: with twice h, it must be twice")
        summed = N * by_real - M * by_fake
        holds(not np.isclose(got, summed), "these are sums over the batches; V is made of means")
        holds(
            not np.isclose(got, by_real + by_fake),
            "the second sign is wrong: an inner derivative of log(1 - D) is missing",
        )
        holds(
            not np.isclose(got, by_real - np.mean(h_fake / fake)), "the derivative of log(1 - D) has 1 - D below, not D"
        )
    equal(got, by_real - by_fake, "the derivative")


@check(
    "07.2",
    wrong={
        """
        p = sigmoid(a)
        return (1 - sigmoid(p)) * p * (1 - p)
        """: "not divided",
        "return 1 - sigmoid(sigmoid(a))": "inner sigmoid",
        """
        p = sigmoid(a)
        return sigmoid(p) * (1 - p)
        """: "label 0",
        """
        p = sigmoid(a)
        return (1 - sigmoid(p)) * p * (1 - p) / (1 - p + 1e-12)
        """: "at a = 40",
    },
)
def double_sigmoid_share(student, rng):
    a = 2 * rng.normal(size=(3, 4))
    p = sigmoid(a)
    right = p * sigmoid(-p)
    got = np.asarray(student.double_sigmoid_share(a), dtype=float)
    if got.shape == a.shape:
        holds(
            not np.allclose(got, right * (1 - p)), "this is the gradient, not divided by the right one, 1 - p in size"
        )
        holds(not np.allclose(got, sigmoid(-p)), "the slope of the inner sigmoid is missing, p (1 - p)")
        holds(not np.allclose(got, sigmoid(p) * (1 - p)), "this is the share on label 0; asked for is label 1")
        holds(not np.allclose(got, -right), "both gradients are negative, so that their ratio is positive")
    equal(got, right, "the share", rtol=1e-7)
    far = np.array([40.0, -40.0])
    with np.errstate(all="ignore"):
        got = np.asarray(student.double_sigmoid_share(far))
    right = sigmoid(far) * sigmoid(-sigmoid(far))
    equal(got / right, np.ones(2), "at a = 40 and -40, your share over the right one", hint="cancel 1 - p on paper")


def log_d(a):
    return -softplus(-a)


def log_not_d(a):
    return -softplus(a)


def right_d(a, b):
    return -np.mean(log_d(a)) - np.mean(log_not_d(b))


def right_g(a, b):
    return -np.mean(log_d(b))


GAMES = {
    "the non-saturating losses": (right_d, right_g),
    "the saturating losses": (right_d, lambda a, b: np.mean(log_not_d(b))),
    "the critic's losses": (lambda a, b: np.mean(b) - np.mean(a), lambda a, b: -np.mean(b)),
}
NO_GAMES = {
    "D minimises D(x) + log(1 - D(G)), which is the wrong way round": (
        lambda a, b: np.mean(sigmoid(a)) + np.mean(log_not_d(b)),
        right_g,
    ),
    "G cooperates with D": (right_d, right_d),
    "D raises the fakes, too": (lambda a, b: -np.mean(log_d(a)) + np.mean(log_not_d(b)), right_g),
    "D never sees a fake": (lambda a, b: -np.mean(log_d(a)), right_g),
    "D never sees a real sample": (lambda a, b: -np.mean(log_not_d(b)), right_g),
    "the loss of G does not contain G": (right_d, lambda a, b: -np.mean(log_d(a))),
    "D forgets one fake of the batch": (lambda a, b: -np.mean(log_d(a)) - np.mean(log_not_d(b[1:])), right_g),
    "one real logit is lowered": (lambda a, b: right_d(a, b) + a[0, 0], right_g),
    "one fake logit is lowered by G": (right_d, lambda a, b: right_g(a, b) + b[-1, 0]),
}


@check(
    "07.3",
    wrong={
        "return bool(d_loss(real, fake) > 0 and g_loss(real, fake) > 0)": "is refused",
        """
        v = np.ones_like(real)
        u = np.ones_like(fake)
        by_real = d_loss(real + 1e-5 * v, fake) - d_loss(real - 1e-5 * v, fake)
        by_fake = d_loss(real, fake + 1e-5 * u) - d_loss(real, fake - 1e-5 * u)
        by_g = g_loss(real, fake + 1e-5 * u) - g_loss(real, fake - 1e-5 * u)
        return bool(by_real < 0 and by_fake > 0 and by_g < 0)
        """: "D forgets one fake",
        """
        units = np.eye(fake.size).reshape(-1, *fake.shape)
        by_d = np.array([d_loss(real, fake + 1e-5 * v) - d_loss(real, fake - 1e-5 * v) for v in units])
        by_g = np.array([g_loss(real, fake + 1e-5 * v) - g_loss(real, fake - 1e-5 * v) for v in units])
        return bool(np.all(by_d > 0) and np.all(by_g < 0))
        """: "D never sees a real sample",
        """
        def slopes(f, x):
            units = np.eye(x.size).reshape(-1, *x.shape)
            return np.array([(f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5 for v in units])
        d_by_real = slopes(lambda real: d_loss(real, fake), real)
        d_by_fake = slopes(lambda fake: d_loss(real, fake), fake)
        g_by_fake = slopes(lambda fake: g_loss(real, fake), fake)
        return bool(np.all(d_by_real <= 0) and np.all(d_by_fake >= 0) and np.all(g_by_fake <= 0))
        """: "D never sees a fake",
        """
        v = np.ones_like(fake)
        return g_loss(real, fake + 1e-5 * v) - g_loss(real, fake - 1e-5 * v)
        """: "expected True or False",
    },
)
def opposed(student, rng):
    N, M = (int(n) for n in rng.permutation([3, 4, 5])[:2])
    real, fake = rng.normal(size=(N, 1)), rng.normal(size=(M, 1))

    def said(game):
        answer = student.opposed(*game, real.copy(), fake.copy())
        if not isinstance(answer, (bool, np.bool_)):
            raise Wrong(f"opposed returns {type(answer).__name__}; expected True or False")
        return bool(answer)

    for name, game in GAMES.items():
        holds(said(game), f"a right pair is refused: {name}")
    for name, game in NO_GAMES.items():
        holds(not said(game), f"a wrong pair passes: {name}")


@check(
    "07.4",
    wrong={
        "return np.mean((np.linalg.norm(gradients.reshape(len(gradients), -1), axis=0) - 1) ** 2)": "wrong axis",
        "return (np.linalg.norm(gradients) - 1) ** 2": "whole batch",
        "return np.mean((np.abs(gradients) - 1) ** 2)": "each element",
        "return np.mean((np.linalg.norm(gradients, axis=1) - 1) ** 2)": "with further axes",
        "return (np.mean(np.linalg.norm(gradients.reshape(len(gradients), -1), axis=1)) - 1) ** 2": "mean of the norms",
        "return np.mean(np.sum(gradients.reshape(len(gradients), -1) ** 2, axis=1) - 1) ** 2": "yours",
    },
)
def gradient_penalty(student, rng):
    a, b = (int(n) for n in rng.permutation([3, 4]))
    for shape in ((a, b), (a, b, 5), (4, 1, 3, 5)):
        g = rng.normal(size=shape)
        flat = g.reshape(len(g), -1)
        norms = np.linalg.norm(flat, axis=1)
        got, right = student.gradient_penalty(g), np.mean((norms - 1) ** 2)
        if got is not None and np.ndim(got) == 0:
            known = {
                "the norm is taken over the wrong axis, over the samples": np.mean(
                    (np.linalg.norm(flat, axis=0) - 1) ** 2
                ),
                "this is the norm of the whole batch": (np.linalg.norm(g) - 1) ** 2,
                "each element is compared with 1 on its own": np.mean((np.abs(g) - 1) ** 2),
                "this squares the mean of the norms; a norm of 0 and one of 2 would cost nothing": (norms.mean() - 1)
                ** 2,
            }
            for sentence, value in known.items():
                holds(not np.isclose(got, value), sentence)
            if len(shape) > 2 and not np.isclose(got, right):
                raise Wrong(f"for gradients with further axes, {shape}, the result is {got:.6g}; right is {right:.6g}")
        equal(got, right, f"for shape {shape}, yours")
