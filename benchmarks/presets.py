"""How well and how fast the presets on the line train, over seeds.

The measure is W1, the Wasserstein distance between 10,000 generated and 10,000 real samples, averaged over 10 such
pairs, over its floor: the same between two real sets. 1 is perfect.
"""

from dataclasses import replace
from statistics import mean

from benchmarks.tables import seconds, table
from minigan import metrics
from minigan.training import presets

NAMES = ("mixture1d", "gaussian")


def measure(name, seed):
    """Train one preset; return (W1 / floor, seconds of training)."""
    options = replace(presets.config(name), seed=seed)
    data, gan = presets.dataset(options), presets.build(options)
    took = seconds(lambda: gan.fit(data, progress=False))
    w1, floor = metrics.wasserstein1_over_floor(gan.sample, data.sample)
    return w1 / floor, took


def run(options):
    """Print a line for each seed, then mean and worst."""
    seeds = range(options.seeds or (2 if options.quick else 10))
    results = {}
    for name in NAMES:
        for seed in seeds:
            results[name, seed] = measure(name, seed)
            print(f"{name}, seed {seed}: W1/floor {results[name, seed][0]:.2f}, {results[name, seed][1]:.1f} s")
    rows = []
    for name in NAMES:
        ratios, times = zip(*(results[name, seed] for seed in seeds), strict=True)
        rows.append([name, *(f"{f(xs):.{digits}f}" for xs, digits in ((ratios, 2), (times, 1)) for f in (mean, max))])
    print("\n" + table(["preset", "W1/floor mean", "worst", "seconds mean", "worst"], rows))
