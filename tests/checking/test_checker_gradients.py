"""check_gradients on Tensor functions, its report, its cost, and what it says to wrong use."""

import numpy as np
import pytest

import minigan as mg
from minigan.checking import GradientReport
from minigan.domains import REAL, elementwise
from minigan.engine import Primitive, bind
from minigan.errors import DTypeError, GradientCheckError, ShapeError

RNG = np.random.default_rng(0)
X, W, B = RNG.standard_normal((5, 3)), RNG.standard_normal((3, 4)), RNG.standard_normal(4)


def sine(rule, jvp=None):
    """Declare sin with some derivative rule."""
    record = Primitive("sine", np.sin, (rule,), elementwise(REAL), jvp=jvp)
    return lambda x: bind(record, x)


def layer(x, w, b):
    return mg.tanh(x @ w + b)


# -- Tensor functions -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("order", [1, 2])
def test_right_rules_pass(order):
    report = mg.check_gradients(layer, X, W, B, order=order)
    assert report.ok
    assert not report.vacuous
    assert report.order == order
    assert mg.check_gradients(lambda x: (mg.sin(x), mg.exp(x).sum()), X, order=order).ok
    assert mg.check_gradients(mg.relu, X, order=order).ok


@pytest.mark.parametrize("seed", [0, 7])
def test_elements_of_very_different_scale_are_right_at_order_2(seed):
    report = mg.check_gradients(mg.log, np.array([1e-8, 1.0, 1e8]), order=2, seed=seed)
    assert not report.vacuous


def test_wrong_rules_are_found():
    cases = {
        "sign": lambda g, y, x: -(g * mg.cos(x)),
        "scale": lambda g, y, x: 2.0 * g * mg.cos(x),
        "zero": lambda g, y, x: 0.0 * g,
        "unknown": lambda g, y, x: g * y,
    }
    for diagnosis, rule in cases.items():
        report = mg.check_gradients(sine(rule), X, raise_on_failure=False)
        assert (report.ok, report.diagnosis, report.argument) == (False, diagnosis, 0)


def test_a_wrong_second_derivative_is_found_at_order_2_only():
    f = sine(lambda g, y, x: g * (mg.cos(x).detach() + 0.0 * x))
    assert mg.check_gradients(f, X).ok
    report = mg.check_gradients(f, X, order=2, raise_on_failure=False)
    assert (report.ok, report.order, report.diagnosis, report.name) == (False, 2, "zero", "'x'")
    assert "gradient of the gradient" in str(report)


def test_a_forward_rule_of_its_own_is_compared_with_the_reverse_rule():
    right = sine(lambda g, y, x: g * mg.cos(x), jvp=lambda t, y, x: t[0] * mg.cos(x))
    assert mg.check_gradients(right, X).ok
    wrong = sine(lambda g, y, x: g * mg.cos(x), jvp=lambda t, y, x: t[0] * mg.sin(x))
    report = mg.check_gradients(wrong, X, raise_on_failure=False)
    assert not report.ok
    assert "forward mode" in report.sentence


def test_the_argument_and_the_index_are_found():
    def f(x, w):
        wrong = np.ones(w.shape)
        wrong[1, 2] = 1.5
        return x @ sine(lambda g, y, w: g * mg.cos(w) * wrong)(w)

    report = mg.check_gradients(f, X, W, raise_on_failure=False, seed=3)
    assert (report.argument, report.name, report.index, report.diagnosis) == (1, "'w'", (1, 2), "one_element")
    assert report.claimed / report.numerical == pytest.approx(1.5)


def test_constants_are_left_alone():
    index = np.array([2, 0, 0])
    assert mg.check_gradients(lambda x, i: mg.take(x, i, axis=0), X, index).ok
    assert mg.check_gradients(lambda x, mask: mg.where(mask, x, 0.0), X, X > 0).ok
    assert mg.check_gradients(lambda x, name: getattr(mg, name)(x), X, "tanh").ok


def test_float32_is_checked_in_float64():
    report = mg.check_gradients(mg.tanh, X.astype("f4"))
    assert report.ok
    assert max(c.margin for c in report.comparisons if c.index is None) < 1e-7


def test_a_cotangent_of_ones_would_not_see_it():
    """The softmax sums to 1, so its summed derivative is 0 and any rule that returns 0 would pass."""
    vacuous = mg.check_gradients(lambda x: mg.softmax(x).sum(), X)
    assert (vacuous.ok, vacuous.vacuous) == (True, True)
    assert "nothing was proved" in str(vacuous)
    assert not mg.check_gradients(mg.softmax, X).vacuous


def test_the_full_jacobian_on_request():
    report = mg.check_gradients(lambda x: mg.softmax(x @ W), X[:2], directions="all")
    rows = {c.index for c in report.comparisons if c.index is not None}
    assert len(rows) == 6
    assert sum(c.index is not None for c in report.comparisons) == 6 * (1 + 8)  # one random row, eight of the Jacobian


# -- plain functions, order 2 ---------------------------------------------------------------------------------------
def test_order_2_of_a_plain_gradient_is_symmetry():
    def f(x):
        return np.sum(np.sin(x)) * np.sum(x**2)

    def right(x):
        return np.cos(x) * np.sum(x**2) + np.sin(x).sum() * 2 * x

    point = RNG.standard_normal(5)
    assert mg.check_gradients(f, point, grad=right, order=2).ok

    def right_here_only(x):
        return right(x) + np.outer(np.arange(5), np.ones(5)) @ (x - point)

    assert not mg.check_gradients(f, point, grad=right_here_only, order=2, raise_on_failure=False).ok


