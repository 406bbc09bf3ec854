"""Checks of lesson 18: diagnosis."""

import numpy as np

import minigan as mg
from minigan.course.judging import Wrong, check, equal, holds, hypothesis_for_grading


@check(
    "18.1",
    wrong={
        "return np.mean(real_logits[:, None] > fake_logits)": "count half",
        "return np.mean(real_logits[:, None] >= fake_logits)": "count half",
        "return np.mean(real_logits[:, None] < fake_logits)": "other way round",
        "n = min(len(real_logits), len(fake_logits))\nreturn np.mean(real_logits[:n] > fake_logits[:n])": "all pairs",
        "return (np.mean(real_logits > 0) + np.mean(fake_logits < 0)) / 2": "sides of 0",
        "return real_logits.mean() - fake_logits.mean()": "a share of pairs",
    },
)
def told_apart(student, rng):
    N, M = (int(n) for n in rng.permutation([7, 10]))
    real, fake = rng.permutation(N + M)[:N] + 0.5, rng.permutation(N + M)[:M] + rng.uniform(0.1, 0.4)
    got = student.told_apart(real.copy(), fake.copy())
    if got is not None and np.ndim(got) == 0:
        right, n = np.mean(real[:, None] > fake), min(N, M)
        far = student.told_apart(real + 50, fake.copy())
        holds(0 <= far <= 1, f"for real logits far above the others it is {far:.4g}; expected a share of pairs")
        holds(not np.isclose(got, 1 - right) or right == 0.5, "it is the other way round: the real logit is the larger")
        holds(
            np.isclose(got, right) or not np.isclose(got, np.mean(real[:n] > fake[:n])),
            "each real logit is compared with one fake logit only; all pairs are N times M",
        )
    for shift in (-4.3, -8.3, -12.3):
        shifted = student.told_apart(real + shift, fake + shift)
        equal(shifted, got, f"with {-shift} taken from all logits, it", hint="pairs are compared, not sides of 0")
    equal(got, np.mean(real[:, None] > fake), "told_apart(real, fake)")
    few = rng.integers(0, 3, size=N).astype(float), rng.integers(0, 3, size=M).astype(float)
    ties = np.mean(np.sign(few[0][:, None] - few[1]) / 2 + 0.5)
    equal(student.told_apart(*few), ties, "told_apart where some logits are equal", hint="pairs of equals count half")


@check(
    "18.2",
    wrong={
        "p = 1 / (1 + np.exp(-logits))\nreturn p.mean(), (1 - p).mean()": "overflow",
        """
        p = np.exp(-np.logaddexp(0, -logits))
        return p.mean(), (1 - p).mean()
        """: "digits are lost",
        """
        p = np.exp(-np.logaddexp(0, -logits))
        q = np.exp(-np.logaddexp(0, logits))
        return q.mean(), p.mean()
        """: "other way round",
        """
        p = np.exp(-np.logaddexp(0, -logits))
        q = np.exp(-np.logaddexp(0, logits))
        return p.mean() / len(logits), q.mean() / len(logits)
        """: "1/n too many",
        """
        p = np.exp(-np.logaddexp(0, -logits))
        q = np.exp(-np.logaddexp(0, logits))
        return -p.mean(), -q.mean()
        """: "a size",
        "return -np.logaddexp(0, logits).mean(), np.logaddexp(0, -logits).mean()": "the losses",
    },
)
def pulls(student, rng):
    def sigmoid(a):
        return np.exp(-np.logaddexp(0, -a))

    a = rng.normal(size=rng.integers(3, 9)) - 1
    right = np.array([sigmoid(a).mean(), sigmoid(-a).mean()])
    got = student.pulls(a.copy())
    equal(np.shape(got), (2,), "the shape of what pulls returns", hint="two numbers")
    got = np.asarray(got, dtype=float)
    losses = [-np.logaddexp(0, a).mean(), np.logaddexp(0, -a).mean()]
    holds(not np.allclose(got, losses), "these are the losses; a pull is the size of their derivative")
    holds(not np.allclose(got, -right), "a pull is a size: the mean of an absolute value")
    holds(not np.allclose(got, right[::-1]), "it is the other way round: where D is sure of a fake, minimax vanishes")
    holds(not np.allclose(got, right / len(a)), "there is a 1/n too many: the mean is over n derivatives of n losses")
    equal(got, right, "pulls(a)")
    far = np.array([1000.0, -1000.0])
    try:
        with np.errstate(over="raise"):
            equal(student.pulls(far), [0.5, 0.5], "pulls at logits of 1000 and -1000")
    except FloatingPointError:
        raise Wrong("at a = -1000 or 1000 there is an overflow: exp only of what is not positive") from None
    sure = rng.uniform(40, 60, size=3)
    hint = "1 - p is 0 where p is rounded to 1, and all digits are lost: find 1 - sigmoid(a) without a difference"
    equal(student.pulls(sure)[1], np.mean(sigmoid(-sure)), "the second pull at large logits", hint=hint, atol=0)
    equal(student.pulls(-sure)[0], np.mean(sigmoid(-sure)), "the first pull at logits below -40", atol=0)


