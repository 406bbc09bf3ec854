# %% [markdown]
# # 15. Convolution and batch normalisation: the pieces of a DCGAN
#
# - **Goal:** write a convolution, its transpose and the backward pass of batch normalisation by hand, and see what they
#   give a GAN of images.
# - **Before:** lessons 3, 4 and 14.
# - **Minutes:** 100
#
# A dense layer does not know that two pixels are neighbours: shuffle the pixels of all images in the same way, and it
# learns just as well. A **convolution** looks at small windows, and at every window with the same weights. A generator
# needs the way back, from few places to many: the **transposed** convolution. And networks of several layers train
# better if every layer's inputs stay in range: **batch normalisation**. These three made the first GANs of good images.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## A convolution is a matrix
#
# On the line first. A kernel $w$ of $k$ weights slides over $x$ in steps of the **stride** $s$; outside of $x$ there
# are zeros, $p$ of them on each side (**padding**):
#
# $$y_i = \sum_{a=0}^{k-1} w_a \, x_{s i + a - p}, \qquad
# H' = \left\lfloor \frac{H + 2p - k}{s} \right\rfloor + 1 \text{ outputs}.$$
#
# (Networks do not turn the kernel around, as mathematicians do when they say convolution.) This is linear in $x$, so
# there is a matrix: $y = A x$. Each of its rows holds the kernel, shifted by $s$. A dense layer from 12 to 6 has 72
# weights; this one has 4, the same in every row.
#
# Backward through any linear map goes its transpose (lesson 3): $dx = A^\top dy$. That is a way from few places to
# many: each output *lays the kernel*, weighted, over the inputs that it looked at, and where windows overlap the values
# add. Used forward, in a generator, it is called a transposed convolution. ("Deconvolution" is a misnomer: $A^\top$ is
# not $A^{-1}$.)


# %%
def matrix(w, size, stride, padding):
    """Return the matrix A (H', H) of a convolution on the line, each column the outcome of a unit vector."""
    unit = mg.tensor(np.eye(size).reshape(size, 1, size, 1))
    kernel = mg.tensor(np.reshape(w, (1, 1, len(w), 1)))
    return mg.ops.conv2d(unit, kernel, None, (stride, 1), (padding, 0)).numpy().reshape(size, -1).T


A = matrix(np.array([1.0, 2.0, 3.0, 4.0]), 12, 2, 1)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6), width_ratios=[2, 1])
for ax, values, rows, columns in (
    (left, A, "outputs i", "inputs, 12 places"),
    (right, A.T, "outputs, 12 places", "inputs"),
):
    ax.imshow(np.where(values, values, np.nan), cmap="Blues", vmin=0, vmax=5)
    for i, j in np.argwhere(values):
        ax.text(j, i, f"{values[i, j]:g}", ha="center", va="center", fontsize=8, color="w" if values[i, j] > 2 else "k")
    ax.grid(False)
    ax.set(xlabel=columns, ylabel=rows)
left.set_title("Convolution, stride 2: a kernel in each row")
right.set_title("Its transpose")
plt.show()

# %% [markdown]
# ## Checkerboards
#
# How many values are laid on each place? With kernel 4 and stride 2, two on every place (at the ends, some fall off).
# With kernel 3 and stride 2 it is one here and two there. Even if all weights and all inputs are equal, the output then
# is not: a pattern with the period of the stride. Predict the pattern in the plane, then look.

# %%
fig, axes = plt.subplots(1, 3, figsize=(8, 3.1))
for ax, k in zip(axes, (3, 4, 5), strict=True):
    flat = mg.tensor(np.ones((1, 1, 8, 8)))
    laid = mg.ops.conv_transpose2d(flat, mg.tensor(np.ones((1, 1, k, k))), None, 2, 1).numpy()[0, 0]
    picture = ax.imshow(laid[1:-1, 1:-1], cmap="viridis", vmin=0, vmax=9)
    ax.set(title=f"kernel {k}, stride 2", xticks=[], yticks=[])
fig.colorbar(picture, ax=axes, shrink=0.8, label="values laid on a pixel")
plt.show()

