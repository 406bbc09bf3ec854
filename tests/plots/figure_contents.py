"""Eyes for a few things that a figure holds."""


def labels_of(ax):
    """Return the texts of an axes' legend."""
    return [text.get_text() for text in ax.get_legend().get_texts()]


def line(ax, label):
    """Return x and y of the line with a label."""
    return next(drawn for drawn in ax.get_lines() if drawn.get_label() == label).get_data()
