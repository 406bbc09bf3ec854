"""A compiled step does what the eager one does, and says so where it cannot."""

from itertools import pairwise

import numpy as np
import pytest

import minigan as mg
from minigan.errors import TraceError


def networks(seed=0, sizes=((3, 8, 2), (2, 8, 1)), last=()):
    rng = mg.random.default_rng(seed)

    def net(widths, *end):
        layers = []
        for i, o in pairwise(widths):
            layers += [mg.nn.Dense(i, o, rng=rng), mg.nn.LeakyReLU()]
        return mg.nn.Sequential(*layers[:-1], *end)

    return net(sizes[0], *last), net(sizes[1])


class Game:
    """A GAN's step as a user writes it."""

    def __init__(self, loss="non_saturating", r1=0.0, r2=0.0, optimiser=mg.optim.Adam, decay=0.0, last=()):
        self.G, self.D = networks(last=last)
        self.loss, self.r1, self.r2 = mg.losses.get(loss), r1, r2
        self.g_opt, self.d_opt = optimiser(self.G.parameters(), 1e-2), optimiser(self.D.parameters(), 1e-2)
        self.average = mg.optim.EMA(self.G, decay) if decay else None
        self.rng = mg.random.default_rng(5)

    def step(self, x):
        G, D, loss = self.G, self.D, self.loss
        fake = G(self.rng.normal((len(x), 3))).detach()
        d_loss = loss.discriminator(D(x), D(fake))
        total = d_loss
        if self.r1:
            total = total + self.r1 * mg.penalties.r1(D, x)
        if self.r2:
            total = total + self.r2 * mg.penalties.r2(D, fake)
        self.d_opt.zero_grad()
        total.backward()
        self.d_opt.step()
        real = D(x).detach() if loss.real_in_generator else None
        g_loss = loss.generator(real, D(G(self.rng.normal((len(x), 3)))))
        self.g_opt.zero_grad()
        g_loss.backward(inputs=self.G.parameters())
        self.g_opt.step()
        if self.average:
            self.average.update()
        return {"d": d_loss, "g": (g_loss, fake)}

    def state(self):
        arrays = [p.numpy() for m in (self.G, self.D) for p in m.parameters()]
        for o in (self.g_opt, self.d_opt):
            arrays += list(o.state_dict().values())
        if self.average:
            arrays += [p.numpy() for p in self.average.module.parameters()]
        return arrays


def real(k, n=16):
    return mg.tensor(np.random.default_rng(k).standard_normal((n, 2)))


