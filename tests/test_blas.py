"""The choice of OpenBLAS's kernels: only where the processor has AVX-512, and only if nobody has decided."""

import os

import pytest

from minigan import blas

FULL = "flags\t\t: fpu " + " ".join(sorted(blas.NEEDED)) + " sse2\n"


@pytest.fixture
def cpuinfo(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "unknown")  # so that what a test sets does not outlive it
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    monkeypatch.delenv("MINIGAN_KEEP_BLAS", raising=False)

    def write(text):
        (tmp_path / "cpuinfo").write_text("processor: 0\n" + text)
        return str(tmp_path / "cpuinfo")

    return write


def test_with_avx_512(cpuinfo):
    blas.choose_kernels(cpuinfo(FULL))
    assert os.environ["OPENBLAS_CORETYPE"] == "SkylakeX"


@pytest.mark.parametrize("missing", sorted(blas.NEEDED))
def test_never_on_a_processor_that_lacks_a_part_of_it(cpuinfo, missing):
    blas.choose_kernels(cpuinfo(FULL.replace(missing + " ", "")))
    assert "OPENBLAS_CORETYPE" not in os.environ


def test_the_users_word_stands(cpuinfo, monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    blas.choose_kernels(cpuinfo(FULL))
    assert os.environ["OPENBLAS_CORETYPE"] == "Haswell"


def test_it_can_be_switched_off(cpuinfo, monkeypatch):
    monkeypatch.setenv("MINIGAN_KEEP_BLAS", "1")
    blas.choose_kernels(cpuinfo(FULL))
    assert "OPENBLAS_CORETYPE" not in os.environ


def test_where_there_is_no_such_file(cpuinfo):
    blas.choose_kernels("/nowhere/cpuinfo")
    assert "OPENBLAS_CORETYPE" not in os.environ
