"""minigan sample RUN: samples into a file."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from minigan import __version__
from minigan.cli.options import parse
from minigan.errors import ConfigError
from minigan.files import atomic_write
from minigan.progress import progress_bar
from minigan.training import VirtualDataset
from minigan.training.virtual import BLOCK, fingerprint

CHUNK = 4 * 2**20  # bytes of samples in memory at a time, about


@dataclass
class Sample:
    """Draw samples from a run's generator, in the data's own units.

    They are the first rows of VirtualDataset(RUN, seed=SEED): more samples of the same seed begin with the same ones.

    Attributes
    ----------
    run : Path
        The run folder.
    n : int
        How many.
    seed : int
        The same seed gives the same samples.
    out : Path
        A file .npz (array `samples`, with axes (n, ...), and small ones: seed, preset, step, generator, version) or
        .csv (the same facts as comments, a header, a line per sample).
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
    rows = VirtualDataset(options.run, options.n, options.seed)
    write = _write_npz if options.out.suffix == ".npz" else _write_csv
    try:
        with atomic_write(options.out) as file:
            write(file, rows, _facts(rows))
    except OSError as error:
        raise ConfigError(f"--out {options.out} cannot be written: {error.strerror or error}") from error
    print(f"{options.n} samples of shape {rows.shape} in {options.out}")


def _facts(rows):
    """Return what the samples come from: the seed, and the run by its preset, steps and generator's fingerprint."""
    gan = rows.gan
    return {
        "seed": rows.seed,
        "preset": gan.config.preset,
        "step": gan.step,
        "generator": fingerprint(gan),
        "version": __version__,
    }


def _chunks(rows):
    """Yield all rows chunk by chunk, with a progress bar where it takes more than a second."""
    blocks = max(CHUNK // (4 * BLOCK * int(np.prod(rows.shape))), 1)
    with progress_bar(total=len(rows), desc="samples", unit="row", unit_scale=True, delay=1) as bar:
        for chunk in rows.chunks(blocks * BLOCK):
            yield chunk
            bar.update(len(chunk))


def _write_npz(file, rows, facts):
    """Write what `np.savez` would, without ever holding all samples."""
    with zipfile.ZipFile(file, "w") as archive:
        with _member(archive, "samples") as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows), *rows.shape)}
            np.lib.format.write_array_header_1_0(member, header)
            for chunk in _chunks(rows):
                member.write(chunk.astype("<f4", copy=False).data)
        for name, value in facts.items():
            with _member(archive, name) as member:
                np.lib.format.write_array(member, np.array(value), allow_pickle=False)


def _member(archive, name):
    # A ZipInfo made by hand carries no time of day: the same samples are the same file.
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def _write_csv(file, rows, facts):
    for name, value in facts.items():
        file.write(f"# {name}: {value}\n".encode())
    file.write(f"# shape: {' '.join(map(str, rows.shape))}\n".encode())
    file.write((",".join(f"x{i}" for i in range(int(np.prod(rows.shape)))) + "\n").encode())
    for chunk in _chunks(rows):
        np.savetxt(file, chunk.reshape(len(chunk), -1), delimiter=",", fmt="%.9g")
