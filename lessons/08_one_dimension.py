# %% [markdown]
# # 8. Training a GAN in one dimension
#
# - **Goal:** train a GAN whose every part can be seen at once, and judge it by numbers that mean something.
# - **Before:** lessons 5 and 6.
# - **Minutes:** 75
#
# In one dimension nothing is hidden. The data is a curve, the discriminator is a curve, and the generator is a curve
# too, from noise to samples. We know where each of them should end. So this is the place to watch a GAN train, before
# the pictures get large and all that remains is a loss.

# %% setup
import math

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

import minigan as mg

mg.plots.use_style()


def normal_cdf(z):
    """Return the share of a standard normal that lies below each z, in (0, 1)."""
    return 0.5 * (1 + np.vectorize(math.erf)(np.asarray(z) / math.sqrt(2)))


# %% [markdown]
# ## What should come out
#
# Our data has two modes, at -1.5 and 1.5. Noise $z$ is a standard normal. Which function $G$ turns the one into the
# other? The share of noise below $z$ is $\Phi(z)$, the normal distribution function. If $G$ is increasing, the share of
# samples below $G(z)$ is the same, and it should be that of the data, $F(G(z)) = \Phi(z)$. So
#
# $$G^*(z) = F^{-1}(\Phi(z)),$$
#
# the quantile of the data at the quantile of the noise. Draw it in your mind for two modes: much noise has to land on
# each of the two, none in between.

# %%
data = mg.data.Mixture("two modes", means=[[-1.5], [1.5]], stds=0.4)
x = np.linspace(-3.5, 3.5, 701)
share = np.cumsum(data.density(x[:, None]))
share /= share[-1]  # F, the distribution function, on the grid x

# 2000 samples without chance: noise and data at evenly spread quantiles.
quantiles = (np.arange(2000) + 0.5) / 2000
z = np.interp(quantiles, normal_cdf(np.linspace(-4, 4, 801)), np.linspace(-4, 4, 801))
goal = np.interp(quantiles, share, x)

mg.plots.generator_map(z, goal, title="The map that would be right")

# %% [markdown]
# Steep in the middle: that is where the noise must be torn apart. A network is smooth, so it can come near this map,
# but some samples will be left on the bridge. It is not the only right map, either: its mirror image is one, and there
# are others, which rise and fall. A discriminator sees samples, no maps.
#
# ## Train
#
# `mg.training.GAN` plays the game of lesson 6. A step is: draw a batch, move D one step of Adam against its gradient;
# draw noise, move G one step. Two details are new, and the next lessons explain them: `r1` and `r2` keep D's slopes
# small, so that the two do not circle around each other; `ema` takes samples from an average of the last generators.
#
# We train in portions of ten steps, and keep what G and D look like after each.


# %%
def network(rng):
    """Return a function of one variable: two hidden layers of 32 with tanh."""
    nn = mg.nn
    layers = [nn.Dense(1, 32, rng=rng), nn.Tanh(), nn.Dense(32, 32, rng=rng), nn.Tanh(), nn.Dense(32, 1, rng=rng)]
    return nn.Sequential(*layers)


def new_gan(seed=0, **options):
    rng = mg.random.default_rng(seed)
    usual = {"lr_g": 3e-3, "lr_d": 1e-2, "beta1": 0.0, "r1": 0.02, "r2": 0.02, "ema": 0.98, "compile": False}
    return mg.training.GAN(network(rng), network(rng), **(usual | options))


PORTIONS = 50


def made(gan):
    """Return G(z) for the evenly spread noise, as (2000,)."""
    return gan.decode(mg.tensor(z[:, None].astype(np.float32)))[:, 0]


def distance(samples):
    """Return W1 between samples and data: how far each must be moved, on average."""
    return np.mean(np.abs(np.sort(samples) - goal))


gan = new_gan()
maps, beliefs = [made(gan)], [gan.score(x[:, None])]
for portion in range(PORTIONS - 1):
    gan.fit(data, steps=10, seed=0 if portion == 0 else None, progress=False)
    maps.append(made(gan))
    beliefs.append(gan.score(x[:, None]))
print(f"W1 before {distance(maps[0]):.3f}, after {gan.step} steps {distance(maps[-1]):.3f}, in units of x")

