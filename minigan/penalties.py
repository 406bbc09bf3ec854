"""Penalties on the discriminator's input gradient: derivatives of derivatives at work.

Each returns the unweighted mean over the batch of a per-sample term; the caller multiplies by gamma/2 or lambda.
"""

from minigan.engine import Tensor, as_tensor


def squared_gradient(logits, x):
    """Return mean_n |grad of logit n with respect to sample n|^2, itself differentiable.

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
    """
    before, x.grad = x.grad, None
    logits.sum().backward(inputs=[x], create_graph=True)
    gradient, x.grad = x.grad, before
    return (gradient * gradient).sum() * (1.0 / len(x))


def r1(discriminator, real):
    """Return mean_n |grad_x D(x_n)|^2 over real samples (Mescheder et al., 2018, eq. 9, without gamma/2).

    D's logit is to be flat where the data is: then a generator that has arrived is not pushed away again.

    Parameters
    ----------
    discriminator : callable (N, ...) -> (N, ...)
    real : (N, ...) array
    """
    x = Tensor(as_tensor(real)._data, requires_grad=True)
    return squared_gradient(discriminator(x), x)


def r2(discriminator, fake):
    """Return mean_n |grad_x D(x_n)|^2 over generated samples (Mescheder et al., 2018, eq. 10). As `r1`."""
    return r1(discriminator, fake)
