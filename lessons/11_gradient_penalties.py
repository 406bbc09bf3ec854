# %% [markdown]
# # 11. Gradients of gradients: penalties
#
# - **Goal:** derive the gradient of a gradient penalty by hand, and recognise the three mistakes that everybody makes
#   with it.
# - **Before:** lessons 3, 4 and 9.
# - **Minutes:** 80
#
# Lesson 9 showed what tames the game: a discriminator that is flat where the data is. So one adds the size of its slope
# to the loss. To descend on that, one needs the derivative of a derivative: how does the slope of $D$ with respect to
# its *input* change with its *weights*? Frameworks hide this behind a flag, and the code around the flag is where the
# bugs live. Here we do it once by hand.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()
rng = np.random.default_rng(0)

# %% [markdown]
# ## What a penalty does
#
# Two clusters on the line that overlap a little, real ones around 0.4, generated ones around -0.4. A small
# discriminator learns to tell them apart, with the R1 penalty
# $\tfrac{\gamma}{2} \, \frac{1}{N} \sum_n |\nabla_x D(x_n)|^2$ at the real samples. Sketch the logit $D(x)$ after 300
# steps: once for $\gamma = 0$, once for $\gamma = 1$.

# %%
real, fake = 0.4 + 0.3 * rng.normal(size=(64, 1)), -0.4 + 0.3 * rng.normal(size=(64, 1))
line = np.linspace(-2, 2, 161)[:, None]
loss = mg.losses.get("non_saturating")

fig, ax = plt.subplots()
for gamma, dashes in {0.0: "-", 0.1: "--", 1.0: "-."}.items():
    with mg.default_dtype("float64"):
        draws = mg.random.default_rng(0)
        D = mg.nn.Sequential(mg.nn.Dense(1, 16, rng=draws), mg.nn.Tanh(), mg.nn.Dense(16, 1, rng=draws))
    optimiser = mg.optim.Adam(D.parameters(), 0.02)
    for _ in range(300):
        total = loss.discriminator(D(real), D(fake)) + 0.5 * gamma * mg.penalties.r1(D, real)
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    ax.plot(line, D(line).numpy(), dashes, color="C2", label=f"γ = {gamma:g}")
ax.plot(real, np.full(64, -9.0), "|", color="C0", markersize=9)
ax.plot(fake, np.full(64, -10.0), "|", color="C1", markersize=9)
ax.text(1.3, -9.3, "real", color="C0")
ax.text(-1.95, -10.3, "generated", color="C1")
ax.set(xlabel="x", ylabel="logit D(x)", ylim=(-11, 11))
ax.set_title("R1 keeps the discriminator flat at the data")
ax.legend(handlelength=3)
plt.show()

# %% [markdown]
# Where there is real data, $D$ may hardly rise. A generated sample that has arrived there is not pushed any further.
#
# ## Backwards through the backward pass
#
# Take a discriminator with one hidden layer, $D(x) = w_2 \cdot \tanh(W_1 x + b_1) + b_2$. Lesson 3's way through it,
# for one sample, ends at the input:
#
# $$h = \tanh(W_1 x + b_1), \qquad s = w_2 \odot (1 - h^2), \qquad g = W_1^\top s = \nabla_x D(x).$$
#
# Now read these three lines as a *forward* computation. Its result is the penalty $R = \frac{1}{N} \sum_n |g_n|^2$, and
# its inputs are the weights. The chain rule runs backwards through it like through any other (a bar is a cotangent,
# $\bar u = \partial R / \partial u$):
#
# | forward | backward |
# |---|---|
# | $R = \frac{1}{N} \sum g_n \cdot g_n$ | $\bar g_n = \frac{2}{N} g_n$ |
# | $g_n = W_1^\top s_n$ | $\bar s_n = W_1 \bar g_n$, and $\bar W_1$ gets $s_n \bar g_n^\top$ |
# | $s_n = w_2 \odot (1 - h_n^2)$ | $\bar h_n = -2 \, \bar s_n \odot w_2 \odot h_n$ |
# | (the same line) | $\bar w_2$ gets $\bar s_n \odot (1 - h_n^2)$ |
# | $h_n = \tanh(a_n)$ | $\bar a_n = \bar h_n \odot (1 - h_n^2)$ |
# | $a_n = W_1 x_n + b_1$ | $\bar W_1$ gets $\bar a_n x_n^\top$ as well, and $\bar b_1$ gets $\bar a_n$ |
#
# $W_1$ is used twice, once on the way up and once on the way down, so it has *two* contributions. The second one is
# easy to forget, and the loss falls without it, too. And $b_2$ gets nothing: lifting $D$ as a whole changes no slope.
#
# The library does the same, with `create_graph=True`: it records the backward pass while it runs. `mg.penalties.r1`
# is built on this. Do the two agree, and what does the checker say?


