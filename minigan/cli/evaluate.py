"""minigan evaluate RUN: numbers for how good the samples are."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from minigan.cli.options import parse
from minigan.training import GAN, RunFolder, presets
from minigan.training.evaluation import evaluate


@dataclass
class Evaluate:
    """Measure a run's samples against its data.

    Attributes
    ----------
    run : Path
        The run folder.
    """

    run: tyro.conf.Positional[Path]


def main(args):
    options = parse(Evaluate, args, "evaluate")
    config = RunFolder(options.run).config()
    for name, value in evaluate(GAN.load(options.run), presets.dataset(config)).items():
        print(f"{name:42}{value:.4g}")
