# %% [markdown]
# # 16. From tape to compiler
#
# - **Goal:** read the program and the source that your own training step becomes, and know what each pass over it does,
#   because you have written three of them.
# - **Before:** lessons 2, 3 and 6. No knowledge of compilers.
# - **Minutes:** 90
#
# A training step of a small GAN spends most of its time on things that are not its mathematics: Python looks up names,
# allocates arrays, builds the graph for the backward pass, and throws all of it away, to do the same a moment later.
# The tape of lesson 2 knows what happens in a step. A **compiler** is what you get if you keep that tape, tidy it up,
# and write it down as a program once and for all.

# %% setup
import time
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

import minigan as mg

mg.plots.use_style()

# %% [markdown]
# ## Your own step, as data
#
# The smallest discriminator, a neuron with three weights, and its training step: loss, backward pass, update. Nothing
# in it mentions a compiler. `mg.compile` runs it once and records what passes through; backward pass and optimiser are
# made of the same operations as everything else, so they are in the recording, too.

# %%
rng = np.random.default_rng(0)
x = mg.tensor(rng.normal(size=(64, 3)))
label = mg.tensor(np.sign(x.numpy()[:, :1] + 0.3))
w = mg.tensor(np.zeros((3, 1)), requires_grad=True)
descend = mg.optim.SGD([w], lr=0.1)


@mg.compile
def neuron_step(x, label):
    loss = mg.softplus(-label * (x @ w)).mean()
    descend.zero_grad()
    loss.backward()
    descend.step()
    return loss


print("losses:", " ".join(f"{neuron_step(x, label).item():.4f}" for _ in range(5)), "\n")
print(neuron_step.program)

# %% [markdown]
# Read it from top to bottom. Every line is an **equation**: a name (with its dtype and shape), an operation, and the
# names that it reads. The lines after `#` say which line of yours it came from. Some things to find:
#
# - `mean` has become a sum and a multiplication by a constant, 1/64.
# - The backward pass never uses the value `softplus1`, only the logits: $\mathrm{softplus}' = \sigma$. It reads
#   `negative1` and `multiply1`, which the forward pass has computed already.
# - No gradient of `x` is there. Nobody asked for it.
# - `numbers1` brings in what may change from call to call: the learning rate.
# - The last equation returns nothing. It **writes**: the parameters live on in memory that the next call finds again.
#
# And the text that was compiled:

# %%
print(neuron_step.source)

# %% [markdown]
# Each function is one loop over memory. Several equations may share a loop: `sigmoid_multiply_1` holds a sigmoid and
# two products, and what is between them, `t0` and `t1`, never becomes an array. The transpose is gone altogether: it
# costs nothing to look at the same memory in another order. Buffers such as `b3` are used for more than one value.
# The step itself, `part1`, is given a single array, with the **address** of all others: Python takes its time to hand
# over dozens of arrays at each call, a tenth of a small step's.
#
# ## A compiler of our own
#
# All of that is within reach. Our toy program has equations of three kinds: elementwise operations on arrays of one
# length, `total` (a sum over all elements), and `write`, which copies its second input over the first. A name is given
# once and never again: this is called **static single assignment**, and it is what makes the passes easy.

# %% setup
ELEMENTWISE = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "negative": np.negative,
    "exp": np.exp,
    "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
    "softplus": lambda a: np.logaddexp(0, a),
}


class Equation(NamedTuple):
    """`out = op(*inputs)`. A "write" has no out (None): it overwrites its first input with its second."""

    out: str | None
    op: str
    inputs: tuple

    def __str__(self):
        call = f"{self.op}({', '.join(self.inputs)})"
        return call if self.out is None else f"{self.out} = {call}"


class Program(NamedTuple):
    """Names that come in, the equations in order, and the names that are returned."""

    inputs: tuple
    equations: list
    results: tuple

    def __str__(self):
        return "\n".join([f"step({', '.join(self.inputs)})", *(f"  {e}" for e in self.equations),
                          f"  return {', '.join(self.results)}"])  # fmt: skip


class Traced:
    """A number without a value: doing arithmetic with it writes equations."""

    def __init__(self, name, tape):
        self.name, self.tape = name, tape

    def record(self, op, *others):
        out = Traced(f"t{sum(e.out is not None for e in self.tape)}", self.tape)
        self.tape.append(Equation(out.name, op, (self.name, *(other.name for other in others))))
        return out

    def __sub__(self, other):
        return self.record("subtract", other)

    def __mul__(self, other):
        return self.record("multiply", other)

    def __neg__(self):
        return self.record("negative")

    def sigmoid(self):
        return self.record("sigmoid")

    def softplus(self):
        return self.record("softplus")

    def total(self):
        return self.record("total")

    def write(self, new):
        self.tape.append(Equation(None, "write", (self.name, new.name)))


