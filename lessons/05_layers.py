# %% [markdown]
# # 5. Dense and sigmoid layers by hand
#
# - **Goal:** derive the backward pass of a whole network, choose weights to start from, and measure how gradients die
#   with depth.
# - **Before:** lessons 3 and 4; variance of a sum of independent numbers.
# - **Minutes:** 70
#
# The generator of a GAN never sees a real sample. All that it learns comes through the discriminator: a gradient that
# has to pass every layer of the one network before it reaches the first layer of the other. If it shrinks to a quarter
# at each, nothing arrives. So we follow it layer by layer: by hand, then in pictures.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()
rng = np.random.default_rng(0)


def sigmoid(a):
    """Return 1 / (1 + exp(-a)); exp is only taken of what is not positive, so that nothing overflows."""
    small = np.exp(-np.abs(a))
    return np.where(a >= 0, 1, small) / (1 + small)


# %% [markdown]
# ## Forward, and what to keep
#
# A layer is a dense map and a function of each element. With $h_0 = x$, of shape (N, I), layer $l$ computes
#
# $$a_l = h_{l-1} W_l^\top + b_l, \qquad h_l = f(a_l).$$
#
# The last layer has no $f$: it returns one logit per sample, $a_L$ of shape (N, 1), and the loss is a mean over the
# logits. For a discriminator that looks at real samples, $L = \frac{1}{N} \sum_n \mathrm{softplus}(-a_{L,n})$, which is
# the mean of $-\log p$.
#
# ## Backward, one line per layer
#
# Let $g_l$ be the cotangent of $h_l$, and $\delta_l$ the one of $a_l$. Lesson 3 has the rules of the dense map. The
# function $f$ acts on each element, so its Jacobian is diagonal, and its rule is a product of elements:
#
# | forward | backward |
# |---|---|
# | $h_l = f(a_l)$ | $\delta_l = g_l \odot f'(a_l)$ |
# | $a_l = h_{l-1} W_l^\top + b_l$, by the weight | $\bar W_l = \delta_l^\top h_{l-1}$ |
# | by the bias | $\bar b_l = \sum_n \delta_{l,n}$ |
# | by what comes from below | $g_{l-1} = \delta_l W_l$ |
#
# The first cotangent comes from the loss: $\delta_L = -\sigma(-a_L)/N$ for the mean of $\mathrm{softplus}(-a)$. In
# words: the derivative of $-\log p$ by the logit is $-(1 - p)$, and the mean divides by $N$. After that, nothing needs
# another $1/N$: products with $\delta$ carry it along.
#
# For the sigmoid, $f'(a) = p (1 - p)$ with $p = \sigma(a)$. In a computer, that is a trap: at $a = 40$, $p$ rounds to 1
# and the product to 0. But $1 - p = \sigma(-a)$, which is $4 \cdot 10^{-18}$ there, to all digits.

# %%
a = np.array([0.0, 10.0, 30.0, 36.0, 40.0, -40.0])
print("a                      " + "".join(f"{x:12.0f}" for x in a))
print("sigmoid(a) (1 - ...)   " + "".join(f"{x:12.3e}" for x in sigmoid(a) * (1 - sigmoid(a))))
print("sigmoid(a) sigmoid(-a) " + "".join(f"{x:12.3e}" for x in sigmoid(a) * sigmoid(-a)))


# %% [markdown]
# Here is the whole of it for a network of any depth, without biases to keep the pictures clean. It returns the
# cotangents that the pictures need. You will write the gradients of the weights yourself.


# %%
def forward(x, weights, f):
    """Return all a and all h of a network whose every layer is followed by f."""
    inputs, outputs = [], [x]
    for W in weights:
        inputs.append(outputs[-1] @ W.T)
        outputs.append(f(inputs[-1]))
    return inputs, outputs


def cotangents(inputs, weights, slope, g):
    """Return the cotangents of all h, the first layer's input first, from the cotangent g of the last."""
    gs = [g]
    for a, W in zip(inputs[::-1], weights[::-1], strict=True):
        gs.append((gs[-1] * slope(a)) @ W)
    return gs[::-1]


weights = [rng.normal(size=(4, 3)), rng.normal(size=(5, 4))]
c = rng.normal(size=(6, 5))  # weighs the outputs, as in lesson 4
report = mg.check_gradients(
    lambda x: np.sum(c * forward(x, weights, np.tanh)[1][-1]),
    rng.normal(size=(6, 3)),
    grad=lambda x: cotangents(forward(x, weights, np.tanh)[0], weights, lambda a: 1 - np.tanh(a) ** 2, c)[0],
    seed=0,
)
print(report)

