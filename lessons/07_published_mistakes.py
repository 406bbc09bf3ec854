# %% [markdown]
# # 7. Published mistakes
#
# - **Goal:** refute formulas and listings that are in print, each with the instrument that fits: the checker for a
#   wrong gradient, a tiny run for a right gradient of the wrong loss.
# - **Before:** lessons 4 and 6.
# - **Minutes:** 90
#
# Tutorials, blog posts and much-used repositories on GANs contain mistakes, and they are copied, because the code runs
# and the loss moves. All of those in this lesson were found in the wild. None is here to laugh at: each is easy to
# make, and most of us have made it. What counts is how to find out. For every one, decide first what is wrong and what
# it will do, then look.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()
rng = np.random.default_rng(0)


def sigmoid(a):
    """Return 1 / (1 + exp(-a)) without overflow."""
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, small) / (1 + small)


# %% [markdown]
# ## Wrong gradients: ask the checker
#
# **The derivative by D that is none.** The value of the game is $V = \mathrm{E} \log D(x) + \mathrm{E} \log (1 -
# D(G(z)))$. One text states, as its derivative by D, $\mathrm{E}[\log D(x) - \log (1 - D(G(z)))] + \mathrm{E}[\log (1 -
# D(G(z)))]$. No logarithm was differentiated, and there is no direction in which D would change. (A directional
# derivative "without a direction" is in print, too.)
#
# **The double sigmoid.** D ends in a sigmoid, $p = \sigma(a)$, and goes into a cross-entropy that was told
# `from_logits=True`. So the loss computes $\sigma(\sigma(a))$.
#
# **The guard.** $-\log(\sigma(a) + 10^{-8})$, so that nothing is infinite.
#
# **Two wrongs.** A critic's loss $\mathrm{E}\,b - \mathrm{E}\,a$ whose hand-written gradient has the opposite sign, and
# a caller that unpacks the two parts in the wrong order. Together they are right, until somebody repairs one of them.


# %%
def value(real, fake):  # probabilities
    return np.mean(np.log(real)) + np.mean(np.log(1 - fake))


def undifferentiated(real, fake):
    return (np.log(real) - np.log(1 - fake)) / real.size, np.log(1 - fake) / fake.size


def cross_entropy(fake):  # what G minimises, by logits
    return np.mean(np.logaddexp(0, -fake))


def double_sigmoid(fake):
    p = sigmoid(fake)
    return -(1 - sigmoid(p)) * p * (1 - p) / fake.size


def guarded(fake):
    p = sigmoid(fake)
    return -p * (1 - p) / (p + 1e-8) / fake.size


def critic(real, fake):
    return np.mean(fake) - np.mean(real)


def negated(real, fake):
    return np.full_like(real, 1 / real.size), np.full_like(fake, -1 / fake.size)


def negated_and_swapped(real, fake):
    by_fake, by_real = negated(real, fake)  # it returns them the other way round
    return by_real, by_fake


real, fake = rng.uniform(0.1, 0.9, size=(2, 5))
a, b = rng.normal(size=(2, 5))
sure = np.array([-25.0, -22.0, -19.0])
cases = [
    ("no logarithm differentiated", value, (real, fake), undifferentiated),
    ("double sigmoid", cross_entropy, (b,), double_sigmoid),
    ("guard 1e-8, fakes at -1 to 1", cross_entropy, (b,), guarded),
    ("guard 1e-8, fakes below -18", cross_entropy, (sure,), guarded),
    ("critic, sign", critic, (a, b), negated),
    ("critic, sign and order", critic, (a, b), negated_and_swapped),
]
for name, f, inputs, claim in cases:
    report = mg.check_gradients(f, *inputs, grad=claim, seed=0, raise_on_failure=False)
    print(f"{name:32}{'right' if report.ok else 'WRONG':8}{report.diagnosis or ''}")

# %% [markdown]
# The checker finds all of them, and sees that two wrongs made a right. Even the guard is found where it seems to do no
# harm: as *precision*, in the eighth digit. Elsewhere it is deadly. Which loss still pulls G far on the left?

