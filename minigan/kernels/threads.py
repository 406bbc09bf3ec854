"""Work that is cut into parts, which all processors take. No autodiff here.

A kernel calls ``share(body)(parts, *arguments)`` in place of ``for part in range(parts): body(part, *arguments)``. Who
does a part does not change its result, so the result has the same bits with any number of threads. Whoever is free
takes the next part, so a thread that the system has put aside, for another program's sake, delays the others only by
the part it holds; and after such a delay nobody helps for ten times as long: there is too little processor for two.

There is one board, some numbers that all threads see, and one job on it at a time::

    whoever shares work     writes the job on the board, sets OPEN to the number of parts, takes parts from the first
                            on, and waits until UNFINISHED is 0
    every other thread      looks at OPEN, over and over; decreases it, and so may take a part, from the last one back;
                            does it; decreases UNFINISHED. When nothing comes for 0.3 milliseconds it sleeps

So the same thread mostly has the same rows of one array after the other, and finds them in its own cache.

The board is known to compiled code by a name that is looked up when the code is loaded, so code that was kept on disk
finds the board of its own process. A process that forks has its threads only in the parent, and does without them in
the child. A job that comes while another one is on the board, from a part of that or from another thread of Python,
is done by whoever brings it. Where the processor has no AVX-512 there is one thread: matrix products are BLAS's then,
which has threads of its own, and two groups of threads would wait for each other.
"""

import atexit
import ctypes
import os
import threading

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.extending import _Intrinsic
from numba.extending import intrinsic

from minigan.kernels.jit import AVX512, inner, njit

MOST = 4  # threads: beyond, the parts of a step of training are too small
ELEMENTS = 2**13  # of a loop, that are worth a thread's while
PATIENCE = 20_000  # looks at the board, some 15 ns each, before a thread sleeps: to wake it up takes long
STALL = 10**6  # ticks of the processor's counter: whoever lets others wait so long has been put aside

NAME = "minigan_board"
LINE = 8  # numbers in a cache line: what is written often has one to itself
OPEN, BACK, UNFINISHED, SLEEPING, TAKEN, HELPERS, CLOSED, FAILED, ALONE_UNTIL, BODY, ARGUMENTS, SEMAPHORE = range(
    0, 12 * LINE, LINE
)

_INT, _LONG, _BYTES = ir.IntType(32), ir.IntType(64), ir.IntType(8).as_pointer()
_PART = ir.FunctionType(_LONG, [_LONG, _LONG])  # (part, address of the arguments) -> whether it failed


