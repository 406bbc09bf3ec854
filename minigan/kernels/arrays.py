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


@intrinsic(prefer_literal=True)
def _compiled(typing, address, dtype, shape, order):
    strided = isinstance(order, types.BaseTuple)
    layout = "A" if strided else getattr(order, "literal_value", "C")
    kind = types.Array(dtype.dtype, len(shape), layout)

    def generate(context, builder, signature, values):
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
        lengths = cgutils.unpack_tuple(builder, values[2])
        steps = cgutils.unpack_tuple(builder, values[3]) if strided else _adjoining(builder, lengths, size, layout)
        made = make_array(kind)(context, builder)
        address = builder.inttoptr(values[0], context.get_data_type(kind.dtype).as_pointer())
        populate_array(made, data=address, shape=lengths, strides=steps, itemsize=size, meminfo=None)
        return made._getvalue()

    return kind(address, dtype, shape, order), generate


def _adjoining(builder, lengths, size, layout):
    """Return the steps in bytes along each axis of an array without gaps."""
    steps, step = [], size
    for n in lengths if layout == "F" else reversed(lengths):
        steps.append(step)
        step = builder.mul(step, n)
    return steps if layout == "F" else steps[::-1]


array = in_python if getattr(numba.config, "DISABLE_JIT", False) else _compiled
