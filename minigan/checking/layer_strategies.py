"""Hypothesis strategies for whole layers: every kind of `minigan.nn`, of random configuration, with inputs that fit.

Beside the checker's core, which knows nothing of layers; `minigan.checking.strategies` hands both names on.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from minigan import nn
from minigan.checking.strategies import arrays
from minigan.engine import Tensor, default_dtype, tensor

Draw = Callable[[Any], Any]
Drawn = tuple[nn.Module, list[tuple[int, ...]]]  # a module, and the shapes of its inputs

ACTIVATIONS = (nn.Sigmoid, nn.Tanh, nn.ReLU, nn.SiLU, nn.Softplus, nn.LeakyReLU)


@st.composite
def layers(draw: Draw, *kinds: str) -> tuple[nn.Module, tuple[np.ndarray, ...]]:
    """Draw a layer or a stack of layers, and inputs for it: small, in float64, all parameters random.

    Parameters
    ----------
    *kinds : str
        Keys of `LAYERS`; any of them by default. Dropout is not among them: a function that draws anew at every call
        has no derivative.

    Returns
    -------
    module : mg.nn.Module
        In training or in evaluation.
    inputs : tuple of arrays
        x; of recurrent layers also, sometimes, the first states.

    Examples
    --------
    >>> import minigan as mg
    >>> from hypothesis import given
    >>> from minigan.checking.strategies import as_function, layers
    >>> @given(layers("LSTM", "GRU"))
    ... def test_gradients(drawn):
    ...     module, inputs = drawn
    ...     f, arguments = as_function(module, *inputs)
    ...     mg.check_gradients(f, *arguments, order=2, seed=0)
    """
    kind = draw(st.sampled_from(kinds or tuple(LAYERS)))
    with default_dtype("float64"):
        module, shapes = LAYERS[kind](draw)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    for parameter in module.parameters():
        parameter.assign(tensor(rng.uniform(-1, 1, parameter.shape)))
    for name, buffer in module.named_buffers():  # running statistics; variances are positive
        if not name.endswith("num_batches_tracked"):
            buffer.assign(tensor(rng.uniform(0.5, 2, buffer.shape)))
    return module, tuple(draw(arrays(shape, layout="C")) for shape in shapes)


def as_function(module: nn.Module, *inputs: Any) -> tuple[Callable[..., Any], list[Any]]:
    """Turn a module into a function of its inputs and its parameters, for `check_gradients`.

    Parameters
    ----------
    module : mg.nn.Module
    *inputs : arrays
        x, or x and the first states of a recurrent layer: x, h or x, h, c.

    Returns
    -------
    f : callable
        ``f(*inputs, *parameters)`` returns the Tensors that the module returns. Running statistics stay as they are.
    arguments : list of arrays
        Where to check: the inputs, then the values of the parameters, in their order. A report calls them by name.
    """
    names = {parameter: name for name, parameter in module.named_parameters()}
    places = [(o, at, p) for o in module.modules() for at, p in vars(o).items() if isinstance(p, nn.Parameter)]

    def f(*arguments: Any) -> tuple[Tensor, ...]:
        given = dict(zip(names, arguments[len(inputs) :], strict=True))
        try:
            for owner, attribute, parameter in places:
                setattr(owner, attribute, given[parameter])
            with nn.frozen_statistics():
                return _flat(_call(module, *arguments[: len(inputs)]))
        finally:
            for owner, attribute, parameter in places:
                setattr(owner, attribute, parameter)

    words = [*"xhc"[: len(inputs)], *("of_" * name[0].isdigit() + name.replace(".", "_") for name in names.values())]
    f.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(word, inspect.Parameter.POSITIONAL_ONLY) for word in words]
    )
    return f, [*inputs, *(parameter.numpy() for parameter in names)]


def _call(module: nn.Module, x: Any, *states: Any) -> Any:
    """Call the module; the states of an LSTM are passed together."""
    return module(x, states if len(states) > 1 else states[0]) if states else module(x)


def _flat(result: Any) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else tuple(y for part in result for y in _flat(part))


# -- the kinds: each draws a module and the shapes of its inputs ----------------------------------------------------
def _side(draw: Draw, least: int = 1, most: int = 3) -> int:
    return int(draw(st.integers(least, most)))


def _dense(draw: Draw) -> Drawn:
    i, o = _side(draw), _side(draw)
    before = draw(st.lists(st.integers(1, 3), max_size=2))
    return nn.Dense(i, o, bias=draw(st.booleans())), [(*before, i)]


def _activation(draw: Draw) -> Drawn:
    return draw(st.sampled_from(ACTIVATIONS))(), [tuple(draw(st.lists(st.integers(1, 3), max_size=3)))]


def _fourier_features(draw: Draw) -> Drawn:
    i = _side(draw)
    return nn.FourierFeatures(i, _side(draw), 1.0), [(_side(draw), i)]


def _reshape(draw: Draw) -> Drawn:
    return draw(st.sampled_from([nn.Reshape(2, 3), nn.Flatten()])), [(_side(draw), 3, 2)]


def _recurrent(kind: type, states: int) -> Callable[[Draw], Drawn]:
    def drawn(draw: Draw) -> Drawn:
        C, H, T, N, layers = _side(draw), _side(draw), _side(draw), _side(draw, most=2), _side(draw, most=2)
        batch_first = draw(st.booleans())
        module = kind(C, H, layers, batch_first, bias=draw(st.booleans()))
        first = [(layers, N, H)] * states if draw(st.booleans()) else []
        return module, [(N, T, C) if batch_first else (T, N, C), *first]

    return drawn


def _convolution(draw: Draw, transposed: bool = False) -> Drawn:
    kernel, stride, padding = ((_side(draw, least), _side(draw, least)) for least in (1, 1, 0))
    padding = (min(padding[0], kernel[0] - 1, 1), min(padding[1], kernel[1] - 1, 1))
    options: dict[str, Any] = {"stride": stride, "padding": padding, "bias": draw(st.booleans())}
    if transposed:
        options["output_padding"] = tuple(_side(draw, 0, s - 1) for s in stride)
    C, out = _side(draw, most=2), _side(draw, most=2)
    least = 2 if transposed else 1
    H, W = (_side(draw, max(least, k - 2 * p), 4) for k, p in zip(kernel, padding, strict=True))
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    return kind(C, out, kernel, **options), [(_side(draw, most=2), C, H, W)]


def _conv_transpose(draw: Draw) -> Drawn:
    return _convolution(draw, transposed=True)


def _batch_norm(draw: Draw, dims: tuple[int, ...] = (2, 3)) -> Drawn:
    C, ndim = _side(draw), draw(st.sampled_from(dims))
    module = nn.BatchNorm2d(C) if ndim == 4 else nn.BatchNorm1d(C)
    places = [_side(draw) for _ in range(ndim - 2)]
    return module.train(draw(st.booleans())), [(_side(draw, 2, 4), C, *places)]


def _batch_norm_2d(draw: Draw) -> Drawn:
    return _batch_norm(draw, dims=(4,))


def _layer_norm(draw: Draw) -> Drawn:
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)))
    return nn.LayerNorm(shape), [(_side(draw), *shape)]


def _attention(draw: Draw) -> Drawn:
    C = _side(draw)
    return nn.SelfAttention(C, _side(draw)), [(_side(draw, most=2), _side(draw), C)]


def _sequential(draw: Draw) -> Drawn:
    """Stack up to three blocks of a linear layer, sometimes a normalisation, and an activation."""
    images, N = draw(st.booleans()), _side(draw, 2, 3)
    C = _side(draw)
    blocks: list[nn.Module] = []
    x = (N, C, 4, 4) if images else (N, C)
    for _ in range(_side(draw, most=2 if images else 3)):
        out = _side(draw)
        blocks.append(nn.Conv2d(C, out, draw(st.sampled_from([1, 3])), padding=1) if images else nn.Dense(C, out))
        if draw(st.booleans()):
            blocks.append(nn.BatchNorm2d(out) if images else draw(st.sampled_from([nn.BatchNorm1d, nn.LayerNorm]))(out))
        blocks.append(draw(st.sampled_from(ACTIVATIONS))())
        C = out
    if images:
        blocks.append(nn.Flatten())
    return nn.Sequential(*blocks).train(draw(st.booleans())), [x]


LAYERS: dict[str, Callable[[Draw], Drawn]] = {
    "Dense": _dense,
    "activation": _activation,
    "FourierFeatures": _fourier_features,
    "reshape": _reshape,
    "RNN": _recurrent(nn.RNN, 1),
    "LSTM": _recurrent(nn.LSTM, 2),
    "GRU": _recurrent(nn.GRU, 1),
    "Conv2d": _convolution,
    "ConvTranspose2d": _conv_transpose,
    "BatchNorm1d": _batch_norm,
    "BatchNorm2d": _batch_norm_2d,
    "LayerNorm": _layer_norm,
    "SelfAttention": _attention,
    "Sequential": _sequential,
}
