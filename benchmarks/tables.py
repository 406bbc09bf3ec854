"""Tables of text, and how long a call takes."""

import time


def table(header, rows):
    """Return lines of aligned columns: the first to the left, all others, the numbers, to the right.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str, each as long as `header`

    Raises
    ------
    ValueError
        If a row has another length.
    """
    cells = [list(header), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    )


def duration(seconds):
    """Return a time with three digits in its natural unit: 60.0 us, 3.12 ms, 1.50 s."""
    for unit, scale in (("us", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * scale:
            return f"{seconds / scale:#.3g} {unit}".replace(". ", " ")
    return f"{seconds:.2f} s"


def seconds(call):
    """Return how long `call()` takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleave(contestants, rounds):
    """Measure A B A B ..., so that whatever the machine does besides hits all alike.

    Parameters
    ----------
    contestants : dict from a name to a callable that measures once and returns seconds
    rounds : int

    Returns
    -------
    dict from a name to its list of seconds, one per round
    """
    times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            times[name].append(measure())
    return times
