"""What a compiled step takes from outside may change, and the step then does what the eager one does."""

import copy
import types

import numpy as np
import pytest
from scalars import calls, scalar

import minigan as mg
from minigan.errors import TraceError

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
