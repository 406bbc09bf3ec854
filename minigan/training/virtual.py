"""A data set that is a trained generator: rows are made when they are asked for, without the data it learnt from."""

import hashlib
import operator
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from minigan import random
from minigan.errors import ConfigError, DataError
from minigan.training.gan import GAN

BLOCK = 256  # rows that are made together
MOST = 2**30  # bytes that one request may fill
ESTIMATED_FROM = 4096  # rows that mean and standard deviation are estimated from


class VirtualDataset:
    """An array of generated rows (n, ...), float32, in the data's own units, of which none exists before it is read.

    Row i is a function of the generator, the seed and i alone: the same bits, whether it is read alone, in a slice or
    in any order, and whatever `n` is. It takes the place of a data set of `mg.data`: another GAN can be trained on it.

    Parameters
    ----------
    run : path-like or GAN
        A run folder, or a GAN. A GAN that is trained further makes other rows.
    n : int
        The length; costs nothing.
    seed : int
        Another seed is another data set.
    generator, discriminator : Module, optional
        Needed where the run's networks are your own classes, as in `GAN.load`.

    Attributes
    ----------
    name : str
    shape : tuple of int
        Of one row, as in all data sets of minigan; ``len(data)`` is n.
    mean, std : float
        Over all entries, estimated from the first 4,096 rows.

    Raises
    ------
    ConfigError
        If `n` is less than 1 or `seed` negative.
    CheckpointError
        If the folder holds no run.

    Notes
    -----
    Rows are made in blocks of 256, from noise that is seeded with (seed, number of the block). Always the whole block,
    because a matrix product of another size may round differently in the last bit. A single row therefore costs as much
    as 256. Another processor or BLAS may round differently as well.

    Examples
    --------
    >>> import minigan as mg
    >>> gan = mg.training.GAN(mg.nn.Dense(2, 3), mg.nn.Dense(3, 1))
    >>> rows = mg.training.VirtualDataset(gan, seed=1)
    >>> len(rows), rows[10**6].shape, rows[:5].shape, rows[[7, 3]].shape
    (1000000000, (3,), (5, 3), (2, 3))
    """

    def __init__(self, run, n=10**9, seed=0, *, generator=None, discriminator=None):
        self.n, self.seed = operator.index(n), operator.index(seed)
        if not 1 <= self.n < 2**63 or self.seed < 0:
            raise ConfigError(f"VirtualDataset: n is {n} and seed {seed}; expected at least 1, and at least 0")
        self.gan = run if isinstance(run, GAN) else GAN.load(run, generator, discriminator)
        self.name = f"virtual {self.gan.config.preset}"
        self._kept = (None, None)  # number and rows of the block made last: rows are often read one after the other
        self.shape = self._block(0).shape[1:]

    def __len__(self):
        return self.n

    def __repr__(self):
        return f"<{self.name}: {self.n:,} items of shape {self.shape}, seed {self.seed}>"

    def __getitem__(self, index):
        """Return a row (...) for an integer, or rows (m, ...) for a slice or integers (m,).

        Raises
        ------
        IndexError
            If an index is out of range, or of another kind.
        DataError
            If the rows would fill more than 1 GiB: read them with `chunks`.
        """
        if isinstance(index, slice):
            start, stop, step = index.indices(self.n)
            self._check_fits(len(range(start, stop, step)))
            return self._rows(np.arange(start, stop, step))
        wanted = np.asarray(index)
        if wanted.size == 0:
            wanted = wanted.astype(np.int64)
        if wanted.ndim > 1 or wanted.dtype.kind not in "iu":
            raise IndexError(f"{self.name}: the index {index!r} is no integer, slice or list of integers")
        if ((wanted < -self.n) | (wanted >= self.n)).any():
            raise IndexError(f"{self.name}: an index is out of range for {self.n:,} rows")
        self._check_fits(wanted.size)
        wanted = wanted.astype(np.int64)  # a smaller type could not hold n
        wanted = np.where(wanted < 0, wanted + self.n, wanted)
        return self._rows(wanted) if wanted.ndim else self._rows(wanted[None])[0]

    def __iter__(self):
        for rows in self.chunks(BLOCK):
            yield from rows

    def chunks(self, size=16 * BLOCK):
        """Yield all rows in order as arrays (size, ...), the last one shorter; one at a time is held in memory."""
        for start in range(0, self.n, size):
            yield self[start : start + size]

    def sample(self, n, seed=0):
        """Draw `n` rows (n, ...).

        Parameters
        ----------
        n : int
        seed : int or numpy.random.Generator
            An integer gives the first rows of the data set with that seed; a Generator is advanced, and gives rows from
            its own noise.
        """
        if isinstance(seed, np.random.Generator):
            return self.gan.decode(self.gan.latent.draw(random.default_rng(seed), n))
        return VirtualDataset(self.gan, n, seed)[:]

    @property
    def __array_interface__(self):
        # What np.asarray asks for. Not `__array__`: that is the mark of arrays and tables, which `fit` would copy.
        rows = self[:]
        return {"version": 3, "shape": rows.shape, "typestr": rows.dtype.str, "data": memoryview(rows)}

    @cached_property
    def mean(self):
        return float(self[:ESTIMATED_FROM].mean(dtype=float))

    @cached_property
    def std(self):
        return float(self[:ESTIMATED_FROM].std(dtype=float))

    def _check_fits(self, rows):
        size = 4 * rows * int(np.prod(self.shape))
        if size > MOST:
            raise DataError(
                f"{self.name}: {rows:,} rows would fill {size / 2**30:,.1f} GiB; read fewer, or chunk by chunk: "
                "for rows in data.chunks()"
            )

    def _rows(self, index):
        """Return the rows (m, ...) of an index (m,) in range, block by block."""
        order = np.argsort(index, kind="stable")
        blocks, starts = np.unique(index[order] // BLOCK, return_index=True)
        out = np.empty((len(index), *self.shape), np.float32)
        with threadpool_limits(1, user_api="blas"):  # how a product is divided among threads may change its last bit
            for block, places in zip(blocks, np.split(order, starts[1:]), strict=True) if len(index) else ():
                out[places] = self._block(int(block))[index[places] % BLOCK]
        return out

    def _block(self, number):
        """Return the rows (256, ...) of one block."""
        if self._kept[0] != number:
            source = np.random.SeedSequence(self.seed, spawn_key=(number,))
            noise = self.gan.latent.draw(random.default_rng(np.random.default_rng(source)), BLOCK)
            self._kept = (number, self.gan.decode(noise))
        return self._kept[1]


def fingerprint(gan):
    """Return 16 hexadecimal digits that name the generator whose samples `gan` returns: its weights and units."""
    generator = gan.average.module if gan.average is not None else gan.generator
    digest = hashlib.sha256(repr((gan.centre, gan.scale)).encode())
    for name, array in sorted(generator.state_dict().items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]