# %% [markdown]
# ## Where to start from
#
# Weights start as random numbers with mean 0 and some variance $s^2$. How large? One element of $a = h W^\top$ is a sum
# of $I$ products of independent numbers, so variances add up:
#
# $$\mathrm{E}[a^2] = I \, s^2 \, \mathrm{E}[h^2].$$
#
# On the way back, an element of $g = \delta W$ is a sum over the $O$ outputs: $\mathrm{E}[g^2] = O \, s^2 \,
# \mathrm{E}[\delta^2]$. So a signal neither grows nor dies where $s^2 = 1/I$, a gradient where $s^2 = 1/O$. Between
# layers of one width there is no conflict, else one takes the mean of $I$ and $O$
# ([Glorot and Bengio, 2010](https://proceedings.mlr.press/v9/glorot10a.html)).
#
# Take 30 layers of width 100 with tanh, and three values of $s$: $0.5/\sqrt{I}$, $1/\sqrt{I}$ and $3/\sqrt{I}$. The
# signal of the largest cannot explode, because tanh ends at 1. What will its gradient do?


# %%
def rms(x):
    return np.sqrt(np.mean(x**2))


DEPTH, WIDTH = 30, 100
x = rng.normal(size=(50, WIDTH))
g = rng.normal(size=(50, WIDTH))
fig, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.8), sharex=True)
for i, factor in enumerate([0.5, 1.0, 3.0]):
    weights = [factor / np.sqrt(WIDTH) * rng.normal(size=(WIDTH, WIDTH)) for _ in range(DEPTH)]
    inputs, outputs = forward(x, weights, np.tanh)
    back = cotangents(inputs, weights, lambda a: 1 - np.tanh(a) ** 2, g)
    style = {"color": f"C{i}", "marker": "os^"[i], "markersize": 3.5, "label": f"s = {factor} / √I"}
    left.semilogy([rms(h) for h in outputs], **style)
    right.semilogy([rms(g) for g in back], **style)
left.set(xlabel="layer (0: the input)", ylabel="size of h (root mean square)", title="The signal, forward")
right.set(xlabel="layer (0: the input)", ylabel="size of its cotangent", title="The gradient, backward")
right.annotate("", xy=(13, 1e-8), xytext=(29, 1e-8), arrowprops={"arrowstyle": "-|>", "color": "0.4"})
left.legend(fontsize=9)
plt.show()

# %% [markdown]
# Too small, and both die: a factor of 0.5 per layer, $10^{-9}$ after 30. Too large, and the signal looks healthy at 0.9
# while the gradient explodes. Whoever watches the outputs only will not see it. With $s = 1/\sqrt{I}$ both last.
#
# The slope of $f$ has its say, too: $\mathrm{E}[\delta^2] = \mathrm{E}[g^2] \, \mathrm{E}[f'(a)^2]$ if the two are
# independent. For ReLU, half of the slopes are 1 and the rest 0. That halves the mean square, forward as well as
# backward, and $s^2 = 2/I$ makes up for it ([He and others, 2015](https://arxiv.org/abs/1502.01852)).
#
# ## Vanishing with depth
#
# The slope of the sigmoid is at most $\sigma'(0) = 1/4$. With $s^2 = 1/O$, each layer leaves at most a quarter of the
# gradient. To pass a quarter on is no small thing: how much of a gradient arrives at the first of 12 layers?

