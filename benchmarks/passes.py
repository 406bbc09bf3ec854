"""One pass of a layer, forward and backward in float32: minigan's, eager and compiled, and PyTorch's.

A pass computes the output and the gradients of the weights, and of the input where a layer says so. The layers have the
same weights and see the same input; all live in one process, in turns.
"""

import importlib.util
from statistics import median

import numpy as np

from benchmarks.contest import cores, measured, ratio, threads_of_all
from benchmarks.tables import duration, interleave, table


class Layer:
    """What is measured: `make` it of a library's ``nn``; `arrays` gives its input and a cotangent of its output."""

    input_gradient = True

    def make(self, nn):
        raise NotImplementedError

    def arrays(self):
        raise NotImplementedError


def eager_pass(layer):
    """Return a function that runs the layer forward and backward once, and returns its first weight's gradient."""
    return _minigan_pass(layer, lambda step: step)


def compiled_pass(layer):
    """Return the same, compiled."""
    import minigan as mg

    return _minigan_pass(layer, mg.compile)


def _minigan_pass(layer, transform):
    import minigan as mg

    mg.random.seed(0)
    module = layer.make(mg.nn)
    x, g = map(mg.tensor, layer.arrays())
    x.requires_grad = layer.input_gradient

    @transform
    def once(x, g):
        x.grad = None
        module.zero_grad()
        _output(module(x)).backward(gradient=g)
        return [t.grad for t in (*module.parameters(), x) if t.requires_grad]

    return lambda: np.asarray(once(x, g)[0])


def torch_pass(layer):
    """Return the same for PyTorch."""
    import torch

    import minigan as mg

    mg.random.seed(0)
    module = layer.make(torch.nn)
    weights = layer.make(mg.nn).state_dict()
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    x, g = map(torch.from_numpy, layer.arrays())
    x.requires_grad = layer.input_gradient

    def once():
        x.grad = None
        module.zero_grad(set_to_none=True)
        _output(module(x)).backward(gradient=g)
        return next(module.parameters()).grad.numpy()

    return once


def _output(result):
    return result[0] if isinstance(result, tuple) else result  # recurrent layers return their last states, too


PASSES = {"eager": eager_pass, "compiled": compiled_pass, "torch": torch_pass}


def compare(layer, *, rounds, span):
    """Return a dict from name to its seconds per pass in each round."""
    return interleave({name: measured(make(layer), span) for name, make in PASSES.items()}, rounds)


def print_tables(layers, options):
    """Print a table for one thread and one for all cores; `layers` is a dict from label to Layer."""
    if not importlib.util.find_spec("torch"):
        print("skipped: torch is not installed here (`make bench` installs it)")
        return
    import torch

    rounds, span = (5, 0.03) if options.quick else (31, 0.1)
    for threads in sorted({1, cores()}):
        rows = []
        with threads_of_all(threads):
            for label, layer in layers.items():
                times = compare(layer, rounds=rounds, span=span)
                ratios = [f"{ratio(times['torch'], times[name]):.2f}" for name in ("eager", "compiled")]
                rows.append([label, *(duration(median(times[name])) for name in PASSES), *ratios])
        print(table([f"{threads} thread(s)", *PASSES, "torch/eager", "torch/compiled"], rows) + "\n")
    print(f"medians of {rounds} rounds; a ratio above 1: minigan is faster. torch {torch.__version__}")