# %%
a = np.linspace(-40, 6, 400)
p = sigmoid(a)
fig, ax = plt.subplots(figsize=(7, 3.8))
ax.semilogy(a, sigmoid(-a), "k--", label="right: 1 - p")
ax.semilogy(a, p / (p + 1e-8) * sigmoid(-a), "C1", label="-log(p + 1e-8)")
ax.semilogy(a, p * (1 - sigmoid(p)) * sigmoid(-a), "C3-.", label="double sigmoid")
ax.axvline(-18.4, color="0.6", linewidth=0.9, linestyle=":")
ax.text(-18.8, 3, "p = 1e-8", ha="right", color="0.35")
ax.set(xlabel="a, logit of a fake", ylabel="size of G's gradient", ylim=(1e-11, 20))
ax.set_title("Two losses go silent where G is worst")
ax.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# ## Right gradients of the wrong loss: ask a run
#
# A checker compares a gradient with a loss. If the *loss* is wrong, it is content. So let us play: real samples around
# 3, $G(z) = d + z$ that starts at $d = 0$, and $D(x)$ with the logit $w x + c$. Here are published pairs of losses,
# both to be minimised; $D$ is a probability. Which of them arrive? Which go the wrong way, which nowhere?
#
# | | D minimises | G minimises |
# |---|---|---|
# | right | $-\log D(x) - \log (1 - D(G))$ | $-\log D(G)$ |
# | no minus, one log | $D(x) + \log (1 - D(G))$ | $-D(G)$, as a critic has |
# | G cooperates | $-V$ | $-V$: "L_G = -L_D", with $L_D$ the value that D maximises |
# | second sign | $-\log D(x) + \log (1 - D(G))$ | $-\log D(G)$ |
# | no fakes | $-\log D(x)$ | the same, $-\log D(x)$ |
# | one output | $-\log D(G) - \log (1 - D(G))$ | $-\log D(G)$ |
# | all variables | as "right", but both optimisers move both networks | |
#
# The third needs a second look: D maximises $V$ and "G minimises $L_G = -V$". So G maximises $V$ as well.


# %%
def log_d(a):
    return -mg.softplus(-a)


def log_not_d(a):
    return -mg.softplus(a)


LOSSES = {
    "right": (lambda a, b: -mg.mean(log_d(a)) - mg.mean(log_not_d(b)), lambda a, b: -mg.mean(log_d(b))),
    "no minus, one log": (lambda a, b: mg.mean(mg.sigmoid(a)) + mg.mean(log_not_d(b)), lambda a, b: -mg.mean(b)),
    "G cooperates": (lambda a, b: -mg.mean(log_d(a)) - mg.mean(log_not_d(b)),) * 2,
    "second sign": (lambda a, b: -mg.mean(log_d(a)) + mg.mean(log_not_d(b)), lambda a, b: -mg.mean(log_d(b))),
    "no fakes": (lambda a, b: -mg.mean(log_d(a)),) * 2,
    "one output": (lambda a, b: -mg.mean(log_d(b)) - mg.mean(log_not_d(b)), lambda a, b: -mg.mean(log_d(b))),
}
noise = mg.tensor(np.linspace(-1.5, 1.5, 16))
data = noise + 3.0


def play(d_loss, g_loss, steps=120, rate=0.3, all_variables=False):
    """Return d over the steps; D takes three small steps for each of G, and its weights decay a little."""

    def losses(w, c, d):
        a, b = w * data + c, w * (d + noise) + c
        return d_loss(a, b), g_loss(a, b)

    by_d = mg.grad(lambda w, c, d: losses(w, c, d)[0], argnums=(0, 1, 2))
    by_g = mg.grad(lambda w, c, d: losses(w, c, d)[1], argnums=(0, 1, 2))
    w, c, d = mg.tensor(0.1), mg.tensor(0.0), mg.tensor(0.0)
    path = [0.0]
    for _ in range(steps):
        for _ in range(3):
            dw, dc, dd = by_d(w, c, d)
            w, c = 0.97 * (w - rate * dw), 0.97 * (c - rate * dc)
            d = d - rate * dd if all_variables else d
        dw, dc, dd = by_g(w, c, d)
        w, c = (w - rate * dw, c - rate * dc) if all_variables else (w, c)
        d = d - rate * dd
        path.append(float(d.numpy()))
    return path


