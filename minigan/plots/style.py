"""One look for every picture, kept apart from the user's own matplotlib settings.

Colours mean the same thing everywhere: blue is real, vermilion is generated, green is the discriminator, black is
what theory says. They are from the palette of Okabe and Ito (2008), which colour-blind readers can tell apart.
"""

import io
from functools import wraps

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

REAL = "#0072B2"  # blue
FAKE = "#D55E00"  # vermilion; the generator's colour too
DISCRIMINATOR = "#009E73"  # bluish green
INK = "#202020"
MUTED = "#6b6b6b"
PAPER = "#ffffff"
GRID = "#e3e3e3"

WIDTH = 5.2  # inches; with letters of 11 points a picture stays readable across the width of a phone

# D(x) from 0 (taken for generated) over 0.5 (cannot tell: paper) to 1 (taken for real), pale enough to draw on.
BELIEF = LinearSegmentedColormap.from_list("belief", ["#f0a472", "#f8d5bd", PAPER, "#bcdcf0", "#6fb2dc"])

STYLE = {
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "savefig.facecolor": "auto",
    "savefig.edgecolor": "auto",
    "savefig.bbox": None,
    "font.family": ["DejaVu Sans"],  # shipped with matplotlib, so that a picture looks the same everywhere
    "font.size": 11,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,  # a "$" in a title is a dollar
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 11,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.4,
    "image.interpolation": "nearest",
}


# For curves that have no meaning of their own, in the order of Okabe and Ito with the darker ones first.
CYCLE = [REAL, FAKE, DISCRIMINATOR, "#CC79A7", "#E69F00", "#56B4E9", INK]


def use_style():
    """Give all pictures that pyplot makes from here on minigan's look: for scripts, notebooks and lessons."""
    import matplotlib.pyplot as plt

    plt.style.use(["default", STYLE])
    plt.rc("axes", prop_cycle=plt.cycler(color=CYCLE))
    plt.rc("figure", figsize=(6.4, 3.8))
    plt.rc("figure.constrained_layout", use=True)
    plt.rc("text", parse_math=True)  # the labels of a logarithmic axis are formulas


def in_style():
    """Return a context in which minigan's style holds, whatever the user has set."""
    return matplotlib.style.context(["default", STYLE])


class StyledFigure(Figure):
    """A matplotlib ``Figure`` that is drawn in minigan's style and that a notebook shows without pyplot."""

    def draw(self, renderer):
        # Ticks and texts look up rcParams when they are drawn, not only when they are made.
        with in_style():
            super().draw(renderer)

    def _repr_png_(self):
        return png_bytes(self, dpi=120)


def styled(function):
    """Run a plotting function under minigan's style, and leave the user's ``rcParams`` as they were."""

    @wraps(function)
    def wrapper(*args, **kwargs):
        with in_style():
            return function(*args, **kwargs)

    return wrapper


def new_figure(width=WIDTH, height=3.4):
    """Make an empty figure, in inches."""
    fig = StyledFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(fig)
    return fig


def legend_above(ax, columns=4):
    """Put the legend between title and axes, where it hides no data."""
    ax.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=columns, borderaxespad=0.2)


def png_bytes(fig, dpi=160, colours=None):
    """Return a figure as the bytes of a PNG file; with a palette of so many `colours`, a third of the bytes."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=dpi)
    if colours is None:
        return buffer.getvalue()
    from PIL import Image  # comes with matplotlib

    small = io.BytesIO()
    picture = Image.open(buffer).convert("RGB").quantize(colours, dither=Image.Dither.NONE)
    picture.save(small, format="png", optimize=True)
    return small.getvalue()
