"""Every primitive of the registry against its numerical derivatives: a new one is tested without a test of its own."""

import dataclasses

import conformance
import numpy as np
import pytest
from conformance import Example, check_conformance
from hypothesis import given
from hypothesis import strategies as st

import minigan.losses  # fills the registry, with minigan.ops below it
import minigan.random  # noqa: F401
from minigan.domains import Domain
from minigan.engine import REGISTRY, Tensor, primitive
from minigan.engine.primitive import rules_of
from minigan.errors import ShapeError

PRIMITIVES = list(REGISTRY.values())
DIFFERENTIABLE = [p for p in PRIMITIVES if p.domain.order >= 1]
all_primitives = pytest.mark.parametrize("record", PRIMITIVES, ids=lambda p: p.name)
differentiable = pytest.mark.parametrize("record", DIFFERENTIABLE, ids=lambda p: p.name)


@all_primitives
@given(seed=st.integers(0, 2**32 - 1), side=st.integers(1, 5), layout=st.sampled_from(conformance.LAYOUTS))
def test_conformance(record, seed, side, layout):
    check_conformance(record, seed, side, layout)


@all_primitives
@pytest.mark.parametrize("layout", conformance.LAYOUTS)
def test_conformance_in_each_layout(record, layout):
    check_conformance(record, seed=1, side=3, layout=layout)


def _seed_with(record, wanted):
    """Return the first seed whose example is `wanted`, or None if the domain has no such example."""
    return next((seed for seed in range(400) if wanted(Example(record, seed))), None)


def _is_empty(example):
    return any(a.size == 0 for a in example.arrays)


EMPTY = [(p, seed) for p in PRIMITIVES if (seed := _seed_with(p, _is_empty)) is not None]


@pytest.mark.parametrize(("record", "seed"), EMPTY, ids=[p.name for p, _ in EMPTY])
def test_arrays_without_elements(record, seed):
    check_conformance(record, seed)


def test_arrays_without_elements_are_in_the_domain_of_what_takes_them():
    names = {p.name for p, _ in EMPTY}
    assert {"add", "exp", "sigmoid", "sum", "reshape", "transpose", "where", "leaky_relu", "pad"} <= names


# -- the checks prove something ---------------------------------------------------------------------------------------
# A check that compares zero with zero, or with a huge margin, would pass for any rule. So plant errors in each one.

SEEDS = range(1, 13)


def _fails(check, record):
    """Return whether any of a few examples refutes this declaration."""
    for seed in SEEDS:
        try:
            check(Example(record, seed))
        except AssertionError:
            return True
    return False


def _with_rule(record, position, change):
    """Return the declaration with ``change(cotangent, g)`` in the place of one rule's result."""
    if callable(record.vjp):

        def rule(g, *rest, position, **params):
            return change(record.vjp(g, *rest, position=position, **params), g)

        return dataclasses.replace(record, vjp=rule)
    rules = list(record.vjp)
    original = rules[position]
    rules[position] = lambda g, *rest, **params: change(original(g, *rest, **params), g)
    return dataclasses.replace(record, vjp=tuple(rules))


def _positions(record):
    example = Example(record, 0)
    return [0] if callable(record.vjp) else [i for i, r in enumerate(rules_of(record, example.arrays)) if r is not None]


@differentiable
def test_a_rule_that_is_wrong_by_a_thousandth_is_refuted(record):
    for position in _positions(record):
        assert _fails(conformance.check_reverse, _with_rule(record, position, lambda c, g: c * 1.001)), position


@differentiable
def test_a_wrong_forward_rule_is_refuted(record):
    def jvp(tangents, out, *args, **params):
        halves = [Tensor(np.full(o.shape, 0.5)) for o in (out if isinstance(out, tuple) else (out,))]
        return halves[0] if len(halves) == 1 else tuple(halves)

    assert _fails(conformance.check_forward, dataclasses.replace(record, jvp=jvp))


@differentiable
def test_a_rule_that_is_not_differentiable_is_refuted_at_second_order(record):
    """It detaches what it computed: right values, no second derivatives."""
    for position in _positions(record):
        frozen = _with_rule(record, position, lambda c, g: c.detach())
        assert not _fails(conformance.check_reverse, frozen), "the values should still be right"
        assert _fails(conformance.check_second_order, frozen), position


@pytest.mark.parametrize("record", [p for p in PRIMITIVES if p.reference], ids=lambda p: p.name)
def test_a_wrong_reference_is_refuted(record):
    def reference(*args, **params):
        out = record.reference(*args, **params)
        return tuple(o * 1.0001 for o in out) if isinstance(out, tuple) else out * 1.0001

    shifted = dataclasses.replace(record, reference=reference)
    assert _fails(conformance.check_reference, shifted)