def _on_a_line(size):
    memory = np.zeros(size + LINE, np.int64)
    return memory[-memory.ctypes.data // 8 % LINE :][:size]


board = _on_a_line(13 * LINE)
binding.add_symbol(NAME, board.ctypes.data)
_wanted: int | None = None
_helpers: list[threading.Thread] = []
_one_at_a_time = threading.Lock()


# -- for Python --------------------------------------------------------------------------------------------------------


def limit(number):
    """Use as many threads as given from now on, in this process; None: as `count` says by itself."""
    global _wanted
    stop()
    _wanted = number
    start()


def count():
    """Return how many threads are used: of the processors that this process may use, OMP_NUM_THREADS, and `MOST`."""
    if not AVX512:
        return 1
    if _wanted is not None:
        return _wanted
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    return max(1, min(processors, MOST, int(allowed) if allowed.isdigit() else MOST))


def start():
    """Let other threads help from now on; where they do already, do nothing.

    Compiled steps call this, and layers and products that run eagerly. BLAS's threads wait busily, and would take the
    processor from these: who multiplies large float64 matrices in between limits them to one thread
    (``threadpoolctl.threadpool_limits(1)``).
    """
    if _helpers or (helpers := count() - 1) < 1:  # counted only if need be: every eager layer passes here
        return
    with _one_at_a_time:
        if _helpers:
            return
        board[:] = 0
        _semaphore("init", 0, 0)
        _help.compile(())  # here: a thread that compiles holds a lock, and who forks meanwhile has it locked for ever
        _helpers.extend(threading.Thread(target=_help, name="minigan helper", daemon=True) for _ in range(helpers))
        for helper in _helpers:
            helper.start()
        board[HELPERS] = helpers


def stop():
    """Send the helpers away, until somebody calls `start`."""
    board[HELPERS], board[CLOSED] = 0, 1
    for _ in _helpers:
        _semaphore("post")
    while _helpers:
        _helpers.pop().join()


def _forget():
    """In a process made by fork: there is nobody to help, and nobody has begun a job."""
    global _one_at_a_time
    board[:] = 0
    _helpers.clear()
    _one_at_a_time = threading.Lock()


def _semaphore(what, *numbers):
    getattr(ctypes.CDLL(None), f"sem_{what}")(ctypes.c_void_p(board[SEMAPHORE:].ctypes.data), *numbers)


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


# -- the board, for compiled code --------------------------------------------------------------------------------------


def _place(builder, number):
    """Return the address of a number on the board."""
    known = builder.module.globals.get(NAME)
    known = known or ir.GlobalVariable(builder.module, ir.ArrayType(_LONG, len(board)), NAME)
    return builder.gep(known, [_INT(0), _INT(number)])


@intrinsic(prefer_literal=True)
def look(typing, which):
    """Return a number of the board."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_place(builder, which.literal_value), "seq_cst", 8)

    return types.intp(which), generate


@intrinsic(prefer_literal=True)
def put(typing, which, value):
    """Write a number on the board, and return the one that was there."""

    def generate(context, builder, signature, arguments):
        return builder.atomic_rmw("xchg", _place(builder, which.literal_value), arguments[1], "seq_cst")

    return types.intp(which, types.intp), generate


@intrinsic(prefer_literal=True)
def add(typing, which, value):
    """Add to a number on the board, and return the sum: nobody else's addition comes between."""

    def generate(context, builder, signature, arguments):
        before = builder.atomic_rmw("add", _place(builder, which.literal_value), arguments[1], "seq_cst")
        return builder.add(before, arguments[1])

    return types.intp(which, types.intp), generate


@intrinsic
def cycles(typing):
    """Return the time, in ticks of the processor's counter."""

    def generate(context, builder, signature, arguments):
        function = ir.FunctionType(_LONG, [])
        return builder.call(cgutils.get_or_insert_function(builder.module, function, "llvm.readcyclecounter"), [])

    return types.intp(), generate


@intrinsic
def do_part(typing, body, part, arguments):
    """Do one part of a job, given the addresses of a function and of its arguments; return whether it failed."""

    def generate(context, builder, signature, values):
        body, part, arguments = values
        return builder.call(builder.inttoptr(body, _PART.as_pointer()), [part, arguments])

    return types.intp(types.intp, types.intp, types.intp), generate


def _system(name, *numbers):
    """Return a function that calls one of the system's, with the addresses of some numbers on the board."""

    @intrinsic
    def call(typing):
        def generate(context, builder, signature, arguments):
            result = ir.VoidType() if name.startswith("llvm.") else _INT
            function = ir.FunctionType(result, [_BYTES] * len(numbers))
            places = [builder.bitcast(_place(builder, number), _BYTES) for number in numbers]
            builder.call(cgutils.get_or_insert_function(builder.module, function, name), places)
            return context.get_dummy_value()

        return types.void(), generate

    return call


_wait, _wake = _system("sem_wait", SEMAPHORE), _system("sem_post", SEMAPHORE)
_pause = _system("llvm.x86.sse2.pause")
_let_others_run = _system("sched_yield")


@njit
def _help():
    """What a helping thread does."""
    looks = 0
    while not look(CLOSED):
        looks += 1
        if look(OPEN) > 0:
            if add(OPEN, -1) >= 0:
                if do_part(look(BODY), add(BACK, -1), look(ARGUMENTS)):
                    put(FAILED, 1)
                add(UNFINISHED, -1)
            looks = 0
        elif looks < PATIENCE:
            _pause()
        else:
            add(SLEEPING, 1)
            if look(OPEN) <= 0 and not look(CLOSED):  # said to sleep first, looked again then: no call is missed
                _wait()
            add(SLEEPING, -1)
            looks = 0


@inner
def _do(parts, body, arguments):
    """Do all parts of a job: with everyone's help, unless that is busy with another one."""
    failed = 0
    if parts > 1 and look(HELPERS) and cycles() > look(ALONE_UNTIL) and put(TAKEN, 1) == 0:
        put(BODY, body)
        put(ARGUMENTS, arguments)
        failed = _everyone(parts, body, arguments)
        put(TAKEN, 0)
    else:
        for part in range(parts):
            failed |= do_part(body, part, arguments)
    if failed:
        raise MemoryError("a part of a kernel's work could not be done, most likely for want of memory")


@inner
def _everyone(parts, body, arguments):
    """Do the job on the board with everyone's help; return whether a part failed."""
    began = cycles()
    put(UNFINISHED, parts)
    put(BACK, parts)
    put(OPEN, parts)
    for _ in range(look(SLEEPING)):
        _wake()
    mine = failed = 0
    while add(OPEN, -1) >= 0:
        failed |= do_part(body, mine, arguments)
        mine += 1
    add(UNFINISHED, -mine)
    worked = cycles()
    looks = 0
    while look(UNFINISHED) > 0:
        looks += 1
        _pause()
        if looks % 1000 == 0:
            _let_others_run()
    waited = cycles() - worked
    if waited > max(STALL, worked - began):
        put(ALONE_UNTIL, worked + 10 * waited)
    return failed | put(FAILED, 0)


# -- for kernels -------------------------------------------------------------------------------------------------------


def share(body):
    """Return a function (parts, *arguments) that does body(part, *arguments) for every part, on all threads.

    `body` is a compiled function without a result. No part may read what another one writes.
    """

    def all_parts(parts, *arguments):
        for part in range(parts):
            body(part, *arguments)

    @intrinsic
    def shared(typing, parts, *arguments):
        given = types.StarArgTuple.from_types(tuple(map(types.unliteral, arguments)))
        called = types.Dispatcher(body).get_call_type(typing, [types.intp, *given.types], {})
        do = types.Dispatcher(_do).get_call_type(typing, [types.intp] * 3, {})

        def generate(context, builder, signature, values):
            memory = cgutils.alloca_once_value(builder, values[1])
            function = ir.Function(builder.module, _PART, builder.module.get_unique_name("part"))
            function.linkage = "internal"
            inside = ir.IRBuilder(function.append_basic_block())
            part, address = function.args
            unpacked = cgutils.unpack_tuple(inside, inside.load(inside.inttoptr(address, memory.type)))
            unpacked = map(context.cast, [inside] * len(unpacked), unpacked, given.types, called.args[1:])
            compiled = _linked(context, body, called)
            status, _ = context.call_internal_no_propagate(inside, compiled, called, [part, *unpacked])
            inside.ret(inside.zext(status.is_error, _LONG))
            job = [values[0], *(builder.ptrtoint(what, _LONG) for what in (function, memory))]
            context.call_internal(builder, _linked(context, _do, do), do, job)
            return context.get_dummy_value()

        return types.void(types.intp, given), generate

    if AVX512:
        shared.__class__, shared.in_python = _Shared, all_parts
    else:
        shared = inner(all_parts, cache=False)
    shared.body = body
    return shared


class _Shared(_Intrinsic):  # type: ignore[misc]
    """An intrinsic that Python can call, too."""

    def __call__(self, *arguments):
        self.in_python(*arguments)


def _linked(context, function, called):
    """Return what is known of a compiled function, after it has become a part of what is being compiled."""
    compiled = function.overloads[called.args]
    context.active_code_library.add_linking_library(compiled.library)
    return compiled.fndesc
