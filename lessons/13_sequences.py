# %% [markdown]
# # 13. A GAN of sequences: LSTM against LSTM
#
# - **Goal:** train a recurrent generator against a recurrent discriminator, decide where noise goes in and where
#   judgement comes out, and measure whether time was learnt.
# - **Before:** lessons 6 and 12.
# - **Minutes:** 80
#
# A wave is no bag of numbers. Each of its values may be right, their distribution may be right at every time step, and
# the whole may still be nonsense, because what counts is how one step follows from the last. Recurrent networks have
# the order of time built in. They also have old troubles (lesson 12: gradients that do not reach back), and in a GAN
# there are two of them, so that one's gradient is the other's only teacher.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## Who sees what
#
# The **generator** gets noise at each step, carries a state, and emits a value at each step:
#
# $$(h_t, c_t) = \mathrm{LSTM}(z_t, h_{t-1}, c_{t-1}), \qquad x_t = \tanh(V h_t + b).$$
#
# The state is updated from the *input* and the last *state*. (One reads elsewhere "from the current output", beside
# this very formula.) If $z_t$ is fresh at every step, each $x_t$ has jitter of its own that the network must learn to
# ignore. A sine wave has a frequency and a phase, chosen once. So here one $z$ is drawn per sequence and given at every
# step.
#
# The **discriminator** reads $x_1, \dots, x_T$, and has a state at each step. Where should its one logit come from?
# From the last state, which has seen everything? Or from all states, $a = \frac1T \sum_t (v \cdot h_t + b)$? Forward,
# both are possible. Think backward: the generator at step $t$ learns from $\partial a / \partial x_t$ only.


# %%
class Generator(mg.nn.Module):
    """Noise (N, T, Z) to sequences (N, T, 1)."""

    def __init__(self, noise, hidden, rng):
        self.lstm = mg.nn.LSTM(noise, hidden, batch_first=True, rng=rng)
        self.out = mg.nn.Dense(hidden, 1, rng=rng)

    def forward(self, z):
        states, _ = self.lstm(z)
        return mg.tanh(self.out(states))


class Discriminator(mg.nn.Module):
    """Sequences (N, T, 1) to logits (N, 1): from all states, or from the last one."""

    def __init__(self, hidden, rng, judge="all"):
        self.lstm = mg.nn.LSTM(1, hidden, batch_first=True, rng=rng)
        self.out = mg.nn.Dense(hidden, 1, rng=rng)
        self.judge = judge

    def forward(self, x):
        states, _ = self.lstm(x)
        logits = self.out(states)  # (N, T, 1)
        return logits.mean(axis=1) if self.judge == "all" else logits[:, -1]


T, H, Z = 16, 16, 3
waves = mg.data.Sines("waves", np.arange(T), 1, amplitude=(0.8, 0.8), frequency=(0.4, 0.8), phase=(-np.pi, np.pi))

fig, ax = plt.subplots(figsize=(6.4, 3.4))
for judge, style in ("last", "s-C1"), ("all", "o-C0"):
    reach = np.zeros(40)
    for seed in range(5):
        long = mg.tensor(np.random.default_rng(seed).normal(size=(20, 40, 1)), requires_grad=True)
        Discriminator(H, mg.random.default_rng(seed), judge)(long).sum().backward()
        reach += np.abs(long.grad.numpy()).mean(axis=(0, 2)) / 5
    ax.semilogy(np.arange(40), reach, style, markersize=4, label=f"logit from {judge} state{'s' * (judge == 'all')}")
ax.set(xlabel="time step t of a sequence of 40", ylabel="mean of |∂a / ∂x_t|")
ax.set_title("A logit from the last state hardly teaches the first steps")
ax.legend(loc="lower right")
plt.show()

# %% [markdown]
# A fresh LSTM forgets: its forget gate is about a half, so the gradient loses a third or more with each step back. A
# logit from the last state leaves the generator's early steps without a teacher until the discriminator has learnt to
# remember. Logits from all states reach every step. So that is what we take.
#
# ## The game
#
# Nothing in the training step knows that samples are sequences. Losses take logits; optimisers take parameters.


