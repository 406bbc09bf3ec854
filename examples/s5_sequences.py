"""Sequences made and judged by five kinds of networks: dense, RNN, LSTM, LSTM with an attentive judge, convolutional.

Everything else is the same for all: sine waves of 24 steps, the loss, the noise, the optimiser. A recurrent cell reads

    RNN   h_t = tanh(W x_t + U h_{t-1} + b), y_t = g(V h_t + c): the state follows from input and last state
    LSTM  the same with a cell c_t = f_t c_{t-1} + i_t tanh(...) beside it, whose gates decide what is kept

and attention lets each step of D look at all others: softmax(Q K^T) V. The dense networks are those of many tutorials,
G z-128-256-512-T (ReLU, tanh) and D T-512-256-128-1; losses take logits, so no D ends in a sigmoid. The preset `sines`
is the LSTM pair with a better recipe, longer training and the published protocol.

    python examples/s5_sequences.py
"""

import argparse
import time
from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

T, Z, H = 24, 10, 32  # time steps, entries of the noise, units of a recurrent layer
OPTIONS = {
    "loss": "relativistic",
    "batch_size": 64,
    "lr_g": 1e-3,
    "lr_d": 1e-3,
    "beta1": 0.0,
    "beta2": 0.9,
    "warmup": 100,
    "cosine_from": 0.5,
    "noise": 0.5,  # instance noise: what D sees is blurred at first
    "noise_end": 0.02,
    "ema": 0.99,
    "latent_normals": Z,
}


def dense(rng):
    """Networks to which the steps are T unrelated numbers."""

    def network(sizes, activation):
        layers = [layer for i, o in pairwise(sizes) for layer in (mg.nn.Dense(i, o, rng=rng), activation)]
        return layers[:-1]

    generator = [*network((Z, 128, 256, 512, T), mg.nn.ReLU()), mg.nn.Tanh(), mg.nn.Reshape(T, 1)]
    discriminator = [mg.nn.Flatten(), *network((T, 512, 256, 128, 1), mg.nn.LeakyReLU())]
    return mg.nn.Sequential(*generator), mg.nn.Sequential(*discriminator)