SETTINGS = {
    "relativistic, R1, R2": {"loss": "relativistic", "r1": 0.5, "r2": 0.25},
    "least squares, R1, tanh": {"loss": "least_squares", "r1": 1.0, "last": (mg.nn.Tanh(),)},
    "hinge, SGD": {"loss": "hinge", "optimiser": mg.optim.SGD},
    "wasserstein, RMSProp, average": {"loss": "wasserstein", "optimiser": mg.optim.RMSProp, "decay": 0.9},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_steps_equal_eager_steps(name):
    with mg.default_dtype("float64"):
        eager, ours = Game(**SETTINGS[name]), Game(**SETTINGS[name])
        fast = mg.compile(ours.step)
        for k in range(5):
            expected, got = eager.step(real(k)), fast(real(k))
            np.testing.assert_allclose(got["d"].item(), expected["d"].item(), rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(got["g"][0].item(), expected["g"][0].item(), rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(got["g"][1].numpy(), expected["g"][1].numpy(), rtol=1e-11, atol=1e-13)
        for a, b in zip(ours.state(), eager.state(), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
        assert ours.rng.state == eager.rng.state
        assert all(p.grad is None for p in [*ours.G.parameters(), *ours.D.parameters()])


def test_it_is_the_same_program_from_the_first_call_on():
    """Two runs, one of which records anew in the middle, end with the same bytes."""

    def run(break_at):
        game = Game("relativistic", r1=0.5)
        fast = mg.compile(game.step)
        for k in range(6):
            if k == break_at:
                fast = mg.compile(game.step)
            fast(mg.tensor(real(k), dtype="float32"))
        return [a.tobytes() for a in game.state()]

    assert run(None) == run(3)


# -- what may change from call to call ---------------------------------------------------------------------------------


def test_rates_arguments_and_parameters_stay_alive():
    def make():
        w = mg.tensor(np.array([1.0, 2.0]), requires_grad=True)
        return w, mg.optim.SGD([w], 0.1)

    def step_of(w, opt):
        def step(x, weight):
            loss = (weight * x * w * w).sum()
            opt.zero_grad()
            loss.backward()
            opt.step()
            return loss

        return step

    (w, opt), (v, other) = make(), make()
    eager, fast = step_of(w, opt), mg.compile(step_of(v, other))
    for k in range(6):
        x, weight = mg.tensor(np.array([1.0, k])), mg.tensor(np.array(0.5 + k))
        opt.lr = other.lr = 0.1 / (k + 1)
        if k == 4:
            for t in (w, v):
                t.assign(np.array([3.0, -1.0]))
        assert fast(x, weight).item() == pytest.approx(eager(x, weight).item(), rel=1e-13)
        np.testing.assert_allclose(v.numpy(), w.numpy(), rtol=1e-13)


def test_new_shapes_and_dtypes_make_new_versions():
    f = mg.compile(lambda x: (x * x).sum())
    for x in (np.ones(3), np.ones((2, 2)), np.ones(3, "f4"), np.ones(3)):
        for _ in range(3):
            assert f(x).item() == x.size
            assert f(x).dtype == x.dtype
    assert len(f.versions) == 3


def test_a_number_from_outside_is_noticed():
    scale = 2.0

    def step(x):
        return x * scale

    f = mg.compile(step)
    assert [f(mg.tensor([1.0])).item() for _ in range(3)] == [2.0] * 3
    scale = 5.0
    assert [f(mg.tensor([1.0])).item() for _ in range(3)] == [5.0] * 3


def test_train_and_eval_are_two_versions():
    norm = mg.nn.BatchNorm1d(2)
    f = mg.compile(lambda x: norm(x))
    x = mg.tensor(np.array([[1.0, 2.0], [3.0, 5.0]], "f4"))
    trained = [f(x).numpy() for _ in range(3)][-1]
    norm.eval()
    assert not np.allclose(f(x).numpy(), trained)
    assert norm.num_batches_tracked.item() == 3


# -- what cannot be recorded -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "step"),
    [
        ("truth", lambda x: x if x.sum() > 0 else -x),
        ("item", lambda x: x * x.sum().item()),
        ("item", lambda x: x * float(x.sum())),
        ("numpy", lambda x: mg.tensor(x.numpy() * 2)),
        ("array", lambda x: mg.tensor(np.asarray(x) * 2)),
        ("data", lambda x: mg.tensor(x.data * 2)),
    ],
)
def test_a_value_that_leaves_is_an_error_with_the_users_line(what, step):
    f = mg.compile(step)
    with pytest.raises(TraceError, match=what) as caught:
        f(mg.tensor([1.0]))
    assert "test_compile.py" in str(caught.value)
    assert mg.engine.modes.equations is None  # and nothing goes on recording


def test_a_count_of_calls_is_an_error():
    calls = []

    def step(x):
        calls.append(1)
        return x * len(calls)

    f = mg.compile(step)
    f(mg.tensor([1.0]))
    with pytest.raises(TraceError, match="at the first call"):
        f(mg.tensor([1.0]))


def test_noise_of_numpy_is_an_error():
    rng = np.random.default_rng(0)
    f = mg.compile(lambda x: x + rng.standard_normal(3))
    f(np.zeros(3))
    with pytest.raises(TraceError, match="draw random numbers from"):
        f(np.zeros(3))


def test_an_array_from_outside_that_changes_is_an_error():
    offset = np.zeros(3)
    f = mg.compile(lambda x: x + offset)
    for _ in range(3):
        f(np.ones(3))
    offset += 1
    with pytest.raises(TraceError, match="from outside has changed"):
        f(np.ones(3))


def test_other_operations_at_the_second_call_are_an_error():
    calls = []

    def step(x):
        calls.append(1)
        return x * 2.0 if len(calls) == 1 else mg.exp(x)

    f = mg.compile(step)
    f(mg.tensor([1.0]))
    with pytest.raises(TraceError, match="other things at its second call"):
        f(mg.tensor([1.0]))


# -- what it shows -----------------------------------------------------------------------------------------------------


def test_program_and_source_can_be_read():
    D = mg.nn.Sequential(mg.nn.Dense(2, 3), mg.nn.LeakyReLU(), mg.nn.Dense(3, 1))

    def judge(points):
        return D(points).mean()

    f = mg.compile(judge)
    assert f.program is None
    f(np.zeros((4, 2), "f4"))
    program, source = str(f.program), f.source
    assert "points: float32[4, 2]" in program
    assert "D_0_weight" in program
    assert "leaky_relu" in program
    assert "def part1(" in source
    assert "return D(points).mean()" in source  # the user's own line stands above what became of it
    compile(source, "source", "exec")


def test_what_was_computed_while_recording_is_not_kept():
    w = mg.tensor(np.arange(300.0), requires_grad=True)
    double = mg.compile(lambda x: mg.exp(w * x / 300.0) * 2.0)
    double(mg.tensor(np.ones(300)))
    made = [v for e in double.last.program.equations for v in e.outputs]
    assert made
    assert all(v.shape == (300,) and v.array.strides == (0,) for v in made)
    assert "float64[300]" in str(double.program)
    assert w.numpy()[7] == 7  # what is no result is still there
