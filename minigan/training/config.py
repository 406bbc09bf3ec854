"""One dataclass holds every option of a run; the command line is made from it, and config.toml is its mirror."""

import dataclasses
import math
import numbers
import tomllib
from dataclasses import dataclass

import tomli_w

from minigan import losses
from minigan.errors import ConfigError


@dataclass(frozen=True)
class Config:
    """The options of a training run.

    Attributes
    ----------
    steps : int
        Training steps: the discriminator's (as many as d_steps says), then a generator step.
    seed : int
        Of the weights, the batches and the noise. The same seed gives the same bytes.
    loss : str
        A name from `mg.losses.names()`; "custom" for your own.
    real_label : float
        What D is told about real samples; below 1: label smoothing (losses with labels).
    batch_size : int
        Samples per step.
    lr_g : float
        Adam's learning rate of the generator.
    lr_d : float
        Adam's learning rate of the discriminator.
    beta1 : float
        How much of Adam's average gradient stays at each step, in [0, 1).
    beta2 : float
        The same for the average square, in [0, 1).
    warmup : int
        Steps over which both rates rise from 0.
    cosine_from : float
        Fraction of the run after which both rates fall to 0 along a cosine; 1 keeps them.
    d_steps : int
        Discriminator steps in a training step, each on a batch of its own.
    freeze_g_until : int
        G stands still before this step.
    freeze_d_from : int
        D stands still from this step on; 0: never.
    r1 : float
        Weight gamma of the penalty ``gamma/2 E|grad D|^2`` on real samples at the start; 0: none.
    r2 : float
        The same on generated samples.
    wgan_gp : float
        Weight lambda of ``lambda E(|grad D| - 1)^2`` between real and generated samples at the start; 10 in the paper.
    dragan : float
        The same around real samples.
    penalty_end : float
        All penalties fall geometrically to this fraction of the start.
    noise : float
        Standard deviation, at the start, of noise on all that D sees, in units of what the networks see; 0: none.
    noise_end : float
        It falls to this fraction of the start: geometrically, or to 0 along a line.
    decay_until : float
        Fraction of the run over which penalties and noise fall.
    spectral_norm : bool
        Divide the weight of each of D's dense and convolutional layers by its largest singular value.
    clip_weights : float
        Limit D's parameters to [-c, c] after each of its steps; 0: no limit.
    clip_grad_g : float
        Limit the norm of G's gradient; 0: no limit.
    clip_grad_d : float
        The same for D's gradient.
    pack : int
        Samples that D judges at once, as one (PacGAN); batch_size must be a multiple of it.
    ema : float
        Decay of the average of the generator's parameters that samples are drawn from; 0: no average.
    latent_normals : int
        Standard normal entries of the noise z.
    latent_signs : int
        Random sign entries (-1 or 1) of the noise z.
    latent : str
        "mixed": as the two before say. "gaussian": z is normal throughout, and a preset's generator makes the signs
        itself, of as many more normals, with steep gates tanh(1000 z).
    standardise : bool
        Train on (x - mean) / sd of the data instead of x; samples are converted back.
    log_every : int
        Steps between two lines of metrics.jsonl.
    checkpoints : int
        How many checkpoints over the run.
    snapshots : int
        How many sets of samples for the animation over the run.
    compile : bool
        Compile the training step (in runs of 500 steps or more).
    data : str
        Folder of the MNIST files; empty: MINIGAN_DATA, the cache, or a download.
    preset : str
        Which preset built the networks; "custom" for your own.
    """

    preset: str = "custom"
    steps: int = 5000
    seed: int = 0
    loss: str = "non_saturating"
    real_label: float = 1.0
    batch_size: int = 128
    lr_g: float = 2e-4
    lr_d: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    warmup: int = 0
    cosine_from: float = 1.0
    d_steps: int = 1
    freeze_g_until: int = 0
    freeze_d_from: int = 0
    r1: float = 0.0
    r2: float = 0.0
    wgan_gp: float = 0.0
    dragan: float = 0.0
    penalty_end: float = 1.0
    noise: float = 0.0
    noise_end: float = 0.0
    decay_until: float = 0.5
    spectral_norm: bool = False
    clip_weights: float = 0.0
    clip_grad_g: float = 0.0
    clip_grad_d: float = 0.0
    pack: int = 1
    ema: float = 0.0
    latent_normals: int = 0
    latent_signs: int = 0
    latent: str = "mixed"
    standardise: bool = False
    log_every: int = 10
    checkpoints: int = 20
    snapshots: int = 40
    compile: bool = True
    data: str = ""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _of_type(field, getattr(self, field.name)))
        if self.loss not in [*losses.names(), "custom"]:
            raise ConfigError(f"unknown loss {self.loss!r:.80}; known are {', '.join(losses.names())}")
        if self.latent not in LATENTS:
            raise ConfigError(f"unknown latent {self.latent!r:.80}; known are {', '.join(LATENTS)}")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not math.isfinite(value):
                raise ConfigError(f"{name} is {value}; it must be a finite number")
            if not low <= value <= high:
                upper = f" and at most {high:g}" if high < math.inf else ""
                raise ConfigError(f"{name} is {value:g}; it must be at least {low:g}{upper}")
        if 1 in (self.beta1, self.beta2, self.ema):
            raise ConfigError("beta1, beta2 and ema must be below 1: an average that never forgets never learns")
        if self.batch_size % self.pack:
            raise ConfigError(f"batch_size is {self.batch_size}; with pack {self.pack} it must be a multiple of that")
        if 0 < self.freeze_d_from < self.freeze_g_until:
            raise ConfigError(
                f"freeze_g_until is {self.freeze_g_until}, but freeze_d_from {self.freeze_d_from}: nobody would move "
                "between the two"
            )
        if self.real_label != 1 and (self.loss == "custom" or "real_label" not in losses.options(self.loss)):
            smooth = [name for name in losses.names() if "real_label" in losses.options(name)]
            raise ConfigError(f"real_label is for the losses {', '.join(smooth)}, not for {self.loss}; leave it out")

    def to_toml(self):
        """Return the options as the text of config.toml."""
        return tomli_w.dumps(dataclasses.asdict(self))

    def decisive(self):
        """Return, as a dict, the options that decide every number of the training: all but `FREE`."""
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in FREE}

    @classmethod
    def from_toml(cls, text, where="config.toml"):
        """Read the options back.

        Raises
        ------
        ConfigError
            If the text is not TOML, or an option is missing, unknown, of another type, or out of range. Options that
            minigan did not have from the start may be missing: they are off.
        """
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # ValueError: bad syntax, or an integer of thousands of digits
            raise ConfigError(f"{where} is not valid TOML: {error}") from error
        known = {field.name for field in dataclasses.fields(cls)}
        for what, names in (("has unknown", table.keys() - known), ("lacks the", known - table.keys() - _NEWER)):
            if names:
                raise ConfigError(f"{where} {what} options {some(names)}; is it damaged?")
        try:
            return cls(**table)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error


