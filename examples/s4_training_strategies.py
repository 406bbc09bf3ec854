"""The alternating loop, and what each remedy changes: how soon are the samples good enough, and do they stay so?

Eight clusters on a circle. A loop lets D and G take turns with the non-saturating losses

    L_D = -E log D(x) - E log(1 - D(G(z))),    L_G = -E log D(G(z))

until all 8 modes are there and most samples are good. It then goes on, to see whether that lasts: a loop that stops at
the first good moment hides how unstable a game is. (A G that *maximises* L_D plays another game, the saturating one:
"minimax" below.) One run for each line: differences of a few per cent mean nothing. Convolution with batch
normalisation, the remedy for images, is the preset `mnist-conv`; rates and batch sizes: sensitivity_map.py.

    python examples/s4_training_strategies.py
"""

import argparse
from dataclasses import dataclass

import numpy as np
from tqdm import tqdm

import minigan as mg

RATE, BATCH = 1e-3, 128
GOOD = 0.8  # share of samples within 3 standard deviations of a mode


@dataclass(frozen=True)
class Strategy:
    """What is done beside the plain alternation."""

    loss: str = "non_saturating"
    betas: tuple[float, float] = (0.5, 0.999)  # of Adam, as in DCGAN
    r1_r2: float = 0.0  # gamma of gamma/2 (R1 + R2)
    wgan_gp: float = 0.0  # lambda
    clip_weights: float = 0.0  # limit of D's weights
    clip_grad: float = 0.0  # limit of the norm of both gradients
    noise: float = 0.0  # standard deviation of instance noise at first; it falls to 0 over the first half
    d_steps: int = 1  # of D to one of G
    d_first: int = 0  # a first stage: so many steps in which G is frozen
    warmup: int = 0  # steps over which the rates rise from 0
    fall: bool = False  # whether the rates fall to 0 along half a cosine over the second half
    signs: int = 0  # random signs beside the 2 normal entries of the noise: a choice of modes is no matter of degree

    def rate(self, step, steps):
        """Return the learning rate of both at this step."""
        rise = min(1.0, step / self.warmup) if self.warmup else 1.0
        late = max(0.0, 2 * step / steps - 1) if self.fall else 0.0
        return RATE * rise * 0.5 * (1 + np.cos(np.pi * late))


STRATEGIES = {
    "plain": Strategy(),
    "minimax, saturating": Strategy(loss="minimax"),
    "gradient clipping": Strategy(clip_grad=0.5),
    "instance noise": Strategy(noise=0.3),
    "stages: D first, 2 D steps, warm-up": Strategy(d_first=100, d_steps=2, warmup=300),
    "rates that fall": Strategy(fall=True),
    "Adam(0, 0.9)": Strategy(betas=(0.0, 0.9)),
    "signs in the noise": Strategy(signs=8),
    "Wasserstein, weight clipping": Strategy(loss="wasserstein", clip_weights=0.1, d_steps=5, betas=(0.0, 0.9)),
    "Wasserstein, gradient penalty": Strategy(loss="wasserstein", wgan_gp=1.0, d_steps=5, betas=(0.0, 0.9)),
    "R1 + R2": Strategy(r1_r2=0.02),
    "R1 + R2, signs, rates that fall": Strategy(r1_r2=0.02, signs=8, fall=True),
}


