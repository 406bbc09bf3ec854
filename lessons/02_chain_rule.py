# %% [markdown]
# # 2. The chain rule by hand, and on a tape
#
# - **Goal:** derive a gradient with the chain rule, write the 60 lines that do it for you, and see why their order
#   matters.
# - **Before:** lesson 1; the chain rule; Python classes.
# - **Minutes:** 70
#
# Backpropagation is the chain rule, plus one decision: in which order to multiply. This lesson derives one gradient by
# hand, line by line. Then it lets a program write down the same lines while it computes, and read them backwards. That
# program is an autodiff engine. Ours works on numbers, so that nothing hides the idea; arrays come in lesson 3.

# %% setup
import math

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## By hand
#
# A neuron looks at a real sample $x$ and says how real it thinks it is: $p = \sigma(wx + b)$. Its loss is $-\log p$.
# Give each intermediate result a name, one operation per line. Then differentiate each line on its own, and multiply
# from the loss backwards:
#
# | line | derivative of the line | derivative of L with respect to it |
# |---|---|---|
# | $u = w x$ | $\partial u/\partial w = x$ | $\bar w = \bar u \, x$ |
# | $a = u + b$ | $\partial a/\partial u = \partial a/\partial b = 1$ | $\bar u = \bar a$ and $\bar b = \bar a$ |
# | $p = \sigma(a)$ | $\partial p/\partial a = p (1 - p)$ | $\bar a = \bar p \, p (1 - p)$ |
# | $L = -\log p$ | $\partial L/\partial p = -1/p$ | $\bar p = -1/p$ |
#
# Read the last column from the bottom. $\bar p$ is short for $\partial L/\partial p$: the **cotangent** of $p$. Every
# line does the same thing, *take the cotangent of its result and multiply it by a derivative known on the spot*. The
# product collapses: $\bar a = -(1 - p)$. A neuron that is sure ($p$ near 1) learns nothing more, one that is wrong
# learns with full force. Keep this formula; the discriminator of every GAN uses it.
#
# ## On a tape
#
# A program can keep such a table. Each number remembers what it was made from, and the derivative on the spot.


# %% setup
class Scalar:
    """A number that remembers how it was made.

    parents : pairs (Scalar, derivative of this number with respect to that one)
    gradient : the derivative of the final result with respect to this number, once `backward` has run
    """

    def __init__(self, value, parents=(), name=""):
        self.value = value
        self.parents = list(parents)
        self.name = name
        self.gradient = 0.0

    def __add__(self, other):
        other = as_scalar(other)
        return Scalar(self.value + other.value, [(self, 1.0), (other, 1.0)], "+")

    def __mul__(self, other):
        other = as_scalar(other)
        return Scalar(self.value * other.value, [(self, other.value), (other, self.value)], "*")

    def __neg__(self):
        return self * -1.0

    __radd__, __rmul__ = __add__, __mul__


def as_scalar(x):
    return x if isinstance(x, Scalar) else Scalar(x)


def sigmoid(a):
    p = 1 / (1 + math.exp(-a.value))
    return Scalar(p, [(a, p * (1 - p))], "sigmoid")


def log(p):
    return Scalar(math.log(p.value), [(p, 1 / p.value)], "log")


# %% [markdown]
# What is left is to hand cotangents from results to parents. A number that is used twice gets two contributions, and
# its cotangent is their *sum*: that is the chain rule of several variables. So a number may pass its cotangent on only
# when all contributions have arrived. In other words, every number must come after everything that uses it: a
# **topological order**.


# %% setup
def backward(result):
    """Fill in the gradient of everything that `result` was made from."""
    order, seen = [], set()

    def visit(node):  # parents first ...
        if node not in seen:
            seen.add(node)
            for parent, _ in node.parents:
                visit(parent)
            order.append(node)

    visit(result)
    for node in order:
        node.gradient = 0.0
    result.gradient = 1.0
    for node in reversed(order):  # ... and backwards: users first
        for parent, derivative in node.parents:
            parent.gradient += node.gradient * derivative