# -- planted errors of other kinds, on a declaration of our own -------------------------------------------------------


def _cube(impl=lambda x: x * x * x, **changes):
    """Declare y = x^3 locally, with `changes`; the registry never sees it."""
    fields = {"vjp": (lambda g, y, x: g * 3.0 * x * x,), "domain": REGISTRY["tanh"].domain}
    return dataclasses.replace(REGISTRY["tanh"], name="cube", impl=impl, **{**fields, **changes})


def _conforms(record):
    for seed in SEEDS:
        for layout in conformance.LAYOUTS:
            check_conformance(record, seed, layout=layout)


def test_a_right_declaration_passes():
    _conforms(_cube())
    _conforms(_cube(jvp=lambda t, y, x: t[0] * 3.0 * x * x, reference=lambda x: x * x * x))


def _overwrite(x):
    x *= 1.0
    x[...] = 0.0
    return x**3


PLANTED = {
    "sign": ({"vjp": (lambda g, y, x: g * -3.0 * x * x,)}, "reverse mode"),
    "constant factor": ({"vjp": (lambda g, y, x: g * 3.0001 * x * x,)}, "reverse mode"),
    "forgot the cotangent": ({"vjp": (lambda g, y, x: 3.0 * x * x,)}, "reverse mode"),
    "no rule where one is needed": ({"vjp": (None,)}, "no rule"),
    "no rules known": ({"vjp": None}, "no rule"),
    "two rules for one argument": ({"vjp": (lambda g, y, x: g, lambda g, y, x: g)}, "2 rules for 1 arguments"),
    "a tuple without rules": ({"vjp": ()}, "0 rules for 1 arguments"),
    "no domain": ({"domain": None}, "no domain"),
    "domain without a tuple": ({"domain": Domain(lambda rng, side: (np.ones(3), {}))}, "expected a tuple"),
    "second derivative": ({"vjp": (lambda g, y, x: g * 3.0 * (x * x).detach(),)}, "second order"),
    "rule returns an array": ({"vjp": (lambda g, y, x: g.numpy() * 3.0 * x.numpy() ** 2,)}, "returned ndarray"),
    "rule sums": ({"vjp": (lambda g, y, x: (g * 3.0 * x * x).sum(),)}, "cotangent of shape"),
    "value": ({"reference": lambda x: x * x * x + 1e-6}, "against its reference"),
    "gradient of the reference": ({"reference": lambda x: x * x * x.detach()}, "against its reference"),
    "forward mode": ({"jvp": lambda t, y, x: t[0] * 2.0 * x * x}, "forward mode"),
    "overwrites its input": ({"impl": _overwrite}, "argument 0 was overwritten"),
    "always float64": ({"impl": lambda x: np.asarray(x, dtype="f8") ** 3}, "returned float64"),
    "believes in C order": ({"impl": lambda x: x.ravel("K").reshape(x.shape) ** 3}, "Not equal to tolerance"),
}


@pytest.mark.parametrize("error", PLANTED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # what a wrong declaration computes is its own affair
def test_a_planted_error_is_found(error):
    changes, message = PLANTED[error]
    with pytest.raises((AssertionError, ShapeError, TypeError), match=message):
        _conforms(_cube(**changes))


def test_float32_inside_is_found():
    """Differences take it for noise, so it has a check of its own."""
    assert not any(
        conformance.keeps_float64(Example(_cube(lambda x: (x.astype("f4") ** 3).astype(x.dtype)), s)) for s in SEEDS
    )


@differentiable
def test_float64_is_kept(record):
    assert any(conformance.keeps_float64(Example(record, seed)) for seed in SEEDS)


# -- declaring ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def registry():
    """Forget what a test declares."""
    before = dict(REGISTRY)
    yield REGISTRY
    REGISTRY.clear()
    REGISTRY.update(before)


def test_a_new_operation_is_one_record_and_no_test(registry):
    @primitive(vjp=(lambda g, y, x: 2.0 * g,), domain=REGISTRY["tanh"].domain)
    def twice(x):
        """Return 2 x."""
        return 2 * x

    assert registry["twice"] is twice.primitive
    assert twice([1.0, 2.0]).numpy().tolist() == [2.0, 4.0]
    assert twice.__doc__ == "Return 2 x."
    check_conformance(twice.primitive, seed=0)


def test_a_name_is_declared_once(registry):
    with pytest.raises(ValueError, match="'tanh' is declared twice"):
        primitive(vjp=(), domain=REGISTRY["tanh"].domain, name="tanh")(lambda x: x)


def test_a_declaration_needs_a_domain():
    with pytest.raises(TypeError, match="domain"):
        primitive(vjp=())(lambda x: x)
