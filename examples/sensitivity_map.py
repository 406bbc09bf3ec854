"""How sensitive is a GAN to its learning rate and batch size? The preset `ring`, trained over a grid of both, as a map.

Each cell is a run of its own, and its result is written to a file at once: stop this with Ctrl-C, or pull the plug, and
the next call trains the missing cells only. `--plain` maps the same networks under the non-saturating loss alone.
It needs joblib: pip install -e ".[examples]"

    python examples/sensitivity_map.py --jobs 2
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import minigan as mg
from minigan.files import write_bytes
from minigan.training import presets

RING = presets.config("ring")
RATES = [RING.lr_g * factor for factor in (0.03, 0.1, 0.3, 1, 3, 10, 30)]  # of G; D's is three times that
BATCHES = [16, 64, 256, 1024]
PLAIN = {"loss": "non_saturating", "r1": 0.0, "r2": 0.0, "ema": 0.0}  # no penalty, no average


def train(config):
    """Train one cell; return a dict of what its samples are worth (means of 10 draws of 2,500)."""
    data = presets.dataset(config)
    try:
        gan = presets.build(config).fit(data, progress=False)
    except mg.errors.TrainingDiverged:
        return {"diverged": True, "modes": 0.0, "high_quality": 0.0}
    draws = [mg.metrics.mixture_quality(gan.sample(2500, seed), data.means, data.stds[0]) for seed in range(10)]
    modes, high_quality, *_ = np.mean(draws, axis=0)
    return {"diverged": False, "modes": float(modes), "high_quality": float(high_quality)}


def train_and_keep(config, file):
    """Train one cell and write the result to `file`: complete, or not at all."""
    write_bytes(file, json.dumps(train(config)))


def cells(folder, base, rates, batches):
    """Return a dict from (rate, batch) to the cell's options and its file, whose name tells them."""
    return {
        (rate, batch): (
            replace(base, lr_g=rate, lr_d=3 * rate, batch_size=batch),
            folder / f"{base.loss}-{base.steps}-steps-seed-{base.seed}-rate-{rate:.1e}-batch-{batch}.json",
        )
        for rate in rates
        for batch in batches
    }


def run(grid, jobs):
    """Train the cells that have no file yet, `jobs` of them at a time, each on one thread."""
    missing = [cell for cell in grid.values() if not cell[1].exists()]
    bar = tqdm(total=len(grid), initial=len(grid) - len(missing), unit="cell")
    with bar, joblib.parallel_config("loky", n_jobs=jobs, inner_max_num_threads=1):
        tasks = (joblib.delayed(train_and_keep)(*cell) for cell in missing)
        for _ in joblib.Parallel(return_as="generator_unordered")(tasks):
            bar.update()


def draw(results, rates, batches, title):
    """Draw modes and share of high quality as two maps. The frame is the preset's own setting."""
    mg.plots.use_style()
    fig, axes = plt.subplots(1, 2, figsize=(9.6, 3.9), sharey=True)
    panels = {
        "modes": (1, "modes captured, of 8", 8, "{:.1f}"),
        "high_quality": (100, "high-quality samples (HQ), in %", 100, "{:.0f}"),
    }
    for ax, (name, (unit, label, top, form)) in zip(axes, panels.items(), strict=True):
        values = unit * np.array([[results[rate, batch][name] for rate in rates] for batch in batches])
        picture = ax.imshow(values, cmap="cividis", vmin=0, vmax=top, origin="lower", aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            diverged = results[rates[column], batches[row]]["diverged"]
            colour = "white" if value < 0.55 * top else "black"
            ax.text(column, row, "nan" if diverged else form.format(value), ha="center", va="center", color=colour)
        if RING.lr_g in rates and RING.batch_size in batches:
            corner = rates.index(RING.lr_g) - 0.5, batches.index(RING.batch_size) - 0.5
            ax.add_patch(plt.Rectangle(corner, 1, 1, fill=False, edgecolor="#D55E00", linewidth=3))
        ax.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        ax.set_yticks(range(len(batches)), batches)
        ax.grid(False)
        ax.set(xlabel="learning rate of G (of D: 3 times that)", title=label)
        fig.colorbar(picture, ax=ax, pad=0.02).outline.set_visible(False)
    axes[0].set_ylabel("batch size, in samples")
    fig.suptitle(f"{title}. Framed: the preset's own setting; nan: diverged", fontsize=11)
    return fig


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=-1, help="cells at a time (default: as many as there are cores)")
    parser.add_argument("--steps", type=int, default=RING.steps, help=f"training steps (default: {RING.steps})")
    parser.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    parser.add_argument("--plain", action="store_true", help="the non-saturating loss without penalty and average")
    parser.add_argument("--quick", action="store_true", help="four cells of 20 steps: a look, not a measurement")
    parser.add_argument("--out", type=Path, default=Path("runs/sensitivity"), help="folder (default: runs/sensitivity)")
    given = parser.parse_args(argv)
    rates, batches = (RATES[3:5], BATCHES[:2]) if given.quick else (RATES, BATCHES)
    base = replace(RING, steps=20 if given.quick else given.steps, seed=given.seed, **(PLAIN if given.plain else {}))
    given.out.mkdir(parents=True, exist_ok=True)
    grid = cells(given.out, base, rates, batches)
    try:
        run(grid, given.jobs)
    except KeyboardInterrupt:
        raise SystemExit("stopped; what is finished is kept, and the same command goes on from here")
    results = {key: json.loads(file.read_text()) for key, (_, file) in grid.items()}
    good = [key for key, result in results.items() if result["modes"] == 8 and result["high_quality"] >= 0.9]
    picture = given.out / f"{base.loss}.png"
    draw(results, rates, batches, f"ring, {base.loss.replace('_', '-')} loss, {base.steps:,} steps").savefig(picture)
    print(
        f"all 8 modes and 90 % of the samples within 3 standard deviations of one: {len(good)} of {len(grid)} settings"
    )
    print(f"picture: {picture}")


if __name__ == "__main__":
    main()