# %%
w, b = Scalar(0.8, name="w"), Scalar(-0.3, name="b")
x = 1.5
p = sigmoid(w * x + b)
L = -log(p)
backward(L)
print(f"by the tape   dL/dw = {w.gradient:.12f}   dL/db = {b.gradient:.12f}")
print(f"by hand       dL/dw = {-(1 - p.value) * x:.12f}   dL/db = {-(1 - p.value):.12f}")


def loss(parameters):
    w, b = parameters
    return np.logaddexp(0, -(w * x + b))


for v in ([1.0, 0.0], [0.0, 1.0]):
    value, error = mg.directional_derivative(loss, [0.8, -0.3], v)
    print(f"by differences          {value:.12f} +- {error:.0e}   along v = {v}")

# %% [markdown]
# ## Break it: two orders that look as good
#
# The most asked question about small autodiff engines is: *why sort at all?* Each number could as well pass on what it
# gets at once. Here are two such engines. The first walks breadth first and handles each number once. The second walks
# depth first, and passes on the whole gradient each time it comes by.


# %% setup
def breadth_first(result):
    """WRONG: a number is handled when it is first met, and never again."""
    result.gradient = 1.0
    queue, seen = [result], {result}
    for node in queue:
        for parent, derivative in node.parents:
            parent.gradient += node.gradient * derivative
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)


def depth_first(result):
    """WRONG: a number passes on its whole gradient each time that it gets a contribution."""
    for parent, derivative in result.parents:
        parent.gradient += result.gradient * derivative
        depth_first(parent)


# %% [markdown]
# Before you run the next cell, work out for each of the four functions what the right derivative is, and where the two
# engines go wrong. All of them are made of $b = 2x$.

# %%
FUNCTIONS = {
    "b": lambda b: b + 0,
    "b + b": lambda b: b + b,
    "b + (b + 1)": lambda b: b + (b + 1),
    "(b + 1) + (b + 2)": lambda b: (b + 1) + (b + 2),
}


def derivative(engine, f):
    """Return df/dx at x = 1 for f of b = 2 x."""
    x = Scalar(1.0)
    result = f(2 * x)
    result.gradient = 1.0
    engine(result)
    return x.gradient


print(f"{'function':20}{'sorted':>8}{'breadth first':>16}{'depth first':>14}")
for name, f in FUNCTIONS.items():
    row = [derivative(engine, f) for engine in (backward, breadth_first, depth_first)]
    print(f"{name:20}{row[0]:8.0f}{row[1]:16.0f}{row[2]:14.0f}")

# %% [markdown]
# `b + b` is the smallest function on which depth first fails: $b$ gets 1, passes on 2; gets another 1 and passes on its
# whole gradient again, now $2 \cdot 2$. That makes 6. `b + (b + 1)` is the smallest on which breadth first fails: $b$
# is met early, passes on what it has, and the contribution that comes the long way round is lost. Both engines are
# right on every *tree*, so a test on a chain of layers shows nothing. A residual connection would.
#
# Here is that function as a graph. The arrows carry what is handed over, the circles say who hands on when.

# %%
PLACES = {"result": (0.5, 3), "b + 1": (1, 2), "b": (0.25, 1), "x": (0.25, 0)}
HANDED = {
    "sorted: users first": (["result", "b + 1", "b", "x"], {"b -> x": "4"}),
    "breadth first": (["result", "b", "b + 1", "x"], {"b -> x": "2"}),
}

fig, axes = plt.subplots(1, 2, figsize=(7.4, 4))
for ax, (title, (turn, special)) in zip(axes, HANDED.items(), strict=True):
    late = turn.index("b + 1") > turn.index("b")
    for start, end in (("result", "b"), ("result", "b + 1"), ("b + 1", "b"), ("b", "x")):
        (x0, y0), (x1, y1) = PLACES[start], PLACES[end]
        lost = late and start == "b + 1"
        line = {"arrowstyle": "-|>", "lw": 1.8, "shrinkA": 15, "shrinkB": 15}
        line |= {"color": "C1", "linestyle": "--"} if lost else {"color": "C0"}
        ax.annotate("", (x1, y1), (x0, y0), arrowprops=line)
        text = special.get(f"{start} -> {end}", "1") + (", too late" if lost else "")
        ax.text((x0 + x1) / 2 + 0.08, (y0 + y1) / 2, text, color=line["color"], weight="bold", va="center")
    for name, (x0, y0) in PLACES.items():
        ax.plot(x0, y0, "o", markersize=21, markerfacecolor="white", markeredgecolor="0.4")
        ax.text(x0, y0, str(turn.index(name) + 1), ha="center", va="center")
        ax.text(x0 + 0.13, y0 + 0.03, name, va="center")
    ax.set(xlim=(0, 1.5), ylim=(-0.4, 3.4), title=title)
    ax.axis("off")
