# %% [markdown]
# # 4. Proving a gradient
#
# - **Goal:** have a gradient proved or refuted, know what the proof is worth, and let a test look for the example that
#   breaks it.
# - **Before:** lessons 1 and 3.
# - **Minutes:** 80
#
# A wrong gradient does not crash. The loss still falls, a little slower, a little elsewhere, and weeks go into tuning
# what was never right. So nobody should believe a gradient that they derived, least of all their own: lesson 1 has the
# judge. What remains is to ask it the right questions. This lesson is about gradient checks that prove something.

# %% setup
import matplotlib.pyplot as plt
import numpy as np
from hypothesis import given, settings

import minigan as mg
from minigan.checking import strategies

mg.plots.use_style()
rng = np.random.default_rng(0)

# %% [markdown]
# ## How near is near enough?
#
# A claim $g$ is right if $\langle g, v \rangle = D_v f(x)$ for every direction $v$. The left side is a sum, the right
# side is measured, and they are never quite equal. The usual test is `abs(difference) < 1e-6`. Take one function,
# $s \tanh x$, and change nothing but its unit $s$: from metres to nanometres, say. One claim is right, the other is
# wrong by one per cent. Where would you draw the line between the two?

# %%
scales = 10.0 ** np.arange(-9, 10)
right, wrong, margin = [], [], []
for s in scales:
    x, v = 0.7, 1.0
    slope = s * (1 - np.tanh(x) ** 2)
    central = (s * np.tanh(x + 1e-5) - s * np.tanh(x - 1e-5)) / 2e-5
    right.append(abs(slope - central))
    wrong.append(abs(1.01 * slope - central))
    margin.append(mg.directional_derivative(lambda x, s=s: s * np.tanh(x), x, v).error)

fig, ax = plt.subplots()
ax.loglog(scales, wrong, "s-", color="C1", markersize=4, label="a claim that is 1 % off")
ax.loglog(scales, right, "o-", color="C0", markersize=4, label="the right claim")
ax.loglog(scales, margin, "k--", linewidth=1.2, label="minigan's tolerance")
ax.axhline(1e-6, color="C2", label="fixed tolerance, 1e-6")
ax.fill_between(scales, wrong, 1e-6, where=np.array(wrong) < 1e-6, color="C1", alpha=0.15, linewidth=0)
ax.fill_between(scales, right, 1e-6, where=np.array(right) > 1e-6, color="C0", alpha=0.2, linewidth=0)
ax.text(3e-8, 1e-12, "bug passes", color="C1", weight="bold")
ax.text(1e9, 2e-9, "false alarm", color="C0", weight="bold", ha="right")
ax.set(xlabel="s, the unit in which f is measured", ylabel="difference to the measured derivative")
ax.set_title("No fixed line separates right from wrong")
ax.legend(fontsize=9)
plt.show()

# %% [markdown]
# `mg.check_gradients` has no tolerance to set. It compares with a derivative that knows its own error, as in lesson 1,
# and that error is the tolerance, at every scale.
#
# ## Planted bugs
#
# A test that has never failed is a test that nobody has tested. So here is a small loss of a discriminator, mean
# softplus of its logits, with the right gradient and with bugs that all of us have written. The checker sees `f` and
# the claim; the name of the bug is its own finding.


# %%
def f(a):
    return np.mean(np.logaddexp(0, a))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def leaks_into_one_row(a):
    g = sigmoid(a) / a.size
    g[-1] = 0
    return g


claims = {
    "sigmoid(a) / n": lambda a: sigmoid(a) / a.size,
    "sigmoid(a)": lambda a: sigmoid(a),
    "-sigmoid(a) / n": lambda a: -sigmoid(a) / a.size,
    "(1 - sigmoid(a)) / n": lambda a: (1 - sigmoid(a)) / a.size,
    "sigmoid(a) / n, reversed": lambda a: sigmoid(a)[::-1, ::-1] / a.size,
    "last row set to 0": leaks_into_one_row,
    "in float32": lambda a: (sigmoid(a.astype(np.float32)) / a.size).astype(float),
}
logits = rng.normal(size=(8, 3))
print(f"{'claim':28}{'right?':10}diagnosis")
for name, claim in claims.items():
    report = mg.check_gradients(f, logits, grad=claim, seed=0, raise_on_failure=False)
    print(f"{name:28}{'yes' if report.ok else 'no':10}{report.diagnosis or ''}")

# %% [markdown]
# A report says where, too, and draws what it measured. On the diagonal is what agrees.

# %%
report = mg.check_gradients(f, logits, grad=leaks_into_one_row, seed=0, raise_on_failure=False)
print(report)
report.plot()

