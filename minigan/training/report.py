"""The report of a run: pictures of what happened, and a paragraph that says it in words."""

import dataclasses

import numpy as np
from scipy.special import ndtri

from minigan import plots, random
from minigan.files import write_bytes
from minigan.plots import Picture
from minigan.plots.style import png_bytes
from minigan.progress import progress_bar
from minigan.training import presets
from minigan.training.diagnosis import diagnose
from minigan.training.evaluation import copies, is_quick, kept, quality
from minigan.training.gan import GAN, as_dataset
from minigan.training.interpret import interpolation, score_gradient, traversal
from minigan.training.run import RunFolder, naming, writing_to
from minigan.training.symptoms import symptoms_of
from minigan.training.words import describe

SHOWN = 5000  # samples in a picture of densities


def write_report(run, *, gan=None, data=None):
    """Make the pictures and report.html of a run.

    Parameters
    ----------
    run : path-like
        The run folder.
    gan, data : GAN and dataset or array, optional
        By default they are rebuilt from the folder; needed where the networks are your own.

    Returns
    -------
    pathlib.Path
        The page.
    """
    return make_report(run, gan=gan, data=data)[0]


def make_report(run, *, gan=None, data=None):
    """Do what `write_report` does; return the page's path and the Diagnosis."""
    run = RunFolder(run)
    with naming(run):
        gan = GAN.load(run.path) if gan is None else gan
        data = presets.dataset(gan.config) if data is None else as_dataset(data)
    snapshots = [pair for pair in run.snapshots() if pair[0] <= gan.step and _is_usable(pair[1], data)]
    symptoms = symptoms_of(gan, data, snapshots, run.divergence())
    diagnosis = diagnose(symptoms)
    # What takes minutes is not measured here: `minigan evaluate` keeps it for the report.
    measures = kept(run, gan) or ((quality(gan, data) if is_quick(data) else {}) | copies(symptoms.memorisation))
    with writing_to(run):
        figures = [_keep(run, name, *rest) for name, *rest in _figures(gan, data)]
        page = run.path / "report.html"
        plots.render_report(
            page,
            title=f"{gan.config.preset}: {gan.step:,} steps",
            words=describe(gan, data, measures, diagnosis),
            facts=dataclasses.asdict(gan.config),
            figures=figures,
            metrics_table=[{"measure": name, "value": value} for name, value in measures.items()],
            animation=_animation(run, data, snapshots) if len(snapshots) > 1 and _kind(data) in FRAMES else None,
        )
    return page, diagnosis


def _kind(data):
    """Return how samples are drawn: line, plane, sequences or images; None where there is no picture for them."""
    if len(data.shape) == 2:
        return "sequences"
    if len(data.shape) == 3 and data.shape[0] == 1:
        return "images"
    return {(1,): "line", (2,): "plane"}.get(data.shape)


def _is_usable(snapshot, data):
    return (
        snapshot.shape[1:] == data.shape
        and len(snapshot)
        and snapshot.dtype == np.float32
        and np.isfinite(snapshot).all()
    )


def _keep(run, name, figure, caption, alt, photo=False):
    """Save a figure as a PNG in the run folder and return it for the page."""
    path = run.path / f"{name}.png"
    write_bytes(path, png_bytes(figure))
    return Picture(path, caption, alt, photo)


def _figures(gan, data):
    """Yield (file name, figure, caption, alternative text) of every picture, the most telling first."""
    if kind := _kind(data):
        yield from {"line": _line, "plane": _plane, "sequences": _sequences, "images": _images}[kind](gan, data)
    if gan.history:
        d, g = gan.loss.equilibrium
        references = {f"D {d:.2f}": d, f"G {g:.2f}": g} if d != g else {f"both {d:.2f}": d}
        yield (
            "losses",
            plots.losses(gan.history, references=references),
            "Losses of both players. Falling is not the aim: where the two networks balance, both stay near the "
            "dashed lines, the values at which generated and real samples are alike.",
            "Losses of discriminator and generator over the training steps.",
        )
        yield (
            "scores",
            plots.scores(gan.history),
            "Mean score of real and of generated samples. Apart: the discriminator tells them; together: it cannot."
            + (" This loss compares pairs, so only the distance of the curves counts." if gan.loss.paired else ""),
            "Mean discriminator scores of real and generated samples over the training steps.",
        )


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
    yield (
        "walks",
        plots.plane_walks(real, interpolation(gan, walks=8, steps=40)),
        "Walks through the noise from one sample to another. A generator that has learnt the gaps between modes "
        "crosses them in one jump; points in a row there are samples that the data does not have.",
        "Paths of generated points over the real ones.",
    )


