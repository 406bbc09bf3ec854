# %% [markdown]
# # 9. Dynamics: why two players circle each other
#
# - **Goal:** measure the eigenvalues of a game, and know from them whether training converges, how fast, and which
#   penalty makes it so.
# - **Before:** lessons 1 and 6; eigenvalues, complex numbers.
# - **Minutes:** 70
#
# One network that descends on one loss goes downhill until it stops. Two networks, each of which descends on a loss of
# its own, need not stop at all: where one has arrived, the other has moved on. GANs oscillate for this reason, not by
# bad luck. The smallest games with the same disease have two numbers for parameters. There, everything can be computed
# on paper, and this lesson holds each result against a measurement.

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## The simplest game
#
# Player one owns $x$ and minimises $xy$. Player two owns $y$ and maximises it, so the loss of player two is $-xy$. Each
# follows its own negative gradient. Together they move along the **field** of the game,
#
# $$v(x, y) = -\left( \frac{\partial L_1}{\partial x}, \frac{\partial L_2}{\partial y} \right) = (-y, \; x).$$
#
# It vanishes at $(0, 0)$ only: the **equilibrium**, where neither player gains by moving alone. But at every other
# point the field stands at a right angle to the direction of the equilibrium. No function has this field as its
# gradient.
#
# Three ways to take a step of size $e$ are common:
#
# - *simultaneous:* both look, then both move, $w' = w + e \, v(w)$;
# - *alternating:* $x$ moves, then $y$ looks at the *new* $x$ and moves; GANs are trained like this;
# - *extragradient:* look at the field one step ahead, and go from *here* along what is seen *there* (Korpelevich,
#   1976).
#
# Predict first: which of them go outwards, which stay, which arrive?


# %% setup
def bilinear(w):
    """Return the field of the game x y at w = (x, y)."""
    x, y = w
    return np.array([-y, x])


def simultaneous(field, w, step):
    return w + step * field(w)


def alternating(field, w, step):
    x, y = w
    x = x + step * field(np.array([x, y]))[0]
    y = y + step * field(np.array([x, y]))[1]
    return np.array([x, y])


def walk(move, field, start, step, count):
    """Return the points of a walk, (count + 1, 2)."""
    points = [np.array(start, dtype=float)]
    for _ in range(count):
        points.append(move(field, points[-1], step))
    return np.array(points)


# %%
def look_ahead(w, step):
    """Extragradient for the bilinear game, multiplied out: (1 - e^2) w + e v(w). Exercise 09.1 is for any game."""
    return (1 - step**2) * w + step * bilinear(w)


e, start, count = 0.2, (1.0, 0.0), 60
walks = {
    "simultaneous": walk(simultaneous, bilinear, start, e, count),
    "alternating": walk(alternating, bilinear, start, e, count),
    "extragradient": walk(lambda field, w, step: look_ahead(w, step), bilinear, start, e, count),
}
growth = {"simultaneous": np.sqrt(1 + e**2), "alternating": 1.0, "extragradient": np.sqrt(1 - e**2 + e**4)}

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.9))
ticks = np.linspace(-3, 3, 13)
X, Y = np.meshgrid(ticks, ticks)
left.quiver(X, Y, *bilinear((X, Y)), color="0.75", width=0.004)
for (name, points), mark in zip(walks.items(), "o^s", strict=True):
    left.plot(*points.T, marker=mark, markersize=3, linewidth=1, label=name)
    right.semilogy(np.hypot(*points.T), marker=mark, markersize=3, linewidth=1, label=name)
    right.semilogy(growth[name] ** np.arange(count + 1), "k--", linewidth=1)
left.plot(0, 0, "k*", markersize=10)
left.set(xlabel="x, minimises x y", ylabel="y, maximises x y", aspect="equal", xlim=(-3.4, 3.4), ylim=(-3.4, 3.4))
left.set_title("The field turns, it does not lead home")
right.set(xlabel="steps", ylabel="distance to the equilibrium", title="Measured, and theory (dashed)")
right.legend(fontsize=9)
plt.show()