# %%
def train(G, D, draw_noise, steps, seed=0):
    """Play the non-saturating game, and return the mean probabilities that D gives to real and to generated waves."""
    loss, draws = mg.losses.get("non_saturating"), np.random.default_rng(seed)
    g_adam, d_adam = (mg.optim.Adam(network.parameters(), lr=3e-3, betas=(0.5, 0.99)) for network in (G, D))
    curves = []
    for _ in range(steps):
        real, fake = mg.tensor(waves.sample(64, draws)), G(draw_noise(64))
        real_logits, fake_logits = D(real), D(fake.detach())
        d_adam.zero_grad()
        loss.discriminator(real_logits, fake_logits).backward()
        d_adam.step()
        g_adam.zero_grad()
        loss.generator(None, D(fake)).backward()
        g_adam.step()
        curves.append([mg.sigmoid(a).mean().item() for a in (real_logits, fake_logits)])
    return np.array(curves)


rng = mg.random.default_rng(0)


def one_vector(n, steps=T):
    return mg.broadcast_to(rng.normal((n, 1, Z)), (n, steps, Z))


G, D = Generator(Z, H, rng), Discriminator(H, rng)
curves = train(G, D, one_vector, 650)
with mg.no_grad():
    recurrent = G(one_vector(500)).numpy()
real = waves.sample(500, 1)
mg.plots.sequences(real, recurrent, title="Real waves, and those of the LSTM")

# %%
fig, ax = plt.subplots(figsize=(6.4, 3.2))
smooth = np.stack([np.convolve(curve, np.ones(15) / 15, mode="valid") for curve in curves.T])
ax.plot(smooth[0], "C0", label="D(x), real waves")
ax.plot(smooth[1], "C1--", label="D(G(z)), generated waves")
ax.axhline(0.5, color="k", linewidth=1, linestyle=":")
ax.set(xlabel="training step", ylabel="mean probability of 'real'", ylim=(0, 1))
ax.set_title("First the discriminator sees through it, then less and less")
ax.legend(loc="upper right")
plt.show()

# %% [markdown]
# ## Was time learnt?
#
# Do the waves look right? Eyes are easily pleased. A number that knows about time is the **autocorrelation** at lag
# $l$: how far the value now tells the value $l$ steps later,
#
# $$\rho(l) = \frac{\mathrm{E}\,(x_t - \mu)(x_{t+l} - \mu)}{\sigma^2},$$
#
# mean and variance over all sequences and steps. White noise has 0 at every lag. For comparison, a dense pair of about
# the same size, to which the 16 steps are 16 unrelated numbers. What do you expect of it?

# %%
dense_G = mg.nn.Sequential(
    mg.nn.Dense(Z, 24, rng=rng), mg.nn.ReLU(), mg.nn.Dense(24, 24, rng=rng), mg.nn.ReLU(), mg.nn.Dense(24, T, rng=rng)
)
dense_D = mg.nn.Sequential(mg.nn.Flatten(), mg.nn.Dense(T, 48, rng=rng), mg.nn.LeakyReLU(), mg.nn.Dense(48, 1, rng=rng))
shaped = mg.nn.Sequential(dense_G, mg.nn.Tanh(), mg.nn.Reshape(T, 1))
train(shaped, dense_D, lambda n: rng.normal((n, Z)), 650)
with mg.no_grad():
    dense = shaped(rng.normal((500, Z))).numpy()

fig, ax = plt.subplots(figsize=(6.4, 3.4))
lags = np.arange(1, T)
for x, style, name in (real, "k--", "real"), (recurrent, "o-C1", "LSTM"), (dense, "s-C4", "dense"):
    ax.plot(lags, mg.metrics.autocorrelation(x)[:, 0], style, markersize=4, label=name)
ax.axhline(0, color="0.6", linewidth=0.8)
ax.set(
    xlabel="lag, in time steps",
    ylabel="autocorrelation",
    title="Dense waves are of too few kinds, so they stay in step",
)
ax.legend()
plt.show()
for name, network, x in ("LSTM", G, recurrent), ("dense", shaped, dense):
    count = sum(p.size for p in network.parameters())
    roughness = np.abs(np.diff(x, n=2, axis=1)).mean() / np.abs(np.diff(real, n=2, axis=1)).mean()
    print(f"{name:6}{count:6} parameters; mean size of second differences: {roughness:.2f} times that of real waves")

