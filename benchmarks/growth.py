"""How the time of a GAN step grows: against width, batch, depth and the number of time steps T.

One size varies at a time; the others stay at 128 units, a batch of 128 and two hidden layers, for samples in the plane;
T is that of an LSTM GAN with 64 units and a batch of 64. The picture becomes docs/images/growth.png.
"""

import io
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
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    from minigan.plots.style import CYCLE, INK, new_figure, styled

    looks = dict(zip(LIBRARIES, zip((CYCLE[0], INK, *CYCLE[1:4]), "oX^vs", strict=True), strict=True))

    @styled
    def drawn():
        fig = new_figure(7.2, 5.9)
        lines = {}
        for ax, (axis, name) in zip(fig.subplots(2, 2).flat, NAMES.items(), strict=True):
            sizes = [size for other, size in found if other == axis]
            for library, (colour, marker) in looks.items():
                times = {n: found[axis, n][library] for n in sizes if library in found[axis, n]}
                if times:
                    low, middle, high = np.quantile(list(times.values()), [0.25, 0.5, 0.75], axis=1)
                    (lines[library],) = ax.plot(list(times), middle, marker=marker, markersize=4.5, color=colour)
                    ax.fill_between(list(times), low, high, color=colour, alpha=0.15, linewidth=0)
            ax.set(xscale="log", yscale="log", xlabel=name)
            ax.set_xticks(sizes, [str(size) for size in sizes])
            ax.minorticks_off()
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _short(seconds)))
            ax.yaxis.set_minor_formatter(NullFormatter())
        fig.supylabel("time of one training step", fontsize=11)
        fig.legend(lines.values(), lines.keys(), loc="outside upper center", ncols=len(lines))
        return fig

    return drawn()


def _short(seconds):
    """Return a time on an axis: 100 µs, 1 ms, 10 ms."""
    for unit, scale in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= 0.999 * scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds:.1g} s"


def small_png(fig):
    """Return a figure as the bytes of a PNG file with a palette of 32 colours: lines need no more, and it is small."""
    from PIL import Image

    from minigan.plots.style import png_bytes

    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png_bytes(fig, dpi=100))).convert("RGB")
    picture.quantize(32, dither=Image.Dither.NONE).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


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
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(PICTURE, small_png(draw(found)))
    print(f"picture: {PICTURE}")