# %% [markdown]
# So DCGANs take kernels that the stride divides: 4 and 2, with padding 1, which doubles height and width exactly.
#
# ## Images have channels
#
# In the plane, with $C$ channels in and $O$ out, and the same window in all channels:
#
# $$y_{noij} = \sum_{c,a,b} w_{ocab} \; x_{n,c,\,si+a-p,\,sj+b-p}.$$
#
# Fast code gathers all windows of all images as the rows of one large matrix, $C k^2$ columns wide: that is called
# **im2col**. Then the sum is a product with the weights, reshaped to $(O, C k^2)$. The gradient with respect to the
# weights is a product with the same matrix, and the gradient with respect to $x$ adds each row of a product back to
# where its window was. You will write the first and the last of these.
#
# ## Batch normalisation
#
# For each channel, over the $m$ values that a batch has for it:
#
# $$\hat x_i = \frac{x_i - \mu}{\sigma}, \quad y_i = \gamma \hat x_i + \beta, \qquad
# \mu = \frac1m \sum_i x_i, \quad \sigma^2 = \frac1m \sum_i (x_i - \mu)^2 + \varepsilon.$$
#
# What is its backward pass? The easy mistake is to take $\mu$ and $\sigma$ for constants; but every $x_i$ moves both.
# Take differentials: $d\mu = \overline{dx}$ (a bar is a mean over $i$) and $\sigma \, d\sigma = \overline{(x - \mu) \,
# dx}$, so $d\sigma = \overline{\hat x \, dx}$. Then
#
# $$d\hat x_i = \frac{1}{\sigma} \left( dx_i - \overline{dx} - \hat x_i \, \overline{\hat x \, dx} \right).$$
#
# The bracket is a projection: it takes out of $dx$ what is along $(1, \dots, 1)$ and what is along $\hat x$. No wonder:
# to shift or to stretch all $x$ changes nothing in $\hat x$. A projection is its own transpose, so the cotangent $g$ of
# $y$ goes back through the *same* formula, with $\gamma g$ in the place of $dx$. The gradients of $\gamma$ and $\beta$
# are sums over $i$, as in any layer.
#
# Below, $g$ is random; the gradient with respect to $x$ is what autodiff says. If the algebra is right, both of its
# products with the two forbidden directions are zero: the first up to rounding, the second up to $\varepsilon$.

# %%
rng = np.random.default_rng(0)
x = mg.tensor(rng.normal(2.0, 3.0, size=(64, 1)), requires_grad=True)
bn = mg.nn.BatchNorm1d(1)
g = rng.normal(size=(64, 1))
(bn(x) * mg.tensor(g)).sum().backward()
dx, x_hat = x.grad.numpy(), (x.numpy() - x.numpy().mean()) / x.numpy().std()
print(
    f"<dx, 1> = {np.sum(dx):.1e}    <dx, x_hat> = {np.sum(dx * x_hat):.1e}    length of dx = {np.linalg.norm(dx):.2f}"
)

fig, ax = plt.subplots(figsize=(6.4, 3.4))
naive = g / x.numpy().std()
ax.plot(x_hat, naive, "s", color="C1", markersize=4, label="mean and variance taken for constants")
ax.plot(x_hat, dx, "o", color="C0", markersize=4, label="the gradient")
for values, style in (naive, "C1--"), (dx, "C0-"):
    ends = np.array([x_hat.min(), x_hat.max()])
    ax.plot(ends, np.polyval(np.polyfit(x_hat.ravel(), values.ravel(), 1), ends), style, linewidth=1.2)
ax.set(xlabel="normalised input", ylabel="derivative with respect to x")
ax.set_title("No mean, no slope: both are projected out")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# This means that samples of a batch are no longer alone: the gradient of one sample's output reaches all of them. In a
# discriminator with a gradient penalty, which is about each sample's own gradient, that is a mistake. It is the reason
# why the discriminator below has none.
#
# ## A small DCGAN
#
# The generator turns noise into 24 channels of 7 by 7, doubles twice, and normalises in between. The discriminator
# halves twice. Compare with the dense pair of lesson 14: fewer weights, fewer steps, smoother strokes.

# %%
init = mg.random.default_rng(0)
C = 12
G = mg.nn.Sequential(
    mg.nn.Dense(32, 2 * C * 49, rng=init),
    mg.nn.Reshape(2 * C, 7, 7),
    mg.nn.BatchNorm2d(2 * C),
    mg.nn.ReLU(),
    mg.nn.ConvTranspose2d(2 * C, C, 4, stride=2, padding=1, rng=init),  # 14 x 14
    mg.nn.BatchNorm2d(C),
    mg.nn.ReLU(),
    mg.nn.ConvTranspose2d(C, 1, 4, stride=2, padding=1, rng=init),  # 28 x 28
    mg.nn.Sigmoid(),
)
D = mg.nn.Sequential(
    mg.nn.Conv2d(1, C, 4, stride=2, padding=1, rng=init),
    mg.nn.LeakyReLU(),
    mg.nn.Conv2d(C, 2 * C, 4, stride=2, padding=1, rng=init),
    mg.nn.LeakyReLU(),
    mg.nn.Flatten(),
    mg.nn.Dense(2 * C * 49, 1, rng=init),
)
data = mg.data.glyphs(2000)
gan = mg.training.GAN(G, D, batch_size=32, lr_g=2e-3, lr_d=2e-3, r1=1.0, ema=0.98, compile=False)
fixed = mg.random.default_rng(1).normal((12, 32))
stops, stages = [0, 20, 80, 220], []
for before, stop in zip([0, *stops], stops, strict=False):
    if stop:
        gan.fit(data, steps=stop - before, seed=0 if before == 0 else None, progress=False)
    stages.append(gan.decode(fixed))
