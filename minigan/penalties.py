"""Penalties on the discriminator's input gradient: derivatives of derivatives at work.

Each returns the unweighted mean over the batch of a per-sample term; the caller multiplies by gamma/2 or lambda.
"""

from minigan.engine import as_tensor, modes
from minigan.errors import GraphError
from minigan.nn import frozen_statistics


def squared_gradient(logits, x):
    """Return ``mean_n |dD(x_n)/dx_n|^2``, itself differentiable.

    Samples do not mix in D, so the gradient of the *sum* of all logits holds every sample's own gradient.

    Parameters
    ----------
    logits : (N, ...) Tensor
        D(x), computed from `x` and recorded.
    x : (N, ...) Tensor
        A leaf that requires a gradient.

    Returns
    -------
    0-d Tensor

    Raises
    ------
    GraphError
        If the logits do not depend on x.
    """
    before, x.grad = x.grad, None
    logits.sum().backward(inputs=[x], create_graph=True)
    gradient, x.grad = x.grad, before
    if gradient is None:
        raise GraphError("penalty: the logits were not computed from x; was it detached or copied inside D?")
    return (gradient * gradient).sum() * (1.0 / len(x))


def r1(discriminator, real):
    """Return ``mean_n |dD(x_n)/dx_n|^2`` over real samples (Mescheder et al., 2018, eq. 9, without gamma/2).

    D's logit is to be flat where the data is: then a generator that has arrived is not pushed away again.

    Parameters
    ----------
    discriminator : callable (N, ...) -> (N, ...)
    real : (N, ...) array
        Integers become numbers of the default dtype.
    """
    x = as_tensor(real).detach()
    if x.dtype.kind != "f":
        x = x.astype(modes.default_dtype)
    x.requires_grad = True
    with frozen_statistics():
        return squared_gradient(discriminator(x), x)


def r2(discriminator, fake):
    """Return ``mean_n |dD(x_n)/dx_n|^2`` over generated samples (Mescheder et al., 2018, eq. 10). As `r1`."""
    return r1(discriminator, fake)