# %% [markdown]
# ## Watch
#
# Upper left: the densities. Lower left: D, the probability that $x$ is real. Right: the map, and the two right ones
# that never turn. Before you start it, predict the order of events. What does D learn first? When does the map begin to
# bend, and where does D give up?

# %%
fig = plt.figure(figsize=(8.4, 4.4))
grid = fig.add_gridspec(2, 2, height_ratios=[3, 2])
upper, lower, right = (fig.add_subplot(place) for place in (grid[0, 0], grid[1, 0], grid[:, 1]))
edges = np.linspace(-3.5, 3.5, 71)
upper.fill_between(x, data.density(x[:, None]), color="C0", alpha=0.3, linewidth=0, label="real")
bars = upper.stairs(np.zeros(70), edges, color="C1", linewidth=1.6, label="generated")
upper.set(ylim=(0, 1.1), ylabel="density")
upper.legend(loc="upper right", fontsize=9)
lower.axhline(0.5, color="k", linestyle="--", linewidth=1)
(belief,) = lower.plot(x, 0 * x, color="C2")
lower.set(ylim=(0, 1), xlabel="x", ylabel="D(x), 0 to 1")
right.plot(z, goal, "k--", linewidth=1.2, label="increasing, and perfect")
right.plot(-z, goal, "k:", linewidth=1.2, label="decreasing, and perfect")
(curve,) = right.plot(z, 0 * z, color="C1", linewidth=2.4, label="G")
right.set(xlim=(-3, 3), ylim=(-3.5, 3.5), xlabel="z, noise", ylabel="x = G(z)")
right.legend(loc="upper center", fontsize=9)


def show(i):
    heights, _ = np.histogram(maps[i], edges)
    bars.set_data(heights / (len(z) * np.diff(edges)))
    belief.set_ydata(1 / (1 + np.exp(-beliefs[i])))
    curve.set_ydata(maps[i])
    upper.set_title(f"Step {10 * i}")


animation = FuncAnimation(fig, show, frames=PORTIONS, interval=120)
fig.canvas.draw()
plt.show()

# %% [markdown]
# (A notebook shows the first picture only. To see all: `from IPython.display import HTML`, and then
# `HTML(animation.to_jshtml())`.) Four moments of it, side by side:

# %%
moments = [0, 3, 12, PORTIONS - 1]
fig, axes = plt.subplots(2, 4, figsize=(9, 4.2), sharex="row", sharey="row", height_ratios=[3, 2])
for (upper, lower), i in zip(axes.T, moments, strict=True):
    upper.plot(z, goal, "k--", linewidth=1)
    upper.plot(-z, goal, "k:", linewidth=1)
    upper.plot(z, maps[i], "C1")
    upper.set(title=f"Step {10 * i}", xlabel="z", ylim=(-3.5, 3.5))
    lower.axhline(0.5, color="k", linestyle="--", linewidth=1)
    lower.plot(x, 1 / (1 + np.exp(-beliefs[i])), "C2")
    lower.set(xlabel="x", ylim=(0, 1))
axes[0, 0].set_ylabel("x = G(z)")
axes[1, 0].set_ylabel("D(x)")
plt.show()

# %% [markdown]
# D is a teacher with a short memory. It draws a hill where samples are missing, G climbs, the hill goes. In the end D
# is near one half wherever there is data, and still low on the bridge, where it says what is left to do. And G? It
# found a map of its own: up steeply, too far, and back. Where it turns, samples pile up. (With another seed it may find
# another.)
#
# ## What to look at
#
# The usual thing to watch is the losses. On the left they are, with the values that theory gives for the end:
# $2 \log 2$ and $\log 2$, where D cannot tell. On the right is **W1**, the distance between the two distributions: how
# far each sample has to be moved, on average, if they are moved in the cheapest way. In one dimension that is to sort
# both, and to move the smallest to the smallest, the second to the second, and so on.
#
# Which of the two tells you when to stop?

