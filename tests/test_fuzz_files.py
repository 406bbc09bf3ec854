"""Every file that is read, damaged in thousands of ways: refused in one clear line, or left out, or read; nothing else.

`QUICK` damages of each kind of file in every run of the tests, `DEEP` in ``make deep`` (together over 10,000), or

    pytest tests/test_fuzz_files.py -m deep
"""

import gzip
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import tomllib
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import damage
import numpy as np
import pytest
import safetensors.numpy

from minigan import data, nn, random
from minigan.data.glyphs import _load as load_glyphs
from minigan.data.glyphs import _save as save_glyphs
from minigan.errors import MiniganError
from minigan.metrics import classifier
from minigan.training import GAN, Config, RunFolder
from minigan.training.evaluation import keep, kept

QUICK, DEEP = 200, 1200
MOST = 40 * 2**20  # bytes of memory that reading a file of some kB may take
MOST_SECONDS = 20  # of processor time; a test that a busy machine stops is no hang


class Hangs(BaseException):
    pass


@contextmanager
def in_bounds():
    """Fail if the block takes very long or very much memory."""

    def too_long(signum, frame):
        raise Hangs

    before = signal.signal(signal.SIGVTALRM, too_long)
    signal.setitimer(signal.ITIMER_VIRTUAL, MOST_SECONDS)
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def networks():
    rng = random.default_rng(0)
    return nn.Sequential(nn.Dense(1, 3, rng=rng), nn.BatchNorm1d(3), nn.Dense(3, 1, rng=rng)), nn.Dense(1, 1, rng=rng)


# -- one class for each kind of file -----------------------------------------------------------------------------------
class Reader:
    """`make` returns the path of a good file in a folder; `read` reads it and asserts that what comes is sound.

    `structured` returns a file that is well formed and says something else, or None where only accidents are tried.
    """

    def structured(self, rng, good):
        return None


class Idx(Reader):
    packed = False

    def make(self, folder):
        pixels = random.default_rng(0).numpy.integers(0, 256, (3, 28, 28), np.uint8)
        for name, a in (("images-idx3", pixels), ("labels-idx1", np.arange(3, dtype=np.uint8))):
            content = bytes([0, 0, 8, a.ndim]) + np.array(a.shape, ">u4").tobytes() + a.tobytes()
            (folder / f"train-{name}-ubyte").write_bytes(gzip.compress(content, mtime=0) if self.packed else content)
        return folder / "train-images-idx3-ubyte"

    def read(self, path):
        digits = data.mnist(path.parent)
        assert digits.array.shape == (3, 1, 28, 28)


class GzippedIdx(Idx):
    packed = True

    def structured(self, rng, good):
        return gzip.compress(damage.blindly(rng, gzip.decompress(good)), mtime=0)


class Labels(Idx):
    def make(self, folder):
        return super().make(folder).with_name("train-labels-idx1-ubyte")


class Run(Reader):
    """A file in a run folder."""

    name = ""

    def make(self, folder):
        options = {"steps": 4, "log_every": 1, "snapshots": 1, "batch_size": 4, "ema": 0.5}
        gan = GAN(*networks(), **options).fit(data.gaussian(), out=folder / "run", progress=False)
        keep(RunFolder(folder / "run"), gan, {"a": 1.5, "b": math.inf})
        self.gan = gan
        return folder / "run" / self.name


class Options(Run):
    name = "config.toml"

    def read(self, path):
        assert isinstance(RunFolder(path.parent).config(), Config)

    def structured(self, rng, good):
        changed = damage.tree(rng, tomllib.loads(good.decode()))
        return "".join(f"{_toml_key(k)} = {_toml_value(v)}\n" for k, v in changed.items()).encode()