def convolutional(rng):
    """Networks that know neighbours: waves as images of height 1, halved and doubled by kernels of 4 steps."""
    over_time = {"kernel_size": (1, 4), "stride": (1, 2), "padding": (0, 1), "rng": rng}
    generator = mg.nn.Sequential(
        mg.nn.Dense(Z, 64 * (T // 4), rng=rng),
        mg.nn.ReLU(),
        mg.nn.Reshape(64, 1, T // 4),
        mg.nn.ConvTranspose2d(64, 32, **over_time),
        mg.nn.ReLU(),
        mg.nn.ConvTranspose2d(32, 1, **over_time),
        mg.nn.Tanh(),
        mg.nn.Reshape(T, 1),
    )
    discriminator = mg.nn.Sequential(
        mg.nn.Reshape(1, 1, T),
        mg.nn.Conv2d(1, 32, **over_time),
        mg.nn.LeakyReLU(),
        mg.nn.Conv2d(32, 64, **over_time),
        mg.nn.LeakyReLU(),
        mg.nn.Flatten(),
        mg.nn.Dense(64 * (T // 4), 1, rng=rng),
    )
    return generator, discriminator


class Generator(mg.nn.Module):
    """Noise (N, Z), given at every step, through a recurrent layer to sequences (N, T, 1)."""

    def __init__(self, cell, rng):
        self.cell = cell(Z, H, batch_first=True, rng=rng)
        self.head = mg.nn.Dense(H, 1, rng=rng)

    def forward(self, z):
        n = len(z)
        states, _ = self.cell(mg.broadcast_to(z.reshape(n, 1, Z), (n, T, Z)))
        return mg.tanh(self.head(states))


class Discriminator(mg.nn.Module):
    """Sequences (N, T, 1) and their differences through a recurrent layer to logits (N, 1), the mean over all steps.

    A smooth curve and a jagged one lie close together point by point, and far apart in 5 (x_t - x_{t-1}).
    """

    def __init__(self, cell, rng, attention=False):
        self.cell = cell(2, H, batch_first=True, rng=rng)
        self.attention = mg.nn.SelfAttention(H, rng=rng) if attention else mg.nn.Sequential()
        self.head = mg.nn.Dense(H, 1, rng=rng)

    def states(self, x):
        steps = mg.pad(5.0 * (x[:, 1:] - x[:, :-1]), ((0, 0), (1, 0), (0, 0)))
        return self.cell(mg.concatenate([x, steps], axis=2))[0]

    def forward(self, x):
        return self.head(self.attention(self.states(x))).mean(axis=1)


KINDS = {
    "dense": dense,
    "RNN": lambda rng: (Generator(mg.nn.RNN, rng), Discriminator(mg.nn.RNN, rng)),
    "LSTM": lambda rng: (Generator(mg.nn.LSTM, rng), Discriminator(mg.nn.LSTM, rng)),
    "LSTM, attention": lambda rng: (Generator(mg.nn.LSTM, rng), Discriminator(mg.nn.LSTM, rng, attention=True)),
    "convolutional": convolutional,
}


def judged(fake, real, judges):
    """Return what waves are worth, as cells of a table."""
    score = "-"
    if judges:
        score = f"{mg.metrics.discriminative_score(fake, real, hidden=32, judges=judges):.3f}"
    rough = np.abs(np.diff(fake, n=2, axis=1)).mean() / np.abs(np.diff(real, n=2, axis=1)).mean()
    apart = mg.metrics.autocorrelation_difference(fake, real)
    return f"{score:>12} {apart:16.3f} {mg.metrics.mmd2(fake[:1000], real[:1000]):9.4f} {rough:10.2f}"


def draw(real, made, attention):
    """Draw twelve waves of each kind over real ones, and who looks at whom in the discriminator with attention."""
    mg.plots.use_style()
    fig, axes = plt.subplots(2, 3, figsize=(9.6, 5.0))
    for ax, (name, fake) in zip(axes.flat, made.items(), strict=False):
        for x, style in (real, {"color": "0.82"}), (fake, {"color": "C1"}):
            ax.plot(x[:12, :, 0].T, linewidth=1.1, **style)
        ax.set(title=name, ylim=(-1.05, 1.05), xlabel="time step", ylabel="x")
    ax = axes.flat[-1]
    picture = ax.imshow(attention, cmap="cividis", vmin=0)
    fig.colorbar(picture, ax=ax, pad=0.02, label="mean weight").outline.set_visible(False)
    ax.grid(False)
    ax.set(title="D's attention", xlabel="looked at, time step", ylabel="looking, time step")
    fig.suptitle("Real waves grey, generated ones vermilion")
    return fig


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000, help="of each training (default: 3000)")
    parser.add_argument("--judges", type=int, default=1, help="trained to tell real from generated (default: 1)")
    parser.add_argument("--quick", action="store_true", help="10 steps, no judge: a look at the program")
    parser.add_argument("--out", type=Path, default=Path("runs/s5.png"), help="the picture (default: runs/s5.png)")
    given = parser.parse_args(argv)
    steps, judges, n = (10, 0, 200) if given.quick else (given.steps, given.judges, 5000)
    waves = mg.data.Sines("waves", np.arange(T), 1, amplitude=(0.8, 0.8), frequency=(0.3, 0.8), phase=(-np.pi, np.pi))
    real, made = waves.sample(n, 1), {}
    print(
        f"{'networks':16} {'parameters':>10} {'seconds':>8} {'told apart':>12} {'autocorrelation':>16} {'MMD^2':>9}",
        end="",
    )
    print(f" {'roughness':>10}\n{'real':16} {'-':>10} {'-':>8} {judged(waves.sample(n, 2), real, judges)}", flush=True)
    for name, networks in KINDS.items():
        gan = mg.training.GAN(*networks(mg.random.default_rng(0)), **OPTIONS)
        start = time.perf_counter()
        gan.fit(waves, steps=steps, seed=0, progress=not given.quick)
        seconds = time.perf_counter() - start
        made[name] = gan.sample(n)
        count = sum(p.size for network in (gan.generator, gan.discriminator) for p in network.parameters())
        print(f"{name:16} {count:10,} {seconds:8.1f} {judged(made[name], real, judges)}", flush=True)
        if name == "LSTM, attention":
            with mg.no_grad():
                D = gan.discriminator
                attention = D.attention.attention(D.states(mg.tensor(real[:200]))).numpy().mean(axis=0)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    draw(real, made, attention).savefig(given.out, dpi=110)
    print(f"picture: {given.out}")


if __name__ == "__main__":
    main()
