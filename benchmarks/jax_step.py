"""The GAN step of `gan_step.py` in JAX, compiled as one function. For comparison only: JAX is not a dependency.

The state of networks and optimisers is donated. Batch norm keeps no running statistics here.
"""

import jax
import jax.numpy as jnp
from jax import random, tree

from benchmarks.jax_networks import networks
from benchmarks.workloads import BETAS, RATE, Convolutional


def jax_step(work):
    """Return a function that does one step and returns (d_loss, g_loss)."""
    initial, generator, discriminator = networks(work)

    def squared_gradient(pull_back, logits):
        return jnp.square(pull_back(jnp.ones_like(logits))[0]).sum() / work.batch

    def d_loss(D, real, fake):
        real_logits, real_back = jax.vjp(lambda x: discriminator(D, x), real)
        fake_logits, fake_back = jax.vjp(lambda x: discriminator(D, x), fake)
        if work.relativistic:
            loss = jax.nn.softplus(fake_logits - real_logits).mean()
        else:
            loss = jax.nn.softplus(-real_logits).mean() + jax.nn.softplus(fake_logits).mean()
        r1 = 0.5 * work.r1 * squared_gradient(real_back, real_logits) if work.r1 else 0.0
        r2 = 0.5 * work.r2 * squared_gradient(fake_back, fake_logits) if work.r2 else 0.0
        return loss + r1 + r2, loss

    def g_loss(G, D, key, real):
        rivals = discriminator(D, real) if work.relativistic else 0.0
        fakes = discriminator(D, generator(G, random.normal(key, work.noise_shape)))
        return jax.nn.softplus(rivals - fakes).mean()

    def step(G, D, t, key, real):
        key, d_key, g_key = random.split(key, 3)
        fake = generator(G[0], random.normal(d_key, work.noise_shape))
        (_, d_value), d_grad = jax.value_and_grad(d_loss, has_aux=True)(D[0], real, fake)
        D = _adam(*D, d_grad, t)
        g_value, g_grad = jax.value_and_grad(g_loss)(G[0], D[0], g_key, real)
        return _adam(*G, g_grad, t), D, t + 1, key, (d_value, g_value)

    compiled = jax.jit(step, donate_argnums=(0, 1, 2, 3))
    G, D = ((p, tree.map(jnp.zeros_like, p), tree.map(jnp.zeros_like, p)) for p in initial(random.key(0)))
    t, key = jnp.float32(1), random.key(2)
    real = random.uniform(random.key(3), work.real_shape)
    real = jnp.moveaxis(real, 1, -1) if isinstance(work, Convolutional) else real

    def run():
        nonlocal G, D, t, key
        G, D, t, key, losses = compiled(G, D, t, key, real)
        return [float(loss) for loss in losses]

    return run


def _adam(p, m, v, g, t):
    b1, b2 = BETAS
    m = tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, g)
    v = tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)
    rate, scale = RATE / (1 - b1**t), 1 / (1 - b2**t)
    return tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + 1e-8), p, m, v), m, v
