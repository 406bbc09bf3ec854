"""minigan resume RUN: go on with an interrupted run, bitwise as if it had not been interrupted."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from minigan.cli.options import parse
from minigan.cli.train import run as train_into
from minigan.training import GAN, RunFolder, presets
from minigan.training.run import naming


@dataclass
class Resume:
    """Go on with a run that was interrupted or killed; the result is the same, to the byte.

    Attributes
    ----------
    run : Path
        The run folder.
    previous : bool
        Begin with the checkpoint before the last one, should the last be damaged.
    report : bool
        Make report.html at the end.
    """

    run: tyro.conf.Positional[Path]
    previous: bool = False
    report: bool = True


def main(args):
    options = parse(Resume, args, "resume")
    run = RunFolder(options.run)
    with naming(run):
        begun = run.has_checkpoint() or options.previous
        gan = GAN.load(run.path, previous=options.previous) if begun else presets.build(run.config())
        data = presets.dataset(gan.config)
    return train_into(gan, data, run.path, options.report)
