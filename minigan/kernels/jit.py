"""The one wrapper that owns every Numba flag.

A kernel compiles at its first call and is kept on disk, until its own file or one of `CALLED` changes. So a kernel may
call compiled functions of these files, and of no other. At import, what `compiled_apart` marks is compiled or found
on disk.
"""

import functools
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, sigutils
from numba.core.ccallback import CFunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic, overload

from minigan.blas import NEEDED, processor_flags
from minigan.kernels.disk import cache_of

CALLED = [
    Path(__file__).with_name(f"{name}.py")
    for name in ("arrays", "elementwise", "outer", "products", "threads", "tiles")
]
AVX512 = processor_flags() >= NEEDED and not getattr(numba.config, "DISABLE_JIT", False)  # may be written for
FASTMATH = ("nsz", "arcp", "contract", "afn")
FLAGS: Any = {"error_model": "numpy", "no_cfunc_wrapper": True}  # of all; no kernel is called by C


def njit(kernel=None, *, fastmath=FASTMATH, cache=True, wrapped=True, outermost=False, inline="never"):
    """Compile a kernel with the project's flags.

    ``error_model="numpy"``: a division checks nothing, so its loop can vectorise. `fastmath`: the relaxations that
    keep nan and inf as they are, save in ``1 / sqrt(x)`` in float32: see ``docs/compiler.md``. Sums may not be
    reordered (``"reassoc"``): see decision 22 in ``docs/decisions``.
    `wrapped`: whether it can be entered from Python, see `inner`. `outermost`: no kernel calls it, see `_Last`.
    `inline`: Numba's own.
    """
    if kernel is None:
        return lambda k: njit(k, fastmath=fastmath, cache=cache, wrapped=wrapped, outermost=outermost, inline=inline)
    options = FLAGS | {"no_cpython_wrapper": not wrapped, "fastmath": set(fastmath), "inline": inline}
    if outermost or not wrapped:
        options["pipeline_class"] = _Outermost if outermost else _Inside
    compiled = numba.njit(nogil=True, **options)(kernel)
    if compiled is kernel:  # NUMBA_DISABLE_JIT is set
        return kernel
    if cache:
        compiled._cache = cache_of(kernel, CALLED)
    if not wrapped:
        compiled.__class__ = _Inner
    return compiled


def inner(function=None, **options):
    """Compile what other kernels call: no machine code of its own, and none that takes Python's objects apart for it.

    Numba would write both for each function, and a small one would take three times as long to compile.
    """
    return njit(function, wrapped=False, **options)


class _Linked(JITCodeLibrary):
    """The code of a function that only others call: it becomes a part of theirs, and only they are machine code."""

    codegen = property(lambda self: self)  # asked for `set_env` by whoever wants to run the function

    def set_env(self, name, env):
        """Do nothing: whoever is entered from Python has what a function may need of Python."""

    def get_pointer_to_function(self, name):
        """Return 0: there is none."""
        return 0

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._finalized = True

    def serialize_using_object_code(self):
        """Return what Numba keeps on disk: what callers take in."""
        return self.name, "bitcode", self._get_module_for_linking().as_bitcode()


class _Last(JITCodeLibrary):
    """The code of a function that no other calls: of what it was made from, only the names are kept on disk.

    To read it all again takes a megabyte or two for the step of a GAN.
    """

    def serialize_using_object_code(self):
        """Return what Numba keeps on disk: the machine code, and a module that defines the names in it."""
        full = self._final_module
        functions = [f'define void @"{f.name}"() {{ unreachable }}' for f in full.functions if not f.is_declaration]
        variables = [f'@"{v.name}" = global i8* null' for v in full.global_variables if not v.is_declaration]
        names = binding.parse_assembly("\n".join(functions + variables))
        return self.name, "object", (self._get_compiled_object(), names.as_bitcode())


class _Inside(Compiler):
    """Numba's compiler, into a `_Linked`."""

    kind: type[JITCodeLibrary] = _Linked

    def compile_extra(self, func):
        """Compile a Python function."""
        self.state.library = self.kind(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()
        return super().compile_extra(func)


class _Outermost(_Inside):
    """Numba's compiler, into a `_Last`."""

    kind = _Last


class _Inner(CPUDispatcher):
    """A compiled function that Python cannot enter. If it tries, the function is compiled once more, so that it can."""

    @functools.cached_property
    def with_wrapper(self):
        return numba.jit(**self.targetoptions | {"no_cpython_wrapper": False})(self.py_func)

    def __call__(self, *arguments):
        return self.with_wrapper(*arguments)


def compiled_apart(numbers):
    """Compile a function of so many integers here and now, for kernels to call it by address: as ``f((1, 2, 3))``.

    What a kernel calls otherwise becomes a part of it, and is compiled again with each. It must not raise anything.
    """

    def declare(function):
        if not AVX512:  # nobody calls it
            return function
        name = f"minigan_{function.__name__}"
        signature = types.void(*[types.intp] * numbers)
        options = {"error_model": "numpy", "fastmath": set(FASTMATH)}
        compiled = CFunc(function, sigutils.normalize_signature(signature), {}, options)
        compiled._cache = cache_of(function, CALLED)
        compiled.compile()
        binding.add_symbol(name, compiled.address)

        call = called_by_name(name, ir.VoidType(), *[types.intp] * numbers)
        call.compiled = compiled  # which has to live as long as its address is known
        return call

    return declare


def called_by_name(name, returns, *kinds):
    """Return a function for kernels, ``f((1, 2, 3))``: C's of this name, its arguments of these types.

    What it returns, in LLVM's words, is dropped.
    """

    @intrinsic
    def call(typing, arguments):
        def generate(context, builder, signature, values):
            given = cgutils.unpack_tuple(builder, values[0])
            given = map(context.cast, [builder] * len(kinds), given, arguments.types, kinds)
            kind = ir.FunctionType(returns, list(map(context.get_value_type, kinds)))
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), list(given))
            return context.get_dummy_value()

        return types.void(arguments), generate

    return call


def wide():
    """Have the loops of a kernel take whole registers of 512 bits: for this processor, LLVM thinks halves are faster.

    They are not in long chains of arithmetic on data that is near; elsewhere measure, it may be the other way round.
    """


@overload(wide, inline="always")
def _():
    @intrinsic
    def wish(typing):
        def generate(context, builder, signature, arguments):
            set.add(builder.function.attributes, '"prefer-vector-width"="512"')  # llvmlite knows no such attribute
            return context.get_dummy_value()

        return types.void(), generate

    return lambda: wish()


def by_precision(single, double):
    """Return a function of one number that is `single` for float32, `double` else; chosen where a kernel compiles."""

    def function(x):
        return single(x) if np.result_type(x) == np.float32 else double(x)

    @overload(function, jit_options=FLAGS | {"fastmath": set(FASTMATH)})
    def _(x):
        chosen = single if x == types.float32 else double
        return lambda x: chosen(x)

    return function
