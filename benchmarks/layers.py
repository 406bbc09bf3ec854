"""Recurrent layers, forward and backward: against PyTorch."""

from dataclasses import dataclass

import numpy as np

from benchmarks import passes


@dataclass(frozen=True)
class Layer(passes.Layer):
    """A recurrent layer with H units and its input of C features per step: T steps, a batch of N."""

    kind: str
    C: int = 64
    H: int = 64
    T: int = 24
    N: int = 64

    def make(self, nn):
        return getattr(nn, self.kind)(self.C, self.H)

    def arrays(self):
        """Return x (T, N, C) and a cotangent of the output (T, N, H)."""
        rng = np.random.default_rng(0)
        return [rng.standard_normal((self.T, self.N, n), dtype=np.float32) for n in (self.C, self.H)]


LAYERS = {
    "LSTM 64 (T=24, N=64)": Layer("LSTM"),
    "LSTM 64, 8 inputs": Layer("LSTM", C=8),
    "GRU 64": Layer("GRU"),
    "RNN 64": Layer("RNN"),
}


def run(options):
    """Print the tables."""
    passes.print_tables(LAYERS, options)
