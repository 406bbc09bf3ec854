"""The run folder: what is written where, and how it survives a crash.

    config.toml              the options, once
    metrics.jsonl            one line of numbers every few steps
    checkpoint.safetensors   weights, optimisers, average, generator state: everything that the next step depends on
    snapshots/               samples from one fixed noise, over the run
    pictures as PNG, the animation, report.html

Each file appears complete or not at all, except metrics.jsonl, which grows; lines past the last checkpoint are cut off
when a run is resumed, since the steps they tell of are done again.
"""

import errno
import json
import zlib
from contextlib import contextmanager
from pathlib import Path

import filelock
import numpy as np
import safetensors
import safetensors.numpy

from minigan.errors import CheckpointError
from minigan.files import atomic_write, write_bytes
from minigan.training.config import Config

RECORD = {"step": int, "d_loss": float, "g_loss": float, "d_real": float, "d_fake": float}  # a line of metrics.jsonl


@contextmanager
def writing_to(folder):
    """Turn what the file system says about a RunFolder into one clear line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            then = f"then: minigan resume {folder}" if folder.has_checkpoint() else "then start again"
            raise CheckpointError(f"the disk of {folder} is full; free some space, {then}") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise CheckpointError(f"{folder} cannot be written to ({error.strerror}); choose another --out") from error
        raise CheckpointError(f"{folder}: {error.strerror or error}") from error


class RunFolder:
    """A folder of one training run.

    Parameters
    ----------
    path : path-like
    """

    def __init__(self, path):
        self.path = Path(path)

    def __str__(self):
        return str(self.path)

    # -- opening ------------------------------------------------------------------------------------------------
    @contextmanager
    def claimed(self, config):
        """Make the folder for a new run with these options, and keep other processes from writing to it.

        Raises
        ------
        CheckpointError
            If a run is there already, or the folder cannot be written to. What is left of a run with the same options
            that was killed before its first checkpoint does not count.
        """
        with writing_to(self):
            self._check_free(config)
            self.path.mkdir(parents=True, exist_ok=True)
        with self.locked():
            self._check_free(config)  # again: another process may have been faster
            self.save_config(config)
            yield self

    def _check_free(self, config):
        if self.path.exists() and not self.path.is_dir():
            raise CheckpointError(f"{self} is a file; choose another --out")
        if self.path.is_dir() and self._holds_something_else(config):
            hint = f"to go on with it: minigan resume {self}" if self.has_checkpoint() else "empty it first"
            raise CheckpointError(f"{self} is not empty; choose another --out, or {hint}")

    def _holds_something_else(self, config):
        if self.has_checkpoint():
            return True
        if (self.path / "config.toml").exists():
            return self.config() != config
        return any(not path.name.startswith((".lock", ".config.toml")) for path in self.path.iterdir())

    @contextmanager
    def locked(self):
        """Keep other processes from writing to this run; the lock goes with the process, however that ends."""
        lock = filelock.FileLock(self.path / ".lock")
        with writing_to(self):
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise CheckpointError(
                    f"{self} is in use by another process; wait for it or choose another --out"
                ) from error
        try:
            yield self
        finally:
            lock.release()

    # -- options ------------------------------------------------------------------------------------------------
    def save_config(self, config):
        """Write config.toml."""
        with writing_to(self):
            write_bytes(self.path / "config.toml", config.to_toml())

    def config(self):
        """Read config.toml."""
        path = self.path / "config.toml"
        try:
            return Config.from_toml(path.read_text(encoding="utf-8"), str(path))
        except FileNotFoundError as error:
            raise CheckpointError(f"{self} is not a run folder: it has no config.toml") from error
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{path} cannot be read: {error}") from error

    # -- checkpoint ---------------------------------------------------------------------------------------------
    def has_checkpoint(self):
        return (self.path / "checkpoint.safetensors").exists()

    def save_checkpoint(self, arrays, state):
        """Write a checkpoint, atomically.

        Parameters
        ----------
        arrays : dict from name to array
        state : dict
            What is not an array (the step, the generator's state), JSON-able.
        """
        arrays = {name: np.array(a, order="C") for name, a in arrays.items()}
        rest = json.dumps({"state": state, "crc32": _checksum(arrays, state)}, sort_keys=True)
        data = safetensors.numpy.save(arrays, metadata={"minigan": rest})  # one entry: several come in random order
        with writing_to(self):
            write_bytes(self.path / "checkpoint.safetensors", data)

    def load_checkpoint(self):
        """Return (arrays, state) as they were saved.

        Raises
        ------
        CheckpointError
            If there is no checkpoint, or it is damaged.
        """
        path = self.path / "checkpoint.safetensors"
        try:
            with safetensors.safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
                rest = json.loads((file.metadata() or {})["minigan"])
            if _checksum(arrays, rest["state"]) != rest["crc32"]:
                raise ValueError("its checksum is wrong")
            return arrays, rest["state"]
        except FileNotFoundError as error:
            raise CheckpointError(f"{self} has no checkpoint yet; start the run again with an empty folder") from error
        except (OSError, safetensors.SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise CheckpointError(f"{path} is damaged or not a checkpoint of minigan: {error}") from error

    # -- metrics and snapshots ----------------------------------------------------------------------------------
    def metrics(self):
        """Return the records of metrics.jsonl as a list of dicts; lines that were cut off or damaged are left out."""
        try:
            lines = (self.path / "metrics.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CheckpointError(f"{self.path / 'metrics.jsonl'} cannot be read: {error}") from error
        return [record for record in map(_record, lines) if record is not None]

    def divergence(self):
        """Return what was no longer finite when training stopped, or None if nothing was."""
        try:
            *_, last = (self.path / "metrics.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
            what = json.loads(last)["diverged"]
        except (OSError, ValueError, RecursionError, KeyError, TypeError):
            return None
        return what if isinstance(what, str) else None

    def append_metrics(self, record):
        with writing_to(self), open(self.path / "metrics.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def save_snapshot(self, step, samples):
        with writing_to(self):
            folder = self.path / "snapshots"
            folder.mkdir(exist_ok=True)
            with atomic_write(folder / f"{step:08d}.npy") as file:
                np.save(file, samples, allow_pickle=False)

    def snapshots(self):
        """Return the snapshots as a list of (step, samples), in order; damaged files are left out."""
        found = []
        for path in (self.path / "snapshots").glob("*.npy"):
            try:
                with open(path, "rb") as file:
                    found.append((int(path.stem), np.lib.format.read_array(file, allow_pickle=False)))
            except (OSError, ValueError, EOFError, MemoryError):
                continue
        return sorted(found, key=lambda pair: pair[0])

    def rewind(self, step, history):
        """Let the folder tell of no more than `step` steps: the next ones are written again.

        Parameters
        ----------
        step : int
        history : list of dict
            The records of metrics.jsonl up to there.
        """
        with writing_to(self):
            write_bytes(self.path / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in history))
            for path in (self.path / "snapshots").glob("*.npy"):
                if not path.stem.isdigit() or int(path.stem) > step:
                    path.unlink()
            for left_over in [*self.path.glob(".*.tmp"), *(self.path / "snapshots").glob(".*.tmp")]:
                left_over.unlink()  # a file that a killed process had not finished


def _checksum(arrays, state):
    """Return the CRC-32 of arrays, with their names, types and shapes, and of the JSON-able `state`."""
    crc = zlib.crc32(json.dumps(state, sort_keys=True).encode())
    for name, a in sorted(arrays.items()):
        crc = zlib.crc32(a.tobytes(), zlib.crc32(f"{name} {a.dtype} {a.shape}".encode(), crc))
    return crc


def _record(line):
    """Return the record in a line of metrics.jsonl, or None if it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(record, dict) and all(type(record.get(key)) is kind for key, kind in RECORD.items())
    return record if fits else None
