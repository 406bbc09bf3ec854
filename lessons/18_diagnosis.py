# %% [markdown]
# # 18. Reading a sick run: diagnosis
#
# - **Goal:** tell from curves, samples and a few numbers what is wrong with a GAN, and check that the remedy helps.
# - **Before:** lessons 6 and 8 to 10; memorisation is from lesson 17, hypothesis from lesson 4.
# - **Minutes:** 80
#
# A training run that fails does not say why. Its losses go up or down, as those of sound runs do; its samples are
# bad, and there are many ways to be bad. So we do what medical schools do. We take healthy runs, make each of them sick
# in one way that we know, and learn what the sickness looks like. Then comes one whose cause you do not know: yours.

# %% setup
import dataclasses

import matplotlib.pyplot as plt
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## One healthy run, five sick ones
#
# The data has two modes, at -0.6 and 0.6. Both networks are small, and the generator ends in a tanh, so that samples
# lie between -1 and 1. Every ten steps we ask it for 500 samples from the same noise: a **snapshot**. Each sick run
# differs from the healthy one by what stands in its line and by nothing else.

# %%
data = mg.data.Mixture("two modes", means=[[-0.6], [0.6]], stds=0.08)
STEPS, EVERY = 300, 10
HEALTHY = {"lr_g": 3e-3, "lr_d": 1e-2, "beta1": 0.0, "r1": 0.05, "r2": 0.05, "log_every": 5}
NO_PENALTY = {"r1": 0.0, "r2": 0.0}
CRITIC = {"loss": "wasserstein", "lr_g": 5e-3, "lr_d": 5e-3, "beta1": 0.5, "r1": 0.1, "r2": 0.0}
CASES = {
    "A": {"lr_d": 3e-5},
    "B": NO_PENALTY | {"loss": "wasserstein", "lr_g": 1.0, "lr_d": 1.0, "bounded": False},
    "C": {},
    "D": NO_PENALTY | {"loss": "minimax", "lr_g": 1e-5},
    "E": CRITIC,
    "F": {"lr_g": 1.0},
}


def network(rng, last=()):
    layers = [mg.nn.Dense(1, 24, rng=rng), mg.nn.Tanh(), mg.nn.Dense(24, 24, rng=rng), mg.nn.Tanh()]
    return mg.nn.Sequential(*layers, mg.nn.Dense(24, 1, rng=rng), *last)


def run(options, seed=0):
    """Return (the GAN, its snapshots, what stopped it or None)."""
    options = HEALTHY | {"bounded": True} | options
    last = [mg.nn.Tanh()] if options.pop("bounded") else []
    rng = mg.random.default_rng(seed)
    gan = mg.training.GAN(network(rng, last), network(rng), batch_size=64, compile=False, **options)
    snapshots = [(0, gan.sample(500))]
    try:
        while gan.step < STEPS:
            gan.fit(data, steps=EVERY, seed=None if gan.step else seed, progress=False)
            snapshots.append((gan.step, gan.sample(500)))
    except mg.errors.TrainingDiverged as error:
        return gan, snapshots, str(error)
    return gan, snapshots, None


runs = {letter: run(options) for letter, options in CASES.items()}

# %% [markdown]
# ## Losses alone
#
# First what everybody looks at. Dashed in black is the loss of D where generated and real samples are alike. One of the
# six runs is healthy. Which? Write down six guesses before you scroll on.

# %%
fig, axes = plt.subplots(2, 3, figsize=(9, 4.8), sharex=True)
for ax, (letter, (gan, _, _)) in zip(axes.flat, runs.items(), strict=True):
    steps = [record["step"] for record in gan.history]
    ax.plot(steps, [record["d_loss"] for record in gan.history], "C2", label="loss of D")
    ax.plot(steps, [record["g_loss"] for record in gan.history], "C1-.", label="loss of G")
    ax.axhline(gan.loss.equilibrium[0], color="k", linestyle="--", linewidth=1, label="D, in balance")
    ax.set_title(f"Run {letter}", fontsize=11)
for ax in axes[1]:
    ax.set_xlabel("training step")
for ax in axes[:, 0]:
    ax.set_ylabel("loss")
fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

# %% [markdown]
# Some give themselves away: losses that swing, that fall to zero, that have strange numbers on their axis. But look at
# A and C. In both, D stays near its balance, and balance has two reasons (lesson 8): G is as good as the data, or D has
# not learnt to tell.
#
# ## Samples over time
#
# Now the snapshots, one above each step: darker where more samples lie. Dashed blue lines are where the data is; what
# leaves the picture is drawn at its edge. Correct your guesses.


