import numpy as np

from minigan.course.judging import check, equal, holds, right_gradient


def spd(rng, size):
    root = rng.normal(size=(size, size + 2))
    return root @ root.T / size


def root_trace(c1, c2):
    """Return tr (C1 C2)^(1/2) by way of a symmetric matrix."""
    values, vectors = np.linalg.eigh(c1)
    half = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return np.sqrt(np.linalg.eigvalsh(half @ c2 @ half).clip(0)).sum()


@check(
    "14.1",
    wrong={
        """
        widths = np.trace(covariance1 + covariance2 - 2 * np.sqrt(np.abs(covariance1 @ covariance2)))
        return np.sum((mean1 - mean2) ** 2) + widths
        """: "root of each element",
        """
        eigenvalues = np.linalg.eigvals(covariance1 @ covariance2).real.clip(0)
        widths = np.trace(covariance1) + np.trace(covariance2) - 2 * np.sqrt(eigenvalues).sum()
        return np.linalg.norm(mean1 - mean2) + widths
        """: "square of the distance of the means",
        """
        eigenvalues = np.linalg.eigvals(covariance1 @ covariance2).real.clip(0)
        widths = np.trace(covariance1) + np.trace(covariance2) - np.sqrt(eigenvalues).sum()
        return np.sum((mean1 - mean2) ** 2) + widths
        """: "to itself",
        """
        eigenvalues = np.linalg.eigvalsh(covariance1 @ covariance2).clip(0)
        widths = np.trace(covariance1) + np.trace(covariance2) - 2 * np.sqrt(eigenvalues).sum()
        return np.sum((mean1 - mean2) ** 2) + widths
        """: "not symmetric",
        """
        eigenvalues = np.linalg.eigvals(covariance1 @ covariance2).real
        widths = np.trace(covariance1) + np.trace(covariance2) - 2 * np.sqrt(eigenvalues).sum()
        return np.sum((mean1 - mean2) ** 2) + widths
        """: "singular",
    },
)
def frechet(student, rng):
    size = int(rng.integers(3, 6))
    m1, m2, c1, c2 = rng.normal(size=size), rng.normal(size=size), spd(rng, size), spd(rng, size)
    got = student.frechet(m1, c1, m1, c2)
    widths = np.trace(c1) + np.trace(c2)
    elementwise = widths - 2 * np.sqrt(np.abs(np.diag(c1 @ c2))).sum()
    holds(got is None or not np.allclose(got, elementwise), "that is the root of each element, not that of a matrix")
    equal(student.frechet(m1, c1, m1, c1), 0, "the distance of a distribution to itself", atol=1e-5)
    equal(student.frechet(m1, c1, m2, c1), np.sum((m1 - m2) ** 2), "the distance of two with the same covariance",
          hint="expected is the square of the distance of the means", rtol=1e-6, atol=1e-5)  # fmt: skip
    triangle = widths - 2 * np.sqrt(np.linalg.eigvalsh(c1 @ c2).clip(0)).sum()
    holds(not np.allclose(got, triangle), "the product of two covariances is not symmetric: eigvalsh is for those only")
    equal(got, widths - 2 * root_trace(c1, c2), "the distance of two with the same mean", rtol=1e-6, atol=1e-5)
    for _ in range(20):
        u, v = rng.normal(size=(2, size, 1))
        with np.errstate(all="ignore"):
            got = student.frechet(m1, u @ u.T, m2, v @ v.T)
        right = np.sum((m1 - m2) ** 2) + (u**2).sum() + (v**2).sum() - 2 * abs((u * v).sum())
        holds(bool(np.isfinite(got)), "nan for singular covariances: rounding makes an eigenvalue of 0 negative")
        equal(got, right, "the distance of two with singular covariances", rtol=1e-5, atol=1e-5)


