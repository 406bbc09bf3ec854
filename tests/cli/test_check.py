"""`minigan check`: right losses pass, every planted mistake makes the command fail."""

import dataclasses
import re
import subprocess
import sys

import numpy as np
import pytest

import minigan.cli
from minigan import losses
from minigan.cli.check import main, rows
from minigan.engine import REGISTRY, bind
from minigan.losses import Loss
from minigan.losses.cross_entropy import _non_saturating_grad
from minigan.losses.scores import _hinge_grad
from minigan.ops import exp, log, mean, sigmoid, softplus

RIGHT = losses.non_saturating()


def _halves(f):
    """Return the gradient of a discriminator from a function of (p_real - 1, p_fake, real, fake)."""
    return lambda real, fake: f(-sigmoid(-real), sigmoid(fake), real.size, fake.size)


# What a person gets wrong: fields of a right record, replaced.
PLANTED = {
    "sign of the second term": {"_discriminator_grad": _halves(lambda r, f, n, m: (r / n, -f / m))},
    "sign of a generator": {"_generator_grad": lambda fake: sigmoid(-fake) / fake.size},
    "missing 1/n": {"_discriminator_grad": _halves(lambda r, f, n, m: (r, f))},
    "missing 1/n at one side": {"_discriminator_grad": _halves(lambda r, f, n, m: (r / n, f))},
    "mean over the other side": {"_discriminator_grad": _halves(lambda r, f, n, m: (r / m, f / n))},
    "mean over both sides": {"_discriminator_grad": _halves(lambda r, f, n, m: (2 * r / (n + m), 2 * f / (n + m)))},
    "sides exchanged": {"_discriminator_grad": lambda real, fake: (sigmoid(fake), -sigmoid(-real))},
    "one in a million": {"_discriminator_grad": _halves(lambda r, f, n, m: (r / n * (1 + 1e-6), f / m))},
    "the saturating gradient": {"_generator_grad": lambda fake: -sigmoid(fake) / fake.size},
    "1 - p loses its digits": {"_generator_grad": lambda fake: (sigmoid(fake) - 1.0) / fake.size},
    "log(sigmoid + 1e-8)": {"_generator": lambda fake: -mean(log(sigmoid(fake) + 1e-8))},
    "gradient of log(sigmoid + 1e-8)": {
        "_generator_grad": lambda fake: -sigmoid(fake) * sigmoid(-fake) / (sigmoid(fake) + 1e-8) / fake.size
    },
    "a sum instead of a mean": {"_generator": lambda fake: softplus(-fake).sum()},
    "wrong sign in the value": {"_discriminator": lambda real, fake: mean(softplus(-real)) - mean(softplus(fake))},
    "overflow far out": {"_generator_grad": lambda fake: -exp(-fake) / (1.0 + exp(-fake)) / fake.size},
    "value is inf far out": {"_generator": lambda fake: mean(log(1.0 + exp(-fake)))},
    "one number for all": {"_generator_grad": lambda fake: mean(-sigmoid(-fake)) / fake.size},
    "flat": {"_generator_grad": lambda fake: (-sigmoid(-fake) / fake.size).reshape(-1)},
    "nothing": {"_generator_grad": lambda fake: 0.0 * fake},
}


@pytest.fixture
def plant(monkeypatch):
    """Offer a loss under the name "planted"."""
    return lambda loss: monkeypatch.setitem(losses._LOSSES, "planted", lambda: loss)


def verdicts(out):
    """Return the lines of the table that failed, and their number."""
    return [line for line in out.splitlines() if line.endswith("FAILED")]


