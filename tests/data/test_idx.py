"""IDX files: what is right is read, everything else is one clear DataError, and memory follows the file."""

import gzip
import os
import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from minigan.data.idx import read_idx
from minigan.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
MEGABYTE = 2**20


def gz(content):
    return gzip.compress(content, mtime=0)


@contextmanager
def memory_below(limit):
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def read_or_refuse(file, content):
    """Read `content` as a file; return None where it is refused with DataError, which is the only way to refuse."""
    file.write_bytes(content)
    refusal = None
    with memory_below(3 * MEGABYTE):
        try:
            values = read_idx(file)
        except DataError as error:
            refusal = str(error)
    if refusal is not None:
        assert str(file) in refusal
        assert "\n" not in refusal
        return None
    assert values.dtype == np.uint8
    assert values.size > 0
    return values


@pytest.mark.parametrize("pack", [bytes, gz])
@pytest.mark.parametrize("shape", [(7,), (3, 4), (2, 3, 4), (1, 2, 1, 2)])
def test_reads_what_was_written(tmp_path, idx_bytes, pack, shape):
    array = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    file = tmp_path / "whatever-name.bin"
    file.write_bytes(pack(idx_bytes(array)))
    np.testing.assert_array_equal(read_idx(file), array)
    np.testing.assert_array_equal(read_idx(str(file), item_shape=shape[1:]), array)


def test_memory_holds_the_values_once(tmp_path, idx_bytes):
    array = np.random.default_rng(2).integers(0, 256, (8, 1024, 1024), dtype=np.uint8)
    for name, content in (("raw", idx_bytes(array)), ("packed", gzip.compress(idx_bytes(array), compresslevel=0))):
        (tmp_path / name).write_bytes(content)
        with memory_below(1.5 * array.nbytes):
            read_idx(tmp_path / name)