LATENTS = ("mixed", "gaussian")

# Options that may change while a run goes on: how long it is, where its data lies, and what is written down.
FREE = {"steps", "data", "log_every", "checkpoints", "snapshots"}


def differences(old, new):
    """Return in which options two configs differ, as ``lr_g 0.1 -> 0.2, ema 0.0 -> 0.9``; "" if in none that decide."""
    old, new = old.decisive(), new.decisive()
    return ", ".join(f"{name} {old[name]!r} -> {new[name]!r}" for name in new if old[name] != new[name])


def some(names, most=5):
    """Return the first of many names, sorted, in a form that is safe to print."""
    names = sorted(name if name.isprintable() and len(name) < 80 else f"{name!r:.80}" for name in names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


# Options that run folders of earlier versions lack; each default is to do nothing.
_NEWER = {
    *("real_label", "d_steps", "freeze_g_until", "freeze_d_from", "wgan_gp", "dragan", "noise", "noise_end"),
    *("decay_until", "spectral_norm", "clip_weights", "clip_grad_g", "clip_grad_d", "pack", "latent"),
}

_RANGES = [
    ("steps", 1, math.inf),
    ("seed", 0, math.inf),
    ("real_label", 0, 1),
    ("batch_size", 1, 1_000_000),
    ("lr_g", 0, math.inf),
    ("lr_d", 0, math.inf),
    ("beta1", 0, 1),
    ("beta2", 0, 1),
    ("warmup", 0, math.inf),
    ("cosine_from", 0, 1),
    ("d_steps", 1, 1000),
    ("freeze_g_until", 0, math.inf),
    ("freeze_d_from", 0, math.inf),
    ("r1", 0, math.inf),
    ("r2", 0, math.inf),
    ("wgan_gp", 0, math.inf),
    ("dragan", 0, math.inf),
    ("penalty_end", 1e-12, 1),
    ("noise", 0, math.inf),
    ("noise_end", 0, 1),
    ("decay_until", 1e-6, 1),
    ("clip_weights", 0, math.inf),
    ("clip_grad_g", 0, math.inf),
    ("clip_grad_d", 0, math.inf),
    ("pack", 1, 1000),
    ("ema", 0, 1),
    ("latent_normals", 0, 1_000_000),
    ("latent_signs", 0, 1_000_000),
    ("log_every", 1, math.inf),
    ("checkpoints", 1, 10_000),
    ("snapshots", 0, 10_000),
]


def _of_type(field, value):
    """Return the value in its field's type. NumPy's numbers will do, and an int for a float."""
    kind = {"int": int, "float": float, "str": str, "bool": bool}.get(field.type, field.type)
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        value = int(value) if isinstance(value, numbers.Integral) else float(value)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ConfigError(f"{field.name} is too large: integers of TOML have 64 bits")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise ConfigError(f"{field.name} is {value!r:.60}; expected {kind.__name__}")
    return value