# %% [markdown]
# ## Eigenvalues decide
#
# A step is a map $w \mapsto F(w)$. Close to an equilibrium $w^*$ it is linear, $F(w) - w^* \approx A (w - w^*)$, and a
# linear map repeated many times stretches by its largest eigenvalue:
#
# $$\text{the distance shrinks per step by } \max_i |\lambda_i(A)|, \text{ if that is below } 1.$$
#
# - *Simultaneous:* $A = I + eJ$ with $J$ the Jacobian of the field. An eigenvalue $\lambda$ of $J$ becomes
#   $1 + e \lambda$. Here $J$ is a rotation by 90 degrees, $\lambda = \pm i$, and $|1 + ei| = \sqrt{1 + e^2}$ exceeds 1
#   for *every* step size. Smaller steps only make it slower.
# - *Alternating:* put $x' = x - ey$ into $y' = y + ex'$. The matrix has the rows $(1, -e)$ and $(e, 1 - e^2)$. Its
#   determinant is 1 and its trace $2 - e^2$, so for $e < 2$ both eigenvalues lie *on* the unit circle. The walk goes
#   round for ever, on the ellipse $x^2 + y^2 - exy = \text{const}$. (That is the wiggle about the dashed line.)
# - *Extragradient:* $A = I + eJ + e^2 J^2$, eigenvalues $1 \pm ei - e^2$, modulus $\sqrt{1 - e^2 + e^4} < 1$ for
#   $e < 1$.
#
# We need not trust the algebra. The Jacobian of any step can be measured, column by column, with the central difference
# of lesson 1.


# %% setup
def jacobian(f, w, h=1e-4):
    """Return the matrix of the derivatives of f, from R^n to R^n, at w: column j is the change along axis j."""
    w = np.asarray(w, dtype=float)
    return np.column_stack([(f(w + h * d) - f(w - h * d)) / (2 * h) for d in np.eye(len(w))])


# %%
steps_of = {
    "simultaneous": lambda w: simultaneous(bilinear, w, e),
    "alternating": lambda w: alternating(bilinear, w, e),
    "extragradient": lambda w: look_ahead(w, e),
}
print(f"{'':16}{'largest modulus':>18}{'theory':>14}")
for name, step_map in steps_of.items():
    modulus = np.abs(np.linalg.eigvals(jacobian(step_map, (0, 0)))).max()
    print(f"{name:16}{modulus:18.10f}{growth[name]:14.10f}")
ellipse = [x * x + y * y - e * x * y for x, y in walks["alternating"]]
print(f"\nx^2 + y^2 - e x y along the alternating walk: from {min(ellipse):.12f} to {max(ellipse):.12f}")

# %% [markdown]
# ## The smallest GAN
#
# The **Dirac-GAN** (Mescheder, Geiger & Nowozin, 2018) has one real sample, at 0. The generator makes one sample, at
# $\theta$, whatever the noise. The discriminator is a line through 0 with slope $\psi$, $D(x) = \psi x$. With the
# non-saturating loss,
#
# $$L_D = \log 2 + \mathrm{softplus}(\psi \theta) + \tfrac{\gamma}{2} \psi^2, \qquad
# L_G = \mathrm{softplus}(-\psi \theta).$$
#
# The last term of $L_D$ is the R1 penalty: the slope of $D$ at the real sample is $\psi$. The equilibrium is
# $(\theta, \psi) = (0, 0)$: the sample is right, the discriminator flat. Differentiate the field once more there, with
# $\sigma(0) = \tfrac{1}{2}$:
#
# - the row of $\theta$ is $(0, \tfrac{1}{2})$: how it moves depends on $\psi$ only;
# - the row of $\psi$ is $(-\tfrac{1}{2}, -\gamma)$.
#
# From $\lambda^2 + \gamma \lambda + \tfrac{1}{4} = 0$ follows
#
# $$\lambda = -\frac{\gamma}{2} \pm \sqrt{\frac{\gamma^2}{4} - \frac{1}{4}}.$$
#
# Without the penalty, $\lambda = \pm \tfrac{i}{2}$: the bilinear game again, at half the speed. With a small $\gamma$
# the real part is negative, and the walk spirals in. At $\gamma = 1$ the two eigenvalues meet at $-\tfrac{1}{2}$.
# Beyond, both are real, and one comes back towards 0. This is the damped pendulum, with $\gamma$ as the friction.
#
# The game below is made of the library's own losses and penalties. So the measurement proves the signs and factors of
# that code, and the derivation above, in one go.


