"""Checks of lesson 12: recurrent networks by hand."""

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn(x, W, U, b):
    h = np.zeros((x.shape[1], len(b)))
    states = []
    for x_t in x:
        h = np.tanh(x_t @ W.T + h @ U.T + b)
        states.append(h)
    return np.array(states)


BPTT = """
dW, dU, db = np.zeros((h.shape[2], x.shape[2])), np.zeros_like(U), np.zeros(len(U))
before = {before}
a_bar = np.zeros_like(h[0])
for t in {order}:
    h_bar = {h_bar}
    a_bar = h_bar * (1 - h[t] ** 2)
    dW {add} a_bar.T @ x[t]
    dU {add} a_bar.T @ before[t]
    db {add} a_bar.sum(axis=0)
return dW, dU, db
"""
RIGHT = {
    "before": "np.concatenate([np.zeros_like(h[:1]), h[:-1]])",
    "order": "reversed(range(len(x)))",
    "h_bar": "d[t] + a_bar @ U",
    "add": "+=",
}


def through_time(x, h, U, d, *, carry="U", order=-1):
    """Return (dW, dU, db) as they should be, or with a mistake."""
    before = np.concatenate([np.zeros_like(h[:1]), h[:-1]])
    matrix = {"U": U, "U.T": U.T, "none": 0 * U}[carry]
    dW, dU, db, a_bar = 0.0, 0.0, 0.0, np.zeros_like(h[0])
    for t in range(len(x))[::order]:
        a_bar = (d[t] + a_bar @ matrix) * (1 - h[t] ** 2)
        dW, dU, db = dW + a_bar.T @ x[t], dU + a_bar.T @ before[t], db + a_bar.sum(axis=0)
    return dW, dU, db


@check(
    "12.1",
    wrong={
        BPTT.format(**RIGHT | {"h_bar": "d[t]"}): "through later steps",
        BPTT.format(**RIGHT | {"h_bar": "d[t] + a_bar @ U.T"}): "multiplied with U where",
        BPTT.format(**RIGHT | {"before": "h"}): "the state before the step",
        BPTT.format(**RIGHT | {"order": "range(len(x))"}): "first to the last",
        BPTT.format(**RIGHT | {"add": "="}).replace("dW =", "dW[:] =", 1): "only one step",
        BPTT.format(**RIGHT | {"h_bar": "(d[t] + a_bar @ U) / len(x)"}): "yours",
    },
)
def rnn_backward(student, rng):
    T, N, C, H = (int(n) for n in rng.permutation([3, 4, 5, 6]))
    x, W, U, b = (rng.normal(size=shape) for shape in [(T, N, C), (H, C), (H, H), (H,)])
    W, U = 0.5 * W, 0.5 * U
    d, h = rng.normal(size=(T, N, H)), rnn(x, W, U, b)
    got = student.rnn_backward(x.copy(), h.copy(), U.copy(), d.copy())
    holds(isinstance(got, tuple) and len(got) == 3, "expected the tuple (dW, dU, db)")
    right = through_time(x, h, U, d)
    for name, g, r in zip(("dW", "dU", "db"), got, right, strict=True):
        equal(np.shape(g), r.shape, f"the shape of {name}")
    named = {
        "the way through later steps is missing: h_t is used by step t + 1 as well": through_time(
            x, h, U, d, carry="none"
        ),
        "the cotangent is multiplied with U where U transposed is due: forwards, h @ U.T; backwards, a_bar @ U": (
            through_time(x, h, U, d, carry="U.T")
        ),
        "you go from the first to the last step; cotangents come from later steps": through_time(x, h, U, d, order=1),
    }
    for message, value in named.items():
        if np.allclose(got[2], value[2]):
            raise Wrong(message)
    last = (d[0] + through_step(h, U, d, 1) @ U) * (1 - h[0] ** 2)
    holds(not np.allclose(got[2], last.sum(axis=0)), "only one step contributes: the sums run over all steps")
    if np.allclose(got[0], right[0]) and not np.allclose(got[1], right[1]):
        raise Wrong("dU is wrong, the others are right: U multiplies the state before the step, and that is 0 at first")
    right_gradient(
        lambda W, U, b: np.sum(d * rnn(x, W, U, b)),
        lambda W, U, b: student.rnn_backward(x, rnn(x, W, U, b), U, d),
        W,
        U,
        b,
    )


