"""What the losses refuse, and how they say it."""

import dataclasses

import numpy as np
import pytest

from minigan import losses
from minigan.errors import ConfigError, DTypeError, ShapeError

every_loss = pytest.mark.parametrize("name", losses.names())
REAL, FAKE = np.ones((4, 1)), np.zeros((4, 1))


@pytest.mark.parametrize("name", [name for name in losses.names() if name != "relativistic"])
def test_generator_that_does_not_look_at_real_logits(name):
    loss = losses.get(name)
    assert not loss.real_in_generator
    assert loss.generator_grad(None, FAKE)[0] is None
    for method in (loss.generator, loss.generator_grad):
        with pytest.raises(ConfigError, match=f"{name}.*does not use real logits; pass real=None"):
            method(REAL, FAKE)
        with pytest.raises(ConfigError, match="fake is None"):
            method(None, None)


@every_loss
def test_discriminator_needs_both_sides(name):
    loss = losses.get(name)
    for method in (loss.discriminator, loss.discriminator_grad):
        with pytest.raises(ConfigError, match="real is None, but this loss needs the logits of both"):
            method(None, FAKE)
        with pytest.raises(ConfigError, match="fake is None"):
            method(REAL, None)


def test_relativistic_generator_needs_real_logits():
    loss = losses.get("relativistic")
    for method in (loss.generator, loss.generator_grad):
        with pytest.raises(ConfigError, match=r"relativistic\.generator.*: real is None"):
            method(None, np.zeros(3))


@pytest.mark.parametrize("shapes", [((4, 1), (4,)), ((4, 1), (1, 1)), ((4,), (5,)), ((), (4,)), ((4, 1), (1, 4))])
def test_relativistic_never_broadcasts(shapes):
    loss = losses.get("relativistic")
    assert loss.paired
    for method in (loss.discriminator, loss.generator, loss.discriminator_grad, loss.generator_grad):
        with pytest.raises(ShapeError, match="the shapes must be equal"):
            method(*(np.zeros(shape) for shape in shapes))


@every_loss
def test_no_logits_at_all(name):
    with pytest.raises(ShapeError, match="got no logits"):
        losses.get(name).discriminator(np.zeros((0, 1)), np.zeros((0, 1)))


@every_loss
def test_text_is_no_logit(name):
    with pytest.raises(DTypeError, match="expected real numbers"):
        losses.get(name).discriminator(["a"], ["b"])


def test_unknown_name_and_options():
    known = "minimax, non_saturating, least_squares, hinge, wasserstein, relativistic"
    with pytest.raises(ConfigError, match=f"unknown loss 'hinged'; known are {known}$"):
        losses.get("hinged")
    with pytest.raises(ConfigError, match=r"loss 'minimax' does not take the options margin; it takes real_label$"):
        losses.get("minimax", margin=1.0)
    with pytest.raises(ConfigError, match=r"loss 'hinge' does not take the options margin; it takes none$"):
        losses.get("hinge", margin=1.0)


def test_record_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        losses.get("minimax").name = "maximin"