# %% setup
def dirac(w, loss="non_saturating", r1=0.0, r2=0.0, noise=0.0):
    """Return the field -(dL_G/dtheta, dL_D/dpsi) of the Dirac-GAN at w = (theta, psi).

    noise : standard deviation of instance noise, added to all samples that D sees (as -noise and +noise in equal parts)
    """
    theta, psi = (mg.tensor(np.array([value]), requires_grad=True) for value in w)
    data, blur = np.zeros(1), np.array([-noise, noise])
    game = mg.losses.get(loss)

    def D(x):
        return psi * x

    fake = theta.detach()
    L_D = game.discriminator(D(data + blur), D(fake + blur))
    L_D = L_D + 0.5 * r1 * mg.penalties.r1(D, data) + 0.5 * r2 * mg.penalties.r2(D, fake)
    L_D.backward(inputs=[psi])
    L_G = game.generator(D(data + blur) if game.real_in_generator else None, D(theta + blur))
    L_G.backward(inputs=[theta])
    return -np.array([theta.grad.item(), psi.grad.item()])


def theory(r1):
    """Return both eigenvalues of the Dirac-GAN with R1."""
    root = np.emath.sqrt(r1**2 / 4 - 0.25)
    return np.array([-r1 / 2 - root, -r1 / 2 + root], dtype=complex)


# %%
gammas = [0.0, 0.3, 0.6, 0.9, 1.2, 1.6, 2.2]
measured = [np.linalg.eigvals(jacobian(lambda w, g=g: dirac(w, r1=g), (0, 0))) for g in gammas]
fine = np.array([theory(g) for g in np.linspace(0, 2.3, 2001)])
e = 1.0

fig, ax = plt.subplots(figsize=(6.4, 4.4))
ax.add_patch(plt.Circle((-1 / e, 0), 1 / e, color="C2", alpha=0.13, linewidth=0))
for branch in fine.T:
    ax.plot(branch.real, branch.imag, "k--", linewidth=1)
for g, pair in zip(gammas, measured, strict=True):
    ax.plot(pair.real, pair.imag, "o", color="C0", markersize=5)
    top = pair[np.argmax(pair.imag)] if g < 1 else pair[np.argmin(pair.real)]
    place = {"xytext": (-7, 7 if g < 0.5 else -1), "ha": "right"} if 0 < g < 1 else {"xytext": (4, 6)}
    ax.annotate(f"γ = {g:g}", (top.real, top.imag), textcoords="offset points", fontsize=9, **place)
ax.axhline(0, color="0.6", linewidth=0.8)
ax.axvline(0, color="0.6", linewidth=0.8)
ax.text(-1.0, -0.8, "steps of size 1\nconverge in here", color="C2", ha="center")
ax.set(xlabel="real part: growth", ylabel="imaginary part: rotation", aspect="equal", xlim=(-2.25, 0.5))
ax.set_title("A penalty on D moves the eigenvalues to the left")
plt.show()

# %% [markdown]
# Dots are measured, the dashed curve is the formula. The green disc is where $|1 + e\lambda| < 1$, with $e = 1$: centre
# $-1/e$, radius $1/e$. The imaginary axis touches it at 0 only, so without a penalty no step size converges. And an
# eigenvalue far to the left leaves the disc again: a strong penalty wants a small step.
#
# What the eigenvalues say about one step must show in a long run. Which $\gamma$ will be the fastest?