plt.show()

# %% [markdown]
# ## What the order costs
#
# There is a correct engine without an order: pass on each *contribution* as soon as it arrives, not the whole gradient.
# It walks every path from the result to the input, one by one. How many paths are there through a chain of $n$
# doublings, `b = b + b`?


# %%
def passes_by_paths(node):
    """Count what is handed over if every contribution is passed on at once."""
    return sum(1 + passes_by_paths(parent) for parent, _ in node.parents)


def passes_in_order(node, seen=None):
    """Count what is handed over if every number waits for all of its contributions."""
    seen = set() if seen is None else seen
    if node in seen:
        return 0
    seen.add(node)
    return len(node.parents) + sum(passes_in_order(parent, seen) for parent, _ in node.parents)


depths = range(1, 17)
by_paths, in_order = [], []
for depth in depths:
    y = Scalar(1.0)
    for _ in range(depth):
        y = y + y
    by_paths.append(passes_by_paths(y))
    in_order.append(passes_in_order(y))

fig, ax = plt.subplots()
ax.semilogy(depths, by_paths, "s-", color="C1", markersize=4, label="path by path")
ax.semilogy(depths, in_order, "o-", color="C0", markersize=4, label="in topological order")
ax.annotate(
    f"{by_paths[-1]:,}", (depths[-1], by_paths[-1]), (-6, 0), textcoords="offset points", ha="right", va="center"
)
ax.annotate(f"{in_order[-1]}", (depths[-1], in_order[-1]), (0, 8), textcoords="offset points", ha="center")
ax.set(xlabel="n, doublings one after the other", ylabel="cotangents handed over")
ax.set_title("Waiting for all contributions keeps it linear")
ax.legend(loc="upper left")
plt.show()

# %% [markdown]
# So sorting is no detail. It is what makes the gradient of a million parameters cost about as much as the function
# itself. `minigan/engine/reverse.py` does the same as `backward` here, on arrays; read it after lesson 3.
#
# ## Exercises
#
# When you have written your answers, run `minigan lesson check 02`.


# %% exercise 02.1: the chain rule by hand
def neuron_gradients(w, b, x):
    """Return (dL/dw, dL/db) of L = log(1 + exp(a)), where a = w x + b: the loss of a neuron on a generated sample.

    All of them are numbers. Use neither Scalar nor differences.
    """
    # solution {
    p = 1 / (1 + np.exp(-(w * x + b)))  # the derivative of log(1 + exp(a))
    return p * x, p
    # } solution


# %% exercise 02.2: a rule for the tape
def divide(a, b):
    """Return a / b as a Scalar with the right parents; a and b are Scalars."""
    # solution {
    return Scalar(a.value / b.value, [(a, 1 / b.value), (b, -a.value / b.value**2)], "/")
    # } solution


# %% exercise 02.3: users first
def users_first(result):
    """Return a list of all Scalars that `result` was made from, itself included, each once and after all its users.

    A user of a number is a Scalar that has it as a parent. So the list begins with `result`.
    """
    # solution {
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for parent, _ in node.parents:
                visit(parent)
            order.append(node)

    visit(result)
    return order[::-1]
    # } solution


# %% exercise 02.4: fool both
def fool_both(x):
    """Return a Scalar made from the Scalar x on which `breadth_first` and `depth_first` are both wrong about x.

    Use at most three additions or multiplications in all.
    """
    # solution {
    b = 2 * x
    return b + (b + 1)
    # } solution
