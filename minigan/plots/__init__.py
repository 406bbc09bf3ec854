"""Every picture of minigan, returned as a matplotlib ``Figure``: show it in a notebook, or call ``savefig``.

The functions take arrays, records and plain callables, and know neither networks nor the trainer. Nothing global
is touched: no pyplot, and the user's ``rcParams`` stay as they are, unless `use_style` is called. Names are imported
when first used, because matplotlib takes a third of a second to load.
"""

from importlib import import_module as _import_module

_HOMES = {
    "curves": "history losses scores",
    "density": "density1d generator_map",
    "heatmap": "plane",
    "images": "image_grid",
    "animation": "animate density_frames plane_frames image_frames",
    "walks": "image_walks plane_walks",
    "gradients": "saliency",
    "waves": "sequences",
    "graph": "draw",
    "report": "Picture render_report",
    "style": "use_style",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"module 'minigan.plots' has no attribute {name!r}")
    value = getattr(_import_module(f"minigan.plots.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__
