"""What flows where in a step, what comes out of it, and what it looks at: a change of either is noticed or refused."""

import itertools

import numpy as np
import pytest
from scalars import calls, scalar

import minigan as mg
from minigan.errors import TraceError


def test_which_of_two_results_is_used_or_returned():
    class Steps:
        which = 0

        def __init__(self):
            self.which = 0

        def returned(self, x):
            a, b = x * 2.0, x * 3.0
            return a if self.which == 0 else b

        def used(self, x):
            a, b = x * 2.0, x * 3.0
            return {"sum": (a if self.which == 0 else b) + 1.0}

    for name, read in (("returned", lambda y: y.item()), ("used", lambda y: y["sum"].item() - 1.0)):
        steps = Steps()
        f = mg.compile(getattr(steps, name))
        assert [read(f(scalar(1.0))) for _ in range(3)] == [2.0, 2.0, 2.0]
        steps.which = 1
        assert [read(f(scalar(1.0))) for _ in range(3)] == [3.0, 3.0, 3.0]


def test_labels_flipped_by_chance_are_refused():
    flip = itertools.count()

    def step(real, fake):
        if next(flip) % 2:
            real, fake = fake, real
        return (real * 2.0 - fake).sum()

    f = mg.compile(step)
    f(scalar(1.0), scalar(2.0))
    with pytest.raises(TraceError, match="did other things at its second call"):
        f(scalar(1.0), scalar(2.0))


def test_numbers_that_are_returned_must_not_change():
    class Counting:
        n = 0

    def step(x):
        Counting.n += 1
        return {"y": x * 2.0, "n": Counting.n}

    f = mg.compile(step)
    assert f(scalar(1.0))["n"] == 1
    with pytest.raises(TraceError, match="returned something else at its second call"):
        f(scalar(1.0))


def test_an_optimiser_that_several_steps_share_moves_together_or_not_at_all():
    body, head = (mg.nn.Parameter(np.ones(2)) for _ in range(2))
    adam = mg.optim.Adam([body, head], 0.1)

    def step(x, inner):
        adam.zero_grad()
        ((inner if inner is not None else body.detach()) * head * x).sum().backward()
        adam.step()
        return head

    both, one = mg.compile(lambda x: step(x, body)), mg.compile(lambda x: step(x, None))
    for f in (both, both, one):
        f(scalar(1.0))
    assert adam.t == [2, 3]
    with pytest.raises(TraceError, match="moved more often than others"):
        both(scalar(1.0))
    assert adam.t == [2, 3]


def test_frozen_statistics_around_a_call():
    norm = mg.nn.BatchNorm1d(2)
    f = mg.compile(norm.forward)
    f([[1.0, 2.0], [3.0, 5.0]])
    with mg.nn.frozen_statistics():
        for _ in range(3):
            f([[1.0, 2.0], [3.0, 5.0]])
    assert norm.num_batches_tracked.item() == 1
    f([[1.0, 2.0], [3.0, 5.0]])
    assert norm.num_batches_tracked.item() == 2


def test_gradients_that_are_not_cleared_are_refused():
    w = mg.nn.Parameter(np.ones(2))
    sgd = mg.optim.SGD([w], 0.1)

    def forgotten(x):
        (w * x).sum().backward()
        sgd.step()

    def at_the_end(x):
        forgotten(x)
        sgd.zero_grad()

    with pytest.raises(TraceError, match="does not clear it"):
        mg.compile(forgotten)(scalar(1.0))
    assert w.data.tolist() == [1.0, 1.0]
    assert w.grad is None
    f = mg.compile(at_the_end)
    for _ in range(3):
        f(scalar(1.0))
    np.testing.assert_allclose(w.data, 0.7)


def test_an_argument_that_the_step_moves_or_writes_to_is_refused():
    w, state = mg.nn.Parameter(np.ones(2)), scalar(1.0)
    sgd = mg.optim.SGD([w], 0.1)

    def step(p):
        sgd.zero_grad()
        (p * p).sum().backward()
        sgd.step()

    def write(x):
        state.assign(state * 0.5)
        return x * 2.0

    for refused, argument in ((step, w), (write, state)):
        with pytest.raises(
            TraceError, match="argument 0 of the step is a tensor that the step also takes from outside"
        ):
            mg.compile(refused)(argument)


def test_after_a_refusal_the_step_starts_afresh():
    made = []

    def step(x):
        if not made:
            made.append(mg.tensor(np.ones(3)) * 2.0)
        return x * made[0] if len(made) == 1 else x

    f = mg.compile(step)
    f(np.ones(3))
    with pytest.raises(TraceError):
        f(np.ones(3))
    made[0] = mg.tensor(np.full(3, 2.0))
    assert [f(np.full(3, k)).data[0] for k in (1.0, 2.0, 3.0)] == [2.0, 4.0, 6.0]


def test_an_optimiser_may_be_made_by_the_first_call():
    class Trainer:
        def __init__(self):
            self.w, self.sgd = mg.nn.Parameter(np.ones(2)), None

        def step(self, x):
            if self.sgd is None:
                self.sgd = mg.optim.SGD([self.w], 0.5)
            self.sgd.zero_grad()
            (self.w * x).sum().backward()
            self.sgd.step()
            return self.w

    f = mg.compile(Trainer().step)
    assert [f(scalar(1.0)).data[0] for _ in range(3)] == [0.5, 0.0, -0.5]


