import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


def convolution(x, w, stride, padding, flipped=False):
    """Return a convolution, place by place: slow and plain."""
    k = w.shape[2]
    if flipped:
        w = w[:, :, ::-1, ::-1]
    x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    rows, columns = ((size - k) // stride + 1 for size in x.shape[2:])
    y = np.empty((len(x), len(w), rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = x[:, :, i * stride : i * stride + k, j * stride : j * stride + k]
            y[:, :, i, j] = np.tensordot(window, w, axes=([1, 2, 3], [1, 2, 3]))
    return y


def problem(rng, k, stride, padding):
    samples, channels, outputs = rng.permutation([1, 3, 4])
    rows, columns = (stride * int(m) + k - 2 * padding for m in rng.permutation([3, 4]))
    return rng.normal(size=(samples, channels, rows, columns)), rng.normal(size=(outputs, channels, k, k))


@check(
    "15.1",
    wrong={
        """
        N, C, H, W = x.shape
        O, _, k, _ = w.shape
        w = w[:, :, ::-1, ::-1]
        rows, columns = ((size + 2 * padding - k) // stride + 1 for size in (H, W))
        x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
        y = np.zeros((N, O, rows, columns))
        for a in range(k):
            for b in range(k):
                seen = x[:, :, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride]
                y += np.einsum("ncij,oc->noij", seen, w[:, :, a, b])
        return y
        """: "turned around",
        """
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
        return np.einsum("ncijab,ocab->noij", windows, w)
        """: "padding",
        """
        x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))
        return np.einsum("ncijab,ocab->noij", windows, w)
        """: "stride",
        """
        x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
        return np.einsum("ncijab,ocab->nijo", windows, w)
        """: "channels are axis 1",
        """
        x = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
        windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
        return np.einsum("ncijab,ocba->noij", windows, w)
        """: "rows and columns",
    },
)
def conv2d(student, rng):
    def ask(k, stride, padding):
        x, w = problem(rng, k, stride, padding)
        before = x.copy()
        got = student.conv2d(x, w, stride, padding)
        holds(got is not None, "conv2d returns None: does your function return its result?")
        holds(np.array_equal(x, before), "conv2d changes x in place")
        return x, w, np.asarray(got), convolution(x, w, stride, padding)

    x, w, got, right = ask(3, 1, 0)
    if got.shape == np.moveaxis(right, 1, 3).shape:
        raise Wrong(f"the output has shape {got.shape}, expected {right.shape}: its channels are axis 1")
    if got.shape == right.shape:
        flipped = convolution(x, w, 1, 0, flipped=True)
        holds(
            not np.allclose(got, flipped), "the kernel is turned around: here, w[0, 0] meets the window's first pixel"
        )
        crossed = convolution(x, w.swapaxes(2, 3), 1, 0)
        holds(not np.allclose(got, crossed), "rows and columns of the kernel are exchanged")
    equal(got, right, "the output with kernel 3, stride 1 and no padding")
    _, _, got, right = ask(3, 1, 1)
    equal(got, right, "the output with padding 1", hint="there are zeros around the image: padding on all four sides")
    _, _, got, right = ask(3, 2, 0)
    equal(got, right, "the output with stride 2", hint="the window moves by the stride, down and to the right")
    for k, stride, padding in ((4, 2, 1), (5, 3, 2), (1, 1, 0)):
        _, _, got, right = ask(k, stride, padding)
        equal(got, right, f"the output with kernel {k}, stride {stride}, padding {padding}")
    x, w = rng.normal(size=(1, 3, 7, 6)), rng.normal(size=(4, 3, 3, 3))
    equal(student.conv2d(x, w, 2, 0), convolution(x, w, 2, 0), "the output where the last window does not fit",
          hint="6 pixels, kernel 3 and stride 2 make 2 windows, and a column is left over")  # fmt: skip


@check(
    "15.2",
    wrong={
        """
        N, _, rows, columns = y.shape
        _, C, k, _ = w.shape
        x = np.zeros((N, C, stride * (rows - 1) + k, stride * (columns - 1) + k))
        for a in range(k):
            for b in range(k):
                laid = np.einsum("noij,oc->ncij", y, w[:, :, a, b])
                x[:, :, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride] = laid
        return x[:, :, padding : x.shape[2] - padding, padding : x.shape[3] - padding]
        """: "overwritten",
        """
        N, _, rows, columns = y.shape
        _, C, k, _ = w.shape
        w = w[:, :, ::-1, ::-1]
        x = np.zeros((N, C, stride * (rows - 1) + k, stride * (columns - 1) + k))
        for a in range(k):
            for b in range(k):
                laid = np.einsum("noij,oc->ncij", y, w[:, :, a, b])
                x[:, :, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride] += laid
        return x[:, :, padding : x.shape[2] - padding, padding : x.shape[3] - padding]
        """: "as it is",
        """
        N, _, rows, columns = y.shape
        _, C, k, _ = w.shape
        x = np.zeros((N, C, stride * (rows - 1) + k, stride * (columns - 1) + k))
        for a in range(k):
            for b in range(k):
                laid = np.einsum("noij,oc->ncij", y, w[:, :, a, b])
                x[:, :, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride] += laid
        return x
        """: "cut off",
        """
        N, _, rows, columns = y.shape
        _, C, k, _ = w.shape
        x = np.zeros((N, C, stride * (rows - 1) + k, stride * (columns - 1) + k))
        for a in range(k):
            for b in range(k):
                laid = np.einsum("noij,oc->ncij", y, w[:, :, a, b])
                x[:, :, a : a + stride * (rows - 1) + 1 : stride, b : b + stride * (columns - 1) + 1 : stride] += laid
        count = np.zeros(x.shape[2:])
        for i in range(rows):
            for j in range(columns):
                count[i * stride : i * stride + k, j * stride : j * stride + k] += 1
        x /= np.maximum(count, 1)
        return x[:, :, padding : x.shape[2] - padding, padding : x.shape[3] - padding]
        """: "averaged",
    },
)
def conv_transpose2d(student, rng):
    for k, stride, padding in ((2, 2, 0), (3, 1, 0), (3, 1, 1), (4, 2, 1), (3, 2, 1), (1, 2, 0)):
        x, w = problem(rng, k, stride, padding)
        y = rng.normal(size=convolution(x, w, stride, padding).shape)
        got = student.conv_transpose2d(y.copy(), w, stride, padding)
        setting = f"kernel {k}, stride {stride}, padding {padding}"
        holds(got is not None, "conv_transpose2d returns None: does your function return its result?")
        got = np.asarray(got)
        if padding and got.shape[2] == x.shape[2] + 2 * padding:
            raise Wrong(
                f"with {setting}, the output has shape {got.shape}, expected {x.shape}: the padding is not cut off"
            )
        if got.shape != x.shape:
            raise Wrong(f"with {setting}, the output has shape {got.shape}; expected {x.shape}")
        right = transposed(y, w, stride, padding)
        if np.allclose(got, right):
            continue
        turned = transposed(y, w[:, :, ::-1, ::-1], stride, padding)
        holds(
            not np.allclose(got, turned), "the kernel is laid turned around: the transpose of conv2d lays it as it is"
        )
        overlap = transposed(np.ones_like(y[:1, :1]), np.ones_like(w[:1, :1]), stride, padding)
        averaged = right / np.maximum(overlap, 1)
        holds(not np.allclose(got, averaged), "values that overlap are averaged: they add up")
        once = np.broadcast_to(overlap == 1, right.shape)
        wrong_once = not np.allclose(got[once], right[once])
        holds(wrong_once or stride >= k, "where windows overlap, values are overwritten: they add up")
        left, other = np.sum(convolution(x, w, stride, padding) * y), np.sum(x * got)
        raise Wrong(
            f"with {setting}: <conv2d(x), y> is {left:.6g}, <x, conv_transpose2d(y)> {other:.6g}; expected equal"
        )


def transposed(y, w, stride, padding):
    """Return the transposed convolution, place by place."""
    k = w.shape[2]
    size = [stride * (m - 1) + k for m in y.shape[2:]]
    x = np.zeros((len(y), w.shape[1], *size))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            laid = np.tensordot(y[:, :, i, j], w, axes=(1, 0))
            x[:, :, i * stride : i * stride + k, j * stride : j * stride + k] += laid
    return x[:, :, padding : size[0] - padding, padding : size[1] - padding]


@check(
    "15.3",
    wrong={
        """
        sigma = np.sqrt(x.var(axis=0) + eps)
        x_hat = (x - x.mean(axis=0)) / sigma
        return gamma * g / sigma, (g * x_hat).sum(axis=0), g.sum(axis=0)
        """: "taken for constants",
        """
        sigma = np.sqrt(x.var(axis=0) + eps)
        x_hat = (x - x.mean(axis=0)) / sigma
        g_hat = gamma * g
        return (g_hat - g_hat.mean(axis=0)) / sigma, (g * x_hat).sum(axis=0), g.sum(axis=0)
        """: "variance is taken for a constant",
        """
        sigma = np.sqrt(x.var(axis=0) + eps)
        x_hat = (x - x.mean(axis=0)) / sigma
        dx = (g - g.mean(axis=0) - x_hat * (x_hat * g).mean(axis=0)) / sigma
        return dx, (g * x_hat).sum(axis=0), g.sum(axis=0)
        """: "gamma is missing",
        """
        sigma = np.sqrt(x.var(axis=0) + eps)
        x_hat = (x - x.mean(axis=0)) / sigma
        g_hat = gamma * g
        dx = (g_hat - g_hat.mean(axis=0) - x_hat * (x_hat * g_hat).mean(axis=0)) / sigma
        return dx, (g * x_hat).mean(axis=0), g.mean(axis=0)
        """: "with respect to gamma",
        """
        sigma = np.sqrt(x.var(axis=0) + eps)
        x_hat = (x - x.mean(axis=0)) / sigma
        g_hat = gamma * g
        dx = (g_hat - g_hat.mean(axis=0) - x_hat * (x_hat * g_hat).mean(axis=0)) / sigma
        return dx, (g * x).sum(axis=0), g.sum(axis=0)
        """: "normalised",
    },
)
def batch_norm_backward(student, rng):
    samples, channels, eps = int(rng.integers(5, 8)), 3, float(rng.uniform(0.1, 0.3))
    x, g = rng.normal(1.0, 1.5, size=(samples, channels)), rng.normal(size=(samples, channels))
    gamma, beta = rng.uniform(1.5, 3, size=channels), rng.normal(size=channels)
    sigma = np.sqrt(x.var(axis=0) + eps)
    x_hat = (x - x.mean(axis=0)) / sigma

    def f(x, gamma, beta):
        normal = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps)
        return np.sum(g * (gamma * normal + beta))

    got = student.batch_norm_backward(x.copy(), gamma.copy(), g.copy(), eps)
    if not isinstance(got, tuple | list) or len(got) != 3:
        raise Wrong(f"batch_norm_backward returns {type(got).__name__}; expected three arrays: dx, dgamma, dbeta")
    dx, dgamma, _ = got
    s = gamma * g
    if np.shape(dx) == x.shape:
        plain = "mean and variance are taken for constants: each x_i moves them, too"
        holds(not np.allclose(dx, s / sigma), plain)
        holds(not np.allclose(dx, (s - s.mean(axis=0)) / sigma), "the variance is taken for a constant: x_i moves it")
        right = (s - s.mean(axis=0) - x_hat * (x_hat * s).mean(axis=0)) / sigma
        holds(not np.allclose(np.asarray(dx) * gamma, right), "gamma is missing in dx: it stands between y and x_hat")
        unguarded = x.std(axis=0)
        x_hat0 = (x - x.mean(axis=0)) / unguarded
        no_eps = (s - s.mean(axis=0) - x_hat0 * (x_hat0 * s).mean(axis=0)) / unguarded
        holds(not np.allclose(dx, no_eps), "eps is missing: it is added to the variance")
    raw = np.shape(dgamma) == (channels,) and np.allclose(dgamma, (g * x).sum(axis=0))
    holds(not raw, "dgamma: gamma multiplies the normalised x, not x")
    right_gradient(f, lambda x, gamma, beta: tuple(student.batch_norm_backward(x, gamma, g, eps)), x, gamma, beta)
