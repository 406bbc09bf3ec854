"""How the time of a GAN step grows: against width, batch, depth and the number of time steps T.

One size varies at a time; the others stay at 128 units, a batch of 128 and two hidden layers, for samples in the plane;
T is that of an LSTM GAN with 64 units and a batch of 64. The picture becomes docs/images/growth.png.
"""

from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.contest import compare, cores
from benchmarks.gan_step import LIBRARIES, best_ratio, chosen
from benchmarks.tables import duration, table
from benchmarks.workloads import Recurrent, plane
from minigan.files import write_bytes

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "growth.png"

AXES = {
    "width": ((8, 16, 32, 64, 128, 256, 512), lambda n: plane(n, 128)),
    "batch": ((16, 32, 64, 128, 256, 512, 1024), lambda n: plane(128, n)),
    "depth": ((1, 2, 4, 8), lambda n: plane(128, 128, depth=n)),
    "T": ((6, 12, 24, 48, 96), lambda n: Recurrent(hidden=64, steps=n, batch=64)),
}
NAMES = {
    "width": "units in a hidden layer",
    "batch": "samples in a batch",
    "depth": "hidden layers in each network",
    "T": "time steps T of an LSTM GAN",
}


def measure(libraries, *, quick):
    """Return a dict from (axis, size) to a dict from a library to its seconds per step in each round."""
    rounds, span = (3, 0.05) if quick else (11, 0.2)
    found = {}
    for axis, (sizes, workload) in AXES.items():
        for size in sizes[:: 3 if quick else 1]:
            found[axis, size] = compare(libraries, workload(size), rounds=rounds, span=span)[1]
            print(f"{axis} {size}: done", flush=True)
    return found


def draw(found):
    """Draw the median seconds per step against each size, both on logarithmic axes; a band holds half of the rounds.

    Parameters
    ----------
    found : dict from (axis, size) to a dict from a library to seconds, as `measure` returns it

    Returns
    -------
    matplotlib.figure.Figure
    """
    from minigan.plots.style import in_style, new_figure

    with in_style():
        fig = new_figure(7.2, 5.9)
        lines = {}
        for ax, (axis, name) in zip(fig.subplots(2, 2).flat, NAMES.items(), strict=True):
            lines |= _lines(ax, {size: times for (other, size), times in found.items() if other == axis})
            ax.set(xlabel=name)
        fig.supylabel("time of one training step", fontsize=11)
        fig.legend(lines.values(), lines.keys(), loc="outside upper center", ncols=len(lines))
        return fig


def _lines(ax, found):
    """Draw one axis, a dict from a size to a dict from a library to seconds; return a line of each library."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    from minigan.plots.style import CYCLE, INK

    lines = {}
    for library, colour, marker in zip(LIBRARIES, (CYCLE[0], INK, *CYCLE[1:4]), "oX^vs", strict=True):
        times = {size: seconds[library] for size, seconds in found.items() if library in seconds}
        if times:
            low, middle, high = np.quantile(list(times.values()), [0.25, 0.5, 0.75], axis=1)
            (lines[library],) = ax.plot(list(times), middle, marker=marker, markersize=4.5, color=colour)
            ax.fill_between(list(times), low, high, color=colour, alpha=0.15, linewidth=0)
    ax.set(xscale="log", yscale="log")
    ax.set_xticks(list(found), [str(size) for size in found])
    ax.minorticks_off()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _short(seconds)))
    ax.yaxis.set_minor_formatter(NullFormatter())
    return lines


def _short(seconds):
    """Return a time on an axis: 100 µs, 1 ms, 10 ms."""
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.999 * scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds:.1g} s"


def rows(found, libraries):
    """Return the cells of the table."""
    cells = []
    for (axis, size), times in found.items():
        best = best_ratio(times)
        medians = [duration(median(times[name])) if name in times else "-" for name in libraries]
        cells.append([f"{axis} {size}", *medians, f"{best[1]:.2f}" if best else "-"])
    return cells


def run(options):
    """Print the table and, unless in a hurry, write the picture."""
    libraries = chosen(options)
    found = measure(libraries, quick=options.quick)
    print("\n" + table(["size", *libraries, "best/minigan"], rows(found, libraries)))
    print(f"\nmedians, {cores()} cores; a ratio above 1: minigan is faster than the best of the others")
    if options.quick:
        print(f"--quick: {PICTURE.name} stays as it is")
        return
    from minigan.plots.style import png_bytes

    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(PICTURE, png_bytes(draw(found), dpi=100, colours=32))
    print(f"picture: {PICTURE}")