@pytest.mark.parametrize("mistake", PLANTED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the overflow that is looked for
def test_planted_mistake_is_found(mistake, plant, capsys):
    plant(dataclasses.replace(RIGHT, name="planted", **PLANTED[mistake]))
    assert main(["planted"]) == 1
    out = capsys.readouterr().out
    player = "generator" if any("generator" in field for field in PLANTED[mistake]) else "discriminator"
    assert verdicts(out)
    assert all(player in line for line in verdicts(out))
    assert f"{len(verdicts(out))} failed" in out.splitlines()[-1]


def test_right_loss_of_small_operations_passes(plant, capsys):
    """Planted in the same way, so that the failures above are those of the mistakes."""
    plant(
        Loss(
            "planted",
            RIGHT.equilibrium,
            lambda real, fake: mean(softplus(-real)) + mean(softplus(fake)),
            lambda fake: mean(softplus(-fake)),
            _halves(lambda r, f, n, m: (r / n, f / m)),
            lambda fake: -sigmoid(-fake) / fake.size,
        )
    )
    assert main(["planted"]) == 0
    assert verdicts(capsys.readouterr().out) == []


OTHERS = {
    "hinge without its corner": (
        "hinge",
        {"_discriminator_grad": lambda real, fake: (0 * real - 1 / 16, 0 * fake + 1 / 12)},
    ),
    "hinge with the corner at 0": ("hinge", {"_discriminator_grad": lambda r, f: _hinge_grad(r + 1.0, f - 1.0)}),
    "hinge with the other side": (
        "hinge",
        {"_discriminator_grad": lambda r, f: (-_hinge_grad(f, r)[1], _hinge_grad(r, f)[1])},
    ),
    "a critic maximised": ("wasserstein", {"_discriminator_grad": lambda r, f: (0 * r + 1 / 16, 0 * f - 1 / 12)}),
    "a generator that helps": ("wasserstein", {"_generator_grad": lambda f: 0 * f + 1 / 12}),
    "least squares without 1/2": (
        "least_squares",
        {"_discriminator_grad": lambda r, f: (2 * (r - 1) / 16, 2 * f / 12)},
    ),
    "labels exchanged": ("least_squares", {"_discriminator_grad": lambda r, f: (r / 16, (f - 1) / 12)}),
}


@pytest.mark.parametrize("mistake", OTHERS)
def test_planted_mistake_in_another_loss_is_found(mistake, plant):
    name, fields = OTHERS[mistake]
    plant(dataclasses.replace(losses.get(name), **fields))
    assert main(["planted"]) == 1


def test_smoothed_labels(capsys):
    """Checked where it is asked for, in the losses that have a label; a gradient without it is found."""
    assert main(["--real-label", "0.9"]) == 0
    lines = capsys.readouterr().out.splitlines()[1:-1]
    assert [line.split()[0] for line in lines[::3]] == ["minimax", "non_saturating", "least_squares"]
    smooth, plain = losses.get("minimax", real_label=0.9), losses.get("minimax")
    found = rows(dataclasses.replace(smooth, _discriminator_grad=plain._discriminator_grad))
    assert [row["ok"] for row in found] == [False, True, True]


@pytest.mark.parametrize("label", [0.5, 0.9])
def test_no_false_alarm_with_smoothed_labels(label):
    for seed in range(20):
        assert all(row["ok"] for row in rows(losses.get("minimax", real_label=label), seed))


RELATIVISTIC = REGISTRY["pairing"]
FUSED_WRONG = {
    "rule": {"vjp": (RELATIVISTIC.vjp[1], RELATIVISTIC.vjp[0])},
    "value": {"impl": lambda high, low: 1.001 * RELATIVISTIC.impl(high, low)},
}


@pytest.mark.parametrize("part", FUSED_WRONG)
def test_mistake_in_what_training_runs_is_found(part, plant, capsys):
    """The closed form is right, and so is the definition; but the fused operation is not."""
    broken = dataclasses.replace(RELATIVISTIC, **FUSED_WRONG[part])
    plant(dataclasses.replace(losses.relativistic(), _discriminator=lambda real, fake: bind(broken, real, fake)))
    assert main(["planted"]) == 1
    lines = verdicts(capsys.readouterr().out)
    assert len(lines) == 2
    assert all("discriminator" in line for line in lines)


def test_one_wrong_loss_among_all_is_exit_code_1(plant, capsys):
    plant(dataclasses.replace(RIGHT, **PLANTED["missing 1/n"]))
    assert minigan.cli.main(["check"]) == 1
    assert {line.split()[0] for line in verdicts(capsys.readouterr().out)} == {"planted"}


def test_mistake_at_one_scale_only_is_not_forgotten(plant):
    """Not even nan, which compares with nothing."""
    for where in (1.0, 30.0, 500.0):
        nowhere_else = {1.0: (0, 5), 30.0: (5, 60), 500.0: (60, np.inf)}[where]

        def spoilt(fake, nowhere_else=nowhere_else):
            largest = np.abs(fake.numpy()).max()
            return _non_saturating_grad(fake) * (np.nan if nowhere_else[0] <= largest < nowhere_else[1] else 1.0)

        found = list(rows(dataclasses.replace(RIGHT, _generator_grad=spoilt)))
        assert [row["ok"] for row in found] == [True, True, False]


def test_table_of_all_losses(capsys):
    assert main([]) == 0
    header, *table, conclusion = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["loss", "player"]
    assert conclusion == "all hand-derived gradients hold"
    cells = [re.split(r"\s{2,}", line) for line in table]
    assert [tuple(row[:3]) for row in cells] == [
        ("minimax", "discriminator", "real logits"),
        ("minimax", "discriminator", "fake logits"),
        ("minimax", "generator", "fake logits"),
        ("non_saturating", "discriminator", "real logits"),
        ("non_saturating", "discriminator", "fake logits"),
        ("non_saturating", "generator", "fake logits"),
        ("least_squares", "discriminator", "real logits"),
        ("least_squares", "discriminator", "fake logits"),
        ("least_squares", "generator", "fake logits"),
        ("hinge", "discriminator", "real logits"),
        ("hinge", "discriminator", "fake logits"),
        ("hinge", "generator", "fake logits"),
        ("wasserstein", "discriminator", "real logits"),
        ("wasserstein", "discriminator", "fake logits"),
        ("wasserstein", "generator", "fake logits"),
        ("relativistic", "discriminator", "real logits"),
        ("relativistic", "discriminator", "fake logits"),
        ("relativistic", "generator", "real logits"),
        ("relativistic", "generator", "fake logits"),
    ]
    for _, _, _, autodiff, error, bound in cells:
        assert float(autodiff) <= 1e-12
        assert 0 <= float(error) <= float(bound) < 1e-9  # a bound as wide as the gradient would prove nothing


@pytest.mark.parametrize("name", losses.names())
def test_no_false_alarm(name):
    for seed in range(20):
        assert all(row["ok"] for row in rows(losses.get(name), seed))


def test_losses_can_be_named(capsys):
    assert main(["relativistic", "minimax"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:-1]]
    assert names == ["relativistic"] * 4 + ["minimax"] * 3


def test_seed_draws_other_logits():
    first, again, other = (list(rows(RIGHT, seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["hinged"], f"minigan: unknown loss 'hinged'; known are {', '.join(losses.names())}"),
        (["minimax", "hinged"], f"minigan: unknown loss 'hinged'; known are {', '.join(losses.names())}"),
        (["hinge", "--real-label", "0.9"], "minigan: loss 'hinge' does not take the options real_label; it takes none"),
        (
            ["minimax", "--real-label", "nan"],
            "minigan: real_label is nan; expected a number above 0 and at most 1, the label of real samples "
            "(1: no smoothing)",
        ),
        (["--seed", "-1"], "minigan: --seed -1: expected at least 0"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert minigan.cli.main(["check", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [message]
    assert captured.out == ""


def test_wrong_option_is_exit_code_2(capsys):
    assert minigan.cli.main(["check", "--sed", "1"]) == 2
    captured = capsys.readouterr()
    assert "--sed" in captured.err
    assert captured.out == ""


def test_command_of_the_shell():
    done = subprocess.run(
        [sys.executable, "-m", "minigan", "check", "minimax"], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 5
    assert done.stderr == ""
