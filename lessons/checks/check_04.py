"""Checks of lesson 4: proving a gradient."""

import numpy as np

from minigan.checking import check_gradients
from minigan.course.judging import Wrong, check, equal, holds, hypothesis_for_grading, right_gradient


@check(
    "04.1",
    wrong={
        "return 1 / (1 + np.exp(-a))": "misses the 1/n of a mean",
        "return -1 / (1 + np.exp(-a)) / a.size": "wrong sign",
        "return 1 / (1 + np.exp(-a)) / len(a)": "misses the 1/n of a mean",
        "return 1 / (1 + np.exp(-a)) / a.size": "overflow",
        "return np.exp(a) / (1 + np.exp(a)) / a.size": "not finite",
    },
)
def grad_mean_softplus(student, rng):
    a = rng.normal(size=(rng.integers(3, 6), 3)) * 2
    right_gradient(lambda a: np.mean(np.logaddexp(0, a)), student.grad_mean_softplus, a)
    far = np.array([-1000.0, 0.0, 1000.0, rng.normal()])
    got = np.asarray(student.grad_mean_softplus(far))
    holds(bool(np.all(np.isfinite(got))), f"at a = -1000, 0, 1000 the gradient is {got[:3]}, not finite")
    equal(got[:3], np.array([0, 0.5, 1]) / 4, "four times the gradient at a = -1000, 0, 1000")
    try:
        with np.errstate(over="raise"):
            student.grad_mean_softplus(far)
    except FloatingPointError:
        raise Wrong("at a = -1000 or 1000 there is an overflow: exp only of what is not positive") from None


@check(
    "04.2",
    wrong={
        "return lambda x: np.sum(layer(x))": "all weights are alike",
        "return lambda x: np.sum(rng.normal(size=layer(x).shape) * layer(x))": "another value each time",
        "weights = np.random.default_rng(0).normal(size=layer(x).shape)\nreturn lambda x: np.sum(weights * layer(x))": (
            "do not come from rng"
        ),
        "weights = rng.normal(size=x.shape)\nreturn lambda x: np.sum(weights * layer(x))": "raises ValueError",
        "weights = rng.normal(size=layer(x).shape)\nreturn lambda x: weights * layer(x)": "expected a number",
        "weights = rng.normal(size=layer(x).shape)\nvalue = np.sum(weights * layer(x))\nreturn value": "a function",
    },
)
def probe(student, rng):
    x = rng.normal(size=(3, 4))
    seed = int(rng.integers(2**31))

    def made(layer, x, seed=seed):
        function = student.probe(layer, x, np.random.default_rng(seed))
        holds(callable(function), f"probe returns {type(function).__name__}; expected a function of x")
        return function

    weights_of = made(lambda x: x, x)  # of the identity, the value at a unit array is a weight
    value = weights_of(x)
    holds(np.ndim(value) == 0, f"the function returns an array of shape {np.shape(value)}; expected a number")
    holds(weights_of(x) == value, "the function has another value each time: draw the weights once, outside of it")
    units = np.eye(x.size).reshape(-1, *x.shape)
    weights = np.array([weights_of(unit) for unit in units])
    holds(not np.allclose(weights, weights[0]), "all weights are alike: of a softmax, that sum never changes")
    holds(len(np.unique(weights)) == weights.size, "some weights are equal: elements that change places go unseen")
    equal(value, weights @ x.ravel(), "the value", hint="it should be the weighted sum of the elements of layer(x)")
    others = np.array([made(lambda x: x, x, seed + 1)(unit) for unit in units])
    holds(not np.allclose(weights, others), "the weights do not come from rng: another seed gives the same")
    narrow = made(lambda x: np.tanh(x[:, :2]), x)  # the output has another shape than the input
    holds(np.ndim(narrow(x)) == 0, "the function returns no number for a layer with another shape than x")
    softmax = made(student.softmax if hasattr(student, "softmax") else softmax_reference, x)
    report = check_gradients(softmax, x, grad=np.zeros_like, seed=0, raise_on_failure=False)
    holds(not report.ok, "a softmax with a gradient of zeros still passes")


