"""Batch and layer normalisation, dropout: statistics, modes, errors; beside PyTorch's."""

import copy

import numpy as np
import pytest
from beside_torch import WHY, build, close, compare, exchange
from hypothesis import given
from hypothesis import strategies as st

import minigan as mg
from minigan import nn, penalties
from minigan.errors import ConfigError, DTypeError, GraphError, ShapeError

SHAPES = {
    "BatchNorm1d": [(5, 3), (3, 3), (4, 3, 2), (1, 3, 4)],
    "BatchNorm2d": [(3, 3, 2, 4), (1, 3, 1, 3), (4, 3, 1, 1)],
}
NORMS = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]
each_norm = pytest.mark.parametrize(("name", "shape"), NORMS)


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason=WHY)


def draw(shape, seed=0):
    return 2.0 + 3.0 * np.random.default_rng(seed).standard_normal(shape)


# -- batch normalisation beside PyTorch --------------------------------------------------------------------------------


@each_norm
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_derivatives_are_those_of_pytorch(torch, name, shape, training):
    ours = build(getattr(nn, name), 3).train(training)
    compare(torch, ours, getattr(torch.nn, name)(3).train(training), draw(shape))


@each_norm
@given(batches=st.integers(1, 4), momentum=st.sampled_from([0.0, 0.1, 0.7, 1.0]), seed=st.integers(0, 99))
def test_running_statistics_are_those_of_pytorch(torch, name, shape, batches, momentum, seed):
    ours = build(getattr(nn, name), 3, momentum=momentum, eps=1e-3)
    theirs = getattr(torch.nn, name)(3, momentum=momentum, eps=1e-3).double()
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    for i in range(batches):
        x = draw(shape, seed + i)
        close(ours(x).numpy(), theirs(torch.from_numpy(x)))
    for key, value in theirs.state_dict().items():
        close(ours.state_dict()[key], value)
    assert ours.num_batches_tracked.item() == batches
    x = draw(shape, seed + 99)
    close(ours.eval()(x).numpy(), theirs.eval()(torch.from_numpy(x)))


@pytest.mark.parametrize("name", SHAPES)
def test_state_files_load_there_and_here(torch, name, tmp_path):
    exchange(torch, build(getattr(nn, name), 3), getattr(torch.nn, name)(3), tmp_path)


def test_first_state_is_that_of_pytorch(torch):
    for ours, theirs in (
        (nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)),
        (nn.LayerNorm((2, 3)), torch.nn.LayerNorm((2, 3))),
    ):
        state = theirs.state_dict()
        assert list(ours.state_dict()) == list(state)
        for name, value in ours.state_dict().items():
            np.testing.assert_array_equal(value, state[name].numpy())
            assert value.dtype == state[name].numpy().dtype


# -- batch normalisation on its own ------------------------------------------------------------------------------------


@each_norm
def test_training_gives_every_channel_mean_0_and_variance_1(name, shape):
    layer, x = getattr(nn, name)(3), draw(shape)
    y = layer(x).numpy()
    axes = (0, *range(2, len(shape)))
    np.testing.assert_allclose(y.mean(axis=axes), 0.0, atol=1e-12)
    var = x.var(axis=axes)
    np.testing.assert_allclose(y.var(axis=axes), var / (var + 1e-5), rtol=1e-12)


def test_momentum_1_takes_the_statistics_of_the_batch_unbiased():
    layer, x = build(nn.BatchNorm1d, 3, momentum=1.0), draw((7, 3))
    layer(x)
    np.testing.assert_allclose(layer.running_mean.numpy(), x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), x.var(axis=0, ddof=1), rtol=1e-12)


def test_evaluation_treats_samples_alike_and_records_nothing():
    layer = build(nn.BatchNorm1d, 3).eval()
    before, x = layer.state_dict(), draw((6, 3))
    np.testing.assert_array_equal(layer(x).numpy()[:1], layer(x[:1]).numpy())
    assert layer(x[:0]).shape == (0, 3)
    assert all(np.array_equal(v, before[k]) for k, v in layer.state_dict().items())


