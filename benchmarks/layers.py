"""Recurrent layers, forward and backward in float32, in minigan and PyTorch.

A pass runs one layer over a batch of sequences, and computes the gradients of all its weights and of its input. The
layers have the same weights and see the same input; both libraries live in one process, in turns.
"""

import importlib.util
from dataclasses import dataclass
from statistics import median

import numpy as np

from benchmarks.contest import cores, measured, ratio, threads_of_all
from benchmarks.tables import duration, interleave, table


@dataclass(frozen=True)
class Layer:
    """A recurrent layer with H units and its input of C features per step: T steps, a batch of N."""

    kind: str
    C: int = 64
    H: int = 64
    T: int = 24
    N: int = 64

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


def minigan_pass(layer):
    """Return a function that runs the layer forward and backward once, and returns the input's gradient."""
    import minigan as mg

    module = getattr(mg.nn, layer.kind)(layer.C, layer.H, rng=mg.random.default_rng(0))
    x, g = (mg.tensor(a) for a in layer.arrays())
    x.requires_grad = True

    def once():
        x.grad = None
        module.zero_grad()
        module(x)[0].backward(gradient=g)
        return np.asarray(x.grad)

    return once


def torch_pass(layer):
    """Return the same for PyTorch, with the same weights."""
    import torch

    import minigan as mg

    module = getattr(torch.nn, layer.kind)(layer.C, layer.H)
    weights = getattr(mg.nn, layer.kind)(layer.C, layer.H, rng=mg.random.default_rng(0)).state_dict()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    x, g = map(torch.from_numpy, layer.arrays())
    x.requires_grad = True

    def once():
        x.grad = None
        module.zero_grad(set_to_none=True)
        module(x)[0].backward(gradient=g)
        return x.grad.numpy()

    return once


LIBRARIES = {"minigan": minigan_pass, "torch": torch_pass}


def compare(layer, *, rounds, span):
    """Return a dict from library to its seconds per pass in each round."""
    return interleave({name: measured(make(layer), span) for name, make in LIBRARIES.items()}, rounds)


def run(options):
    """Print a table for one thread and one for all cores."""
    if not importlib.util.find_spec("torch"):
        print("skipped: torch is not installed here (`make bench` installs it)")
        return
    import torch

    rounds, span = (5, 0.03) if options.quick else (31, 0.1)
    for threads in sorted({1, cores()}):
        rows = []
        with threads_of_all(threads):
            for label, layer in LAYERS.items():
                times = compare(layer, rounds=rounds, span=span)
                ours, theirs = times["minigan"], times["torch"]
                ratios = [f"{r:.2f}" for r in (ratio(theirs, ours), min(theirs) / min(ours))]
                rows.append([label, duration(median(ours)), duration(median(theirs)), *ratios])
        print(table([f"{threads} thread(s)", "minigan", "torch", "torch/minigan", "of the fastest"], rows) + "\n")
    print(f"medians of {rounds} rounds; a ratio above 1: minigan is faster. torch {torch.__version__}")
