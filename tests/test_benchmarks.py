"""The benchmarks compare like with like, and report what they measured. Times themselves are not tested."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import minigan as mg
from minigan.plots.style import png_bytes
from minigan.training import presets

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the benchmarks are not installed

from benchmarks import __main__ as command
from benchmarks import contest, gan_step, growth, memory, process, startup
from benchmarks.tables import duration, interleave, table
from benchmarks.workloads import WORKLOADS, Convolutional, Dense, Recurrent, line, networks

PARAMETERS = {
    "1D": (1_377, 1_153),
    "ring": (17_154, 17_025),
    "ring relativistic + R1 + R2": (17_154, 17_025),
    "MNIST": (130_576, 117_121),
    "MNIST + R1": (130_576, 117_121),
    "MNIST wide": (716_560, 665_089),
    "LSTM": (19_009, 17_217),  # 4 (8 + 64 + 2) 64, 4 (1 + 64 + 2) 64, and 65 for the head
    "DCGAN": (347_073, 36_577),
    "1D hidden 48": (2_833, 2_497),
    "LSTM hidden 48 T 30": (11_185, 9_841),
}


def tiny(work):
    """Return a workload of the same kind that costs next to nothing."""
    if isinstance(work, Dense):
        sizes = {"generator": (2, 3, 2), "discriminator": (2, 3, 1)}
    else:
        sizes = {"channels": (3, 2)} if isinstance(work, Convolutional) else {"hidden": 3, "steps": 4}
    return replace(work, batch=3, **sizes)


# Rows that differ in their sizes alone are one case.
KINDS = {str(tiny(work)): pytest.param(tiny(work), id=label) for label, work in reversed(WORKLOADS.items())}.values()


def shapes(module):
    return [tuple(p.shape) for p in module.parameters()]


@pytest.mark.parametrize("name", WORKLOADS)
def test_networks_have_the_parameters_of_the_definition(name):
    both = networks(mg.nn, mg.nn.Dense, WORKLOADS[name])
    assert tuple(sum(p.size for p in network.parameters()) for network in both) == PARAMETERS[name]


@pytest.mark.parametrize("name", WORKLOADS)
def test_networks_are_the_same_in_torch(name):
    torch = pytest.importorskip("torch")
    ours, theirs = networks(mg.nn, mg.nn.Dense, WORKLOADS[name]), networks(torch.nn, torch.nn.Linear, WORKLOADS[name])
    x = np.random.default_rng(0).standard_normal(WORKLOADS[name].noise_shape, dtype=np.float32)
    for our, their in zip(ours, theirs, strict=True):
        assert shapes(our) == shapes(their)
        our.load_state_dict({key: value.numpy() for key, value in their.state_dict().items()})
        x_after = our(x).numpy()
        np.testing.assert_allclose(x_after, their(torch.from_numpy(x)).detach().numpy(), atol=1e-5)
        x = x_after


def test_mnist_workload_is_what_the_preset_trains():
    ours, preset = networks(mg.nn, mg.nn.Dense, WORKLOADS["MNIST"]), presets.networks(presets.config("mnist"))
    assert [shapes(network) for network in ours] == [shapes(network) for network in preset]
    assert WORKLOADS["MNIST"].batch == presets.config("mnist").batch_size


@pytest.fixture
def threads_as_before():
    with threadpool_limits(1, user_api="blas"):  # on the way out it undoes what a step has set
        yield


@pytest.mark.parametrize("work", KINDS)
@pytest.mark.parametrize("library", ["minigan eager", "torch", "jax"])
def test_every_row_starts_at_indifference_in_every_library(library, work, threads_as_before):
    pytest.importorskip(library.split()[0])
    step = gan_step.LIBRARIES[library](work)
    first, second = step(), step()
    # logits are small at first, where D's loss is 2 log 2 (relativistic: log 2) and G's log 2
    at_zero = np.log(2) * np.array([1 if work.relativistic else 2, 1])
    np.testing.assert_allclose(first, at_zero, atol=0.7)
    assert first != second


@pytest.mark.parametrize("work", [tiny(WORKLOADS["LSTM"])])  # the trainer's steps are compiled in other tests
def test_own_step_compiles_and_does_what_the_eager_step_does(work, threads_as_before):
    compiled, eager = (gan_step.LIBRARIES[name](work) for name in ("minigan", "minigan eager"))
    for _ in range(2):
        np.testing.assert_allclose(compiled(), eager(), rtol=1e-4)
    compiled.parts["products"]()
    assert not eager.parts


@pytest.mark.deep
@pytest.mark.parametrize("work", KINDS)
def test_every_row_compiles_and_does_what_the_eager_step_does(work, threads_as_before):
    test_own_step_compiles_and_does_what_the_eager_step_does(work, threads_as_before)


@pytest.mark.parametrize("library", ["minigan", "torch"])
def test_step_starts_at_indifference_and_trains(library, threads_as_before):
    pytest.importorskip(library)
    step = gan_step.LIBRARIES[library](WORKLOADS["1D"])
    first = step()
    # logits are near 0 at first, where D's loss is 2 log 2 and G's log 2
    np.testing.assert_allclose(first, (2 * np.log(2), np.log(2)), atol=0.15)
    for _ in range(100):
        last = step()
    assert 1e-3 < abs(last[0] - first[0]) < 1.0


def test_table_aligns_numbers_to_the_right():
    assert table(["name", "time"], [["a", "1.0 ms"], ["long", "20 s"]]) == (
        "name    time\n"
        "a     1.0 ms\n"
        "long    20 s"
    )  # fmt: skip


def test_table_refuses_a_short_row():
    with pytest.raises(ValueError):
        table(["name", "time"], [["a"]])


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(60e-6, "60.0 us"), (999.4e-6, "999 us"), (999.6e-6, "1.00 ms"), (3.12e-3, "3.12 ms"), (0.9996, "1.00 s")],
)
def test_duration_has_three_digits(seconds, text):
    assert duration(seconds) == text


def test_interleave_takes_turns():
    calls = []
    times = interleave({"a": lambda: calls.append("a") or 1.0, "b": lambda: calls.append("b") or 2.0}, 3)
    assert calls == ["a", "b"] * 3
    assert times == {"a": [1.0] * 3, "b": [2.0] * 3}


def test_ratio_is_above_one_where_minigan_is_faster_and_pairs_rounds():
    assert gan_step.ratio(others=[2.0, 20.0, 300.0], ours=[1.0, 10.0, 100.0]) == 2.0


def test_best_ratio_is_against_the_fastest_of_the_others():
    times = {"minigan": [1.0, 2.0], "minigan eager": [0.5, 0.5], "minigan products": [0.7, 1.4]}
    assert gan_step.best_ratio(times) is None
    times |= {"torch": [3.0, 6.0], "jax": [1.5, 3.0]}
    assert gan_step.best_ratio(times) == ("jax", 1.5)
    cells = gan_step.row("name", line(2, 8), ["minigan", "torch", "torch.compile", "jax"], times)
    assert cells == ["name (8)", "1.50 s", "4.50 s", "-", "2.25 s", "1.50", "jax", "70%"]


def fails(work):
    raise ValueError(f"no step for {work}\nand more")


def test_a_library_that_fails_is_left_out_and_says_why(capsys):
    libraries = {"minigan": gan_step.minigan_eager_step, "other": fails}
    facts, times = contest.compare(libraries, line(2, 3), rounds=2, span=0.001, warmup=1)
    assert list(facts) == list(times) == ["minigan"]
    assert len(times["minigan"]) == 2
    assert capsys.readouterr().out.startswith("other left out: ValueError: no step for Dense(batch=3")


def test_options_name_rows_and_libraries():
    given = command.options(["gan_step", "--rows", "1D,MNIST + R1", "--libraries", "jax, minigan", "--eager"])
    assert (given.rows, given.libraries, given.eager) == (["1D", "MNIST + R1"], ["jax", "minigan"], True)


def test_libraries_that_are_not_installed_are_left_out(monkeypatch, capsys):
    monkeypatch.setattr(gan_step.importlib.util, "find_spec", lambda package: package != "torch")
    assert list(gan_step.chosen(command.options([]))) == ["minigan", "jax"]
    assert "torch.compile left out: torch is not installed here" in capsys.readouterr().out
    assert list(gan_step.chosen(command.options(["--libraries", "minigan", "--eager"]))) == ["minigan", "minigan eager"]


def test_picture_of_growth_is_small_and_shows_what_was_measured():
    names = [name for name in gan_step.LIBRARIES if name != "minigan eager"]
    found = {
        (axis, n): {name: [n * 1e-5 * (i + 1)] for i, name in enumerate(names)}
        for axis, (sizes, _) in growth.AXES.items()
        for n in sizes
    }
    del found["depth", 8]["torch.compile"]
    fig = growth.draw(found)
    assert len(png_bytes(fig, dpi=100, colours=32)) < 60_000
    assert [len(ax.lines) for ax in fig.axes] == [4, 4, 4, 4]
    assert growth.rows(found, names)[0] == ["width 8", "80.0 us", "160 us", "240 us", "320 us", "2.00"]


@pytest.mark.parametrize("axis", growth.AXES)
def test_growth_varies_one_size(axis):
    sizes, workload = growth.AXES[axis]
    assert len({workload(n) for n in sizes}) == len(sizes)
    assert axis in growth.NAMES
    work = workload(sizes[0])
    assert isinstance(work, Recurrent if axis == "T" else Dense)


def test_torch_trains_gaussian_as_a_process(tmp_path, threads_as_before):
    torch = pytest.importorskip("torch")
    out = tmp_path / "run"
    process._call(process.commands(steps=20)["torch"](out))
    assert len((out / "metrics.jsonl").read_text().splitlines()) == 2
    assert torch.load(out / "samples-20.pt", weights_only=True).shape == (2000, 1)


def test_minigan_trains_gaussian_as_a_process(tmp_path):
    process._call(process.commands(steps=2)["minigan"](tmp_path / "run"))
    assert (tmp_path / "run" / "metrics.jsonl").exists()
    assert not (tmp_path / "run" / "report.html").exists()


def test_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match="exit code 3: no such luck"):
        process._call([sys.executable, "-c", "import sys; print('no such luck', file=sys.stderr); sys.exit(3)"])


def test_peak_memory_is_the_childs_own():
    here = np.ones(2**25)  # 268 MB in this process, which the child must not be charged for
    used = memory.peak([sys.executable, "-c", "x = bytearray(100_000_000)"])
    assert 100e6 < used < 200e6 < here.nbytes


def test_peak_memory_of_a_command_that_fails_says_why():
    with pytest.raises(RuntimeError, match="exit code 3: no such luck"):
        memory.peak([sys.executable, "-c", "import sys; print('no such luck', file=sys.stderr); sys.exit(3)"])


def test_memory_is_skipped_without_data(monkeypatch, capsys):
    monkeypatch.delenv("MINIGAN_DATA", raising=False)
    memory.run(command.options([]))
    assert capsys.readouterr().out.startswith("skipped: set MINIGAN_DATA")


def test_startup_commands_run():
    startup._call(startup.commands()["minigan --help"])
    startup._call(startup.commands()["import minigan"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["gan_steps"], "known are gan_step, growth"),
        (["presets", "--seeds", "0"], "it must be at least 1"),
        (["gan_step", "--rows", "1D,2D"], "unknown '2D'; known are 1D, ring"),
        (["gan_step", "--libraries", "tf"], "unknown 'tf'; known are minigan"),
    ],
)
def test_wrong_words_are_refused(words, told, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.options(words)
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err


def test_every_heading_is_a_benchmark():
    files = {path.stem for path in Path(gan_step.__file__).parent.glob("*.py")}
    assert command.HEADINGS.keys() < files
