# %% [markdown]
# # 17. GAN, VAE and autoencoder; virtual data and memorisation
#
# - **Goal:** tell three kinds of networks apart by what they minimise, use a trained generator as a data set, and
#   measure whether it gives away its training data.
# - **Before:** lessons 6 and 10; the Kullback-Leibler divergence.
# - **Minutes:** 80
#
# All three turn a few numbers into something that looks like data. What is a sample from each worth? That depends on
# what was minimised. And if generated data goes out to people who must not see the real data, a second question
# follows: what if the generator has only learnt its training set by heart?

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## Three objectives
#
# | | minimised | noise enters | has learnt the distribution? |
# |---|---|---|---|
# | autoencoder | distance of $x$ to its reconstruction $G(E(x))$ | nowhere | no |
# | VAE | reconstruction error **plus** KL of the code to a standard normal | in the code | approximately |
# | GAN | a game, no reconstruction at all | at the generator's input | as far as D can tell |
#
# An **autoencoder** squeezes $x$ through a code $E(x)$. Nothing says where codes should lie, so a code that you draw
# yourself means nothing.
#
# A **variational autoencoder** encodes $x$ as a *distribution* $N(m(x), s(x)^2)$, draws a code from it, decodes that,
# and pays for every code distribution that differs from $N(0, I)$:
#
# $$L = \mathrm{E} \left[ \frac{\|x - G(z)\|^2}{2 \tau^2} + \sum_k \tfrac12 \left(m_k^2 + s_k^2 - \log s_k^2 - 1\right)
# \right], \qquad z = m + s \, \epsilon, \quad \epsilon \sim N(0, I).$$
#
# The second term is the **KL divergence**. It keeps the codes where one will draw from later. Leave it out, and what
# remains is an autoencoder; the claim that both "learn the distribution by reconstruction error" leaves it out. Writing
# $z$ as $m + s \epsilon$ lets the gradient pass the random draw: $\epsilon$ does not depend on the parameters. Up to
# constants, $-L$ is a lower bound of the log-likelihood of the data, with noise of standard deviation $\tau$ around
# $G(z)$.
#
# A **GAN** has no encoder, and no $x$ that a given $z$ should become.
#
# Eight clusters on a circle, codes of two numbers, the same sizes of networks. Draw codes from a standard normal and
# decode them. Predict the three pictures: where will points lie that no real one resembles?

# %%
data = mg.data.ring()
scale = data.std
rng = mg.random.default_rng(0)


def network(inputs, outputs, width=48):
    return mg.nn.Sequential(
        mg.nn.Dense(inputs, width, rng=rng),
        mg.nn.LeakyReLU(),
        mg.nn.Dense(width, width, rng=rng),
        mg.nn.LeakyReLU(),
        mg.nn.Dense(width, outputs, rng=rng),
    )


def train_coder(weight, steps=350, tau=0.15):
    """Train a VAE, its KL times `weight` (None: an autoencoder). Return the decoder, and both terms at the end."""
    encoder, decoder = network(2, 4), network(2, 2)
    adam = mg.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=5e-3)
    draws = np.random.default_rng(0)
    for _ in range(steps):
        x = mg.tensor(data.sample(128, draws) / scale)
        code = encoder(x)
        z, log_variance = code[:, :2], code[:, 2:]
        kl = 0.5 * (z * z + mg.exp(log_variance) - log_variance - 1).sum(axis=1).mean()
        if weight is not None:
            z = z + mg.exp(0.5 * log_variance) * rng.normal((128, 2))
        error = ((decoder(z) - x) ** 2).sum(axis=1).mean() / (2 * tau**2)
        loss = error if weight is None else error + weight * kl
        adam.zero_grad()
        loss.backward()
        adam.step()
    return decoder, error.item(), kl.item()


def decoded(decoder, n=1000):
    with mg.no_grad():
        return decoder(mg.random.default_rng(5).normal((n, 2))).numpy() * scale


autoencoder, ae_error, _ = train_coder(None)
vae, vae_error, vae_kl = train_coder(1.0)
options = {"lr_g": 3e-3, "lr_d": 3e-3, "beta1": 0.0, "beta2": 0.9, "r1": 0.1, "r2": 0.1, "standardise": True}
gan = mg.training.GAN(network(2, 2), network(2, 1), "relativistic", ema=0.98, compile=False, **options)
gan.fit(data, steps=700, seed=0, progress=False)

real = data.sample(1000, 1)
made = {"autoencoder": decoded(autoencoder), "VAE": decoded(vae), "GAN": gan.sample(1000)}
fig, axes = plt.subplots(1, 3, figsize=(8, 3.6), sharex=True, sharey=True)
for ax, (name, x) in zip(axes, made.items(), strict=True):
    ax.scatter(*x.T, s=4, color="C1", label="decoded noise", rasterized=True)
    ax.scatter(*real.T, s=4, color="C0", label="real", rasterized=True)
    ax.set(title=name, xlabel="x₁", aspect="equal", xlim=(-1.8, 1.8), ylim=(-1.8, 1.8))
axes[0].set_ylabel("x₂")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, markerscale=3)
plt.show()
print(f"reconstruction error: autoencoder {ae_error:.2f}, VAE {vae_error:.2f} (its KL {vae_kl:.2f} nats)")
for name, x in made.items():
    print(f"{name:12} distance to the data (sliced W2) {mg.metrics.sliced_wasserstein(x, real):.3f}")

