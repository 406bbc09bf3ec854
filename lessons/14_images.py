# %% [markdown]
# # 14. Images: what a GAN makes, and what it looks at
#
# - **Goal:** train a dense GAN on small images, measure what it makes in two ways, walk through its noise, and see
#   which pixels its discriminator goes by.
# - **Before:** lessons 6, 8 and 11; eigenvalues of symmetric matrices.
# - **Minutes:** 80
#
# On the line a histogram shows whether a generator is right. An image of 28 by 28 pixels is a point in a space of 784
# dimensions, and nobody has seen a histogram there. So we need other eyes: distances between distributions that can be
# computed from samples, paths through the noise, and the gradient of the discriminator with respect to its *input*.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## The data and the networks
#
# `mg.data.glyphs` draws digits in many fonts, turned, sheared and shifted: images like those of MNIST, without a
# download. (`mg.data.mnist()` has the same form, if you have it.) The networks are dense: an image is a row of 784
# numbers to them, and no pixel knows its neighbours. The last layer of the generator is a sigmoid, because grey values
# lie between 0 and 1; the last layer of the discriminator is none, because losses want logits.

# %%
data = mg.data.glyphs(2000)
images, classes = data.sample(1000, 0), data.labels
Z = 32  # entries of the noise
rng = mg.random.default_rng(0)
G = mg.nn.Sequential(
    mg.nn.Dense(Z, 96, rng=rng),
    mg.nn.LeakyReLU(),
    mg.nn.Dense(96, 96, rng=rng),
    mg.nn.LeakyReLU(),
    mg.nn.Dense(96, 784, rng=rng),
    mg.nn.Sigmoid(),
    mg.nn.Reshape(1, 28, 28),
)
D = mg.nn.Sequential(
    mg.nn.Flatten(),
    mg.nn.Dense(784, 96, rng=rng),
    mg.nn.LeakyReLU(),
    mg.nn.Dense(96, 96, rng=rng),
    mg.nn.LeakyReLU(),
    mg.nn.Dense(96, 1, rng=rng),
)
options = {"batch_size": 64, "lr_g": 2e-3, "lr_d": 2e-3, "r1": 3.0, "r2": 3.0, "ema": 0.98, "compile": False}
gan = mg.training.GAN(G, D, "relativistic", **options)

# %% [markdown]
# Six hundred steps: each of the 2,000 images is seen about twenty times. We stop four times to look, at the *same*
# noise. Which do you expect first, strokes or the black margin?

# %%
fixed = mg.random.default_rng(1).normal((12, Z))
stops, stages, generated = [0, 50, 200, 600], [], []
for before, stop in zip([0, *stops], stops, strict=False):
    if stop:
        gan.fit(data, steps=stop - before, seed=0 if before == 0 else None, progress=False)
    stages.append(gan.decode(fixed))
    generated.append(gan.sample(1000, seed=0))
mg.plots.image_walks(
    np.stack(stages), labels=[f"step {stop}" for stop in stops], title="First the margin, then strokes"
)

# %% [markdown]
# ## How far from real?
#
# Two distributions of images are to be compared by one number. The **Fréchet distance** compares no images but
# *features*, a few numbers per image, and of these only mean and covariance. Between two normal distributions, the
# smallest mean square distance at which the points of one can be moved to the other is known exactly:
#
# $$d^2 = \|m_1 - m_2\|^2 + \mathrm{tr}\left(C_1 + C_2 - 2 \, (C_1 C_2)^{1/2}\right).$$
#
# In one dimension that is $(m_1 - m_2)^2 + (s_1 - s_2)^2$: both the place and the width count. With the features of a
# certain large network it is called FID. Ours are humbler: the image's coordinates along the ten directions in which
# real images vary most (principal components). The distance of two sets of *real* images is not zero either, because
# they are finite. That is the floor; without it, no such number means anything.
#
# A second eye is cruder and sees other things: give each image the digit whose average it is nearest to, and count. A
# generator that makes no sevens may well have a small Fréchet distance.

