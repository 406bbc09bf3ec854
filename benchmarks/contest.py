"""Libraries side by side: each in a process of its own, as it is in use, and all of them measured in turns."""

import contextlib
import multiprocessing
import os
import time
from statistics import median

from threadpoolctl import threadpool_limits

from benchmarks.tables import interleave, seconds


def cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@contextlib.contextmanager
def threads_of_all(number):
    """Let minigan's kernels and PyTorch, both in this process, use so many threads; BLAS would be in their way: one."""
    import torch

    import minigan.ops  # noqa: F401  (loads every BLAS there is, before their threads are limited)
    from minigan.kernels import threads

    with threadpool_limits(1, user_api="blas"):
        threads.limit(number)
        torch.set_num_threads(number)
        yield
    threads.limit(None)


def measured(once, span):
    """Return a function that takes the seconds of one pass, the mean over about `span` seconds of passes."""
    for _ in range(5):  # compiles kernels, fills caches
        once()
    count = max(2, round(span / min(seconds(once) for _ in range(5))))

    def measure():
        time.sleep(0.1)  # until the other library's threads, which wait busily for work, have gone to sleep
        once()
        return seconds(lambda: [once() for _ in range(count)]) / count

    return measure


def ratio(others, ours):
    """Return the median over rounds of theirs/ours, each pair taken in the same round; above 1: ours is faster."""
    return median(b / a for a, b in zip(ours, others, strict=True))


def compare(libraries, work, *, rounds, span, warmup=20):
    """Measure a step of each library on a workload.

    Parameters
    ----------
    libraries : dict from a name to a function from a workload to a step
        A step is a function without arguments; its attribute ``parts``, if any, maps names to more such functions.
    rounds : int
    span : float
        Seconds of steps in one measurement.
    warmup : int
        Steps beforehand: they compile kernels and fill caches.

    Returns
    -------
    facts : dict from a library's name to a line about what it runs on
    times : dict from a library's name, or "name part", to its seconds per step in each round
        Without libraries that failed; why has been printed.
    """
    with contextlib.ExitStack() as stack:
        facts, contestants = {}, {}
        for name, make in libraries.items():
            answer, measure = stack.enter_context(_process(name, make, work, span, warmup))
            if "failed" in answer:
                print(f"{name} left out: {answer['failed']}", flush=True)
                continue
            facts[name] = answer["facts"]
            for part in answer["parts"]:
                contestants[f"{name} {part}".strip()] = lambda measure=measure, part=part: measure(part)
        return facts, interleave(contestants, rounds)


@contextlib.contextmanager
def _process(name, make, work, span, warmup):
    """Start a library on a workload; yield (its first answer, a function that measures one of its parts once)."""
    here, there = multiprocessing.Pipe()

    def answer():
        try:
            return here.recv()
        except EOFError:
            raise RuntimeError(f"{name} stopped; its own message stands above") from None

    def measure(part):
        here.send(part)
        return answer()

    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, make, work, span, warmup))
    process.start()
    there.close()  # so that a process that dies is noticed here
    try:
        yield answer(), measure
    finally:
        with contextlib.suppress(OSError):
            here.send(None)
        process.join()


def _serve(connection, make, work, span, warmup):
    """Answer each request with the seconds per step; the body of a process."""
    try:
        step = make(work)
        for _ in range(warmup):
            step()
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        connection.send({"failed": f"{type(error).__name__}: {lines[0][:200]}"})
        return
    parts = {"": step, **getattr(step, "parts", {})}
    counts = {name: max(5, round(span / min(seconds(part) for _ in range(10)))) for name, part in parts.items()}
    connection.send({"facts": machine(step.__module__), "parts": list(parts)})
    while (name := connection.recv()) is not None:
        time.sleep(0.05)  # until the others' threads, which wait busily for work, have gone to sleep
        part = parts[name]
        part()
        connection.send(seconds(lambda part=part, name=name: [part() for _ in range(counts[name])]) / counts[name])


def machine(module):
    """Say in a few words what a library, already running, computes with; `module` is the one with its step."""
    if module.endswith("torch_step"):
        import torch

        return f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    if module.endswith("jax_step"):
        import jax

        return jax.__version__
    from threadpoolctl import threadpool_info

    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "scipy" in pool["filepath"]]
    facts = [f"{b['internal_api']}, kernels {b.get('architecture')}, threads {b['num_threads']}" for b in blas]
    return "; ".join(facts) or "a BLAS that threadpoolctl does not know"
