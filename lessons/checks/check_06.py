"""Checks of lesson 6: the game."""

import warnings

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


@check(
    "06.1",
    wrong={
        "return np.log(normal(x, mean_p, std_p) / normal(x, mean_q, std_q))": "too small for a float64",
        "return ((x - mean_q) / std_q) ** 2 / 2 - ((x - mean_p) / std_p) ** 2 / 2": "constant",
        "return (mean_p - mean_q) * (x - (mean_p + mean_q) / 2) / std_p**2": "equal widths",
        "return ((x - mean_p) / std_p) ** 2 / 2 - ((x - mean_q) / std_q) ** 2 / 2 + np.log(std_p / std_q)": "sign",
        """
        p, q = normal(x, mean_p, std_p), normal(x, mean_q, std_q)
        return p / (p + q)
        """: "probability",
    },
)
def best_logit(student, rng):
    mean_p, mean_q = rng.normal(size=2)
    std_p, std_q = rng.uniform(0.5, 0.8), rng.uniform(1.2, 1.6)
    x = rng.normal(size=(3, 4))
    half_p, half_q = ((x - mean_p) / std_p) ** 2 / 2, ((x - mean_q) / std_q) ** 2 / 2
    right = half_q - half_p + np.log(std_q / std_p)
    got = np.asarray(student.best_logit(x, mean_p, std_p, mean_q, std_q))
    if got.shape == x.shape:
        holds(
            not np.allclose(got, 1 / (1 + np.exp(-right))), "this is the probability D*; the logit is log D* / (1 - D*)"
        )
        holds(not np.allclose(got, -right), "the sign is the other way round: positive where p is larger than q")
        linear = (mean_p - mean_q) * (x - (mean_p + mean_q) / 2)
        at_equal = any(np.allclose(got, linear / s**2) for s in (std_p, std_q))
        holds(not at_equal, "this is right for equal widths only; here they differ, and the squares of x do not cancel")
        off = got - right
        if np.allclose(off, off.flat[0]) and not np.allclose(off, 0):
            raise Wrong(f"the result is off by a constant, {off.flat[0]:.5g}: each density has a factor before its exp")
    equal(got, right, "the logit")
    far = np.array([-300.0, 250.0, rng.normal()])
    with np.errstate(all="ignore"):
        got = np.asarray(student.best_logit(far, mean_p, std_p, mean_q, std_q))
    holds(
        bool(np.all(np.isfinite(got))),
        f"at x = -300 and 250 the logits are {got[:2]}: there, densities are too small for a float64; take the "
        "logarithm on paper",
    )
    right = ((far - mean_q) / std_q) ** 2 / 2 - ((far - mean_p) / std_p) ** 2 / 2 + np.log(std_q / std_p)
    equal(got, right, "the logit far away")


def reference_jsd(p, q):
    m = (p + q) / 2
    return sum(np.sum(r[r > 0] * np.log(r[r > 0] / m[r > 0])) for r in (p, q)) / 2


@check(
    "06.2",
    wrong={
        """
        m = (p + q) / 2
        return (np.sum(p * np.log(p / m)) + np.sum(q * np.log(q / m))) / 2
        """: "0 log 0",
        """
        p, q = p + 1e-8, q + 1e-8
        m = (p + q) / 2
        return (np.sum(p * np.log(p / m)) + np.sum(q * np.log(q / m))) / 2
        """: "guard",
        """
        m = (p + q) / 2
        i, j = p > 0, q > 0
        return np.sum(p[i] * np.log(p[i] / m[i])) + np.sum(q[j] * np.log(q[j] / m[j]))
        """: "2 times",
        """
        i = (p > 0) & (q > 0)
        return (np.sum(p[i] * np.log(p[i] / q[i])) + np.sum(q[i] * np.log(q[i] / p[i]))) / 2
        """: "have nothing in common",
        """
        m = (p + q) / 2
        i, j = p > 0, q > 0
        return (np.sum(p[i] * np.log2(p[i] / m[i])) + np.sum(q[j] * np.log2(q[j] / m[j]))) / 2
        """: "bits",
    },
)
def jsd(student, rng):
    K = int(rng.integers(5, 9))
    p, q = rng.dirichlet(np.ones(K), size=2)
    full = p.copy(), q.copy()
    p[0], q[-1] = 0, 0
    p, q = p / p.sum(), q / q.sum()
    apart = np.array([0.3, 0.7, 0, 0]), np.array([0, 0, 0.6, 0.4])

    def of(p, q):
        try:
            with warnings.catch_warnings(), np.errstate(divide="raise", invalid="raise"):
                value = student.jsd(p.copy(), q.copy())
        except FloatingPointError:
            raise Wrong("log or a quotient is taken where a share is 0; as a limit, 0 log 0 = 0") from None
        holds(np.ndim(value) == 0 and value is not None, f"jsd returns {value!r}; expected a number")
        return value

    got, right = of(*full), reference_jsd(*full)
    holds(not np.isclose(got, 2 * right), "the result is 2 times the right one: JSD is the mean of two KL")
    holds(not np.isclose(got, right / np.log(2)), "the result is in bits; nats have the natural logarithm")
    got = of(*apart)
    holds(
        abs(got - np.log(2)) < 1e-3,
        f"of two histograms that have nothing in common, the result is {got:.6g}; expected log 2: both are compared "
        "with their mean m",
    )
    for one, other in (full, (p, q), apart, (p, p)):
        got, right = of(one, other), reference_jsd(one, other)
        holds(
            abs(got - right) < 1e-13 or abs(got - right) > 1e-5,
            f"the result is {got:.12f}, right is {right:.12f}: a guard such as 1e-8 changes it; leave out what is 0",
        )
        equal(got, right, f"the divergence of two histograms with {len(one)} shares")


