"""minigan sample RUN: samples into a file."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from minigan.cli.options import parse
from minigan.errors import ConfigError
from minigan.files import write_bytes
from minigan.training import GAN


@dataclass
class Sample:
    """Draw samples from a run's generator, in the data's own units.

    Attributes
    ----------
    run : Path
        The run folder.
    n : int
        How many.
    seed : int
        The same seed gives the same samples.
    out : Path
        A file .npz (array `samples`, with axes (n, ...)) or .csv (a line per sample).
    """

    run: tyro.conf.Positional[Path]
    n: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 1000
    seed: int = 0
    out: Path = Path("samples.npz")


def main(args):
    options = parse(Sample, args, "sample")
    if not 1 <= options.n <= 10**9 or options.seed < 0:
        raise ConfigError(f"-n is {options.n} and --seed {options.seed}; expected 1 to 1e9, and at least 0")
    if options.out.suffix not in (".npz", ".csv"):
        raise ConfigError(f"--out {options.out}: expected a name that ends in .npz or .csv")
    samples = GAN.load(options.run).sample(options.n, options.seed)
    try:
        write_bytes(options.out, _npz(samples) if options.out.suffix == ".npz" else _csv(samples))
    except OSError as error:
        raise ConfigError(f"--out {options.out} cannot be written: {error.strerror or error}") from error
    print(f"{options.n} samples of shape {samples.shape[1:]} in {options.out}")


def _npz(samples):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, samples=samples)
    return buffer.getvalue()


def _csv(samples):
    rows = samples.reshape(len(samples), -1)
    header = ",".join(f"x{i}" for i in range(rows.shape[1]))
    buffer = io.StringIO()
    np.savetxt(buffer, rows, delimiter=",", header=header, comments="", fmt="%.9g")
    return buffer.getvalue()