# %% [markdown]
# ## Checks that prove nothing
#
# A check with a green light may be empty. Three ways, from bad to worse:
#
# 1. **One direction for ever.** $\langle g, v \rangle$ with $v = (1, 1, \dots)$ is the sum of $g$. Exchange two
#    elements of the gradient, and it does not move. Directions must be random, of both signs and of different lengths.
# 2. **A sum as the output.** A layer returns an array, a gradient needs a number, so one writes `layer(x).sum()`. For a
#    softmax that sum is 1, whatever $x$ is. The true gradient is zero, and a backward pass that returns zeros is right.
# 3. **The wrong point.** At $x = 0$, at inputs that are all positive, at a batch of one, many bugs are asleep.
#
# The second has a remedy that costs one line: weight the outputs with fixed random numbers, $\langle c, f(x) \rangle$.
# The weights $c$ are a cotangent. Watch a softmax whose backward pass was never written:


# %%
def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


x, c = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
empty = mg.check_gradients(lambda x: np.sum(softmax(x)), x, grad=np.zeros_like, seed=0)
print("summed:   right?", empty.ok, "  vacuous?", empty.vacuous)
weighted = mg.check_gradients(lambda x: np.sum(c * softmax(x)), x, grad=np.zeros_like, seed=0, raise_on_failure=False)
print("weighted: right?", weighted.ok, "  diagnosis:", weighted.diagnosis)
print()
print(empty)

# %% [markdown]
# A check that is `ok` and `vacuous` has refuted nothing and proved nothing. For functions built from Tensors, the
# checker draws the cotangent itself.
#
# ## Let a test look for the point
#
# Against the third, draw the inputs. The library *hypothesis* makes random inputs of all kinds: empty, tiny, huge,
# negative, of odd shapes. When one fails, it **shrinks** it to the simplest that still fails, and a simple example is
# half of the repair. Here is the gradient of $|x|^3$. It is right for most arrays that one would try by hand.


# %%
def cube(x):
    return np.sum(np.abs(x) ** 3)


def claimed(x):
    return 3 * x**2


@settings(deadline=None, derandomize=True)
@given(x=strategies.arrays())
def test_cube(x):
    mg.check_gradients(cube, x, grad=claimed, seed=0)


try:
    test_cube()
except mg.errors.GradientCheckError as error:
    print(error)

# %% [markdown]
# One element, negative, a round number. It could not be said more clearly. The seed makes the check repeat: without it,
# hypothesis could not replay what it found. In a file of tests, pytest would run `test_cube` for you.
#
# ## Break it
#
# Repair `claimed` above, and run its cell again. Then find out what the checker *cannot* see. Each of these claims is
# wrong, and each passes. Why? Change one number in each so that it fails.

# %%
hidden = {
    "below the rounding of f": (lambda x: 1e6 + 1e-12 * np.sin(x[0]), lambda x: np.array([0.0])),
    "a branch not taken": (lambda x: x[0] ** 2, lambda x: np.array([2 * x[0] if x[0] < 5 else 7.0])),
    "the loss itself is wrong": (lambda x: np.mean(x[0] - x[0] ** 2), lambda x: np.array([1 - 2 * x[0]])),
}
for name, (function, claim) in hidden.items():
    report = mg.check_gradients(function, np.array([0.3]), grad=claim, seed=0, raise_on_failure=False)
    print(f"{name:28}right? {report.ok!s:7} vacuous? {report.vacuous}")

# %% [markdown]
# ## Exercises
#
# When you have written your answers, run `minigan lesson check 04`.


# %% exercise 04.1: the gradient of mean softplus
def grad_mean_softplus(a):
    """Return the gradient of mean(log(1 + exp(a))) at a, for an array of any shape.

    It must be finite for every finite a, also for a = -1000 and a = 1000, and give no overflow there.
    """
    # solution {
    small = np.exp(-np.abs(a))  # never overflows
    return np.where(a >= 0, 1, small) / (1 + small) / np.size(a)
    # } solution


# %% exercise 04.2: a check that is not empty
def probe(layer, x, rng):
    """Return a function of an array like x: the sum of layer(x), each element weighted by a random number.

    layer takes an array and returns an array. The weights are drawn from rng, once: the same function of x each time.
    """
    # solution {
    weights = rng.normal(size=layer(x).shape)
    return lambda x: np.sum(weights * layer(x))
    # } solution


# %% exercise 04.3: a property-based test
def make_test(f, grad):
    """Return a hypothesis test of the claim that grad is the gradient of f: a function without arguments that raises.

    f takes a float64 array of any shape and returns a number. Draw arrays of several shapes, with up to two axes at
    least, and values of both signs; use `given`, `strategies.arrays` and `mg.check_gradients` with a seed.
    """

    # solution {
    @settings(deadline=None)
    @given(x=strategies.arrays())
    def test(x):
        mg.check_gradients(f, x, grad=grad, seed=0)

    return test
    # } solution


# %% exercise 04.4: cross-entropy
def cross_entropy_grad(logits, labels):
    """Return the gradient by the logits of the mean cross-entropy, -mean over n of log softmax(logits[n])[labels[n]].

    logits is (N, C), labels (N,) holds whole numbers from 0 to C - 1. Leave both as they are.
    """
    # solution {
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    gradient = e / e.sum(axis=1, keepdims=True)
    gradient[np.arange(len(labels)), labels] -= 1
    return gradient / len(labels)
    # } solution