def through_step(h, U, d, start):
    """Return the cotangent of a at the step `start`."""
    a_bar = np.zeros_like(h[0])
    for t in reversed(range(start, len(h))):
        a_bar = (d[t] + a_bar @ U) * (1 - h[t] ** 2)
    return a_bar


LSTM = """
i, f, g, o = np.split(a, 4, axis=1)
i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
tanh_c = np.tanh(f * c_before + i * g)
dc = {dc}
di, df, dg, do = dc * g, {df}, dc * i, dh * tanh_c
da = np.concatenate([{order}], axis=1)
return da, {out}
"""
GATES = {
    "dc": "dc + dh * o * (1 - tanh_c**2)",
    "df": "dc * c_before",
    "order": "di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)",
    "out": "dc * f",
}


def gates_backward(a, c_before, dh, dc, *, from_h=True, from_c=True):
    """Return (da, dc_before) as they should be, or with a contribution left out."""
    i, f, g, o = np.split(a, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    c = f * c_before + i * g
    dc = from_c * dc + from_h * dh * o * (1 - np.tanh(c) ** 2)
    parts = [
        dc * g * i * (1 - i),
        dc * c_before * f * (1 - f),
        dc * i * (1 - g**2),
        dh * np.tanh(c) * o * (1 - o),
    ]
    return np.concatenate(parts, axis=1), dc * f


@check(
    "12.2",
    wrong={
        LSTM.format(**GATES | {"dc": "dc"}): "through h",
        LSTM.format(**GATES | {"dc": "dh * o * (1 - tanh_c**2)"}): "from later steps",
        LSTM.format(**GATES | {"df": "dc * (f * c_before + i * g)"}): "gate f",
        LSTM.format(**GATES | {"order": "di * i * (1 - i), dg * (1 - g**2), df * f * (1 - f), do * o * (1 - o)"}): (
            "order"
        ),
        LSTM.format(**GATES | {"order": "di, df, dg, do"}): "sigma'",
        LSTM.format(**GATES | {"out": "dc"}): "forget gate",
        LSTM.format(**GATES).replace("dc = dc + ", "dc += "): "changed",
    },
)
def lstm_step_backward(student, rng):
    def step(a, c_before):
        i, f, g, o = np.split(a, 4, axis=1)
        c = sigmoid(f) * c_before + sigmoid(i) * np.tanh(g)
        return np.sum(dh * sigmoid(o) * np.tanh(c)) + np.sum(dc * c)

    N, H = (int(n) for n in rng.permutation([3, 4, 5])[:2])
    a, c_before, dh, dc = (rng.normal(size=shape) for shape in [(N, 4 * H), (N, H), (N, H), (N, H)])
    kept = [value.copy() for value in (a, c_before, dh, dc)]
    got = student.lstm_step_backward(a, c_before, dh, dc)
    for name, value, copy in zip(("a", "c_before", "dh", "dc"), (a, c_before, dh, dc), kept, strict=True):
        holds(np.array_equal(value, copy), f"{name} is changed afterwards: dc += ... works in place")
    holds(isinstance(got, tuple) and len(got) == 2, "expected the pair (da, dc_before)")
    da, dc_before = gates_backward(a, c_before, dh, dc)
    equal(np.shape(got[0]), da.shape, "the shape of da")
    equal(np.shape(got[1]), dc_before.shape, "the shape of dc_before")
    named = {
        "the way from c through h is missing: h = o tanh(c)": gates_backward(a, c_before, dh, dc, from_h=False)[1],
        "the cotangent dc, which comes from later steps, is missing": (
            gates_backward(a, c_before, dh, dc, from_c=False)[1]
        ),
        "dc_before misses the forget gate": dc_before / sigmoid(np.split(a, 4, axis=1)[1]),
    }
    for message, value in named.items():
        holds(not np.allclose(got[1], value), message)
    mine, right = np.split(np.asarray(got[0]), 4, axis=1), np.split(da, 4, axis=1)
    i, f, g, o = np.split(a, 4, axis=1)
    slopes = [sigmoid(v) * (1 - sigmoid(v)) for v in (i, f)] + [1 - np.tanh(g) ** 2, sigmoid(o) * (1 - sigmoid(o))]
    for name, m, r, slope in zip("ifgo", mine, right, slopes, strict=True):
        if np.allclose(m, r):
            continue
        holds(not np.allclose(m, r / slope), f"gate {name} misses its own derivative, sigma' or tanh'")
        holds(not any(np.allclose(m, other) for other in right), "the order of the gates is i, f, g, o")
        row = np.unravel_index(np.abs(m - r).argmax(), m.shape)
        raise Wrong(f"the part of gate {name} is wrong: at one element yours {m[row]:.5g}, right {r[row]:.5g}")
    right_gradient(step, lambda a, c_before: student.lstm_step_backward(a, c_before, dh, dc), a, c_before)


@check(
    "12.3",
    wrong={
        "return share ** (1 / k)": "the gate",
        "return np.log(share / (1 - share)) / k": "the product",
        "gate = share / k\nreturn np.log(gate / (1 - gate))": "the product",
        "gate = share ** (1 / k)\nreturn np.log((1 - gate) / gate)": "wrong sign",
        "return np.log(share) / k": "the logarithm of the gate",
    },
)
def forget_bias(student, rng):
    k, share = int(rng.integers(10, 60)), rng.uniform(0.1, 0.4)
    gate = share ** (1 / k)
    right = np.log(gate / (1 - gate))
    got = student.forget_bias(k, share)
    holds(got is not None and np.ndim(got) == 0, f"the result is {got!r}; expected a number")
    holds(not np.isclose(got, gate), "this is the gate itself; the bias is what sigmoid turns into it")
    holds(not np.isclose(got, np.log(gate)), "this is the logarithm of the gate; invert the sigmoid")
    holds(not np.isclose(got, -right), "the wrong sign: an open gate has a positive bias")
    product = sigmoid(got) ** k
    holds(np.isclose(product, share), f"the product of {k} gates is {product:.4g} with your bias; expected {share:.4g}")
    equal(got, right, "the bias")


@check(
    "12.4",
    wrong={
        "return [g * min(1, limit / np.linalg.norm(g)) for g in gradients]": "of its own",
        "return [np.clip(g, -limit, limit) for g in gradients]": "direction",
        """
        length = np.sqrt(sum(np.sum(g**2) for g in gradients))
        return [limit / length * g for g in gradients]
        """: "short enough",
        """
        length = sum(np.linalg.norm(g) for g in gradients)
        return [min(1, limit / length) * g for g in gradients]
        """: "joint length",
        """
        length = np.sqrt(sum(np.sum(g**2) for g in gradients))
        if length > limit:
            for g in gradients:
                g *= limit / length
        return gradients
        """: "passed in",
    },
)
def clipped(student, rng):
    gradients = [rng.normal(size=shape) for shape in [(4, 3), (5,), (3, 4, 2)]]
    length = np.sqrt(sum(np.sum(g**2) for g in gradients))
    limit = length * rng.uniform(0.1, 0.3)
    kept = [g.copy() for g in gradients]
    got = student.clipped(gradients, limit)
    holds(all(map(np.array_equal, gradients, kept)), "the arrays that were passed in are changed")
    holds(got is not None and len(got) == 3, "expected a list of as many arrays")
    factors = [np.asarray(g) / k for g, k in zip(got, kept, strict=True)]
    if not all(np.allclose(f, f.flat[0]) for f in factors):
        raise Wrong("the direction changes: each element has a factor of its own")
    if not np.allclose([f.flat[0] for f in factors], factors[0].flat[0]):
        raise Wrong("each array has a factor of its own; one common factor keeps the direction")
    joint = np.sqrt(sum(np.sum(np.square(g)) for g in got))
    holds(np.isclose(joint, limit), f"the joint length is {joint:.4g} with a limit of {limit:.4g}")
    short = student.clipped([g.copy() for g in kept], 2 * length)
    holds(all(map(np.allclose, short, kept)), "gradients that are short enough do not stay as they are")
    with np.errstate(all="ignore"):
        zeros = student.clipped([np.zeros(3), np.zeros(4)], 1.0)
    equal(np.concatenate(zeros), np.zeros(7), "the result for gradients that are all 0")
