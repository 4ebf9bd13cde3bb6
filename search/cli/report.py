"""``search report``: a study on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli import options


def report(
    study: options.Study = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="HTML file to write.", show_default="studies/<name>.report/report.html"
        ),
    ] = None,
) -> None:
    """Write a self-contained HTML report of a study, also while it is running.

    It has the verdict, the leaderboard, the best architecture, the holdout, Optuna's plots and the package versions.

    Example: python -m search report weather --output weather.html
    """
    from search.api import load_record
    from search.cli.console import short_path
    from search.reports.report import write_report
    from search.tasks import find_task

    folder = Path.cwd()
    record = load_record(study, folder)
    path = write_report(record.study, folder, find_task(record.task).pages, output)
    print(f"report written to {short_path(path)}")