# %%
steps = [record["step"] for record in gan.history]
fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6))
left.plot(steps, [record["d_loss"] for record in gan.history], "o-", color="C2", markersize=3, label="loss of D")
left.plot(steps, [record["g_loss"] for record in gan.history], "s-", color="C1", markersize=3, label="loss of G")
left.axhline(2 * np.log(2), color="C2", linestyle="--", linewidth=1)
left.axhline(np.log(2), color="C1", linestyle="--", linewidth=1)
left.set(xlabel="step", ylabel="loss, nats", title="Losses look done from the start", ylim=(0, 2.2))
left.legend(fontsize=9, loc="lower right")
floor = np.mean([distance(data.sample(2000, seed)[:, 0]) for seed in range(10)])
right.semilogy(10 * np.arange(PORTIONS), [distance(samples) for samples in maps], "o-", color="C1", markersize=3)
right.axhline(floor, color="k", linestyle="--", linewidth=1)
right.text(10 * PORTIONS, 1.1 * floor, "2000 real samples", ha="right")
right.set(xlabel="step", ylabel="W1, in units of x", title="The distance knows better")
plt.show()

# %% [markdown]
# The losses are near their end values from the first steps on, when the samples are still a world away. D could not
# tell then either, because it had not learned to; and later, because G had. Losses of a GAN compare two players, and
# measure neither. W1 does. It needs a scale: even 2000 *real* samples are not at 0, which is the dashed line, and a run
# is as good as can be seen where it reaches that floor. This one is still three or four times above: lesson 10 and the
# preset `mixture1d` go further.
#
# ## Break it
#
# One change each, 150 steps. Guess which is worst before you run it. Add changes of your own: another `seed`,
# `loss="minimax"`, a slow D with `lr_d=1e-4`, a penalty of `r1=10`.

# %%
CHANGES = {
    "as above": {},
    "no penalty, momentum": {"r1": 0.0, "r2": 0.0, "ema": 0.0, "beta1": 0.9},
    "weights of D clipped": {"r1": 0.0, "r2": 0.0, "clip_weights": 0.01},
    "G thirty times faster": {"lr_g": 0.1},
    "least squares": {"loss": "least_squares"},
}
for name, change in CHANGES.items():
    other = new_gan(**change).fit(data, steps=150, seed=0, progress=False)
    samples = made(other)
    print(f"{name:24} W1 {distance(samples):.3f}   left of 0: {np.mean(samples < 0):.0%}")

# %% [markdown]
# ## Exercises
#
# In 8.2 and 8.3 you write the step that `GAN` takes. When you have written your answers, run `minigan lesson check 08`.


# %% exercise 08.1: the right map, from samples
def quantile_map(z, samples):
    """Return G*(z) for noise z (N,), as (N,): the increasing map that turns standard normal noise into the data.

    The data is known by its samples (M,) only, in any order; take their quantiles with np.quantile. `normal_cdf` is
    above. The value at one z must not depend on the others.
    """
    # solution {
    return np.quantile(samples, normal_cdf(z))
    # } solution


# %% exercise 08.2: a step of the discriminator
def discriminator_step(G, D, optimiser, real, z):
    """Take one step of D on L_D = mean softplus(-D(real)) + mean softplus(D(G(z))). Return the loss, a 0-d Tensor.

    G and D are networks, real and z Tensors (N, 1), `optimiser` has D's parameters, with the methods `zero_grad()` and
    `step()`. G is a constant here: after the step, its parameters must have no gradient (`mg.no_grad()` is a context).
    Old gradients may be lying about in D. `mg.losses.non_saturating()` has the loss.
    """
    # solution {
    with mg.no_grad():
        fake = G(z)
    loss = mg.losses.non_saturating().discriminator(D(real), D(fake))
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss
    # } solution


# %% exercise 08.3: a step of the generator
def generator_step(G, D, optimiser, z):
    """Take one step of G on L_G = mean softplus(-D(G(z))). Return the loss, a 0-d Tensor.

    `optimiser` has G's parameters. The gradient passes through D, but must not be kept there: `loss.backward(inputs=
    parameters)` fills in the gradients of these parameters only; a network has `.parameters()`.
    """
    # solution {
    loss = mg.losses.non_saturating().generator(None, D(G(z)))
    optimiser.zero_grad()
    loss.backward(inputs=list(G.parameters()))
    optimiser.step()
    return loss
    # } solution


# %% exercise 08.4: the distance of two samples
def wasserstein1(a, b):
    """Return W1 between two samples of equal size, (N,) each, in any order: the least mean distance of a move."""
    # solution {
    return np.mean(np.abs(np.sort(a) - np.sort(b)))
    # } solution
