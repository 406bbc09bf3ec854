"""The run folder: what is written where, and how it survives a crash.

    config.toml              the options, once
    metrics.jsonl            one line of numbers every few steps
    checkpoint.safetensors   weights, optimisers, average, generator state: everything that the next step depends on
    previous.safetensors     the checkpoint before that one, should it be damaged
    snapshots/               samples from one fixed noise, over the run
    evaluation.json          what `minigan evaluate` measured
    pictures as PNG, the animation, report.html

Each file appears complete or not at all, except metrics.jsonl, which grows; lines past the last checkpoint are cut off
when a run is resumed, since the steps they tell of are done again.
"""

import errno
import json
import math
import shutil
import warnings
import zlib
from collections import deque
from contextlib import contextmanager
from pathlib import Path

import filelock
import numpy as np
import safetensors

from minigan.errors import CheckpointError, ConfigError
from minigan.files import atomic_write, check_readable, read_bytes, write_arrays, write_bytes
from minigan.training.config import Config, differences

RECORD = {"step": int, "d_loss": float, "g_loss": float, "d_real": float, "d_fake": float}  # a line of metrics.jsonl
MOST_OPTIONS, MOST_METRICS, MOST_SAMPLES, MOST_WEIGHTS = 2**16, 2**30, 2**30, 2**34  # bytes of a file of that kind
LAST, PREVIOUS = "checkpoint.safetensors", "previous.safetensors"


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
        raise CheckpointError(f"{error.filename or folder}: {error.strerror or error}") from error


