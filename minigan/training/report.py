"""The report of a run: pictures of what happened, and a paragraph that says it in words."""

import dataclasses
from functools import partial

import numpy as np
from scipy.special import ndtri

from minigan import plots
from minigan.files import write_bytes
from minigan.plots import Picture
from minigan.plots.style import png_bytes
from minigan.training import presets
from minigan.training.evaluation import evaluate, is_measured
from minigan.training.gan import GAN
from minigan.training.run import RunFolder, writing_to
from minigan.training.words import describe

SHOWN = 5000  # samples in a picture of densities


def write_report(run, *, gan=None, data=None):
    """Make the pictures and report.html of a run.

    Parameters
    ----------
    run : path-like
        The run folder.
    gan, data : GAN and dataset, optional
        By default they are rebuilt from the folder; needed where the networks are your own.

    Returns
    -------
    pathlib.Path
        The page.
    """
    run = RunFolder(run)
    gan = gan or GAN.load(run.path)
    data = data or presets.dataset(gan.config)
    history, snapshots = run.metrics(), run.snapshots()
    measures = evaluate(gan, data) if is_measured(data) else {}
    with writing_to(run):
        figures = [_keep(run, name, *rest) for name, *rest in _figures(gan, data, history)]
        page = run.path / "report.html"
        plots.render_report(
            page,
            title=f"{gan.config.preset}: {gan.step:,} steps",
            words=describe(history, measures, gan, data),
            facts=dataclasses.asdict(gan.config),
            figures=figures,
            metrics_table=[{"measure": name, "value": value} for name, value in measures.items()],
            animation=_animation(run, data, snapshots) if len(snapshots) > 1 else None,
        )
    return page


def _keep(run, name, figure, caption, alt, photo=False):
    """Save a figure as a PNG in the run folder and return it for the page."""
    path = run.path / f"{name}.png"
    write_bytes(path, png_bytes(figure))
    return Picture(path, caption, alt, photo)


def _figures(gan, data, history):
    """Yield (file name, figure, caption, alternative text) of every picture, the most telling first."""
    yield from {1: _line, 2: _plane}.get(_plotted_axes(data), _images)(gan, data)
    if history:
        d, g = gan.loss.equilibrium
        references = {f"D at equilibrium {d:.2f}": d} | ({f"G at equilibrium {g:.2f}": g} if g != d else {})
        yield (
            "losses",
            plots.losses(history, references=references),
            "Losses of both players. Falling is not the aim: where the two networks balance, both stay near the "
            "dashed lines, the values at which generated and real samples are alike.",
            "Losses of discriminator and generator over the training steps.",
        )
        yield (
            "scores",
            plots.scores(history),
            "Mean score of real and of generated samples. Apart: the discriminator tells them; together: it cannot."
            + (" This loss compares pairs, so only the distance of the curves counts." if gan.loss.paired else ""),
            "Mean discriminator scores of real and generated samples over the training steps.",
        )


def _plotted_axes(data):
    return data.shape[0] if len(data.shape) == 1 else None


def _judge(gan, real):
    """Return D's logit as a function of x; a loss on pairs fixes it up to a constant only, so there it is centred."""
    offset = gan.score(real).mean() if gan.loss.paired else 0.0
    return lambda x: gan.score(np.asarray(x, np.float32)) - offset


def _density(data):
    return (lambda x: data.density(np.asarray(x)[:, None])) if hasattr(data, "density") else None


def _line(gan, data):
    real, fake = data.sample(SHOWN, 0), gan.sample(SHOWN, 0)
    yield (
        "samples",
        plots.density1d(real, fake, discriminator=_judge(gan, real), density=_density(data)),
        "Densities of real and generated samples over x, and D(x): near one half where the two agree.",
        "Histograms of real and generated samples over x, with the discriminator's score below.",
    )
    if gan.latent.normals == 1:
        z, x = _map(gan)
        yield (
            "map",
            plots.generator_map(z, x),
            "The generator as a function from noise z to sample x"
            + (", one curve for each of some settings of the random signs." if gan.latent.signs else "."),
            "Curves of the generator's output x over its noise z.",
        )


def _map(gan, curves=24, points=400):
    """Return z (M,), quantiles of the normal, and G(z) (K, M): a curve for each of K settings of the signs."""
    z = ndtri((np.arange(points) + 0.5) / points).astype(np.float32)
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(curves if gan.latent.signs else 1):
        signs = np.repeat(rng.choice([-1.0, 1.0], (1, gan.latent.signs)).astype(np.float32), points, axis=0)
        rows.append(gan.decode(np.concatenate([z[:, None], signs], axis=1))[:, 0])
    return z, np.array(rows)


def _plane(gan, data):
    real, fake = data.sample(2000, 0), gan.sample(2000, 0)
    yield (
        "samples",
        plots.plane(real, fake, discriminator=_judge(gan, real)),
        "Real and generated points over the discriminator's score; the arrows show where its gradient pushes.",
        "Scatter plot of real and generated points over a heat map of the discriminator.",
    )


def _images(gan, data):
    yield (
        "samples",
        plots.image_grid(gan.sample(64, 0).clip(0, 1), title="Generated"),
        "Generated images, from noise that no training step has seen.",
        "A grid of 64 generated images.",
        True,
    )
    yield (
        "real",
        plots.image_grid(data.sample(64, 0), title="Real"),
        "Real images, for comparison.",
        "A grid of 64 real images.",
        True,
    )


def _animation(run, data, snapshots):
    frames = {1: partial(_line_frames, data), 2: _plane_frames(data)}.get(_plotted_axes(data), _image_frames)
    path = run.path / "training.gif"
    plots.animate(frames(snapshots), path, colours=64, progress=True, total=len(snapshots))
    last = snapshots[-1][0]
    return Picture(
        path,
        f"Samples from one fixed noise, from step 0 to step {last:,}.",
        "Animation of generated samples over the training steps.",
        photo=_plotted_axes(data) not in (1, 2),
    )


def _line_frames(data, snapshots):
    return plots.density_frames(snapshots, data.sample(SHOWN, 0), density=_density(data))


def _plane_frames(data):
    return lambda snapshots: plots.plane_frames(snapshots, data.sample(2000, 0))


def _image_frames(snapshots):
    return plots.image_frames(((step, images[:36].clip(0, 1)) for step, images in snapshots))
