"""Recurrent layers, with PyTorch's names, shapes, weight names and gate order."""

import math

import numpy as np

from minigan import ops, random
from minigan.engine import Tensor, as_tensor, constant, modes
from minigan.errors import ConfigError, ShapeError
from minigan.nn import init
from minigan.nn.module import Module, Parameter


class _Recurrent(Module):
    """Layers of recurrent cells: the states of one, at all time steps, are the input of the next.

    A subclass says how many gates and states a cell has, and what one layer computes.
    """

    gates = 1
    states = 1

    def __init__(self, input_size, hidden_size, num_layers=1, batch_first=False, *, bias=True, rng=None):
        kind = type(self).__name__
        if min(input_size, hidden_size, num_layers) < 1:
            raise ConfigError(
                f"{kind}: got input_size={input_size}, hidden_size={hidden_size}, num_layers={num_layers}; "
                "expected 1 or more"
            )
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.bias = batch_first, bias
        rng = random.default_rng_or_package(rng)
        rows, bound = self.gates * hidden_size, 1.0 / math.sqrt(hidden_size)
        for layer in range(num_layers):
            shapes = {"weight_ih": (rows, hidden_size if layer else input_size), "weight_hh": (rows, hidden_size)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            for name, shape in shapes.items():
                parameter = Parameter(np.empty(shape, modes.default_dtype))
                init.uniform_(parameter, -bound, bound, rng)
                setattr(self, f"{name}_l{layer}", parameter)

    def _layer(self, x, states, weights):
        """Run one layer on x (T, N, C): return the sequence of each state, h first."""
        raise NotImplementedError

    def _run(self, x, states):
        """Return (output, final states), given one initial state for each kind of state, or None for zeros."""
        x = self._sequence(x)
        states = self._initial(states, x.shape[1])
        final = []
        for layer in range(self.num_layers):
            sequences = self._layer(x, [s[layer] for s in states], self._weights(layer))
            x = sequences[0]
            final.append([s[-1:] for s in sequences])
        output = ops.swapaxes(x, 0, 1) if self.batch_first else x
        return output, tuple(s[0] if len(s) == 1 else ops.concatenate(s) for s in zip(*final, strict=True))

    def _weights(self, layer):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        if self.bias:
            return [getattr(self, f"{name}_l{layer}") for name in names]
        weights = [getattr(self, f"{name}_l{layer}") for name in names[:2]]
        return weights + [np.zeros(len(weights[0]), weights[0].dtype)] * 2

    def _sequence(self, x):
        """Return x with time first."""
        x, kind = as_tensor(x), type(self).__name__
        axes = "(N, T, C)" if self.batch_first else "(T, N, C)"
        if x.ndim != 3:
            advice = "; give a single sequence a batch axis of length 1" if x.ndim == 2 else ""
            raise ShapeError(f"{kind}: x has shape {x.shape}, expected {axes}{advice}")
        if x.shape[-1] != self.input_size:
            raise ShapeError(f"{kind}: x has shape {x.shape}, the weights expect C={self.input_size} on the last axis")
        if x.shape[1 if self.batch_first else 0] == 0:
            raise ShapeError(f"{kind}: x has shape {x.shape} {axes}: a sequence needs at least one time step")
        return ops.swapaxes(x, 0, 1) if self.batch_first else x

    def _initial(self, states, batch):
        shape = (self.num_layers, batch, self.hidden_size)
        if states is None:
            zero = constant(Tensor(np.zeros(shape[1:], self.weight_hh_l0.dtype)), 0)
            return [[zero] * self.num_layers] * self.states
        states = [as_tensor(s) for s in states]
        for name, state in zip(("h0", "c0"), states, strict=False):
            if state.shape != shape:
                raise ShapeError(
                    f"{type(self).__name__}: {name} has shape {state.shape}, expected {shape}: layers, N, H, also with "
                    "batch_first"
                )
        return states

    def extra_repr(self):
        layers = f", num_layers={self.num_layers}" if self.num_layers > 1 else ""
        options = (", batch_first=True" if self.batch_first else "") + ("" if self.bias else ", bias=False")
        return f"{self.input_size}, {self.hidden_size}{layers}{options}"


class RNN(_Recurrent):
    r"""Plain recurrent layers (Elman, 1990).

    .. math:: h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})

    Parameters
    ----------
    input_size : int
        C, features of a time step.
    hidden_size : int
        H.
    num_layers : int
        Each further layer takes the states of the one before.
    batch_first : bool
        Whether input and output are (N, T, ...) rather than (T, N, ...). States never are.
    nonlinearity : {"tanh", "relu"}
    bias : bool
        Whether there are b_ih and b_hh.
    rng : mg.random.Generator, optional
        Where the first weights come from; the package's generator by default.

    Attributes
    ----------
    weight_ih_l0, weight_ih_l1, ... : (H, C) Parameter, then (H, H)
    weight_hh_l0, ... : (H, H) Parameter
    bias_ih_l0, bias_hh_l0, ... : (H,) Parameter
        All start from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch.

    Examples
    --------
    >>> import minigan as mg
    >>> output, h = mg.nn.RNN(2, 5, num_layers=3)(mg.random.default_rng(0).normal((7, 4, 2)))
    >>> output.shape, h.shape
    ((7, 4, 5), (3, 4, 5))
    """

    def __init__(
        self, input_size, hidden_size, num_layers=1, batch_first=False, *, nonlinearity="tanh", bias=True, rng=None
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ConfigError(f"RNN: unknown nonlinearity {nonlinearity!r}; known are tanh and relu")
        super().__init__(input_size, hidden_size, num_layers, batch_first, bias=bias, rng=rng)
        self.nonlinearity = nonlinearity

    def forward(self, x, h0=None):
        """Return (output, h): the last layer's states at all time steps (T, N, H), all layers' last (layers, N, H).

        Parameters
        ----------
        x : (T, N, C) array, or (N, T, C) with `batch_first`
        h0 : (layers, N, H) array, optional
            Initial states; zeros by default.

        Raises
        ------
        ShapeError
            If a shape does not fit, or there is no time step.
        """
        output, (h,) = self._run(x, None if h0 is None else (h0,))
        return output, h

    def _layer(self, x, states, weights):
        return (ops.rnn(x, *states, *weights, nonlinearity=self.nonlinearity),)

    def extra_repr(self):
        return super().extra_repr() + (f", nonlinearity={self.nonlinearity!r}" if self.nonlinearity != "tanh" else "")


class LSTM(_Recurrent):
    r"""Long short-term memory (Hochreiter & Schmidhuber, 1997; with the forget gate of Gers et al., 2000).

    .. math::

        a &= W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} = (a_i, a_f, a_g, a_o) \\
        i, f, o &= \sigma(a_i), \sigma(a_f), \sigma(a_o), \qquad g = \tanh a_g \\
        c_t &= f \, c_{t-1} + i \, g, \qquad h_t = o \tanh c_t

    `mg.ops.lstm` is one layer, and returns the gates as well.

    Parameters
    ----------
    input_size, hidden_size, num_layers, batch_first, bias, rng
        As those of `RNN`.

    Attributes
    ----------
    weight_ih_l0, weight_ih_l1, ... : (4H, C) Parameter, then (4H, H)
        The rows of the gates i, f, g, o, one after the other; so in all of them.
    weight_hh_l0, ... : (4H, H) Parameter
    bias_ih_l0, bias_hh_l0, ... : (4H,) Parameter
        All start from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch.

    Examples
    --------
    >>> import minigan as mg
    >>> output, (h, c) = mg.nn.LSTM(2, 5)(mg.random.default_rng(0).normal((7, 4, 2)))
    >>> output.shape, h.shape, c.shape
    ((7, 4, 5), (1, 4, 5), (1, 4, 5))
    """

    gates = 4
    states = 2

    def forward(self, x, initial=None):
        """Return (output, (h, c)): the last layer's h at all time steps (T, N, H), all layers' last (layers, N, H).

        Parameters
        ----------
        x : (T, N, C) array, or (N, T, C) with `batch_first`
        initial : tuple (h0, c0) of (layers, N, H) arrays, optional
            Initial states; zeros by default.

        Raises
        ------
        ShapeError
            If a shape does not fit, or there is no time step.
        TypeError
            If `initial` is not a pair.
        """
        if initial is not None and not (isinstance(initial, tuple | list) and len(initial) == 2):
            raise TypeError("LSTM: the initial states are a pair (h0, c0), each of shape (layers, N, H)")
        return self._run(x, initial)

    def _layer(self, x, states, weights):
        h, c, _ = ops.lstm(x, *states, *weights)
        return h, c


class GRU(_Recurrent):
    r"""Gated recurrent units (Cho et al., 2014, with the reset gate behind the product, as in PyTorch).

    .. math::

        r, z &= \sigma(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}), \quad \text{each of its own rows} \\
        n &= \tanh(W_{in} x_t + b_{in} + r \, (W_{hn} h_{t-1} + b_{hn})) \\
        h_t &= (1 - z) \, n + z \, h_{t-1}

    Parameters
    ----------
    input_size, hidden_size, num_layers, batch_first, bias, rng
        As those of `RNN`.

    Attributes
    ----------
    weight_ih_l0, weight_ih_l1, ... : (3H, C) Parameter, then (3H, H)
        The rows of r, z, n, one after the other; so in all of them.
    weight_hh_l0, ... : (3H, H) Parameter
    bias_ih_l0, bias_hh_l0, ... : (3H,) Parameter
        All start from U(-1/sqrt(H), 1/sqrt(H)), as in PyTorch.
    """

    gates = 3

    def forward(self, x, h0=None):
        """Return (output, h), as `RNN.forward`."""
        output, (h,) = self._run(x, None if h0 is None else (h0,))
        return output, h

    def _layer(self, x, states, weights):
        return (ops.gru(x, *states, *weights)[0],)
