"""Elementwise kernels. First functions of one number that vectorise inside a loop, then loops over whole arrays.

Numba calls libm for exp, tanh and their kin, one number at a time. Here, in float32, they are short polynomials, which
the compiler turns into vector instructions; float64, which proofs are made in, keeps libm. The number of bits is the
end of the name.
"""

import math

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from minigan.kernels.host import promoted
from minigan.kernels.jit import inner, njit

f32 = np.float32


def _float_of_bits(bits):
    """Read the 32 bits of an integer as a float: how 2^k is made."""
    return np.int32(bits).view(np.float32)


if not numba.config.DISABLE_JIT:  # type: ignore[attr-defined]

    @intrinsic
    def _float_of_bits(context, bits):
        def code(context, builder, signature, args):
            return builder.bitcast(args[0], ir.FloatType())

        return types.float32(types.int32), code


# e^x = 2^k e^r with x = k log 2 + r: e^r by a polynomial (the Cephes library's `expf`, relative error 1e-7), log 2 in
# two parts so that r is exact.
LOG2_E, LOG_2_HIGH, LOG_2_LOW = f32(1.44269504088896341), f32(0.693359375), f32(-2.12194440e-4)
E7, E6, E5 = f32(1.9875691500e-4), f32(1.3981999507e-3), f32(8.3334519073e-3)
E4, E3, E2 = f32(4.1665795894e-2), f32(1.6666665459e-1), f32(5.0000001201e-1)


@inner
def exp32(x):
    """e^x; inf above 88.7, 0 below -104, nan stays nan."""
    x = f32(89.0) if x > f32(89.0) else x
    x = f32(-104.5) if x < f32(-104.5) else x
    k = np.floor(x * LOG2_E + f32(0.5))
    r = x - k * LOG_2_HIGH
    r = r - k * LOG_2_LOW
    p = (((((E7 * r + E6) * r + E5) * r + E4) * r + E3) * r + E2) * r * r + r + f32(1)
    n = np.int32(k)
    half = n >> np.int32(1)  # 2^n may be no float32 where e^x is one: 2^half 2^(n-half) is
    return (
        p
        * _float_of_bits((half + np.int32(127)) << np.int32(23))
        * _float_of_bits((n - half + np.int32(127)) << np.int32(23))
    )


@inner
def exp64(x):
    return math.exp(x)


@inner
def sigmoid32(x):
    """1 / (1 + e^-x), from e^-|x|, which never overflows: full relative accuracy at both ends."""
    e = exp32(-abs(x))
    return (f32(1) if x >= 0 else e) / (f32(1) + e)


@inner
def sigmoid64(x):
    e = math.exp(-abs(x))
    return (1.0 if x >= 0 else e) / (1.0 + e)


@inner
def log1p32(x):
    return f32(math.log1p(x))


@inner
def log1p64(x):
    return math.log1p(x)


@inner
def softplus32(x):
    """log(1 + e^x) as max(x, 0) + log1p(e^-|x|)."""
    return (x if x > 0 else f32(0)) + log1p32(exp32(-abs(x)))


@inner
def softplus64(x):
    return (x if x > 0 else 0.0) + math.log1p(math.exp(-abs(x)))


# Beyond +-LARGE, tanh is 1 to float32's last digit. Inside, a quotient of two odd/even polynomials (the coefficients of
# the Eigen library's `ptanh`); the largest error is 2e-7.
LARGE = f32(7.90531110763549805)
P13, P11, P9 = f32(-2.76076847742355e-16), f32(2.00018790482477e-13), f32(-8.60467152213735e-11)
P7, P5, P3 = f32(5.12229709037114e-08), f32(1.48572235717979e-05), f32(6.37261928875436e-04)
P1 = f32(4.89352455891786e-03)
Q6, Q4 = f32(1.19825839466702e-06), f32(1.18534705686654e-04)
Q2, Q0 = f32(2.26843463243900e-03), f32(4.89352518554385e-03)


