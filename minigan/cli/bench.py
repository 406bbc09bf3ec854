"""minigan bench: what compiling a preset's training step gains on this machine."""

import time
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
import tyro

from minigan.cli.options import parse
from minigan.training import presets

COLUMNS = ("preset (batch)", "eager", "compiled", "eager/compiled", "products", "first step")


@dataclass
class Bench:
    """Time training steps, eager and compiled, in turns; medians, and the median of the ratios.

    "products" is the share of the compiled step that its matrix products alone take, "first step" the seconds to record
    and compile it, or to find it in the cache.

    Attributes
    ----------
    preset : list
        Presets to time; all that need no files if none is named.
    rounds : int
        How often each is timed.
    data : str
        Folder of the MNIST files, for mnist.
    """

    preset: tyro.conf.Positional[list[str]] = field(default_factory=list)
    rounds: int = 15
    data: str = ""


def main(args):
    options = parse(Bench, args, "bench")
    names = options.preset or [name for name in presets.PRESETS if not name.startswith("mnist") and "-" not in name]
    configs = [replace(presets.config(name), data=options.data if name.startswith("mnist") else "") for name in names]
    print("  ".join(f"{title:>14}" for title in COLUMNS))
    for config in configs:
        print("  ".join(f"{cell:>14}" for cell in _row(config, options.rounds)), flush=True)


def _row(config, rounds):
    eager, compiled = (presets.build(replace(config, compile=choice)) for choice in (False, True))
    batch = compiled._batch(presets.dataset(config))
    with compiled._few_threads(config.batch_size):
        first = _seconds(lambda: compiled.train_step(batch))
        steps = [lambda gan=gan: gan.train_step(batch) for gan in (eager, compiled)]
        products = compiled._compiled_step.products
        for run in (*steps, *steps, products):
            run()
        times = np.array([[_each(run) for run in (*steps, products)] for _ in range(rounds)])
    slow, fast, multiplying = np.median(times, axis=0)
    return (
        f"{config.preset} ({config.batch_size})",
        f"{slow * 1e3:.3f} ms",
        f"{fast * 1e3:.3f} ms",
        f"{median(times[:, 0] / times[:, 1]):.2f}",
        f"{multiplying / fast:.0%}",
        f"{first:.1f} s",
    )


def _each(run, span=0.1):
    """Return the seconds of one call, over calls of about `span` seconds."""
    count = max(1, round(span / max(_seconds(run), 1e-6)))
    return _seconds(lambda: [run() for _ in range(count)]) / count


def _seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
