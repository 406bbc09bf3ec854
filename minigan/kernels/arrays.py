"""Arrays by address: how a compiled function takes dozens of them at once. No autodiff here."""

from types import SimpleNamespace

import numba
import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import as_dtype


def in_python(address, dtype, shape, order):
    """Return the array at an address. Its memory is somebody else's, and has to outlive it.

    To hand over an array itself takes Python a tenth of a microsecond: as long as a small kernel works.

    Parameters
    ----------
    address : int
    dtype : type of the elements, as Numba names it
    shape : tuple of int
    order : "C", "F" or tuple of int
        The last: how many bytes lie between neighbours along each axis.
    """
    kind = as_dtype(dtype) if isinstance(dtype, types.Type) else np.dtype(dtype)
    steps = order if isinstance(order, tuple) else np.empty(shape, kind, order).strides
    told = {"data": (int(address), False), "typestr": kind.str, "shape": shape, "strides": steps, "version": 3}
    return np.asarray(SimpleNamespace(__array_interface__=told))


def of_in_python(memory, k, dtype, shape, order):
    """Return the array at the k-th address in `memory`, an array of addresses.

    ``array(memory[k], ...)`` is the same, and takes Numba twice as long to compile: of a step with a hundred arrays, an
    eighth of the time.
    """
    return in_python(memory[k], dtype, shape, order)


def _kind_of(dtype, shape, order):
    """Return Numba's type of the array."""
    return types.Array(dtype.dtype, len(shape), getattr(order, "literal_value", "A"))


def _made(context, builder, kind, address, shape, order):
    """Write the code that makes an array of this type; address, shape and order are values of the compiled code."""
    size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
    lengths = cgutils.unpack_tuple(builder, shape)
    strided = kind.layout == "A"
    steps = cgutils.unpack_tuple(builder, order) if strided else _adjoining(builder, lengths, size, kind.layout)
    made = make_array(kind)(context, builder)
    address = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    populate_array(made, data=address, shape=lengths, strides=steps, itemsize=size, meminfo=None)
    return made._getvalue()


def _adjoining(builder, lengths, size, layout):
    """Return the steps in bytes along each axis of an array without gaps."""
    steps, step = [], size
    for n in lengths if layout == "F" else reversed(lengths):
        steps.append(step)
        step = builder.mul(step, n)
    return steps if layout == "F" else steps[::-1]


@intrinsic(prefer_literal=True)
def _compiled(typing, address, dtype, shape, order):
    kind = _kind_of(dtype, shape, order)

    def generate(context, builder, signature, values):
        address, _, shape, order = values
        return _made(context, builder, kind, address, shape, order)

    return kind(address, dtype, shape, order), generate


@intrinsic(prefer_literal=True)
def _compiled_of(typing, memory, k, dtype, shape, order):
    kind = _kind_of(dtype, shape, order)

    def generate(context, builder, signature, values):
        memory, k, _, shape, order = values
        addresses = make_array(signature.args[0])(context, builder, memory).data
        k = context.cast(builder, k, signature.args[1], types.intp)
        return _made(context, builder, kind, builder.load(builder.gep(addresses, [k])), shape, order)

    return kind(memory, k, dtype, shape, order), generate


_PLAIN = getattr(numba.config, "DISABLE_JIT", False)
array = in_python if _PLAIN else _compiled
array_of = of_in_python if _PLAIN else _compiled_of
