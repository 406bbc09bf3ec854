"""Tensor: an array that remembers how it was made.

The class holds data and its place in the graph, nothing else; `minigan.ops` gives it its operators and methods
(``+``, ``@``, ``.sum()``), and the rest of the engine speaks to Tensors through these alone.
"""

import weakref
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from minigan.engine.modes import is_closed, modes
from minigan.engine.recording import NO_VALUE, must_stay
from minigan.errors import DTypeError, GraphError, ShapeError


class Tensor:
    """An n-dimensional array that can be differentiated through. Make one with `mg.tensor`.

    Attributes
    ----------
    requires_grad : bool
        Whether derivatives with respect to this tensor, or to what it was computed from, are wanted.
    grad : Tensor or None
        What `backward` accumulated here: the shape and dtype of this tensor.
    """

    # _node, _index: the equation that made this tensor and its place among the outputs (None, 0 for a leaf).
    # _version: how often the memory was written to; a list of one int, shared by all views of that memory.
    __slots__ = ("__weakref__", "_data", "_grad", "_index", "_node", "_version", "requires_grad")

    # NumPy's operators defer to ours: `array * tensor` is a Tensor.
    __array_priority__ = 1000

    def __init__(
        self,
        data: np.ndarray,
        requires_grad: bool = False,
        node: Any = None,
        index: int = 0,
        version: list[int] | None = None,
    ) -> None:
        if not isinstance(data, np.ndarray):
            if not isinstance(data, np.generic):
                raise TypeError(f"Tensor wraps an array, got {type(data).__name__}; mg.tensor(...) makes one of it")
            data = np.asarray(data)
        self._data = data
        self.requires_grad = requires_grad
        self._grad: Tensor | None = None
        self._node = node
        self._index = index
        self._version = [0] if version is None else version

    if TYPE_CHECKING:  # what `minigan.ops` attaches, as far as the engine itself uses it

        def __add__(self, other: Any) -> "Tensor": ...
        def __mul__(self, other: Any) -> "Tensor": ...
        def __getitem__(self, index: Any) -> "Tensor": ...
        def __getattr__(self, name: str) -> Any: ...

    # -- looking at it ------------------------------------------------------------------------------------------
    @property
    def data(self) -> np.ndarray:
        """The values, as a read-only view: to write, use `assign`."""
        must_stay(".data of a tensor")
        view = self._data.view()
        view.flags.writeable = False
        return view

    @property
    def grad(self) -> "Tensor | None":
        """What `backward` accumulated here; None if it was not, or was cleared, as ``t.grad = None`` does."""
        return self._grad

    @grad.setter
    def grad(self, gradient: "Tensor | None") -> None:
        if gradient is None and is_closed():
            modes.equations.cleared.add(id(self))
        self._grad = gradient

    def numpy(self) -> np.ndarray:
        """Return a copy of the values that is yours to write to."""
        must_stay(".numpy() of a tensor")
        return self._data.copy()

    def item(self) -> Any:
        """Return the only element as a Python number; ValueError if there are more."""
        must_stay(".item() of a tensor")
        return self._data.item()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self._data.dtype

    @property
    def ndim(self) -> int:
        return self._data.ndim

    @property
    def size(self) -> int:
        return self._data.size

    @property
    def is_leaf(self) -> bool:
        """True if no recorded operation made this tensor: data, parameters, results under `no_grad`."""
        return self._node is None

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator["Tensor"]:
        if self.ndim == 0:
            raise TypeError("iteration over a 0-d tensor: it has one element, which .item() returns")
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        must_stay("NumPy took a tensor as an array")
        if copy is False and dtype is not None and np.dtype(dtype) != self.dtype:
            raise ValueError(f"np.asarray: a {self.dtype} tensor cannot become {np.dtype(dtype)} without a copy")
        return np.array(self._data, dtype=dtype) if copy else np.asarray(self.data, dtype=dtype)

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"the truth of a tensor of shape {self.shape} is ambiguous: use .numpy().any() or .all()")
        must_stay("the truth of a tensor was asked for")
        return bool(self._data.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        must_stay("a tensor was used as an index")
        return self._data.__index__()

    def __format__(self, spec: str) -> str:
        return format(self.item() if self.ndim == 0 and spec else str(self), spec)

    def __repr__(self) -> str:
        if self._data is NO_VALUE:
            return "tensor(without a value: made while a step was recorded)"
        if is_closed():  # there are shapes only
            values = f"shape={self.shape}"
        else:
            values = np.array2string(self._data, separator=", ", prefix="tensor(", threshold=100)
        dtype = "" if self.dtype == np.float32 else f", dtype={self.dtype}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({values}{dtype}{grad})"

    __hash__ = object.__hash__  # `==` compares elements; as a key, a tensor is itself

    # -- its place in the graph ---------------------------------------------------------------------------------
    def detach(self) -> "Tensor":
        """Return the same values outside the graph: a constant to everything computed from it. Shares memory."""
        detached = Tensor(self._data, version=self._version)
        if is_closed():
            modes.equations.made.append(weakref.ref(detached))
        return detached

    def backward(
        self,
        gradient: Any = None,
        inputs: "Iterable[Tensor] | None" = None,
        retain_graph: bool = False,
        create_graph: bool = False,
    ) -> None:
        """Accumulate the gradient of this tensor into ``.grad`` of the leaves it was computed from.

        Parameters
        ----------
        gradient : array of this tensor's shape, optional
            The cotangent to start from; 1 where this tensor has one element.
        inputs : Tensor or sequence of Tensor, optional
            Accumulate into these only (leaves or not); nothing else is computed or touched.
        retain_graph : bool
            Keep the recorded values for another backward pass; else they are freed.
        create_graph : bool
            Record the backward pass itself, so that ``.grad`` can be differentiated again.

        Raises
        ------
        GraphError
            If nothing was recorded, the graph was freed, or a recorded value was changed in place since.
        ShapeError
            If this tensor has several elements and no `gradient` is given, or if that has another shape.
        """
        from minigan.engine.reverse import backward  # reverse builds on Tensor

        backward(self, gradient, inputs, retain_graph=retain_graph, create_graph=create_graph)

    def __setitem__(self, index: Any, value: Any) -> None:
        raise GraphError(
            "a Tensor is not assigned into: a recorded value would change under its own gradient. Build a new one with "
            "mg.where, mg.concatenate or mg.stack, or overwrite a leaf with t.assign(new_values)"
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tensor":
        if self._node is not None:
            raise GraphError("only leaves can be copied: call .detach() first, or copy what it is computed from")
        must_stay("a tensor was copied by copy.deepcopy")
        copy = type(self)(self._data.copy(), self.requires_grad)
        memo[id(self)] = copy
        return copy


def tensor(x: Any, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """Make a Tensor from an array, a list or a number. The values are copied.

    Parameters
    ----------
    x : array_like
        Arrays and Tensors keep their dtype; lists and numbers take the default (`default_dtype`, float32 unless set),
        except that booleans stay booleans.
    requires_grad : bool
        Whether to record what is computed from it, for differentiation.
    dtype : numpy dtype, optional

    Raises
    ------
    DTypeError
        If `x` does not hold numbers, or an integer tensor is asked to require a gradient.
    ShapeError
        If the rows of a list differ in length.

    Examples
    --------
    >>> import minigan as mg
    >>> x = mg.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    values = numbers(x)
    if dtype is None and not isinstance(x, Tensor | np.ndarray | np.generic) and values.dtype.kind != "b":
        dtype = modes.default_dtype
    data = np.array(values, dtype=dtype, order="C")
    if requires_grad and data.dtype.kind != "f":
        raise DTypeError(f"tensor: dtype {data.dtype} cannot require a gradient; pass dtype='float32' or 'float64'")
    return constant(Tensor(data, requires_grad), x)


def constant(tensor: Tensor, original: Any) -> Tensor:
    """Return a Tensor made of a number or an array, after a recording has taken note of it."""
    if modes.equations is not None:
        modes.equations.constants.append((tensor, original))
    return tensor


def filled_like(array: np.ndarray, value: float, requires_grad: bool = False) -> Tensor:
    """Return a Tensor of an array's shape and dtype, full of one number: a constant to a recording."""
    return constant(Tensor(np.full_like(array, value), requires_grad), value)


def numbers(x: Any) -> np.ndarray:
    """Return `x` as an array of numbers, not yet copied, or say what else it is."""
    if isinstance(x, list | tuple) and any(isinstance(item, Tensor) and item.requires_grad for item in x):
        raise GraphError("tensor: a list of Tensors would lose their gradients; join them with mg.stack")
    try:
        values = np.asarray(x)
    except ValueError as error:
        raise ShapeError(f"tensor: the rows of the list differ in length ({error})") from error
    if values.dtype.kind not in "fiub":
        raise DTypeError(f"tensor: got values of dtype {values.dtype}, expected real numbers or booleans")
    return values


def as_tensor(x: Any) -> Tensor:
    """Return `x` itself if it is a Tensor, else a Tensor with a copy of it."""
    return x if isinstance(x, Tensor) else tensor(x)
