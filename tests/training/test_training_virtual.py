"""A data set that is a generator: the same bits however a row is asked for."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigan import data, nn, random
from minigan.errors import CheckpointError, ConfigError, DataError
from minigan.training import GAN, VirtualDataset
from minigan.training.virtual import BLOCK, fingerprint

rng = random.default_rng(0)
GENERATOR = nn.Sequential(nn.Dense(5, 40, rng=rng), nn.Tanh(), nn.Dense(40, 3, rng=rng))
TOY = GAN(GENERATOR, nn.Dense(3, 1, rng=rng), latent_normals=3, latent_signs=2)
FIRST = VirtualDataset(TOY, seed=1)[: 4 * BLOCK]


def same(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def common(a, b):
    """Return the rows that two arrays share."""
    return {row.tobytes() for row in a} & {row.tobytes() for row in b}


@given(st.lists(st.integers(0, 4 * BLOCK - 1), max_size=12))
def test_rows_in_any_order(index):
    rows = VirtualDataset(TOY, seed=1)
    assert same(rows[index], FIRST[index])
    assert same(rows[np.array(index, dtype=np.uint16)], FIRST[index])
    assert all(same(rows[i], FIRST[i]) for i in index)


@given(*[st.integers(-5 * BLOCK, 5 * BLOCK)] * 2, st.integers(-300, 300).filter(bool))
def test_slices(start, stop, step):
    rows = VirtualDataset(TOY, n=4 * BLOCK, seed=1)
    assert same(rows[start:stop:step], FIRST[start:stop:step])


def test_only_what_is_asked_for_is_made(monkeypatch):
    made = []
    decode = GAN.decode
    monkeypatch.setattr(GAN, "decode", lambda self, z: made.append(len(z)) or decode(self, z))
    rows = VirtualDataset(TOY)
    made.clear()
    rows[10**8 : 10**8 + 10]
    rows[-1]
    assert made == [BLOCK] * 2
    rows[-2]  # of the block that is there already
    assert made == [BLOCK] * 2


def test_seeds_and_blocks_differ():
    assert not common(FIRST, VirtualDataset(TOY, seed=2)[: 4 * BLOCK])
    assert len(np.unique(FIRST, axis=0)) == len(FIRST)
    assert FIRST.mean(axis=0) == pytest.approx(TOY.sample(4000).mean(axis=0), abs=0.05)


def test_samples_of_a_seed_are_the_first_rows():
    assert same(VirtualDataset(TOY, seed=9).sample(300, 1), FIRST[:300])
    source = np.random.default_rng(0)
    first, second = (VirtualDataset(TOY).sample(300, source) for _ in range(2))
    assert not common(first, second)  # a generator is advanced
    assert same(first, VirtualDataset(TOY).sample(300, np.random.default_rng(0)))


def test_numpy_sees_an_array_where_it_fits():
    rows = VirtualDataset(TOY, n=700, seed=1)
    assert same(np.asarray(rows), FIRST[:700])
    assert same(np.asarray(rows, dtype=float), FIRST[:700].astype(float))
    assert same(np.concatenate(list(rows.chunks(300))), FIRST[:700])
    assert [len(chunk) for chunk in rows.chunks(300)] == [300, 300, 100]
    endless = VirtualDataset(TOY, seed=1)
    assert same(np.array(list(itertools.islice(endless, 300))), FIRST[:300])
    with pytest.raises(DataError, match=r"1,000,000,000 rows would fill 11\.2 GiB; read fewer, or chunk by chunk"):
        np.asarray(endless)


def test_it_is_a_data_set():
    rows = VirtualDataset(TOY, seed=1)
    assert isinstance(rows, data.Dataset)
    assert (rows.shape, len(rows), rows.name) == ((3,), 10**9, "virtual custom")
    assert rows.mean == pytest.approx(FIRST.mean(), abs=0.02)
    assert rows.std == pytest.approx(FIRST.std(), rel=0.02)
    assert repr(rows) == "<virtual custom: 1,000,000,000 items of shape (3,), seed 1>"


def test_another_gan_learns_from_it(small, fit, tmp_path):
    teacher = fit(small(standardise=True), out=tmp_path / "run")
    rows = VirtualDataset(
        *(tmp_path / "run",), generator=small().generator, discriminator=small().discriminator, seed=3
    )
    assert same(rows[:5], VirtualDataset(teacher, seed=3)[:5])
    learner = small(standardise=True, seed=5).fit(rows, progress=False)
    assert learner.step == 12
    assert (learner.centre, learner.scale) == (rows.mean, rows.std)
    again = small(standardise=True, seed=5).fit(rows, progress=False)
    assert same(learner.sample(10), again.sample(10))


def test_rows_do_not_depend_on_the_number_of_threads():
    from threadpoolctl import threadpool_limits

    wide = GAN(nn.Dense(64, 4000, rng=random.default_rng(0)), nn.Dense(4000, 1))
    for threads in (1, 2):
        with threadpool_limits(threads):
            rows = VirtualDataset(wide)[:2]
        assert same(rows, VirtualDataset(wide)[:2])


@pytest.mark.parametrize("index", [1.0, "a", None, [[1]], np.array([True]), [0.5], (1, 2, slice(3))])
def test_other_indices_are_refused(index):
    with pytest.raises((IndexError, ValueError)):
        VirtualDataset(TOY)[index]


@pytest.mark.parametrize("index", [700, -701, [3, 700]])
def test_out_of_range(index):
    with pytest.raises(IndexError, match="out of range for 700 rows"):
        VirtualDataset(TOY, n=700)[index]


def test_wrong_arguments(tmp_path):
    for wrong in ({"n": 0}, {"seed": -1}, {"n": 2**63}):
        with pytest.raises(ConfigError, match="expected at least 1"):
            VirtualDataset(TOY, **wrong)
    with pytest.raises(CheckpointError, match="is not a run folder"):
        VirtualDataset(tmp_path)


def test_the_fingerprint_is_of_the_generator_that_samples(small, fit):
    gan = small(ema=0.9)
    first = fingerprint(gan)
    assert first == fingerprint(small(ema=0.9, lr_d=1.0))
    gan.scale = 2.0
    assert fingerprint(gan) != first
    gan.scale = 1.0
    gan.average.module.layers[0].bias.assign(np.full(8, 3.0, np.float32))
    assert fingerprint(gan) != first
