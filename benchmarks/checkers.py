"""Gradient checkers side by side on the planted suites of tests/checking: wrong gradients, and right but awkward ones.

Every case is a NumPy function with a claimed gradient. Each library gets it in the way that its manual gives for
functions from outside, in float64, and judges it with its default settings. A wrong gradient is found if anything is
raised; a right one is refuted if the checker says so, and counts as not applicable if it fails in another way.
Not applicable is also a full Jacobian of tens of thousands of columns, which takes minutes.
"""

import logging
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np

import minigan as mg
from benchmarks.tables import duration, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "checking"))  # the tests are not installed

MOST_COLUMNS = 20_000  # of a Jacobian that is measured in full


class NotApplicable(Exception):
    """The checker is not meant for this case."""


# -- what all other libraries are given -----------------------------------------------------------------------------
class Split:
    """f and grad as functions of their float inputs alone, which are arrays of float64; all else is held constant.

    Attributes
    ----------
    floats : list of float64 arrays
    """

    def __init__(self, f, grad, inputs):
        self._f, self._grad, self._inputs = f, grad, inputs
        self._places = [i for i, x in enumerate(inputs) if np.asarray(x).dtype.kind == "f"] or [0]
        self.floats = [np.array(inputs[i], dtype=np.float64, order="C") for i in self._places]

    def _all(self, floats):
        everything = list(self._inputs)
        for i, x in zip(self._places, floats, strict=True):
            everything[i] = np.asarray(x) if isinstance(self._inputs[i], np.ndarray) else float(x)
        return everything

    def value(self, *floats):
        """Return f as a 0-d array."""
        return np.asarray(self._f(*self._all(floats)), dtype=np.float64)

    def gradients(self, *floats):
        """Return a tuple with the claim for each float input, as it is; zeros where grad says None."""
        claimed = self._grad(*self._all(floats))
        parts = list(claimed) if isinstance(claimed, tuple | list) else [claimed]
        if len(parts) == len(self._inputs):
            parts = [parts[i] for i in self._places]
        return tuple(np.zeros(self.floats[i].shape) if g is None else np.array(g) for i, g in enumerate(parts))


# -- the checkers: check(f, grad, inputs, seed) raises, or finds nothing --------------------------------------------
def torch_gradcheck(f, grad, inputs, seed, **options):
    """torch.autograd.gradcheck on a torch.autograd.Function."""
    import torch

    case = Split(f, grad, inputs)

    class Function(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *xs):
            ctx.save_for_backward(*xs)
            return torch.tensor(case.value(*[x.detach().numpy() for x in xs]))

        @staticmethod
        def backward(ctx, g):
            claims = case.gradients(*[x.detach().numpy() for x in ctx.saved_tensors])
            return tuple(g * torch.tensor(claim) for claim in claims)

    if not options and sum(x.size for x in case.floats) > MOST_COLUMNS:
        raise NotApplicable
    torch.manual_seed(seed)
    torch.autograd.gradcheck(Function.apply, [torch.tensor(x, requires_grad=True) for x in case.floats], **options)


def torch_fast(f, grad, inputs, seed):
    """The same with one random projection instead of the whole Jacobian."""
    torch_gradcheck(f, grad, inputs, seed, fast_mode=True)


def jax_check_grads(f, grad, inputs, seed):
    """jax.test_util.check_grads on a custom_vjp of callbacks; its seed is its own."""
    import jax
    from jax.test_util import check_grads

    logging.getLogger("jax._src.callback").disabled = True  # it prints whatever f and grad raise
    case = Split(f, grad, inputs)

    @jax.custom_vjp
    def function(*xs):
        return jax.pure_callback(case.value, jax.ShapeDtypeStruct((), np.float64), *xs)

    def backward(xs, g):
        like = tuple(jax.ShapeDtypeStruct(x.shape, x.dtype) for x in xs)
        return tuple(g * claim for claim in jax.pure_callback(case.gradients, like, *xs))

    function.defvjp(lambda *xs: (function(*xs), xs), backward)
    with jax.enable_x64(True):
        check_grads(function, [jax.numpy.asarray(x) for x in case.floats], order=1, modes=["rev"])


