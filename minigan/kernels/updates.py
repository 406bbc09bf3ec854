"""Optimiser and averaging kernels: one pass over flat buffers, in place."""

import math

from minigan.kernels.jit import njit


@njit
def sgd(p, g, velocity, lr, momentum):
    """velocity <- momentum velocity + g;  p <- p - lr velocity."""
    for i in range(p.size):
        v = momentum * velocity[i] + g[i]
        velocity[i] = v
        p[i] -= lr * v


@njit
def adam(p, g, m, v, lr, beta1, beta2, eps, correction1, correction2):
    """Adam (Kingma & Ba, 2015, algorithm 1), the bias corrections 1 - beta^t passed in."""
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
def rmsprop(p, g, v, lr, alpha, eps):
    """v <- alpha v + (1 - alpha) g^2;  p <- p - lr g / (sqrt(v) + eps)."""
    one = p.dtype.type(1)
    for i in range(p.size):
        v_i = alpha * v[i] + (one - alpha) * g[i] * g[i]
        v[i] = v_i
        p[i] -= lr * g[i] / (math.sqrt(v_i) + eps)


@njit
def ema(average, p, decay):
    """average <- decay average + (1 - decay) p."""
    one = p.dtype.type(1)
    for i in range(p.size):
        average[i] = decay * average[i] + (one - decay) * p[i]
