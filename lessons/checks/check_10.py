"""Checks of lesson 10: mode collapse."""

import warnings

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds


def pair(got, what):
    """Return the two numbers of an answer, or say that it is no pair."""
    holds(got is not None, f"{what} is None: does your function return its result?")
    holds(np.shape(got) == (2,), f"{what} has shape {np.shape(got)}; expected a pair of numbers")
    return tuple(float(value) for value in got)


@check(
    "10.1",
    wrong={
        """
        distance = np.linalg.norm(samples[:, None] - means, axis=-1)
        good = distance.min(axis=1) <= 3 * std
        return len(np.unique(distance.argmin(axis=1))), good.mean()
        """: "no sample of high quality",
        """
        distance = np.abs(samples[:, None] - means).max(axis=-1)
        good = distance.min(axis=1) <= 3 * std
        return len(np.unique(distance.argmin(axis=1)[good])), good.mean()
        """: "a square",
        """
        distance = np.linalg.norm(samples[:, None] - means, axis=-1)
        good = distance.min(axis=1) <= std
        return len(np.unique(distance.argmin(axis=1)[good])), good.mean()
        """: "one standard deviation",
        """
        distance = np.linalg.norm(samples[:, None] - means, axis=-1)
        good = distance <= 3 * std
        return good.any(axis=0).sum(), good.mean()
        """: "share of the pairs",
    },
)
def captured(student, rng):
    K, std = int(rng.integers(5, 8)), rng.uniform(0.05, 0.2)
    means = np.column_stack([10 * np.arange(K), rng.normal(size=K)])
    radius = {"inside": 0.5, "between 1 and 3": 2.0, "corner": 3.5, "far": 30.0}
    modes = {"inside": [0, 0, 1], "between 1 and 3": [1, 2], "corner": [1, 3], "far": [0, 2, 4]}
    samples = []
    for where, list_of_modes in modes.items():
        angle = np.pi / 4 + 0.1 * rng.uniform(-1, 1)
        for k in list_of_modes:
            samples.append(means[k] + radius[where] * std * np.array([np.cos(angle), np.sin(angle)]))
    samples = rng.permutation(np.array(samples))
    modes_found, share = pair(student.captured(samples, means, std), "the result")
    holds(not np.isclose(share, 5 / len(samples) / K), "the second is the share of the pairs (sample, mode)")
    holds(
        not np.isclose(share, 7 / len(samples)),
        "a square instead of a circle: samples count whose coordinates are within 3 std, but whose distance is not",
    )
    holds(not np.isclose(share, 3 / len(samples)), "samples count only within one standard deviation; the rule says 3")
    equal(share, 5 / len(samples), "the share of high quality")
    holds(modes_found != 5, "modes count although no sample of high quality is nearest to them")
    equal(modes_found, 3, "the number of captured modes")
    nothing = pair(student.captured(means + 20 * std * np.array([0.6, 0.8]), means, std), "the result for bad samples")
    equal(nothing, (0, 0), "the result where no sample is good")


@check(
    "10.2",
    wrong={
        "s = counts / counts.sum()\nreturn np.log(len(counts)) + np.sum(s * np.log(s))": "0 log 0",
        "s = counts[counts > 0] / counts.sum()\nreturn np.log(len(s)) + np.sum(s * np.log(s))": "modes without samples",
        "s = counts[counts > 0] / counts.sum()\nreturn np.log2(len(counts)) + np.sum(s * np.log2(s))": "base 2",
        "s = counts[counts > 0] / counts.sum()\nreturn np.log(len(counts)) - np.sum(s * np.log(s))": "plus H",
        "s = counts[counts > 0] / counts.sum()\nreturn -np.sum(s * np.log(s))": "the entropy",
    },
)
def reverse_kl(student, rng):
    K = int(rng.integers(5, 9))
    counts = rng.integers(3, 40, size=K)
    counts[0] += 50
    s = counts / counts.sum()
    entropy = -np.sum(s * np.log(s))
    got = student.reverse_kl(counts)
    if got is not None and np.ndim(got) == 0:
        holds(not np.isclose(got, (np.log(K) - entropy) / np.log(2)), "the logarithm has base 2; expected nats")
        holds(not np.isclose(got, np.log(K) + entropy), "this is log K plus H: H has a minus sign of its own")
        holds(not np.isclose(got, entropy), "this is the entropy H; expected log K - H")
    equal(got, np.log(K) - entropy, "the reverse KL")
    equal(student.reverse_kl(np.full(K, 7)), 0.0, "the reverse KL of equal counts")
    counts[rng.choice(K, size=2, replace=False)] = 0
    s = counts[counts > 0] / counts.sum()
    with np.errstate(all="ignore"):
        got = student.reverse_kl(counts)
    holds(got is not None and bool(np.isfinite(got)), f"with empty modes, the result is {got}: 0 log 0 is to be 0")
    entropy = -np.sum(s * np.log(s))
    holds(not np.isclose(got, np.log(len(s)) - entropy), "modes without samples are left out of K: nothing is missed")
    equal(got, np.log(K) - entropy, "the reverse KL with empty modes")


