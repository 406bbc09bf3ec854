"""Self-attention: every place looks at every other place."""

import numpy as np

from minigan import ops, random
from minigan.engine import as_tensor, modes
from minigan.errors import ConfigError, ShapeError
from minigan.nn.layers import Dense
from minigan.nn.module import Module, Parameter


class SelfAttention(Module):
    """Single-head self-attention with a learned gate, as in SAGAN (Zhang et al., 2019).

    Parameters
    ----------
    channels : int
        C.
    hidden : int, optional
        Width d of queries, keys and values; by default C/8, at least 1.
    rng : mg.random.Generator, optional
        Where the first weights come from; the package's generator by default.

    Attributes
    ----------
    query, key, value : Dense layers C -> d without bias
    out : Dense layer d -> C without bias
    gamma : 0-d Parameter
        The gate. It starts at 0, where the layer is the identity: the network learns what is near first.

    Notes
    -----
    For one sample x (T, C), with Q = x W_q^T, K = x W_k^T, V = x W_v^T (Zhang et al., 2019, eqs. 1 to 3)::

        y = x + gamma softmax(Q K^T) V W_o^T

    The softmax is over the last axis: row t holds how much place t attends to each place s. The scores are not divided
    by sqrt(d), as Zhang et al. have it; Vaswani et al. (2017) do.

    An image (N, C, H, W) is a sequence of its T = H W pixels:
    ``x.reshape(N, C, H * W).swapaxes(1, 2)``, and back alike.
    """

    def __init__(self, channels, hidden=None, rng=None):
        hidden = max(1, channels // 8) if hidden is None else hidden
        if min(channels, hidden) < 1:
            raise ConfigError(f"SelfAttention: got {channels} channels, {hidden} hidden; expected 1 or more")
        rng = random.default_rng_or_package(rng)
        self.channels, self.hidden = channels, hidden
        self.query, self.key, self.value = (Dense(channels, hidden, bias=False, rng=rng) for _ in range(3))
        self.out = Dense(hidden, channels, bias=False, rng=rng)
        self.gamma = Parameter(np.zeros((), modes.default_dtype))

    def attention(self, x):
        """Return softmax(Q K^T) (N, T, T) of x (N, T, C): rows of weights that sum to 1."""
        x = as_tensor(x)
        if x.ndim != 3 or x.shape[2] != self.channels:
            raise ShapeError(f"SelfAttention: x has shape {x.shape}, expected (N, T, C) with C={self.channels}")
        return ops.softmax(self.query(x) @ ops.swapaxes(self.key(x), 1, 2), axis=-1)

    def forward(self, x):
        """Map x (N, T, C) to the same shape."""
        x = as_tensor(x)
        return x + self.gamma * self.out(self.attention(x) @ self.value(x))

    def extra_repr(self):
        return f"{self.channels}, hidden={self.hidden}"