# %% setup
def discriminator(x, W1, b1, w2):
    """Return the logits D(x) - b2, (N,), of samples x (N, I); W1 is (H, I), b1 and w2 are (H,)."""
    return np.tanh(x @ W1.T + b1) @ w2


def r1_by_slopes(x, W1, b1, w2):
    """Return the R1 penalty from the formula of g: a number."""
    h = np.tanh(x @ W1.T + b1)
    g = (w2 * (1 - h**2)) @ W1
    return np.sum(g * g) / len(x)


# %%
x, W1, b1, w2 = (rng.normal(size=shape) for shape in [(5, 3), (4, 3), (4,), (4,)])


def r1_by_autodiff(W1, b1, w2):
    return mg.penalties.r1(lambda x: mg.tanh(x @ W1.T + b1) @ w2, x)


value, gradients = mg.value_and_grad(r1_by_autodiff, argnums=(0, 1, 2))(W1, b1, w2)
print(f"by hand      R1 = {r1_by_slopes(x, W1, b1, w2):.12f}")
print(f"by autodiff  R1 = {value.item():.12f}")
report = mg.check_gradients(
    lambda W1, b1, w2: r1_by_slopes(x, W1, b1, w2),
    W1,
    b1,
    w2,
    grad=lambda *weights: tuple(g.numpy() for g in mg.grad(r1_by_autodiff, argnums=(0, 1, 2))(*weights)),
    seed=0,
)
print("gradient of the gradient by autodiff: right?", report.ok)

# %% [markdown]
# Because each derivative rule is written with operations that have rules themselves, the nesting has no end. Here are
# the derivatives of the sigmoid up to the fourth. Before you look: how many zeros has each?

# %%
a = np.linspace(-7, 7, 301)
fig, ax = plt.subplots()
f = mg.sigmoid
for order, dashes in enumerate(["-", "--", "-.", ":", (0, (6, 1, 1, 1))]):
    curve = f(a).numpy() if order == 0 else mg.vjp(f, a)[0].numpy()
    ax.plot(a, curve, linestyle=dashes, label=["σ", "σ'", "σ''", "σ'''", "σ''''"][order])
    f = (lambda previous: lambda x: mg.grad(lambda x: previous(x).sum())(x))(f)
ax.set(xlabel="logit a", ylabel="derivative of σ", title="Each is the gradient of the one before")
ax.legend(ncols=2, handlelength=3)
plt.show()

# %% [markdown]
# ## Three mistakes
#
# A penalty is a mean over the batch of something that each sample has on its own. So its value must not depend on the
# size of the batch. That is a test that needs no derivation, and it finds most bugs. WGAN-GP wants slope 1,
# $\frac{1}{N} \sum_n (|\nabla_x D(x_n)| - 1)^2$; take a critic $D(x) = w \cdot x$ with $|w| = 1$ exactly, for which
# the penalty is 0.
#
# - *Mean for sum.* All slopes come from one backward pass, starting at the *sum* of the logits: samples do not mix, so
#   the gradient of the sum holds each sample's own slope. Starting at the *mean* divides each slope by $N$.
# - *One norm for the batch.* `norm(g)` without an axis is the length of all slopes together, $\sqrt{N}$ times too
#   large.
# - *The wrong axis.* `norm(g, axis=0)` is the length of one feature over the batch. For images (N, C, H, W),
#   `axis=1` is wrong as well: it leaves a norm for each pixel. Flatten to (N, -1) first.

