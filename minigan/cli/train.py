"""minigan train PRESET: a new run."""

import time
from dataclasses import dataclass
from pathlib import Path

from minigan.cli import fail
from minigan.cli.options import parse
from minigan.errors import ConfigError
from minigan.training import GAN, RunFolder, presets
from minigan.training.config import Config


@dataclass
class Train:
    """Train a GAN: metrics, snapshots, checkpoints and a report go into a run folder.

    Attributes
    ----------
    config : Config
        The options of the run.
    out : Path, optional
        The run folder; default: runs/PRESET-TIME-SEED.
    resume : bool
        Go on with the run in --out, if one is there; begin it otherwise. The options must be those it was begun with,
        but for steps, data, log-every, checkpoints and snapshots.
    report : bool
        Make report.html at the end.
    """

    config: Config
    out: Path | None = None
    resume: bool = False
    report: bool = True


def main(args):
    names = ", ".join(presets.PRESETS)
    if args and args[0] in ("-h", "--help"):
        print(f"usage: minigan train PRESET [options]\n\npresets: {names}\n\noptions: minigan train PRESET --help")
        return 0
    if not args or args[0].startswith("-"):
        raise ConfigError(f"which preset? minigan train PRESET [options], where PRESET is one of {names}")
    name, *rest = args
    default = presets.config(name)
    options = parse(Train, rest, f"train {name}", default=Train(default))
    config = options.config
    if config.preset != name:
        raise ConfigError(f"the preset is the first word: minigan train {config.preset}")
    if config.data:
        config = presets.replace(config, data=str(Path(config.data).absolute()))
    if options.resume and options.out is None:
        raise ConfigError("which run is to go on? Name its folder: --resume --out DIR")
    out = options.out or Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}-{config.seed}"
    data = presets.dataset(config)
    begun = options.resume and RunFolder(out).has_checkpoint()
    return run(GAN.load(out, config=config) if begun else presets.build(config), data, out, options.report)


def run(gan, data, out, report=True):
    """Train `gan` into the run folder `out`, then report; an interrupt saves and says how to go on."""
    print(f"training into {out}: {gan.config.steps} steps, loss {gan.config.loss}, seed {gan.config.seed}")
    try:
        gan.fit(data, out=out)
    except KeyboardInterrupt:
        return fail(f"stopped at step {gan.step:,}; the run is saved. To go on: minigan resume {out}", code=130)
    if report:
        from minigan.training.report import write_report

        try:
            print(f"report: {write_report(out, gan=gan, data=data)}")
        except KeyboardInterrupt:
            return fail(f"stopped; the run is complete. To make its report: minigan report {out}", code=130)
    return 0
