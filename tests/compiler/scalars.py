"""Numbers as arguments and results of compiled steps."""

import numpy as np

import minigan as mg


def scalar(value, **options):
    return mg.tensor(np.array(float(value)), **options)


def calls(f, *values):
    return [f(scalar(v)).item() for v in values]