@check(
    "18.3",
    wrong={
        """
        away = path - path.mean(axis=0)
        line = np.linalg.svd(away, full_matrices=False)[2][0]
        side = np.sign(away @ line)
        return away.std(), np.count_nonzero(side[1:] != side[:-1])
        """: "one coordinate",
        """
        away = path - path[0]
        line = np.linalg.svd(away, full_matrices=False)[2][0]
        side = np.sign(away @ line)
        return np.sqrt((away**2).sum(axis=1).mean()), np.count_nonzero(side[1:] != side[:-1])
        """: "to its beginning",
        """
        away = path - path.mean(axis=0)
        side = np.sign(away[:, 0])
        return np.sqrt((away**2).sum(axis=1).mean()), np.count_nonzero(side[1:] != side[:-1])
        """: "along the first coordinate",
        """
        away = path - path.mean(axis=0)
        line = np.linalg.svd(away, full_matrices=False)[2][0]
        side = np.sign(away @ line)
        return np.sqrt((away**2).sum(axis=1).mean()), np.abs(np.diff(side)).sum()
        """: "twice",
        """
        away = path - path.mean(axis=0)
        line = np.linalg.svd(away, full_matrices=False)[2][0]
        step = np.sign(np.diff(away @ line))
        return np.sqrt((away**2).sum(axis=1).mean()), np.count_nonzero(step[1:] != step[:-1])
        """: "changes its direction",
        """
        away = path - path.mean(axis=0)
        line = np.linalg.svd(away, full_matrices=False)[2][0]
        side = np.sign(away @ line)
        return np.linalg.norm(away, axis=1).mean(), np.count_nonzero(side[1:] != side[:-1])
        """: "the mean of the distances",
    },
)
def sway(student, rng):
    # A wave along one direction of three, whose half-waves have ups and downs; across it, a small and quicker one.
    S, F = 12 * int(rng.integers(2, 4)), 3
    basis = np.linalg.qr(rng.normal(size=(F, F)))[0]
    basis[:, 0] = 0.2 * basis[:, 0] + np.array([0.0, 1.0, 1.0])
    wave = np.tile([1.0, 0.6, 0.9, -0.7, -0.5, -1.1], S // 6) * rng.uniform(0.9, 1.1, S)
    across = np.tile([0.2, -0.2], S // 2)
    path = 3 * np.outer(wave, basis[:, 0]) + np.outer(across, [1.0, 0, 0]) + rng.normal(size=F) * 4
    away = path - path.mean(axis=0)
    along = away @ np.linalg.svd(away, full_matrices=False)[2][0]

    def changes(x):
        return np.count_nonzero(np.sign(x[1:]) != np.sign(x[:-1]))

    size, turns = np.sqrt((away**2).sum(axis=1).mean()), changes(along)
    got = student.sway(path.copy())
    holds(got is not None, "sway returns None: does your function return its result?")
    holds(np.shape(got) == (2,), f"the result has shape {np.shape(got)}; expected a pair (size, turns)")
    named = {
        "the size is that of one coordinate: squares are summed over the F coordinates, then averaged over time": (
            away.std()
        ),
        "the size is the distance to its beginning; wanted is that to the mean place": np.sqrt(
            ((path - path[0]) ** 2).sum(axis=1).mean()
        ),
        "the size is the mean of the distances; wanted is the root of the mean of their squares": np.linalg.norm(
            away, axis=1
        ).mean(),
    }
    for words, wrong in named.items():
        holds(not np.isclose(got[0], wrong), words)
    equal(got[0], size, "the size")
    holds(got[1] != 2 * turns, "turns are counted twice: a sign that goes from -1 to 1 is one change")
    holds(got[1] != changes(np.diff(along)), "that counts how often the path changes its direction, not its side")
    holds(got[1] == turns or got[1] != changes(away[:, 0]), "sides are counted along the first coordinate only")
    equal(got[1], turns, "the number of turns")
    drift = np.outer(np.arange(8.0), basis[:, 0]) + rng.normal(size=F)
    equal(student.sway(drift)[1], 1, "the turns of a slow drift")


def consequence_first(name, holds_for):
    """Return a diagnose that asks for `name` before anything else."""

    def diagnose(s):
        found = mg.training.diagnose(s)
        return found._replace(name=name) if holds_for(s) else found

    return diagnose


@check(
    "18.4",
    wrong={
        """
        def test():
            assert diagnose(dataclasses.replace(SOUND, stuck=1.0, variety=0.0, told_apart=1.0)).name == "saturation"
        return test
        """: "@given",
        """
        @given(stuck=st.floats(0.97, 1), variety=st.floats(0, 1))
        def test(**drawn):
            assert diagnose(dataclasses.replace(SOUND, **drawn)).name == "saturation"
        return test
        """: "asks first whether D wins",
        """
        @given(stuck=st.floats(0.97, 1), told_apart=st.floats(0, 1))
        def test(**drawn):
            assert diagnose(dataclasses.replace(SOUND, **drawn)).name == "saturation"
        return test
        """: "asks first for mode collapse",
        """
        @given(told_apart=st.floats(0, 1), variety=st.floats(0, 1))
        def test(**drawn):
            assert diagnose(dataclasses.replace(SOUND, stuck=1.0, **drawn)).name == "saturation"
        return test
        """: "99 %",
        """
        @given(stuck=st.floats(0.97, 1), told_apart=st.floats(0, 1), variety=st.floats(0, 1))
        def test(**drawn):
            assert diagnose(dataclasses.replace(SOUND, **drawn)).name != "healthy"
        return test
        """: "asks first",
        """
        @given(stuck=st.floats(0, 1), told_apart=st.floats(0, 1), variety=st.floats(0, 1))
        def test(**drawn):
            assert diagnose(dataclasses.replace(SOUND, **drawn)).name == "saturation"
        return test
        """: "fails for minigan's own",
        """
        @given(stuck=st.floats(0.97, 1), told_apart=st.floats(0, 1), variety=st.floats(0, 1))
        def test(**drawn):
            return diagnose(dataclasses.replace(SOUND, **drawn)).name == "saturation"
        return test
        """: "does it assert",
    },
)
def make_test(student, rng):
    def outcome(diagnose):
        test = student.make_test(diagnose)
        holds(callable(test), f"make_test returns {test!r}; expected the test, a function")
        holds(hasattr(test, "hypothesis"), "the test draws nothing: it has no decorator @given(...)")
        test()

    planted = {
        "calls everything healthy: does it assert the name?": consequence_first("healthy", lambda s: True),
        "asks first whether D wins: draw told_apart as well": consequence_first(
            "discriminator wins", lambda s: s.told_apart > 0.7
        ),
        "asks first for mode collapse: draw variety as well": consequence_first(
            "mode collapse", lambda s: s.variety < 0.3
        ),
        "overlooks it where fewer than 99 % of the units are stuck: draw stuck as well": consequence_first(
            "unclear", lambda s: s.stuck < 0.99
        ),
    }
    with hypothesis_for_grading():
        try:
            outcome(mg.training.diagnose)
        except AssertionError:
            raise Wrong("the test fails for minigan's own diagnose, which is right") from None
        except Exception as error:
            if type(error).__name__ == "FailedHealthCheck":
                raise Wrong("the test returns something: does it assert the name?") from None
            raise
        for words, diagnose in planted.items():
            found = False
            try:
                outcome(diagnose)
            except AssertionError:
                found = True
            holds(found, f"the test passes for a diagnosis that {words}")
