r"""Standard normal numbers in float32: those of NumPy's generator PCG64, bit by bit, up to four times as fast.

*The ziggurat* (Marsaglia & Tsang, 2000). The area below f(x) = exp(-x^2/2), x > 0, is cut into 256 layers of one size::

    f_{i-1}  |-----------.                  Layer i is a rectangle from f_i up to f_{i-1}, and x_i wide. Draw a layer,
             |           |   .              and x uniformly below x_i. Where x < x_{i-1}, as it mostly is, the point is
        f_i  |-----------|-------.          below the curve at any height, and x is the result. Else draw the height,
             |           |       |  .       and where the point lies above the curve, begin anew.
             +-----------+-------+------
                     x_{i-1}    x_i

Layers count from the top, f_0 = 1, to the 255th, whose x is r. Number 0 is what is left, below f(r): a rectangle, and a
tail beyond r that is drawn by a method of its own (Marsaglia, 1964).

*PCG64* (O'Neill, 2014): a state of 128 bits, s <- a s + c, whose halves are mixed to 64 random bits. NumPy uses the
lower 32 first, and keeps the others for the next number. This works on NumPy's own memory, so whoever draws next, by
whichever of both, goes on in the same stream.
"""

import ctypes
import functools
import itertools
import math
import sys

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minigan.kernels.arrays import array
from minigan.kernels.jit import inner, njit

R = 3.6541528853610088  # where the tail begins, so that 256 layers of equal area cover everything
MULTIPLIER = 2549297995355413924 << 64 | 4865540595714422341  # of PCG64
FEWEST = 256  # numbers: for fewer, NumPy's call is the shorter one
MANY = 100_000  # numbers: NumPy draws the first ones of a process, which need not wait for the compiler


def _layers():
    """Return, for 256 layers: the width of a step of x, below which step a point is inside, and f(x)."""
    area = R * math.exp(-R * R / 2) + math.sqrt(math.pi / 2) * math.erfc(R / math.sqrt(2))
    x = [0.0] * 255 + [R]
    for i in range(254, 0, -1):
        x[i] = math.sqrt(-2 * math.log(area / x[i + 1] + math.exp(-(x[i + 1] ** 2) / 2)))
    base = area / math.exp(-R * R / 2)  # the lowest layer's width, were it a rectangle
    steps = 2.0**23  # x is one of so many
    width = np.array([base, *x[1:]]) / steps
    inside = np.array([R / base, 0.0, *(a / b for a, b in itertools.pairwise(x[1:]))]) * steps
    height = np.exp(-np.square(x) / 2)
    return width.astype(np.float32), np.rint(inside).astype(np.uint32), height.astype(np.float32)


WIDTH, INSIDE, HEIGHT = _layers()


def standard_normal(generator, shape):
    """Return what ``generator.standard_normal(shape, dtype=np.float32)`` returns, and leave it in the same state."""
    out = np.empty(shape, np.float32)
    filler(generator, out)()
    return out


def filler(generator, out):
    """Return a function that fills `out` with the generator's next numbers at each call."""
    source, flat = generator.bit_generator, out.reshape(-1)
    by_numpy = functools.partial(generator.standard_normal, dtype=np.float32, out=flat)
    if type(source) is not np.random.PCG64 or out.size < FEWEST:
        return by_numpy
    size, addresses = out.size, _addresses(source)

    def fill():
        if _has_drawn(size) and is_numpys():
            _draw(source, flat, *addresses)
        else:
            by_numpy()

    return fill


_drawn = 0  # numbers in this process


def _has_drawn(size):
    """Count `size` more numbers; return whether there have been so many that it pays to compile for them."""
    global _drawn
    _drawn += size
    return _drawn > MANY


@functools.cache
def is_numpys():
    """Return whether `_draw` does what NumPy does: where it may be, both are tried once in each process."""
    if sys.platform != "linux" or sys.byteorder != "little" or numba.config.DISABLE_JIT:
        return False
    ours, theirs = np.random.PCG64(0), np.random.PCG64(0)
    out = np.empty(10_001, np.float32)
    _draw(ours, out, *_addresses(ours))
    same = np.array_equal(out, np.random.Generator(theirs).standard_normal(out.size, dtype=np.float32))
    return same and ours.state == theirs.state