# %%
features = 16
w = rng.normal(size=features)
w /= np.linalg.norm(w)


def excess(norms):
    return np.mean((norms - 1) ** 2)


penalties = {
    "right": lambda g: excess(np.linalg.norm(g, axis=1)),
    "mean of the logits": lambda g: excess(np.linalg.norm(g / len(g), axis=1)),
    "one norm for the batch": lambda g: excess(np.linalg.norm(g)),
    "norm over axis 0": lambda g: excess(np.linalg.norm(g, axis=0)),
}
batches = 2 ** np.arange(9)
fig, ax = plt.subplots()
for (name, penalty), mark in zip(penalties.items(), "os^v", strict=True):
    values = [penalty(np.tile(w, (N, 1))) for N in batches]
    ax.plot(batches, values, marker=mark, label=name)
ax.set(
    xscale="log", yscale="symlog", xlabel="batch size N", ylabel="penalty of a critic with slope 1", ylim=(-0.1, 400)
)
ax.set_title("A penalty must not know the size of the batch")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# With the mean, the penalty rewards a slope of $N$, and people then tune $\lambda$ to make up for it. With one norm, it
# wants a slope of $1/\sqrt{N}$.
#
# A fourth mistake is not in the picture: **where** the slopes are taken. WGAN-GP wants a point on the line between a
# real and a generated sample, $x_n = e_n r_n + (1 - e_n) f_n$, with *one* random $e_n$ per sample. One $e$ for the
# whole batch tests one depth only. One per element fills the box that the two samples span, far from the line.

# %%
r, f = np.array([-1.5, -1.0]), np.array([1.5, 1.0])
n = 150
right = rng.uniform(size=(n, 1)) * (r - f) + f
boxed = rng.uniform(size=(n, 2)) * (r - f) + f
fig, ax = plt.subplots(figsize=(5.6, 3.8))
ax.plot(*boxed.T, "x", color="C3", markersize=4, label="e for each element")
ax.plot(*right.T, ".", color="C2", markersize=6, label="e for each sample")
ax.plot(*r, "o", color="C0", markersize=10)
ax.plot(*f, "s", color="C1", markersize=10)
ax.text(*(r + [0.1, -0.22]), "real", color="C0", weight="bold")
ax.text(*(f + [-0.1, 0.15]), "generated", color="C1", weight="bold", ha="right")
ax.set(xlabel="x₁", ylabel="x₂", aspect="equal", ylim=(-1.6, 2.1), title="Between two samples is a line, not a box")
ax.legend(loc="upper left", fontsize=9)
plt.show()

# %% [markdown]
# ## Break it
#
# The worst bug has the right value. In the first line below, the slopes are computed and then used as plain numbers, as
# `create_graph=False` or a `.detach()` in the wrong place would do. The loss that you log shows a penalty, and nothing
# descends on it. In the second line, only the way down the network is differentiated, the first contribution to
# $\bar W_1$. The third forgets the mean.
#
# Which diagnosis do you expect for each? Then find weights for which line two is as good as right. (What makes $\bar h$
# vanish? Try tiny weights. Then think of a relu network, where the second derivative of the activation is 0 almost
# everywhere.)


# %%
def numbers_only(W1, b1, w2):
    return np.zeros_like(W1), np.zeros_like(b1), np.zeros_like(w2)


