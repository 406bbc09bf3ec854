"""Public functions as a whole, through their public signatures: gradients of first and second order."""

import numpy as np
import pytest
from functions import CALLS

import minigan as mg
from minigan.ops import affine

NOT_FUNCTIONS_OF_ARRAYS = {"compile", "Tensor", "tensor", "no_grad", "detect_anomaly", "default_dtype", "draw"}
TRANSFORMS = {"grad", "value_and_grad", "vjp", "jvp", "hvp", "directional_derivative", "check_gradients"}


@pytest.mark.parametrize("name", CALLS)
def test_gradients_of_first_and_second_order(name):
    f, args = CALLS[name]
    report = mg.check_gradients(f, *args, order=2, seed=0)
    assert report.ok
    assert not mg.check_gradients(f, *args, seed=0).vacuous


@pytest.mark.parametrize("name", CALLS)
def test_float32_stays_float32(name):
    f, args = CALLS[name]
    tensors = [mg.tensor(a.astype("f4"), requires_grad=True) for a in args]
    out = f(*tensors)
    for y in out if isinstance(out, tuple) else (out,):
        assert y.dtype == "f4"
        y.sum().backward(retain_graph=True)
    assert [t.grad.dtype for t in tensors] == ["f4"] * len(args)
    assert [t.grad.shape for t in tensors] == [a.shape for a in args]


def test_every_public_array_function_has_a_row():
    """A new public function is listed in `CALLS`, else nothing looks at its signature."""
    public = set(mg.__all__) - set(mg._SUBMODULES) - NOT_FUNCTIONS_OF_ARRAYS - TRANSFORMS
    assert public == {name.split()[0] for name in CALLS} & public


@pytest.mark.parametrize("name", ["relu", "identity", "leaky_relu", "tanh", "sigmoid"])
def test_affine_of_one_row_and_of_none(name):
    w, b = np.ones((3, 2)), np.zeros(3)
    assert affine(np.ones(2), w, b, activation=name).shape == (3,)
    assert affine(np.ones((0, 2)), w, b, activation=name).shape == (0, 3)
    x = mg.tensor(np.ones((0, 2)), requires_grad=True)
    weight = mg.tensor(w, requires_grad=True)
    affine(x, weight, b, activation=name).sum().backward()
    assert x.grad.shape == (0, 2)
    assert weight.grad.numpy().tolist() == np.zeros((3, 2)).tolist()
