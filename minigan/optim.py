"""Optimisers: how parameters follow their gradients. Also averages of parameters, and limits on both.

The parameters of one optimiser live side by side in one flat buffer, so that an update is one pass of one kernel.
"""

import copy
import functools
import itertools
from typing import Any

import numpy as np

from minigan import ops
from minigan.engine import Tensor, no_grad, tensor
from minigan.errors import ConfigError, DTypeError, GraphError, ShapeError, TraceError
from minigan.ops import writes


def flatten(parameters):
    """Move parameters side by side into one flat buffer, where they stay, and return it as a Tensor (P,).

    If they are there already (another optimiser, an average), that buffer is returned.
    """
    parameters = list(parameters)
    if not parameters:
        raise ConfigError("optimiser: got no parameters; pass module.parameters()")
    if not all(isinstance(p, Tensor) and p.is_leaf for p in parameters):
        raise ConfigError("optimiser: got something that was computed, or no Tensor; pass a list of Parameters")
    if len({id(p) for p in parameters}) != len(parameters):
        raise ConfigError("optimiser: a parameter is in the list twice")
    dtypes = sorted({str(p.dtype) for p in parameters})
    if len(dtypes) > 1:
        raise DTypeError(f"optimiser: parameters of dtypes {', '.join(dtypes)}; build one optimiser for each dtype")
    if dtypes[0] not in ("float32", "float64"):
        raise DTypeError(f"optimiser: parameters of dtype {dtypes[0]}, expected float32 or float64; convert them first")
    if (buffer := _common_buffer(parameters)) is not None:
        return buffer
    buffer = Tensor(np.concatenate([p._data.reshape(-1) for p in parameters]))
    for p, piece in zip(parameters, _pieces(buffer._data, parameters), strict=True):
        p._data = piece.reshape(p.shape)
    return buffer


def _pieces(flat, parameters):
    """Cut a flat array into one piece for each parameter."""
    return np.split(flat, np.cumsum([p.size for p in parameters])[:-1])


def _common_buffer(parameters):
    base = parameters[0]._data.base
    if base is None or base.ndim != 1 or base.size != sum(p.size for p in parameters):
        return None
    for p, piece in zip(parameters, _pieces(base, parameters), strict=True):
        if p._data.base is not base or p._data.ctypes.data != piece.ctypes.data:
            return None
    return Tensor(base)


class Optimiser:
    """Base of the optimisers.

    Parameters
    ----------
    params : iterable of Parameter
    lr : float
        The learning rate; the attribute may be assigned at any time.
    """

    state_names: tuple[str, ...] = ()  # flat arrays that belong to an optimiser's state
    update: Any = None  # the operation update(parameters, gradient, *states, numbers), all flat

    def __init__(self, params, lr):
        self.params = list(params)
        self.lr = lr
        self.t = [0] * len(self.params)  # how often each has been moved
        self._flat = flatten(self.params)
        self._grad = Tensor(np.zeros_like(self._flat._data))
        for name in self.state_names:
            setattr(self, name, Tensor(np.zeros_like(self._flat._data)))

    def zero_grad(self):
        """Forget the gradients: ``.grad`` of every parameter becomes None."""
        for p in self.params:
            p.grad = None

    def step(self):
        """Move every parameter that has a gradient.

        Raises
        ------
        GraphError
            If another optimiser has taken the parameters over since.
        ShapeError
            If a gradient that was set by hand has another shape than its parameter.
        """
        if any(p._data.base is not self._flat._data for p in self.params):
            raise GraphError("step: another optimiser has taken these parameters over; use one for each parameter")
        for p in self.params:
            if p.grad is not None and p.grad.shape != p.shape:
                raise ShapeError(f"step: a gradient has shape {p.grad.shape}, its parameter {p.shape}")
        with no_grad():
            for part, run in self._runs():
                flat, grad, *states = (self._part(x, part) for x in self._arrays())
                writes.gather(grad, *(self.params[i].grad for i in run))
                numbers = writes.numbers(_Advance(self, run), flat.dtype)
                type(self).update(flat, grad, *states, numbers)
                for i in run:
                    self.params[i]._version[0] += 1  # a write to the buffer is a write to each of its views

    def _runs(self):
        """Yield neighbours that all move for the t-th time: their slice of the flat buffer, their indices."""
        start = 0
        places = range(len(self.params))
        for (has_grad, _), run in itertools.groupby(places, lambda i: (self.params[i].grad is not None, self.t[i])):
            run = list(run)
            part = slice(start, start + sum(self.params[i].size for i in run))
            start = part.stop
            if has_grad:
                yield part, run

    def numbers(self, t):
        """Return what the update takes beside arrays, for the `t`-th step."""
        raise TypeError(f"{type(self).__name__} has no numbers")

    def _arrays(self):
        return (self._flat, self._grad, *(getattr(self, name) for name in self.state_names))

    @staticmethod
    def _part(x, part):
        return x if part == slice(0, x.size) else Tensor(x._data[part], version=x._version)

    def state_dict(self, copy=True):
        """Return the state as arrays: what a checkpoint needs beside the parameters. ``lr`` is not in it.

        With ``copy=False``, they are views of what the optimiser goes on to write to.
        """
        states = {name: getattr(self, name) for name in self.state_names}
        return {"t": np.array(self.t)} | {name: s.numpy() if copy else s.data for name, s in states.items()}

    def load_state_dict(self, state):
        """Restore what `state_dict` returned.

        Raises
        ------
        KeyError, ShapeError
            If it is the state of another kind of optimiser, or of other parameters; nothing is changed then.
        """
        shapes = {name: value.shape for name, value in self.state_dict().items()}
        if state.keys() != shapes.keys():
            raise KeyError(
                f"load_state_dict: got {sorted(state)}, expected {sorted(shapes)}; is it of another optimiser?"
            )
        for name, shape in shapes.items():
            if np.shape(state[name]) != shape:
                raise ShapeError(f"load_state_dict: {name} has shape {np.shape(state[name])}, expected {shape}")
        self.t = [int(t) for t in state["t"]]
        for name in self.state_names:
            getattr(self, name).assign(np.asarray(state[name]))


