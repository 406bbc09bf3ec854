"""Module: a function with parameters, and the names under which they are saved."""

import numpy as np

from minigan.engine import Tensor, as_tensor
from minigan.errors import ShapeError


class Parameter(Tensor):
    """A leaf Tensor that an optimiser may change. Found by `Module.parameters` where it is an attribute."""

    __slots__ = ()


class Buffer(Tensor):
    """A constant that belongs to a module's state (running statistics, fixed frequencies) but is not trained."""

    __slots__ = ()


class Module:
    """Base of all layers and networks: assign Parameters, Buffers and Modules to attributes, write `forward`.

    Names are those of the attributes, joined by dots (``0.weight``), as in PyTorch.

    Examples
    --------
    >>> import minigan as mg
    >>> class Residual(mg.nn.Module):
    ...     def __init__(self, width):
    ...         self.inner = mg.nn.Dense(width, width)
    ...     def forward(self, x):
    ...         return x + mg.tanh(self.inner(x))
    >>> [name for name, _ in Residual(3).named_parameters()]
    ['inner.weight', 'inner.bias']
    """

    training = True

    def forward(self, x):
        raise TypeError(f"{type(self).__name__} has no forward(self, x): write what it computes there")

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    # -- what it is made of -------------------------------------------------------------------------------------
    def children(self):
        """Return the modules directly inside, as pairs (name, module)."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def modules(self):
        """Return this module and all modules inside."""
        return [self] + [inner for _, child in self.children() for inner in child.modules()]

    def _named(self, kind, prefix=""):
        own = [(prefix + name, value) for name, value in vars(self).items() if isinstance(value, kind)]
        return own + [pair for name, child in self.children() for pair in child._named(kind, f"{prefix}{name}.")]

    def named_parameters(self):
        """Return all parameters as pairs (name, Parameter), in the order in which they were assigned."""
        return self._named(Parameter)

    def named_buffers(self):
        """Return all buffers as pairs (name, Buffer)."""
        return self._named(Buffer)

    def parameters(self):
        """Return all parameters, for an optimiser."""
        return [p for _, p in self.named_parameters()]

    # -- state --------------------------------------------------------------------------------------------------
    def state_dict(self):
        """Return copies of all parameters and buffers: a dict from name to array, PyTorch's names and shapes."""
        return {name: value.numpy() for name, value in self._named(Parameter | Buffer)}

    def load_state_dict(self, state):
        """Overwrite all parameters and buffers, in place: they stay where an optimiser keeps them.

        Parameters
        ----------
        state : dict from name to array or Tensor

        Raises
        ------
        KeyError
            If names are missing or unknown; nothing is changed then.
        ShapeError
            If an array has another shape; nothing is changed then.
        """
        own = dict(self._named(Parameter | Buffer))
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or unknown:
            raise KeyError(f"load_state_dict: missing {missing}, unknown {unknown}; is it of another network?")
        for name, value in own.items():
            if np.shape(state[name]) != value.shape:
                raise ShapeError(f"load_state_dict: {name} has shape {np.shape(state[name])}, expected {value.shape}")
        for name, value in own.items():
            value.assign(as_tensor(state[name]).astype(value.dtype))

    def train(self, mode=True):
        """Switch to training behaviour (dropout, batch statistics), or with False to evaluation. Returns self."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self):
        """Switch to evaluation behaviour. Returns self."""
        return self.train(False)

    def zero_grad(self):
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.grad = None

    def __repr__(self):
        inner = "".join(f"\n  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.children())
        return f"{type(self).__name__}({self.extra_repr()}{inner}{chr(10) if inner else ''})"

    def extra_repr(self):
        """What stands between the parentheses of the repr."""
        return ""
