"""The examples run, quickly, and keep what they promise."""

import importlib.util
import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import minigan as mg

FOLDER = Path(__file__).parents[1] / "examples"


@pytest.fixture
def example(monkeypatch, tmp_path):
    """Return a function from a name to that example as a module, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def load(name):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG")


# -- the map of rates and batch sizes -------------------------------------------------------------------------------
@pytest.fixture
def sensitivity(example, monkeypatch):
    """The example with a training that writes down which cells it is asked for, in this process."""
    joblib = pytest.importorskip("joblib")
    module = example("sensitivity_map")
    parallel_config = joblib.parallel_config
    monkeypatch.setattr(joblib, "parallel_config", lambda backend, n_jobs, **_: parallel_config("sequential"))
    trained = []

    def train(config):
        trained.append((config.lr_g, config.batch_size))
        if len(trained) == module.stop_after:
            raise KeyboardInterrupt
        return {"diverged": False, "modes": 8.0, "high_quality": 0.95}

    module.stop_after, module.trained = None, trained
    monkeypatch.setattr(module, "train", train)
    return module


def test_map_trains_missing_cells_only(sensitivity, tmp_path, capsys):
    sensitivity.stop_after = 3
    with pytest.raises(SystemExit, match="goes on from here"):
        sensitivity.main(["--quick"])
    assert len(list(tmp_path.glob("runs/sensitivity/*.json"))) == 2
    sensitivity.stop_after = None
    sensitivity.main(["--quick"])
    assert len(sensitivity.trained) == 3 + 2  # the interrupted cell once more, and the last one
    assert len(set(sensitivity.trained)) == 4
    assert "4 of 4 settings" in capsys.readouterr().out
    assert is_png(tmp_path / "runs/sensitivity/relativistic.png")
    sensitivity.main(["--quick"])
    assert len(sensitivity.trained) == 5


def test_map_keeps_other_settings_apart(sensitivity):
    for options in ([], ["--seed", "1"], ["--plain"]):
        sensitivity.main(["--quick", *options])
    assert len(sensitivity.trained) == 12


def test_cell_is_written_complete_or_not_at_all(sensitivity, tmp_path, monkeypatch):
    def fails(*args, **options):
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="no space"):
        sensitivity.train_and_keep(sensitivity.RING, tmp_path / "cell.json")
    assert not (tmp_path / "cell.json").exists()


def test_map_writes_values_into_cells_and_frames_the_presets_own(sensitivity):
    rates, batches = sensitivity.RATES, sensitivity.BATCHES
    results = {
        (rate, batch): {"diverged": (i, j) == (0, 0), "modes": 1.0 * i, "high_quality": 0.1 * j}
        for i, rate in enumerate(rates)
        for j, batch in enumerate(batches)
    }
    fig = sensitivity.draw(results, rates, batches, "title")
    modes, good = fig.axes[:2]
    assert [text.get_text() for text in modes.texts[: len(rates)]] == ["nan", *(f"{i}.0" for i in range(1, len(rates)))]
    assert [text.get_text() for text in good.texts[:: len(rates)]] == ["nan", "10", "20", "30"]
    corner = modes.patches[0].get_xy()
    assert rates[round(corner[0] + 0.5)] == sensitivity.RING.lr_g
    assert batches[round(corner[1] + 0.5)] == sensitivity.RING.batch_size


def test_cell_of_a_run_that_diverges_is_told(example):
    pytest.importorskip("joblib")
    module = example("sensitivity_map")
    wild = module.replace(module.RING, steps=30, lr_g=1e30, lr_d=1e30, warmup=0)
    assert json.loads(json.dumps(module.train(wild)))["diverged"]


# -- VAE and autoencoder --------------------------------------------------------------------------------------------
def test_kl_is_that_of_two_normals(example):
    """Against an average over draws of log q(z) - log p(z)."""
    module = example("vae_and_autoencoder")
    mean, log_variance = np.array([[0.3, -1.0]]), np.array([[0.4, -0.7]])
    e = np.random.default_rng(0).normal(size=(200_000, 2))
    z = mean + np.exp(0.5 * log_variance) * e
    draws = (0.5 * z**2 - 0.5 * e**2 - 0.5 * log_variance).sum(axis=1)
    kl = module.kl_to_normal(mg.tensor(mean), mg.tensor(log_variance)).item()
    assert kl == pytest.approx(draws.mean(), abs=5 * draws.std() / np.sqrt(len(draws)))
    assert module.kl_to_normal(mg.tensor(np.zeros((3, 2))), mg.tensor(np.zeros((3, 2)))).item() == 0.0


def test_gradient_passes_the_draw(example):
    module = example("vae_and_autoencoder")

    def mean_square(mean, log_variance):
        return (module.drawn(mean, log_variance, mg.random.default_rng(0)) ** 2).mean()

    inputs = np.random.default_rng(1).normal(size=(2, 5, 3))
    assert mg.check_gradients(mean_square, *inputs, seed=0).ok


def test_coders_learn_to_reconstruct_and_only_the_vae_learns_widths(example):
    """What the encoder says of log s^2 stays as it began where no objective asks for it."""
    module = example("vae_and_autoencoder")
    task = module.tasks()["ring"]
    x, moved = task.data.sample(500, 0), {}
    for variational in (False, True):
        coder = module.Coder(task, variational)
        last = coder.encoder.parameters()[-2]  # weight (2 K, I) of the last layer: rows of m, then of log s^2
        before = last.numpy().copy()
        coder.fit(200)
        moved[variational] = [not np.array_equal(before[rows], last.numpy()[rows]) for rows in (slice(2), slice(2, 4))]
        rms = np.sqrt(np.mean((coder.reconstruct(x) - x) ** 2))
        assert 0 < rms < 0.3 * task.data.std
    assert moved == {False: [True, False], True: [True, True]}


def test_vae_example_prints_a_table_and_draws(example, tmp_path, capsys):
    example("vae_and_autoencoder").main(["--quick", "--out", str(tmp_path)])
    rows = re.findall(r"^(real|autoencoder|VAE|GAN) ", capsys.readouterr().out, re.MULTILINE)
    assert rows == 2 * ["real", "autoencoder", "VAE", "GAN"]
    assert is_png(tmp_path / "ring.png")
    assert is_png(tmp_path / "glyphs.png")


# -- the systems ----------------------------------------------------------------------------------------------------
def test_the_directional_derivative_foretells_a_step(example, capsys):
    example("s1_directional_derivatives").main(["--steps", "20"])
    lines = capsys.readouterr().out.splitlines()
    rows = np.array([[float(cell) for cell in line.split()] for line in lines[2:-1]])
    assert rows.shape == (10, 7)
    np.testing.assert_allclose(rows[:, 3], rows[:, 4], rtol=0.05)  # foretold and true
    np.testing.assert_allclose(rows[:, 5], rows[:, 6], rtol=0.05)
    assert np.all(rows[:, 3:] < 0)


@pytest.mark.slow
def test_the_dense_gan_of_the_tutorials(example, capsys):
    """One epoch: five rows, the first of the data itself."""
    example("s2_dense_gan").main(["--epochs", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    mean, sd, w1 = (float(cell) for cell in lines[1].split()[-3:])
    assert (mean, sd) == (pytest.approx(0.6, abs=0.01), pytest.approx(0.1, abs=0.01))
    assert w1 < 0.01


def test_virtual_data_are_kept_and_judged(example, tmp_path, capsys):
    module = example("s3_virtual_data")
    module.main(["--steps", "5", "--out", str(tmp_path)])
    first = capsys.readouterr().out
    assert "alone and in a slice: True" in first
    shares = {name: float(share) for name, share in re.findall(r"^  (\w.*?) +([\d.]+)%$", first, re.MULTILINE)}
    assert shares["the data"] > 60 > 10 > shares["noise"]
    copies = re.search(r"copies +([\d.]+) +z +(-?[\d.]+)", first)
    assert float(copies[1]) < 0.1
    assert float(copies[2]) < -10
    assert is_png(tmp_path / "glyphs.png")
    written = (tmp_path / "glyphs" / "metrics.jsonl").read_bytes()
    module.main(["--steps", "5", "--out", str(tmp_path)])  # the run is taken as it is
    assert capsys.readouterr().out == first
    assert (tmp_path / "glyphs" / "metrics.jsonl").read_bytes() == written


def test_every_strategy_plays(example, capsys):
    module = example("s4_training_strategies")
    module.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()[2:]
    assert [line[:36].strip() for line in lines] == list(module.STRATEGIES)
    modes, good = np.array([line.split()[-2:] for line in lines], dtype=float).T
    assert ((modes >= 0) & (modes <= 8)).all()
    assert ((good >= 0) & (good <= 100)).all()


def test_first_stage_leaves_the_generator_alone(example):
    module = example("s4_training_strategies")
    data, weights = mg.data.ring(), []

    class Watched(module.Game):
        def sample(self, n, seed=0):
            weights.append([p.numpy().copy() for p in (*self.G.parameters(), *self.D.parameters())])
            return super().sample(n, seed)

    module.Game = Watched
    module.play(module.Strategy(d_first=2), data, 3, 1, compiled=False)
    n = len(weights[0]) // 2
    moved = [[not np.array_equal(a, b) for a, b in zip(x, y, strict=True)] for x, y in pairwise(weights)]
    assert moved == [[False] * n + [True] * n, [True] * 2 * n]


def test_rates_rise_and_fall(example):
    strategy = example("s4_training_strategies").Strategy(warmup=10, fall=True)
    rates = [strategy.rate(step, 100) for step in (5, 10, 50, 75, 100)]
    np.testing.assert_allclose(rates, [0.5e-3, 1e-3, 1e-3, 0.5e-3, 0], atol=1e-12)


def test_five_kinds_of_networks_make_and_judge_sequences(example, tmp_path, capsys):
    module = example("s5_sequences")
    module.main(["--quick", "--out", str(tmp_path / "waves.png")])
    lines = capsys.readouterr().out.splitlines()
    assert [line[:16].strip() for line in lines[1:-1]] == ["real", *module.KINDS]
    assert is_png(tmp_path / "waves.png")


def test_readme_lists_every_example():
    listed = set(re.findall(r"`(\w+\.py)", (FOLDER / "README.md").read_text()))
    assert listed == {path.name for path in FOLDER.glob("*.py")}
