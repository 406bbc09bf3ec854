"""A made-up run."""

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def records():
    """Records of a run whose curves are straight lines: easy to recompute."""
    return [
        {"step": 10 * i, "d_loss": 2.0 - 0.01 * i, "g_loss": 0.5, "d_real": 0.9 - 0.004 * i, "d_fake": 0.1 + 0.004 * i}
        for i in range(100)
    ]
