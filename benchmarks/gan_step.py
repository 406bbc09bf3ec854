"""A full GAN training step in minigan, PyTorch and JAX, on the same networks.

The discriminator's step, then the generator's: non-saturating loss on logits, fresh noise for each, Adam for both; the
batch of real samples is given. PyTorch goes the fastest way it has without a compiler: fused Adam, gradients set to
None, no gradient of the discriminator's weights in the generator's step, as many threads as cores.

Each library runs in a process of its own, as it does in use: its threads and its memory do not meet the others'.
"""

import contextlib
import importlib.util
import multiprocessing
import os
import time
from statistics import median

from benchmarks.tables import duration, interleave, seconds, table
from benchmarks.workloads import BETAS, RATE, WORKLOADS, networks


def minigan_step(work):
    """Return a function that does one step as `minigan train` does, and returns (d_loss, g_loss)."""
    import minigan as mg

    mg.random.seed(0)
    gan = mg.training.GAN(
        *networks(mg.nn, mg.nn.Dense, work),
        loss="non_saturating",
        batch_size=work.batch,
        lr_g=RATE,
        lr_d=RATE,
        r1=work.r1,
        beta1=BETAS[0],
        beta2=BETAS[1],
    )
    real = mg.random.default_rng(0).uniform(work.real_shape)
    gan._few_threads(work.batch)  # as `fit` does; it lasts as long as this process
    return lambda: [loss.item() for loss in gan.train_step(real)[:2]]


def torch_step(work):
    """Return the same for PyTorch, eager."""
    import torch
    from torch.nn.functional import softplus

    torch.set_num_threads(cores())
    torch.manual_seed(0)
    G, D = networks(torch.nn, torch.nn.Linear, work)
    g_params, d_params = list(G.parameters()), list(D.parameters())
    g_opt, d_opt = (torch.optim.Adam(params, RATE, BETAS, fused=True) for params in (g_params, d_params))
    real = torch.rand(work.real_shape, requires_grad=work.r1 > 0)

    def squared_gradient(logits, x):
        (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        return gradient.square().sum() / len(x)

    def step():
        with torch.no_grad():
            fake = G(torch.randn(work.noise_shape))
        real_logits = D(real)
        d_loss = softplus(-real_logits).mean() + softplus(D(fake)).mean()
        penalty = 0.5 * work.r1 * squared_gradient(real_logits, real) if work.r1 else 0.0
        d_opt.zero_grad(set_to_none=True)
        (d_loss + penalty).backward(inputs=d_params)
        d_opt.step()
        g_loss = softplus(-D(G(torch.randn(work.noise_shape)))).mean()
        g_opt.zero_grad(set_to_none=True)
        g_loss.backward(inputs=g_params)
        g_opt.step()
        return d_loss.item(), g_loss.item()

    return step


def jax_step(work):
    """Return the same for JAX, compiled."""
    from benchmarks import jax_step

    return jax_step.jax_step(work)


LIBRARIES = {"minigan": minigan_step, "torch": torch_step, "jax": jax_step}


def cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def machine(library):
    """Say in a few words what a library, already running, computes its matrix products with."""
    if library == "torch":
        import torch

        return f"{torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads"
    if library == "jax":
        import jax

        return f"{jax.__version__}"
    from threadpoolctl import threadpool_info

    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "numpy" in pool["filepath"]]
    facts = [f"{b['internal_api']}, kernels {b.get('architecture')}, threads {b['num_threads']}" for b in blas]
    return "; ".join(facts) or "a BLAS that threadpoolctl does not know"


def _serve(connection, library, work, span):
    """Answer each request with the seconds per step, taken over `span` seconds of steps; the body of a process."""
    step = LIBRARIES[library](work)
    for _ in range(20):  # compiles kernels, fills caches
        step()
    steps = max(5, round(span / min(seconds(step) for _ in range(10))))
    connection.send(machine(library))
    while connection.recv():
        time.sleep(0.05)  # until the others' threads, which wait busily for work, have gone to sleep
        step()
        connection.send(seconds(lambda: [step() for _ in range(steps)]) / steps)


@contextlib.contextmanager
def _process(library, work, span):
    """Start a library on a workload; yield (its machine facts, a function that measures once)."""
    here, there = multiprocessing.Pipe()

    def answer():
        try:
            return here.recv()
        except EOFError:
            raise RuntimeError(f"{library} stopped; its own message stands above") from None

    def measure():
        here.send(True)
        return answer()

    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there, library, work, span))
    process.start()
    there.close()  # so that a process that dies is noticed here
    try:
        yield answer(), measure
    finally:
        with contextlib.suppress(OSError):
            here.send(False)
        process.join()


def compare(libraries, work, *, rounds, span):
    """Return (facts, times): what each library runs on, and its seconds per step in each round."""
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(_process(name, work, span)) for name in libraries}
        times = interleave({name: measure for name, (_, measure) in started.items()}, rounds)
        return {name: facts for name, (facts, _) in started.items()}, times


def ratio(others, ours):
    """Return the median over rounds of theirs/ours, each pair taken in the same round; above 1: ours is faster."""
    return median(b / a for a, b in zip(ours, others, strict=True))


def run(options):
    """Print the table."""
    found = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    for name in LIBRARIES.keys() - set(found):
        print(f"{name} is not installed here: skipped" + (" (`make bench` installs it)" if name == "torch" else ""))
    rounds, span = (5, 0.1) if options.quick else (21, 0.3)
    others = [name for name in found if name != "minigan"]
    rows = []
    for label, work in WORKLOADS.items():
        facts, times = compare(found, work, rounds=rounds, span=span)
        ratios = [f"{ratio(times[name], times['minigan']):.2f}" for name in others]
        rows.append([f"{label} ({work.batch})", *(duration(median(times[name])) for name in found), *ratios])
    print(table(["workload (batch)", *found, *(f"{name}/minigan" for name in others)], rows))
    print(f"\nmedians of {rounds} rounds; a ratio above 1: minigan is faster. {cores()} cores; in the last row:")
    for name, text in facts.items():
        print(f"  {name:8}{text}")
