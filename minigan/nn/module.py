"""Module: a function with parameters, and the names under which they are saved."""

import numpy as np

from minigan.engine import Tensor, tensor
from minigan.engine.modes import changes
from minigan.errors import ShapeError


class Parameter(Tensor):
    """A leaf Tensor that an optimiser may change: a copy of `values`. Found by `Module.parameters` as an attribute."""

    __slots__ = ()

    def __init__(self, values, requires_grad=True):
        super().__init__(tensor(values, requires_grad)._data, requires_grad)


class Buffer(Tensor):
    """A constant that belongs to a module's state (running statistics, fixed frequencies) but is not trained."""

    __slots__ = ()

    def __init__(self, values, requires_grad=False):
        super().__init__(tensor(values, requires_grad)._data, requires_grad)


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

    def __setattr__(self, name, value):
        if vars(self).get(name, self) is not value:
            changes.count += 1  # compiled steps look again at what modules hold
        super().__setattr__(name, value)

    def __delattr__(self, name):
        changes.count += 1
        super().__delattr__(name)

    def forward(self, x):
        raise TypeError(f"{type(self).__name__} has no forward(self, x): write what it computes there")

    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    # -- what it is made of -------------------------------------------------------------------------------------
    def children(self):
        """Return the modules directly inside, as pairs (name, module)."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def modules(self):
        """Return this module and all modules inside, each once."""
        inside = [inner for _, child in self.children() for inner in child.modules()]
        return list(dict.fromkeys([self, *inside]))

    def _named(self, kind, prefix=""):
        own = [(prefix + name, value) for name, value in vars(self).items() if isinstance(value, kind)]
        return own + [pair for name, child in self.children() for pair in child._named(kind, f"{prefix}{name}.")]

    def named_parameters(self):
        """Return all parameters as pairs (name, Parameter), in the order in which they were assigned.

        What is used in two places (a layer, a weight) is listed once, under its first name.
        """
        return _each_once(self._named(Parameter))

    def named_buffers(self):
        """Return all buffers as pairs (name, Buffer), each once."""
        return _each_once(self._named(Buffer))

    def parameters(self):
        """Return all parameters, for an optimiser."""
        return [p for _, p in self.named_parameters()]

    # -- state --------------------------------------------------------------------------------------------------
    def state_dict(self, copy=True):
        """Return copies of all parameters and buffers: a dict from name to array, PyTorch's names and shapes.

        What is used in two places stands there under both names, as in PyTorch. With ``copy=False``, they are
        views of what the module computes with: to look at, or to write down at once.
        """
        return {name: value.numpy() if copy else value.data for name, value in self._named(Parameter | Buffer)}

    def load_state_dict(self, state):
        """Overwrite all parameters and buffers, in place: they stay where an optimiser keeps them.

        Parameters
        ----------
        state : dict from name to array or Tensor

        Raises
        ------
        KeyError
            If names are missing or unknown; nothing is changed then.
        ShapeError, DTypeError
            If an array has another shape, or does not hold numbers; nothing is changed then.
        """
        own = dict(self._named(Parameter | Buffer))
        missing, unknown = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
        if missing or unknown:
            raise KeyError(f"load_state_dict: missing {missing}, unknown {unknown}; is it of another network?")
        for name, value in own.items():
            if np.shape(state[name]) != value.shape:
                raise ShapeError(f"load_state_dict: {name} has shape {np.shape(state[name])}, expected {value.shape}")
        new = {name: tensor(state[name], dtype=value.dtype) for name, value in own.items()}
        for name, value in own.items():
            value.assign(new[name])

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


def _each_once(pairs):
    first_name = {}
    for name, value in pairs:
        first_name.setdefault(value, name)
    return [(name, value) for value, name in first_name.items()]