def test_statistics_are_no_parameters_and_keep_their_dtype():
    layer = nn.BatchNorm2d(3)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert [name for name, _ in layer.named_buffers()] == ["running_mean", "running_var", "num_batches_tracked"]
    layer(draw((2, 3, 4, 4)))  # float64 into a float32 layer
    assert layer.running_mean.dtype == layer.running_var.dtype == np.float32
    assert layer.num_batches_tracked.dtype == np.int64
    assert not any(b.requires_grad for _, b in layer.named_buffers())
    y = layer(draw((2, 3, 4, 4)).astype("f4"))
    assert y.dtype == np.float32


def test_a_second_batch_leaves_the_graph_of_the_first_alone():
    """In a GAN's step D(real) and D(fake) are both computed before the backward pass."""
    layer = nn.BatchNorm1d(2)
    real, fake = layer(draw((4, 2))), layer(draw((4, 2), seed=1))
    ((real * real).sum() + fake.sum()).backward()
    assert layer.weight.grad.numpy().any()


def test_statistics_that_change_under_a_graph_of_evaluation_are_noticed():
    layer = nn.BatchNorm1d(2).eval()
    x = mg.tensor(draw((4, 2)), requires_grad=True)
    y = layer(x).sum()
    layer.train()(draw((4, 2)))
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


def test_a_copy_has_its_own_statistics():
    layer = nn.BatchNorm1d(2)
    twin = copy.deepcopy(layer)
    layer(draw((4, 2)))
    assert (layer.num_batches_tracked.item(), twin.num_batches_tracked.item()) == (1, 0)
    assert not twin.running_mean.numpy().any()


# -- frozen statistics -------------------------------------------------------------------------------------------------


def state_of(module):
    return {name: value.tolist() for name, value in module.state_dict().items()}


def test_frozen_statistics_change_no_output_and_no_state():
    layer, x = build(nn.BatchNorm1d, 3), draw((5, 3))
    before = state_of(layer)
    with nn.frozen_statistics(), nn.frozen_statistics():
        frozen = layer(x).numpy()
    assert state_of(layer) == before
    np.testing.assert_array_equal(layer(x).numpy(), frozen)
    assert state_of(layer) != before


def test_statistics_thaw_after_an_error():
    layer = nn.BatchNorm1d(3)
    with pytest.raises(ShapeError), nn.frozen_statistics():
        layer(np.ones((5, 2)))
    layer(draw((5, 3)))
    assert layer.num_batches_tracked.item() == 1


@pytest.mark.parametrize("penalty", [penalties.r1, penalties.r2])
@pytest.mark.parametrize(
    "call", [lambda d: d, lambda d: lambda x: d(x), lambda d: d.forward], ids=["module", "lambda", "method"]
)
def test_penalties_do_not_update_running_statistics(penalty, call):
    """However the discriminator is handed over; the state of every module in it stays as it was."""
    rng = mg.random.default_rng(0)
    d = nn.Sequential(
        nn.Dense(3, 4, rng=rng),
        nn.BatchNorm1d(4),
        nn.Tanh(),
        nn.Sequential(nn.BatchNorm1d(4), nn.Sigmoid(), nn.Dense(4, 1, rng=rng)),
    )
    x = draw((6, 3)).astype("f4")
    d(x)
    before = state_of(d)
    value = penalty(call(d), x)
    value.backward()
    assert value.item() > 1e-8  # rounding alone is below 1e-12
    assert state_of(d) == before
    d(x)
    assert d[1].num_batches_tracked.item() == 2


# -- layer normalisation -----------------------------------------------------------------------------------------------


@given(
    lead=st.lists(st.integers(1, 3), max_size=2),
    shape=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_layer_norm_is_that_of_pytorch(torch, lead, shape, seed):
    if np.prod(shape) < 3:
        shape = [*shape, 3]  # two values become -1 and 1 whatever they are: what gradient is left is eps and rounding
    compare(torch, build(nn.LayerNorm, shape), torch.nn.LayerNorm(shape), draw((*lead, *shape), seed))


def test_layer_norm_state_files(torch, tmp_path):
    exchange(torch, build(nn.LayerNorm, (2, 3)), torch.nn.LayerNorm((2, 3)), tmp_path)


def test_layer_norm_keeps_samples_apart():
    layer, x = build(nn.LayerNorm, 4), draw((5, 2, 4))
    np.testing.assert_allclose(layer(x).numpy()[2:3], layer(x[2:3]).numpy(), rtol=1e-12)
    assert layer(x[:0]).shape == (0, 2, 4)
    y = nn.LayerNorm(4)(x).numpy()
    np.testing.assert_allclose(y.mean(axis=-1), 0.0, atol=1e-12)


def test_layer_norm_takes_its_features_from_the_end():
    assert nn.LayerNorm(4).weight.shape == (4,)
    assert nn.LayerNorm([2, 4])(draw((3, 2, 4))).shape == (3, 2, 4)


# -- dropout -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_dropout_keeps_the_mean_and_zeroes_p(p):
    """100,000 elements: five standard deviations of the share are at most 0.008."""
    y = nn.Dropout(p, rng=mg.random.default_rng(0))(np.ones(100_000)).numpy()
    assert np.mean(y == 0) == pytest.approx(p, abs=0.008)
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-15)


