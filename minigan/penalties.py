"""Penalties on the discriminator's input gradient: derivatives of derivatives at work.

Each returns the unweighted mean over the batch of a per-sample term; the caller multiplies by gamma/2 (`r1`, `r2`) or
lambda (`wgan_gp`, `dragan`: 10 in both papers). Samples are constants to them: nothing flows back into a generator.
Running statistics of the discriminator stay as they are (`mg.nn.frozen_statistics`).
"""

from minigan import random
from minigan.engine import as_tensor, modes
from minigan.errors import GraphError, ShapeError
from minigan.nn import frozen_statistics
from minigan.ops import norm, sqrt, var


def input_gradient(logits, x):
    """Return dD(x_n)/dx_n for every sample, itself differentiable.

    Samples do not mix in D, so the gradient of the *sum* of all logits holds every sample's own gradient.

    Parameters
    ----------
    logits : (N, ...) Tensor
        D(x), computed from `x` and recorded.
    x : (N, ...) Tensor
        A leaf that requires a gradient.

    Returns
    -------
    Tensor of x's shape

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
    return gradient


def squared_gradient(logits, x):
    """Return ``mean_n |dD(x_n)/dx_n|^2``, a 0-d Tensor. Parameters and errors as `input_gradient`."""
    gradient = input_gradient(logits, x)
    return (gradient * gradient).sum() * (1.0 / len(x))


def squared_excess(logits, x):
    """Return ``mean_n (|dD(x_n)/dx_n| - 1)^2``, a 0-d Tensor. Parameters and errors as `input_gradient`.

    The norm is that of one sample's whole gradient, over all axes but the first.

    Notes
    -----
    Numerics: the norm has no derivative at g = 0, where that of its formula sqrt(sum g^2) is 0/0 = nan. `mg.norm` takes
    the subgradient 0 there: a critic that is flat at a sample pays 1 for it, and is not pushed in any direction. (A
    relu network is exactly flat wherever all its units are off.)
    """
    gradient = input_gradient(logits, x)
    slopes = norm(gradient.reshape(len(x), -1), axis=1)
    return ((slopes - 1.0) * (slopes - 1.0)).mean()


def r1(discriminator, real):
    """Return ``mean_n |dD(x_n)/dx_n|^2`` over real samples (Mescheder et al., 2018, eq. 9, without gamma/2).

    D's logit is to be flat where the data is: then a generator that has arrived is not pushed away again.

    Parameters
    ----------
    discriminator : callable (N, ...) -> (N, ...)
    real : (N, ...) array
        Integers become numbers of the default dtype.

    Returns
    -------
    0-d Tensor

    Raises
    ------
    ShapeError
        If there is no sample.
    GraphError
        If D's logits do not depend on its input.

    Examples
    --------
    >>> import minigan as mg
    >>> mg.penalties.r1(lambda x: 3.0 * x, [[1.0], [2.0]])  # the slope is 3 everywhere
    tensor(9.)
    """
    return _at(discriminator, _constant(real), squared_gradient)


def r2(discriminator, fake):
    """Return ``mean_n |dD(x_n)/dx_n|^2`` over generated samples (Mescheder et al., 2018, eq. 10). As `r1`."""
    return r1(discriminator, fake)


def wgan_gp(discriminator, real, fake, rng):
    """Return ``mean_n (|dD(x_n)/dx_n| - 1)^2`` between real and generated samples (Gulrajani et al., 2017, eq. 3).

    x_n = e_n real_n + (1 - e_n) fake_n with **one** e_n ~ U[0, 1) **per sample**, the same for all its features: a
    point on the straight line between the two. There the best critic has slope 1 (proposition 1 in that paper).

    Parameters
    ----------
    discriminator : callable (N, ...) -> (N, ...)
    real, fake : (N, ...) arrays of equal shapes
    rng : mg.random.Generator
        Where e is drawn from.

    Returns
    -------
    0-d Tensor

    Raises
    ------
    ShapeError
        If the shapes differ, or there is no sample.
    GraphError
        If D's logits do not depend on its input.

    Examples
    --------
    >>> import minigan as mg
    >>> rng = mg.random.default_rng(0)
    >>> mg.penalties.wgan_gp(lambda x: 3.0 * x, [[1.0]], [[0.0]], rng)  # (3 - 1)^2
    tensor(4.)
    """
    real, fake = _constant(real), _constant(fake)
    if real.shape != fake.shape:
        raise ShapeError(
            f"wgan_gp: real has shape {real.shape}, fake {fake.shape}; lines are drawn from sample to sample, so the "
            "shapes must be equal"
        )
    one_per_sample = (len(real),) + (1,) * (real.ndim - 1)
    e = random.default_rng_or_package(rng).uniform(one_per_sample, dtype=real.dtype)
    return _at(discriminator, e * real + (1.0 - e) * fake, squared_excess)


def dragan(discriminator, real, rng):
    """Return ``mean_n (|dD(x_n)/dx_n| - 1)^2`` around real samples (Kodali et al., 2017).

    x_n = real_n + s u_n / 2 with u ~ U[0, 1) per element and s the standard deviation of all elements of the batch.

    Parameters
    ----------
    discriminator : callable (N, ...) -> (N, ...)
    real : (N, ...) array
    rng : mg.random.Generator
        Where u is drawn from.

    Returns
    -------
    0-d Tensor

    Raises
    ------
    ShapeError
        If there is no sample.
    GraphError
        If D's logits do not depend on its input.

    Notes
    -----
    The variant: the paper adds normal noise and leaves its size open. Here it is the noise of the authors' code,
    uniform and never negative; that code then goes only a random part of the way there, which is left out.
    """
    real = _constant(real)
    u = random.default_rng_or_package(rng).uniform(real.shape, dtype=real.dtype)
    return _at(discriminator, real + (0.5 * sqrt(var(real))) * u, squared_excess)


def _constant(samples):
    """Return samples as a floating Tensor outside the graph."""
    x = as_tensor(samples).detach()
    if x.ndim == 0 or len(x) == 0:
        raise ShapeError(f"penalty: got samples of shape {x.shape}, expected (N, ...) with at least one sample")
    return x if x.dtype.kind == "f" else x.astype(modes.default_dtype)


def _at(discriminator, x, term):
    """Run D at the points x and return a term of its logits and x."""
    x.requires_grad = True
    with frozen_statistics():
        return term(discriminator(x), x)
