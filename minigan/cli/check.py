"""minigan check: the hand-derived gradients of the losses, proved."""

from dataclasses import dataclass, field

import numpy as np
import tyro

from minigan import losses
from minigan.checking import directional_derivative
from minigan.cli.options import parse
from minigan.engine import tensor, unfused
from minigan.errors import ConfigError
from minigan.transforms import grad

# Logits of a game that is even, one that is lost, and values far out, where a careless formula overflows.
SCALES = (1.0, 10.0, 1000.0)
REAL, FAKE = (16, 1), (12, 1)  # of different length, so that a mean over the wrong side shows; alike for a paired loss


@dataclass
class Check:
    """Compare each loss's hand-derived gradient with autodiff and with numerical directional derivatives, in float64.

    Attributes
    ----------
    names : list of str
        The losses to check; all if none is named.
    seed : int
        Of the logits and directions drawn.
    real_label : float
        Check with this label of real samples (label smoothing); without names, the losses that take one. 1: all.
    """

    names: tyro.conf.Positional[list[str]] = field(default_factory=list)
    seed: int = 0
    real_label: float = 1.0


def main(args):
    options = parse(Check, args, "check")
    if options.seed < 0:
        raise ConfigError(f"--seed {options.seed}: expected at least 0")
    given = {} if options.real_label == 1.0 else {"real_label": options.real_label}
    names = options.names or [name for name in losses.names() if given.keys() <= set(losses.options(name))]
    chosen = {name: losses.get(name, **given) for name in names}
    print(
        f"{'loss':16}{'player':15}{'with respect to':17}{'autodiff: relative':>20}{'numerical: error':>19}{'bound':>10}"
    )
    failures = 0
    for name, loss in chosen.items():
        for row in rows(loss, options.seed):
            failures += not row["ok"]
            verdict = "" if row["ok"] else "  FAILED"
            print(
                f"{name:16}{row['player']:15}{row['side']:17}{row['autodiff']:20.1e}{row['numerical']:19.1e}"
                f"{row['bound']:10.1e}{verdict}"
            )
    print(f"{failures} failed" if failures else "all hand-derived gradients hold")
    return 1 if failures else 0


def rows(loss, seed=0):
    """Yield what the table shows, the worst over all `SCALES`: a dict for each player and side of `loss`."""
    for player in ("discriminator", "generator"):
        sides = [0, 1] if player == "discriminator" or loss.real_in_generator else [1]
        for side in sides:
            results = [compare(loss, player, side, scale, seed) for scale in SCALES]
            worst = {key: np.max([r[key] for r in results]) for key in ("autodiff", "excess")}  # nan, if there is one
            shown = results[np.argmax([r["excess"] for r in results])]
            yield {
                "player": player,
                "side": ("real logits", "fake logits")[side],
                "autodiff": worst["autodiff"],
                "numerical": shown["numerical"],
                "bound": shown["bound"],
                "ok": worst["autodiff"] <= 1e-12 and worst["excess"] <= 1.0,
            }


def compare(loss, player, side, scale, seed):
    """Hold one hand-derived gradient against autodiff of small operations and against differences.

    Returns
    -------
    dict
        ``autodiff``: largest relative difference of an element, of the claim or of what training uses; ``numerical``:
        difference of the directional derivatives; ``bound``: the numerical one's own error estimate, with the rounding
        of the other side added; ``excess``: numerical / bound.
    """
    rng = np.random.default_rng([seed, side])
    logits = [scale * rng.standard_normal(shape) for shape in (REAL, REAL if loss.paired else FAKE)]
    used = logits if player == "discriminator" or loss.real_in_generator else [None, logits[1]]
    claimed = getattr(loss, f"{player}_grad")(*used)[side]

    def value(x):
        return getattr(loss, player)(*[x if i == side else a for i, a in enumerate(used)])

    shape = logits[side].shape
    if np.shape(claimed) != shape:  # no gradient at all; broadcasting would hide it
        return {"autodiff": np.inf, "numerical": np.inf, "bound": 0.0, "excess": np.inf}
    with unfused():  # autodiff of the definition
        derived = grad(value)(logits[side]).numpy()
    trained = grad(value)(logits[side]).numpy()  # through the primitive, whose rule should be the claim itself
    size = np.maximum(np.abs(derived), np.finfo(float).tiny)
    difference = np.maximum(np.abs(claimed - derived), np.abs(trained - derived)) / size

    v = rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape)
    numerical = directional_derivative(lambda x: value(tensor(x)).item(), logits[side], v)
    rounding = 4 * np.finfo(float).eps * np.sum(np.abs(claimed * v)) + np.finfo(float).tiny
    error = abs(float(np.sum(claimed * v)) - numerical.value)
    bound = numerical.error + rounding
    return {"autodiff": difference.max(), "numerical": error, "bound": bound, "excess": error / bound}
