# %% [markdown]
# # 6. The GAN game
#
# - **Goal:** derive the best discriminator, what it measures, and the gradients of both players; know which loss a
#   generator can start from.
# - **Before:** lessons 4 and 5; densities, expectations, the logarithm.
# - **Minutes:** 75
#
# Two networks, two losses, and neither loss can be read off without the other network: that is what makes GANs hard to
# think about. So this lesson takes the networks away. If the discriminator were perfect, everything could be computed,
# and then we see what the generator is told: how far away it is, and in which direction to go.

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


def softplus(a):
    """Return log(1 + exp(a)) without overflow."""
    return np.logaddexp(0, a)


def normal(x, mean, std):
    """Return the density of a normal distribution at x."""
    return np.exp(-((x - mean) ** 2) / (2 * std**2)) / (std * np.sqrt(2 * np.pi))


# %% [markdown]
# ## The value
#
# Real samples $x$ have the density $p$. The generator makes $G(z)$ from noise, with the density $q$. The discriminator
# returns a probability $D(x)$ that $x$ is real. Call
# ([Goodfellow and others, 2014](https://arxiv.org/abs/1406.2661), equation 1)
#
# $$V(D, G) = \mathrm{E}_{x \sim p} \log D(x) + \mathrm{E}_{z} \log (1 - D(G(z)))$$
#
# the **value** of the game: the log-probability of being right, on real samples and on fakes. D *maximises* it, G
# *minimises* it. As losses, which everybody minimises: $L_D = -V$ and $L_G = +V$, of which G only sees the second term.
# Half of the bugs in the next lesson are a lost minus sign here.
#
# ## The best discriminator
#
# Fix G. Written as one integral, $V = \int p \log D + q \log (1 - D) \, dx$, and D may choose its value at every $x$ on
# its own. At one $x$, the slope of $p \log D + q \log (1 - D)$ is $p/D - q/(1-D)$, zero at
#
# $$D^*(x) = \frac{p(x)}{p(x) + q(x)}, \qquad \text{as a logit:} \quad a^*(x) = \log \frac{p(x)}{q(x)}.$$
#
# The second derivative is negative, so this is a maximum. Below is a data distribution with two modes, and a generator
# that covers both with one hump. Before you look at the lower picture: how often does $D^*$ cross one half, and where?

# %%
x = np.linspace(-5, 5, 1001)
p = 0.5 * normal(x, -1.6, 0.5) + 0.5 * normal(x, 1.2, 0.7)
q = normal(x, 0, 1.5)
best = p / (p + q)

fig, (upper, lower) = plt.subplots(2, 1, figsize=(6.8, 4.6), sharex=True, height_ratios=[3, 2])
upper.fill_between(x, p, color="C0", alpha=0.3, linewidth=0, label="real, p")
upper.plot(x, q, "C1", label="generated, q")
upper.set(ylabel="density", title="The best D compares two densities")
upper.legend()
lower.plot(x, best, "C2")
lower.axhline(0.5, color="k", linestyle="--", linewidth=1.1)
for place in x[:-1][np.diff(np.sign(best - 0.5)) != 0]:
    for ax in (upper, lower):
        ax.axvline(place, color="0.6", linewidth=0.8, linestyle=":")
lower.set(xlabel="x", ylabel="D*(x), 0 to 1", ylim=(-0.03, 1.03), yticks=[0, 0.5, 1])
plt.show()

# %% [markdown]
# It is one half wherever the curves cross. G reads the slope: it should move its samples to where $D^*$ is higher.
#
# ## What the best discriminator measures
#
# Put $D^*$ into $V$, and write $m = (p + q)/2$ for the mean of the two densities. Then $D^* = p / 2m$, and
#
# $$V(D^*, G) = \int p \log \frac{p}{2m} + q \log \frac{q}{2m} \; dx = -\log 4 + 2 \, \mathrm{JSD}(p, q),$$
#
# $$\mathrm{JSD}(p, q) = \tfrac{1}{2} \mathrm{KL}(p, m) + \tfrac{1}{2} \mathrm{KL}(q, m), \qquad
# \mathrm{KL}(p, m) = \int p \log \frac{p}{m} \; dx.$$
#
# The **Jensen-Shannon divergence** is 0 if $p = q$ and at most $\log 2$. So at the end of a perfect training, $D = 1/2$
# everywhere and $L_D = \log 4 \approx 1.386$. A discriminator loss of 0 is no success: it is a lost game.
#
# Try it: real samples from $N(0, 1)$, fakes from $N(d, 1)$. The best logit is a straight line of slope $-d$ through the
# middle. On the left, D may only choose that slope, and its value is drawn. On the right is what D reports about the
# distance $d$. Predict its shape for large $d$.


# %%
def mean_over(density, values):
    """Return the expectation of values (given on the grid x) under a density."""
    return np.trapezoid(density * values, x)


def jensen_shannon(p, q):
    """Return JSD from two densities on the grid x."""
    m = (p + q) / 2
    return (mean_over(p, np.log(p / m)) + mean_over(q, np.log(q / m))) / 2


