"""The benchmarks compare like with like, and report what they measured. Times themselves are not tested."""

import sys
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import minigan as mg
from minigan.training import presets

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the benchmarks are not installed

from benchmarks import __main__ as command
from benchmarks import gan_step, memory, startup
from benchmarks.tables import duration, interleave, table
from benchmarks.workloads import WORKLOADS, networks

PARAMETERS = {
    "1D": (1_377, 1_153),
    "ring": (17_154, 17_025),
    "MNIST": (130_576, 117_121),
    "MNIST, R1": (130_576, 117_121),
    "MNIST wide": (716_560, 665_089),
}


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
    [(["gan_steps"], "known are gan_step, presets"), (["presets", "--seeds", "0"], "it must be at least 1")],
)
def test_wrong_words_are_refused(words, told, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.options(words)
    assert stopped.value.code == 2
    assert told in capsys.readouterr().err


def test_every_heading_is_a_benchmark():
    files = {path.stem for path in Path(gan_step.__file__).parent.glob("*.py")}
    assert command.HEADINGS.keys() < files
