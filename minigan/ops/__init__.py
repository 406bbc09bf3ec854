"""All operations on Tensors. Each is declared once, in the module of its family; `methods` gives them to Tensor."""

from minigan.ops import methods
from minigan.ops.activations import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    logsumexp,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
)
from minigan.ops.arithmetic import (
    abs,
    add,
    clip,
    divide,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    sign,
    subtract,
    where,
)
from minigan.ops.convolution import conv2d, conv_transpose2d
from minigan.ops.linear import affine, einsum, matmul
from minigan.ops.normalisation import batch_norm
from minigan.ops.recurrent import gru, lstm, rnn
from minigan.ops.reductions import max, mean, min, norm, sum, var
from minigan.ops.shape import (
    astype,
    broadcast_to,
    concatenate,
    getitem,
    pad,
    reshape,
    split,
    stack,
    swapaxes,
    take,
    transpose,
)
from minigan.ops.smooth import cos, erf, exp, expm1, log, log1p, sin, sqrt, tanh

methods.install()

__all__ = [name for name in dir() if not name.startswith("_") and name != "methods"]
