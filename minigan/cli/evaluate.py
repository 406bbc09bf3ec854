"""minigan evaluate RUN: numbers for how good the samples are."""

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from minigan.cli.options import parse
from minigan.errors import ConfigError
from minigan.training import GAN, RunFolder, presets
from minigan.training.evaluation import evaluate, keep
from minigan.training.run import naming


@dataclass
class Evaluate:
    """Measure a run's samples against its data, and keep the numbers in evaluation.json, where the report finds them.

    The first run on images trains the classifier whose features FID needs: about a minute, once. Sequences take some
    minutes, for every judge is a network to be trained.

    Attributes
    ----------
    run : Path
        The run folder.
    judges : int
        Of sequences: how many of either size; 10 in the published protocol.
    """

    run: tyro.conf.Positional[Path]
    judges: int = 3


def main(args):
    options = parse(Evaluate, args, "evaluate")
    if not 1 <= options.judges <= 1000:
        raise ConfigError(f"--judges is {options.judges}; expected 1 to 1000")
    run = RunFolder(options.run)
    with naming(run):
        gan = GAN.load(run.path)
        data = presets.dataset(gan.config)
    measures = evaluate(gan, data, judges=options.judges, progress=True)
    for name, value in measures.items():
        print(f"{name:60}{value:.4g}")
    try:
        keep(run, gan, measures)
    except OSError as error:  # the numbers are told; a folder that cannot be written to is no failure
        print(f"minigan: the numbers are not kept in {run}: {error.strerror or error}", file=sys.stderr)
