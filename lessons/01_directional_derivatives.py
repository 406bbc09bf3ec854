# %% [markdown]
# # 1. Directional derivatives by differences
#
# - **Goal:** measure how fast a function changes along a direction, and know how many digits of the answer to believe.
# - **Before:** derivatives of one variable, Taylor's theorem; Python with NumPy.
# - **Minutes:** 50
#
# Training a network means moving its parameters a little and asking what that does to a loss. One number answers: the
# **directional derivative**. It needs no gradient, no computational graph and no theory of autodiff, only the function
# itself. That makes it the judge in this course: every gradient that we derive will be held against it.

# %% setup
import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## One direction makes one variable
#
# Let $f$ take an array $x$ to a number, and let $v$ be an array of the same shape: the **direction**. Walk from $x$
# along $v$, and look only at the value on the way:
#
# $$\varphi(t) = f(x + t v), \qquad D_v f(x) = \varphi'(0) = \lim_{t \to 0} \frac{f(x + t v) - f(x)}{t}.$$
#
# However many elements $x$ has, $\varphi$ is a function of *one* variable. The chain rule ties it to the gradient:
# $D_v f(x) = \langle \nabla f(x), v \rangle$. There is no derivative "in no direction", and the length of $v$ counts:
# twice the direction is twice the derivative.
#
# Our example has two parameters, a slope and an offset. It is the loss of the smallest discriminator there is, a single
# neuron that sees one real sample (at 1.5) and one generated sample (at -0.5).

# %% setup
REAL, FAKE = 1.5, -0.5


def loss(w):
    """Return -log p(real) - log(1 - p(fake)) of the neuron p(x) = sigmoid(w[0] x + w[1])."""
    return np.logaddexp(0, -(w[0] * REAL + w[1])) + np.logaddexp(0, w[0] * FAKE + w[1])


# %%
x, v = np.array([-1.0, 1.5]), np.array([2.0, -0.5])
t = np.linspace(-1, 1, 201)
phi = [loss(x + step * v) for step in t]
slope = mg.directional_derivative(loss, x, v).value

fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3.6))
grid = np.linspace(-4, 4, 81)
heights = loss(np.array(np.meshgrid(grid, grid)))
left.contour(grid, grid, heights, levels=14, colors="0.6", linewidths=0.9)
left.annotate("", xy=x + v, xytext=x, arrowprops={"arrowstyle": "-|>", "color": "C0", "lw": 2})
left.plot(*x, "o", color="C0")
left.text(x[0] - 0.3, x[1] + 0.35, "x", color="C0", weight="bold")
left.text(x[0] + v[0] + 0.2, x[1] + v[1], "x + v", color="C0", weight="bold", va="center")
left.set(xlabel="w[0], slope of the neuron", ylabel="w[1], its offset", title="Loss seen from above")
right.plot(t, phi, color="C0")
right.plot(t, phi[100] + slope * t, "k--", linewidth=1.2)
right.text(0.97, 0.9, f"slope at 0: {slope:.3f}", transform=right.transAxes, ha="right")
right.set(xlabel="t, steps along v", ylabel="loss at x + t v", title="The same, along v")
plt.show()

# %% [markdown]
# ## A difference quotient, and its two errors
#
# The limit cannot be computed, but a quotient with a small $h$ can. By Taylor's theorem, the **forward difference** is
#
# $$\frac{\varphi(h) - \varphi(0)}{h} = \varphi'(0) + \frac{h}{2} \varphi''(0) + \dots$$
#
# and the **central difference**, in which the even terms cancel,
#
# $$\frac{\varphi(h) - \varphi(-h)}{2h} = \varphi'(0) + \frac{h^2}{6} \varphi'''(0) + \dots$$
#
# These are **truncation** errors, and they say: make $h$ small. But the computer does not know $\varphi(h)$. It knows a
# number within $\varepsilon |\varphi|$ of it, where $\varepsilon = 2^{-52} \approx 2.2 \cdot 10^{-16}$ in float64. The
# difference of two such numbers is off by up to $2 \varepsilon |\varphi|$, and division by $h$ magnifies that. This
# **rounding** error says: make $h$ large.
#
# Look at the sum of the two before you look at the picture. On logarithmic axes, what shape will it have?


# %%
def forward(f, x, v, h):
    return (f(x + h * v) - f(x)) / h


def central(f, x, v, h):
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


def exact(x, v):
    """Return <gradient, v>, derived by hand: lesson 2 explains how."""
    p_real, p_fake = 1 / (1 + np.exp(-(x[0] * REAL + x[1]))), 1 / (1 + np.exp(-(x[0] * FAKE + x[1])))
    gradient = -(1 - p_real) * np.array([REAL, 1]) + p_fake * np.array([FAKE, 1])
    return gradient @ v


steps = 2.0 ** np.arange(-50, 1)
errors = {name: [abs(rule(loss, x, v, h) - exact(x, v)) for h in steps] for name, rule in
          [("forward", forward), ("central", central)]}  # fmt: skip

