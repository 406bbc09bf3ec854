"""What a compiled step takes from outside may change, and the step then does what the eager one does."""

import copy
import itertools
import types

import numpy as np
import pytest

import minigan as mg
from minigan.errors import TraceError


def scalar(value, **options):
    return mg.tensor(np.array(value), **options)


def calls(f, *values):
    return [f(scalar(float(v))).item() for v in values]


# -- what is noticed ---------------------------------------------------------------------------------------------------


def test_other_tensors_networks_arrays_and_words_behind_a_name():
    w, net, words = scalar(2.0), mg.nn.Dense(1, 1, bias=False), "plus"
    net.weight.assign([[1.0]])
    offset = np.array(0.5)

    def step(x):
        y = net(mg.reshape(x, (1, 1))).sum() * w
        return y + offset if words == "plus" else y - offset

    f = mg.compile(step)
    assert calls(f, 1, 1, 2) == [2.5, 2.5, 4.5]
    w = scalar(3.0)
    assert calls(f, 1, 1, 2) == [3.5, 3.5, 6.5]
    net = mg.nn.Dense(1, 1, bias=False)
    net.weight.assign([[10.0]])
    assert calls(f, 1, 1) == [30.5, 30.5]
    offset = np.array(1.0)
    assert calls(f, 1, 1) == [31.0, 31.0]
    words = "minus"
    assert calls(f, 1, 1) == [29.0, 29.0]


SCALE = 2.0


def helper(x):
    return x * SCALE


def test_numbers_in_containers_objects_helpers_and_partial_arguments(monkeypatch):
    sizes, options, settings = [1.0, 2.0], {"gamma": 1.0}, types.SimpleNamespace(beta=1.0)
    f = mg.compile(lambda x: helper(x) * sizes[1] * options["gamma"] * settings.beta)
    assert calls(f, 1, 1, 1) == [4.0] * 3
    sizes[1] = 3.0
    assert calls(f, 1, 1, 1) == [6.0] * 3
    options["gamma"] = 2.0
    assert calls(f, 1, 1, 1) == [12.0] * 3
    settings.beta = 0.5
    assert calls(f, 1, 1, 1) == [6.0] * 3
    monkeypatch.setitem(globals(), "SCALE", 4.0)
    assert calls(f, 1, 1, 1) == [12.0] * 3


def test_attributes_of_the_object_and_of_modules_inside():
    class Trainer:
        def __init__(self):
            self.gamma, self.net = 1.0, mg.nn.Sequential(mg.nn.LeakyReLU(0.5))
            self.seen, self.training = 0, True

        def step(self, x):
            return self.scaled(self.net(x))

        def scaled(self, x):
            return x * self.gamma if self.training else x

    trainer = Trainer()
    f = mg.compile(trainer.step)
    assert calls(f, -1, -1, -1) == [-0.5] * 3
    trainer.gamma = 3.0
    assert calls(f, -1, -1, -1) == [-1.5] * 3
    trainer.net.layers[0].slope = 0.1
    assert calls(f, -1, -1) == pytest.approx([-0.3] * 2)
    trainer.seen = 7  # what no method reads
    assert f.last.fits()
    trainer.training = False
    assert calls(f, 2, 2) == [2.0] * 2


@pytest.mark.parametrize("held", ["name", "list", "object", "module", "method"])
def test_train_and_eval_wherever_the_module_is(held):
    norm = mg.nn.BatchNorm1d(2)
    x = mg.tensor(np.array([[1.0, 2.0], [3.0, 5.0]], "f4"))
    norms, holder = [norm], types.SimpleNamespace(norm=norm)
    step = {
        "name": lambda x: norm(x),
        "list": lambda x: norms[0](x),
        "object": lambda x: holder.norm(x),
        "module": norm,
        "method": norm.forward,
    }[held]
    f = mg.compile(step)
    trained = [f(x).numpy() for _ in range(3)][-1]
    norm.eval()
    judged = [f(x).numpy() for _ in range(2)]
    assert np.array_equal(*judged)
    assert not np.allclose(judged[0], trained)
    assert norm.num_batches_tracked.item() == 3
    norm.train()
    assert np.array_equal(f(x).numpy(), trained)
    assert len(f.versions) == 2


def test_a_parameter_that_is_frozen_stays():
    w, v = scalar(1.0, requires_grad=True), scalar(1.0, requires_grad=True)
    opt = mg.optim.SGD([w, v], 1.0)

    def step(x):
        loss = w * v * x
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    f = mg.compile(step)
    calls(f, 0, 0, 0)
    v.requires_grad = False
    calls(f, 0.5, 0.5)
    assert [w.item(), v.item()] == [0.0, 1.0]
    v.requires_grad = True
    calls(f, 1)
    assert [w.item(), v.item()] == [-1.0, 1.0]


def test_a_mode_that_made_no_difference_may_make_one_later():
    drop = mg.nn.Dropout(0.0, rng=0)
    f = mg.compile(lambda x: drop(x))
    ones = np.ones(50)
    assert [f(ones).numpy().min() for _ in range(3)] == [1.0] * 3
    drop.eval()
    assert [f(ones).numpy().min() for _ in range(3)] == [1.0] * 3
    drop.p = 0.5
    assert f(ones).numpy().min() == 1.0
    drop.train()
    assert f(ones).numpy().min() == 0.0
    drop.eval()
    assert f(ones).numpy().min() == 1.0