for name, network in ("generator", G), ("discriminator", D):
    print(f"{name:14}{sum(p.size for p in network.parameters()):7,} parameters")
mg.plots.image_walks(np.stack(stages), labels=[f"step {stop}" for stop in stops], title="Strokes come in one piece")

# %% [markdown]
# And what does this discriminator look at? Its gradient in the input passes transposed convolutions on the way back.
# Predict two things about it from what you know of them, then look.

# %%
shown = np.concatenate([data.sample(5, 0), stages[-1][:5]])
pixels = mg.tensor(shown, requires_grad=True)
logits = D(pixels)
logits.sum().backward()
mg.plots.saliency(
    shown,
    pixels.grad.numpy(),
    scores=logits.numpy().ravel(),
    title="The gradient follows strokes, and strides",
)

# %% [markdown]
# It is strongest along the strokes: windows with the same weights find edges wherever they are. And it has the lattice
# of the stride: kernels are laid at every second pixel. The generator's first samples (step 20) show the same lattice.
#
# ## Break it
#
# In training mode, batch normalisation makes an image depend on its neighbours in the batch. Here the same noise vector
# is decoded in three batches. Predict: in which mode are the three the same? What would a batch of one do? In
# `GAN.sample` the generator is in evaluation mode, with running averages. What if these had never been updated?

# %%
probe = fixed[:1]
batches = [mg.random.default_rng(seed).normal((7, 32)) * scale for seed, scale in ((2, 1), (3, 1), (4, 0.2))]
for mode in ("train", "eval"):
    getattr(G, mode)()
    with mg.no_grad(), mg.nn.frozen_statistics():
        made = [G(mg.concatenate([probe, batch])).numpy()[0] for batch in batches]
    differences = [np.abs(image - made[0]).max() for image in made]
    print(f"{mode:6} largest difference of a pixel to the first:", " ".join(f"{d:.3f}" for d in differences))
G.train()

# %% [markdown]
# ## Exercises
#
# NumPy only, in float64. Kernels are square, stride and padding the same in both directions. When you have written your
# answers, run `minigan lesson check 15`.


# %% exercise 15.1: convolution, by way of im2col
def conv2d(x, w, stride=1, padding=0):
    """Return the convolution (N, O, H', W') of images x (N, C, H, W) with kernels w (O, C, k, k), equation above.

    No loop over samples, channels or places: fill an array of windows with a loop over the k * k entries of the kernel
    (slices with a step), then use one product. Leave x as it is.
    """
    # solution {
    N, C, H, W = x.shape
    k = w.shape[2]
    rows, columns = ((size + 2 * padding - k) // stride + 1 for size in (H, W))
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    windows = np.empty((N, rows, columns, C, k, k))
    for a in range(k):
        for b in range(k):
            seen = x[:, :, a : a + stride * rows : stride, b : b + stride * columns : stride]
            windows[..., a, b] = seen[:, :, :rows, :columns].transpose(0, 2, 3, 1)
    y = windows.reshape(N, rows, columns, -1) @ w.reshape(len(w), -1).T
    return y.transpose(0, 3, 1, 2)
    # } solution


# %% exercise 15.2: its transpose
def conv_transpose2d(y, w, stride=1, padding=0):
    """Return x (N, C, H, W) of y (N, O, H', W') and kernels w (O, C, k, k): the transpose of `conv2d` with this w.

    H = stride (H' - 1) + k - 2 padding, W alike. Each value of y lays its kernel over a window of x, and what overlaps
    adds up; then the padding is cut off. Loop over the entries of the kernel again.
    """
    # solution {
    N, _, rows, columns = y.shape
    _, C, k, _ = w.shape
    x = np.zeros((N, C, stride * (rows - 1) + k, stride * (columns - 1) + k))
    for a in range(k):
        for b in range(k):
            laid = np.einsum("noij,oc->ncij", y, w[:, :, a, b])
            x[:, :, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride] += laid
    return x[:, :, padding : x.shape[2] - padding, padding : x.shape[3] - padding]
    # } solution


# %% exercise 15.3: batch normalisation, backward
def batch_norm_backward(x, gamma, g, eps=1e-5):
    """Return the gradients (dx, dgamma, dbeta) of batch normalisation in training mode, of shapes (N, C), (C,), (C,).

    x is (N, C), gamma (C,), and g (N, C) the cotangent of y. Mean and variance are over the batch, axis 0; the variance
    is the mean of squares (no N - 1), and eps is added to it.
    """
    # solution {
    sigma = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / sigma
    g_hat = gamma * g
    dx = (g_hat - g_hat.mean(axis=0) - x_hat * (x_hat * g_hat).mean(axis=0)) / sigma
    return dx, (g * x_hat).sum(axis=0), g.sum(axis=0)
    # } solution