@pytest.mark.parametrize("pack", [bytes, gz])
class TestDamage:
    def test_every_truncation_is_refused(self, tmp_path, idx_bytes, pack):
        content = pack(idx_bytes(IMAGES))
        for length in range(len(content)):
            assert read_or_refuse(tmp_path / "f", content[:length]) is None, length

    def test_every_flipped_byte_is_refused_or_harmless(self, tmp_path, idx_bytes, pack):
        """A changed value cannot be noticed in a raw file, a changed time stamp need not be in gzip; the rest must."""
        content = pack(idx_bytes(IMAGES))
        read = 0
        for place in range(len(content)):
            for flip in (0x01, 0x80, 0xFF):
                damaged = bytearray(content)
                damaged[place] ^= flip
                values = read_or_refuse(tmp_path / "f", damaged)
                if values is not None:
                    read += 1
                    assert values.shape == IMAGES.shape
                    assert pack is bytes or (values == IMAGES).all()
        assert read == 3 * IMAGES.size if pack is bytes else 0 < read < 60

    def test_trailing_bytes_are_refused(self, tmp_path, idx_bytes, pack):
        content = idx_bytes(IMAGES)
        (tmp_path / "f").write_bytes(pack(content + b"x"))
        with pytest.raises(DataError, match=r"promises 3 x 4 x 5 = 60 bytes, the file holds (61|more)"):
            read_idx(tmp_path / "f")

    @pytest.mark.parametrize("shape", [(10**9, 28, 28), (2**32 - 1,) * 4, (60_000, 28, 28)])
    def test_header_that_promises_too_much_costs_no_memory(self, tmp_path, idx_bytes, pack, shape):
        assert read_or_refuse(tmp_path / "f", pack(idx_bytes(IMAGES, shape=shape))) is None

    @pytest.mark.parametrize("shape", [(0,), (0, 28, 28), (3, 0, 5), (0, 2**32 - 1, 2**32 - 1, 2**32 - 1)])
    def test_nothing_to_hold_is_refused(self, tmp_path, idx_bytes, pack, shape):
        (tmp_path / "f").write_bytes(pack(idx_bytes(np.empty(0, np.uint8), shape=shape)))
        with pytest.raises(DataError, match="holds no items"):
            read_idx(tmp_path / "f")

    @pytest.mark.parametrize("axes", [0, 5, 70, 255])
    def test_strange_numbers_of_axes_are_refused(self, tmp_path, idx_bytes, pack, axes):
        (tmp_path / "f").write_bytes(pack(idx_bytes(np.zeros(1, np.uint8), shape=(1,) * axes)))
        with pytest.raises(DataError, match=f"has {axes} axes"):
            read_idx(tmp_path / "f")

    @settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(edits=st.lists(st.tuples(st.integers(0, 10**4), st.binary(max_size=6), st.integers(0, 6)), max_size=4))
    def test_any_edit_is_refused_or_read(self, tmp_path, idx_bytes, pack, edits):
        content = pack(idx_bytes(IMAGES))
        for place, inserted, removed in edits:
            place %= len(content) + 1
            content = content[:place] + inserted + content[place + removed :]
        read_or_refuse(tmp_path / "f", content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
@example(content=b"")
@example(content=b"\x1f\x8b")
def test_any_bytes_are_refused_or_read(tmp_path, content):
    read_or_refuse(tmp_path / "f", content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(array=npst.arrays(np.uint8, npst.array_shapes(max_dims=4, max_side=6)), packed=st.booleans())
def test_any_array_comes_back(tmp_path, idx_bytes, array, packed):
    (tmp_path / "f").write_bytes(gz(idx_bytes(array)) if packed else idx_bytes(array))
    np.testing.assert_array_equal(read_idx(tmp_path / "f"), array)


def test_gzip_bomb_is_unpacked_no_further_than_promised(tmp_path, idx_bytes):
    bomb = gz(idx_bytes(IMAGES) + bytes(50 * MEGABYTE))
    assert read_or_refuse(tmp_path / "f", bomb) is None


def test_gzip_bomb_with_an_honest_header_is_refused(tmp_path, idx_bytes):
    file = tmp_path / "f"
    file.write_bytes(gz(idx_bytes(np.zeros(20 * MEGABYTE, np.uint8), shape=(2**31, 1))))
    with memory_below(3 * MEGABYTE), pytest.raises(DataError, match=r"up to 1,073,741,824 bytes; .*gunzip first"):
        read_idx(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<!DOCTYPE html><html>", "is not an IDX file, it begins with the bytes 3c 21 44 4f"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "is not an IDX file"),
        (b"PK\x03\x04" + bytes(100), "is not an IDX file"),
        (b"", r"begins with the bytes \(none\)"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "holds float32 values, expected uint8"),
        (b"\0\0\x07\x01\0\0\0\x01\0", "is not an IDX file"),
        (b"\0\0\x08\x03\0\0\0\x01", "ends inside its header"),
        (gz(b"<!DOCTYPE html>"), "is not an IDX file"),
        (b"\x1f\x8bnot gzip after all", "damaged gzip data"),
    ],
)
def test_foreign_files_are_named_for_what_they_are(tmp_path, content, message):
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(tmp_path / "f")


def test_other_item_shape_is_refused(tmp_path, idx_bytes):
    (tmp_path / "f").write_bytes(idx_bytes(IMAGES))
    with pytest.raises(DataError, match=r"items of shape \(4, 5\), expected \(28, 28\)"):
        read_idx(tmp_path / "f", item_shape=(28, 28))
    with pytest.raises(DataError, match=r"items of shape \(4, 5\), expected \(\)"):
        read_idx(tmp_path / "f", item_shape=())


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a folder"):
        read_idx(tmp_path)
    with pytest.raises(DataError, match="No such file"):
        read_idx(tmp_path / "missing")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataError, match="not a regular file"):  # and does not wait for a writer
            read_idx(tmp_path / "pipe")
