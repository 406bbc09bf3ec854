"""Checks of lesson 2: the chain rule by hand, and on a tape."""

import numpy as np

from minigan.course.judging import Wrong, check, equal, holds, right_gradient


@check(
    "02.1",
    wrong={
        "p = 1 / (1 + np.exp(-(w * x + b)))\nreturn p, p": "with respect to w",
        "p = 1 / (1 + np.exp(-(w * x + b)))\nreturn -(1 - p) * x, -(1 - p)": "real sample",
        "p = 1 / (1 + np.exp(-(w * x + b)))\nreturn -p * x, -p": "wrong sign",
        "p = 1 / (1 + np.exp(-(w * x + b)))\nreturn p, p * x": "order of what you return",
        "p = 1 / (1 + np.exp(-(w * x + b)))\nreturn p * x": "2 numbers",
    },
)
def neuron_gradients(student, rng):
    w, b, x = rng.uniform(0.3, 1.5, size=3) * rng.choice([-1.0, 1.0], size=3)
    x *= 1.7
    got = student.neuron_gradients(w, b, x)
    holds(isinstance(got, tuple) and len(got) == 2, f"the result is {got!r}; expected 2 numbers, (dL/dw, dL/db)")
    p = 1 / (1 + np.exp(-(w * x + b)))
    if np.allclose(got, (-(1 - p) * x, -(1 - p))):
        raise Wrong("these are the gradients for a real sample, of log(1 + exp(-a)); here the sign in the loss is +")
    right_gradient(
        lambda w, b: np.logaddexp(0, w * x + b),
        lambda w, b: tuple(np.asarray(g, dtype=float) for g in student.neuron_gradients(w, b, x)),
        w,
        b,
    )


@check(
    "02.2",
    wrong={
        "return Scalar(a.value / b.value, [(a, 1 / b.value), (b, a.value / b.value**2)], '/')": "sign",
        "return Scalar(a.value / b.value, [(a, b.value), (b, a.value)], '/')": "with respect to a",
        "return Scalar(a.value / b.value, [(a, 1 / b.value)], '/')": "with respect to b is 0",
        "return a.value / b.value": "is of type float",
    },
)
def divide(student, rng):
    values = rng.uniform(0.5, 3, size=2) * np.array([1, -1])
    a, b = map(student.Scalar, values)
    result = student.divide(a, b)
    holds(isinstance(result, student.Scalar), f"the result is of type {type(result).__name__}; expected a Scalar")
    equal(result.value, values[0] / values[1], "the value of divide(a, b)")
    student.backward(result)
    rights = {"a": 1 / values[1], "b": -values[0] / values[1] ** 2}
    for name, node in {"a": a, "b": b}.items():
        right = rights[name]
        hint = "the sign is wrong" if np.isclose(node.gradient, -right) else ""
        equal(node.gradient, right, f"the derivative of a / b with respect to {name}", hint=hint)
    a.gradient = b.gradient = 0.0
    product = student.divide(a, b) * a
    student.backward(product)
    equal(a.gradient, 2 * values[0] / values[1], "the derivative of (a / b) a with respect to a")


def random_graph(student, rng):
    """Return the last of some numbers that use each other at random, and all that it was made from."""
    nodes = [student.Scalar(1.0, name="x0"), student.Scalar(1.0, name="x1")]
    for i in range(2, 9):
        # The last one is always used, so that every number counts.
        first, second = nodes[-1], nodes[rng.integers(0, len(nodes))]
        pair = [(first, 1.0), (second, 1.0)] if rng.integers(2) else [(second, 1.0), (first, 1.0)]
        nodes.append(student.Scalar(1.0, pair, name=f"x{i}"))
    return nodes[-1]


def made_from(result):
    found, todo = {result}, [result]
    while todo:
        for parent, _ in todo.pop().parents:
            if parent not in found:
                found.add(parent)
                todo.append(parent)
    return found


@check(
    "02.3",
    wrong={
        """
        order = [result]
        for node in order:
            for parent, _ in node.parents:
                if parent not in order:
                    order.append(parent)
        return order
        """: "stands before its user",
        """
        order, seen = [], set()
        def visit(node):
            if node not in seen:
                seen.add(node)
                order.append(node)
                for parent, _ in node.parents:
                    visit(parent)
        visit(result)
        return order
        """: "stands before its user",
        """
        order, seen = [], set()
        def visit(node):
            if node not in seen:
                seen.add(node)
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)
        visit(result)
        return order
        """: "begins with",
        """
        order = []
        def visit(node):
            for parent, _ in node.parents:
                visit(parent)
            order.append(node)
        visit(result)
        return order[::-1]
        """: "more than once",
    },
)
def users_first(student, rng):
    for _ in range(20):
        result = random_graph(student, rng)
        order = student.users_first(result)
        holds(isinstance(order, list), f"the result is of type {type(order).__name__}; expected a list")
        holds(len(set(order)) == len(order), "some numbers are in the list more than once")
        holds(set(order) == made_from(result), "not all numbers are in the list, or too many")
        holds(order[0] is result, f"the list begins with {order[0].name}, not with the result, which nothing uses")
        place = {node: i for i, node in enumerate(order)}
        for node in order:
            for parent, _ in node.parents:
                if place[parent] < place[node]:
                    raise Wrong(f"{parent.name} stands before its user {node.name}: {describe(order)}")


def describe(order):
    """Write down a graph in the order given."""
    used = (f"{n.name} = {' + '.join(p.name for p, _ in n.parents)}" if n.parents else n.name for n in order)
    return "; ".join(used)


@check(
    "02.4",
    wrong={
        "return (2 * x) * 3": "is right",
        "return x + x": "is right",
        "b = 2 * x\nreturn b + b": "breadth_first is right",
        "b = 2 * x\nreturn (b + 1) + (b + (b + 1))": "5 operations",
        "return Scalar(1.0)": "does not depend on x",
    },
)
def fool_both(student, rng):
    start = float(rng.uniform(0.5, 2))

    def run(engine):
        x = student.Scalar(start)
        result = student.fool_both(x)
        holds(isinstance(result, student.Scalar), f"the result is of type {type(result).__name__}; expected a Scalar")
        holds(x in made_from(result), "the result does not depend on x")
        operations = sum(bool(node.parents) for node in made_from(result))
        holds(operations <= 3, f"there are {operations} operations; at most 3 are allowed")
        result.gradient = 1.0
        engine(result)
        return x.gradient

    right = run(student.backward)
    for name in ("depth_first", "breadth_first"):
        got = run(getattr(student, name))
        holds(not np.isclose(got, right), f"{name} is right about your function: its derivative is {right:g}")
