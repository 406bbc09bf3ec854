"""Compiled runs: the same training as eagerly, and the same bytes when they are interrupted."""

import numpy as np
import pytest

import minigan as mg
from minigan.compiler import cache
from minigan.training import GAN

PLAN = {"steps": 12, "log_every": 1, "batch_size": 8, "lr_g": 1e-2, "lr_d": 1e-2, "ema": 0.9, "latent_signs": 1}
SETTINGS = {  # each remedy is in one of them; the second is three programs: D alone, both, G alone
    "pairs": {"loss": "relativistic", "r1": 1.0, "r2": 2.0, "dragan": 1.0, "noise": 0.3, "clip_grad_g": 0.05, "pack": 2}
    | {"spectral_norm": True},
    "stages": {"loss": "least_squares", "real_label": 0.9, "wgan_gp": 10.0, "clip_weights": 0.3, "d_steps": 2}
    | {"freeze_g_until": 3, "freeze_d_from": 8},
}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "folder", lambda: folder)
        yield


@pytest.fixture
def always(monkeypatch):
    """Compile short runs too."""
    monkeypatch.setattr("minigan.training.gan.WORTH_COMPILING", 1)


@pytest.mark.slow
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
def test_compiled_steps_are_the_eager_ones(networks, fit, weights, options):
    """In float64, where sums in another order differ by 1e-16 and Adam can make 1e-9 of that."""

    def trained(**more):
        generator, _ = networks(latent=2)
        _, discriminator = networks(features=options.get("pack", 1))
        gan = GAN(generator, discriminator, latent_normals=1, **PLAN, **options, **more)
        return fit(gan)

    with mg.default_dtype("float64"):
        eager, compiled = trained(compile=False), trained()
    assert compiled._compiled_step.program is not None
    assert weights(eager).keys() == weights(compiled).keys()
    for name, array in weights(eager).items():
        np.testing.assert_allclose(weights(compiled)[name], array, rtol=1e-7, atol=1e-9, err_msg=name)
    assert compiled.rng.state == eager.rng.state
    for a, b in zip(compiled.history, eager.history, strict=True):
        assert a == pytest.approx(b, rel=1e-7)


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("compiled", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_run_that_is_killed_and_resumed_ends_in_the_same_bytes(
    small, networks, fit, tmp_path, monkeypatch, contents, compiled
):
    """Killed three times in six hundred steps; each life records anew, and every step is the compiled one."""
    options = {"steps": 620, "log_every": 40, "loss": "relativistic", "r1": 0.1, "warmup": 5}
    options |= {"cosine_from": 0.5, "penalty_end": 0.1, "ema": 0.9, "noise": 0.1, "compile": compiled}
    undisturbed = fit(small(**options), out=tmp_path / "undisturbed")
    assert undisturbed.compiles is compiled
    train_step, run = GAN.train_step, tmp_path / "run"

    def dying_at(step):
        def dies(self, *real):
            if self.step == step:
                raise Killed
            return train_step(self, *real)

        return dies

    for step in (5, 299, 433):
        gan = GAN.load(run, *networks()) if run.exists() else small(**options)
        with monkeypatch.context() as patch:
            patch.setattr(GAN, "train_step", dying_at(step))
            with pytest.raises(Killed):
                fit(gan, out=run)
        assert gan.step == step
    fit(GAN.load(run, *networks()), out=run)
    assert contents(run) == contents(tmp_path / "undisturbed")
