"""The autodiff engine: a generic core that knows no particular operation. Read in this order:

`tensor` (the data), `primitive` (one operation, and the door they all pass), `graph` (the order of things),
`reverse` and `forward` (derivatives); on the side `modes`, `anomaly` and `recording`. `minigan.transforms` builds
functions of functions on it: `grad`, `vjp`, `jvp`, `hvp`.
"""

from minigan.engine.modes import default_dtype, detect_anomaly, enable_grad, modes, no_grad, unfused
from minigan.engine.primitive import REGISTRY, Node, Primitive, bind, primitive
from minigan.engine.recording import Recording, recording
from minigan.engine.tensor import Tensor, as_tensor, constant, filled_like, tensor

__all__ = [
    "REGISTRY",
    "Node",
    "Primitive",
    "Recording",
    "Tensor",
    "as_tensor",
    "bind",
    "constant",
    "default_dtype",
    "detect_anomaly",
    "enable_grad",
    "filled_like",
    "modes",
    "no_grad",
    "primitive",
    "recording",
    "tensor",
    "unfused",
]