@inner
def tanh32(x):
    x = LARGE if x > LARGE else x  # compared so that nan stays nan
    x = -LARGE if x < -LARGE else x
    s = x * x
    p = ((((((P13 * s + P11) * s + P9) * s + P7) * s + P5) * s + P3) * s + P1) * x
    return p / (((Q6 * s + Q4) * s + Q2) * s + Q0)


@inner
def tanh64(x):
    return math.tanh(x)


# sin and cos of r in [-pi/4, pi/4], by Cephes' polynomials; x is brought there in float64, quarter by quarter:
# exact to 1e-7 up to 1e9; from 1e16 on, what is returned may be any number.
S7, S5, S3 = f32(-1.9515295891e-4), f32(8.3321608736e-3), f32(-1.6666654611e-1)
C8, C6, C4 = f32(2.443315711809948e-5), f32(-1.388731625493765e-3), f32(4.166664568298827e-2)


@inner
def _of_quarter(x, shift):
    """Return sin(x + shift pi/2)."""
    k = np.floor(np.float64(x) * (2 / math.pi) + 0.5)
    r = f32(np.float64(x) - k * (math.pi / 2))
    q = k + shift
    q = q - 4 * np.floor(q * 0.25)
    s = r * r
    sine = ((S7 * s + S5) * s + S3) * s * r + r
    cosine = ((C8 * s + C6) * s + C4) * s * s - f32(0.5) * s + f32(1)
    value = cosine if q == 1 or q == 3 else sine
    return -value if q >= 2 else value


@inner
def sin32(x):
    return _of_quarter(x, 0)


@inner
def cos32(x):
    return _of_quarter(x, 1)


@inner
def sin64(x):
    return math.sin(x)


@inner
def cos64(x):
    return math.cos(x)


def _libm(function):
    """Return (for float32, for float64) what libm has; not vectorised."""

    @inner
    def single(x):
        return f32(function(x))

    @inner
    def double(x):
        return function(x)

    return single, double


log32, log64 = _libm(math.log)
expm132, expm164 = _libm(math.expm1)
erf32, erf64 = _libm(math.erf)
sqrt32, sqrt64 = _libm(math.sqrt)

FUNCTIONS = ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "erf", "sigmoid", "softplus")


# -- loops over arrays: each public function brings its array to one layout, flat and contiguous, since Numba compiles
# anew for every dtype, rank and layout it meets. Results are in `host.precision` --------------------------------------


def _flat(x):
    return np.ascontiguousarray(x).reshape(-1)


def sigmoid(x):
    """Logistic function 1 / (1 + exp(-x)) of an array."""
    (x,) = promoted(x)
    flat = _flat(x)
    out = np.empty(np.shape(x), flat.dtype)
    (_sigmoid32 if flat.itemsize == 4 else _sigmoid64)(flat, out.reshape(-1))
    return out


@njit
def _sigmoid32(x, out):
    for i in range(x.size):
        out[i] = sigmoid32(x[i])


@njit
def _sigmoid64(x, out):
    for i in range(x.size):
        out[i] = sigmoid64(x[i])


def leaky_relu(x, slope):
    """x where x > 0, slope x elsewhere, of an array: its own gate."""
    return gate(x, x, slope)


def gate(g, y, slope):
    """g where y > 0, slope g elsewhere: what leaky relu lets through back. Equal shapes."""
    (g,), (y,) = promoted(g), promoted(y)
    out = np.empty(g.shape, g.dtype)
    _gate(_flat(g), _flat(y), g.dtype.type(slope), out.reshape(-1))
    return out


@njit
def _gate(g, y, slope, out):
    for i in range(g.size):
        out[i] = g[i] if y[i] > 0 else slope * g[i]


def add_bias_leaky_relu(y, b, slope):
    """Overwrite the rows of `y` (N, O) with leaky_relu(y + b): one pass over a matrix product's result."""
    _add_bias_leaky_relu(y, np.ascontiguousarray(b), y.dtype.type(slope))
    return y


@njit
def _add_bias_leaky_relu(y, b, slope):
    for n in range(y.shape[0]):
        for o in range(b.size):
            z = y[n, o] + b[o]
            y[n, o] = z if z > 0 else slope * z