# %%
def draw_samples(ax, snapshots):
    """Draw how samples moved: steps to the right, their values upwards."""
    edges = np.linspace(-1.2, 1.2, 61)
    heights = np.array([np.histogram(np.clip(x, -1.19, 1.19), edges)[0] for _, x in snapshots]).T / 500
    heights = np.ma.masked_equal(heights, 0)  # no colour
    last = snapshots[-1][0]
    extent = (-EVERY / 2, last + EVERY / 2, edges[0], edges[-1])
    ax.imshow(heights, aspect="auto", origin="lower", cmap="Oranges", vmin=0, vmax=0.15, extent=extent)
    for mode in data.means[:, 0]:
        ax.axhline(mode, color="C0", linestyle="--", linewidth=1.2)
    ax.grid(False)


def gallery(runs, titles):
    fig, axes = plt.subplots(2, 3, figsize=(9, 4.8), sharex=True, sharey=True)
    for ax, letter in zip(axes.flat, runs, strict=True):
        draw_samples(ax, runs[letter][1])
        ax.set_title(titles[letter], fontsize=11)
    for ax in axes[1]:
        ax.set_xlabel("training step")
    for ax in axes[:, 0]:
        ax.set_ylabel("x, samples")
    return fig


gallery(runs, {letter: f"Run {letter}" for letter in runs})
plt.show()

# %% [markdown]
# C is the healthy one: its samples split, find both modes and stay. A sits in one place, beyond a mode. B has left the
# picture, for nothing bounds it. D hardly moves. E goes to and fro between the modes. F jumps to an end of the tanh and
# stays there.
#
# ## Symptoms
#
# A picture has to be looked at, and for images there is none like this one. So measure. Most symptoms are numbers that
# you know from other lessons, in units in which 1 or 1/2 is right:
#
# - **told apart**: the probability that D scores a real sample $x$ above a generated one, $P(D(x) > D(G(z)))$, where
#   equal scores count half. 1/2: cannot tell. It is the area under D's ROC curve. Unlike a loss, it means the same for
#   each loss function.
# - **pull**: the mean of $|\partial L_G / \partial a|$ over the logits $a$ of generated samples, the $1/n$ of the mean
#   taken out. For the minimax loss $\mathrm{E} \log(1 - \sigma(a))$ this is $\sigma(a)$, and for the non-saturating
#   one, $-\mathrm{E} \log \sigma(a)$, it is $1 - \sigma(a)$ (lesson 6). If D is sure of a fake, $a \to -\infty$, the
#   first one vanishes.
# - **variety**: the spread of the samples over that of the data. **shares**: of each mode, over its weight (lesson 10).
# - **distance**: sliced Wasserstein distance to the data, in standard deviations, less that between two real sets.
# - **stuck**: of the generator's worst layer, the share of units whose activation is flat whatever the noise.
# - **sway**: how the mean of the snapshots wanders in the second half of the run. Let $m_t$ be that mean, in units of
#   the data's spread. Its *size* is the root of the mean of $\|m_t - \bar m\|^2$; its *turns* count how often $m_t$
#   changes sides of $\bar m$. A slow drift has one turn, a wave has many.
#
# `symptoms_of` measures them from a GAN, its data and its snapshots.

# %%
symptoms = {letter: mg.training.symptoms_of(gan, data, *rest) for letter, (gan, *rest) in runs.items()}
print(f"{'run':4}{'told apart':>11}{'pull':>8}{'variety':>9}{'distance':>10}{'stuck':>7}{'sway':>7}    shares")
for letter, s in symptoms.items():
    sway = s.path.std()  # in one dimension
    numbers = f"{s.told_apart:11.2f}{s.pull:8.3f}{s.variety:9.2f}{s.distance:10.2f}{s.stuck:7.2f}{sway:7.2f}"
    print(f"{letter:4}{numbers}    {np.round(s.shares, 1)}")

# %% [markdown]
# No single column finds the healthy run. Most of the sick ones have too little variety, each for a reason of its own.
# Told apart near 1/2 is good news in C; in B it only says that D is lost.
#
# ## From symptoms to a name
#
# `diagnose` asks one rule after another and takes the first that holds. It gives evidence, and remedies to try.

# %%
for letter, s in symptoms.items():
    found = mg.training.diagnose(s)
    print(f"{letter}: {found.name.upper()}\n   {found.evidence}\n   {found.remedy}")

