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
        Training steps: a discriminator step, then a generator step.
    seed : int
        Of the weights, the batches and the noise. The same seed gives the same bytes.
    loss : str
        A name from `mg.losses.names()`; "custom" for your own.
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
    r1 : float
        Weight gamma of the penalty gamma/2 E|grad D|^2 on real samples at the start; 0: none.
    r2 : float
        The same on generated samples.
    penalty_end : float
        Their weight falls geometrically to this fraction of the start over the first half.
    ema : float
        Decay of the average of the generator's parameters that samples are drawn from; 0: no average.
    latent_normals : int
        Standard normal entries of the noise z.
    latent_signs : int
        Random sign entries (-1 or 1) of the noise z.
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
    batch_size: int = 128
    lr_g: float = 2e-4
    lr_d: float = 2e-4
    beta1: float = 0.5
    beta2: float = 0.999
    warmup: int = 0
    cosine_from: float = 1.0
    r1: float = 0.0
    r2: float = 0.0
    penalty_end: float = 1.0
    ema: float = 0.0
    latent_normals: int = 0
    latent_signs: int = 0
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
            raise ConfigError(f"unknown loss {self.loss!r}; known are {', '.join(losses.names())}")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if not math.isfinite(value):
                raise ConfigError(f"{name} is {value}; it must be a finite number")
            if not low <= value <= high:
                upper = f" and at most {high:g}" if high < math.inf else ""
                raise ConfigError(f"{name} is {value:g}; it must be at least {low:g}{upper}")
        if 1 in (self.beta1, self.beta2, self.ema):
            raise ConfigError("beta1, beta2 and ema must be below 1: an average that never forgets never learns")

    def to_toml(self):
        """Return the options as the text of config.toml."""
        return tomli_w.dumps(dataclasses.asdict(self))

    @classmethod
    def from_toml(cls, text, where="config.toml"):
        """Read the options back.

        Raises
        ------
        ConfigError
            If the text is not TOML, or an option is missing, unknown, of another type, or out of range.
        """
        try:
            table = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # ValueError: bad syntax, or an integer of thousands of digits
            raise ConfigError(f"{where} is not valid TOML: {error}") from error
        known = {field.name for field in dataclasses.fields(cls)}
        for what, names in (("has unknown", table.keys() - known), ("lacks the", known - table.keys())):
            if names:
                raise ConfigError(f"{where} {what} options {', '.join(sorted(names))}; is it damaged?")
        try:
            return cls(**table)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from error


_RANGES = [
    ("steps", 1, math.inf),
    ("seed", 0, math.inf),
    ("batch_size", 1, 1_000_000),
    ("lr_g", 0, math.inf),
    ("lr_d", 0, math.inf),
    ("beta1", 0, 1),
    ("beta2", 0, 1),
    ("warmup", 0, math.inf),
    ("cosine_from", 0, 1),
    ("r1", 0, math.inf),
    ("r2", 0, math.inf),
    ("penalty_end", 1e-12, 1),
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
        raise ConfigError(f"{field.name} is {value!r}; expected {kind.__name__}")
    return value