fig, ax = plt.subplots()
ax.loglog(steps, errors["forward"], "o-", markersize=3.5, label="forward difference")
ax.loglog(steps, errors["central"], "s-", markersize=3.5, label="central difference")
ax.loglog(steps, 2.2e-16 * loss(x) / steps, "k--", linewidth=1, label="rounding, ε |f| / h")
ax.set(xlabel="step h, in units of v", ylabel="error of the derivative", ylim=(1e-14, 30))
ax.set_title("Too large a step truncates, too small a step rounds")
ax.legend()
plt.show()

# %% [markdown]
# A **V**. Its right arm has slope 1 for the forward difference (error proportional to $h$) and slope 2 for the central
# one ($h^2$). The left arms coincide: slope $-1$, with the zigzag of rounding. The bottom is where the arms meet:
#
# - Forward, $\tfrac{1}{2} h |\varphi''| + 2 \varepsilon |\varphi| / h$ is smallest at about $h = \varepsilon^{1/2}$, or
#   $10^{-8}$. The error there is about $10^{-8}$ as well: half of the digits are lost.
# - Central, $\tfrac{1}{6} h^2 |\varphi'''| + \varepsilon |\varphi| / h$ is smallest at about $h = \varepsilon^{1/3}$,
#   or $10^{-5}$. The error there is about $10^{-11}$: a third of the digits is lost.
#
# So "take $h = 10^{-10}$ to be exact" is the wrong idea: at that step, six digits are left. And the best step depends
# on the function: its value, its curvature, its units, none of which you know beforehand.
#
# ## A derivative that knows its error
#
# `mg.directional_derivative` tries steps of many sizes, fits polynomials through several points, and measures the noise
# that they leave over. It returns the derivative *and* how far it may be off.

# %%
value, error = mg.directional_derivative(loss, x, v)
print(f"measured  {value:.15f} +- {error:.1e}")
print(f"exact     {exact(x, v):.15f}")

# %% [markdown]
# ## Break it
#
# Four functions with the same derivative at 0, which is 1, and one with none. Change them, and add your own. Which
# errors does the estimate see coming? What does it say at a kink?

# %%
cases = {
    "smooth": np.sin,
    "a large constant": lambda t: np.sin(t) + 1e8,
    "float32 inside": lambda t: np.float32(1) + np.sin(np.float32(t)),
    "wild": lambda t: np.sin(1000 * t) / 1000,
    "a kink at 0": lambda t: np.maximum(t, 0),
}
print(f"{'':18}{'central, h = 1e-5':>20}{'value':>16}{'+- error':>12}")
for name, f in cases.items():
    value, error = mg.directional_derivative(f, 0.0, 1.0)
    print(f"{name:18}{central(f, 0.0, 1.0, 1e-5):20.10f}{value:16.10f}{error:12.1e}")

# %% [markdown]
# The kink is honest, too: from the left the derivative is 0, from the right it is 1, and $0.5 \pm 0.5$ is all that can
# be said. The central difference says 0.5 and sounds sure.
#
# ## Exercises
#
# Write your answers in place of `raise NotImplementedError("your turn")`. Then run
# `minigan lesson check 01`, which tries them on functions and numbers of its own.


# %% exercise 01.1: a directional derivative
def slope_along(f, x, v, h=1e-5):
    """Return the central difference of f at x along v: the error must fall as h squared.

    f takes an array of the shape of x and returns a number; v has the shape of x, and any length.
    """
    # solution {
    return (f(x + h * v) - f(x - h * v)) / (2 * h)
    # } solution


# %% exercise 01.2: the best step
def best_forward_step(value, curvature, eps=2.0**-52):
    """Return the h > 0 at which h/2 |curvature| + 2 eps |value| / h is smallest.

    That is the error of the forward difference of a function with this value and second derivative. Neither is 0.
    """
    # solution {
    # Set the derivative to 0: |curvature| / 2 = 2 eps |value| / h^2.
    return 2 * np.sqrt(eps * abs(value) / abs(curvature))
    # } solution


# %% exercise 01.3: a gradient, one element at a time
def numerical_gradient(f, x, h=1e-5):
    """Return the gradient of f at x by central differences, as an array of the shape of x (any shape).

    x holds floats and must be left as it is.
    """
    # solution {
    gradient = np.zeros(x.shape)
    for index in np.ndindex(*x.shape):
        v = np.zeros(x.shape)
        v[index] = 1.0
        gradient[index] = (f(x + h * v) - f(x - h * v)) / (2 * h)
    return gradient
    # } solution


# %% exercise 01.4: two steps are better than one
def extrapolated(f, x, v, h=1e-3):
    """Return a combination a C(h) + b C(2 h) of two central differences whose error falls as the fourth power of h.

    Find a and b: C(h) = D + c h^2 + O(h^4), with the same c for both.
    """

    # solution {
    def central_difference(step):
        return (f(x + step * v) - f(x - step * v)) / (2 * step)

    return (4 * central_difference(h) - central_difference(2 * h)) / 3
    # } solution
