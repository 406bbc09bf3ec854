"""Wrong arguments: which error, and that its message says what was given and what to do."""

import numpy as np
import pytest

import minigan as mg
from minigan.errors import ConfigError, MiniganError, ShapeError
from minigan.ops import affine

X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: mg.matmul(x, np.ones((2, 3))), r"matmul: shapes \(2, 3\) and \(2, 3\) do not fit"),
        (lambda x: mg.matmul(x, 2.0), r"matmul: shapes \(2, 3\) and \(\) do not fit"),
        (lambda x: x @ np.ones(2), r"matmul: shapes \(2, 3\) and \(2,\).*inner lengths must be equal"),
        (lambda x: mg.reshape(x, (4, 2)), r"reshape: 6 elements of shape \(2, 3\) do not fit into shape \(4, 2\)"),
        (lambda x: x.reshape(-1, -1), "reshape: 6 elements"),
        (lambda x: mg.broadcast_to(x, (2, 4)), r"broadcast_to: shape \(2, 3\) does not broadcast to \(2, 4\)"),
        (lambda x: mg.concatenate([]), "concatenate: got no arrays, expected at least one"),
        (lambda x: mg.concatenate([x, np.ones((2, 4))]), r"shapes \(2, 3\), \(2, 4\) must agree except along axis 0"),
        (
            lambda x: mg.stack([x, np.ones(3)]),
            r"stack: expected one or more arrays of one shape, got \[\(2, 3\), \(3,\)\]",
        ),
        (lambda x: mg.stack([]), "stack: expected one or more arrays"),
        (lambda x: mg.split(x, 2, axis=1), "split: axis 1 of length 3 cannot be cut into 2 equal parts"),
        (lambda x: mg.split(x, 0), "cannot be cut into 0 equal parts"),
        (lambda x: mg.take(x, [0.5]), "take: indices have dtype float64, expected integers"),
        (lambda x: mg.take(x, mg.tensor([0, 1])), "take: indices have dtype float32, expected integers"),
        (lambda x: mg.einsum("ii->i", np.ones((2, 2))), "einsum: cannot read 'ii->i'.*no letter twice in one operand"),
        (lambda x: mg.einsum("...j->j", x), r"einsum: cannot read '\.\.\.j->j'"),
        (lambda x: affine(x, np.ones((5, 2)), np.ones(5)), r"affine: x has shape \(2, 3\), the weight \(5, 2\)"),
        (
            lambda x: affine(x, np.ones((5, 3)), np.ones(3)),
            r"the bias \(3,\); expected \(\.\.\., I\), \(O, I\) and \(O,\)",
        ),
        (lambda x: affine(x, np.ones(3), np.ones(())), "affine: x has shape"),
        (lambda x: affine(1.0, np.ones((5, 3)), np.ones(5)), "affine: x has shape"),
    ],
)
@pytest.mark.parametrize("requires_grad", [False, True])
def test_shapes_that_do_not_fit(call, message, requires_grad):
    with pytest.raises(ShapeError, match=message) as caught:
        call(mg.tensor(X, requires_grad=requires_grad))
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, MiniganError)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: mg.stack([x, x], axis=3),
        lambda x: mg.stack([x, x], axis=-4),
        lambda x: mg.take(x, [0], axis=2),
        lambda x: mg.take(mg.tensor(1.0), 0, axis=0),
        lambda x: mg.transpose(x, (0, 2)),
        lambda x: mg.softmax(x, axis=2),
        lambda x: mg.logsumexp(x, axis=-3),
    ],
)
def test_an_axis_that_is_not_there(call):
    with pytest.raises(np.exceptions.AxisError, match="out of bounds"):
        call(mg.tensor(X))


@pytest.mark.parametrize("call", [lambda x: x.transpose(0, 0), lambda x: mg.sum(x, axis=(0, 0))])
def test_an_axis_given_twice(call):
    with pytest.raises(ValueError, match=r"repeated|duplicate"):
        call(mg.tensor(X))


def test_an_activation_that_is_not_known():
    with pytest.raises(ConfigError, match="affine: unknown activation 'swish'; known are identity, relu, leaky_relu"):
        affine(X, np.ones((5, 3)), np.ones(5), activation="swish")


def test_a_rule_of_the_wrong_shape_names_its_operation():
    from minigan.engine import REGISTRY, primitive

    @primitive(vjp=(lambda g, y, x: g[:1],), domain=REGISTRY["tanh"].domain, name="broken")
    def broken(x):
        return x + 0.0

    try:
        with pytest.raises(ShapeError, match=r"the rule of 'broken' returned a cotangent of shape \(1,\).*\(3,\)"):
            broken(mg.tensor(np.ones(3), requires_grad=True)).sum().backward()
        with pytest.raises(ShapeError, match="the rule of 'broken'"):
            broken(mg.tensor(np.ones((3, 1, 1, 3)), requires_grad=True)).reshape(-1).sum().backward()
    finally:
        del REGISTRY["broken"]
