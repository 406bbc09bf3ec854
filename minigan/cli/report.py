"""minigan report RUN: the report again."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from minigan.cli.options import parse


@dataclass
class Report:
    """Make the pictures and report.html of a run again, from what is in its folder.

    Attributes
    ----------
    run : Path
        The run folder.
    """

    run: tyro.conf.Positional[Path]


def main(args):
    from minigan.training.report import write_report

    print(f"report: {write_report(parse(Report, args, 'report').run)}")
