"""Files appear complete or not at all."""

import os
import stat
import tempfile
from pathlib import Path

import numpy as np
import pytest
import safetensors
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from minigan.files import atomic_write, write_arrays, write_bytes


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write_bytes(path, b"old")

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_bytes(tmp_path / "nowhere" / "a.html", b"")


def test_files_get_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    write_bytes(tmp_path / "ours", b"")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "ours")}
    assert len(modes) == 1


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5).filter(lambda s: s != "__metadata__")
ARRAYS = st.sampled_from(["f4", "f8", "f2", "i8", "i4", "u1", "?", ">f4", ">i8"]).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
)


@settings(deadline=None)
@given(st.dictionaries(NAMES, ARRAYS, min_size=1, max_size=5), st.text(st.characters(exclude_categories=["Cs"])))
def test_arrays_are_written_as_safetensors_reads_them(arrays, words):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "arrays"
        with open(path, "wb") as file:
            write_arrays(file, arrays, {"words": words})
        with safetensors.safe_open(path, framework="numpy") as file:
            assert file.metadata() == {"words": words}
            assert set(file.keys()) == set(arrays)
            for name, array in arrays.items():
                got = file.get_tensor(name)
                expected = array.astype(array.dtype.newbyteorder("<"))
                assert (got.dtype, got.shape, got.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


@pytest.mark.parametrize("dtype", ["g", "c8", "U3"])
def test_arrays_that_the_format_does_not_know_keep_the_old_file(tmp_path, dtype):
    path = tmp_path / "arrays"
    path.write_bytes(b"old")
    with pytest.raises(TypeError, match=r"weights holds .*up to 8 bytes"), atomic_write(path) as file:
        write_arrays(file, {"ok": np.ones(2), "weights": np.ones(2).astype(dtype)}, {})
    assert path.read_bytes() == b"old"