# %%
flat = images.reshape(1000, -1).astype(float)
directions = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:10]
digit_means = np.stack([data[classes == k].reshape(-1, 784).mean(axis=0) for k in range(10)])


def features(x):
    return x.reshape(len(x), -1) @ directions.T


def shares(x):
    squared = ((x.reshape(len(x), 1, -1) - digit_means) ** 2).sum(axis=-1)
    return np.bincount(squared.argmin(axis=1), minlength=10) / len(x)


distances = [mg.metrics.frechet_distance(features(x), features(images)) for x in generated]
floor = mg.metrics.frechet_distance(features(data.sample(1000, 1)), features(images))

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.4))
left.semilogy(stops, distances, "o-", color="C1", label="generated")
left.axhline(floor, color="k", linestyle="--", linewidth=1.2, label="real images among themselves")
left.set(xlabel="training steps", ylabel="Fréchet distance, squared", title="Nearer, and not there")
left.legend(fontsize=9)
digits = np.arange(10)
right.bar(digits - 0.2, shares(images), 0.4, color="C0", label="real")
right.bar(digits + 0.2, shares(generated[-1]), 0.4, color="C1", hatch="//", edgecolor="w", label="generated")
right.set(xlabel="digit whose average is nearest", ylabel="share of the images", xticks=digits)
right.set_title("Some digits are made more often")
right.legend(fontsize=9)
plt.show()

# %% [markdown]
# ## Walks through the noise
#
# What is between two samples? Choose two noise vectors $a$ and $b$ and walk from one to the other. Not on a straight
# line: a normal vector of $Z$ entries has squared length $\sum z_i^2$, mean $Z$ and standard deviation $\sqrt{2Z}$. So
# it is always about $\sqrt Z$ long, and the middle of two independent ones, $(a + b)/2$, has variance 1/2 per entry:
# length $\sqrt{Z/2}$. The generator has never seen anything like it. On the arc
#
# $$z(t) = \cos\left(\tfrac{\pi}{2} t\right) a + \sin\left(\tfrac{\pi}{2} t\right) b$$
#
# every point has variance $\cos^2 + \sin^2 = 1$ per entry, as in training. (For vectors at another angle than 90
# degrees there is a better arc, see exercise 14.2.)

# %%
ends = np.random.default_rng(2).normal(size=(2, 200, Z))
t = np.linspace(0, 1, 11)[:, None, None]
line = (1 - t) * ends[0] + t * ends[1]
arc = np.cos(np.pi / 2 * t) * ends[0] + np.sin(np.pi / 2 * t) * ends[1]

fig, ax = plt.subplots(figsize=(6.4, 3.4))
usual = np.linalg.norm(np.random.default_rng(3).normal(size=(2000, Z)), axis=1)
ax.axhspan(*np.quantile(usual, [0.05, 0.95]), color="0.85", label="90 % of all noise")
for path, style, name in (line, "s-C1", "straight line"), (arc, "o-C0", "arc"):
    ax.plot(t.ravel(), np.linalg.norm(path, axis=-1).mean(axis=1), style, label=name)
ax.set(xlabel="t, way from a to b", ylabel="mean length of z(t)", ylim=(0, None))
ax.set_title("A straight line leaves the shell where noise lives")
ax.legend(loc="lower right")
plt.show()

# %%
walks = arc[:, :5].swapaxes(0, 1)  # (walk, step, Z)
made = gan.decode(mg.tensor(walks.reshape(-1, Z).astype(np.float32)))
mg.plots.image_walks(made.reshape(5, 11, 1, 28, 28), title="Most images on the way are digits, too")