def trace(step, *names):
    """Return the Program of a step: call it with Traced numbers of these names."""
    tape = []
    results = step(*(Traced(name, tape) for name in names))
    return Program(names, tape, tuple(result.name for result in results))


def run(program, *arrays):
    """Do what a program says, one equation at a time, and return its results. Writes change the arrays."""
    memory = dict(zip(program.inputs, arrays, strict=True))
    for out, op, inputs in program.equations:
        values = [memory[name] for name in inputs]
        if op == "write":
            values[0][...] = values[1]
        else:
            memory[out] = np.sum(values[0]) if op == "total" else ELEMENTWISE[op](*values)
    return [memory[name] for name in program.results]


# %% [markdown]
# Here is a step written by somebody in a hurry. Each element of `w` is a neuron of its own, with one weight; loss and
# derivative are written down where they are needed. Before you read on: which equations are superfluous, and why?


# %%
def hurried_step(w, x, lr):
    logit = w * x
    loss = (-logit).softplus().total()
    size = (logit * logit).total()  # wanted to look at it
    size.sigmoid()
    gradient = -((-(w * x)).sigmoid() * x)
    w.write(w - lr * gradient)
    return [loss]


hurried = trace(hurried_step, "w", "x", "lr")
print(hurried)
w_now, x_now = np.array([0.2, -0.4]), np.array([1.0, 2.0])
print("\nloss:", run(hurried, w_now, x_now, np.full(2, 0.5))[0], "and then w:", w_now)

# %% [markdown]
# Two kinds of waste: values that **nobody reads**, and values that are **computed twice**. In a real step the first
# come from gradients nobody asked for and the second from backward rules, each of which computes what it needs itself.
#
# ## What a loop costs
#
# An elementwise operation on a large array is done in no time. What takes time is to fetch its inputs from memory and
# to bring the result back. So count **traffic**: the arrays that a program reads and writes. Three chained operations
# read and write $2 + 2 + 2$ arrays when they run one by one. **Fused** into one loop, they read one and write one.
#
# What does that gain? The expression below is a chain of length $k$, run by NumPy one operation after the
# other on four million elements, and then in blocks of 8,000: a block stays in the processor's fast memory, so its
# intermediate results never travel. The arithmetic is the same.


# %%
def chain(x, out, k):
    np.multiply(x, 0.5, out=out)
    for _ in range(k - 1):
        np.add(out, x, out=out)


def seconds(f, repeats=3):
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        f()
        best = min(best, time.perf_counter() - start)
    return best


def in_blocks(x, out, k, size=8000):
    for start in range(0, len(x), size):
        chain(x[start : start + size], out[start : start + size], k)


long = rng.normal(size=4_000_000)
result = np.empty_like(long)
lengths = [1, 2, 4, 8]
whole = [1e3 * seconds(lambda k=k: chain(long, result, k)) for k in lengths]
blocks = [1e3 * seconds(lambda k=k: in_blocks(long, result, k)) for k in lengths]

fig, ax = plt.subplots()
ax.plot(lengths, whole, "s-", color="C1", label="one operation at a time")
ax.plot(lengths, blocks, "o-", color="C0", label="block by block, as in a fused loop")
ax.set(xlabel="k, operations in the chain", ylabel="milliseconds", ylim=(0, None))
ax.set_title("The same arithmetic is slower when its results travel")
ax.legend()
plt.show()

# %% [markdown]
# ## Time it
#
# A small GAN on the line. `d_step` is the discriminator's half of a training step. We time it as it is, compiled, and
# without everything except its matrix products, which no compiler can save.

# %%
noise = mg.random.default_rng(0)
G = mg.nn.Sequential(mg.nn.Dense(4, 16), mg.nn.Tanh(), mg.nn.Dense(16, 1))
D = mg.nn.Sequential(mg.nn.Dense(1, 16), mg.nn.LeakyReLU(), mg.nn.Dense(16, 1))
game = mg.losses.non_saturating()
adam = mg.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))


def d_step(real):
    fake = G(noise.normal((len(real), 4))).detach()
    loss = game.discriminator(D(real), D(fake))
    adam.zero_grad()
    loss.backward()
    adam.step()
    return loss


compiled = mg.compile(d_step)
batch = mg.tensor(rng.normal(size=(64, 1)).astype(np.float32))
start = time.perf_counter()
compiled(batch)
first = time.perf_counter() - start
compiled(batch)


def microseconds(f, calls=60):
    return 1e6 * seconds(lambda: [f() for _ in range(calls)]) / calls