# %% [markdown]
# Why "the first that holds"? Sicknesses have consequences. A generator whose units are all stuck makes one and the same
# sample. So its variety is 0, as in mode collapse, and any discriminator tells it, as in "discriminator wins". Three
# rules hold, and one names the cause: the one nearest to it. The rules therefore go from causes to consequences. Peel
# the run F: heal one symptom on paper after another, and see what it would have been called.

# %%
patient = symptoms["F"]
print("F as it is:                     ", mg.training.diagnose(patient).name)
patient = dataclasses.replace(patient, stuck=0.0)
print("if no unit were stuck:          ", mg.training.diagnose(patient).name)
patient = dataclasses.replace(patient, told_apart=0.5)
print("if D could not tell, either:    ", mg.training.diagnose(patient).name)
patient = dataclasses.replace(patient, variety=1.0, shares=np.ones(2), kinds=1.0)
print("with all of the data's variety: ", mg.training.diagnose(patient).name)

# %% [markdown]
# (`minigan report` makes the same diagnosis of a run folder.)
#
# ## Treatment
#
# A diagnosis is a guess until the remedy works. In a run of your own you cannot undo the cause, for you do not know it;
# you take something from the list. Here, for
#
# - A, mode collapse: its list has a smaller rate of G. What counts is the rate *beside D's*, which is a hundred times
#   smaller here. In 300 steps there is no time to be slow, so D gets faster.
# - B, divergence: rates some hundred times smaller, R1 and R2. The loss stays what it is, and G stays unbounded.
# - D, discriminator wins: a larger rate of G. The loss stays minimax.
# - E, oscillation: no momentum, R2, and an average of the generator.
# - F, saturation: a smaller rate of G.
#
# Which will be well after 300 steps?

# %%
REMEDIES = {
    "A": {"lr_d": 3e-3},
    "B": {"lr_g": 3e-3, "lr_d": 1e-2, "r1": 0.1, "r2": 0.1},
    "C": {},
    "D": {"lr_g": 3e-3},
    "E": {"beta1": 0.0, "r2": 0.1, "ema": 0.95},
    "F": {"lr_g": 3e-3},
}
treated = {letter: run(CASES[letter] | REMEDIES[letter]) for letter in CASES if REMEDIES[letter]}
treated["C"] = runs["C"]
titles = {}
for letter in CASES:
    gan, *rest = treated[letter]
    after = mg.training.diagnose(mg.training.symptoms_of(gan, data, *rest)).name
    titles[letter] = f"{letter}: {mg.training.diagnose(symptoms[letter]).name}\n→ {after}"
gallery({letter: treated[letter] for letter in CASES}, titles)
plt.show()

# %% [markdown]
# All have left the state that they were in, and not all are equally well: A still breathes in and out, E's samples are
# too far out. One is the sickness next door, the other a matter of more steps. So run, diagnose, change one thing, and
# run again.

# %% [markdown]
# ## The sickness without a symptom
#
# One state looks like health: a generator that gives back its training data. Its samples are good ones, they are
# varied, and nothing swings. Only a comparison with *other* real data finds it (lesson 17). Where the data is finite,
# `symptoms_of` makes one: it sets a tenth of the points aside as if they were new. Twenty points, and a generator whose
# noise is six random signs; then the same with the first remedy of the list, more data.


# %%
def plane_gan(points, steps=600, seed=1):
    rng, nn = mg.random.default_rng([seed, 0]), mg.nn
    G = [nn.Dense(6, 32, rng=rng), nn.ReLU(), nn.Dense(32, 32, rng=rng), nn.ReLU(), nn.Dense(32, 2, rng=rng)]
    D = [nn.FourierFeatures(2, 16, 2.0, rng), nn.Dense(34, 32, rng=rng), nn.LeakyReLU(), nn.Dense(32, 32, rng=rng)]
    options = {"lr_g": 4e-3, "lr_d": 6e-3, "beta1": 0.0, "beta2": 0.9, "r1": 0.03, "ema": 0.98, "latent_signs": 6}
    D = nn.Sequential(*D, nn.LeakyReLU(), nn.Dense(32, 1, rng=rng))
    gan = mg.training.GAN(nn.Sequential(*G), D, "relativistic", batch_size=64, compile=False, **options)
    return gan.fit(points, steps=steps, seed=seed, progress=False)