# %% [markdown]
# Real waves have different frequencies, so they get out of step, and the curve fades. The LSTM comes near to it. The
# dense pair makes waves, too, and is several times faster: it does all steps at once, while an LSTM has to wait for
# each. But its waves are rougher, since nothing ties a step to the next, and of fewer kinds, which shows at the large
# lags. And there is one thing that it can never do.
#
# ## Break it
#
# The LSTM was trained on 16 steps. Nothing keeps us from running it for 48. Predict before you look: will the waves go
# on, die, or freeze? And what does fresh noise at every step do to a generator that has never met it?

# %%
with mg.no_grad():
    longer = G(one_vector(6, 48)).numpy()[..., 0]
    jittered = G(rng.normal((6, 48, Z))).numpy()[..., 0]
fig, axes = plt.subplots(2, 1, figsize=(8, 4), sharex=True, sharey=True)
for ax, x, title in zip(
    axes, (longer, jittered), ("One noise vector per wave", "Fresh noise at each step"), strict=True
):
    ax.plot(x[:4].T, "C1", alpha=0.8)
    ax.axvspan(0, T - 1, color="0.88", zorder=0, label="as long as in training")
    ax.set(ylabel="x", ylim=(-1, 1.4), title=title)
axes[0].legend(loc="upper right", fontsize=9)
axes[1].set(xlabel="time step")
plt.show()

# %% [markdown]
# Outside of what it was trained on, a generator owes us nothing. Some waves go on, some die out or come to rest at a
# fixed point: two dynamical systems with nearly the same first 16 steps. With fresh noise the memory is jolted at every
# step, and the wave is lost. Train one that way (pass another `draw_noise`), and see how long it takes to learn to
# ignore it.
#
# ## Exercises
#
# NumPy only. When you have written your answers, run `minigan lesson check 13`.


# %% exercise 13.1: a recurrent generator
def generate(z, W, U, b, V, c):
    """Return the sequences x (T, N, C) of noise z (T, N, Z): h_t = tanh(W z_t + U h_{t-1} + b), x_t = tanh(V h_t + c).

    W is (H, Z), U (H, H), b (H,), V (C, H), c (C,). The first h_{t-1} is zero. The first axis of z is time.
    """
    # solution {
    h, x = np.zeros((z.shape[1], len(b))), []
    for z_t in z:
        h = np.tanh(z_t @ W.T + h @ U.T + b)
        x.append(np.tanh(h @ V.T + c))
    return np.stack(x)
    # } solution


# %% exercise 13.2: sequences of different lengths
def generator_loss_grad(a, lengths):
    """Return the gradient (N, T) by the logits a (N, T) of the generator's loss, for sequences of different lengths.

    Sequence n has lengths[n] steps; what stands behind them in row n is padding, counts nothing and may be anything
    finite. The loss is a mean over sequences of means over steps, so each sequence counts the same:
    L = mean over n of (mean over t < lengths[n] of log(1 + exp(-a[n, t]))).
    """
    # solution {
    valid = np.arange(a.shape[1]) < lengths[:, None]
    p_fake = 0.5 - 0.5 * np.tanh(a / 2)  # sigmoid(-a), without overflow
    return np.where(valid, -p_fake, 0) / lengths[:, None] / len(a)
    # } solution


# %% exercise 13.3: autocorrelation
def autocorrelation(x, lags):
    """Return the autocorrelation (lags,) of sequences x (N, T) at the lags 1, 2, ..., lags, the formula above.

    Mean and variance are over all of x, once; the expectation at lag l is a mean over all pairs that there are,
    N (T - l) of them. No pair may go round the end of a sequence, or from one sequence to the next.
    """
    # solution {
    centred = x - x.mean()
    products = [np.mean(centred[:, lag:] * centred[:, :-lag]) for lag in range(1, lags + 1)]
    return np.array(products) / np.mean(centred**2)
    # } solution
