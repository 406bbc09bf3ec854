"""One step of a GAN, computed by hand: both losses, penalties, who moves, rates."""

import numpy as np
import pytest

import minigan as mg
from minigan import losses, nn, random
from minigan.training import GAN


class Line(nn.Module):
    """x -> w x + b, of one number: small enough to differentiate on paper."""

    def __init__(self, w, b):
        self.w = nn.module.Parameter(np.float32(w), True)
        self.b = nn.module.Parameter(np.float32(b), True)

    def forward(self, x):
        return self.w * x + self.b


def test_one_step_is_the_step_on_paper():
    """D(x) = v x + c, G(z) = w z + b, non-saturating: Adam's first step moves each parameter by lr against its sign."""
    v, c, w, b, lr = 0.7, -0.2, 1.5, 0.3, 0.01
    gan = GAN(Line(w, b), Line(v, c), loss="non_saturating", latent_normals=1, lr_g=lr, lr_d=lr, seed=3, steps=9)
    real = np.random.default_rng(1).normal(2.0, 1.0, (64, 1)).astype(np.float32)
    draws = random.default_rng(3)
    z1, z2 = draws.normal((64, 1)).numpy(), draws.normal((64, 1)).numpy()  # fresh noise for each player

    def p(a):
        return 1 / (1 + np.exp(-a))

    fake = w * z1 + b
    real_logits, fake_logits = v * real + c, v * fake + c
    g_v = np.mean((p(real_logits) - 1) * real) + np.mean(p(fake_logits) * fake)
    g_c = np.mean(p(real_logits) - 1) + np.mean(p(fake_logits))
    v1, c1 = v - lr * np.sign(g_v), c - lr * np.sign(g_c)
    a = v1 * (w * z2 + b) + c1  # the generator plays against the new discriminator
    g_w, g_b = np.mean((p(a) - 1) * v1 * z2), np.mean((p(a) - 1) * v1)

    d_loss, g_loss, d_real, d_fake = gan.train_step(mg.tensor(real))
    expected_d = np.mean(np.log1p(np.exp(-real_logits))) + np.mean(np.log1p(np.exp(fake_logits)))
    assert d_loss.item() == pytest.approx(expected_d, rel=1e-5)
    assert g_loss.item() == pytest.approx(np.mean(np.log1p(np.exp(-a))), rel=1e-5)
    np.testing.assert_allclose(d_real.numpy(), real_logits, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(d_fake.numpy(), fake_logits, rtol=1e-4, atol=1e-6)
    state = gan.state()[0]
    new = [state[name].item() for name in ("discriminator.w", "discriminator.b", "generator.w", "generator.b")]
    np.testing.assert_allclose(new, [v1, c1, w - lr * np.sign(g_w), b - lr * np.sign(g_b)], rtol=1e-5)


def test_penalties_enter_with_half_their_weight():
    """On D(x) = v x + c, R1 = R2 = v^2: each adds gamma v to the gradient of v, and nothing to that of c."""
    step = {}
    for gamma in (0.0, 1e-3, 1e3):
        options = {"latent_normals": 1, "lr_d": 0.01, "lr_g": 0.0, "beta1": 0.0, "steps": 9}
        gan = GAN(Line(1.0, 0.0), Line(0.5, 0.0), r1=gamma, r2=gamma, **options)
        gan.train_step(mg.tensor(np.full((8, 1), 3.0, np.float32)))
        step[gamma] = gan.state()[0]["d_optimiser.m"]  # beta1 = 0: the gradient itself
    for gamma in (1e-3, 1e3):
        np.testing.assert_allclose((step[gamma] - step[0.0])[0], 2 * gamma * 0.5, rtol=1e-2 if gamma < 1 else 1e-5)
        np.testing.assert_allclose(step[gamma][1], step[0.0][1], atol=1e-4 * gamma)  # c does not enter


def test_the_step_of_a_loss_on_pairs_with_both_penalties(networks):
    """The gradient of D's whole objective, and G's loss against the *new* D, on real and fake logits alike."""
    gan = GAN(*networks(), loss="relativistic", r1=0.7, r2=3.0, beta1=0.0, lr_d=0.05, seed=3, steps=9)
    generator, discriminator = networks()
    real = mg.tensor(np.random.default_rng(1).normal(2.0, 1.0, (16, 1)).astype(np.float32))
    draws = random.default_rng(3)
    fake = mg.tensor(generator(draws.normal((16, 1))).numpy())
    loss = losses.get("relativistic")
    objective = loss.discriminator(discriminator(real), discriminator(fake))
    objective = objective + 0.35 * mg.penalties.r1(discriminator, real) + 1.5 * mg.penalties.r2(discriminator, fake)
    objective.backward()

    _, g_loss, _, _ = gan.train_step(real)
    gradient = np.concatenate([p.grad.numpy().reshape(-1) for p in discriminator.parameters()])
    np.testing.assert_allclose(gan.state()[0]["d_optimiser.m"], gradient, rtol=1e-4, atol=1e-6)
    second = generator(draws.normal((16, 1)))  # the old generator, the new discriminator
    expected = loss.generator(gan.discriminator(real), gan.discriminator(second)).item()
    assert g_loss.item() == pytest.approx(expected, rel=1e-6)
    assert abs(expected - loss.generator(discriminator(real), discriminator(second)).item()) > 1e-3


@pytest.mark.parametrize("frozen", ["generator", "discriminator"])
def test_each_player_moves_only_its_own_parameters(small, fit, weights, frozen):
    gan = small(**{f"lr_{frozen[0]}": 0.0})
    before = weights(gan)
    fit(gan)
    moved = {name.split(".")[0] for name, value in weights(gan).items() if not np.array_equal(value, before[name])}
    other = {"generator": "discriminator", "discriminator": "generator"}[frozen]
    assert frozen not in moved
    assert other in moved


def test_rates_follow_the_schedule(small, fit, monkeypatch):
    gan = small(warmup=4, cosine_from=0.5, steps=12, lr_g=0.1, lr_d=0.2)
    seen = []
    step = GAN.train_step

    def watched(self, real):
        result = step(self, real)
        seen.append((self.g_optimiser.lr, self.d_optimiser.lr))
        return result

    monkeypatch.setattr(GAN, "train_step", watched)
    fit(gan)
    rates = [0.25, 0.5, 0.75, 1, 1, 1, *(0.5 * (1 + np.cos(np.pi * k / 6)) for k in range(6))]
    np.testing.assert_allclose(seen, [(0.1 * r, 0.2 * r) for r in rates], rtol=1e-12)
