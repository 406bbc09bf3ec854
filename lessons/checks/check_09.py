"""Checks of lesson 9: dynamics of games."""

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


def some_field(rng, n):
    """Return a field with curvature, so that no two ways to step agree by accident."""
    A = rng.normal(size=(n, n))
    return lambda w: np.tanh(A @ w) + 0.3 * w**2 - 0.5


@check(
    "09.1",
    wrong={
        "return w + step * field(w)": "a simultaneous step",
        "ahead = w + step * field(w)\nreturn ahead + step * field(ahead)": "from the point ahead",
        "ahead = w + step * field(w)\nreturn w + step * (field(w) + field(ahead)) / 2": "average",
        "return w + step * field(w + field(w))": "one *step* ahead",
        "w += step * field(w)\nreturn w": "w is changed",
    },
)
def extragradient(student, rng):
    n, step = int(rng.integers(3, 6)), rng.uniform(0.2, 0.5)
    field, w = some_field(rng, n), rng.normal(size=n)
    kept = w.copy()
    got = student.extragradient(field, w, step)
    holds(np.array_equal(w, kept), "w is changed afterwards: return a new array")
    here = field(w)
    there = field(w + step * here)
    named = {
        "this is a simultaneous step: the field is used where you stand, not ahead": w + step * here,
        "you go on from the point ahead; start again from w": w + step * here + step * there,
        "the average of the field here and ahead is another method (Heun's); use the one ahead only": (
            w + step * (here + there) / 2
        ),
        "look one *step* ahead, at w + step v(w)": w + step * field(w + here),
        "the direction is reversed: the field already is the negative gradient": w - step * field(w - step * here),
    }
    for message, value in named.items():
        if got is not None and np.shape(got) == (n,) and np.allclose(got, value):
            raise Wrong(message)
    equal(got, w + step * there, "the point after one step")


@check(
    "09.2",
    wrong={
        "return np.linalg.eigvals(J).real.max()": "real part",
        "return np.abs(np.linalg.eigvals(J)).max()": "of the step",
        "return np.abs(1 + step * np.linalg.eigvals(J)).min()": "slowest",
        "return np.linalg.norm(np.eye(len(J)) + step * J, 2)": "long run",
        "return (1 + step * np.linalg.eigvals(J)).real.max()": "rotation",
        "return 1 + step * np.linalg.eigvals(J).real.max()": "rotation",
    },
)
def rate(student, rng):
    n, step = int(rng.integers(3, 6)), rng.uniform(0.1, 0.3)
    growth, turn = -rng.uniform(0.3, 0.6), rng.uniform(2.5, 3.5)
    J = np.diag(-rng.uniform(0.7, 2, size=n))
    J[:2, :2] = [[growth, -turn], [turn, growth]]  # the slowest two rotate
    S = np.eye(n) + 0.3 * rng.normal(size=(n, n))
    J = S @ J @ np.linalg.inv(S)
    eigenvalues = np.linalg.eigvals(J)
    got = student.rate(J.copy(), step)
    holds(not np.iscomplexobj(got), "the result is complex; a factor of distances is a modulus")
    named = {
        "this is the largest real part of the eigenvalues of J; steps are of a finite size": eigenvalues.real.max(),
        "this is the largest eigenvalue of J; what is repeated is the map of the step, I + step J": (
            np.abs(eigenvalues).max()
        ),
        "this is the part that shrinks fastest; in the long run, the slowest is what remains": (
            np.abs(1 + step * eigenvalues).min()
        ),
        "this is the most that a single step can stretch; in the long run, eigenvalues decide, not singular values": (
            np.linalg.norm(np.eye(n) + step * J, 2)
        ),
        "the rotation is missing: take the modulus of 1 + step l, not its real part": (
            (1 + step * eigenvalues).real.max()
        ),
    }
    right = np.abs(1 + step * eigenvalues).max()
    for message, value in named.items():
        if np.ndim(got) == 0 and np.isclose(got, value) and not np.isclose(value, right):
            raise Wrong(message)
    equal(got, right, "the rate")
    # An equilibrium with a real eigenvalue so far to the left that the step jumps over it.
    equal(student.rate(np.diag([-1.0, -9.0, -2.0]), 0.3), 1.7, "the rate for J = diag(-1, -9, -2) and step 0.3")