def autograd_check_grads(f, grad, inputs, seed):
    """autograd.test_util.check_grads on a primitive."""
    from autograd.extend import defvjp_argnums, primitive
    from autograd.test_util import check_grads

    case = Split(f, grad, inputs)
    function = primitive(case.value)

    def pull_back(argnums, y, xs, _):
        def pulled(g):
            claims = case.gradients(*xs)
            return tuple(g * claims[i] for i in argnums)

        return pulled

    defvjp_argnums(function, pull_back)
    np.random.seed(seed)  # noqa: NPY002 (what autograd draws from)
    check_grads(lambda *xs: function(*xs), modes=["rev"], order=1)(*case.floats)


def minigan_check(f, grad, inputs, seed):
    """minigan.check_gradients."""
    mg.check_gradients(f, *inputs, grad=grad, seed=seed)


CHECKERS = {
    "torch gradcheck": ("torch", torch_gradcheck),
    "torch, fast_mode": ("torch", torch_fast),
    "jax check_grads": ("jax", jax_check_grads),
    "autograd check_grads": ("autograd", autograd_check_grads),
    "minigan": ("minigan", minigan_check),
}


# -- counting -------------------------------------------------------------------------------------------------------
@dataclass
class Score:
    """How one checker did: the names of the cases that it got wrong, once per seed, and the seconds of every check."""

    missed: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)
    unfit: list[str] = field(default_factory=list)
    named: int = 0
    wrong: int = 0
    right: int = 0
    times: list[float] = field(default_factory=list)

    def add(self, case, raised, taken):
        """Count one case: `raised` is what the checker raised, or None."""
        self.times.append(taken)
        if isinstance(raised, NotApplicable):
            self.unfit.append(case.name)
        elif case.diagnosis is not None:
            self.wrong += 1
            self.missed += [case.name] * (raised is None)
            self.named += getattr(getattr(raised, "report", None), "diagnosis", None) == case.diagnosis
        elif raised is None or _is_verdict(raised):
            self.right += 1
            self.alarms += [case.name] * (raised is not None)
        else:
            self.unfit.append(case.name)


def _is_verdict(error):
    return isinstance(error, AssertionError) or type(error).__name__ == "GradcheckError"


def suites():
    """Return all cases, the wrong ones first."""
    import awkward
    import planted
    import planted_conduct
    import planted_systems

    return [*planted.wrong, *planted_systems.mistakes, *planted_conduct.misconduct, *awkward.right]


def judge(check: Callable, case, seed):
    """Return (what the checker raised or None, seconds) for one case, built afresh."""
    f, grad, inputs = case.build(np.random.default_rng(seed))
    start = time.perf_counter()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            check(f, grad, inputs, seed)
        raised = None
    except Exception as error:
        raised = error
    return raised, time.perf_counter() - start


def score(check, cases, seeds):
    """Return the `Score` of one checker."""
    result = Score()
    for case in cases:
        for seed in seeds:
            result.add(case, *judge(check, case, seed))
    return result


def run(options):
    """Print the table."""
    seeds, cases = range(1 if options.quick else 5), suites()
    rows = []
    for name, (package, check) in CHECKERS.items():
        if not find_spec(package):
            print(f"{name} left out: {package} is not installed here (python -m pip install {package})")
            continue
        judge(check, cases[0], 0)  # imports and compiles
        s = score(check, cases, seeds)
        found = f"{s.wrong - len(s.missed)} of {s.wrong} ({1 - len(s.missed) / s.wrong:.1%})"
        alarms = f"{len(s.alarms)} of {s.right} ({len(s.alarms) / s.right:.1%})"
        named = f"{s.named / s.wrong:.1%}" if package == "minigan" else "-"
        times = [duration(median(s.times)), duration(sum(s.times) / len(seeds))]
        rows.append([name, found, alarms, str(len(s.unfit)), named, *times])
    wrong = sum(case.diagnosis is not None for case in cases)
    print(f"{wrong} wrong and {len(cases) - wrong} right gradients, {len(seeds)} seed(s) each\n")
    header = [
        "checker",
        "wrong ones found",
        "false alarms",
        "not applicable",
        "named rightly",
        "median time",
        "all cases",
    ]
    print(table(header, rows))