# %% [markdown]
# A generator that had learnt its training images by heart would jump. This one changes a stroke at a time.
#
# ## What the discriminator looks at
#
# Lesson 1 asked how a function changes along a direction. Take as the function the logit $D(x)$, and as the direction
# one pixel $(i, j)$ that becomes brighter: the derivative $\partial D / \partial x_{ij}$ says whether that would make
# the image more real in the eyes of $D$. All 784 of them come from one backward pass: it goes on through the first
# layer to the input. Nothing new is needed; the generator's training uses this very gradient. Predict: is it large
# where the strokes are, at their edges, or in the margin?

# %%
shown = np.concatenate([images[:5], generated[-1][:5]])
pixels = mg.tensor(shown, requires_grad=True)
logits = D(pixels)
logits.sum().backward()  # each logit depends on its own image only
mg.plots.saliency(
    shown,
    pixels.grad.numpy(),
    scores=logits.numpy().ravel(),
    title="Five real, five generated; blue: brighter helps",
)

# %% [markdown]
# It is not the strokes that stand out. In the margin, where no image ever has ink, the gradient is nearly zero: nothing
# pushed those weights. In the middle it is a speckle of both signs, for a dense discriminator has a weight of its own
# for every pixel. That is what the generator learns from, and one reason why its images look the way they do. Lesson 15
# builds networks that know what a neighbour is.
#
# ## Break it
#
# The generator was trained with noise of length about $\sqrt{32} \approx 5.7$. Scale it: at 0 there is one image, the
# same for all. What happens at twice, at four times the length? Predict the rows. Then compute the Fréchet distance and
# the `shares` of each: shortened noise makes more typical images, and fewer kinds of them.

# %%
scales = [0.0, 0.4, 0.7, 1.0, 2.0, 4.0]
rows = np.stack([gan.decode(scale * fixed) for scale in scales])
mg.plots.image_walks(rows, labels=[f"{scale:g} z" for scale in scales], title="The length of the noise is a contrast")

# %% [markdown]
# Were you surprised by the last rows? A network of leaky ReLUs without biases is homogeneous: $G(s z) = s G(z)$ before
# the sigmoid. The biases are small here, so longer noise drives the same pixels further into black and white. *Which*
# digit it is lies in the direction of $z$, which is one more reason to walk on arcs.
#
# ## Exercises
#
# When you have written your answers, run `minigan lesson check 14`.


# %% exercise 14.1: Fréchet distance
def frechet(mean1, covariance1, mean2, covariance2):
    """Return the squared Fréchet distance of two normal distributions, the formula above.

    Means are (F,), covariances (F, F). The square root is that of a matrix, but only its trace is needed: the sum of
    the square roots of the eigenvalues of the product. These are real and not negative, up to rounding; covariances may
    be singular. The result is a number, and never nan.
    """
    # solution {
    eigenvalues = np.linalg.eigvals(covariance1 @ covariance2).real.clip(0)
    widths = np.trace(covariance1) + np.trace(covariance2) - 2 * np.sqrt(eigenvalues).sum()
    return np.sum((mean1 - mean2) ** 2) + widths
    # } solution


# %% exercise 14.2: the arc
def slerp(a, b, t):
    """Return points (S, Z) on the arc from a (Z,) to b (Z,) at the times t (S,), 0 at a and 1 at b.

    With w the angle between a and b: (sin((1 - t) w) a + sin(t w) b) / sin w. For vectors of equal length it keeps that
    length and moves at a constant speed. You may assume that a and b are not parallel.
    """
    # solution {
    w = np.arccos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))
    t = t[:, None]
    return (np.sin((1 - t) * w) * a + np.sin(t * w) * b) / np.sin(w)
    # } solution


# %% exercise 14.3: what a small discriminator looks at
def saliency(x, W, b, v, slope=0.2):
    """Return the gradient (N, I) of each sample's logit D(x_n) with respect to that sample.

    D(x) = v . f(W x + b), with x (N, I), W (O, I), b and v (O,), and f the leaky ReLU: a where a > 0,
    slope a elsewhere. It is no mean: each row is the gradient of its own logit.
    """
    # solution {
    a = x @ W.T + b
    return (v * np.where(a > 0, 1, slope)) @ W
    # } solution
