# %% [markdown]
# # 12. RNN and LSTM by hand: back-propagation through time
#
# - **Goal:** derive the gradients of a recurrent network, measure where they vanish, and know what a gate changes.
# - **Before:** lessons 3, 4 and 5; powers of a matrix.
# - **Minutes:** 80
#
# A sequence is read one step after the other, with the same weights each time. What was read stays in a state. To learn
# that something at the beginning matters at the end, a gradient must travel back through all the steps in between, and
# each of them multiplies it. Forty factors of 0.6 are $10^{-9}$. This lesson follows the gradient on its way, and then
# builds it a road.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()
rng = np.random.default_rng(0)

# %% [markdown]
# ## Unrolled, it is an ordinary network
#
# The plain recurrent cell (Elman, 1990) has a state $h_t$ and reads $x_t$:
#
# $$a_t = W x_t + U h_{t-1} + b, \qquad h_t = \tanh(a_t), \qquad h_0 = 0.$$
#
# Write the steps one below the other, and there is a network of $T$ layers whose weights happen to be equal. So the
# rules of lesson 3 apply, with two things to watch. A state $h_t$ is used twice: by the loss, which contributes
# $\partial L/\partial h_t$ directly (write $d_t$), and by the next step. And the weights are used $T$ times, so their
# contributions add up. From the last step to the first:
#
# $$\bar h_t = d_t + U^\top \bar a_{t+1}, \qquad \bar a_t = \bar h_t \odot (1 - h_t^2),$$
#
# $$\bar W = \sum_t \bar a_t x_t^\top, \qquad \bar U = \sum_t \bar a_t h_{t-1}^\top, \qquad \bar b = \sum_t \bar a_t.$$
#
# That is all of **back-propagation through time**. Arrays have the axes (T, N, C) here: time, batch, features.


# %% setup
def rnn(x, W, U, b):
    """Return all states, (T, N, H), of the plain cell on x (T, N, C); W is (H, C), U is (H, H), b is (H,)."""
    h = np.zeros((x.shape[1], len(b)))
    states = []
    for x_t in x:
        h = np.tanh(x_t @ W.T + h @ U.T + b)
        states.append(h)
    return np.array(states)


# %%
T, N, C, H = 6, 3, 2, 4
x, W, U, b = (rng.normal(size=shape) for shape in [(T, N, C), (H, C), (H, H), (H,)])
layer = mg.nn.RNN(C, H)
for parameter, value in zip(layer.parameters(), [W, U, b, 0 * b], strict=True):
    parameter.assign(value.astype(np.float32))
output, last = layer(x.astype(np.float32))
print("largest difference to mg.nn.RNN:", np.abs(output.numpy() - rnn(x, W, U, b)).max().round(6))

# %% [markdown]
# ## Where the gradient goes
#
# Let only the last state count. Then $\bar h_t = U^\top (1 - h_{t+1}^2) \odot \bar h_{t+1}$, again and again: going
# back $k$ steps multiplies by $U^\top$ $k$ times, with a factor of at most 1 from each $\tanh$. Let $U$ be $\rho$ times
# an orthogonal matrix, which stretches every vector by $\rho$. With states near 0, where $\tanh$ is straight, the
# cotangent has the length $\rho^k$. If the states are large, the $\tanh$ takes its share as well.
#
# Predict the curves for $\rho = 0.8$, 1 and 1.2, with small inputs and with large ones.


# %%
def lengths(U, size, T=50, N=8):
    """Return |dL/dh_t| for t = 1 ... T, for a loss that is a random weighting of the last state."""
    draws = np.random.default_rng(1)
    states = rnn(size * draws.normal(size=(T, N, len(U))), np.eye(len(U)), U, np.zeros(len(U)))
    h_bar, found = draws.normal(size=states[0].shape), []
    for h in states[::-1]:
        found.append(np.linalg.norm(h_bar))
        h_bar = (h_bar * (1 - h**2)) @ U
    return np.array(found[::-1]) / found[0]