def _addresses(source):
    """Return where a PCG64 has its state, and the bits it has left over; they stay there as long as it lives."""
    address = source.ctypes.state_address  # of struct {uint128 *state; int has_uint32; uint32 uinteger;}
    return ctypes.c_uint64.from_address(address).value, address + 8


def _draw(source, out, state, spare):
    with source.lock:
        _fill(out, state, spare)


def _of_libm(name, kind):
    """Return a function of the C library's mathematics, which NumPy calls: another one's last bit may differ."""

    @intrinsic
    def call(typing, x):
        def generate(context, builder, signature, arguments):
            number = context.get_value_type(kind)
            function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(number, [number]), name)
            return builder.call(function, arguments)

        return kind(kind), generate

    return call


_exp, _log1p = _of_libm("exp", types.float64), _of_libm("log1pf", types.float32)


@intrinsic
def _advance(typing, low, high, c_low, c_high):
    """Return the halves of a s + c, numbers of 128 bits."""
    half, whole = ir.IntType(64), ir.IntType(128)

    def generate(context, builder, signature, arguments):
        def joined(low, high):
            high = builder.shl(builder.zext(high, whole), whole(64))
            return builder.or_(builder.zext(low, whole), high)

        s, c = joined(*arguments[:2]), joined(*arguments[2:])
        s = builder.add(builder.mul(s, whole(MULTIPLIER)), c)
        halves = [builder.trunc(s, half), builder.trunc(builder.lshr(s, whole(64)), half)]
        return cgutils.pack_array(builder, halves)

    return types.UniTuple(types.uint64, 2)(*[types.uint64] * 4), generate


@inner
def _bits(state, spare):
    """Return 32 random bits."""
    if spare[0]:
        spare[0] = 0
        return spare[1]
    low, high = _advance(state[0], state[1], state[2], state[3])
    state[0], state[1] = low, high
    mixed = _mixed(low, high)
    spare[0], spare[1] = 1, mixed >> np.uint64(32)
    return np.uint32(mixed)


@inner
def _mixed(low, high):
    """Return 64 bits that are fit for use: both halves in one, turned round by the six highest bits."""
    mixed, turn = low ^ high, high >> np.uint64(58)
    return mixed >> turn | mixed << (np.uint64(64) - turn & np.uint64(63))


@inner
def _point(bits):
    """Return x, of either sign, as a number and in steps, and its layer."""
    step, layer = bits >> np.uint32(9), bits & np.uint32(255)
    x = np.float32(np.int32(step)) * WIDTH[layer]
    return -x if bits & np.uint32(256) else x, step, layer


@inner
def _fraction(state, spare):
    """Return a number from [0, 1)."""
    return np.float32(_bits(state, spare) >> np.uint32(8)) / np.float32(2**24)


@njit(fastmath=())
def _fill(out, state, spare):
    """Fill `out`, given addresses: of s and c, as four halves; of whether 32 bits are left over, and which."""
    state, spare = array(state, types.uint64, (4,), "C"), array(spare, types.uint32, (2,), "C")
    for k in range(out.size):
        x, step, layer = _point(_bits(state, spare))
        out[k] = x if step < INSIDE[layer] else _beside(x, step, layer, state, spare)  # one in a hundred is


@inner(fastmath=())
def _beside(x, step, layer, state, spare):
    """Return the result for an x that is not inside its layer."""
    while True:
        if step < INSIDE[layer]:
            return x
        if layer == 0:
            return _tail(step, state, spare)
        between = (HEIGHT[layer - 1] - HEIGHT[layer]) * _fraction(state, spare) + HEIGHT[layer]
        if between < _exp(-0.5 * np.float64(x) * np.float64(x)):
            return x
        x, step, layer = _point(_bits(state, spare))


@inner(fastmath=())
def _tail(step, state, spare):
    """Return a number beyond r or -r."""
    while True:
        x = np.float32(-1 / R) * _log1p(-_fraction(state, spare))
        y = -_log1p(-_fraction(state, spare))
        if y + y > x * x:
            return -(np.float32(R) + x) if step & np.uint32(256) else np.float32(R) + x