@check(
    "10.3",
    wrong={
        "return np.abs(p**m - q**m).sum() / 2": "of one and the same mode",
        "return m * np.abs(p - q).sum() / 2": "m times",
        """
        P, Q = np.ones(1), np.ones(1)
        for _ in range(m):
            P, Q = np.outer(P, p).ravel(), np.outer(Q, q).ravel()
        return np.abs(P - Q).sum()
        """: "2 times",
        "return 1 - np.sum(np.minimum(p, q)) ** m": "served modes are equal",
    },
)
def pack_distance(student, rng):
    def right(p, q, m):
        P, Q = np.ones(1), np.ones(1)
        for _ in range(m):
            P, Q = np.multiply.outer(P, p).ravel(), np.multiply.outer(Q, q).ravel()
        return np.abs(P - Q).sum() / 2

    K, m = int(rng.integers(3, 6)), 3
    p, q = rng.dirichlet(np.full(K, 3.0)), rng.dirichlet(np.full(K, 3.0))
    got = student.pack_distance(p.copy(), q.copy(), m)
    if got is not None and np.ndim(got) == 0:
        if np.isclose(got, np.abs(p**m - q**m).sum() / 2):
            raise Wrong("only packs of one and the same mode are counted; there are K to the power m packs")
        if np.isclose(got, m * np.abs(p - q).sum() / 2):
            raise Wrong("this is m times the distance of single samples; a total variation never exceeds 1")
        if np.isclose(got, 2 * right(p, q, m)):
            raise Wrong("the result is 2 times the right one: total variation is half of the sum")
        if np.isclose(got, 1 - np.minimum(p, q).sum() ** m):
            raise Wrong("this holds where served modes are equal in p, and equal in q; here they are not")
    equal(got, right(p, q, m), f"the distance for K = {K}, m = {m}")
    equal(student.pack_distance(p, q, 1), right(p, q, 1), "the distance for m = 1")
    served = np.array([0.25, 0.25, 0.25, 0.25, 0, 0])
    equal(student.pack_distance(np.full(6, 1 / 6), served, 4), 1 - (4 / 6) ** 4, "four of six modes, packs of four")


@check(
    "10.4",
    wrong={
        "return np.sum(p * np.log(p / q)), np.sum(q * np.log(q / p))": "not a number",
        """
        both = (p > 0) & (q > 0)
        p, q = p[both], q[both]
        return np.sum(p * np.log(p / q)), np.sum(q * np.log(q / p))
        """: "missed",
        """
        def kl(a, b):
            there = a > 0
            if np.any(b[there] == 0):
                return np.inf
            return np.sum(a[there] * np.log(a[there] / b[there]))
        return kl(q, p), kl(p, q)
        """: "other way round",
        """
        p, q = p + 1e-8, q + 1e-8
        return np.sum(p * np.log(p / q)), np.sum(q * np.log(q / p))
        """: "missed",
    },
)
def two_kls(student, rng):
    def asked(p, q, what):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            got = pair(student.two_kls(p.copy(), q.copy()), f"the result {what}")
        holds(not np.isnan(got).any(), f"{what}, the result is {got}, not a number: 0 log 0 is to be 0")
        return got, warned

    K = int(rng.integers(5, 8))
    p, q = rng.dirichlet(np.full(K, 2.0)), rng.dirichlet(np.full(K, 2.0))
    q[0] += 0.5
    q /= q.sum()
    right = np.sum(p * np.log(p / q)), np.sum(q * np.log(q / p))
    got, _ = asked(p, q, "for positive p and q")
    holds(not np.allclose(got, right[::-1]), "the two stand the other way round: KL(p, q) weights with p")
    p[1] = q[1] = 0  # nobody is there
    q[2] = 0  # a mode that the generator missed
    p, q = p / p.sum(), q / q.sum()
    there = q > 0
    got, warned = asked(p, q, "where q misses a mode")
    holds(np.isinf(got[0]), f"q has missed a mode of p: KL(p, q) is infinite, yours {got[0]:.4g}")
    equal(got[1], np.sum(q[there] * np.log(q[there] / p[there])), "KL(q, p) where q misses a mode")
    holds(not warned, f"there is a warning: {warned[0].message if warned else ''}; take logarithms of what is positive")
    equal(asked(*rng.permutation([p, p]), "for p = q")[0], (0, 0), "the result for p = q")
    p, q = rng.dirichlet(np.full(K, 2.0), size=2)
    equal(
        asked(p, q, "for positive p and q")[0],
        (np.sum(p * np.log(p / q)), np.sum(q * np.log(q / p))),
        "the result for positive p and q",
    )