# %% [markdown]
# The autoencoder reconstructs best of all, and of where data lies it knows nothing: its codes are wherever it liked.
# The VAE covers all of the data and puts something in between, because it pays for each real point that it does not
# cover and never for a point that is unreal. The GAN's discriminator looks at generated points, so unreal ones are what
# it punishes; it never asks whether every real one is covered (lesson 10). The arcs that are left between the clusters
# come from the noise: a smooth map cannot tear a normal distribution into eight pieces.
#
# ## Virtual data
#
# A trained generator is a data set without end. `VirtualDataset` is one that one can index like an array: row $i$ is
# made when it is asked for, always the same row for the same seed, and no real row is needed any more. Whoever works
# with it needs the generator only, and never sees the source data. How can a row be random *and* repeatable, in any
# order? The noise of a row is drawn from a generator of its own, seeded with the data set's seed and the row's place.

# %%
rows = mg.training.VirtualDataset(gan, n=1_000_000, seed=7)
print(rows)
print("row 123456 alone:        ", rows[123456])
print("the same, in other company:", rows[[5, 123456]][1])
print(
    "mean", f"{rows.mean:.3f}", "and standard deviation", f"{rows.std:.3f}; real:", f"{data.mean:.3f}, {data.std:.3f}"
)

# %% [markdown]
# ## Has it learnt by heart?
#
# "Never sees the source data" is a promise that a copying generator breaks. It would even have the best of all
# distances to its training set: zero. So compare with real points that were *held out*, which nobody has trained on.
# Ask for each generated point how far the nearest training point is, ask the same for each held-out point, and compare
# the two sets of distances:
#
# - Alike: the generator makes new points, as near to the training set as new data is.
# - Generated ones nearer: it copies.
# - Generated ones farther: it has not learnt the data well (yet).
#
# Three generators of which we know the truth, and ours:

# %%
draws = np.random.default_rng(3)
train, held_out = data.sample(300, 10), data.sample(300, 11)
few = {
    "copies, and blurs a little": train[draws.integers(0, 300, 300)] + draws.normal(0, 0.0004, (300, 2)),
    "draws new data": data.sample(300, 12),
    "draws the data, too wide": held_out + draws.normal(0, 0.05, (300, 2)),
    "our GAN": gan.sample(300, seed=1),
}


def nearest(x, others):
    return np.sqrt(((x[:, None] - others) ** 2).sum(axis=-1)).min(axis=1)


fig, ax = plt.subplots(figsize=(7, 3.6))
ax.plot(np.sort(nearest(held_out, train)), np.linspace(0, 1, 300), "k--", label="held-out real points")
for (name, x), style in zip(few.items(), ("C1-", "C0-", "C2-.", "C4:"), strict=True):
    ax.plot(np.sort(nearest(x, train)), np.linspace(0, 1, 300), style, linewidth=2, label=name)
    found = mg.metrics.memorisation(x, train, held_out)
    print(f"{name:28} ratio of medians {found.median_ratio:6.2f}   z {found.z:6.1f}   closer {found.closer:.2f}")
ax.set(
    xscale="log", xlabel="distance to the nearest training point", ylabel="share of the points below", xlim=(1e-4, 10)
)
ax.set_title("Copies lie nearer to the training set than new data does")
ax.legend(fontsize=8, loc="lower right")
plt.show()

# %% [markdown]
# `z` is in standard deviations: far below 0 means copies, far above 0 points unlike the data. The test has a blind
# side. A generator that copies one half of the time and makes nonsense in the other half has a harmless mean rank. Look
# at the whole curve, and at the nearest pairs themselves.
#
# ## Break it
#
# What does the weight of the KL term do? Weight 1 is the VAE above. Predict the three numbers before you run it: at a
# hundredth, at three hundred. At which does the decoder ignore its code, so that the KL is 0 and all samples are the
# same point?

# %%
for weight in (0.01, 300.0):
    decoder, error, kl = train_coder(weight)
    distance = mg.metrics.sliced_wasserstein(decoded(decoder), real)
    print(f"KL times {weight:5g}: reconstruction error {error:6.2f}, KL {kl:5.2f} nats, samples to data {distance:.3f}")

# %% [markdown]
# ## Exercises
#
# NumPy only. When you have written your answers, run `minigan lesson check 17`.


# %% exercise 17.1: the term that makes a VAE
def kl_and_gradients(mean, log_variance):
    """Return (KL, its gradient by mean, its gradient by log_variance), of codes (N, K) to a standard normal.

    KL is the mean over the N samples of the sum over k of (m^2 + s^2 - log s^2 - 1) / 2, with log s^2 = log_variance.
    Both gradients are (N, K).
    """
    # solution {
    variance = np.exp(log_variance)
    kl = 0.5 * (mean**2 + variance - log_variance - 1).sum(axis=1).mean()
    return kl, mean / len(mean), 0.5 * (variance - 1) / len(mean)
    # } solution


# %% exercise 17.2: noise for virtual rows
def virtual_noise(index, size, seed):
    """Return the noise (M, size) of the virtual rows index (M,), standard normal.

    A row depends on seed and its own index alone: not on which other rows are asked for, nor on their order. Rows of
    different index or seed have nothing to do with each other: row 1 of seed 0 is not row 0 of seed 1 either. No global
    state. (`np.random.default_rng` takes a list of integers, too.)
    """
    # solution {
    return np.stack([np.random.default_rng([seed, int(i)]).normal(size=size) for i in index])
    # } solution


# %% exercise 17.3: copies?
def copy_ratio(fake, train, held_out):
    """Return the median distance of fake points to the nearest training point, over that of held-out points: a number.

    fake is (N, F), train (M, F), held_out (L, F). Distances are Euclidean. It is 1 for new data and 0 for copies.
    """

    # solution {
    def median_distance(x):
        return np.median(np.sqrt(((x[:, None] - train) ** 2).sum(axis=-1)).min(axis=1))

    return median_distance(fake) / median_distance(held_out)
    # } solution
