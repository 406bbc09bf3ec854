"""minigan report RUN: the report again, and the diagnosis in words."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from minigan.cli.options import parse


@dataclass
class Report:
    """Make the pictures and report.html of a run again, from what is in its folder, and say how the run went.

    Attributes
    ----------
    run : Path
        The run folder.
    """

    run: tyro.conf.Positional[Path]


def main(args):
    from minigan.training.report import make_report

    page, diagnosis = make_report(parse(Report, args, "report").run)
    print(f"diagnosis: {diagnosis.name}")
    for sentences in (diagnosis.evidence, diagnosis.remedy):
        if sentences:
            print(f"  {sentences}")
    print(f"report: {page}")