def test_a_gradient_that_was_computed_beforehand_can_be_checked():
    claimed = 2 * X
    assert mg.check_gradients(lambda x: np.sum(x**2), X, grad=lambda x: claimed).ok
    assert mg.check_gradients(lambda x: np.sum(np.abs(x)), np.zeros(3), grad=lambda x: np.zeros(3)).ok


# -- the report -----------------------------------------------------------------------------------------------------
def failing(**options):
    return mg.check_gradients(
        lambda x, y: np.sum(x * x * y), X, np.exp(X), grad=lambda x, y: (2 * x * y, -x * x), **options
    )


def test_failure_raises_with_the_report():
    with pytest.raises(GradientCheckError, match="argument 1") as caught:
        failing()
    report = caught.value.report
    assert isinstance(report, GradientReport)
    assert str(report) == str(caught.value)
    with pytest.raises(AssertionError):
        failing()


def test_the_report_fits_one_screen_and_says_everything():
    text = str(failing(raise_on_failure=False, seed=12))
    assert len(text.splitlines()) <= 24
    assert max(map(len, text.splitlines())) <= 120
    for part in ("argument 1 ('y')", "sign", "claimed", "numerical", "+-", "ratio -1", "seed=12", "look for"):
        assert part in text


def test_a_seed_replays_and_is_fresh_by_default():
    one, two = (mg.check_gradients(layer, X, W, B) for _ in range(2))
    assert one.seed != two.seed
    again = mg.check_gradients(layer, X, W, B, seed=one.seed)
    numbers = [[(c.claimed, c.numerical.value) for c in r.comparisons] for r in (one, two, again)]
    assert numbers[0] == numbers[2] != numbers[1]


def test_the_picture_shows_what_agrees_and_what_does_not():
    figure = failing(raise_on_failure=False).plot()
    (axes,) = figure.axes
    assert axes.get_title() == "gradient of argument 'y' wrong: sign"
    assert axes.get_legend_handles_labels()[1] == ["refuted"]
    figure = mg.check_gradients(layer, X, W, B).plot()
    assert figure.axes[0].get_legend_handles_labels()[1] == ["agrees"]


def test_a_kink_is_reported():
    report = mg.check_gradients(lambda x: np.sum(np.abs(x)), np.array([0.0, 1.0]), grad=np.sign)
    assert not report.vacuous
    assert "'x' lies on a kink: at index (0,), the derivative is -1 from the left, 1 from the right" in str(report)
    outside = mg.check_gradients(
        lambda x: np.sum(np.abs(x)),
        np.array([0.0, 1.0]),
        grad=lambda x: np.where(x == 0, 1.5, np.sign(x)),
        raise_on_failure=False,
    )
    assert (outside.ok, outside.index) == (False, (0,))


# -- cost -----------------------------------------------------------------------------------------------------------
def test_the_cost_does_not_grow_with_the_number_of_elements():
    costs = [
        mg.check_gradients(lambda x: np.sum(np.sin(x)), np.linspace(-3, 3, n), grad=np.cos, seed=0).evaluations
        for n in (100, 10_000, 1_000_000)
    ]
    assert max(costs) <= 60


def test_localisation_in_a_large_array_is_bounded():
    def grad(x):
        g = np.cos(x)
        g[4321] *= 1.01
        return g

    x = np.linspace(-1, 1, 10_000)
    report = mg.check_gradients(lambda x: np.sum(np.sin(x)), x, grad=grad, raise_on_failure=False)
    assert (report.diagnosis, report.index) == ("one_element", (4321,))
    assert report.evaluations < 2000


# -- wrong use ------------------------------------------------------------------------------------------------------
def test_wrong_use():
    def ones(x):
        return np.ones_like(x)

    with pytest.raises(DTypeError, match="hand-derived gradient"):
        mg.check_gradients(lambda x: np.sum(x.data), X)
    with pytest.raises(ShapeError, match="expected one number"):
        mg.check_gradients(lambda x: x, X, grad=ones)
    with pytest.raises(DTypeError, match="one real number"):
        mg.check_gradients(lambda x: 1j, X, grad=ones)
    with pytest.raises(DTypeError, match="complex"):
        mg.check_gradients(np.sum, X + 1j, grad=ones)
    with pytest.raises(DTypeError, match="at least one floating-point array"):
        mg.check_gradients(np.sum, X > 0, grad=ones)
    with pytest.raises(ValueError, match="expected 1 or 2"):
        mg.check_gradients(np.sum, X, grad=ones, order=3)
    with pytest.raises(ValueError, match="positive number"):
        mg.check_gradients(np.sum, X, grad=ones, directions=0)


def test_a_function_that_is_not_finite_is_refuted():
    report = mg.check_gradients(lambda x: np.nan, X, grad=np.ones_like, raise_on_failure=False)
    assert not report.ok
    assert "not finite" in report.sentence
    report = mg.check_gradients(lambda x: np.sum(x**2), X, grad=lambda x: x / 0 * 0, raise_on_failure=False)
    assert not report.ok


def test_a_python_integer_is_a_constant_beside_floats_and_a_number_alone():
    report = mg.check_gradients(lambda x, n: x**n, 1.5, 3, grad=lambda x, n: (n * x ** (n - 1), None))
    assert "'n' is an integer, so it was held constant: pass 3.0 to vary it" in str(report)
    assert not mg.check_gradients(lambda x: x**2, 3, grad=lambda x: 2 * x).vacuous