def test_an_attribute_that_is_deleted_from_a_module():
    class Scaled(mg.nn.Module):
        gain = 1.0

        def forward(self, x):
            return x * self.gain

    net = Scaled()
    net.gain = 3.0
    f = mg.compile(lambda x: net(x))
    assert calls(f, 1, 1) == [3.0, 3.0]
    del net.gain
    assert calls(f, 1, 1) == [1.0, 1.0]


GAIN = 2.0


def test_what_properties_helpers_and_forward_look_at(monkeypatch):
    class Trainer:
        def __init__(self):
            self._factor = 2.0

        @property
        def factor(self):
            return self._factor

        @staticmethod
        def gain():
            return GAIN

        def helped(self, x):
            return x * self.factor * self.gain()

        def step(self, x):
            return self.helped(x)

    trainer = Trainer()
    f = mg.compile(trainer.step)
    assert calls(f, 1, 1) == [4.0, 4.0]
    trainer._factor = 3.0
    assert calls(f, 1, 1) == [6.0, 6.0]
    monkeypatch.setitem(globals(), "GAIN", 5.0)
    assert calls(f, 1, 1) == [15.0, 15.0]


def test_globals_and_containers_of_a_module_of_ones_own(monkeypatch):
    class Net(mg.nn.Module):
        def __init__(self):
            self.options = {"shift": 1.0}

        def forward(self, x):
            return x * GAIN + self.options["shift"]

    net = Net()
    f = mg.compile(lambda x: net(x))
    assert calls(f, 1, 1) == [3.0, 3.0]
    net.options["shift"] = 2.0
    assert calls(f, 1, 1) == [4.0, 4.0]
    monkeypatch.setitem(globals(), "GAIN", 5.0)
    assert calls(f, 1, 1) == [7.0, 7.0]


def test_a_rate_that_the_step_itself_reads():
    w = mg.nn.Parameter(np.ones(2))
    sgd = mg.optim.SGD([w], 0.5)

    def decayed(x):
        w.assign(w.detach() * (1 - sgd.lr * 0.5))
        return w * x

    f = mg.compile(decayed)
    assert [f(scalar(1.0)).data[0] for _ in range(2)] == [0.75, 0.5625]
    sgd.lr = 1.0
    assert f(scalar(1.0)).data[0] == 0.28125


def test_a_number_that_matters_only_while_another_is_set():
    class Steps:
        def __init__(self):
            self.penalised, self.gamma = False, 1.0

        def step(self, x):
            y = x * 2.0
            return y + self.gamma if self.penalised else y

    steps = Steps()
    f = mg.compile(steps.step)
    for gamma, penalised in itertools.product((1.0, 3.0, 5.0, 3.0), (False, False, True, True)):
        steps.gamma, steps.penalised = gamma, penalised
        assert calls(f, 1, 2) == [2.0 + penalised * gamma, 4.0 + penalised * gamma]
    assert len(f.versions) == 4


def test_adam_after_a_parameter_was_frozen_for_a_while():
    def run(wrapped):
        w, v = (mg.nn.Parameter(np.ones(2)) for _ in range(2))
        adam = mg.optim.Adam([w, v], 0.1)

        def step(x):
            adam.zero_grad()
            (w * v * x).sum().backward()
            adam.step()

        f = wrapped(step)
        for frozen in (False, False, False, True, True, False, False):
            v.requires_grad = not frozen
            f(scalar(1.0))
        return w.numpy(), v.numpy(), adam.t

    for got, expected in zip(run(mg.compile), run(lambda f: f), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


class Doubled(mg.nn.Dense):
    def forward(self, x):
        return super().forward(x) * 2.0  # the class is a global that this looks at


def test_classes_that_a_step_names_are_no_objects():
    net, sgd = Doubled(1, 1), mg.optim.SGD
    f = mg.compile(lambda x: net(x) * (sgd is mg.optim.SGD))
    for k in (1.0, 2.0, 3.0):
        np.testing.assert_array_equal(f([[k]]).data, net(mg.tensor([[k]])).data)


def test_what_would_be_frozen_is_named_with_its_line():
    numbers, noise = itertools.count(), np.random.default_rng(0)
    for step, what in (
        (lambda x: x * float(next(numbers)), "the number 1.0"),
        (lambda x: x * noise.normal(size=(3, 2)), r"an array of shape \(3, 2\)"),
    ):
        f = mg.compile(step)
        f(scalar(1.0))
        with pytest.raises(TraceError, match=rf"at .*test_recordings.py:\d+: {what} was"):
            f(scalar(1.0))


def test_a_failed_call_does_not_count_as_a_step_of_the_optimiser():
    w, numbers = mg.nn.Parameter(np.ones(2)), itertools.count()
    adam = mg.optim.Adam([w], 0.1)

    def step(x, last):
        adam.zero_grad()
        (w * x).sum().backward()
        adam.step()
        return last()

    with pytest.raises(TraceError, match="item"):
        mg.compile(lambda x: step(x, lambda: float(w.sum())))(scalar(1.0))
    assert adam.t == [0]
    f = mg.compile(lambda x: step(x, lambda: w * next(numbers)))
    f(scalar(1.0))
    with pytest.raises(TraceError, match="the number 1 was 0"):
        f(scalar(1.0))
    assert adam.t == [1]
    np.testing.assert_allclose(w.data, 0.9)