class _Advance:
    """Counts one more step of neighbouring parameters, and returns the numbers of their update."""

    def __init__(self, optimiser, run):
        self.optimiser, self.run = optimiser, slice(run[0], run[-1] + 1)

    def together(self):
        """Return whether all of them have been moved equally often, as when this was made."""
        counts = self.optimiser.t[self.run]
        return counts.count(counts[0]) == len(counts)

    def __call__(self):
        if not self.together():
            raise TraceError(
                "some of the parameters that this compiled step moves together have been moved more often than others: "
                "by another step, with the same optimiser. Use an optimiser of its own for each group that moves"
            )
        counts = self.optimiser.t[self.run]
        self.optimiser.t[self.run] = [counts[0] + 1] * len(counts)
        return self.optimiser.numbers(counts[0] + 1)

    def undo(self):
        """Count a step back that was not done after all."""
        self.optimiser.t[self.run] = [count - 1 for count in self.optimiser.t[self.run]]


class SGD(Optimiser):
    """Gradient descent with heavy-ball momentum: u <- momentum u + g, p <- p - lr u (Polyak, 1964; PyTorch's form).

    Examples
    --------
    >>> import minigan as mg
    >>> x = mg.tensor([1.0, -2.0], requires_grad=True)
    >>> optimiser = mg.optim.SGD([x], lr=0.1)
    >>> mg.sum(x * x).backward()
    >>> optimiser.step()
    >>> x.data.round(3)  # x - 0.1 times 2 x
    array([ 0.8, -1.6], dtype=float32)
    """

    state_names = ("velocity",)
    update = staticmethod(writes.sgd_update)

    def __init__(self, params, lr, momentum=0.0):
        super().__init__(params, lr)
        self.momentum = momentum

    def numbers(self, t):
        return self.lr, self.momentum