Q = np.linalg.qr(rng.normal(size=(16, 16)))[0]
back = np.arange(50)[::-1]
fig, axes = plt.subplots(1, 2, figsize=(8, 3.8), sharey=True)
for ax, size, title in zip(
    axes, (1e-6, 1.0), ("Small states: ρ to the power k", "Large states: tanh shrinks more"), strict=True
):
    for rho, mark, colour in [(1.2, "o", "C1"), (1.0, "s", "C2"), (0.8, "^", "C0")]:
        ax.semilogy(back, lengths(rho * Q, size), mark, color=colour, markersize=4, linestyle="-", linewidth=1,
                    label=f"ρ = {rho}")  # fmt: skip
        ax.semilogy(back, rho**back, "k--", linewidth=1)
    ax.set(xlabel="steps back from the loss, k")
    ax.set_title(title, fontsize=11)
axes[0].set(ylabel="length of the cotangent, relative", ylim=(1e-18, 1e5))
axes[1].legend(loc="lower left", fontsize=9)
plt.show()

# %% [markdown]
# The road is narrow. Below 1 the gradient **vanishes**: early inputs get next to no say, not because they do not
# matter, but because nobody can hear that they do. Above 1 and with small states it **explodes**: one step of the
# optimiser throws the weights far away. And the states that remember most firmly, near $\pm 1$, are those whose $\tanh$
# passes on the least.
#
# An exploding gradient can be shortened (exercise 12.4). A vanished one cannot be lengthened: the digits are gone
# among the contributions of later steps. It takes another cell.
#
# ## A state that is added to
#
# The **LSTM** (Hochreiter & Schmidhuber, 1997) keeps a second state $c_t$, the cell. It is not pushed through a matrix
# at each step. It is multiplied by a gate, element by element, and added to:
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t),$$
#
# where the gates $i, f, o = \sigma(\cdot)$ and the candidate $g = \tanh(\cdot)$ each have a quarter of the rows of one
# $a_t = W x_t + U h_{t-1} + b$. Backwards, with the cotangents of $h_t$ and $c_t$ given, the cell gets
#
# $$\bar c_t \leftarrow \bar c_t + \bar h_t \odot o_t \odot (1 - \tanh^2 c_t), \qquad
# \bar c_{t-1} = \bar c_t \odot f_t,$$
#
# and the gates
#
# $$\bar i_t = \bar c_t \odot g_t, \quad \bar f_t = \bar c_t \odot c_{t-1}, \quad \bar g_t = \bar c_t \odot i_t, \quad
# \bar o_t = \bar h_t \odot \tanh c_t,$$
#
# each then times $\sigma' = \sigma (1 - \sigma)$ or $\tanh' = 1 - \tanh^2$ on the way to $\bar a_t$.
#
# Look at $\bar c_{t-1} = \bar c_t \odot f_t$. Along the cell, $k$ steps back multiply the cotangent by $k$ forget
# gates, by nothing else. And a gate is something that the network can *learn* to hold open. At the start it is
# $\sigma$ of its bias: $0.5^{40} = 10^{-12}$ for a bias of 0, but $\sigma(3)^{40} = 0.14$ for a bias of 3.


# %% setup
def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm_step(a, c_before):
    """Return (h, c) of one step: a is (N, 4H) with the rows i, f, g, o side by side, c_before is (N, H)."""
    i, f, g, o = np.split(a, 4, axis=1)
    c = sigmoid(f) * c_before + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


# %%
def recurrent(kind, size, forget=None, seed=0):
    """Return a layer of mg.nn for one input; `forget` is the bias of an LSTM's forget gate."""
    layer = getattr(mg.nn, kind)(1, size, rng=mg.random.default_rng(seed))
    if forget is not None:
        for parameter, value in [(layer.bias_ih_l0, forget), (layer.bias_hh_l0, 0.0)]:  # the gate has the sum of both
            bias = parameter.numpy()
            bias[size : 2 * size] = value
            parameter.assign(bias)
    return layer