def softmax_reference(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@check(
    "04.3",
    wrong={
        """
        def test():
            mg.check_gradients(f, np.linspace(-1, 1, 5), grad=grad, seed=0)
        return test
        """: "@given",
        """
        @given(x=strategies.arrays())
        def test(x):
            mg.check_gradients(f, x, grad=grad, seed=0, raise_on_failure=False)
        return test
        """: "wrong everywhere",
        """
        @given(x=strategies.arrays(interval=strategies.POSITIVE))
        def test(x):
            mg.check_gradients(f, x, grad=grad, seed=0)
        return test
        """: "for negative x",
        """
        @given(x=strategies.arrays((1,)))
        def test(x):
            mg.check_gradients(f, x, grad=grad, seed=0)
        return test
        """: "more than one element",
        """
        @given(x=strategies.arrays((4,)))
        def test(x):
            mg.check_gradients(f, x, grad=grad, seed=0)
        return test
        """: "two axes",
        """
        @given(x=strategies.arrays())
        def test(x):
            v = np.ones(x.shape)
            assert abs(np.sum(grad(x)) - (f(x + 1e-9 * v) - f(x)) / 1e-9) < 1e-9
        return test
        """: "right gradient",
        """
        @given(x=strategies.arrays())
        def test(x):
            mg.check_gradients(f, x, grad=grad, seed=0)
        """: "returns None",
    },
)
def make_test(student, rng):
    a = rng.uniform(0.5, 1.5)

    def f(x):
        return np.sum(np.sin(a * x))

    def right(x):
        return a * np.cos(a * x)

    def outcome(grad):
        test = student.make_test(f, grad)
        if not callable(test):
            raise Wrong(f"make_test returns {test!r}; expected the test, a function")
        holds(hasattr(test, "hypothesis"), "the test draws no inputs: it has no decorator @given(...)")
        test()

    with hypothesis_for_grading():
        try:
            outcome(right)
        except (AssertionError, ArithmeticError, ValueError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Wrong(f"the test fails for a right gradient: {said}") from None
        planted = {
            "that is wrong everywhere: does it raise?": lambda x: -right(x) - 1,
            "that is wrong for negative x: draw both signs": lambda x: np.where(x < 0, -1, 1) * right(x),
            "that is wrong for arrays of more than one element": lambda x: right(x) / max(x.size, 1),
            "that is wrong for arrays with two axes": lambda x: right(x) * (2 if x.ndim == 2 else 1),
        }
        for name, grad in planted.items():
            found = False
            try:
                outcome(grad)
            except Exception:
                found = True
            holds(found, f"the test passes a gradient {name}")


@check(
    "04.4",
    wrong={
        """
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        p[np.arange(len(labels)), labels] -= 1
        return p
        """: "misses the 1/n of a mean",
        """
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return p / len(labels)
        """: "label",
        """
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        p[np.arange(len(labels)), labels] -= 1
        return p / p.size
        """: "1/n too many",
        """
        e = np.exp(logits - logits.max(axis=0))
        p = e / e.sum(axis=0)
        p[np.arange(len(labels)), labels] -= 1
        return p / len(labels)
        """: "another axis",
        """
        logits -= logits.max(axis=1, keepdims=True)
        e = np.exp(logits)
        p = e / e.sum(axis=1, keepdims=True)
        p[np.arange(len(labels)), labels] -= 1
        return p / len(labels)
        """: "in place",
    },
)
def cross_entropy_grad(student, rng):
    N, C = rng.permutation([3, 4, 5])[:2]
    logits, labels = rng.normal(size=(N, C)), rng.integers(0, C, size=N)
    rows = np.arange(N)

    def loss(logits):
        top = logits.max(axis=1, keepdims=True)
        return np.mean(np.log(np.sum(np.exp(logits - top), axis=1)) - (logits - top)[rows, labels])

    got = np.asarray(student.cross_entropy_grad(logits.copy(), labels.copy()))
    p = softmax_reference(logits)
    if got.shape == p.shape:
        holds(not np.allclose(got, p / N), "the gradient does not depend on the labels: softmax minus what?")
        e = np.exp(logits)
        swapped = e / e.sum(axis=0)
        swapped[rows, labels] -= 1
        holds(not np.allclose(got, swapped / N), "the softmax runs along another axis: the classes are axis 1")
    right_gradient(loss, lambda logits: student.cross_entropy_grad(logits, labels), logits)
