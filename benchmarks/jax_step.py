"""The GAN step of `gan_step.py` in JAX, compiled as one function. For comparison only: JAX is not a dependency."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from jax import random, tree

from benchmarks.workloads import BETAS, RATE


def jax_step(work):
    """Return a function that does one step and returns (d_loss, g_loss)."""

    def generate(G, key):
        x = _apply(G, random.normal(key, work.noise_shape))
        return jax.nn.sigmoid(x) if work.images else x

    def d_loss(D, real, fake):
        loss = jax.nn.softplus(-_apply(D, real)).mean() + jax.nn.softplus(_apply(D, fake)).mean()
        if not work.r1:
            return loss, loss
        gradient = jax.grad(lambda x: _apply(D, x).sum())(real)
        return loss + 0.5 * work.r1 * jnp.square(gradient).sum() / work.batch, loss

    def g_loss(G, D, key):
        return jax.nn.softplus(-_apply(D, generate(G, key))).mean()

    def step(G, D, t, key, real):
        key, d_key, g_key = random.split(key, 3)
        (_, d_value), d_grad = jax.value_and_grad(d_loss, has_aux=True)(D[0], real, generate(G[0], d_key))
        D = _adam(*D, d_grad, t)
        g_value, g_grad = jax.value_and_grad(g_loss)(G[0], D[0], g_key)
        return _adam(*G, g_grad, t), D, t + 1, key, (d_value, g_value)

    compiled = jax.jit(step, donate_argnums=(0, 1, 2, 3))
    G, D = _initial(random.key(0), work.generator), _initial(random.key(1), work.discriminator)
    t, key = jnp.float32(1), random.key(2)
    real = random.uniform(random.key(3), work.real_shape)

    def run():
        nonlocal G, D, t, key
        G, D, t, key, losses = compiled(G, D, t, key, real)
        return [float(loss) for loss in losses]

    return run


def _initial(key, sizes):
    """Return the parameters of a network with Adam's two averages: (layers, m, v)."""
    keys = random.split(key, len(sizes) - 1)
    layers = [
        (random.uniform(k, (i, o), minval=-1, maxval=1) / i**0.5, jnp.zeros(o))
        for k, (i, o) in zip(keys, pairwise(sizes), strict=True)
    ]
    return layers, tree.map(jnp.zeros_like, layers), tree.map(jnp.zeros_like, layers)


def _apply(layers, x):
    for W, b in layers[:-1]:
        x = jax.nn.leaky_relu(x @ W + b, 0.2)
    W, b = layers[-1]
    return x @ W + b


def _adam(p, m, v, g, t):
    b1, b2 = BETAS
    m = tree.map(lambda m, g: b1 * m + (1 - b1) * g, m, g)
    v = tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, v, g)
    rate, scale = RATE / (1 - b1**t), 1 / (1 - b2**t)
    return tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v * scale) + 1e-8), p, m, v), m, v