def influence(layer, T=60):
    """Return the length of the derivative of the last h by x, 0 ... T - 1 steps before the end."""
    x = mg.tensor(0.3 * np.random.default_rng(0).normal(size=(T, 8, 1)).astype(np.float32), requires_grad=True)
    layer(x)[0][-1].sum().backward()
    return np.linalg.norm(x.grad.numpy()[:, :, 0], axis=1)[::-1]


fig, axes = plt.subplots(1, 2, figsize=(8, 3.9), sharey=True)
cells = {"LSTM, bias 3": 3.0, "LSTM, bias 1": 1.0, "LSTM, bias 0": 0.0, "RNN": None}
for ax, with_matrix in zip(axes, (False, True), strict=True):
    for (name, forget), mark in zip(cells.items(), "os^v", strict=True):
        layer = recurrent("RNN" if forget is None else "LSTM", 32, forget)
        if not with_matrix:
            layer.weight_hh_l0.assign(np.zeros(layer.weight_hh_l0.shape, np.float32))
            if forget is None:
                continue  # without U, it has no memory at all
        found = influence(layer)
        k = np.arange(1, len(found))
        ax.semilogy(k, found[1:] / found[1], mark, markersize=4, linestyle="-", linewidth=1, label=name)
        if forget is not None:
            ax.semilogy(k, sigmoid(forget) ** (k - 1.0), "k--", linewidth=1)
    ax.set(xlabel="steps back, k", ylim=(1e-18, 30))
    ax.set_title("as initialised" if with_matrix else "the cell alone, U = 0", fontsize=11)
axes[0].set_ylabel("influence of x on the last h, relative")
axes[1].legend(loc="lower left", fontsize=9)
fig.suptitle("The cell forgets as fast as its gate says", weight="bold")
plt.show()

# %% [markdown]
# Measured through the library's layers, all weights random; dashed is $\sigma(\text{bias})^{k-1}$. On the left, where
# $U = 0$, the cell is the only road, and the theory is all there is. On the right the other road, through $h$ and $U$,
# adds to it, and the influence lasts longer than the gates alone allow. The order stays.
#
# ## Does it matter?
#
# The purest task that needs memory: the first number of a sequence is $\pm 1$, thirty-nine numbers of noise follow, and
# the question at the end is which it was. Same size, same optimiser, same data. The two LSTMs differ in the first
# value of one bias, in nothing else.


# %%
def learn(kind, forget, steps=160, T=40, N=64, size=16):
    """Return for each training step the share of right answers in its batch."""
    draws = np.random.default_rng(0)
    layer = recurrent(kind, size, forget)
    head = mg.nn.Dense(size, 1, rng=mg.random.default_rng(1))
    optimiser = mg.optim.Adam([*layer.parameters(), *head.parameters()], 0.01)
    right = []
    for _ in range(steps):
        answer = draws.choice([-1, 1], size=(N, 1)).astype(np.float32)
        x = 0.3 * draws.normal(size=(T, N, 1)).astype(np.float32)
        x[0] = answer
        logits = head(layer(x)[0][-1])
        loss = mg.softplus(-answer * logits).mean()
        optimiser.zero_grad()
        loss.backward()
        mg.optim.clip_grad_norm(optimiser.params, 1.0)
        optimiser.step()
        right.append(np.mean(answer * logits.numpy() > 0))
    return np.array(right)


fig, ax = plt.subplots()
for (name, (kind, forget)), dashes, colour in zip(
    {"RNN": ("RNN", None), "LSTM, bias 0": ("LSTM", 0.0), "LSTM, bias 3": ("LSTM", 3.0)}.items(),
    [":", "--", "-"],
    ["C0", "C1", "C2"],
    strict=True,
):
    curve = np.convolve(learn(kind, forget), np.ones(8) / 8, mode="valid")
    ax.plot(np.arange(8, 8 + len(curve)), curve, dashes, color=colour, label=name)
