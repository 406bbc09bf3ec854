"""What every primitive has to do, as plain functions that raise AssertionError.

`test_registry` runs them over the registry, and over declarations with planted errors: they are tested themselves.
"""

import copy

import numpy as np

from minigan.checking.differences import differentiate
from minigan.domains import Domain
from minigan.engine import Tensor, bind
from minigan.engine.primitive import rules_of
from minigan.transforms import jvp, vjp

LAYOUTS = ("C", "F", "strided", "reversed", "read-only")
EPS = np.finfo(float).eps


def check_conformance(primitive, seed, side=4, layout="C"):
    """Run every check that applies to this primitive, on one example drawn from its domain."""
    check_declaration(primitive)
    example = Example(primitive, seed, side, layout)
    check_inputs_untouched(example)
    check_layout(example)
    check_float32(example)
    if primitive.domain.order >= 1:
        check_reverse(example)
        check_forward(example)
    if primitive.domain.order >= 2:
        check_second_order(example)
    if primitive.reference is not None:
        check_reference(example)


class Example:
    """One call of a primitive: arrays in the layout asked for, parameters, and random vectors to test it with."""

    def __init__(self, primitive, seed, side=4, layout="C"):
        self.primitive = primitive
        self.rng = np.random.default_rng(seed)
        args, self.params = primitive.domain.sample(self.rng, side)
        layout = "C" if primitive.mutates else layout  # what is written to is flat and writable
        self.arrays = [lay_out(np.asarray(a), layout) for a in args]
        self.movable = [i for i, a in enumerate(self.arrays) if a.dtype.kind == "f"]

    def values(self, *floats):
        """Run the implementation on plain arrays, the float ones replaced by `floats`; always a tuple."""
        arrays = list(self.arrays)
        for i, x in zip(self.movable, floats, strict=False):
            arrays[i] = x
        out = self.primitive.impl(*arrays, **self.params)
        return tuple(np.asarray(v) for v in (out if isinstance(out, tuple) else (out,)))

    def f(self, *floats):
        """The primitive as a function of its float arguments, for `vjp` and `jvp`; always a tuple."""
        args = list(self.arrays)
        for i, x in zip(self.movable, floats, strict=True):
            args[i] = x
        out = bind(self.primitive, *args, **self.params)
        return out if isinstance(out, tuple) else (out,)

    def cast(self, dtype):
        """Return this example in another precision, parameters that name a dtype included."""
        other = copy.copy(self)
        other.arrays = [a.astype(dtype) if a.dtype.kind == "f" else a for a in self.arrays]
        other.params = {k: np.dtype(dtype) if isinstance(v, np.dtype) else v for k, v in self.params.items()}
        return other

    def floats(self):
        """Return the float arguments as Tensors on the very arrays: `mg.tensor` would copy them to C order."""
        return [Tensor(self.arrays[i]) for i in self.movable]

    def vectors(self, like):
        return [signed(self.rng, np.shape(a)) for a in like]

    def directions(self, like):
        """Draw a direction that moves each element by about its own size."""
        return [v * np.where(x == 0, 1.0, np.abs(x)) for v, x in zip(self.vectors(like), like, strict=True)]

    def __str__(self):
        arguments = ", ".join(f"{a.dtype}{a.shape}" for a in self.arrays)
        return f"{self.primitive.name}({arguments}, {self.params})"


def lay_out(x, layout):
    """Return the values of `x` in memory of another order."""
    if layout == "F":
        return np.array(x, order="F")
    if layout == "strided":
        wide = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
        wide[tuple(slice(None, None, 2) for _ in x.shape)] = x
        return wide[tuple(slice(None, None, 2) for _ in x.shape)]
    if layout == "reversed":
        back = tuple(slice(None, None, -1) for _ in x.shape)
        return np.array(x[back], order="C")[back]
    x = np.array(x, order="C")
    x.flags.writeable = layout != "read-only"
    return x


def signed(rng, shape):
    """Draw numbers of both signs, none near 0: the sum of a wrong gradient does not vanish by accident."""
    return np.asarray(rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.5, shape))


def dot(a, b):
    return float(sum(np.vdot(x, y) for x, y in zip(a, b, strict=True)))


def plain(tensors):
    return [t.numpy() for t in tensors]