@check(
    "14.2",
    wrong={
        "return (1 - t[:, None]) * a + t[:, None] * b": "a straight line",
        "t = np.pi / 2 * t[:, None]\nreturn np.cos(t) * a + np.sin(t) * b": "constant speed",
        """
        w = np.arccos(np.clip(a @ b, -1, 1))
        t = t[:, None]
        return (np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.sin(w)
        """: "length of a",
        """
        w = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
        t = t[:, None]
        return (np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.sin(w)
        """: "constant speed",
        """
        w = np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
        t = t[:, None]
        return (np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.cos(w)
        """: "at t = 0",
    },
)
def slerp(student, rng):
    size, t = int(rng.integers(3, 7)), np.linspace(0, 1, 7)
    a, other = rng.normal(size=(2, size))
    a *= 0.4 / np.linalg.norm(a)  # short: the product of the two must be divided by the lengths
    other -= (other @ a) / (a @ a) * a
    w = rng.uniform(0.4, 0.6)
    b = np.cos(w) * a + np.sin(w) * 0.4 * other / np.linalg.norm(other)
    with np.errstate(all="ignore"):
        got = student.slerp(a.copy(), b.copy(), t)
    holds(got is not None, "slerp returns None: does your function return its result?")
    holds(np.shape(got) == (7, size), f"the points have shape {np.shape(got)}; expected {(7, size)}")
    line = (1 - t[:, None]) * a + t[:, None] * b
    holds(not np.allclose(got, line), "that is a straight line: it passes through where no noise is")
    forgot = np.arccos(a @ b)
    s = t[:, None]
    undivided = (np.sin((1 - s) * forgot) * a + np.sin(s * forgot) * b) / np.sin(forgot)
    holds(
        not np.allclose(got, undivided), "the angle is wrong: a . b is the cosine times the length of a and that of b"
    )
    equal(got[0], a, "the point at t = 0")
    equal(got[-1], b, "the point at t = 1", atol=1e-9)
    steps = np.linalg.norm(np.diff(got, axis=0), axis=1)
    lengths = np.linalg.norm(got, axis=1)
    steady = np.allclose(steps, steps[0]) and np.allclose(lengths, lengths[0])
    holds(bool(steady), "between vectors of equal length, the arc must keep that length and move at a constant speed")
    a = 3 * a
    right = (np.sin((1 - s) * w) * a + np.sin(s * w) * b) / np.sin(w)
    equal(student.slerp(a, b, t), right, "the points between vectors of lengths 1.2 and 0.4", rtol=1e-6, atol=1e-9)


@check(
    "14.3",
    wrong={
        "a = x @ W.T + b\nreturn (v * np.where(a > 0, 1, slope)) @ W / len(x)": "1/n too many",
        "return (v * np.ones((len(x), 1))) @ W": "derivative of the leaky ReLU",
        "a = x @ W.T\nreturn (v * np.where(a > 0, 1, slope)) @ W": "bias",
        "a = x @ W.T + b\nreturn (v * np.where(a > 0, a, slope * a)) @ W": "its value",
        "a = x @ W.T + b\nreturn np.where(a > 0, 1, slope) @ W": "v is missing",
        "a = x @ W.T + b\nreturn (v * np.where(a > 0, 1, slope)).mean(axis=0) @ W": "shape",
    },
)
def saliency(student, rng):
    samples, inputs, units = 5, *rng.permutation([4, 6])
    slope = float(rng.uniform(0.1, 0.4))
    x, W = rng.normal(size=(samples, inputs)), rng.normal(size=(units, inputs))
    b, v = rng.normal(size=(2, units))
    b += np.where(b > 0, 1, -1)

    def total(x):
        a = x @ W.T + b
        return np.sum(np.where(a > 0, a, slope * a) @ v)

    a = x @ W.T + b
    got = np.asarray(student.saliency(x.copy(), W, b, v, slope))
    if got.shape == x.shape:
        named = {
            "that is the gradient of a linear D: the derivative of the leaky ReLU is missing": v
            * np.ones((samples, 1)),
            "the pre-activation has a bias: which units are above 0 depends on b": v * np.where(x @ W.T > 0, 1, slope),
            "what goes backward is the derivative of the leaky ReLU, not its value": v * np.where(a > 0, a, slope * a),
            "v is missing: the logit weighs each unit by it": np.where(a > 0, 1, slope),
        }
        for words, g in named.items():
            holds(not np.allclose(got, g @ W), words)
    right_gradient(total, lambda x: student.saliency(x, W, b, v, slope), x)