class Checkpoint(Run):
    name = "checkpoint.safetensors"

    def read(self, path):
        gan = GAN.load(path.parent, *networks())
        assert gan.is_finite()
        assert gan.step >= 0
        gan.rng.normal((3,))

    def structured(self, rng, good):
        """A wrong table of contents; or another state, or other arrays, with the right checksum."""
        if rng.random() < 0.4:
            return damage.safetensors_header(rng, good)
        arrays = safetensors.numpy.load(good)
        length = int.from_bytes(good[:8], "little")
        state = json.loads(json.loads(good[8 : 8 + length])["__metadata__"]["minigan"])["state"]
        if rng.random() < 0.6:
            state = damage.tree(rng, state)
        else:
            name = str(rng.choice(sorted(arrays)))
            value = float(rng.choice([np.nan, np.inf, 1e300, -1.0, 2.0**40]))
            arrays[name] = np.full([arrays[name].shape, (3,), (0, 2**40), ()][rng.integers(4)], value, "f8")
        with tempfile.TemporaryDirectory() as folder:
            RunFolder(folder).save_checkpoint(arrays, state)
            return (Path(folder) / "checkpoint.safetensors").read_bytes()


class Metrics(Run):
    name = "metrics.jsonl"

    def read(self, path):
        records = RunFolder(path.parent).metrics()
        steps = [record["step"] for record in records]
        assert steps == sorted(set(steps))
        assert all(math.isfinite(value) for record in records for value in record.values())
        stopped = RunFolder(path.parent).divergence()
        assert stopped is None or (stopped.isprintable() and len(stopped) < 500)

    def structured(self, rng, good):
        lines = [damage.tree(rng, json.loads(line)) for line in good.splitlines()] + [{"step": 4, "diverged": "x"}]
        return b"\n".join(damage.as_json(damage.tree(rng, line)) for line in lines)


class Evaluation(Run):
    name = "evaluation.json"

    def read(self, path):
        if path.is_file():
            found = kept(RunFolder(path.parent), self.gan)
            assert found == {} or (found["a"] == 1.5 and math.isnan(found["b"]))

    def structured(self, rng, good):
        return damage.as_json(damage.tree(rng, json.loads(good)))


class Snapshot(Run):
    name = "snapshots/00000004.npy"

    def read(self, path):
        snapshots = RunFolder(path.parent.parent).snapshots()
        assert [step for step, _ in snapshots][:1] == [0]
        assert sum(x.nbytes for _, x in snapshots) < 10**6

    def structured(self, rng, good):
        shape = tuple(int(n) for n in rng.choice([*damage.HUGE, 0, 1, 2000], size=rng.integers(5)))
        if rng.random() < 0.3:
            shape = (-1, 2.5, *shape)
        kind = str(rng.choice(["<f4", ">f8", "|O", "|V9", "<U3", "<M8[s]", "<c8", "f9999999", "nonsense"]))
        header = repr({"descr": kind, "fortran_order": bool(rng.integers(2)), "shape": shape}).encode() + b"\n"
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + good[128:]


class Glyphs(Reader):
    """The cache of drawn images."""

    def make(self, folder):
        save_glyphs(folder / "glyphs.npz", np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28))
        return folder / "glyphs.npz"

    def read(self, path):
        pixels = load_glyphs(path, 3)
        assert pixels is None or pixels.shape == (3, 28, 28)


class Classifier(Reader):
    """The cache of the classifier whose features FID compares."""

    settings = classifier.Settings(steps=1, channels=(2, 2), features=3, batch_size=4)
    images = data.ArrayDataset(np.random.default_rng(0).random((12, 1, 8, 8)), "squares", np.arange(12) % 2)

    def make(self, folder):
        trained = classifier.image_classifier(self.images, settings=self.settings, cache=folder)
        self.key = trained.key
        return next((folder / "classifiers").glob("*.safetensors"))

    def read(self, path):
        found = classifier._load(path, self.key, classifier._fresh(self.images, self.settings))
        assert found is None or all(np.isfinite(a).all() for a in found.state_dict().values())

    def structured(self, rng, good):
        return damage.safetensors_header(rng, good)


READERS = [Idx, GzippedIdx, Labels, Options, Checkpoint, Metrics, Evaluation, Snapshot, Glyphs, Classifier]


def _toml_key(key):
    return json.dumps(key)


def _toml_value(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_toml_key(k)} = {_toml_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "nan", "inf": "inf", "-inf": "-inf"}[str(value)]
    return '""' if value is None else json.dumps(value)


def is_clear(said, path):
    """Tell whether a refusal is one line of a length that can be read, and names the file or its folder."""
    return said.isprintable() and len(said) < 1000 and (str(path) in said or str(path.parent) in said)


