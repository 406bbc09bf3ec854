# %% [markdown]
# # 3. From scalars to arrays
#
# - **Goal:** derive the rule of an array operation without ever writing its Jacobian, and undo broadcasting.
# - **Before:** lesson 2; matrix products, NumPy's broadcasting.
# - **Minutes:** 70
#
# A tape of numbers is right and slow. A tape of *arrays* has one line per layer instead of one per multiplication, and
# everything of lesson 2 stays: users first, contributions add up. Only the "derivative on the spot" must be thought
# through again, because the derivative of an array by an array is a very large object that nobody wants to see.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()
rng = np.random.default_rng(0)


def inner(a, b):
    """Return <a, b>, the sum of the products of all elements."""
    return float(np.sum(a * b))


# %% [markdown]
# ## The Jacobian that is never made
#
# Let $y = f(x)$ with arrays $x$ and $y$. Its **Jacobian** $J$ has a row for each element of $y$ and a column for each
# element of $x$. Here it is for three operations on small arrays. Before you look: which of them is dense?


# %%
def jacobian(f, x):
    """Return the Jacobian of f at x, element by element of the output."""
    x = mg.tensor(x)
    y, pullback = mg.vjp(f, x)
    rows = [pullback(mg.tensor(row.reshape(y.shape)))[0].numpy().ravel() for row in np.eye(y.data.size)]
    return np.array(rows)


x = rng.normal(size=(4, 6))
W = rng.normal(size=(5, 6))
b = rng.normal(size=6)
cases = {
    "sigmoid(x)": jacobian(mg.sigmoid, x),
    "x Wᵀ, by x": jacobian(lambda x: x @ mg.tensor(W).T, x),
    "x + b, by b": jacobian(lambda b: mg.tensor(x) + b, b),
}
fig, axes = plt.subplots(1, 3, figsize=(8.4, 3.6), width_ratios=[24, 24, 10])
for ax, (name, J) in zip(axes, cases.items(), strict=True):
    size = np.abs(J).max()
    ax.imshow(J, cmap="PuOr", vmin=-size, vmax=size, aspect="equal")
    ax.grid(visible=False)
    ax.set(xticks=range(0, J.shape[1], 6), yticks=range(0, J.shape[0], 6))
    filled = np.count_nonzero(J) / J.size
    ax.set(title=name, xlabel=f"{J.shape[0]} x {J.shape[1]}, {filled:.0%} filled")
axes[0].set_ylabel("element of the output")
fig.supxlabel("element of the input", fontsize=11)
plt.show()

# %% [markdown]
# None is dense; all are mostly zeros, in a pattern that belongs to the operation. For a layer from 784 to 128 features
# and a batch of 128 images, the Jacobian by $x$ would have $128 \cdot 128 \times 128 \cdot 784$ elements: 13 gigabytes
# in float64. So an engine never makes $J$. It needs only one product with it:
#
# $$\bar x = J^\top g, \qquad \langle g, J\,dx \rangle = \langle J^\top g,\, dx \rangle \quad \text{for every } dx.$$
#
# Here $g$ is the cotangent of $y$, with the shape of $y$, and $\bar x$ the one of $x$, with the shape of $x$. This is
# the **vector-Jacobian product**. The equation on the right is also the way to derive it, in three steps:
#
# 1. Write down the change $dy$ that a small change $dx$ makes.
# 2. Write down $\langle g, dy \rangle$.
# 3. Move everything away from $dx$, until it says $\langle \text{something}, dx \rangle$. The something is $\bar x$.
#
# ## Derive one: a dense layer
#
# Let $y = x W^\top + b$, with $x$ of shape (N, I), $W$ of shape (O, I) and $b$ of shape (O,). Then
# $dy = dx\, W^\top + x\, dW^\top + db$, and
#
# $$\langle g, dx\, W^\top \rangle = \sum_{n,o,i} g_{no}\, dx_{ni}\, W_{oi} = \langle g W, dx \rangle,$$
#
# $$\langle g, x\, dW^\top \rangle = \sum_{n,o,i} g_{no}\, x_{ni}\, dW_{oi} = \langle g^\top x, dW \rangle,$$
#
# $$\langle g, db \rangle = \sum_{n,o} g_{no}\, db_o = \Big\langle \sum_n g_n, db \Big\rangle.$$
#
# Three rules, and each has the shape of its argument: that is the first thing to check, and with three different
# lengths N, I, O it leaves little choice. With N = I = O, it would tell you nothing.


# %%
def dense(x, W, b):
    return x @ W.T + b


def dense_vjp(x, W, b, g):
    return g @ W, g.T @ x, g.sum(axis=0)


x, W, b = rng.normal(size=(7, 3)), rng.normal(size=(4, 3)), rng.normal(size=4)
g = rng.normal(size=(7, 4))  # some cotangent, from the layers behind
report = mg.check_gradients(
    lambda x, W, b: inner(g, dense(x, W, b)), x, W, b, grad=lambda x, W, b: dense_vjp(x, W, b, g)
)
print(report)

# %% [markdown]
# ## Broadcasting, undone
#
# The bias was not added to a matrix: NumPy **broadcast** it first, copied it N times. A copy is a number that is used
# N times, and the rule for that is known from lesson 2: contributions add up. So
#
# > the reverse of broadcasting is a sum, over every axis that was added or stretched.
#
# Every binary operation in NumPy may broadcast, on either side. A tape that forgets to undo it has the most common bug
# of home-made engines. Sometimes the shape gives it away:

# %%
g = np.ones((7, 4))
print("gradient of b without the sum:", g.shape, " b itself:", b.shape)

# %% [markdown]
# ## Break it
#
# And sometimes it does not. Logits have shape (N, 1), labels come as (N,). Their difference is a table of all *pairs*,
# its mean is a fine number, its gradient has the right shape, and the network learns nothing but the mean. Run it, then
# repair it with `labels[:, None]`, and watch the numbers.

# %%
logits = rng.normal(size=(6, 1))
labels = (rng.random(6) < 0.5).astype(float)  # (6,): one axis is missing
# labels = labels[:, None]


def squared_error(a):
    return mg.mean((a - mg.tensor(labels)) ** 2)


gradient = mg.grad(squared_error)(mg.tensor(logits)).numpy()
print("difference has shape", (logits - labels).shape, " gradient has shape", gradient.shape)
print("gradient of each sample:", gradient.ravel().round(3))
print("it should be           :", (2 / 6 * (logits.ravel() - labels.ravel())).round(3))

# %% [markdown]
# The checker calls this gradient right, and it is: it is the gradient of the function that was written, which is not
# the function that was meant. A gradient check cannot see a wrong loss. In minigan, losses refuse such shapes.
#
# ## A test without differences
#
# Forward mode carries a tangent $t$ from the input to the output, $J t$. Reverse mode carries $g$ back, $J^\top g$.
# Both know the same $J$ if for random $t$ and $g$
#
# $$\langle g, J t \rangle = \langle J^\top g, t \rangle.$$
#
# This **adjoint test** has no step size and is right to rounding. It fails as soon as one of the two is wrong (and says
# nothing if both are wrong in the same way). Here it measures how badly some plausible rules for the softmax
# fail.


# %% setup
def softmax(x):
    """Return exp(x) / sum of exp(x), along the last axis."""
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


# %%
def softmax_jvp(x, t):
    p = softmax(x)
    return p * (t - np.sum(p * t, axis=-1, keepdims=True))


RULES = {
    "the engine's own": lambda p, g: mg.vjp(mg.softmax, mg.tensor(np.log(p)))[1](mg.tensor(g))[0].numpy(),
    "p g (1 - p): the diagonal only": lambda p, g: p * (1 - p) * g,
    "p (g - sum g)": lambda p, g: p * (g - g.sum(axis=-1, keepdims=True)),
    "p (g - mean(p g))": lambda p, g: p * (g - (p * g).mean(axis=-1, keepdims=True)),
    "p g - p": lambda p, g: p * g - p,
}
x = rng.normal(size=(5, 4))
differences = {name: [] for name in RULES}
for _ in range(60):
    g, t = rng.normal(size=(2, 5, 4))
    forward = inner(g, softmax_jvp(x, t))
    for name, rule in RULES.items():
        differences[name].append(abs(forward - inner(rule(softmax(x), g), t)))

fig, ax = plt.subplots(figsize=(7.2, 3.4))
for i, values in enumerate(differences.values()):
    ax.scatter(np.maximum(values, 2e-17), i + rng.uniform(-0.18, 0.18, len(values)), s=14, color=f"C{i}", alpha=0.7)
ax.set_yticks(range(len(RULES)), RULES)
ax.set(xscale="log", xlim=(1e-17, 10), ylim=(len(RULES) - 0.5, -0.5))
ax.axvspan(1e-17, 1e-14, color="0.9", zorder=0)
ax.text(4e-16, len(RULES) - 0.8, "rounding", ha="center", color="0.35")
ax.set(xlabel="difference of the two sides, 60 random pairs", title="Four rules are wrong, and none gets by")
plt.show()

# %% [markdown]
# ## Exercises
#
# Derive each rule on paper first: $dy$, then $\langle g, dy \rangle$, then move everything away from $dx$. When you
# have written your answers, run `minigan lesson check 03`.


# %% exercise 03.1: a product of matrices
def matmul_vjp(A, B, g):
    """Return the cotangents (of A, of B) for Y = A @ B, where A is (N, K), B is (K, M) and g, of Y, is (N, M)."""
    # solution {
    return g @ B.T, A.T @ g
    # } solution


# %% exercise 03.2: broadcasting undone
def unbroadcast(g, shape):
    """Return the cotangent of an array of this shape that was broadcast to the shape of g.

    Sum over the axes that were added in front, and over those that were stretched from length 1 (which stay, with
    length 1). The result has exactly the given shape.
    """
    # solution {
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(axis for axis, length in enumerate(shape) if length == 1)
    return g.sum(axis=stretched, keepdims=True)
    # } solution


# %% exercise 03.3: the softmax without its Jacobian
def softmax_vjp(x, g):
    """Return the cotangent of x for p = softmax(x), along the last axis; x and g are (N, C). No loops.

    From dp = p * (dx - sum(p * dx)), the sum along the last axis.
    """
    # solution {
    p = softmax(x)
    return p * (g - np.sum(p * g, axis=-1, keepdims=True))
    # } solution


# %% exercise 03.4: a mean along one axis
def mean_vjp(x, axis, g):
    """Return the cotangent of x for y = x.mean(axis): x has any shape, and g that of y, in which the axis is gone."""
    # solution {
    return np.broadcast_to(np.expand_dims(g, axis), x.shape) / x.shape[axis]
    # } solution
