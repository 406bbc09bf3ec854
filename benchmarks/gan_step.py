"""A full GAN training step in minigan, PyTorch and JAX, on the same networks.

The discriminator's step, then the generator's: fresh noise for each, Adam for both; the batch of real samples is given.
All libraries are at their best settings (`minigan_step.py`, `torch_step.py`, `jax_step.py`), and a ratio is against the
best of the others. "products" is the share of minigan's step that its matrix products alone take, computed as there.
"""

import importlib.util
from statistics import median

from benchmarks.contest import compare, cores, ratio
from benchmarks.tables import duration, table
from benchmarks.workloads import WORKLOADS


def minigan_step(work):
    """Return a function that does one step as `minigan train` does, compiled, and returns (d_loss, g_loss)."""
    from benchmarks import minigan_step

    return minigan_step.minigan_step(work, compiled=True)


def minigan_eager_step(work):
    """Return the same without the compiler."""
    from benchmarks import minigan_step

    return minigan_step.minigan_step(work, compiled=False)


def torch_step(work):
    """Return the same for PyTorch, eager."""
    from benchmarks import torch_step

    return torch_step.torch_step(work, compiled=False)


def torch_compile_step(work):
    """Return the same for PyTorch with both networks compiled."""
    from benchmarks import torch_step

    return torch_step.torch_step(work, compiled=True)


def jax_step(work):
    """Return the same for JAX, compiled."""
    from benchmarks import jax_step

    return jax_step.jax_step(work)


LIBRARIES = {
    "minigan": minigan_step,
    "minigan eager": minigan_eager_step,
    "torch": torch_step,
    "torch.compile": torch_compile_step,
    "jax": jax_step,
}


def chosen(options):
    """Return the libraries that the options ask for and that are installed, in the order of `LIBRARIES`."""
    wanted = options.libraries or [name for name in LIBRARIES if name != "minigan eager"]
    wanted = [*wanted, "minigan eager"] if options.eager else wanted
    packages = {name: name.split()[0].split(".")[0] for name in wanted}
    missing = [name for name, package in packages.items() if not importlib.util.find_spec(package)]
    for name in missing:
        print(f"{name} left out: {packages[name]} is not installed here (`make bench` installs it)")
    return {name: make for name, make in LIBRARIES.items() if name in wanted and name not in missing}


def best_ratio(times):
    """Return (name, ratio) of the fastest library beside minigan, None if there is none; above 1: minigan is faster."""
    others = [name for name in times if not name.startswith("minigan")]
    if not others or "minigan" not in times:
        return None
    return min(((name, ratio(times[name], times["minigan"])) for name in others), key=lambda pair: pair[1])


def row(label, work, libraries, times):
    """Return the cells of a line of the table."""
    best = best_ratio(times)
    products = times.get("minigan products")
    return [
        f"{label} ({work.batch})",
        *(duration(median(times[name])) if name in times else "-" for name in libraries),
        f"{best[1]:.2f}" if best else "-",
        best[0] if best else "-",
        f"{ratio(products, times['minigan']):.0%}" if products else "-",
    ]


def run(options):
    """Print the table."""
    libraries = chosen(options)
    rounds, span = (5, 0.1) if options.quick else (21, 0.3)
    rows, facts = [], {}
    for label in options.rows or WORKLOADS:
        work = WORKLOADS[label]
        facts, times = compare(libraries, work, rounds=rounds, span=span)
        rows.append(row(label, work, libraries, times))
        print(f"{label}: done", flush=True)
    print("\n" + table(["workload (batch)", *libraries, "best/minigan", "the best", "products"], rows))
    print(f"\nmedians of {rounds} rounds; a ratio above 1: minigan is faster. {cores()} cores; in the last row:")
    for name, text in facts.items():
        print(f"  {name:15}{text}")