@pytest.mark.parametrize("count", [QUICK, pytest.param(DEEP, marks=pytest.mark.deep)])
@pytest.mark.parametrize("kind", READERS)
def test_damaged_files(tmp_path, kind, count):
    reader = kind()
    path = reader.make(tmp_path)
    good = path.read_bytes()
    reader.read(path)
    refused = 0
    for trial in range(count):
        rng = np.random.default_rng([trial, READERS.index(kind)])
        content = reader.structured(rng, good) if trial % 2 else None
        content = damage.blindly(rng, good) if content is None else content
        path.write_bytes(content)
        try:
            with in_bounds():
                reader.read(path)
        except MiniganError as error:
            refused += 1
            said = str(error)
        except BaseException as error:
            error.add_note(f"{kind.__name__}, trial {trial}: {content[:300]!r}")
            raise
        else:
            continue
        assert is_clear(said, path), f"trial {trial}: {said}"
    if kind in (Idx, GzippedIdx, Labels, Options, Checkpoint):
        assert refused > 0.6 * count
    path.write_bytes(good)
    reader.read(path)


def test_ten_thousand_in_all():
    assert len(READERS) * DEEP >= 10_000


# -- what is no file, and what is far too large ------------------------------------------------------------------------
def a_folder(path):
    path.mkdir()


def a_pipe(path):
    os.mkfifo(path)


def a_circle(path):
    path.symlink_to(path)


def a_giant(path):
    """A terabyte of zeros, which takes no place on the disk."""
    with open(path, "wb") as file:
        file.truncate(2**40)


@pytest.mark.parametrize("put", [a_folder, a_pipe, a_circle, a_giant])
@pytest.mark.parametrize("kind", READERS)
def test_what_stands_in_the_place_of_a_file(tmp_path, kind, put):
    reader = kind()
    path = reader.make(tmp_path)
    path.unlink()
    put(path)
    try:
        with in_bounds():
            reader.read(path)
    except MiniganError as error:
        said = str(error)
    else:
        assert kind not in (Idx, GzippedIdx, Labels, Options, Checkpoint)
        return
    assert is_clear(said, path), said


CLAIMS = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_fuzz_files as fuzz

for kind in fuzz.CLAIMING:
    reader, folder = kind(), Path(sys.argv[2], kind.__name__)
    folder.mkdir()
    path = reader.make(folder)
    reader.read(path)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    most = resource.getrlimit(resource.RLIMIT_AS)[1]
    for claim in list(fuzz.claims(reader, path.read_bytes())):
        path.write_bytes(claim)
        resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, most))
        try:
            reader.read(path)
        except fuzz.MiniganError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
print("done")
"""
CLAIMING = [Idx, GzippedIdx, Labels, Options, Checkpoint, Snapshot, Classifier]


def claims(reader, good):
    """Yield files that say of themselves that they hold 2^32 entries and more."""
    if isinstance(reader, Idx):
        for shape in ((2**32 - 1, 28, 28), (2**20, 2**20, 1), (2**32 - 1,)):
            content = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes() + bytes(1000)
            yield gzip.compress(content) if reader.packed else content
    elif isinstance(reader, Snapshot):
        for shape in ((2**40,), (2**20, 2**20), (2**62, 2)):
            header = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode() + b"\n"
            yield b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(1000)
    elif isinstance(reader, Options):
        yield good.replace(b"latent_normals = 0", b"latent_normals = 1000000")
        yield b"x = [" + b"9," * 10**6
    else:
        yield (2**40).to_bytes(8, "little") + good[8:]
        length = int.from_bytes(good[:8], "little")
        for shape, end in (([2**40], 2**42), ([2**40], None), ([0, 2**60], None)):
            header = json.loads(good[8 : 8 + length])
            name = sorted(header.keys() - {"__metadata__"})[-1]
            header[name]["shape"] = shape
            header[name]["data_offsets"][1] = end or header[name]["data_offsets"][1]
            text = damage.as_json(header)
            yield len(text).to_bytes(8, "little") + text + good[8 + length :]


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_claims_of_a_header_take_no_memory(tmp_path):
    """In a process that may have 256 MB more than it has."""
    command = [sys.executable, "-c", CLAIMS, os.path.dirname(__file__), tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("done\n")
    assert done.stdout.count("\n") >= 12  # refusals
    assert "MemoryError" not in done.stdout + done.stderr
