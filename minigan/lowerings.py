"""How the compiler writes an operation down: what a primitive says about its own loops.

A primitive without a lowering is replaced by its `reference`, if it has one; else it runs as its eager implementation,
between two compiled parts. Operations that only look at memory in another shape (reshape, transpose, slices) need none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Elementwise:
    """One element of the result as an expression of one element of each argument.

    The names are those of the implementation's arguments, positional ones and parameters; functions are those of
    `minigan.kernels.elementwise`. Such operations are fused: a chain of them becomes one loop.
    """

    expression: str


@dataclass(frozen=True)
class Sum:
    """The sum over the parameter ``axis``: a loop that takes in the elementwise operations before it."""


@dataclass(frozen=True)
class Kernel:
    """A Numba function ``kernel(*outputs, *inputs, *numbers)`` that writes its outputs, or changes what is mutated.

    `numbers` picks from the parameters what the kernel needs beside arrays; without it there are none. Inputs are
    contiguous, in C or Fortran order. Where `takes(*inputs)` is false, the eager implementation runs.
    `optional` are inputs that come without elements where they are zero everywhere: cotangents of what nobody used.
    """

    function: Callable[..., Any]
    numbers: Callable[..., tuple[Any, ...]] = lambda **params: ()
    takes: Callable[..., bool] = lambda *inputs: True
    optional: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pieces:
    """Copies: ``places(out, *inputs, **params)`` returns, for each input, the view of `out` that it is written into.

    `first` is how many leading arguments are no pieces (the target of an assignment). `filled`: the result is 0 where
    no piece is. Where `takes(*inputs, **params)` is false, the eager implementation runs.
    """

    places: Callable[..., Any]
    first: int = 0
    filled: bool = False
    takes: Callable[..., bool] = lambda *inputs, **params: True


class OnHost:
    """The eager implementation runs between two compiled parts, although there is a reference."""


@dataclass(frozen=True)
class Fill:
    """Of what has no arguments, random draws for one: it runs on the host, before the compiled parts.

    ``prepare(out, **params)`` is called once, and returns what writes into `out`, when it is called at each step.
    """

    prepare: Callable[..., Callable[[], Any]]


Lowering = Elementwise | Sum | Kernel | Pieces | Fill | OnHost
