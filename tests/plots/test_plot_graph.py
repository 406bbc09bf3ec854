"""The picture of a recorded graph."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan.errors import DTypeError, GraphError
from minigan.plots.graph import BOX_HEIGHT, ROW_HEIGHT, _spread, arrange, collect


def leaf(*shape):
    return mg.tensor(np.ones(shape, dtype=np.float32), requires_grad=True)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_boxes_show_operation_shape_and_dtype():
    w, b = leaf(3, 2), leaf(2)
    x = mg.tensor(np.ones((5, 3), dtype=np.float32))
    y = mg.tanh(x @ w + b).sum(axis=0)
    shown = texts(mg.draw(y, names={"x": x, "w": w, "b": b, "y": y}))
    assert {"x", "w", "b", "matmul", "add", "tanh", "y = sum(axis=0)"} <= set(shown)
    assert shown.count("(5, 2) float32") == 3
    assert {"(5, 3) float32", "(3, 2) float32", "(2,) float32"} <= set(shown)


def test_unnamed_leaves_constants_and_numbers():
    shown = texts(mg.draw((leaf(2) * 2.5 + np.ones(2, dtype=np.float32)).sum()))
    assert {"leaf", "constant", "2.5"} <= set(shown)


def test_a_value_used_twice_is_one_box_with_two_arrows():
    x = leaf(2)
    y = mg.exp(x)
    boxes = collect(y * y, 10)
    assert [inputs for _, inputs in boxes] == [[], [0], [1, 1]]
    _, routes = arrange([inputs for _, inputs in boxes], [1.0] * 3)
    assert [source for _, source in routes] == [0, 1, 1]
    assert routes[1][0][-1, 0] < routes[2][0][-1, 0]  # first argument left of the second


def test_the_graph_of_a_gradient_can_be_drawn():
    x = leaf(3)
    mg.tanh(x).sum().backward(create_graph=True)
    figure = mg.draw(x.grad.sum(), names={"x": x})
    assert "x" in texts(figure)
    assert "tanh" in texts(figure)


def test_drawing_leaves_the_graph_alone():
    x = leaf(3)
    y = mg.tanh(x).sum()
    mg.draw(y)
    y.backward()
    np.testing.assert_allclose(np.asarray(x.grad), 1 - np.tanh(1.0) ** 2, rtol=1e-6)


def test_a_deep_graph_is_refused_at_once():
    y = leaf(1)
    for _ in range(5000):  # far deeper than Python recurses
        y = mg.sin(y)
    with pytest.raises(GraphError, match="more than 300 nodes"):
        mg.draw(y)


def test_the_limit_counts_boxes():
    y = mg.exp(leaf(1)).sum()
    assert len(texts(mg.draw(y, max_nodes=3))) == 6
    with pytest.raises(GraphError, match="more than 2 nodes"):
        mg.draw(y, max_nodes=2)


def test_many_layers_do_not_recurse():
    y = leaf(1)
    for _ in range(250):
        y = mg.sin(y)
    assert texts(mg.draw(y)).count("sin") == 250


def test_what_has_no_graph_is_a_clear_error():
    with pytest.raises(GraphError, match="nothing was recorded"):
        mg.draw(leaf(2))
    with pytest.raises(DTypeError, match="expected a Tensor, got ndarray"):
        mg.draw(np.ones(3))


def test_a_freed_graph_is_a_clear_error():
    y = mg.exp(leaf(2)).sum()
    y.backward()
    with pytest.raises(GraphError, match="freed by backward"):
        mg.draw(y)


@st.composite
def graphs(draw):
    """Inputs of up to 25 boxes, every box after its inputs, all leading to the last."""
    n = draw(st.integers(2, 25))
    inputs = [draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else [] for i in range(n)]
    used = {source for sources in inputs for source in sources}
    inputs[-1] = [*inputs[-1], *(i for i in range(n - 1) if i not in used)]
    return inputs


@given(graphs(), st.floats(0.5, 2.0))
def test_arrows_point_down_and_boxes_do_not_overlap(inputs, width):
    places, routes = arrange(inputs, [width] * len(inputs))
    for i, sources in enumerate(inputs):
        assert all(places[source, 1] >= places[i, 1] + ROW_HEIGHT - 1e-9 for source in sources)
        same_row = [j for j in range(len(inputs)) if j != i and abs(places[j, 1] - places[i, 1]) < 1e-9]
        assert all(abs(places[j, 0] - places[i, 0]) >= width for j in same_row)
    assert len(routes) == sum(map(len, inputs))
    for points, source in routes:
        assert points[0] == pytest.approx(places[source] - [0, BOX_HEIGHT / 2])
        assert np.all(np.diff(points[:, 1]) < 0)
        np.testing.assert_allclose(np.diff(points[1:-1, 1]), -ROW_HEIGHT)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8))
def test_spread_keeps_order_and_distance_and_the_mean(wish):
    wish = np.sort(wish)
    placed = _spread(wish, np.full(len(wish), 1.0), gap=0.2)
    assert np.all(np.diff(placed) >= 1.2 - 1e-9)
    assert placed.mean() == pytest.approx(wish.mean(), abs=1e-9)
    apart = np.concatenate([[0], np.cumsum(np.maximum(np.diff(wish), 1.3))])
    np.testing.assert_allclose(_spread(apart, np.full(len(wish), 1.0), gap=0.2), apart, atol=1e-9)