x = np.linspace(-12, 20, 4001)
d = 2.0
slopes = np.linspace(0, 6, 61)
p, q = normal(x, 0, 1), normal(x, d, 1)
values = [-mean_over(p, softplus(w * (x - d / 2))) - mean_over(q, softplus(-w * (x - d / 2))) for w in slopes]
top = -np.log(4) + 2 * jensen_shannon(p, q)
print(f"highest value over the slopes {max(values):.6f} at slope -{slopes[np.argmax(values)]:.1f}")
print(f"-log 4 + 2 JSD                {top:.6f}")

fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8))
left.plot(-slopes, values, "C2")
left.axhline(top, color="k", linestyle="--", linewidth=1.1, label="-log 4 + 2 JSD(p, q)")
left.legend(fontsize=9, loc="lower left")
left.plot(-d, top, "o", color="C2")
left.set(xlabel="slope of D's logit", ylabel="value V of the game", title="The best slope is -d (here d = 2)")
distances = np.linspace(0, 8, 41)
right.plot(distances, [jensen_shannon(p, normal(x, d, 1)) for d in distances], "C2", label="JSD(p, q)")
right.axhline(np.log(2), color="k", linestyle="--", linewidth=1.1, label="log 2")
right.plot(distances, distances / 8, "C3-.", label="d / 8, for comparison")
right.set(xlabel="d, distance of the two means", ylabel="divergence, nats", title="Far is far")
right.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# From $d = 5$ on, the report is flat: "they can be told apart", no matter how far. A number that does not change has no
# gradient. A generator that starts far away, and every generator of images does, must be told more than JSD.
#
# ## Both players' gradients
#
# Let $a$ be the logits of $n$ real samples, $b$ those of $n$ fakes, and $p = \sigma(a)$ or $\sigma(b)$ the probability
# that D gives them. With $-\log \sigma(a) = \mathrm{softplus}(-a)$, $-\log (1 - \sigma(b)) = \mathrm{softplus}(b)$ and
# $\mathrm{softplus}' = \sigma$:
#
# | loss | as logits | gradient by a logit |
# |---|---|---|
# | D, real part | mean of $\mathrm{softplus}(-a)$ | $-(1 - p) / n$ |
# | D, fake part | mean of $\mathrm{softplus}(b)$ | $p / n$ |
# | G, saturating: $\log (1 - D)$ | mean of $-\mathrm{softplus}(b)$ | $-p / n$ |
# | G, non-saturating: $-\log D$ | mean of $\mathrm{softplus}(-b)$ | $-(1 - p) / n$ |
#
# The two losses of G have the same sign: raise the logits of the fakes. They differ in *whom* they listen to. If D is
# sure that a sample is fake ($p \to 0$), the first gives it a weight of $p$, nothing. The second gives it full weight.
#
# From the logit, the chain rule goes on: through D to its input, and through G to its parameters,
#
# $$\frac{\partial L_G}{\partial \theta} = \sum_n \frac{\partial L_G}{\partial b_n} \; \nabla_x b(x_n) \;
# \frac{\partial G(z_n)}{\partial \theta}, \qquad x_n = G(z_n).$$
#
# The middle factor is the *only* thing that G ever learns about the data. Take again $p = N(0, 1)$, and the smallest
# generator, $G(z) = d + z$. For it, $\partial G / \partial d = 1$ and $\nabla_x a^* = -d$. On the right is the gradient
# by $d$, under the best D. Both losses pull towards 0; how hard, where they are far away?

# %%
b = np.linspace(-8, 8, 201)
z = np.sqrt(2) * np.polynomial.hermite.hermgauss(80)[0]  # z and weights: exact means over a normal z
weight = np.polynomial.hermite.hermgauss(80)[1] / np.sqrt(np.pi)
distances = np.linspace(0.1, 8, 40)
pulls = {"saturating": [], "non-saturating": []}
for d in distances:
    logits = -d * (d + z - d / 2)
    pulls["saturating"].append(weight @ (sigmoid(logits) * d))
    pulls["non-saturating"].append(weight @ (sigmoid(-logits) * d))
h = 1e-3
slope = [(jensen_shannon(p, normal(x, d + h, 1)) - jensen_shannon(p, normal(x, d - h, 1))) / (2 * h) for d in distances]

fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8))
left.plot(b, sigmoid(b), "C1", label="saturating, p")
left.plot(b, sigmoid(-b), "C3--", label="non-saturating, 1 - p")
left.text(-7.8, 0.5, "D is sure:\nfake", color="0.35")
left.text(7.8, 0.5, "D is fooled", color="0.35", ha="right")
left.set(xlabel="logit of a fake", ylabel="weight of the sample in the gradient", ylim=(-0.05, 1.4))
left.set_title("Whom G listens to")
left.legend(loc="upper center", fontsize=9)
right.semilogy(distances, pulls["saturating"], "o-", color="C1", markersize=4, label="saturating")
right.semilogy(distances, pulls["non-saturating"], "s-", color="C3", markersize=4, label="non-saturating")
right.semilogy(distances, 2 * np.array(slope), "k--", linewidth=1.2, label="slope of 2 JSD")
right.semilogy(distances, distances - 2 * np.array(slope), "k:", linewidth=1.5, label="slope of KL(q, p) - 2 JSD")
right.set(xlabel="d, distance to the data", ylabel="pull on d", title="How hard it is pulled", ylim=(1e-4, 30))
right.legend(fontsize=9, loc="lower left")
plt.show()

# %% [markdown]
# The saturating loss follows $2\,\mathrm{JSD}$ to the letter (the dashes), and dies with it. The non-saturating loss
# follows another divergence, $\mathrm{KL}(q, p) - 2\,\mathrm{JSD}$
# ([Arjovsky and Bottou, 2017](https://arxiv.org/abs/1701.04862), theorem 2.5): the two weights add up to 1, so the two
# pulls add up to that of KL, which is $d^2/2$ with slope $d$. Near the data, both are alike.
#
# In code, the hand-derived gradients are what minigan's losses use:

# %%
fake = np.array([[-6.0], [-2.0], [0.0], [2.0]])
print("logits of the fakes             ", fake.ravel())
for name in ("minimax", "non_saturating"):
    _, by_fake = mg.losses.get(name).generator_grad(None, fake)  # there is no gradient by real logits
    print(f"n times the gradient, {name:14}", (4 * by_fake).ravel().round(4))

# %% [markdown]
# ## Break it
#
# Gradient descent on $d$ alone, with the best D at every step. `sure` multiplies the logits of D: 1 is the best D, 2 is
# one that has overfitted its samples, 0.3 is one that has been trained for a moment only. Find a D with which even the
# saturating loss arrives from 9. Then find out what a larger `rate` does to the other one.

# %%
sure, rate = 1.0, 0.1
# sure = 0.1


def steps_until_there(start, pull, most=3000):
    d = start
    for step in range(most):
        if abs(d) < 0.1:
            return str(step)
        if abs(d) > 100:
            return "flies away"
        logits = sure * -d * (d + z - d / 2)
        d -= rate * (weight @ (pull(logits) * sure * d))
    return f"not in {most}, still {d:.2f} away"


print(f"{'start':>6}{'non-saturating':>17}   saturating")
for start in (1.0, 3.0, 5.0, 7.0, 9.0):
    non, saturating = (steps_until_there(start, pull) for pull in (lambda b: sigmoid(-b), sigmoid))
    print(f"{start:6.1f}{non:>17}   {saturating}")

# %% [markdown]
# That is the old advice "do not train D to the end", and where it comes from: with the saturating loss, a good D is a
# silent one. With the other loss, or with D held smooth (lesson 11), the better D, the better for G.
#
# ## Exercises
#
# When you have written your answers, run `minigan lesson check 06`.


# %% exercise 06.1: the best discriminator between two normals
def best_logit(x, mean_p, std_p, mean_q, std_q):
    """Return the logit log p(x)/q(x) of the best discriminator between p = N(mean_p, std_p^2) and q likewise.

    x is an array of any shape. The result must also be finite where both densities are too small for a float64.
    """
    # solution {
    return ((x - mean_q) / std_q) ** 2 / 2 - ((x - mean_p) / std_p) ** 2 / 2 + np.log(std_q / std_p)
    # } solution


# %% exercise 06.2: Jensen-Shannon of two histograms
def jsd(p, q):
    """Return the Jensen-Shannon divergence, in nats, of two histograms p and q: (K,) shares that add up to 1.

    Some shares may be 0: what is 0 log 0, as a limit? No warnings, please.
    """

    # solution {
    def kl(p, m):
        there = p > 0
        return np.sum(p[there] * np.log(p[there] / m[there]))

    m = (p + q) / 2
    return (kl(p, m) + kl(q, m)) / 2
    # } solution


# %% exercise 06.3: the discriminator's gradient
def discriminator_grad(real, fake):
    """Return the gradients (by real, by fake) of L_D = mean softplus(-real) + mean softplus(fake).

    real is (N, 1), fake (M, 1): logits. `sigmoid` is above.
    """
    # solution {
    return -sigmoid(-real) / real.size, sigmoid(fake) / fake.size
    # } solution


# %% exercise 06.4: the generator's gradient, to the end
def generator_grad(shift, scale, z, logit, slope):
    """Return the gradients (by shift, by scale) of the non-saturating loss of G(z) = shift + scale * z.

    The loss is the mean of softplus(-logit(G(z))). shift and scale are numbers, z is (N,). The functions logit and
    slope take samples (N,), and return D's logit at each and its derivative by x.
    """
    # solution {
    x = shift + scale * z
    by_x = -sigmoid(-logit(x)) / len(z) * slope(x)
    return np.sum(by_x), np.sum(by_x * z)
    # } solution