fig, axes = plt.subplots(1, 2, figsize=(8, 4.1), sharex=True, sharey=True)
for ax, n in zip(axes, (20, 600), strict=True):
    points = mg.data.from_array(np.random.default_rng(51).uniform(-2, 2, size=(n, 2)))
    gan = plane_gan(points)
    s = mg.training.symptoms_of(gan, points)
    found = mg.training.diagnose(s)
    ax.plot(*np.asarray(points[:]).T, "o", color="C0", markersize=7 if n < 100 else 3, alpha=0.5, label="training data")
    ax.plot(*gan.sample(1000).T, "x", color="C1", markersize=5, label="generated")
    ax.set(xlabel="x₁", aspect="equal", xlim=(-2.5, 2.5), ylim=(-2.5, 2.5))
    ax.set_title(f"{n} points: {found.name}", fontsize=11)
    print(f"{n} points: distance {s.distance:.2f}, variety {s.variety:.2f}, told apart {s.told_apart:.2f}")
    print(f"   {found.evidence}")
axes[0].set_ylabel("x₂")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
plt.show()

# %% [markdown]
# (Six signs can make 64 samples and no more: with 600 points to learn, that is a defect too, and no rule asks for it.)
#
# ## Break it
#
# A doctor sees what is looked at. Diagnose E again, without its snapshots: what is it called now? Then change the
# symptoms of the healthy run C by hand, and find out how sick a run can be without being told. The thresholds are a
# compromise: no healthy run may be accused. So "healthy" says that none of the known failures is gross; that is all.

# %%
print("E without snapshots: ", mg.training.diagnose(mg.training.symptoms_of(runs["E"][0], data)).name)
well = symptoms["C"]
for change in ({"shares": np.array([0.2, 1.8])}, {"variety": 0.4}, {"told_apart": 0.9}, {"stuck": 0.9}):
    print(f"C with {change}: {mg.training.diagnose(dataclasses.replace(well, **change)).name}")

# %% [markdown]
# ## Exercises
#
# Write your answers in place of `raise NotImplementedError("your turn")`, then run `minigan lesson check 18`.


# %% exercise 18.1: can D tell?
def told_apart(real_logits, fake_logits):
    """Return the share of all pairs (real, fake) in which the real logit is the larger one; equal ones count half.

    real_logits is (N,), fake_logits is (M,), and there are N times M pairs.
    """
    # solution {
    difference = real_logits[:, None] - fake_logits
    return np.mean((difference > 0) + 0.5 * (difference == 0))
    # } solution


# %% exercise 18.2: how hard is G pulled?
def pulls(logits):
    """Return (pull of the minimax loss, pull of the non-saturating loss), two numbers.

    logits (N,) are those of generated samples. A pull is the mean of |dL/da| over them, for L = log(1 - sigmoid(a))
    and L = -log sigmoid(a). Logits may be -1000 or 1000: there must be no overflow. (`np.logaddexp` is one way.)
    """
    # solution {
    p = np.exp(-np.logaddexp(0, -logits))  # sigmoid(a)
    q = np.exp(-np.logaddexp(0, logits))  # 1 - sigmoid(a), exact also where it is tiny
    return p.mean(), q.mean()
    # } solution


# %% exercise 18.3: to and fro
def sway(path):
    """Return (size, turns) of a path (S, F): S places m_t in a space of F dimensions, one after the other.

    size is the root of the mean over t of the squared distance of m_t to the mean place. turns is how often m_t changes
    sides of the mean place along the line on which the path varies most: the first right singular vector of the centred
    path, `np.linalg.svd(...)[2][0]`. No m_t lies exactly at the mean place.
    """
    # solution {
    away = path - path.mean(axis=0)
    line = np.linalg.svd(away, full_matrices=False)[2][0]
    side = np.sign(away @ line)
    return np.sqrt((away**2).sum(axis=1).mean()), np.count_nonzero(side[1:] != side[:-1])
    # } solution


# %% setup
SOUND = mg.training.Symptoms(
    *(np.full(50, 1.39), 1.39),  # the loss of D, and where it is in balance
    logits=0.3,
    told_apart=0.5,
    pull=0.5,
    variety=1.0,
    distance=0.1,
    kinds=1.0,
)


# %% exercise 18.4: the cause comes first
def make_test(diagnose):
    """Return a property-based test: a stuck generator is called "saturation", whatever follows from it.

    The test, decorated with @given, draws a share `stuck` between 0.97 and 1, and at least told_apart and variety
    between 0 and 1. It puts them into `dataclasses.replace(SOUND, ...)`, and asserts the name that `diagnose` gives to
    these Symptoms. It must pass for `mg.training.diagnose`. It must fail for one that asks for consequences first.
    """

    # solution {
    @given(stuck=st.floats(0.97, 1), told_apart=st.floats(0, 1), variety=st.floats(0, 1), kinds=st.floats(0, 1))
    def test(**drawn):
        assert diagnose(dataclasses.replace(SOUND, **drawn)).name == "saturation"

    return test
    # } solution
