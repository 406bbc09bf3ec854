"""Optimiser and averaging kernels: one pass over flat buffers, in place. Hyperparameters come as one short array."""

import math

from minigan.kernels.jit import inner, njit
from minigan.kernels.threads import ELEMENTS, share


@inner
def _part_of(part, x):
    return x[part * ELEMENTS : (part + 1) * ELEMENTS]


@njit
def sgd(p, g, velocity, numbers):
    """velocity <- momentum velocity + g;  p <- p - lr velocity."""
    lr, momentum = numbers[0], numbers[1]
    for i in range(p.size):
        v = momentum * velocity[i] + g[i]
        velocity[i] = v
        p[i] -= lr * v


@njit
def adam(p, g, m, v, numbers):
    """Adam (Kingma & Ba, 2015, algorithm 1), the bias corrections 1 - beta^t among the numbers."""
    _adam(-(-p.size // ELEMENTS), p, g, m, v, numbers)


@share
@inner
def _adam(part, p, g, m, v, numbers):
    p, g, m, v = _part_of(part, p), _part_of(part, g), _part_of(part, m), _part_of(part, v)
    lr, beta1, beta2, eps = numbers[0], numbers[1], numbers[2], numbers[3]
    correction1, correction2 = numbers[4], numbers[5]
    one = p.dtype.type(1)
    rate = lr / correction1
    scale = one / math.sqrt(correction2)
    for i in range(p.size):
        m_i = beta1 * m[i] + (one - beta1) * g[i]
        v_i = beta2 * v[i] + (one - beta2) * g[i] * g[i]
        m[i] = m_i
        v[i] = v_i
        p[i] -= rate * m_i / (math.sqrt(v_i) * scale + eps)


@njit
def rmsprop(p, g, v, numbers):
    """v <- alpha v + (1 - alpha) g^2;  p <- p - lr g / (sqrt(v) + eps)."""
    lr, alpha, eps = numbers[0], numbers[1], numbers[2]
    one = p.dtype.type(1)
    for i in range(p.size):
        v_i = alpha * v[i] + (one - alpha) * g[i] * g[i]
        v[i] = v_i
        p[i] -= lr * g[i] / (math.sqrt(v_i) + eps)


@njit
def ema(average, p, numbers):
    """average <- decay average + (1 - decay) p."""
    _ema(-(-p.size // ELEMENTS), average, p, numbers)


@share
@inner
def _ema(part, average, p, numbers):
    average, p = _part_of(part, average), _part_of(part, p)
    decay = numbers[0]
    one = p.dtype.type(1)
    for i in range(p.size):
        average[i] = decay * average[i] + (one - decay) * p[i]
