"""Compiled steps of convolutional networks equal eager ones, and leave nothing to the host but random numbers."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.ops.shape import scatter_add


class DCGAN:
    """A small DCGAN (Radford et al., 2016) for 6 x 6 images, with its step as a user writes it."""

    def __init__(self, r1=0.0, norm=True):
        rng = mg.random.default_rng(0)
        between = [[nn.BatchNorm2d(c)] if norm else [] for c in (4, 3)]
        self.G = nn.Sequential(
            nn.Dense(5, 4 * 3 * 3, rng=rng),
            nn.Reshape(4, 3, 3),
            *between[0],
            nn.LeakyReLU(),
            nn.ConvTranspose2d(4, 2, 4, 2, 1, rng=rng),
            nn.Tanh(),
        )
        self.D = nn.Sequential(
            nn.Conv2d(2, 3, 4, 2, 1, bias=not norm, rng=rng),  # a mean that is taken off again has a gradient of 0
            *between[1],
            nn.LeakyReLU(),
            nn.Conv2d(3, 2, 3, 1, (1, 0), rng=rng),
            nn.LeakyReLU(),
            nn.Flatten(),
            nn.Dense(2 * 3 * 1, 1, rng=rng),
        )
        self.g_opt, self.d_opt = (mg.optim.Adam(m.parameters(), 1e-2, betas=(0.5, 0.999)) for m in (self.G, self.D))
        self.loss, self.r1, self.rng = mg.losses.get("non_saturating"), r1, mg.random.default_rng(5)

    def step(self, x):
        fake = self.G(self.rng.normal((len(x), 5)))
        d_loss = self.loss.discriminator(self.D(x), self.D(fake.detach()))
        if self.r1:
            d_loss = d_loss + self.r1 * mg.penalties.r1(self.D, x)
        self.d_opt.zero_grad()
        d_loss.backward()
        self.d_opt.step()
        g_loss = self.loss.generator(None, self.D(fake))
        self.g_opt.zero_grad()
        g_loss.backward(inputs=self.G.parameters())
        self.g_opt.step()
        return d_loss, g_loss, fake

    def state(self):
        """Return all parameters, running statistics and states of the optimisers by name."""
        state = {}
        for name in ("G", "D", "g_opt", "d_opt"):
            state.update({f"{name}.{key}": np.asarray(a) for key, a in getattr(self, name).state_dict().items()})
        return state


def on_host(step):
    """Return the names of the operations that a compiled step leaves to the eager implementations."""
    return {action.primitive.name for action in step.last.source.actions if not isinstance(action, tuple)}


def agree(a, b, tolerance):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def compare(tolerance=1e-12, steps=4, **settings):
    """Take some steps of two equal GANs, one of them compiled; return its states before and after."""
    with mg.default_dtype("float64"):
        eager, ours = DCGAN(**settings), DCGAN(**settings)
        before = {key: a.copy() for key, a in ours.state().items()}
        fast = mg.compile(ours.step)
        for k in range(steps):
            x = mg.tensor(np.random.default_rng(k).standard_normal((7, 2, 6, 6)))
            for a, b in zip(fast(x), eager.step(x), strict=True):
                agree(a.numpy(), b.numpy(), tolerance)
    expected, after = eager.state(), ours.state()
    assert expected.keys() == after.keys()
    for key, values in expected.items():
        agree(after[key], values, tolerance)
    assert not on_host(fast)
    return before, after


def test_steps_of_a_dcgan_equal_eager_steps():
    before, after = compare()
    moved = ["G.4.weight", *(key for key in before if "running" in key)]
    assert len(moved) == 1 + 2 * 2
    assert all((after[key] != before[key]).all() for key in moved)
    assert after["D.1.num_batches_tracked"] == 4 * 3


@pytest.mark.usefixtures("as_python")
@pytest.mark.parametrize("norm", [False, True])
def test_an_r1_penalty_through_convolutions(norm):
    """With normalisation: the second derivative of `batch_norm` is that of its reference, small operations."""
    compare(r1=2.0, norm=norm, steps=3, tolerance=1e-11 if norm else 1e-12)


def test_each_operation_in_single_precision():
    """Kernels that a DCGAN does not call, and layouts that it does not have."""
    rng = np.random.default_rng(0)
    x, w = (mg.tensor(rng.standard_normal(shape).astype("f4")) for shape in ((3, 4, 5), (3, 5, 2)))

    def step(x, w):
        images = x.reshape(3, 1, 4, 5).transpose(3, 2, 1, 0)  # in Fortran order: (5, 4, 1, 3)
        return (
            x @ w,
            w.swapaxes(1, 2) @ x.swapaxes(1, 2),
            x[:1] @ w[0],  # a batch and one matrix: one product of all rows
            mg.ops.softmax(x, axis=1),
            mg.ops.log_softmax(100.0 * x, axis=-1),
            mg.ops.logsumexp(1000.0 * x, axis=0),
            mg.ops.conv2d(images, mg.ops.transpose(x[:, :, :2], (1, 0, 2)).reshape(3, 4, 1, 2), padding=(1, 0)),
            *mg.ops.batch_norm(x.transpose(2, 1, 0), w[0, :4, 0], w[1, 1:, 1]),
            mg.ops.pad(x * 2.0, 1),
            scatter_add(w + 1.0, index=(slice(1, None, 2), ..., 3), shape=(6, 5, 2, 4)),
            scatter_add(w.sum(), index=(-1,), shape=(3,)),
        )

    fast = mg.compile(step)
    for _ in range(2):
        for a, b in zip(fast(x, w), step(x, w), strict=True):
            assert a.dtype == b.dtype == np.float32
            agree(a.numpy(), b.numpy(), 2e-6)
    assert on_host(fast) == set()
