"""How well and how fast the presets train, over seeds: each run is measured as `minigan evaluate` does.

By default those that take seconds; `--presets sines` takes some ten minutes a seed, most of it for the judges, and
those of images (`glyphs,mnist,...`) as long as their ten minutes of training allow.
"""

from dataclasses import replace
from statistics import mean

from benchmarks.tables import seconds, table
from minigan.training import evaluation, presets

QUICK = ("gaussian", "mixture1d", "ring", "grid")
JUDGES = 10  # of the published protocol
LEFT_OUT = ("(floor)", "W1 (", "judges", "accuracy of the classifier")
HIGH_IS_GOOD = ("modes", "high-quality", "precision", "recall", "density", "coverage", "classifier score", "classes of")


def measure(name, seed, latent=None):
    """Train one preset; return what it reached, a dict from a name to a number, with its seconds of training."""
    options = presets.config(name)
    options = replace(options, seed=seed, latent=latent or options.latent)
    data, gan = presets.dataset(options), presets.build(options)
    took = seconds(lambda: gan.fit(data, progress=False))
    found = evaluation.quality(gan, data, judges=JUDGES)
    return {k: v for k, v in found.items() if not any(part in k for part in LEFT_OUT)} | {"seconds of training": took}


def worst(name, values):
    """Return the worst of some seeds' values of a measure; of a width, which is best at 1, the farthest from it."""
    if name.startswith("width"):
        return max(values, key=lambda value: abs(value - 1))
    return min(values) if name.startswith(HIGH_IS_GOOD) else max(values)


def run(options):
    """Print a line for each run, then a table of means and worst cases."""
    names = options.presets or QUICK
    seeds = range(options.seeds or (2 if options.quick else 10))
    rows = []
    for name in names:
        results = []
        for seed in seeds:
            results.append(measure(name, seed, options.latent))
            print(f"{name}, seed {seed}:", ", ".join(f"{k} {v:.3g}" for k, v in results[-1].items()), flush=True)
        for k in results[0]:
            values = [result[k] for result in results]
            rows.append([f"{name}: {k}", f"{mean(values):.4g}", f"{worst(k, values):.4g}"])
    print("\n" + table([f"over {len(seeds)} seeds", "mean", "worst"], rows))
