"""python -m benchmarks [NAMES] [options]: run the benchmarks and print their tables."""

import argparse
import importlib
import os

from benchmarks.gan_step import LIBRARIES
from benchmarks.workloads import WORKLOADS
from minigan.training.config import LATENTS
from minigan.training.presets import PRESETS

HEADINGS = {
    "gan_step": "One GAN training step, against PyTorch and JAX",
    "growth": "How the time of a GAN step grows with width, batch, depth and T",
    "process": "A whole training run as a process, against PyTorch",
    "presets": "Quality and time of the presets, over seeds",
    "images": "Digits after ten minutes, beside a widely used GAN in PyTorch",
    "startup": "Time from the shell to the first answer",
    "memory": "Peak memory of training on MNIST",
    "convolution": "The convolutions of a DCGAN, against PyTorch",
    "layers": "Recurrent layers, against PyTorch",
    "checkers": "Gradient checkers on planted errors, against PyTorch, JAX and autograd",
}


def options(argv=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure minigan on this machine.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which, of: {', '.join(HEADINGS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: a look, not a measurement")
    parser.add_argument("--seeds", type=int, metavar="N", help="presets: seeds 0 to N-1 (default: 10; quick: 2)")
    parser.add_argument("--steps", type=int, metavar="N", help="memory: training steps (default: 500)")
    parser.add_argument("--rows", metavar="A,B", help=f"gan_step: which rows, of: {', '.join(WORKLOADS)}")
    parser.add_argument("--presets", metavar="A,B", help=f"presets, images: of: {', '.join(PRESETS)}")
    parser.add_argument("--latent", choices=LATENTS, help="presets: the kind of noise, as for minigan train")
    parser.add_argument("--minutes", type=float, default=10.0, metavar="X", help="images: of PyTorch (default: 10)")
    parser.add_argument("--libraries", metavar="A,B", help=f"gan_step, growth: of: {', '.join(LIBRARIES)}")
    parser.add_argument("--eager", action="store_true", help="gan_step, growth: minigan without its compiler too")
    given = parser.parse_args(argv)
    if unknown := [name for name in given.names if name not in HEADINGS]:
        parser.error(f"unknown benchmark {', '.join(unknown)}; known are {', '.join(HEADINGS)}")
    for option, known in (("rows", WORKLOADS), ("libraries", LIBRARIES), ("presets", PRESETS)):
        if (text := getattr(given, option)) is not None:
            names = [name.strip() for name in text.split(",")]
            if unknown := [name for name in names if name not in known]:
                parser.error(f"--{option}: unknown {', '.join(map(repr, unknown))}; known are {', '.join(known)}")
            setattr(given, option, names)
    for name in ("seeds", "steps"):
        if (number := getattr(given, name)) is not None and number < 1:
            parser.error(f"--{name} is {number}; it must be at least 1")
    return given


def main(argv=None):
    """Run the benchmarks that the command line names, each imported only when its turn comes."""
    given = options(argv)
    busy, cores = os.getloadavg()[0], os.cpu_count()
    advice = "; too busy to compare: let it come to rest first" if busy > cores / 2 else ""
    print(f"load of this machine over the last minute: {busy:.1f} on {cores} cores{advice}")
    for name in given.names or HEADINGS:
        print(f"\n== {HEADINGS[name]} ({name})", flush=True)
        importlib.import_module(f"benchmarks.{name}").run(given)


if __name__ == "__main__":
    main()