# %%
e, count = 0.2, 400
fig, ax = plt.subplots()
for (g, mark), colour in zip({0.0: "o", 0.3: "s", 1.0: "^", 3.0: "v"}.items(), ["C1", "C0", "C2", "C3"], strict=True):
    points = walk(simultaneous, lambda w, g=g: dirac(w, r1=g), (0.1, 0.0), e, count)
    rate_g = np.abs(1 + e * theory(g)).max()
    distance = np.hypot(*points.T)
    ax.semilogy(distance, mark, color=colour, markersize=4, markevery=16, linestyle="-", linewidth=1)
    ax.semilogy([0, count], distance[200] * rate_g ** np.array([-200.0, count - 200]), "k--", linewidth=1)
    ax.text(count + 5, distance[-1], f"γ = {g:g}", color=colour, va="center", weight="bold")
ax.set(xlabel="steps of size 0.2", ylabel="distance to the equilibrium", xlim=(0, count + 60), ylim=(1e-18, 10))
ax.set_title("Too little penalty swings, too much creeps")
plt.show()

# %% [markdown]
# The best is $\gamma = 1$, where rotation just ends. (It falls a little slower than its dashed line: a double
# eigenvalue brings a factor of the number of steps.) For $\gamma = 0.3$ a step shrinks the distance by 0.97468. For
# $\gamma = 0$ it *grows*, by 1.00499 per step. That is what happens near the equilibrium; farther out, the curvature of
# this loss bends the spiral into a circle, and there it stays for ever.
#
# Now the same game as it plays, with the minimax loss, whose field stands at a right angle to the direction home at
# *every* point. The sample of the generator chases the data at 0, the slope of the discriminator says where to go.
# Watch *when* the line is steepest in the upper row: just as the sample flies past its goal.

# %%
frames = 50
tracks = [walk(alternating, lambda w, g=g: dirac(w, loss="minimax", r1=g), (1.0, 0.0), 0.5, frames) for g in (0.0, 0.5)]
fig, axes = plt.subplots(2, 1, figsize=(6.4, 4.6), sharex=True)
line_x = np.array([-1.6, 1.6])
artists = []
for ax, name in zip(axes, ("without a penalty", "with R1, γ = 0.5"), strict=True):
    ax.axvline(0, color="C0", linewidth=6, alpha=0.35)
    ax.text(0.04, -1.35, "data", color="C0")
    (slope,) = ax.plot(line_x, 0 * line_x, color="C2", label="D(x) = ψ x")
    (sample,) = ax.plot([1], [0], "o", color="C1", markersize=9, label="generated sample θ")
    ax.set(xlim=line_x, ylim=(-1.6, 1.6), ylabel="D(x), a logit")
    ax.set_title(name)
    artists.append((slope, sample))
axes[0].legend(loc="upper left", fontsize=9)
axes[1].set_xlabel("x")


def draw(frame):
    for (slope, sample), track in zip(artists, tracks, strict=True):
        theta, psi = track[frame]
        slope.set_ydata(psi * line_x)
        sample.set_data([theta], [psi * theta])


animation = FuncAnimation(fig, draw, frames=frames, interval=100)
fig.canvas.draw()
plt.show()

# %% [markdown]
# ## Break it
#
# Change the game, and measure. The column "shrinks by" is the largest $|1 + e\lambda|$ at $e = 0.2$. Before you run a
# line, say on which side of 1 it will be.
#
# - The Wasserstein loss has no curvature at all. Does it converge? Does instance noise help it?
# - Is R2, on the generated samples, worth as much as R1? And both together?
# - Noise of standard deviation $s$ has $\lambda = -\tfrac{s^2}{4} \pm \sqrt{\tfrac{s^4}{16} - \tfrac{1}{4}}$. Which $s$
#   is as good as $\gamma = 0.5$?
# - Find a $\gamma$ that is too *large* for this step size.