# -- the checks -----------------------------------------------------------------------------------------------------


def check_declaration(primitive):
    """A domain that draws; one rule for each argument, or one for all."""
    assert isinstance(primitive.domain, Domain), f"{primitive.name}: no domain, so nothing can be tested"
    args, params = primitive.domain.sample(np.random.default_rng(0))
    assert isinstance(args, tuple), f"{primitive.name}: the domain draws {type(args).__name__}, expected a tuple"
    assert isinstance(params, dict), f"{primitive.name}: the domain's parameters are no dict"
    if isinstance(primitive.vjp, tuple):
        rules = len(primitive.vjp)
        assert rules == len(args), f"{primitive.name}: {rules} rules for {len(args)} arguments"
        assert all(rule is None or callable(rule) for rule in primitive.vjp)
    if primitive.vjp is None or all(rule is None for rule in rules_of(primitive, args)):
        assert primitive.domain.order == 0, f"{primitive.name}: no rule, so its domain has order 0"
    assert all(0 <= i < len(args) for i in primitive.mutates)


def check_inputs_untouched(example):
    """Neither the implementation nor a rule writes to an input or to a cotangent, except to what is in `mutates`."""
    primitive = example.primitive
    tensors = [Tensor(a, a.dtype.kind == "f" and not primitive.mutates) for a in example.arrays]
    before = [a.tobytes() for a in example.arrays]
    outs = bind(primitive, *tensors, **example.params)
    outs = outs if isinstance(outs, tuple) else (outs,)
    for out in outs:
        if out.requires_grad:
            g = signed(example.rng, out.shape)
            g.flags.writeable = False
            out.backward(gradient=Tensor(g), retain_graph=True)
    for i, (a, old) in enumerate(zip(example.arrays, before, strict=True)):
        same = a.tobytes() == old
        assert same or i in primitive.mutates, f"{example}: argument {i} was overwritten"
        assert tensors[i]._version[0] == (1 if i in primitive.mutates else 0), f"{example}: version of argument {i}"


def check_layout(example):
    """The order of the elements in memory changes no value."""
    if example.primitive.mutates or "generator" in example.params:
        return
    in_c_order = copy.copy(example)
    in_c_order.arrays = [np.array(a, order="C") for a in example.arrays]
    for a, b in zip(example.values(), in_c_order.values(), strict=True):
        assert a.shape == b.shape, f"{example}: shape {a.shape} from this layout, {b.shape} from C order"
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12 * size(b), err_msg=str(example))


def check_float32(example):
    """float32 in, float32 out, and gradients to match, which agree with those of float64."""
    if example.primitive.mutates or "generator" in example.params:
        return
    narrow = example.cast("f4")
    wide = narrow.cast("f8")
    results = []
    for e, dtype in ((narrow, "f4"), (wide, "f8")):
        if example.primitive.vjp is None:
            outs, grads = [Tensor(v) for v in e.values()], ()
        else:
            outs, pullback = vjp(e.f, *e.floats())
            seeds = np.random.default_rng(0)
            continuous = all(y.dtype.kind == "f" for y in outs)
            grads = pullback(tuple(signed(seeds, y.shape).astype(dtype) for y in outs)) if continuous else ()
        for y in outs:
            assert y.dtype.kind != "f" or y.dtype == dtype, f"{e}: returned {y.dtype} for {dtype}"
        for g, i in zip(grads, e.movable, strict=False):
            assert g.dtype == e.arrays[i].dtype, f"{e}: gradient {i} is {g.dtype}"
        results.append([*plain(outs), *plain(grads)])
    for a, b in zip(*results, strict=True):
        # 1 - p and its like keep their absolute accuracy only
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * max(1.0, size(b)), err_msg=str(example))


def keeps_float64(example):
    """Whether some result is finer than float32; an implementation that computes in float32 inside never is."""
    return any(np.any(v != v.astype("f4")) for v in example.values())


def check_reverse(example):
    """<pullback(g), v> is the numerical derivative of <g, f> along v."""
    x = [example.arrays[i] for i in example.movable]
    outs, pullback = vjp(example.f, *example.floats())
    g, v = example.vectors(outs), example.directions(x)
    grads = plain(pullback(tuple(g)))
    assert [a.shape for a in grads] == [a.shape for a in x]
    _agree(example, "reverse mode", grads, v, lambda *xs: dot(g, example.values(*xs)), x, g)