@contextmanager
def naming(folder):
    """Let what is wrong with options say whose options they are."""
    try:
        yield
    except ConfigError as error:
        path = str(folder.path / "config.toml")
        if str(error).startswith((str(folder), path)):
            raise
        raise ConfigError(f"{path}: {error}") from error


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
            raise CheckpointError(f"{self} is not empty; choose another --out, or {hint}{self._other_than(config)}")

    def _other_than(self, config):
        """Say in which options the run that is here differs from `config`."""
        try:
            change = differences(self.config(), config)
        except (CheckpointError, ConfigError):
            return ""
        return f". That run has other options: {change}" if change else ""

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
            return Config.from_toml(read_bytes(path, MOST_OPTIONS).decode(), str(path))
        except FileNotFoundError as error:
            raise CheckpointError(f"{self} is not a run folder: it has no config.toml") from error
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path} cannot be read: {error}; is it damaged?") from error
        except OSError as error:
            raise _unreadable(path, error) from error

    # -- checkpoint ---------------------------------------------------------------------------------------------
    def has_checkpoint(self):
        return (self.path / LAST).exists()

    def save_checkpoint(self, arrays, state):
        """Write a checkpoint, atomically.

        Parameters
        ----------
        arrays : dict from name to array
        state : dict
            What is not an array (the step, the generator's state), JSON-able.
        """
        arrays = {name: np.asarray(a, order="C") for name, a in arrays.items()}
        rest = json.dumps({"state": state, "crc32": checksum(arrays, state)}, sort_keys=True)
        with writing_to(self), atomic_write(self.path / LAST) as file:
            write_arrays(file, arrays, {"minigan": rest})

    def keep_previous(self):
        """Keep the last checkpoint as the previous one, before the next is saved."""
        if self.has_checkpoint():
            with writing_to(self):
                check_readable(self.path / LAST, MOST_WEIGHTS)
                with open(self.path / LAST, "rb") as last, atomic_write(self.path / PREVIOUS) as previous:
                    shutil.copyfileobj(last, previous)  # piece by piece

    def load_checkpoint(self, previous=False):
        """Return (arrays, state) as they were saved: those of the last checkpoint, or of the one before it.

        Raises
        ------
        CheckpointError
            If there is no checkpoint, or it is damaged.
        """
        path = self.path / (PREVIOUS if previous else LAST)
        try:
            check_readable(path, MOST_WEIGHTS)
            with safetensors.safe_open(path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
                rest = json.loads((file.metadata() or {})["minigan"])
            if checksum(arrays, rest["state"]) != rest["crc32"] or not isinstance(rest["state"], dict):
                raise ValueError("its checksum is wrong")
            return arrays, rest["state"]
        except FileNotFoundError as error:
            what = "previous checkpoint" if previous else "checkpoint yet; start the run again with an empty folder"
            raise CheckpointError(f"{self} has no {what}") from error
        except (OSError, safetensors.SafetensorError, KeyError, ValueError, TypeError, RecursionError) as error:
            older = not previous and (self.path / PREVIOUS).exists()
            hint = f"go on from the one before it: minigan resume {self} --previous" if older else "start the run again"
            reason = str(error.args[-1] if isinstance(error, OSError | KeyError) and error.args else error)
            reason = "".join(c if c.isprintable() else " " for c in reason[:200])  # it may quote the file
            raise CheckpointError(f"{path} is damaged or not a checkpoint of minigan: {reason}; {hint}") from error

    # -- metrics and snapshots ----------------------------------------------------------------------------------
    def metrics(self):
        """Return the records of metrics.jsonl as a list of dicts, in order of their steps, one for each.

        Lines that were cut off or damaged are left out.
        """
        records = [record for record in map(_record, self._lines()) if record is not None]
        return [record for _, record in sorted({record["step"]: record for record in records}.items())]

    def divergence(self):
        """Return what was no longer finite when training stopped, or None if nothing was."""
        try:
            (last,) = deque(self._lines(), maxlen=1)
            what = json.loads(last)["diverged"]
        except (ValueError, RecursionError, KeyError, TypeError):
            return None
        return what[:300] if isinstance(what, str) and what.isprintable() else None

    def _lines(self):
        """Yield the lines of metrics.jsonl; one that is too long for a record comes in pieces."""
        path = self.path / "metrics.jsonl"
        try:
            check_readable(path, MOST_METRICS)
            with open(path, "rb") as file:
                yield from iter(lambda: file.readline(1000), b"")
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unreadable(path, error) from error

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
        for path in (self.path / "snapshots").glob("[0-9]*.npy"):
            try:
                found.append((int(path.stem), _samples(path)))
            except Exception:  # a damaged header raises many kinds, those of Python's tokenizer too
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
                if not (path.stem.isascii() and path.stem.isdigit()) or int(path.stem) > step:
                    path.unlink()
            for left_over in [*self.path.glob(".*.tmp"), *(self.path / "snapshots").glob(".*.tmp")]:
                left_over.unlink()  # a file that a killed process had not finished


def checksum(arrays, state):
    """Return the CRC-32 of arrays, with their names, types and shapes, and of the JSON-able `state`."""
    crc = zlib.crc32(json.dumps(state, sort_keys=True).encode())
    for name, a in sorted(arrays.items()):
        crc = zlib.crc32(np.ascontiguousarray(a).data, zlib.crc32(f"{name} {a.dtype} {a.shape}".encode(), crc))
    return crc


def _samples(path):
    """Return the float32 array in an npy file; ValueError if the file is not as long as its header says."""
    check_readable(path, MOST_SAMPLES)
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a header that is damaged
        np.lib.format.read_magic(file)
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        if dtype != np.float32 or 4 * math.prod(shape) != path.stat().st_size - file.tell():
            raise ValueError("no samples")
        return np.fromfile(file, np.float32).reshape(shape, order="F" if fortran_order else "C")


def _record(line):
    """Return the record in a line of metrics.jsonl, or None if it is none."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or any(type(record.get(key)) is not kind for key, kind in RECORD.items()):
        return None
    in_range = 0 < record["step"] < 2**63 and 0 <= record["d_real"] <= 1 and 0 <= record["d_fake"] <= 1
    finite = math.isfinite(record["d_loss"]) and math.isfinite(record["g_loss"])
    return {key: record[key] for key in RECORD} if in_range and finite else None


def _unreadable(path, error):
    return CheckpointError(f"{path} cannot be read ({error.strerror or error}); is it damaged, or not yours?")