ax.axhline(0.5, color="k", linewidth=1, linestyle="--", label="guessing")
ax.set(xlabel="training step", ylabel="share of right answers", ylim=(0.35, 1.05))
ax.set_title("What cannot be heard is not learnt")
ax.legend(loc="center right")
plt.show()

# %% [markdown]
# The two that guess are no weaker: their weights *could* store a sign for forty steps. But nothing tells them so. Even
# after 3,000 steps (tried once, not in this cell) both still guess.
#
# ## Break it
#
# Explode it. With $\rho = 1.5$ and small states, how long is the gradient after 50 steps? At which $\rho$ is the
# largest eigenvalue of $U$ below 1, and the gradient *still* grows at first? (A matrix that is not orthogonal: try
# one with a large entry off the diagonal. Eigenvalues tell of the long run, singular values of the next step.)

# %%
skew = 0.9 * np.eye(16) + np.diag(np.full(15, 0.9), 1)
print(f"{'':34}{'eigenvalue':>12}{'singular value':>16}{'k = 5':>10}{'k = 49':>10}")
for name, U in {"0.9 orthogonal": 0.9 * Q, "1.5 orthogonal": 1.5 * Q, "0.9 on two diagonals": skew}.items():
    found = lengths(U, 1e-9)
    radius, stretch = np.abs(np.linalg.eigvals(U)).max(), np.linalg.norm(U, 2)
    print(f"{name:34}{radius:12.3f}{stretch:16.3f}{found[-6]:10.2g}{found[0]:10.2g}")

# %% [markdown]
# ## Exercises
#
# Write your answers in place of `raise NotImplementedError("your turn")`, then run `minigan lesson check 12`.


# %% exercise 12.1: back-propagation through time
def rnn_backward(x, h, U, d):
    """Return the gradients (dW, dU, db) of a loss, in the shapes of W (H, C), U (H, H) and b (H,).

    x is (T, N, C). h is (T, N, H): the states after each step; before the first step the state is 0. d is (T, N, H):
    the loss's own derivative by each state, without the way through later steps.
    """
    # solution {
    dW, dU, db = np.zeros((h.shape[2], x.shape[2])), np.zeros_like(U), np.zeros(len(U))
    before = np.concatenate([np.zeros_like(h[:1]), h[:-1]])
    a_bar = np.zeros_like(h[0])
    for t in reversed(range(len(x))):
        h_bar = d[t] + a_bar @ U
        a_bar = h_bar * (1 - h[t] ** 2)
        dW += a_bar.T @ x[t]
        dU += a_bar.T @ before[t]
        db += a_bar.sum(axis=0)
    return dW, dU, db
    # } solution


# %% exercise 12.2: one step of an LSTM, backwards
def lstm_step_backward(a, c_before, dh, dc):
    """Return (da, dc_before) for the step (h, c) = lstm_step(a, c_before), given the cotangents dh and dc of h and c.

    a is (N, 4H), the gates i, f, g, o side by side; all others are (N, H).
    """
    # solution {
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    tanh_c = np.tanh(f * c_before + i * g)
    dc = dc + dh * o * (1 - tanh_c**2)
    di, df, dg, do = dc * g, dc * c_before, dc * i, dh * tanh_c
    da = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1)
    return da, dc * f
    # } solution


# %% exercise 12.3: how open must the gate be?
def forget_bias(k, share):
    """Return the bias at which the product of k forget gates sigmoid(bias) is `share`, a number between 0 and 1."""
    # solution {
    gate = share ** (1 / k)
    return np.log(gate / (1 - gate))
    # } solution


# %% exercise 12.4: a limit on the gradient
def clipped(gradients, limit):
    """Return a list of new arrays: all gradients times one common factor, so that their joint length is at most limit.

    The joint length is that of all elements of all arrays as one vector. Gradients that are short enough stay as they
    are, and so do the arrays that were passed in. They may all be 0.
    """
    # solution {
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    factor = limit / length if length > limit else 1.0
    return [factor * g for g in gradients]
    # } solution