def _sequences(gan, data):
    yield (
        "samples",
        plots.sequences(data.sample(12, 0), gan.sample(12, 0)),
        "Real and generated sequences, the first channels, over time.",
        "Lines of real sequences on the left and of generated ones on the right.",
    )


def _images(gan, data):
    grey = _to_grey(data)
    yield (
        "samples",
        plots.image_grid(grey(gan.sample(64, 0)), title="Generated"),
        "Generated images, from noise that no training step has seen.",
        "A grid of 64 generated images.",
        True,
    )
    yield (
        "real",
        plots.image_grid(grey(data.sample(64, 0)), title="Real"),
        "Real images, for comparison.",
        "A grid of 64 real images.",
        True,
    )
    yield from _insights(gan, data, grey)


def _insights(gan, data, grey):
    """Yield the pictures that look into both networks."""
    yield (
        "walks",
        plots.image_walks(grey(interpolation(gan)), title="From sample to sample"),
        "Each row is a walk through the noise from one sample to another, along the arc between the two. Smooth "
        "changes say that the generator has learnt more than single images.",
        "Rows of generated images that change step by step.",
        True,
    )
    if gan.latent.draw(random.default_rng(0), 1).ndim == 2:
        entries, walks = traversal(gan)
        yield (
            "traversal",
            plots.image_walks(grey(walks), labels=[f"z{entry}" for entry in entries], title="Along one entry of noise"),
            "One entry of the noise goes from -2.5 to 2.5 standard deviations, the others stay; the entries that "
            "change the image most.",
            "Rows of generated images, each along one entry of the noise.",
            True,
        )
    x = np.concatenate([data.sample(4, 0), gan.sample(4, 0)])
    yield (
        "saliency",
        plots.saliency(grey(x), score_gradient(gan, x), scores=gan.score(x), title="What the discriminator looks at"),
        "Four real and four generated images with their logits, and the derivative of the logit for every pixel: blue "
        "where more white would look more real, red where less would.",
        "Images above, signed gradient maps below.",
        True,
    )


def _to_grey(data):
    """Return a function from images to grey values in [0, 1], also where the data's own range is wider."""
    some = data.sample(1000, 0)
    low, high = min(0.0, some.min()), max(1.0, some.max())
    return lambda images: ((images - low) / (high - low)).clip(0, 1)


def _animation(run, data, snapshots):
    frames = FRAMES[_kind(data)](data, snapshots)
    path = run.path / "training.gif"
    plots.animate(progress_bar(frames, desc="animation", total=len(snapshots), unit="frame"), path, colours=64)
    first, last = snapshots[0][0], snapshots[-1][0]
    return Picture(
        path,
        f"Samples from one fixed noise, from step {first:,} to step {last:,}.",
        "Animation of generated samples over the training steps.",
        photo=_kind(data) == "images",
    )


def _line_frames(data, snapshots):
    return plots.density_frames(snapshots, data.sample(SHOWN, 0), density=_density(data))


def _plane_frames(data, snapshots):
    return plots.plane_frames(snapshots, data.sample(2000, 0))


def _image_frames(data, snapshots):
    grey = _to_grey(data)
    return plots.image_frames((step, grey(images[:36])) for step, images in snapshots)


FRAMES = {"line": _line_frames, "plane": _plane_frames, "images": _image_frames}
