"""A variational autoencoder (VAE) and an autoencoder beside the GAN, on the plane and on images.

What do they reconstruct, and what comes out when one decodes noise? The two coders have the same networks and differ in
one term of their objective; the GANs are minigan's presets `ring` and `glyphs`. See lesson 17 for the why.

    python examples/vae_and_autoencoder.py
"""

import argparse
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from tqdm import tqdm

import minigan as mg
from minigan.training import presets


@dataclass(frozen=True)
class Task:
    """What is learnt, and by which coders."""

    data: object  # a data set of `mg.data`
    scale: float  # the coders see x / scale
    sizes: tuple[int, ...]  # of the encoder from x to the code; the decoder has them backwards
    tau: float  # standard deviation of the VAE's noise around G(z), in what the coders see


def tasks():
    ring, glyphs = mg.data.ring(), mg.data.glyphs()
    return {
        "ring": Task(ring, ring.std, (2, 64, 64, 64, 2), tau=0.15),
        "glyphs": Task(glyphs, 1.0, (784, 128, 128, 16), tau=0.2),
    }


def network(sizes, rng, *output):
    layers = [layer for i, o in pairwise(sizes) for layer in (mg.nn.Dense(i, o, rng=rng), mg.nn.LeakyReLU())]
    return mg.nn.Sequential(mg.nn.Flatten(), *layers[:-1], *output)


def kl_to_normal(mean, log_variance):
    """Return the Kullback-Leibler divergence of the codes' distributions to a standard normal, in nats: a mean over N.

    KL(N(m, s^2) || N(0, 1)) = E[log N(z; m, s^2) - log N(z; 0, 1)] = (m^2 + s^2 - log s^2 - 1) / 2, summed over the K
    entries of the code. Its derivatives are m and (s^2 - 1) / 2 by log s^2: zero at m = 0, s = 1 only.

    mean, log_variance : (N, K), m and log s^2 (Kingma & Welling, 2014, appendix B)
    """
    return 0.5 * (mean * mean + mg.exp(log_variance) - log_variance - 1).sum(axis=1).mean()


def drawn(mean, log_variance, rng):
    """Draw codes z (N, K) from N(m, s^2) such that the gradient passes the draw: the reparametrisation trick.

    z = m + s e with e from N(0, 1), so dz/dm = 1 and dz/ds = e. Drawn from N(m, s^2) directly, z would be a number
    without any derivative by m and s (Kingma & Welling, 2014, section 2.4).
    """
    return mean + mg.exp(0.5 * log_variance) * rng.normal(mean.shape)


class Coder:
    """An encoder E and a decoder G.

    The autoencoder minimises |x - G(E(x))|^2 / (2 tau^2), the VAE the negative ELBO

        -ELBO = E[ |x - G(z)|^2 / (2 tau^2) ] + KL(q(z|x) || N(0, I)) + const,    z from q(z|x) = N(m(x), s(x)^2),

    where const = F/2 log(2 pi tau^2) for x of F entries. log p(x) >= ELBO for the model "draw z from N(0, I), then x
    from N(G(z), tau^2)" (Kingma & Welling, 2014, equation 3). Divided by tau, the autoencoder's objective has the same
    unit, so that the two differ in the draw and in the KL alone.
    """

    def __init__(self, task, variational, seed=0):
        self.task, self.variational = task, variational
        self.codes = task.sizes[-1]
        self.rng = mg.random.default_rng(seed)
        images = [mg.nn.Sigmoid(), mg.nn.Reshape(*task.data.shape)] if len(task.data.shape) == 3 else []
        self.encoder = network((*task.sizes[:-1], 2 * self.codes), self.rng)
        self.decoder = network(task.sizes[::-1], self.rng, *images)
        self.adam = mg.optim.Adam([*self.encoder.parameters(), *self.decoder.parameters()], lr=1e-3)

    def encode(self, x):
        """Map x (N, ...) to means and log variances of the codes, (N, K) each. The autoencoder uses the first only."""
        code = self.encoder(x)
        return code[:, : self.codes], code[:, self.codes :]

    def step(self, x):
        """Take one step of Adam on a batch; return both terms of the objective."""
        mean, log_variance = self.encode(x)
        z = drawn(mean, log_variance, self.rng) if self.variational else mean
        error = ((self.decoder(z) - x) ** 2).sum(axis=tuple(range(1, x.ndim))).mean() / (2 * self.task.tau**2)
        kl = kl_to_normal(mean, log_variance)
        self.adam.zero_grad()
        (error + kl if self.variational else error).backward()
        self.adam.step()
        return error, kl

    def fit(self, steps, batch=128, seed=1):
        """Train; the rate falls to 0 along half a cosine."""
        step = mg.compile(self.step) if steps >= 500 else self.step  # compiling takes as long as some hundred steps
        draws = np.random.default_rng(seed)
        for i in tqdm(range(steps), desc="VAE" if self.variational else "autoencoder", unit="step", leave=False):
            self.adam.lr = 1e-3 * 0.5 * (1 + np.cos(np.pi * i / steps))
            step(mg.tensor(self.task.data.sample(batch, draws) / np.float32(self.task.scale)))
        return self

    def reconstruct(self, x):
        """Return G(m(x)), the reconstruction from the middle of the code's distribution, in the data's units."""
        with mg.no_grad():
            mean, _ = self.encode(mg.tensor(x / np.float32(self.task.scale)))
            return self.decoder(mean).numpy() * self.task.scale

    def spread_of_codes(self, x):
        """Return how far codes of x lie apart: the standard deviation of their means, and the KL, both numbers."""
        with mg.no_grad():
            mean, log_variance = self.encode(mg.tensor(x / np.float32(self.task.scale)))
            return mean.numpy().std(), kl_to_normal(mean, log_variance).item()

    def sample(self, n, seed=0):
        """Decode codes drawn from a standard normal: (n, ...)."""
        with mg.no_grad():
            return self.decoder(mg.random.default_rng(seed).normal((n, self.codes))).numpy() * self.task.scale


