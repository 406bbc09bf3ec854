"""Penalties on the discriminator's input gradient: derivatives of derivatives at work.

Each returns the unweighted mean over the batch of a per-sample term; the caller multiplies by gamma/2 or lambda.
"""

from minigan.engine import Tensor, as_tensor


def input_gradient(discriminator, x):
    """Return the gradient of each sample's logit with respect to that sample, itself differentiable.

    Samples do not mix in D, so one pass over the sum of all logits gives every sample's own gradient.

    Parameters
    ----------
    discriminator : callable (N, ...) -> (N, ...)
    x : (N, ...) array

    Returns
    -------
    (N, ...) Tensor of x's shape
    """
    x = Tensor(as_tensor(x)._data, requires_grad=True)
    discriminator(x).sum().backward(inputs=[x], create_graph=True)
    return x.grad


def r1(discriminator, real):
    """Return mean_n |grad_x D(x_n)|^2 over real samples x (N, ...) (Mescheder et al., 2018, eq. 9, without gamma/2).

    D's logit is to be flat where the data is: then a generator that has arrived is not pushed away again.
    """
    gradient = input_gradient(discriminator, real)
    return (gradient * gradient).sum() / len(gradient)


def r2(discriminator, fake):
    """Return mean_n |grad_x D(x_n)|^2 over generated samples x (N, ...) (Mescheder et al., 2018, eq. 10)."""
    return r1(discriminator, fake)
