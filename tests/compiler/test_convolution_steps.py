"""Compiled steps of convolutional networks equal eager ones, and leave nothing to the host but random numbers."""

import numpy as np
import pytest

import minigan as mg
from minigan import nn
from minigan.compiler.passes import is_view, lowering_of
from minigan.lowerings import OnHost


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
    equations = [e for e in step.program.equations if e.inputs and not is_view(e)]
    return {e.primitive.name for e in equations if lowering_of(e) is OnHost}


def agree(a, b, tolerance):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("r1", [0.0, 2.0], ids=["first order", "R1 penalty"])
def test_steps_of_a_dcgan_equal_eager_steps(r1):
    with mg.default_dtype("float64"):
        eager, ours = DCGAN(r1, norm=not r1), DCGAN(r1, norm=not r1)
        fast, start = mg.compile(ours.step), ours.state()
        start = {key: a.copy() for key, a in start.items()}
        for k in range(4):
            x = mg.tensor(np.random.default_rng(k).standard_normal((7, 2, 6, 6)))
            for a, b in zip(fast(x), eager.step(x), strict=True):
                agree(a.numpy(), b.numpy(), 1e-12)
    expected, got = eager.state(), ours.state()
    assert expected.keys() == got.keys()
    for key, values in expected.items():
        agree(got[key], values, 1e-12)
    moving = [key for key in start if "running" in key]
    assert len(moving) == (0 if r1 else 4)
    assert all((got[key] != start[key]).all() for key in [*moving, "G.4.weight" if not r1 else "G.3.weight"])
    assert not on_host(fast)


def test_the_penalty_through_batch_normalisation():
    """The second derivative of `batch_norm` is that of its reference, which is small operations."""
    with mg.default_dtype("float64"):
        eager, ours = DCGAN(1.0), DCGAN(1.0)
        fast = mg.compile(ours.step)
        for k in range(3):
            x = mg.tensor(np.random.default_rng(k).standard_normal((4, 2, 6, 6)))
            for a, b in zip(fast(x), eager.step(x), strict=True):
                agree(a.numpy(), b.numpy(), 1e-11)
    expected, got = eager.state(), ours.state()
    for key, values in expected.items():
        agree(got[key], values, 1e-11)
    assert not on_host(fast)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_operation_compiled(dtype):
    """Kernels that a DCGAN does not call, and layouts that it does not have."""
    rng = np.random.default_rng(0)
    x, w = (mg.tensor(rng.standard_normal(shape).astype(dtype)) for shape in ((3, 4, 5), (3, 5, 2)))

    def step(x, w):
        images = x.reshape(3, 1, 4, 5).transpose(3, 2, 1, 0)  # in Fortran order: (5, 4, 1, 3)
        return (
            x @ w,
            w.swapaxes(1, 2) @ x.swapaxes(1, 2),
            x[:1] @ w[0],  # pairs of a batch and one matrix: on the host
            mg.ops.softmax(x, axis=1),
            mg.ops.log_softmax(100.0 * x, axis=-1),
            mg.ops.logsumexp(1000.0 * x, axis=0),
            mg.ops.conv2d(images, mg.ops.transpose(x[:, :, :2], (1, 0, 2)).reshape(3, 4, 1, 2), padding=(1, 0)),
            *mg.ops.batch_norm(x.transpose(2, 1, 0), w[0, :4, 0], w[1, 1:, 1]),
        )

    fast = mg.compile(step)
    for _ in range(2):
        for a, b in zip(fast(x, w), step(x, w), strict=True):
            assert a.dtype == b.dtype == dtype
            agree(a.numpy(), b.numpy(), 1e-12 if dtype == "float64" else 2e-6)
    assert on_host(fast) == {"matmul"}
