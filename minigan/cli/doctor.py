"""minigan doctor: what this installation runs on."""

import importlib.metadata
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import threadpoolctl

from minigan.blas import processor_flags
from minigan.cli.options import parse
from minigan.compiler import cache as compiled_steps
from minigan.kernels import threads

PACKAGES = ["minigan", "numpy", "numba", "llvmlite", "scipy", "matplotlib", "safetensors"]


@dataclass
class Doctor:
    """Show versions, processor, BLAS, threads and caches, and what to do when something is slow.

    Attributes
    ----------
    clear_cache : bool
        Remove the compiled training steps; they are compiled again when they are needed.
    """

    clear_cache: bool = False


def main(args):
    if parse(Doctor, args, "doctor").clear_cache:
        print(f"removed {compiled_steps.clear()} compiled steps from {compiled_steps.folder()}")
        return
    import numba
    import scipy.linalg  # loads SciPy's own BLAS, which compiled code uses  # noqa: F401

    advice = []
    _section("versions", {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}})
    _section("processor", _processor())
    _section("matrix products (BLAS)", _blas(advice))
    _section("threads", _threads(numba, advice))
    _section("caches", _caches(numba, advice))
    _section("a quick measurement", _measure(advice))
    print("\nwhat to do")
    for line in advice or ["nothing stands out: this machine is set up well"]:
        print(f"  - {line}")


def _section(title, facts):
    print(f"\n{title}")
    for name, value in facts.items():
        print(f"  {name:24}{value}")


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"


def _processor():
    features = cpu_features()
    wide = "AVX-512" if "AVX512F" in features else "AVX2" if "AVX2" in features else "no AVX2"
    return {"kind": platform.machine(), "cores usable": _cores(), "vector units": wide}


def cpu_features():
    """Return the names of the processor's features that NumPy found, such as AVX2 and AVX512F."""
    found = np.show_config(mode="dicts")["SIMD Extensions"]
    return {*found.get("baseline", []), *found.get("found", []), *(flag.upper() for flag in processor_flags())}


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _blas(advice):
    facts = {}
    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] != "blas":
            continue
        owner = "scipy" if "scipy.libs" in pool["filepath"] else "numpy" if "numpy" in pool["filepath"] else "other"
        kernels = pool.get("architecture", "unknown")
        facts[f"{owner}'s"] = (
            f"{pool['internal_api']} {pool['version']}, kernels {kernels}, {pool['num_threads']} threads"
        )
        if "AVX512F" in cpu_features() and kernels in ("Haswell", "Zen"):
            advice.append(
                f"{owner}'s OpenBLAS uses AVX2 kernels ({kernels}) though this processor has AVX-512: "
                "import minigan before NumPy, or set OPENBLAS_CORETYPE=SkylakeX before Python starts (up to 2x on "
                "matrix products)"
            )
    facts["OPENBLAS_CORETYPE"] = os.environ.get("OPENBLAS_CORETYPE", "not set")
    return facts


def _threads(numba, advice):
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "NUMBA_DISABLE_JIT")
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        advice.append("NUMBA_DISABLE_JIT is set: kernels run as plain Python, 100x slower; unset it")
    wanted = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    if wanted and wanted.isdigit() and int(wanted) > _cores():
        advice.append(f"{wanted} BLAS threads on {_cores()} usable cores get into each other's way; use fewer")
    return {
        "kernels": threads.count(),
        "numba": numba.config.NUMBA_NUM_THREADS,
        **{name: os.environ.get(name, "not set") for name in names},
    }


def _caches(numba, advice):
    import minigan.kernels
    from minigan.files import cache_folder

    kernels = Path(numba.config.CACHE_DIR or Path(minigan.kernels.__file__).parent / "__pycache__")
    compiled = list(kernels.rglob("*.nbi")) if kernels.exists() else []
    if kernels.exists() and not os.access(kernels, os.W_OK):
        advice.append(
            f"{kernels} cannot be written to: set NUMBA_CACHE_DIR to a folder of yours to keep compiled kernels"
        )
    return {
        "compiled kernels": f"{len(compiled)} in {kernels}",
        "compiled training steps": f"{len(compiled_steps.files())} in {compiled_steps.folder()} (--clear-cache)",
        "data and glyphs": cache_folder(),
        "python": sys.executable,
    }


def _measure(advice):
    a = np.random.default_rng(0).standard_normal((512, 512), dtype=np.float32)
    product = min(_seconds(lambda: a @ a) for _ in range(20))
    return {
        "512^3 product, float32": f"{2 * 512**3 / product / 1e9:.0f} GFLOP/s",
        "one recorded operation": f"{_overhead() * 1e6:.1f} us",
    }


def _overhead():
    import minigan as mg

    x = mg.tensor(np.ones(4), requires_grad=True)
    return min(_seconds(lambda: [x + x for _ in range(1000)]) for _ in range(5)) / 1000


def _seconds(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