# %%
paths = {name: play(*losses) for name, losses in LOSSES.items()}
paths["all variables"] = play(*LOSSES["right"], all_variables=True)

fig, ax = plt.subplots(figsize=(7.2, 4.2))
ax.axhline(3, color="k", linestyle="--", linewidth=1.2)
ax.text(2, 3.2, "the data")
for i, (name, path) in enumerate(paths.items()):
    ax.plot(path, color=f"C{i}", marker="os^vDPX"[i], markevery=(3 * i, 20), markersize=5, label=name)
ax.set(xlabel="step of G", ylabel="d, where the fakes are", ylim=(-7, 9))
ax.set_title("One of seven games is a GAN")
ax.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))
plt.show()

# %% [markdown]
# "No fakes" stands still, and not by chance: G's loss does not contain G, its gradient is exactly 0. With "one output",
# D learns to say one half everywhere. With "second sign", it learns to call everything real, and G rests, praised.
# Where both optimisers move both networks, D helps G, and G helps D.
#
# One more published sentence would have arrived: "G maximises D's loss". That is the saturating loss of lesson 6,
# another gradient than the formula beside the sentence. To see the difference, one has to start far away.
#
# The second row was published for a D without a sigmoid, too. Then $1 - D$ may be negative, and its logarithm is `nan`.
#
# ## Gradient penalties
#
# A critic with slope 1 everywhere is what the penalty $\mathrm{E}_n (\lVert \nabla_x D(x_n) \rVert - 1)^2$ of WGAN-GP
# asks for; it should cost nothing (lesson 11 derives it). $D(x) = \langle w, x \rangle$ with $\lVert w \rVert = 1$ is
# one. All of these are in use:

# %%
w = rng.normal(size=6)
w /= np.linalg.norm(w)
VARIANTS = {
    "right: norm of each sample": lambda g: np.mean((np.linalg.norm(g, axis=1) - 1) ** 2),
    "norm over the wrong axis": lambda g: np.mean((np.linalg.norm(g, axis=0) - 1) ** 2),
    "norm of the whole batch": lambda g: (np.linalg.norm(g) - 1) ** 2,
    "each element on its own": lambda g: np.mean((np.abs(g) - 1) ** 2),
    "of sigmoid outputs": lambda g: np.mean((np.linalg.norm(0.25 * g, axis=1) - 1) ** 2),  # at logit 0, its largest
}
sizes = [1, 8, 64, 512]
print("what a perfect critic has to pay".ljust(32) + "".join(f"{f'batch {n}':>11}" for n in sizes))
for name, penalty in VARIANTS.items():
    costs = [penalty(np.tile(w, (n, 1))) for n in sizes]  # the gradient of D at each of n samples is w
    print(f"{name:32}" + "".join(f"{cost:11.3f}" for cost in costs))

# %% [markdown]
# None of the four is right for every batch, and two grow with its size (drawn in lesson 11).
#
# Two more leave the value alone. **One epsilon per batch** instead of one per sample puts all points at the same
# fraction of the way: the mean is right, but the noise from step to step does not average out. **Never propagated**:
# the slope is computed outside the graph, the penalty is printed and has no gradient.

# %%
e = (rng.random((2000, 64)) - 0.5) ** 2  # 2,000 batches of 64; a parabola stands for what changes along the way
print(f"noise of a penalty: {e.mean(axis=1).std():.4f} with an epsilon for each sample, {e[:, 0].std():.4f} with one")
report = mg.check_gradients(
    lambda w: (np.linalg.norm(w) - 1) ** 2, 3 * w, grad=np.zeros_like, seed=0, raise_on_failure=False
)
print("never propagated:  ", report.diagnosis)