class Adam(Optimiser):
    r"""Adam (Kingma & Ba, 2015, algorithm 1).

    .. math::

        m &\leftarrow \beta_1 m + (1 - \beta_1) \, g, & m' &= m / (1 - \beta_1^t) \\
        v &\leftarrow \beta_2 v + (1 - \beta_2) \, g^2, & v' &= v / (1 - \beta_2^t) \\
        p &\leftarrow p - \eta \, m' / (\sqrt{v'} + \epsilon)

    with the averages m and v, which start at 0, corrected for it.

    Examples
    --------
    >>> import minigan as mg
    >>> x = mg.tensor([1.0, -2.0], requires_grad=True)
    >>> optimiser = mg.optim.Adam([x], lr=0.1)
    >>> mg.sum(x * x).backward()
    >>> optimiser.step()
    >>> x.data.round(3)  # the first step has the length lr, whatever the gradient's
    array([ 0.9, -1.9], dtype=float32)
    """

    state_names = ("m", "v")
    update = staticmethod(writes.adam_update)

    def __init__(self, params, lr, betas=(0.9, 0.999), eps=1e-8):
        super().__init__(params, lr)
        self.betas, self.eps = betas, eps

    def numbers(self, t):
        b1, b2 = self.betas
        return self.lr, b1, b2, self.eps, 1.0 - b1**t, 1.0 - b2**t


class RMSProp(Optimiser):
    r"""RMSProp (Tieleman & Hinton, 2012).

    .. math:: v \leftarrow \alpha v + (1 - \alpha) \, g^2, \qquad p \leftarrow p - \eta \, g / (\sqrt v + \epsilon)
    """

    state_names = ("v",)
    update = staticmethod(writes.rmsprop_update)

    def __init__(self, params, lr, alpha=0.99, eps=1e-8):
        super().__init__(params, lr)
        self.alpha, self.eps = alpha, eps

    def numbers(self, t):
        return self.lr, self.alpha, self.eps


class EMA:
    """Exponential moving average of a module's parameters: a <- decay a + (1 - decay) p at each `update`.

    Attributes
    ----------
    module : Module
        A copy of the module with the averaged parameters; buffers are copied as they are.

    Examples
    --------
    >>> import minigan as mg
    >>> layer = mg.nn.Dense(1, 1, bias=False)
    >>> layer.weight.assign([[0.0]])
    >>> average = mg.optim.EMA(layer, decay=0.9)
    >>> layer.weight.assign([[1.0]])
    >>> average.update()
    >>> average.module.weight.data.round(3)
    array([[0.1]], dtype=float32)
    """

    def __init__(self, module, decay):
        self.decay = decay
        self.source = module
        self.module = copy.deepcopy(module)
        self._average = flatten(self.module.parameters())
        self._flat = None

    def update(self):
        """Take the present parameters into the average."""
        with no_grad():
            decay = writes.numbers(lambda: (self.decay,), self._average.dtype)
            for average, parameters in self._pairs():
                writes.ema_update(average, parameters, decay)
        for (_, own), (_, source) in zip(self.module.named_buffers(), self.source.named_buffers(), strict=True):
            own.assign(source)

    def _pairs(self):
        """Return what is averaged, flat: all in one where an optimiser keeps just these parameters, else one by one."""
        parameters = self.source.parameters()
        if self._flat is None or any(p._data.base is not self._flat._data for p in parameters):
            self._flat = _common_buffer(parameters)
        if self._flat is not None:
            return [(self._average, self._flat)]
        pairs = zip(self.module.parameters(), parameters, strict=True)
        return [tuple(Tensor(p._data.reshape(-1), version=p._version) for p in pair) for pair in pairs]


def clip_grad_norm(params, max_norm):
    """Scale all gradients together so that their joint Euclidean norm is at most `max_norm` (Pascanu et al., 2013).

    Returns
    -------
    0-d Tensor
        The norm before.

    Examples
    --------
    >>> import minigan as mg
    >>> x = mg.tensor([3.0, 4.0], requires_grad=True)
    >>> mg.sum(x * x).backward()  # (6, 8)
    >>> mg.optim.clip_grad_norm([x], 1.0).item()
    10.0
    >>> x.grad.data.round(3)
    array([0.6, 0.8], dtype=float32)
    """
    with_grad = [p for p in _listed(params) if p.grad is not None]
    if not with_grad:
        return tensor(0.0)
    with no_grad():
        total = ops.sqrt(functools.reduce(ops.add, (ops.sum(p.grad * p.grad) for p in with_grad)))
        factor = ops.where(total > max_norm, max_norm / total, 1.0)
        for p in with_grad:
            p.grad = p.grad * factor
    return total


def clip_weights(params, limit):
    """Limit every parameter to [-limit, limit], in place (Arjovsky et al., 2017, algorithm 1)."""
    with no_grad():
        for p in _listed(params):
            p.assign(p.clip(-limit, limit))


def _listed(params):
    return [params] if isinstance(params, Tensor) else list(params)