def test_another_generator_and_another_seed():
    rng = mg.random.default_rng(0)
    f = mg.compile(lambda: rng.normal(3))
    first = [f().numpy() for _ in range(3)]
    rng = mg.random.default_rng(0)
    assert np.array_equal([f().numpy() for _ in range(3)], first)

    drop = mg.nn.Dropout(0.5)
    g = mg.compile(lambda x: drop(x))
    runs = []
    for _ in range(2):
        mg.random.seed(3)
        runs.append([g(np.ones(50)).numpy() for _ in range(3)])
    assert np.array_equal(*runs)
    assert not np.array_equal(runs[0][0], runs[0][1])


def test_what_a_compiled_step_within_refers_to():
    scale = 2.0
    inner = mg.compile(lambda x: x * scale)
    outer = mg.compile(lambda x: inner(x) + 1.0)
    assert calls(outer, 1, 2, 3) == [3.0, 5.0, 7.0]
    scale = 10.0
    assert calls(outer, 1, 2) == [11.0, 21.0]


def test_equal_numbers_of_other_types_are_other_numbers():
    two = 2
    f = mg.compile(lambda x: x * two)
    assert f(np.arange(3)).dtype == np.int64
    two = 2.0
    assert f(np.arange(3)).dtype == np.float64


# -- what makes no difference ------------------------------------------------------------------------------------------


def test_counters_do_not_compile_anew():
    class Loop:
        def __init__(self):
            self.w, self.count, self.inner = scalar(2.0), 0, 0

        def step(self, x):
            self.inner += 1
            return x * self.w + 0 * (self.count > -1)

    loop = Loop()
    f = mg.compile(loop.step)
    for _ in range(6):
        assert f(scalar(3.0)).item() == 6.0
        loop.count += 1
    version = f.last
    for _ in range(3):
        f(scalar(3.0))
        loop.count += 1
    assert f.last is version
    assert f.versions == [version]
    assert loop.inner <= 4  # recordings; from then on Python's part is not run


def test_few_versions_are_kept():
    k = 0
    f = mg.compile(lambda x: x + k)
    for k in range(40):
        assert f(scalar(1.0)).item() == 1.0 + k
    assert len(f.versions) <= 16


# -- what cannot be compiled, and says so ------------------------------------------------------------------------------


def test_a_rate_changed_by_the_step_itself_is_refused():
    w = scalar(1.0, requires_grad=True)
    opt = mg.optim.SGD([w], 0.1)

    def step(x):
        opt.zero_grad()
        (w * x).backward()
        opt.step()
        opt.lr *= 0.5
        return w

    with pytest.raises(TraceError, match=r"opt_lr|opt\.lr"):
        mg.compile(step)(scalar(1.0))


def test_what_was_computed_outside_with_its_graph_is_refused():
    e = scalar(2.0, requires_grad=True)
    h = e * e
    with pytest.raises(TraceError, match="computed outside"):
        mg.compile(lambda x: x * h)(scalar(1.0))
    with pytest.raises(TraceError, match=r"argument 0 .*detach"):
        mg.compile(lambda x: x * 2)(h)
    assert mg.compile(lambda x: x * 2)(h.detach()).item() == 8.0


def test_a_copy_made_in_the_step_is_refused():
    w = scalar(1.0)
    with pytest.raises(TraceError, match="deepcopy"):
        mg.compile(lambda x: copy.deepcopy(w) * x)(scalar(1.0))


def test_a_tensor_made_past_the_recording_is_refused():
    w = scalar(1.0)
    f = mg.compile(lambda x: mg.Tensor(w._data.copy()) * x)
    f(scalar(1.0))
    with pytest.raises(TraceError, match="other tensors from outside"):
        f(scalar(1.0))


def test_writes_to_an_argument_are_refused():
    with pytest.raises(TraceError, match="writes to its argument"):
        mg.compile(lambda x: x.assign(x * 2))(scalar(1.0))


def test_a_parameter_passed_and_taken_from_outside_is_refused():
    w = scalar(3.0, requires_grad=True)
    f = mg.compile(lambda x: w * x)
    with pytest.raises(TraceError, match=r"argument 0 .* also takes from outside"):
        f(w)


def test_what_it_wanted_to_write_before_an_error_is_not_written():
    w = scalar(1.0)

    def step(x):
        w.assign(w * 2)
        return float(x)

    with pytest.raises(TraceError):
        mg.compile(step)(scalar(1.0))
    assert w.item() == 1.0


def test_writes_to_a_tensor_made_of_numbers_in_the_step_are_refused():
    def step(x):
        made = mg.tensor(np.ones(()))
        made.assign(x)
        return made * 2

    f = mg.compile(step)
    for _ in range(2):
        with pytest.raises(TraceError, match=r"test_surroundings.py:\d+: the step writes to a tensor that it has made"):
            f(scalar(1.0))


# -- what flows where, and what comes out ------------------------------------------------------------------------------


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
        with pytest.raises(TraceError, match=rf"at .*test_surroundings.py:\d+: {what} was"):
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
