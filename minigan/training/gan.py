"""GAN: two networks, the game between them, and everything the next step depends on."""

import contextlib
import dataclasses
import math

import numpy as np
from threadpoolctl import threadpool_limits

from minigan import data as datasets
from minigan import losses, nn, random
from minigan.compiler import compile
from minigan.engine import Tensor, modes, no_grad
from minigan.errors import CheckpointError, ConfigError, DataError, ShapeError
from minigan.kernels.jit import AVX512
from minigan.progress import progress_bar
from minigan.training import remedies, schedules
from minigan.training import state as states
from minigan.training.config import Config
from minigan.training.interrupts import interrupts_noted
from minigan.training.journal import Journal, in_short
from minigan.training.live import live_pictures
from minigan.training.players import Players
from minigan.training.run import RunFolder, naming

PART = 1000  # samples that pass a network at once outside training
WORTH_COMPILING = 500  # steps: compiling takes as long as some hundred of them


class GAN(Players):
    """A generator and a discriminator, trained against each other.

    Parameters
    ----------
    generator : Module (N, Z) -> (N, ...)
        From noise to samples, in the data's shape.
    discriminator : Module (N, ...) -> (N, 1) or (N,)
        From samples to logits. With `pack` m it sees m samples as one, (N/m, ...): see `remedies.packed`; with
        `spectral_norm` its layers are normalised in place.
    loss : str or losses.Loss
    config : Config, optional
        All options at once; `options` override it.
    **options
        Fields of `Config`: ``lr_g=1e-3, r1=0.1, ema=0.99, latent_normals=8``. The noise has as many normal entries as
        the generator's first Dense layer takes, unless `latent_normals` or `latent_signs` say otherwise.

    Attributes
    ----------
    step : int
        Training steps done.
    history : list of dict
        What was logged: step, d_loss, g_loss, d_real = mean sigmoid(D(x)), d_fake = mean sigmoid(D(G(z))).

    Examples
    --------
    >>> import minigan as mg
    >>> G = mg.nn.Sequential(mg.nn.Dense(1, 32), mg.nn.ReLU(), mg.nn.Dense(32, 1))
    >>> D = mg.nn.Sequential(mg.nn.Dense(1, 32), mg.nn.LeakyReLU(), mg.nn.Dense(32, 1))
    >>> gan = mg.training.GAN(G, D, loss="relativistic", r1=0.1, r2=0.1, standardise=True)
    >>> gan.fit(mg.data.gaussian(), steps=20, seed=0, progress=False).sample(5, seed=1).shape
    (5, 1)
    """

    def __init__(self, generator, discriminator, loss=None, *, config=None, **options):
        if isinstance(loss, losses.Loss):
            options["loss"] = loss.name if loss.name in losses.names() else "custom"
        elif loss is not None:
            options["loss"] = loss
        known = [field.name for field in dataclasses.fields(Config)]
        if unknown := [name for name in options if name not in known]:
            raise ConfigError(f"GAN: unknown option {', '.join(unknown)}; known are {', '.join(known)}")
        self.planned = config is not None or "steps" in options  # how long the whole run is; else `fit` says it
        config = dataclasses.replace(config or Config(), **options)
        super().__init__(generator, discriminator, _loss(loss, config), config)
        self.centre, self.scale = 0.0, 1.0  # of the data: networks see (x - centre) / scale
        self.step = 0
        self.history = []
        self._varying = [Tensor(np.zeros((), modes.default_dtype)) for _ in range(2)]  # factor and noise of a step
        self._compiled_step = compile(self._step)
        self._compiled_d_only, self._compiled_g_only = compile(self._d_only), compile(self._g_only)
        self.folder = None  # the run folder that this GAN was loaded from or last written to

    # -- training -----------------------------------------------------------------------------------------------
    def fit(self, data, steps=None, seed=None, *, out=None, progress=True):
        """Train.

        Parameters
        ----------
        data : dataset of `mg.data`, or array (N, ...)
        steps : int, optional
            How many from here; by default as many as the configuration still wants. Where that names its steps (as an
            option, a preset or a loaded run do), fewer are a portion: rates, penalties and noise follow the whole run.
        seed : int, optional
            Of the batches and the noise; by default the generator's state goes on from where it is.
        out : path-like, optional
            A run folder to keep metrics, snapshots and checkpoints in.
        progress : bool
            Show a progress bar.

        Returns
        -------
        GAN
            Itself.

        Raises
        ------
        DataError
            If the data holds nan or inf.
        ShapeError
            If the networks do not fit the data.
        TrainingDiverged
            If a loss or a parameter is no longer finite; the last checkpoint stays as it was.
        KeyboardInterrupt
            After Ctrl-C or SIGTERM, once the step is finished and saved.
        """
        if steps is not None and steps < 1:
            raise ConfigError(f"fit: steps is {steps}; it must be at least 1")
        stop = self.config.steps if steps is None else self.step + steps
        if stop > self.config.steps or not self.planned:
            self.config = dataclasses.replace(self.config, steps=stop)
        if seed is not None:
            self.config = dataclasses.replace(self.config, seed=seed)
            self.rng = random.default_rng(self.config.seed)
        data = as_dataset(data)
        if self.step == 0 and self.config.standardise:
            self.centre, self.scale = _centre_and_scale(data)
        self._try_shapes(data)
        with interrupts_noted() as interrupted, self._opened(out) as run:
            self._train(data, Journal(self, run), stop, interrupted, progress)
        return self

    def _train(self, data, journal, stop, interrupted, progress):
        bar = progress_bar(total=stop, initial=self.step, unit="step", disable=not progress)
        quiet = np.errstate(all="ignore")  # the journal looks for what is not finite
        with self._few_threads(self.config.batch_size), quiet, bar:
            journal.begin()
            show = live_pictures(data) if progress else lambda gan: None
            if self.compiles:
                bar.set_postfix_str("compiling the step, some seconds")
            while self.step < stop and not interrupted():
                outcome = self.train_step(*(self._batch(data) for _ in range(self.config.d_steps)))
                self.step += 1
                if self.step % self.config.log_every == 0 or self.step == self.config.steps:
                    bar.set_postfix(in_short(journal.log(outcome)), refresh=False)
                bar.update()
                journal.keep()
                show(self)
            journal.checkpoint()

    def _opened(self, out):
        """Return a context that holds the run folder `out`: the one that this GAN belongs to, or a new one."""
        if out is None:
            return contextlib.nullcontext()
        run = RunFolder(out)
        own = self.folder == run.path.resolve() and run.has_checkpoint()
        return run.locked() if own else run.claimed(self.config)

    def _few_threads(self, rows):
        """Keep BLAS on one thread where products are small (a second one gains nothing, and costs a factor of ten when
        another process is busy) and beside compiled steps, whose own threads it would be in the way of.
        """
        largest = max((p.size for p in self.g_optimiser.params + self.d_optimiser.params), default=0)
        small = largest * rows < 2**23  # multiplications in the largest product
        return threadpool_limits(1 if small or (self.compiles and AVX512) else None, user_api="blas")

    def train_step(self, *real):
        """Do one step: the discriminator moves once for each batch, then the generator, unless one of them is frozen.

        Parameters
        ----------
        *real : (N, ...) Tensors
            `d_steps` batches, standardised as the networks see them.

        Returns
        -------
        d_loss, g_loss : 0-d Tensors
        real_logits, fake_logits : Tensors, as the discriminator saw them last
        """
        config = self.config
        self.d_optimiser.lr, self.g_optimiser.lr = self._rates()
        factor, noise = numbers = self._varying
        factor._data[()], noise._data[()] = self._factor(), self._noise()
        d_moves, g_moves = schedules.movers(
            self.step, freeze_g_until=config.freeze_g_until, freeze_d_from=config.freeze_d_from
        )
        if d_moves and g_moves:
            eager, compiled = self._step, self._compiled_step
        elif d_moves:
            eager, compiled = self._d_only, self._compiled_d_only
        else:
            eager, compiled = self._g_only, self._compiled_g_only
        if d_moves:
            for batch in real[:-1]:
                (self._compiled_d_only if self.compiles else self._d_only)(batch, *numbers)
        return (compiled if self.compiles else eager)(real[-1], *numbers)

    @property
    def compiles(self):
        """Whether training steps are compiled: if the options say so, and the run is long enough to pay for it."""
        return self.config.compile and self.config.steps >= WORTH_COMPILING

    # -- what changes from step to step -------------------------------------------------------------------------
    def _rates(self):
        """Return the learning rates (of D, of G) at this step."""
        config = self.config
        rate = schedules.warmup_cosine(self.step, config.steps, warmup=config.warmup, cosine_from=config.cosine_from)
        return rate * config.lr_d, rate * config.lr_g

    def _factor(self):
        """Return what the penalties are multiplied with at this step."""
        config = self.config
        return schedules.geometric(self.step, config.steps, end=config.penalty_end, until=config.decay_until)

    def _noise(self):
        """Return the standard deviation of the instance noise at this step."""
        config = self.config
        fall = schedules.geometric if config.noise_end else schedules.linear  # a geometric fall never reaches 0
        return config.noise * fall(self.step, config.steps, end=config.noise_end, until=config.decay_until)

    def _batch(self, data):
        batch = data.sample(self.config.batch_size, self.rng.numpy)
        if self.config.standardise:
            batch = (batch - self.centre) / self.scale
        return Tensor(np.asarray(batch, dtype=modes.default_dtype))

    def _try_shapes(self, data):
        """Run both networks once, so that a misfit is told before anything is trained or written."""
        pack = self.config.pack
        probe = np.asarray(data.sample(2 * pack, 0))
        if not np.isfinite(probe).all():
            raise DataError("the data holds nan or inf; clean it before training")
        with no_grad(), nn.frozen_statistics():
            made = self.generator(self.latent.draw(random.default_rng(0), 2 * pack))
            if made.shape != probe.shape:
                raise ShapeError(f"GAN: the generator makes shape {made.shape[1:]}, the data has {probe.shape[1:]}")
            probe = Tensor(np.asarray(probe, dtype=modes.default_dtype))
            logits = self.discriminator(remedies.packed(probe, pack) if pack > 1 else probe)
            if logits.shape not in ((2,), (2, 1)):
                packs = "samples" if pack == 1 else f"packs of {pack}"
                raise ShapeError(
                    f"GAN: for 2 {packs} the discriminator returns shape {logits.shape}, expected (2, 1) or (2,)"
                )

    # -- using it -----------------------------------------------------------------------------------------------
    def sample(self, n, seed=0):
        """Return n generated samples (n, ...), float32, in the data's own units; the same for the same `seed`.

        They come from the averaged generator, if there is an average, and from noise that training never sees.
        """
        if n < 1:
            raise ConfigError(f"sample: n is {n}; it must be at least 1")
        return self.decode(self.latent.draw(random.default_rng([seed, 2]), n))

    def decode(self, z):
        """Return the samples (N, ...) that noise z (N, Z) becomes, as a float32 array in the data's own units."""
        generator = self.average.module if self.average is not None else self.generator
        with no_grad(), evaluated(generator), self._few_threads(PART):
            made = np.concatenate([generator(part)._data for part in _in_parts(z)])
        return (made * self.scale + self.centre).astype(np.float32)

    def score(self, x):
        """Return the discriminator's logits (N,) of samples x (N, ...) in the data's own units.

        With `pack` m: of packs of m copies, which look collapsed to it; compare such scores with each other only.
        """
        x = np.asarray((np.asarray(x) - self.centre) / self.scale, dtype=modes.default_dtype)
        if (m := self.config.pack) > 1:
            x = remedies.packed(Tensor(np.repeat(x, m, axis=0)), m).numpy()
        with no_grad(), evaluated(self.discriminator), self._few_threads(PART):
            return np.concatenate([self.discriminator(part)._data.reshape(-1) for part in _in_parts(Tensor(x))])

    # -- keeping it ---------------------------------------------------------------------------------------------
    def save(self, run):
        """Write this GAN into the run folder `run`: a new one, or the one that it was loaded from or last written to.

        Raises
        ------
        CheckpointError
            If the folder holds something else, is in use, or cannot be written to.
        """
        with self._opened(run) as run:
            Journal(self, run).begin()

    @classmethod
    def load(cls, run, generator=None, discriminator=None, *, loss=None, config=None, previous=False):
        """Read a GAN from the run folder `run`.

        Parameters
        ----------
        run : path-like
        generator, discriminator : Module
            Networks of the same shapes as those that were saved; presets rebuild theirs.
        loss : losses.Loss, optional
            Needed where it is your own.
        config : Config, optional
            Options to go on with, if not the run's; only steps, data, log_every, checkpoints and snapshots may differ.
        previous : bool
            Take the checkpoint before the last one, should that be damaged.

        Raises
        ------
        CheckpointError
            If the folder has no checkpoint, or it is damaged, of other networks or of other options (and of which).
        ConfigError
            If the networks or the loss are your own and are not passed.
        """
        from minigan.training import presets  # presets build GANs

        run = RunFolder(run)
        own = run.config()
        arrays, state = run.load_checkpoint(previous)
        config = config or own
        states.check_options(state.get("options", own.decisive()), config, run)  # before large networks are built
        if generator is None or discriminator is None:
            with naming(run):
                ready = presets.networks(config)
            generator = ready[0] if generator is None else generator
            discriminator = ready[1] if discriminator is None else discriminator
        if loss is None and config.loss == "custom":
            raise ConfigError(f"{run} has a loss of your own: pass it, GAN.load(run, loss=LOSS)")
        gan = cls(generator, discriminator, loss, config=config)
        gan.load_state(arrays, state, where=run)
        gan.history = [record for record in run.metrics() if record["step"] <= gan.step]
        gan.folder = run.path.resolve()
        return gan

    def state(self, copy=True):
        """Return (arrays, rest): everything that the next step depends on.

        With ``copy=False``, the arrays are views of what training goes on to write to.
        """
        arrays = {
            f"{part}.{name}": value for part, owner in self._parts() for name, value in owner.state_dict(copy).items()
        }
        rest = {"step": self.step, "rng": self.rng.state, "centre": self.centre, "scale": self.scale}
        return arrays, rest | {"options": self.config.decisive()}

    def load_state(self, arrays, rest, where="the checkpoint"):
        """Restore what `state` returned.

        Raises
        ------
        CheckpointError
            If it is the state of other networks or options, or holds nan or inf.
        """
        states.check_numbers(rest, where)
        states.check_options(rest.get("options"), self.config, where)
        states.check_arrays(arrays, self.state(copy=False)[0], where)
        try:
            for part, owner in self._parts():
                own = {k.removeprefix(f"{part}."): v for k, v in arrays.items() if k.startswith(f"{part}.")}
                owner.load_state_dict(own)
            self.rng.state = rest["rng"]
        except (KeyError, ValueError, TypeError, OverflowError, AttributeError) as error:
            raise CheckpointError(f"{where} does not belong to these networks: {error}") from error
        self.step, self.centre, self.scale = rest["step"], rest["centre"], rest["scale"]

    def _parts(self):
        parts = [
            ("generator", self.generator),
            ("discriminator", self.discriminator),
            ("g_optimiser", self.g_optimiser),
            ("d_optimiser", self.d_optimiser),
        ]
        return parts + ([("average", self.average.module)] if self.average is not None else [])

    def is_finite(self):
        """Return whether every parameter, and every number that the optimisers keep, is finite."""
        return all(np.isfinite(array).all() for array in self.state(copy=False)[0].values())


def as_dataset(data):
    """Return `data` if it is a data set, else a data set of its rows."""
    is_array = hasattr(data, "__array__")  # or a table, which may have a `sample` of its own
    return data if hasattr(data, "sample") and not is_array else datasets.from_array(data)


def _loss(given, config):
    """Return the Loss that the options name, or the one given."""
    if isinstance(given, losses.Loss):
        if config.real_label != 1:
            raise ConfigError(f"GAN: real_label is for losses by name; give it to your own loss, {given.name}")
        return given
    return losses.get(config.loss, **({"real_label": config.real_label} if config.real_label != 1 else {}))


@contextlib.contextmanager
def evaluated(network):
    """Inside, a network is in evaluation: batch normalisation uses its running statistics, and nothing is updated."""
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _centre_and_scale(data):
    centre, scale = float(data.mean), float(data.std)
    if not (math.isfinite(centre) and 0 < scale < math.inf):
        raise DataError(f"standardise: the data has mean {centre} and standard deviation {scale}; leave it out")
    return centre, scale


def _in_parts(x):
    return (x[i : i + PART] for i in range(0, len(x), PART))