# %% [markdown]
# ## Checks that let them pass
#
# Gradient *checks* are published with mistakes, too. Four claims, of which one is right, for the mean of 10,000
# softplus; and three checks from known libraries and courses, in spirit:
#
# - **positive**: random directions, but all with positive elements. The sum of the gradient drowns everything else.
# - **ones**: one fixed direction, $v = (1, \dots, 1)$.
# - **size**: the tolerance is $10^{-4}$ *times the number of elements*.

# %%
a = np.sort(rng.normal(size=10_000))
right = sigmoid(a) / a.size
claims = {"right": right, "reversed": right[::-1], "random signs": right * rng.choice([-1, 1], a.size), "zero": 0 * a}


def agree(claim, v, relative):
    return abs(claim @ v - right @ v) < relative * abs(right @ v)


checks = {
    "positive": lambda claim: agree(claim, np.random.default_rng(1).random(a.size) ** 2, 0.05),
    "ones": lambda claim: agree(claim, np.ones(a.size), 1e-6),
    "size": lambda claim: abs(claim @ a - right @ a) < 1e-4 * a.size,
    "minigan": lambda claim: (
        mg.check_gradients(
            lambda a: np.mean(np.logaddexp(0, a)), a, grad=lambda a: claim.copy(), seed=0, raise_on_failure=False
        ).ok
    ),
}
print(f"{'claim':16}" + "".join(f"{name:>10}" for name in checks))
for name, claim in claims.items():
    print(f"{name:16}" + "".join(f"{'passes' if passed(claim) else 'fails':>10}" for passed in checks.values()))

# %% [markdown]
# A relative of these: `assert loss - 0.3133 < 1e-2`. Every smaller value passes, and minus a million is smaller. An
# assertion about a number needs two sides.
#
# ## Short ones
#
# Each of these stood in print as well. Say what will be printed before you run the cell.

# %%
# 1. "Noise": 0.1 z + 0.9.
z = 0.1 * rng.normal(size=10_000) + 0.9
print(f"1. noise with mean {z.mean():.2f} and deviation {z.std():.2f}: nearly the same z for every sample")

# 2. Images (28, 28, 1) go into a dense layer, which acts on the last axis.
layer = mg.nn.Dense(1, 16)
image = np.zeros((1, 28, 28, 1), dtype=np.float32)
before = layer(mg.tensor(image)).numpy()
image[0, 5, 7] = 1
changed = (layer(mg.tensor(image)).numpy() != before).any(axis=-1)
print(f"2. one pixel moves {changed.sum()} of {changed.size} places: no place sees its neighbours")

# 3. A ring of eight modes at np.linspace(0, 2 pi, 8).
angles = np.linspace(0, 2 * np.pi, 8)
points = {(round(x, 6) + 0.0, round(y, 6) + 0.0) for x, y in zip(np.cos(angles), np.sin(angles), strict=True)}
print(f"3. {len(points)} different modes")

# 4. Weights clipped to [-0.01, 0.01], "against vanishing gradients", in D: 1 - 20 - 20 - 1 with ReLU.
x = rng.normal(size=(100, 1))
for limit in (np.inf, 0.01):
    W1, W2, W3 = (np.clip(rng.normal(size=s) * np.sqrt(2 / s[1]), -limit, limit) for s in [(20, 1), (20, 20), (1, 20)])
    on1 = x @ W1.T > 0
    on2 = (on1 * (x @ W1.T)) @ W2.T > 0
    print(f"4. clipped at {limit}: D's input gradient is {np.abs((on2 * W3) @ W2 * on1 @ W1).mean():.1e}")

# 5. One Adam for both networks: after a step of G, D's turn, in which G has the gradient 0.
G = mg.tensor(np.array([1.0]))
G.requires_grad = True
adam = mg.optim.Adam([G], lr=0.1)
for gradient in (1.0, 0.0):
    G.grad = mg.tensor(np.array([gradient]))
    adam.step()
    print(f"5. gradient {gradient:.0f}: G is at {G.numpy()[0]:.3f}")

