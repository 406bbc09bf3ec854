"""The networks of `workloads.py` as functions of their parameters, for JAX."""

from itertools import pairwise

import jax
import jax.numpy as jnp
from jax import lax, random

from benchmarks.workloads import Dense, Recurrent


def networks(work):
    """Return (initial, generator, discriminator).

    Returns
    -------
    initial : function from a key to both networks' parameters
    generator : function from parameters and noise to samples; images are (N, H, W, C)
    discriminator : function from parameters and samples to logits
    """
    kind = _dense if isinstance(work, Dense) else _recurrent if isinstance(work, Recurrent) else _convolutional
    return kind(work)


def _uniform(key, shape, inputs):
    return random.uniform(key, shape, minval=-1, maxval=1) / inputs**0.5


def _affine(key, inputs, outputs):
    return _uniform(key, (inputs, outputs), inputs), jnp.zeros(outputs)


# -- dense ----------------------------------------------------------------------------------------------------------
def _dense(work):
    def initial(key):
        g_key, d_key = random.split(key)
        return _layers(g_key, work.generator), _layers(d_key, work.discriminator)

    def generator(G, z):
        x = _perceptron(G, z)
        return jax.nn.sigmoid(x) if work.images else x

    return initial, generator, _perceptron


def _layers(key, sizes):
    return [_affine(k, *pair) for k, pair in zip(random.split(key, len(sizes) - 1), pairwise(sizes), strict=True)]


def _perceptron(layers, x):
    for W, b in layers[:-1]:
        x = jax.nn.leaky_relu(x @ W + b, 0.2)
    W, b = layers[-1]
    return x @ W + b


# -- recurrent ------------------------------------------------------------------------------------------------------
def _recurrent(work):
    def network(key, inputs):
        keys, H = random.split(key, 3), work.hidden
        return {
            "W_ih": _uniform(keys[0], (inputs, 4 * H), H),
            "W_hh": _uniform(keys[1], (H, 4 * H), H),
            "b": jnp.zeros(4 * H),
            "head": _affine(keys[2], H, 1),
        }

    def initial(key):
        g_key, d_key = random.split(key)
        return network(g_key, work.noise), network(d_key, 1)

    def heads(p, x):
        W, b = p["head"]
        return _lstm(p, x) @ W + b

    return initial, lambda G, z: jnp.tanh(heads(G, z)), lambda D, x: heads(D, x).mean(0)


def _lstm(p, x):
    """Return the states (T, N, H) of an LSTM; its inputs of all time steps meet their weights in one product."""

    def cell(state, of_input):
        h, c = state
        i, f, g, o = jnp.split(of_input + h @ p["W_hh"], 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    zero = jnp.zeros((x.shape[1], len(p["W_hh"])))
    return lax.scan(cell, (zero, zero), x @ p["W_ih"] + p["b"])[1]


# -- convolutional --------------------------------------------------------------------------------------------------
_AXES = ("NHWC", "HWIO", "NHWC")


def _convolutional(work):
    many, few = work.channels

    def norm(channels):
        return jnp.ones(channels), jnp.zeros(channels)

    def initial(key):
        k = random.split(key, 6)
        G = {
            "dense": _uniform(k[0], (work.noise, 49 * many), work.noise),
            "norm7": norm(many),
            "conv7": _uniform(k[1], (4, 4, many, few), 16 * many),
            "norm14": norm(few),
            "conv14": (_uniform(k[2], (4, 4, few, 1), 16 * few), jnp.zeros(1)),
        }
        D = {
            "conv28": (_uniform(k[3], (4, 4, 1, few), 16), jnp.zeros(few)),
            "conv14": _uniform(k[4], (4, 4, few, many), 16 * few),
            "norm7": norm(many),
            "dense": _affine(k[5], 49 * many, 1),
        }
        return G, D

    def generator(G, z):
        x = (z @ G["dense"]).reshape(len(z), 7, 7, many)
        x = jax.nn.relu(_batch_norm(x, *G["norm7"]))
        x = jax.nn.relu(_batch_norm(_grow(x, G["conv7"]), *G["norm14"]))
        K, b = G["conv14"]
        return jax.nn.sigmoid(_grow(x, K) + b)

    def discriminator(D, x):
        K, b = D["conv28"]
        x = jax.nn.leaky_relu(_shrink(x, K) + b, 0.2)
        x = jax.nn.leaky_relu(_batch_norm(_shrink(x, D["conv14"]), *D["norm7"]), 0.2)
        W, b = D["dense"]
        return x.reshape(len(x), -1) @ W + b

    return initial, generator, discriminator


def _shrink(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), [(1, 1), (1, 1)], dimension_numbers=_AXES)


def _grow(x, kernel):
    """The transpose of `_shrink`: each side doubles."""
    return lax.conv_transpose(x, kernel, (2, 2), [(2, 2), (2, 2)], dimension_numbers=_AXES)


def _batch_norm(x, scale, shift):
    mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) * (scale * lax.rsqrt(var + 1e-5)) + shift