def one_path(W1, b1, w2):
    h = np.tanh(x @ W1.T + b1)
    s = w2 * (1 - h**2)
    g_bar = 2 / len(x) * s @ W1
    s_bar = g_bar @ W1.T
    return s.T @ g_bar, np.zeros_like(b1), np.sum(s_bar * (1 - h**2), axis=0)


def no_mean(W1, b1, w2):
    return tuple(len(x) * g.numpy() for g in mg.grad(r1_by_autodiff, argnums=(0, 1, 2))(W1, b1, w2))


for claim in (numbers_only, one_path, no_mean):
    report = mg.check_gradients(
        lambda W1, b1, w2: r1_by_slopes(x, W1, b1, w2), W1, b1, w2, grad=claim, seed=0, raise_on_failure=False
    )
    print(f"{claim.__name__:16}right? {report.ok!s:7} argument {report.name!s:6} {report.diagnosis}")

# %% [markdown]
# A last trap is the norm itself. $|g| = \sqrt{g \cdot g}$ has no derivative at $g = 0$, and the formula
# $g / |g|$ gives 0/0 there. A relu critic is exactly flat wherever all of its units are off. One such sample in a
# batch, and all weights are `nan` after the step. R1 uses the square and is safe. `mg.norm` chooses the value 0, a
# subgradient; adding `1e-8` under the root is the popular patch, and bends the function a little for everyone else.
#
# ## Exercises
#
# Write your answers in place of `raise NotImplementedError("your turn")`, then run `minigan lesson check 11`. Use NumPy
# only, no difference quotients.


# %% exercise 11.1: the slope at every sample
def slopes(x, W1, b1, w2):
    """Return the gradient of D(x_n) with respect to x_n for every sample: (N, I).

    D(x) = w2 . tanh(W1 x + b1), with x (N, I), W1 (H, I), b1 and w2 (H,).
    """
    # solution {
    h = np.tanh(x @ W1.T + b1)
    return (w2 * (1 - h**2)) @ W1
    # } solution


# %% exercise 11.2: R1, differentiated by hand
def r1_gradients(x, W1, b1, w2):
    """Return the gradients (dW1, db1, dw2) of R = 1/N sum over n of |slope at x_n|^2, in the shapes of W1, b1, w2.

    The network is that of 11.1. Follow the table above, for all samples at once.
    """
    # solution {
    h = np.tanh(x @ W1.T + b1)
    s = w2 * (1 - h**2)
    g = s @ W1
    g_bar = 2 / len(x) * g
    s_bar = g_bar @ W1.T
    a_bar = -2 * s_bar * w2 * h * (1 - h**2)
    return s.T @ g_bar + a_bar.T @ x, a_bar.sum(axis=0), np.sum(s_bar * (1 - h**2), axis=0)
    # } solution


# %% exercise 11.3: between real and generated
def between(real, fake, rng):
    """Return e_n real_n + (1 - e_n) fake_n, in the shape of real: (N, ...), any number of axes.

    Each e_n is drawn from rng, a NumPy Generator, uniform between 0 and 1: one number for each sample n.
    """
    # solution {
    e = rng.uniform(size=(len(real),) + (1,) * (real.ndim - 1))
    return e * real + (1 - e) * fake
    # } solution


# %% exercise 11.4: the penalty on slopes, and its cotangent
def slope_penalty(g):
    """Return P = mean over n of (|g_n| - 1)^2, and its gradient with respect to g, in g's shape.

    g is (N, ...), the slope at each sample, with any number of axes; |g_n| is the length of all of sample n's slope.
    Where g_n is 0, its gradient is to be 0. No warnings.
    """
    # solution {
    flat = g.reshape(len(g), -1)
    lengths = np.linalg.norm(flat, axis=1, keepdims=True)
    directions = flat / np.where(lengths > 0, lengths, 1)
    return np.mean((lengths - 1) ** 2), (2 / len(g) * (lengths - 1) * directions).reshape(g.shape)
    # } solution