# %%
games = {
    "non-saturating": {},
    "Wasserstein": {"loss": "wasserstein"},
    "Wasserstein, noise 1": {"loss": "wasserstein", "noise": 1.0},
    "Wasserstein, R1 0.5": {"loss": "wasserstein", "r1": 0.5},
    "relativistic": {"loss": "relativistic"},
    "R1 0.5": {"r1": 0.5},
    "R2 0.5": {"r2": 0.5},
    "R1 and R2 0.5": {"r1": 0.5, "r2": 0.5},
    "noise 1": {"noise": 1.0},
    "R1 11": {"r1": 11.0},
}
print(f"{'':22}{'eigenvalues':>34}{'shrinks by':>14}")
for name, game in games.items():
    pair = np.linalg.eigvals(jacobian(lambda w, game=game: dirac(w, **game), (0, 0)))
    first, second = (f"{value.real:+.4f} {value.imag:+.4f}i" for value in pair.astype(complex))
    print(f"{name:22}{first:>17}{second:>17}{np.abs(1 + 0.2 * pair).max():14.5f}")

# %% [markdown]
# The loss hardly matters for the answer, the penalty does. What carries over to large GANs is this: at the equilibrium,
# the players' own second derivatives pull inwards, and the mixed ones only rotate. A plain GAN has next to nothing of
# the first kind there. R1, R2 and instance noise supply it.
#
# What does *not* carry over is the number: a network has thousands of eigenvalues, and $\gamma = 1$ is best for none
# of them. And theory speaks about the neighbourhood of an equilibrium; lesson 10 is about runs that never get there.
#
# ## Exercises
#
# Write your answers in place of `raise NotImplementedError("your turn")`, then run `minigan lesson check 09`.


# %% exercise 09.1: extragradient
def extragradient(field, w, step):
    """Return where one extragradient step leads from w, in any game.

    field takes an array (n,) and returns the field there (n,); w has shape (n,) and must be left as it is. Look at the
    field one simultaneous step ahead, and go from w along what is seen there.
    """
    # solution {
    ahead = w + step * field(w)
    return w + step * field(ahead)
    # } solution


# %% exercise 09.2: the rate
def rate(J, step):
    """Return by which factor the distance to the equilibrium changes per simultaneous step, in the long run.

    J, of shape (n, n), is the Jacobian of the field at the equilibrium. Above 1: the game runs away.
    """
    # solution {
    return np.abs(1 + step * np.linalg.eigvals(J)).max()
    # } solution


# %% exercise 09.3: the field of the Dirac-GAN, by hand
def dirac_field(theta, psi, gamma):
    """Return the pair (-dL_G/dtheta, -dL_D/dpsi) of the Dirac-GAN, three numbers in, two numbers out.

    L_D = log 2 + softplus(psi theta) + gamma/2 psi^2 and L_G = softplus(-psi theta); softplus'(a) = sigmoid(a).
    """

    # solution {
    def sigmoid(a):
        return 1 / (1 + np.exp(-a))

    return sigmoid(-psi * theta) * psi, -sigmoid(psi * theta) * theta - gamma * psi
    # } solution


# %% exercise 09.4: the largest step
def largest_step(eigenvalues):
    """Return the number E such that simultaneous steps converge for all step sizes 0 < e < E, and not at e > E.

    eigenvalues, (n,) complex, are those of the field at the equilibrium, none of them 0. Return 0 if no step converges.
    """
    # solution {
    # |1 + e l|^2 = 1 + 2 e Re(l) + e^2 |l|^2 is below 1 where e < -2 Re(l) / |l|^2; all eigenvalues must agree.
    return max(0.0, np.min(-2 * np.real(eigenvalues) / np.abs(eigenvalues) ** 2))
    # } solution