SHOWN = {
    "ring": "The ring: x₁ and x₂ from -1.5 to 1.5; grey is what was put in",
    "glyphs": "Glyphs of 28 x 28 pixels",
}
CONCLUSION = """
What the pictures show. The autoencoder puts its codes where it likes: it reconstructs, but decoded noise is like
nothing real. In the VAE the KL keeps codes where noise is drawn, so new samples resemble the data, and cover it. They
are smooth where the data is not, with bridges between clusters and soft strokes: a real x that is missed is paid for,
a sample that is unreal is not. The GAN is punished for unreal samples, and for these alone. It needs no bridges on the
ring, for its noise has eight random signs beside two normal numbers. But it has no code for a given x, and kinds of
images that it leaves out cost it nothing (recall)."""


def measures(name, samples, data, quick):
    """Return what samples are worth: numbers with names."""
    if name == "ring":
        found = mg.metrics.mixture_quality(samples[:2500], data.means, data.stds[0])
        return {"modes": f"{found.modes}", "good %": f"{100 * found.high_quality:.0f}"}
    if quick:
        return {}
    found = mg.metrics.image_report(samples, data, n=2500, progress=True)
    return {"FID": f"{found['fid']:.1f}", **{part: f"{found[part]:.2f}" for part in ("precision", "recall")}}


def show(axes, name, task, models):
    """Draw two rows: what is put in and what the coders make of it; then what each makes of noise."""
    columns = {"real": None, **models}
    x = task.data.sample(64 if name == "glyphs" else 1000, 5)
    for column, (title, model) in enumerate(columns.items()):
        top = x if model is None else model.reconstruct(x) if isinstance(model, Coder) else None
        bottom = task.data.sample(len(x), 6) if model is None else model.sample(len(x), 7)
        for ax, points in zip(axes[:, column], (top, bottom), strict=True):
            ax.set(xticks=[], yticks=[], box_aspect=1)
            ax.grid(False)
            if points is None:
                ax.text(0.5, 0.5, "no encoder,\nno reconstruction", ha="center", va="center", transform=ax.transAxes)
                ax.spines[:].set_visible(False)
            elif name == "ring":
                ax.scatter(*x.T, s=6, color="0.75", linewidths=0)
                ax.scatter(*points.T, s=4, color="C0" if model is None else "C1", linewidths=0, rasterized=True)
                ax.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5))
            else:
                tiles = points[:64, 0].reshape(8, 8, 28, 28).swapaxes(1, 2).reshape(224, 224)
                ax.imshow(tiles, cmap="gray", vmin=0, vmax=1)
        axes[0, column].set_title(title)
    axes[0, 0].set_ylabel("put in, reconstructed")
    axes[1, 0].set_ylabel("new samples")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5000, help="of each training (default: 5000)")
    parser.add_argument("--quick", action="store_true", help="20 steps: a look at the program, not at the models")
    parser.add_argument("--out", type=Path, default=Path("runs/vae"), help="folder of the pictures (default: runs/vae)")
    given = parser.parse_args(argv)
    steps = 20 if given.quick else given.steps
    given.out.mkdir(parents=True, exist_ok=True)
    mg.plots.use_style()
    for name, task in tasks().items():
        gan = presets.build(replace(presets.config(name), steps=steps))
        models = {
            "autoencoder": Coder(task, variational=False).fit(steps),
            "VAE": Coder(task, variational=True).fit(steps),
            "GAN": gan.fit(task.data, progress=not given.quick),
        }
        held = task.data.sample(1000, 3)
        print(f"\n{name:12} {'rms error':>10} {'sd of codes':>12} {'KL, nats':>9}   of 2,500 samples:")
        for title, model in {"real": task.data, **models}.items():
            cells = f"{'-':>10} {'-':>12} {'-':>9}"
            if isinstance(model, Coder):
                spread, kl = model.spread_of_codes(held)
                rms = np.sqrt(np.mean((model.reconstruct(held) - held) ** 2))
                cells = f"{rms:10.4f} {spread:12.2f} " + (f"{kl:9.2f}" if model.variational else f"{'-':>9}")
            found = measures(name, model.sample(2500, 4), task.data, given.quick)
            print(f"{title:12} {cells}   " + "   ".join(f"{part} {value}" for part, value in found.items()), flush=True)
        fig, axes = plt.subplots(2, 4, figsize=(9.6, 5.4))
        show(axes, name, task, models)
        fig.suptitle(SHOWN[name])
        fig.savefig(given.out / f"{name}.png", dpi=110)
        plt.close(fig)
        print(f"picture: {given.out / f'{name}.png'}")
    if not given.quick:
        print(CONCLUSION)


if __name__ == "__main__":
    main()
