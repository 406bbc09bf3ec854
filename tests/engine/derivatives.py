"""The derivative of a function of one number, by either mode and of any order."""

import minigan as mg


def slope(f, order=1):
    """The derivative of a function of one number by forward mode, nested `order` times."""
    for _ in range(order):
        f = (lambda inner: lambda x: mg.jvp(inner, (x,), (1.0,))[1])(f)
    return f


def gradient(f, order=1):
    for _ in range(order):
        f = mg.grad(f)
    return f