def test_dropout_in_evaluation_and_with_p_0_is_the_identity():
    x = mg.tensor(draw((3, 4)))
    assert nn.Dropout(0.5).eval()(x) is x
    assert nn.Dropout(0.0)(x) is x
    assert not nn.Dropout(1.0)(x).numpy().any()


def test_dropout_gradient_goes_where_the_value_went():
    x = mg.tensor(np.ones((4, 5), "f4"), requires_grad=True)
    y = nn.Dropout(0.4, rng=mg.random.default_rng(1))(x)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.numpy())
    assert 0 < np.count_nonzero(y.numpy()) < 20
    assert y.dtype == x.grad.dtype == np.float32


def test_dropout_generator_is_explicit():
    """The same seed, the same masks; each call draws anew; the package's generator is used where none is given."""
    x = np.ones((4, 8))
    a, b = (nn.Dropout(0.5, rng=mg.random.default_rng(3)) for _ in range(2))
    first, second = a(x).numpy(), a(x).numpy()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(b(x).numpy(), first)
    layer = nn.Dropout(0.5)
    try:
        draws = []
        for _ in range(2):
            mg.random.seed(5)
            draws.append(layer(x).numpy())
    finally:
        mg.random.seed(0)
    np.testing.assert_array_equal(*draws)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "longdouble"])
def test_dropout_keeps_any_dtype_of_real_numbers(dtype):
    y = nn.Dropout(0.5, rng=0)(np.ones(100, dtype))
    assert y.dtype == np.dtype(dtype).newbyteorder("=")
    assert set(y.numpy().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_dropout_scales_real_numbers_only(dtype):
    x = mg.tensor(np.ones(4, dtype))
    with pytest.raises(
        DTypeError, match=rf"Dropout: x has dtype {dtype}; expected floating-point.*astype\('float32'\)"
    ):
        nn.Dropout(0.5)(x)
    assert nn.Dropout(0.5).eval()(x) is x


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.BatchNorm1d(0), ConfigError, "BatchNorm1d: got 0 num_features"),
        (lambda: nn.BatchNorm2d(3, momentum=1.5), ConfigError, "momentum is 1.5; expected 0 to 1"),
        (
            lambda: nn.BatchNorm1d(3)(draw((4, 2))),
            ShapeError,
            r"x has shape \(4, 2\), expected \(N, C\) or .* with C=3",
        ),
        (lambda: nn.BatchNorm1d(3)(draw((4, 3, 2, 2))), ShapeError, r"BatchNorm1d: x has shape \(4, 3, 2, 2\)"),
        (lambda: nn.BatchNorm2d(3)(draw((4, 3))), ShapeError, r"expected \(N, C, H, W\) with C=3"),
        (lambda: nn.BatchNorm1d(3)(draw((1, 3))), ShapeError, r"training needs two or more.*or call .eval\(\)"),
        (lambda: nn.BatchNorm2d(3)(draw((0, 3, 2, 2))), ShapeError, "one value or none for a channel"),
        (lambda: nn.LayerNorm(()), ConfigError, r"normalized_shape is \(\)"),
        (lambda: nn.LayerNorm((2, 0)), ConfigError, "expected lengths of 1 or more"),
        (lambda: nn.LayerNorm((2, 4))(draw((2, 3))), ShapeError, r"its last axes must be \(2, 4\)"),
        (lambda: nn.Dropout(1.2), ConfigError, "p is 1.2; expected a probability"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_repr():
    assert repr(nn.BatchNorm2d(8)) == "BatchNorm2d(8, eps=1e-05, momentum=0.1)"
    assert repr(nn.LayerNorm(8)) == "LayerNorm((8,), eps=1e-05)"
    assert repr(nn.Dropout(0.3)) == "Dropout(p=0.3)"
