"""Whether what a checkpoint holds can be the state of this GAN: asked before anything of it is taken over."""

import math

import numpy as np

from minigan.errors import CheckpointError, ConfigError
from minigan.training.config import Config, differences, some


def check_options(recorded, config, where):
    """Raise CheckpointError if a checkpoint was written with other options than `config`, and say which differ.

    Parameters
    ----------
    recorded : dict or None
        What `Config.decisive` returned then; None in checkpoints of earlier versions, which are taken as they are.
    config : Config
    where : str or RunFolder
        For the message.
    """
    if recorded is None:
        return
    try:
        unknown = recorded.keys() - Config().decisive().keys()
        if unknown:
            raise ConfigError(f"unknown are {some(unknown)}")
        then = Config(**recorded)
    except (AttributeError, ConfigError) as error:
        raise CheckpointError(f"{where}: the options in its checkpoint are not usable ({error})") from error
    if change := differences(then, config):
        raise CheckpointError(
            f"the checkpoint of {where} is of another configuration: {change}. Give these options their old values "
            "(in config.toml, or as arguments), or start a new run in another folder"
        )


def check_arrays(arrays, own, where):
    """Raise CheckpointError unless `arrays` have the names, shapes and kinds of the GAN's `own`, and finite values."""
    other = f"{where} does not belong to these networks"
    if alien := arrays.keys() ^ own.keys():
        raise CheckpointError(f"{other}: only one has {some(alien)}")
    for name, array in arrays.items():
        if array.shape != own[name].shape or array.dtype.kind != own[name].dtype.kind:
            raise CheckpointError(
                f"{other}: {name} is {array.dtype} of shape {array.shape}, expected {own[name].dtype} of shape "
                f"{own[name].shape}"
            )
    with np.errstate(over="ignore"):  # a float64 may be too large for a float32
        bad = [name for name, array in arrays.items() if not np.isfinite(array.astype(own[name].dtype)).all()]
    if bad:
        raise CheckpointError(f"{where} holds nan or inf in {some(bad)}")
    if bad := [name for name, array in arrays.items() if array.dtype.kind in "iu" and (array < 0).any()]:
        raise CheckpointError(f"{other}: a count is negative in {some(bad)}")


def check_numbers(rest, where):
    """Raise CheckpointError unless the step is a count, and centre and scale are numbers to divide by."""
    step, centre, scale = (rest.get(name) if isinstance(rest, dict) else None for name in ("step", "centre", "scale"))
    fits = type(step) is int and 0 <= step < 2**63 and type(centre) is float and type(scale) is float
    if not (fits and math.isfinite(centre) and 0 < scale < math.inf):
        raise CheckpointError(
            f"{where} does not belong to these networks: step {step!r:.40}, centre {centre!r:.40}, scale {scale!r:.40}"
        )
