"""minigan resume RUN: go on with an interrupted run, bitwise as if it had not been interrupted."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from minigan.cli.options import parse
from minigan.cli.train import run as train_into
from minigan.training import GAN, RunFolder, presets


@dataclass
class Resume:
    """Go on with a run that was interrupted or killed; the result is the same, to the byte.

    Attributes
    ----------
    run : Path
        The run folder.
    report : bool
        Make report.html at the end.
    """

    run: tyro.conf.Positional[Path]
    report: bool = True


def main(args):
    options = parse(Resume, args, "resume")
    run = RunFolder(options.run)
    config = run.config()
    gan = GAN.load(run.path) if run.has_checkpoint() else presets.build(config)
    return train_into(gan, presets.dataset(config), run.path, options.report)