@check(
    "06.3",
    wrong={
        "return -sigmoid(-real), sigmoid(fake)": "misses the 1/n of a mean",
        "return sigmoid(-real) / real.size, -sigmoid(fake) / fake.size": "wrong sign",
        "return -sigmoid(-real) / real.size, sigmoid(fake) / real.size": "number of the real",
        "return -sigmoid(real) / real.size, sigmoid(fake) / fake.size": "1 - p",
        "return -sigmoid(-real) / real.size, -sigmoid(-fake) / fake.size": "the generator's",
    },
)
def discriminator_grad(student, rng):
    N, M = rng.permutation([3, 4, 5, 7])[:2]
    real, fake = 2 * rng.normal(size=(N, 1)), 2 * rng.normal(size=(M, 1))
    got = student.discriminator_grad(real, fake)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        raise Wrong("expected two arrays: the gradient by the real logits, and the one by the fake")
    by_real, by_fake = got
    p_real, p_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    if np.shape(by_real) == real.shape and np.shape(by_fake) == fake.shape:
        swapped = "the gradient by the real logits has p where 1 - p belongs: D learns from what it gets wrong"
        holds(not np.allclose(by_real, -p_real / N), swapped)
        holds(
            not np.allclose(by_fake, -(1 - p_fake) / M), "the gradient by the fake logits is the generator's, not D's"
        )
        holds(not np.allclose(by_fake, p_fake / N), "the fake part is divided by the number of the real samples")
    right_gradient(
        lambda real, fake: np.mean(np.logaddexp(0, -real)) + np.mean(np.logaddexp(0, fake)),
        lambda real, fake: tuple(student.discriminator_grad(real, fake)),
        real,
        fake,
    )


@check(
    "06.4",
    wrong={
        """
        x = shift + scale * z
        by_x = -sigmoid(logit(x)) / len(z) * slope(x)
        return np.sum(by_x), np.sum(by_x * z)
        """: "the saturating loss",
        """
        x = shift + scale * z
        by_x = -sigmoid(-logit(x)) / len(z)
        return np.sum(by_x), np.sum(by_x * z)
        """: "stops at the logit",
        """
        x = shift + scale * z
        by_x = -sigmoid(-logit(x)) * slope(x)
        return np.sum(by_x), np.sum(by_x * z)
        """: "misses the 1/n of a mean",
        """
        x = shift + scale * z
        by_x = -sigmoid(-logit(x)) / len(z) * slope(x)
        return np.sum(by_x), np.sum(by_x * x)
        """: "grow with scale",
        """
        x = shift + scale * z
        by_x = sigmoid(-logit(x)) / len(z) * slope(x)
        return np.sum(by_x), np.sum(by_x * z)
        """: "wrong sign",
    },
)
def generator_grad(student, rng):
    z = rng.normal(size=int(rng.integers(5, 9)))
    shift, scale = rng.normal(), rng.uniform(0.6, 1.5)
    w, c = rng.uniform(0.5, 1.5), rng.normal()

    def logit(x):
        return np.sin(w * x + c) + 0.7 * w * x

    def slope(x):
        return w * np.cos(w * x + c) + 0.7 * w

    def grads(shift, scale):
        got = student.generator_grad(float(shift), float(scale), z.copy(), logit, slope)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise Wrong("expected two numbers: the gradient by shift, and the one by scale")
        holds(
            all(np.ndim(part) == 0 for part in got), f"shapes {[np.shape(part) for part in got]}; expected two numbers"
        )
        return tuple(np.asarray(part, dtype=float) for part in got)

    x = shift + scale * z
    p = 1 / (1 + np.exp(-logit(x)))
    by_shift, by_scale = grads(shift, scale)
    by_x = -(1 - p) / len(z) * slope(x)
    holds(
        not np.isclose(by_scale, np.sum(by_x * x)), "by scale, each sample counts times x; how does x grow with scale?"
    )
    holds(not np.isclose(by_shift, -np.mean(p * slope(x))), "this is the saturating loss, weights p instead of 1 - p")
    holds(
        not np.isclose(by_shift, -np.mean(1 - p)),
        "the chain stops at the logit: how does the logit change with the sample?",
    )
    right_gradient(
        lambda shift, scale: np.mean(np.logaddexp(0, -logit(shift + scale * z))),
        grads,
        np.array(shift),
        np.array(scale),
    )