# %% [markdown]
# Some cannot be run at all: a G that makes 1 value for a D that takes 100; a loss that is built outside of the tape, so
# that every gradient is `None`; noise with four axes for a generator of vectors. A library should refuse these with a
# sentence. The list goes on where it belongs: no topological sort (lesson 2), a softmax that is summed (lesson 4), "an
# autoencoder and a VAE differ in nothing" (lesson 17), "the hidden state is updated from the output" (lesson 12).
#
# ## Break it
#
# Here is the double sigmoid, played. Does it arrive? Compare with the picture above: why is this run kind to it? Then
# publish a mistake of your own: write a pair of losses that looks right, and with which G goes astray.

# %%
mine = (
    lambda a, b: mg.mean(mg.softplus(-mg.sigmoid(a))) + mg.mean(mg.softplus(mg.sigmoid(b))),
    lambda a, b: mg.mean(mg.softplus(-mg.sigmoid(b))),
)
path = play(*mine)
print("d after 0, 30, 60, 90, 120 steps:", [round(path[i], 2) for i in range(0, 121, 30)])

# %% [markdown]
# ## Exercises
#
# When you have written your answers, run `minigan lesson check 07`.


# %% exercise 07.1: the derivative by D, repaired
def value_derivative(D_real, D_fake, h_real, h_fake):
    """Return the derivative of V in direction h: V = mean log D_real + mean log(1 - D_fake), a number.

    D_real and h_real are (N,): D(x) at the real samples, a probability, and by how much it changes. D_fake and h_fake
    are (M,): the same at the fakes.
    """
    # solution {
    return np.mean(h_real / D_real) - np.mean(h_fake / (1 - D_fake))
    # } solution


# %% exercise 07.2: what a double sigmoid leaves
def double_sigmoid_share(a):
    """Return, for logits a of any shape, the gradient of a double sigmoid over the right one, on label 1.

    Right is the derivative by a of softplus(-a). With the double sigmoid, the loss is softplus(-sigmoid(a)). The share
    must be right to all digits at a = 40, too.
    """
    # solution {
    # -(1 - sigmoid(p)) p (1 - p) over -(1 - p): what goes to 0 at a = 40 cancels on paper.
    p = sigmoid(a)
    return (1 - sigmoid(p)) * p
    # } solution


# %% exercise 07.3: a test for losses
def opposed(d_loss, g_loss, real, fake):
    """Return True if the losses make a game, at these logits: a function to be kept among your tests.

    d_loss and g_loss are functions of (real, fake), arrays (N, 1) and (M, 1) of logits, that return numbers. Minimising
    d_loss must raise every real logit and lower every fake one; minimising g_loss must raise every fake logit. Take
    derivatives by differences: central ones, or mg.directional_derivative.
    """

    # solution {
    def slopes(f, x):
        """Return the derivative of f by each element of x."""
        units = np.eye(x.size).reshape(-1, *x.shape)
        return np.array([(f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5 for v in units])

    d_by_real = slopes(lambda real: d_loss(real, fake), real)
    d_by_fake = slopes(lambda fake: d_loss(real, fake), fake)
    g_by_fake = slopes(lambda fake: g_loss(real, fake), fake)
    return bool(np.all(d_by_real < 0) and np.all(d_by_fake > 0) and np.all(g_by_fake < 0))
    # } solution


# %% exercise 07.4: the penalty of each sample
def gradient_penalty(gradients):
    """Return the mean over samples of (norm of the sample's gradient - 1)^2.

    gradients is (N, ...): D's gradient by each sample, with any number of further axes, such as (N, C, H, W).
    """
    # solution {
    norms = np.sqrt(np.sum(gradients.reshape(len(gradients), -1) ** 2, axis=1))
    return np.mean((norms - 1) ** 2)
    # } solution
