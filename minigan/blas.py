"""Which kernels OpenBLAS multiplies matrices with: decided before it is loaded.

OpenBLAS picks its kernels by the model of the processor, and takes AVX2 kernels on models with AVX-512 that it does not
know (AMD's, for one), which makes a product up to twice as slow. Its variable OPENBLAS_CORETYPE says otherwise.
"""

import os

NEEDED = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}  # what its SkylakeX kernels use


def choose_kernels(cpuinfo="/proc/cpuinfo"):
    """Set OPENBLAS_CORETYPE to SkylakeX where the processor has AVX-512, unless it is set, or MINIGAN_KEEP_BLAS is.

    Whoever loads NumPy first keeps its OpenBLAS as it is; compiled steps use SciPy's, which is loaded later.
    """
    if "OPENBLAS_CORETYPE" in os.environ or os.environ.get("MINIGAN_KEEP_BLAS", "0") not in ("", "0"):
        return
    if processor_flags(cpuinfo) >= NEEDED:
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"


def processor_flags(cpuinfo="/proc/cpuinfo"):
    """Return the features that Linux lists for the first processor; an empty set where it cannot be read."""
    try:
        with open(cpuinfo) as file:
            line = next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return set()
    return set(line.partition(":")[2].split())
