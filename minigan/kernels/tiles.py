"""The product of two float32 matrices, as fast as the processor multiplies. Plain arrays; no autodiff here.

In C = A B every element of A and B is used many times, and a program is slow where it loads them anew each time. So the
product is cut into tiles, each as large as the registers allow (Goto and van de Geijn, 2008)::

                          64 columns of B (four registers of 16 numbers)
                              b_k  . . . .
                                   | | | |
       6 rows of A     a_1k  - [ c11 . . . ]
                        ...  - [ . 24 regi- ]     for k in depth:  c_ij += a_ik b_kj
                       a_6k  - [ . sters of C ]

For one k a tile loads 4 registers of B, and each number of A once, for 24 fused multiply-adds of 16 numbers each: so
many that none waits for another. Around it, `product` takes 128 k at a time, so that their 64 columns of B fit the
fastest cache, and brings B, and A, into the order in which a tile reads them, where they are not. Threads share its
rows and columns; which one computes an element does not matter for its bits.

A tile is written in LLVM's own language, for Numba's loops do not keep an array in registers. It needs AVX-512;
elsewhere `minigan.kernels.products` leaves the product to BLAS.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from minigan.kernels.jit import compiled_apart, inner
from minigan.kernels.threads import HELPERS, look, share

LANES = 16  # numbers in a register
ROWS, COLUMNS = 6, 64  # of a tile: 6 x 4 registers for C, 4 for B, of the 32 that there are
FEWEST_ROWS = 48  # that one thread takes, where rows are shared: it brings all of B into order for them
ENOUGH = 8  # strips of columns, for threads to share these alone: then nobody brings the same of B into order twice
SHARED = 2**18  # multiplications: fewer of them are done before another thread has come
DEPTH = 128  # of a strip of B, 128 x 64 numbers or 32 kB: two thirds of the fastest cache
BYTES = 4  # of a number

_NUMBER, _INT, _LONG = ir.FloatType(), ir.IntType(32), ir.IntType(64)
_VECTOR, _INTS, _MASK = (ir.VectorType(t, LANES) for t in (_NUMBER, _INT, ir.IntType(1)))


# -- one tile, in LLVM's language -------------------------------------------------------------------------------------


@intrinsic(prefer_literal=True)
def tile(typing, c, c_row, a, a_row, a_column, b, b_row, depth, width, add, rows, vectors):
    """C = A B, or C += A B where `add`, for a few rows of A and C and at most `16 vectors` columns of B and C.

    Parameters
    ----------
    c, a, b : int
        Addresses.
    c_row, a_row, a_column, b_row : int
        From one element to the next, in bytes; along rows of C and B they are neighbours.
    depth : int
        How many k: columns of A, rows of B.
    width : int
        Columns of B and C, more than ``16 (vectors - 1)``; the last register is filled as far as they reach.
    rows, vectors : int
        Constants: the size of the tile.
    """
    n_rows, n_vectors = rows.literal_value, vectors.literal_value
    signature = types.void(*[types.intp] * 9, types.boolean, rows, vectors)

    def generate(context, builder, signature, arguments):
        c, c_row, a, a_row, a_column, b, b_row, depth, width, add, _, _ = arguments
        vector = _Vectors(builder, width, n_vectors)
        zero = ir.Constant(_VECTOR, [0.0] * LANES)
        sums = [[cgutils.alloca_once_value(builder, zero) for _ in range(n_vectors)] for _ in range(n_rows)]
        rows_of_a = [builder.add(a, builder.mul(a_row, _LONG(i))) for i in range(n_rows)]
        rows_of_c = [builder.add(c, builder.mul(c_row, _LONG(i))) for i in range(n_rows)]
        with cgutils.for_range(builder, depth) as loop:
            row_of_b = builder.add(b, builder.mul(loop.index, b_row))
            b_k = [vector.load(row_of_b, v) for v in range(n_vectors)]
            column = builder.mul(loop.index, a_column)
            for i in range(n_rows):
                a_ik = vector.all_equal(vector.load_number(builder.add(rows_of_a[i], column)))
                for v in range(n_vectors):
                    builder.store(vector.multiply_add(a_ik, b_k[v], builder.load(sums[i][v])), sums[i][v])
        with builder.if_then(add):
            for i in range(n_rows):
                for v in range(n_vectors):
                    builder.store(builder.fadd(builder.load(sums[i][v]), vector.load(rows_of_c[i], v)), sums[i][v])
        for i in range(n_rows):
            for v in range(n_vectors):
                vector.store(builder.load(sums[i][v]), rows_of_c[i], v)
        return context.get_dummy_value()

    return signature, generate


class _Vectors:
    """Registers of 16 numbers: what can be done with them. The last one of a row may be cut off by a mask."""

    def __init__(self, builder, width, vectors):
        self.builder, self.last = builder, vectors - 1
        left = builder.trunc(builder.sub(width, _LONG(LANES * self.last)), _INT)
        self.mask = builder.icmp_signed("<", ir.Constant(_INTS, list(range(LANES))), self.all_equal(left))

    def load(self, row, v):
        where = self._place(row, v)
        if v < self.last:
            return _at_a_number(self.builder.load(where))
        load = self._llvm("masked.load", _VECTOR, _VECTOR.as_pointer(), _INT, _MASK, _VECTOR)
        return self.builder.call(load, [where, _INT(BYTES), self.mask, ir.Constant(_VECTOR, [0.0] * LANES)])

    def store(self, value, row, v):
        where = self._place(row, v)
        if v < self.last:
            _at_a_number(self.builder.store(value, where))
        else:
            store = self._llvm("masked.store", ir.VoidType(), _VECTOR, _VECTOR.as_pointer(), _INT, _MASK)
            self.builder.call(store, [value, where, _INT(BYTES), self.mask])

    def multiply_add(self, x, y, z):
        return self.builder.call(self._llvm("fma", _VECTOR, _VECTOR, _VECTOR, _VECTOR), [x, y, z])

    def all_equal(self, x):
        kind = ir.VectorType(x.type, LANES)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), x, _INT(0))
        return self.builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), ir.Constant(_INTS, [0] * LANES))

    def load_number(self, address):
        return self.builder.load(self.builder.inttoptr(address, _NUMBER.as_pointer()))

    def _place(self, row, v):
        return self.builder.inttoptr(self.builder.add(row, _LONG(BYTES * LANES * v)), _VECTOR.as_pointer())

    def _llvm(self, name, result, *arguments):
        pointer = ".p0" if name.startswith("masked") else ""
        kind = ir.FunctionType(result, arguments)
        return cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.v{LANES}f32{pointer}")


def _at_a_number(instruction):
    """Say that an address is a number's, not a whole register's."""
    instruction.align = BYTES
    return instruction


@intrinsic
def copy_number(typing, out, x):
    """Copy the number at an address to another."""

    def generate(context, builder, signature, arguments):
        out, x = (builder.inttoptr(address, _NUMBER.as_pointer()) for address in arguments)
        builder.store(builder.load(x), out)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp), generate


@intrinsic(prefer_literal=True)
def block(typing, out, out_row, x, x_row, turned):
    """out = x, or out = x^T, for 16 x 16 numbers: addresses, and from one row to the next in bytes.

    To turn it, blocks of s x s change places, for s = 1, 2, 4, 8: then every number is where it belongs.
    """
    turn = turned.literal_value

    def generate(context, builder, signature, arguments):
        out, out_row, x, x_row, _ = arguments

        def row(first, step, i):
            return builder.inttoptr(builder.add(first, builder.mul(step, _LONG(i))), _VECTOR.as_pointer())

        rows = [_at_a_number(builder.load(row(x, x_row, i))) for i in range(LANES)]
        for s in (1, 2, 4, 8) if turn else ():
            upper = ir.Constant(_INTS, [j if not j & s else LANES + j - s for j in range(LANES)])
            lower = ir.Constant(_INTS, [j + s if not j & s else LANES + j for j in range(LANES)])
            for i in (i for i in range(LANES) if not i & s):
                pair = rows[i], rows[i + s]
                rows[i], rows[i + s] = (builder.shuffle_vector(*pair, which) for which in (upper, lower))
        for i in range(LANES):
            _at_a_number(builder.store(rows[i], row(out, out_row, i)))
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4, turned), generate


@compiled_apart(7)
def bring(out, out_row, x, x_row, x_column, height, width):
    """Copy the matrix at address x to `out`, row by row: addresses, and from one element to the next in bytes."""
    whole_height, whole_width = height - height % LANES, width - width % LANES
    for j in range(0, whole_width, LANES):
        for i in range(0, whole_height, LANES):
            to, block_x = out + i * out_row + j * BYTES, x + i * x_row + j * x_column
            if x_column == BYTES:
                block(to, out_row, block_x, x_row, False)
            else:
                block(to, out_row, block_x, x_column, True)
    for i in range(height):
        for j in range(0 if i >= whole_height else whole_width, width):
            copy_number(out + i * out_row + j * BYTES, x + i * x_row + j * x_column)


def _tile_of(rows):
    """Return a function that computes a tile of so many rows, and of as many registers in a row as it takes."""

    @inner
    def compute(c, c_row, a, a_row, a_column, b, b_row, depth, width, add):
        if width > 3 * LANES:
            tile(c, c_row, a, a_row, a_column, b, b_row, depth, width, add, rows, 4)
        elif width > 2 * LANES:
            tile(c, c_row, a, a_row, a_column, b, b_row, depth, width, add, rows, 3)
        elif width > LANES:
            tile(c, c_row, a, a_row, a_column, b, b_row, depth, width, add, rows, 2)
        else:
            tile(c, c_row, a, a_row, a_column, b, b_row, depth, width, add, rows, 1)

    return compute


_six_rows, _two_rows, _one_row = map(_tile_of, (ROWS, 2, 1))


@compiled_apart(11)
def tiles(N, c, c_row, a, a_row, a_column, b, b_row, depth, width, add):
    """Compute N rows of up to 64 columns of C, tile by tile; what is told besides is told to each tile."""
    rest = a_column, b, b_row, depth, width, add != 0
    i = 0
    while i + ROWS <= N:
        _six_rows(c + i * c_row, c_row, a + i * a_row, a_row, *rest)
        i += ROWS
    while i + 2 <= N:
        _two_rows(c + i * c_row, c_row, a + i * a_row, a_row, *rest)
        i += 2
    if i < N:
        _one_row(c + i * c_row, c_row, a + i * a_row, a_row, *rest)


# -- the whole product -------------------------------------------------------------------------------------------------


@inner
def at(matrix):
    """Return a matrix as its address and strides."""
    return np.intp(matrix.ctypes.data), matrix.strides[0], matrix.strides[1]


@inner
def aligned(size, dtype):
    """Return new memory that begins on a cache line: no vector load touches two of them."""
    memory = np.empty(size + LANES, dtype)
    skipped = -memory.ctypes.data % 64 // memory.itemsize
    return memory[skipped : skipped + size]


@inner
def half(rows, unit):
    """Return how many rows a thread takes, a multiple of a unit: all, where nobody helps or there are few."""
    return -(-rows // (2 * unit)) * unit if rows >= 2 * FEWEST_ROWS and look(HELPERS) else rows


@inner
def _part(part, rows, columns, turn, sizes, c, a, b):
    """Compute some rows and columns of the product; parts of the same rows are neighbours."""
    N, K, M = sizes
    across = -(-M // columns)
    top, left = part // across * rows, part % across * columns
    c, c_row = c[0] + top * c[1] + left * BYTES, c[1]
    a, a_row, a_column = a[0] + top * a[1], a[1], a[2]
    b, b_row, b_column = b[0] + left * b[2], b[1], b[2]
    N, M = min(rows, N - top), min(columns, M - left)
    ordered, turned = room(N if turn else 0)
    for first in range(0, K, DEPTH):
        depth = min(DEPTH, K - first)
        strip_of_a = a + first * a_column, a_row, a_column
        if turn:
            where_it_lies, strip_of_a = strip_of_a, at(turned)
            bring((*strip_of_a[:2], *where_it_lies, N, depth))
        _strips((N, depth, M), (c, c_row), strip_of_a, (b + first * b_row, b_row, b_column), ordered, first > 0)


@inner
def room(rows):
    """Return memory for a strip of B in order, and for 128 k of some rows of A."""
    width = DEPTH + LANES  # wider: nothing competes
    return aligned(DEPTH * COLUMNS, np.float32), aligned(rows * width, np.float32).reshape(rows, width)


@inner
def _strips(sizes, c, a, b, ordered, add):
    """C = A B, or C += A B where `add`, for at most 128 k, 64 columns at a time; matrices are addresses and strides."""
    N, K, M = sizes
    b, b_row, b_column = b
    order = b_column > BYTES or N > 32  # a transpose; or read so often that it pays
    for left in range(0, M, COLUMNS):
        width = min(COLUMNS, M - left)
        strip_of_b = b + left * b_column, b_row
        if order:
            bring((ordered.ctypes.data, BYTES * COLUMNS, *strip_of_b, b_column, K, width))
            strip_of_b = np.intp(ordered.ctypes.data), BYTES * COLUMNS
        tiles((N, c[0] + left * BYTES, c[1], *a, *strip_of_b, K, width, add))


_share = share(_part)


@compiled_apart(11)
def product(N, K, M, c, c_row, a, a_row, a_column, b, b_row, b_column):
    """C = A B, (N, M) from (N, K) and (K, M): of each matrix the address, and from one element to the next in bytes.

    The elements of a row of C adjoin; in A and B, or of a column. What is told are numbers, and no arrays: so this is
    compiled once, whatever order the matrices are in.
    """
    turn = N > ROWS and a_column % 512 == 0  # rows compete for the same few places of a cache: bring them closer
    alone = N * K * M < SHARED
    columns = M if turn or alone else COLUMNS
    across = -(-M // columns)
    rows = N if alone or across >= ENOUGH else half(N, LANES if turn else ROWS)
    matrices = (c, c_row), (a, a_row, a_column), (b, b_row, b_column)
    _share(-(-N // rows) * across, rows, columns, turn, (N, K, M), *matrices)


@inner
def in_strips(y):
    """Return y (K, M) as the tiles read it, for products with many x: (strips, K, 64)."""
    K, M = y.shape
    across = -(-M // COLUMNS)
    strips = aligned(across * K * COLUMNS, np.float32).reshape(across, K, COLUMNS)
    for i in range(across):
        left = i * COLUMNS
        b = y.ctypes.data + left * y.strides[1], *y.strides
        bring((strips[i].ctypes.data, BYTES * COLUMNS, *b, K, min(COLUMNS, M - left)))
    return strips


@inner
def by_strips(out, x, strips):
    """out = x y, for `strips` made of y."""
    (N, M), K = out.shape, x.shape[1]
    for i in range(len(strips)):
        left = i * COLUMNS
        for first in range(0, K, DEPTH):
            c, b = out.ctypes.data + left * BYTES, strips[i, first:].ctypes.data
            a = x.ctypes.data + first * x.strides[1], *x.strides
            depth, width = min(DEPTH, K - first), min(COLUMNS, M - left)
            tiles((N, c, out.strides[0], *a, b, BYTES * COLUMNS, depth, width, first > 0))
