"""No rule of the registry is refuted: a false alarm on any of them, at any input, fails here."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigan as mg
import minigan.losses  # fills the registry, with minigan.ops below it
import minigan.random
from minigan.checking import strategies
from minigan.engine import REGISTRY, bind

RECORDS = [p for p in REGISTRY.values() if p.domain.order >= 1]
DEEP = 250  # examples of each


@pytest.mark.parametrize("examples", [2, pytest.param(DEEP, marks=pytest.mark.deep)])
@pytest.mark.parametrize("record", RECORDS, ids=lambda p: p.name)
def test_a_right_rule_is_not_refuted(record, examples):
    @settings(max_examples=examples)
    @given(
        call=strategies.arguments(record.domain),
        order=st.integers(1, 2 if record.domain.order >= 2 else 1),
        seed=st.integers(0, 2**32 - 1),
    )
    def no_false_alarm(call, order, seed):
        arrays, params = call
        mg.check_gradients(lambda *xs: bind(record, *xs, **params), *arrays, order=order, seed=seed)

    no_false_alarm()


def test_the_deep_profile_draws_ten_thousand():
    assert DEEP * len(RECORDS) >= 10_000
