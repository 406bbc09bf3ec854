"""Pictures of a run over its training steps, from the records of ``metrics.jsonl``."""

import numpy as np
from matplotlib.ticker import EngFormatter, MaxNLocator, StrMethodFormatter

from minigan.errors import ConfigError, DataError
from minigan.plots.style import DISCRIMINATOR, FAKE, INK, REAL, legend_above, new_figure, styled


@styled
def history(records, series, *, ylabel, title=None, references=None, smooth=0.04, limits=None):
    """Draw quantities over the training steps: each value thin and pale, and their moving mean.

    Parameters
    ----------
    records : sequence of dict
        One dict per logged step, as read from ``metrics.jsonl``; ``step`` and the keys of `series` are used.
        A record that lacks a key is skipped for that curve; None and non-finite values leave a gap.
    series : dict of str to (label, colour)
        The keys to draw.
    ylabel : str
        Name and unit of the quantity.
    title : str, optional
        Heading.
    references : dict of str to float, optional
        Horizontal dashed lines, by label: what theory expects, say.
    smooth : float
        Width of the moving mean as a fraction of the number of records, in [0, 1); 0 smooths nothing.
    limits : (float, float), optional
        Range of the vertical axis. By default the axis follows the curves and ignores the most extreme 0.5 % of the
        values on either side; the axis label says how many points it does not show.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If a key has no record with a finite value.
    ConfigError
        If `smooth` is not in [0, 1).
    """
    if not 0 <= smooth < 1:
        raise ConfigError(f"smooth is {smooth}, expected a fraction of the records in [0, 1), such as 0.04")
    fig = new_figure()
    ax = fig.subplots()
    raw, shown = [], []  # every value, and what the axis must follow
    for key, (label, colour) in series.items():
        steps, values = _series(records, key)
        window = round(smooth * len(values)) | 1  # odd, so that the mean does not lag
        mean = moving_mean(moving_mean(values, window), window)  # twice: rounds off the corners of the first
        ax.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
        # A single record, or one between two gaps, has no line to be seen by.
        ax.plot(steps, mean, color=colour, label=label, marker="o" if len(values) == 1 else None)
        raw.append(values)
        shown += [values, mean]
    highest = max((references or {}).values(), default=None)
    for label, value in (references or {}).items():
        ax.axhline(value, color=INK, linestyle="--", linewidth=1.1)
        beside = "center" if len(references) == 1 else "bottom" if value == highest else "top"  # two may be close
        ax.text(1.01, value, label, transform=ax.get_yaxis_transform(), va=beside, fontsize=10)
        shown.append(np.array([value]))
    ax.set_ylim(limits or _robust_limits(shown))
    _label_steps(ax, _hidden(ax, raw))
    ax.set_ylabel(ylabel)
    ax.set_title(title or "", pad=26)
    legend_above(ax)
    return fig


def losses(records, *, references=None, smooth=0.04):
    """Draw the losses of discriminator and generator over the training steps.

    Falling is not the aim: both players move, and a GAN that learns keeps both losses near those of its
    equilibrium. For the minimax and the non-saturating loss on logits that is ``2 log 2`` for the discriminator
    (``D(x) = D(G(z)) = 1/2``) and ``log 2`` for a non-saturating generator.

    Parameters
    ----------
    records : sequence of dict
        Records with ``step``, ``d_loss``, ``g_loss``.
    references : dict of str to float, optional
        Horizontal lines by label, such as ``{"equilibrium 2 log 2": 2 * np.log(2)}``.
    smooth : float
        Width of the moving mean as a fraction of the records.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If the records hold no finite loss.
    """
    series = {"d_loss": ("discriminator", DISCRIMINATOR), "g_loss": ("generator", FAKE)}
    return history(records, series, ylabel="loss (batch mean)", title="Losses", references=references, smooth=smooth)


def scores(records, *, smooth=0.04):
    """Draw what the discriminator believes of real and of generated samples over the training steps.

    A score is the batch mean of ``sigmoid(logit)``: 1 is taken for real, 0 is taken for generated. Both curves at
    1/2 say that the discriminator cannot tell; both curves far apart say that it wins.

    Parameters
    ----------
    records : sequence of dict
        Records with ``step``, ``d_real`` (mean of D(x)), ``d_fake`` (mean of D(G(z))), both in [0, 1].
    smooth : float
        Width of the moving mean as a fraction of the records.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If the records hold no finite score.
    """
    series = {"d_real": ("D(x), real", REAL), "d_fake": ("D(G(z)), generated", FAKE)}
    return history(
        records,
        series,
        ylabel="mean score, 0 to 1",
        title="What the discriminator believes",
        references={"cannot tell": 0.5},
        smooth=smooth,
        limits=(-0.02, 1.02),
    )


def moving_mean(values, window):
    """Return the mean over a centred window of `values` (N,), shorter at the ends; NaN values are left out."""
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    count = np.concatenate([[0], np.cumsum(known)])
    start = np.clip(np.arange(len(values)) - window // 2, 0, None)
    stop = np.clip(np.arange(len(values)) + (window + 1) // 2, None, len(values))
    n = count[stop] - count[start]
    return np.where(n > 0, (total[stop] - total[start]) / np.maximum(n, 1), np.nan)


def _series(records, key):
    """Return steps and values (N,) of one key, NaN where the value is None or not finite."""
    pairs = [(record["step"], record[key]) for record in records if "step" in record and key in record]
    if not pairs:
        raise DataError(f"none of the {len(records)} records has a step and {key!r}: was anything trained and logged?")
    steps, values = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    values[~np.isfinite(values)] = np.nan
    if np.isnan(values).all():
        raise DataError(f"{key!r} is not finite in any of the {len(pairs)} records: the run diverged at once")
    return steps, values


def _robust_limits(shown):
    """Return limits that show every smoothed curve and all but the wildest raw values."""
    low, high = [], []
    for values in shown:
        values = values[np.isfinite(values)]
        low.append(np.quantile(values, 0.005))
        high.append(np.quantile(values, 0.995))
    margin = 0.06 * (max(high) - min(low)) or 0.5
    return min(low) - margin, max(high) + margin


def _hidden(ax, raw):
    """Count the values that lie above or below the axes."""
    low, high = ax.get_ylim()
    return sum(int(np.sum((values < low) | (values > high))) for values in raw)


def _label_steps(ax, hidden):
    note = f"   ({hidden:,} extreme value{'s' * (hidden > 1)} not shown)" if hidden else ""
    ax.set_xlabel("training step" + note)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    many = ax.dataLim.x1 >= 1e5
    ax.xaxis.set_major_formatter(EngFormatter(sep="") if many else StrMethodFormatter("{x:,.0f}"))
    ax.margins(x=0.01)