# %%
DEPTH = 12
functions = {
    "ReLU, s² = 2/I": (2.0, lambda a: np.maximum(a, 0), lambda a: 1.0 * (a > 0)),
    "tanh, s² = 1/I": (1.0, np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "sigmoid, s² = 1/I": (1.0, sigmoid, lambda a: sigmoid(a) * sigmoid(-a)),
}
fig, ax = plt.subplots(figsize=(7, 3.8))
for i, (name, (variance, f, slope)) in enumerate(functions.items()):
    weights = [np.sqrt(variance / WIDTH) * rng.normal(size=(WIDTH, WIDTH)) for _ in range(DEPTH)]
    inputs, _ = forward(x, weights, f)
    sizes = [rms(g) for g in cotangents(inputs, weights, slope, g)]
    ax.semilogy(sizes, "os^"[i] + "-", markersize=4.5, color=f"C{i}", label=name)
    print(f"{name:18} the first layer gets {sizes[0] / sizes[-1]:.1e} of the gradient")
layers = np.arange(DEPTH + 1)
ax.semilogy(layers, 4.0 ** (layers - DEPTH), "k--", linewidth=1.2, label="a quarter per layer")
ax.set(xlabel="layer (0: the input, 12: the output)", ylabel="size of the cotangent (root mean square)")
ax.set_title("Twelve sigmoids eat seven digits of the gradient")
ax.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# That is why GANs use ReLU and its leaky relatives inside, and keep the sigmoid for the very end. There it belongs to
# the loss, and the two together have a healthy gradient: $\sigma(a) - 1$, no product of small slopes. It is also why
# the discriminator returns logits in this course, and no probabilities.
#
# ## Break it
#
# Zero is a popular start for biases. Why not for weights? Below, a network of four hidden neurons sees 1D samples. The
# gradient of its first weights tells each neuron where to go. Before you run it: what do four neurons learn that start
# from the same weights? Then try to break the tie with the biases alone, or with one weight.

# %%
samples = mg.tensor(rng.normal(size=(64, 1)))
starts = {
    "all zero": (np.zeros((4, 1)), np.zeros((1, 4))),
    "all equal": (np.full((4, 1), 0.5), np.full((1, 4), 0.5)),
    "random": (rng.normal(size=(4, 1)), 0.5 * rng.normal(size=(1, 4))),
}


def loss(W1, W2):
    return mg.mean(mg.softplus(-(mg.tanh(samples @ W1.T + 0.3) @ W2.T)))


gradient = mg.grad(loss, argnums=(0, 1))
for name, start in starts.items():
    W1, W2 = (mg.tensor(w) for w in start)
    first = gradient(W1, W2)[0].numpy().ravel()
    for _ in range(100):
        dW1, dW2 = gradient(W1, W2)
        W1, W2 = W1 - dW1, W2 - dW2
    print(f"{name:10} first gradient {first.round(4) + 0}   after 100 steps {W1.numpy().ravel().round(3) + 0}")

# %% [markdown]
# Equal neurons stay equal for ever: a hundred of them are worth one. With zeros, the first step also passes no gradient
# at all, $g_1 = \delta_2 W_2 = 0$, and without biases that would last for ever. Random numbers break the tie.
#
# ## Exercises
#
# When you have written your answers, run `minigan lesson check 05`.


# %% exercise 05.1: the rule of the sigmoid
def sigmoid_vjp(a, g):
    """Return the cotangent of a, where g is the cotangent of sigmoid(a); both have the same shape, any.

    It must keep its digits for large a of both signs, such as 40 and -700, and give no overflow. `sigmoid` is above.
    """
    # solution {
    return g * sigmoid(a) * sigmoid(-a)  # 1 - sigmoid(a) would round to 0 at a = 40
    # } solution


# %% exercise 05.2: one layer
def layer_vjp(x, W, b, g):
    """Return the cotangents (of x, of W, of b) of a layer tanh(x W^T + b), from the cotangent g of its output.

    x is (N, I), W (O, I), b (O,), g (N, O). What is returned has the shapes of x, W and b. None of them is changed.
    """
    # solution {
    delta = g * (1 - np.tanh(x @ W.T + b) ** 2)
    return delta @ W, delta.T @ x, delta.sum(axis=0)
    # } solution


# %% exercise 05.3: a discriminator
def discriminator_grad(W1, b1, W2, b2, x):
    """Return the gradients by W1, b1, W2 and b2 of the mean of softplus(-logit) over the batch x.

    The logits are a = tanh(x W1^T + b1) W2^T + b2, of shape (N, 1); x is (N, I), W1 (H, I), b1 (H,), W2 (1, H),
    b2 (1,). Call nothing that differentiates for you.
    """
    # solution {
    h = np.tanh(x @ W1.T + b1)
    delta2 = -sigmoid(-(h @ W2.T + b2)) / len(x)
    delta1 = (delta2 @ W2) * (1 - h**2)
    return delta1.T @ x, delta1.sum(axis=0), delta2.T @ h, delta2.sum(axis=0)
    # } solution


# %% exercise 05.4: weights for a leaky ReLU
def leaky_weights(outputs, inputs, slope, rng):
    """Return random weights (outputs, inputs) that keep the size of a signal, for f(a) = a if a > 0, else slope * a.

    That is: with h = f(x W^T), the mean of h^2 is the mean of x^2. The weights are normal, with mean 0, drawn from
    rng, and independent. What is the mean of f(a)^2, if a is as often positive as negative?
    """
    # solution {
    variance = 2 / ((1 + slope**2) * inputs)  # E f(a)^2 = (1 + slope^2)/2 E a^2, and E a^2 = inputs s^2 E x^2
    return np.sqrt(variance) * rng.normal(size=(outputs, inputs))
    # } solution
