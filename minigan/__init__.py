"""minigan: autodiff and GANs on a CPU, written to be read.

Everything public hangs off ``import minigan as mg``. Names are imported when first used (PEP 562), so that
``import minigan`` itself loads neither NumPy nor Numba.
"""

from importlib import import_module as _import_module

from minigan.blas import choose_kernels as _choose_kernels
from minigan.memory import keep_freed as _keep_freed

__version__ = "0.1.0"

_choose_kernels()  # before NumPy, and with it OpenBLAS, is loaded
_keep_freed()

_SUBMODULES = (
    "checking", "compiler", "data", "engine", "errors", "kernels", "losses", "metrics",
    "nn", "ops", "optim", "penalties", "plots", "random", "training",
)  # fmt: skip

# Where each public name lives; all array functions live in `minigan.ops`.
_HOMES = {
    "minigan.engine": "Tensor tensor no_grad detect_anomaly default_dtype",
    "minigan.transforms": "grad value_and_grad vjp jvp hvp",
    "minigan.checking": "directional_derivative check_gradients",
    "minigan.compiler": "compile",
    "minigan.plots": "draw",
    "minigan.ops": (
        "add subtract multiply divide negative power matmul exp log log1p expm1 sqrt abs sin cos tanh sigmoid softplus "
        "relu leaky_relu elu silu gelu softmax log_softmax logsumexp maximum minimum where clip sum mean var max min "
        "reshape transpose swapaxes broadcast_to concatenate stack split pad take einsum norm"
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted([*_SUBMODULES, *_HOME_OF])


def __getattr__(name):
    if name in _SUBMODULES:
        return _import_module(f"minigan.{name}")
    if name in _HOME_OF:
        _import_module("minigan.ops")  # the operations give Tensor its operators
        value = getattr(_import_module(_HOME_OF[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'minigan' has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
