"""What a gradient check found, on one screen and as a picture."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from minigan.checking.compare import Comparison
from minigan.checking.diagnosis import ADVICE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FULL_LIST = 8  # coordinates, and elements of all inputs, printed one by one
_NOTES = 4


@dataclass
class GradientReport:
    """Result of `check_gradients`.

    Attributes
    ----------
    ok : bool
        No claim was refuted.
    vacuous : bool
        Nothing was proved: the derivative is zero in every direction tried, or hidden by noise. `ok` stays true.
    diagnosis : str or None
        The likely mistake: a key of `minigan.checking.diagnosis.ADVICE`.
    argument : int or None
        Position of the input whose gradient is wrong.
    index : tuple of int or None
        The element that is furthest off, where it could be found.
    seed : int
        Replays the check: ``check_gradients(..., seed=report.seed)``.
    order : int
        1: the gradient; 2: the gradient of the gradient.
    claimed, numerical, error : float or None
        The claim, the numerical derivative and its margin, at `index` or along the direction that failed.
    evaluations : int
        How often the function was called.
    notes : list of str
        What else is worth knowing: kinks, arguments about which nothing was proved.
    comparisons : list of Comparison
        Everything that was compared; the picture is made from it.
    inputs : dict
        Where the check took place: name and value of each input.
    """

    ok: bool
    seed: int
    order: int = 1
    vacuous: bool = False
    diagnosis: str | None = None
    argument: int | None = None
    name: str = ""
    index: tuple[int, ...] | None = None
    claimed: float | None = None
    numerical: float | None = None
    error: float | None = None
    sentence: str = ""
    evaluations: int = 0
    notes: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list, repr=False)
    inputs: dict[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        lines = self._passed() if self.ok else self._failed()
        lines += [f"  note: {note}" for note in self.notes[:_NOTES]]
        if len(self.notes) > _NOTES:
            lines.append(f"  and {len(self.notes) - _NOTES} more in report.notes")
        return "\n".join(lines)

    def _passed(self) -> list[str]:
        what = "gradient" if self.order == 1 else "gradient and gradient of the gradient"
        if self.vacuous:
            return [
                f"{what}: not refuted, but nothing was proved: every derivative measured is zero or below the noise",
                "  weight the outputs (f * w).sum() with fixed random w, or choose inputs at which f changes",
            ]
        counted = [c for c in self.comparisons if not c.weak]
        return [f"{what}: right in {len(counted)} comparisons ({self.evaluations} evaluations, seed {self.seed})"]

    def _failed(self) -> list[str]:
        what = "gradient" if self.order == 1 else "gradient of the gradient"
        place = "" if self.argument is None else f" of argument {self.argument} ({self.name})"
        lines = [f"{what}{place} is wrong: {self.diagnosis}"]
        if self.sentence:
            lines.append(f"  {self.sentence}")
        if self.claimed is not None and self.numerical is not None:
            where = f"at index {self.index}" if self.index is not None else "along a random direction"
            ratio = f", ratio {self.claimed / self.numerical:.6g}" if self.numerical else ""
            lines.append(f"  {where}: claimed {self.claimed:.10g}, numerical {self.numerical:.10g}")
            lines[-1] += f" +- {self.error:.1e}{ratio}"
        lines += self._table()
        if sum(np.size(x) for x in self.inputs.values()) <= _FULL_LIST:
            lines += [f"  with {name} = {_one_line(x)}" for name, x in self.inputs.items()]
        lines.append(f"  look for: {ADVICE[self.diagnosis or 'unknown']}")
        lines.append(f"  replay with: seed={self.seed}")
        return lines

    def _table(self) -> list[str]:
        """List the elements of the argument that were measured and are wrong."""
        measured = {c.index: c for c in self.comparisons if c.index is not None and c.argument == self.argument}
        wrong = [c for c in measured.values() if not c.agrees]
        if len(measured) < 2 or not wrong:
            return []
        lines = [f"  {len(wrong)} of {len(measured)} measured elements are wrong:"]
        lines.append(f"    {'index':>16} {'claimed':>16} {'numerical':>16} {'difference':>11}")
        for c in wrong[:_FULL_LIST]:
            values = f"{c.claimed:16.9g} {c.numerical.value:16.9g} {c.claimed - c.numerical.value:11.3g}"
            lines.append(f"    {c.index!s:>16} {values}")
        return lines + (["                 ..."] if len(wrong) > _FULL_LIST else [])

    def plot(self) -> "Figure":
        """Draw claimed against numerical derivatives: what is right lies on the diagonal.

        Returns
        -------
        matplotlib.figure.Figure
        """
        from matplotlib.figure import Figure

        figure = Figure(figsize=(5.5, 5), layout="constrained")
        axes: Any = figure.add_subplot()
        shown = [c for c in self.comparisons if c.margin < float("inf")]
        elements = [c for c in shown if c.index is not None and (self.ok or c.argument == self.argument)]
        shown = elements or shown
        for agrees, colour, label in ((True, "C0", "agrees"), (False, "C3", "refuted")):
            part = [c for c in shown if c.agrees is agrees]
            if part:
                x, y = [c.numerical.value for c in part], [c.claimed for c in part]
                axes.errorbar(x, y, xerr=[c.margin for c in part], fmt="o", color=colour, label=label, alpha=0.7)
        if shown:
            axes.axline((0, 0), slope=1, color="0.6", linewidth=1, zorder=0)
            axes.legend()
        axes.set_xlabel("numerical derivative")
        axes.set_ylabel("claimed derivative")
        verdict = "right" if self.ok else f"wrong: {self.diagnosis}"
        axes.set_title(f"gradient{'' if self.argument is None else ' of argument ' + self.name} {verdict}")
        return figure


def _one_line(x: Any) -> str:
    return " ".join(str(x.tolist() if isinstance(x, np.ndarray) else x).split())[:80]