times = {
    "eager": microseconds(lambda: d_step(batch)),
    "compiled": microseconds(lambda: compiled(batch)),
    "its matrix products": microseconds(compiled.products),
}
print(f"the first call took {first:.1f} s; {len(compiled.program.equations)} equations")
print(f"a compiled step is {times['eager'] / times['compiled']:.1f} times as fast as an eager one")
print(f"it pays from {first / (times['eager'] - times['compiled']) * 1e6:.0f} steps on")

fig, ax = plt.subplots(figsize=(6.4, 2.4))
bars = ax.barh(list(times), list(times.values()), color=["C1", "C0", "0.6"])
ax.bar_label(bars, fmt=" %.0f µs")
ax.invert_yaxis()
ax.set(xlabel="microseconds per step", xlim=(0, 1.15 * max(times.values())))
ax.set_title("Most of a small eager step is not mathematics")
plt.show()

# %% [markdown]
# The first call is the price: the processor's own code has to be made. It is kept on disk (`minigan doctor` says
# where), so the same step in another process starts faster.
#
# ## Break it
#
# A program is a recording, and a recording does not think. So what cannot be recorded must be noticed. Each of these
# steps works when it runs eagerly. Predict what the compiler makes of it, then write it so that it compiles.

# %%
losses_seen = []


def branches(x):
    loss = (x @ w).mean()
    return loss if loss > 0 else -loss


def keeps_a_number(x):
    loss = (x @ w).mean()
    losses_seen.append(float(loss))
    return loss


def asks_numpy(x):
    return mg.tensor(np.median((x @ w).numpy()))


for step in (branches, keeps_a_number, asks_numpy):
    try:
        mg.compile(step)(x)
    except mg.errors.TraceError as error:
        print(f"{step.__name__}: {error}\n")

# %% [markdown]
# An error is the good case. Think of what a compiler without these checks would do with `branches`: take the branch of
# the first call, for ever.
#
# ## Exercises
#
# Three passes, each from a `Program` to something better. Test them on `hurried`: what is left of it? When you have
# written your answers, run `minigan lesson check 16`.


# %% exercise 16.1: nobody reads it
def drop_unused(program):
    """Return a Program without the equations that nobody needs: not for the results, and not for a write.

    Writes stay, because the next step finds what they wrote. Keep the order, and leave `program` as it is. Programs may
    have thousands of equations: one walk through them is enough. In which direction?
    """
    # solution {
    needed, kept = set(program.results), []
    for e in reversed(program.equations):
        if e.op == "write" or e.out in needed:
            needed.update(e.inputs)
            kept.append(e)
    return Program(program.inputs, kept[::-1], program.results)
    # } solution


# %% exercise 16.2: computed twice
def share_common(program):
    """Return a Program in which no operation is done twice on the same inputs: later readers take the first outcome.

    Results may get other names by that. After a write to w, what was computed from w before is out of date: the same
    operation on w is then another value. Only inputs of the program are written to. Do not use that a + b is b + a.
    """
    # solution {
    same, seen, writes, kept = {}, {}, {}, []
    for e in program.equations:
        inputs = tuple(same.get(name, name) for name in e.inputs)
        if e.op == "write":
            writes[inputs[0]] = writes.get(inputs[0], 0) + 1
            kept.append(Equation(None, "write", inputs))
            continue
        key = (e.op, *((name, writes.get(name, 0)) for name in inputs))
        if key in seen:
            same[e.out] = seen[key]
        else:
            seen[key] = e.out
            kept.append(Equation(e.out, e.op, inputs))
    return Program(program.inputs, kept, tuple(same.get(name, name) for name in program.results))
    # } solution


# %% exercise 16.3: one loop
def fuse(program):
    """Return the equations of a program without writes as a list of groups (lists of equations), each to be one loop.

    A loop writes the value of its last equation to memory; the others stay inside it. So an elementwise equation moves
    into the group of an elementwise equation that reads it, if no other equation reads it and it is not a result: go
    through the program in order, and let each elementwise equation bring along the groups of its inputs for which that
    holds. "total" stays a group by itself. Groups must be in an order in which they can run.
    """
    # solution {
    readers = {}
    for e in program.equations:
        for name in set(e.inputs):
            readers[name] = readers.get(name, 0) + 1
    groups = {}  # by the value that comes out
    for e in program.equations:
        group = []
        if e.op in ELEMENTWISE:
            for name in dict.fromkeys(e.inputs):
                last = groups.get(name)
                if last and last[-1].op in ELEMENTWISE and readers[name] == 1 and name not in program.results:
                    group += groups.pop(name)
        groups[e.out] = [*group, e]
    return list(groups.values())
    # } solution