@check(
    "09.3",
    wrong={
        """
        s = 1 / (1 + np.exp(-psi * theta))
        return s * psi, -s * theta - gamma * psi
        """: "minimax",
        """
        s = 1 / (1 + np.exp(-psi * theta))
        return (1 - s) * psi, -s * theta - gamma / 2 * psi
        """: "derivative of psi^2",
        """
        s = 1 / (1 + np.exp(-psi * theta))
        return -(1 - s) * psi, s * theta + gamma * psi
        """: "downhill",
        """
        s = 1 / (1 + np.exp(-psi * theta))
        return -s * theta - gamma * psi, (1 - s) * psi
        """: "change places",
        """
        s = 1 / (1 + np.exp(-psi * theta))
        return (1 - s) * psi, -s * theta
        """: "gamma",
    },
)
def dirac_field(student, rng):
    theta, psi = rng.choice([-1, 1], size=2) * rng.uniform(0.5, 1.5, size=2)
    gamma = rng.uniform(0.5, 2)
    got = student.dirac_field(theta, psi, gamma)
    holds(got is not None, "the result is None: does your function return it?")
    holds(np.shape(got) == (2,), f"the result has shape {np.shape(got)}; expected a pair of numbers")
    s = 1 / (1 + np.exp(-psi * theta))
    right = np.array([(1 - s) * psi, -s * theta - gamma * psi])
    got = np.asarray(got, dtype=float)
    holds(not np.allclose(got, -right), "both signs: these are the gradients; players go downhill, against them")
    holds(not np.allclose(got, right[::-1]), "the two change places: theta is first, it moves by dL_G/dtheta")
    if np.isclose(got[0], s * psi):
        raise Wrong("the first is that of the minimax loss, -softplus(psi theta); here L_G = softplus(-psi theta)")
    if np.isclose(got[1], -s * theta):
        raise Wrong("the second does not depend on gamma: the penalty is part of L_D")
    if np.isclose(got[1], -s * theta - gamma / 2 * psi):
        raise Wrong("the term with gamma is half of what it should be: the derivative of psi^2 is 2 psi")

    def component(i, which):
        return lambda value: (
            -np.asarray(
                student.dirac_field(*((value, psi) if which == "theta" else (theta, value)), gamma)[i], dtype=float
            )
        )

    right_gradient(
        lambda theta: np.logaddexp(0, -psi * theta), component(0, "theta"), np.array(theta), name="minus the first"
    )
    right_gradient(
        lambda psi: np.logaddexp(0, psi * theta) + gamma / 2 * psi**2,
        component(1, "psi"),
        np.array(psi),
        name="minus the second",
    )


@check(
    "09.4",
    wrong={
        "return max(0.0, np.max(-2 * np.real(eigenvalues) / np.abs(eigenvalues) ** 2))": "all of them",
        "return np.min(-2 * np.real(eigenvalues) / np.abs(eigenvalues) ** 2)": "no step converges",
        "return max(0.0, np.min(-np.real(eigenvalues) / np.abs(eigenvalues) ** 2))": "0.5 times",
        "return np.min(2 / np.abs(eigenvalues))": "rotation",
        "return max(0.0, np.min(-2 / np.real(eigenvalues)))": "rotation",
    },
)
def largest_step(student, rng):
    n = int(rng.integers(2, 5))
    stable = -rng.uniform(0.3, 2, size=n) + 1j * rng.uniform(0.5, 2, size=n)
    stable = np.concatenate([stable, stable.conj()])
    each = -2 * stable.real / np.abs(stable) ** 2
    right = each.min()
    got = student.largest_step(stable)
    holds(np.ndim(got) == 0 and got is not None, f"the result is {got!r}; expected one number")
    holds(not np.iscomplexobj(got), "the result is complex; expected a real number")
    if np.isclose(got, each.max()):
        raise Wrong("at this step only one eigenvalue still converges; the step must suit all of them")
    for value in (np.min(2 / np.abs(stable)), np.min(-2 / stable.real)):
        if np.isclose(got, value):
            raise Wrong(
                "this is right for real eigenvalues only: with rotation, |1 + e l| has an imaginary part as well"
            )
    holds(np.isclose(got, right), f"the result is {got / right:.4g} times the right one; solve |1 + e l|^2 = 1 for e")
    for bad in (np.array([-0.5, 0.3]), np.array([0.5j, -0.5j]), np.append(stable, [0.2 + 1j, 0.2 - 1j])):
        got = student.largest_step(bad)
        holds(
            abs(got) < 1e-12,
            f"no step converges for eigenvalues {np.array2string(bad[-2:], precision=2)}: expected 0, got {got:.4g}",
        )