def check_second_order(example):
    """The gradient of <pullback(g), w>, a function of x and g, against numerical differences, in both modes."""
    n = len(example.movable)

    def first(*xs_and_g):
        _, pullback = vjp(example.f, *xs_and_g[:n])
        return pullback(xs_and_g[n:])

    outs = example.f(*example.floats())
    tensors = [*example.floats(), *(Tensor(g) for g in example.vectors(outs))]
    point = [t._data for t in tensors]
    products, pullback = vjp(first, *tensors)
    w, v = example.vectors(products), example.directions(point)
    grads = plain(pullback(tuple(w)))

    def phi(*xs):
        return dot(w, plain(first(*map(Tensor, xs))))

    _agree(example, "second order", grads, v, phi, point, w)
    _, tangents = jvp(first, tuple(tensors), tuple(v))
    _same_number(example, "forward over reverse", dot(w, plain(tangents)), grads, v)


def check_forward(example):
    """<g, J v> = <J^T g, v>: a proof only where the primitive has a `jvp` of its own."""
    outs, pullback = vjp(example.f, *example.floats())
    g, v = example.vectors(outs), example.directions([example.arrays[i] for i in example.movable])
    _, tangents = jvp(example.f, tuple(example.floats()), tuple(v))
    assert [t.shape for t in tangents] == [y.shape for y in outs]
    _same_number(example, "forward mode", dot(g, plain(tangents)), plain(pullback(tuple(g))), v)


def check_reference(example):
    """The fused operation and its reference: values and gradients."""

    def reference(*floats):
        args = list(example.arrays)
        for i, x in zip(example.movable, floats, strict=True):
            args[i] = x
        out = example.primitive.reference(*[a if isinstance(a, Tensor) else Tensor(a) for a in args], **example.params)
        return out if isinstance(out, tuple) else (out,)

    (fused, fused_pullback), (small, small_pullback) = (vjp(f, *example.floats()) for f in (example.f, reference))
    g = tuple(example.vectors(fused))
    pairs = [*zip(fused, small, strict=True), *zip(fused_pullback(g), small_pullback(g), strict=True)]
    rounding = 1e-14 * max(size(one) for one in g)  # 1 - tanh^2 cancels: exact to the cotangent, not to itself
    for a, b in pairs:
        a, b = a.numpy(), b.numpy()
        near = 1e-12 * size(b) + rounding
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=near, err_msg=f"{example} against its reference")


# -- comparing ------------------------------------------------------------------------------------------------------


def size(a):
    return float(np.max(np.abs(a), initial=0.0))


def _agree(example, what, grads, v, phi, x, weights):
    """Compare <grads, v> with the derivative of phi along v."""

    def along(t):
        with np.errstate(all="ignore"):  # a large step may leave the domain; the window is then not used
            return phi(*(a + t * d for a, d in zip(x, v, strict=True))) if t else phi(*x)

    claimed, terms, rounding = _along(grads, v)
    numerical = differentiate(along, scale=terms)
    margin = 4 * numerical.error + rounding + 64 * EPS * sum(float(np.sum(np.abs(w))) for w in weights) / numerical.step
    assert np.isfinite(claimed), f"{example}: {what} gives {claimed}"
    assert abs(claimed - numerical.value) <= margin or not np.isfinite(margin), (
        f"{example}: {what} gives {claimed}, differences {numerical.value} +- {margin}; gradients {grads}"
    )


def _same_number(example, what, number, grads, v):
    expected, _, rounding = _along(grads, v)
    assert abs(number - expected) <= rounding, f"{example}: {what} gives {number}, reverse {expected}"


def _along(grads, v):
    """Return <grads, v>, the sum of its terms without their signs, and how far rounding may carry it."""
    terms = sum(float(np.sum(np.abs(a * d))) for a, d in zip(grads, v, strict=True))
    lengths = sum(float(np.sum(np.abs(d))) for d in v)  # differences as g - sum(g y) keep their absolute accuracy only
    return dot(grads, v), terms, 256 * EPS * terms + 16 * EPS * lengths