class Game:
    """Two networks and their moves, each compiled into one function."""

    def __init__(self, strategy, *, compiled=True):
        self.strategy, self.loss, self.rng = strategy, mg.losses.get(strategy.loss), mg.random.default_rng(0)
        self.latent = mg.training.Latent(2, strategy.signs)
        self.G = self.network(self.latent.size, 2, mg.nn.ReLU())
        self.D = self.network(2, 1, mg.nn.LeakyReLU())
        self.g_adam = mg.optim.Adam(self.G.parameters(), RATE, betas=strategy.betas)
        self.d_adam = mg.optim.Adam(self.D.parameters(), RATE, betas=strategy.betas)
        if compiled:
            self.move_d, self.move_g = mg.compile(self.move_d), mg.compile(self.move_g)

    def network(self, inputs, outputs, activation, width=64):
        dense = [mg.nn.Dense(i, o, rng=self.rng) for i, o in ((inputs, width), (width, width), (width, width))]
        hidden = [layer for one in dense for layer in (one, activation)]
        return mg.nn.Sequential(*hidden, mg.nn.Dense(width, outputs, rng=self.rng))

    def seen(self, x, noise):
        """Return samples as D is to see them: blurred by instance noise of this standard deviation."""
        return x + noise * self.rng.normal(x.shape) if self.strategy.noise else x

    def made(self):
        return self.G(self.latent.draw(self.rng, BATCH))

    def move_d(self, real, noise):
        """Let D take a step. noise is a 0-d array, for numbers that change from step to step."""
        how = self.strategy
        real, fake = self.seen(real, noise), self.seen(self.made().detach(), noise)
        loss = self.loss.discriminator(self.D(real), self.D(fake))
        if how.r1_r2:
            loss = loss + how.r1_r2 / 2 * (mg.penalties.r1(self.D, real) + mg.penalties.r2(self.D, fake))
        if how.wgan_gp:
            loss = loss + how.wgan_gp * mg.penalties.wgan_gp(self.D, real, fake, self.rng)
        self.d_adam.zero_grad()
        loss.backward()
        self.follow(self.d_adam)
        if how.clip_weights:
            mg.optim.clip_weights(self.D.parameters(), how.clip_weights)

    def move_g(self, real, noise):
        """Let G take a step."""
        logits = self.D(self.seen(real, noise)).detach() if self.loss.real_in_generator else None
        loss = self.loss.generator(logits, self.D(self.seen(self.made(), noise)))
        self.g_adam.zero_grad()
        loss.backward(inputs=self.G.parameters())
        self.follow(self.g_adam)

    def follow(self, adam):
        if self.strategy.clip_grad:
            mg.optim.clip_grad_norm(adam.params, self.strategy.clip_grad)
        adam.step()

    def sample(self, n, seed=0):
        with mg.no_grad():
            return self.G(self.latent.draw(mg.random.default_rng(seed), n)).numpy()


def good_enough(quality):
    return quality.modes == 8 and quality.high_quality >= GOOD


def play(strategy, data, steps, every, *, compiled=True, name=""):
    """Alternate for so many steps of G. Return the measures of 2,500 samples after every `every` steps."""
    game, draws, found = Game(strategy, compiled=compiled), np.random.default_rng(0), []
    for step in tqdm(range(1, steps + 1), desc=name, unit="step", leave=False):
        game.d_adam.lr = game.g_adam.lr = strategy.rate(step, steps)
        noise = np.float32(strategy.noise * max(0.0, 1 - 2 * step / steps))
        for _ in range(strategy.d_steps):
            real = mg.tensor(data.sample(BATCH, draws) / np.float32(data.std))
            game.move_d(real, noise)
        if step > strategy.d_first:
            game.move_g(real, noise)
        if step % every == 0:
            found.append(mg.metrics.mixture_quality(game.sample(2500) * data.std, data.means, data.stds[0]))
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6000, help="of G, for each strategy (default: 6000)")
    parser.add_argument("--quick", action="store_true", help="20 steps each: a look at the program")
    given = parser.parse_args(argv)
    data, steps = mg.data.ring(), 20 if given.quick else given.steps
    every = max(1, steps // 40)
    print(f"good enough: all 8 modes, {GOOD:.0%} good samples. Looked at every {every} of {steps:,} steps")
    print(f"{'strategy':36} {'first':>6} {'then lost':>10} {'modes':>12} {'good %':>8}   (second half, mean)")
    for name, strategy in STRATEGIES.items():
        found = play(strategy, data, steps, every, compiled=steps >= 500, name=name)
        passed = [good_enough(quality) for quality in found]
        first = passed.index(True) if any(passed) else None
        cells = f"{'never':>6} {'-':>10}"
        if first is not None:
            cells = f"{every * (first + 1):6,} {1 - np.mean(passed[first:]):10.0%}"
        modes, good = np.mean([(quality.modes, quality.high_quality) for quality in found[len(found) // 2 :]], axis=0)
        print(f"{name:36} {cells} {modes:12.1f} {100 * good:8.1f}", flush=True)


if __name__ == "__main__":
    main()
