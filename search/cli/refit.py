"""``search refit``: the model of a study, trained again on a later table."""

from __future__ import annotations

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from search.cli import options


class Promote(StrEnum):
    """When the new model becomes champion."""

    IF_BETTER = "if-better"
    ALWAYS = "always"
    NEVER = "never"


def refit(
    study: options.Study = None,
    data: options.Data = None,
    promote: Annotated[
        Promote,
        typer.Option(
            "--promote",
            help="When the new model becomes champion; if-better: unless its recipe is significantly worse.",
        ),
    ] = Promote.IF_BETTER,
    set_: options.Set = None,
    jobs: Annotated[
        str | None, typer.Option(metavar="N|auto", help="Number of parallel trainings; auto: one per core.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object instead, see docs/json.md.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Train the model of a study on a longer table, without a search.

    The old model is scored on the rows that have arrived since, beside the baselines. The new one has the same members
    and weights; it becomes the challenger or, by the rule of --promote, the champion.

    Example: python -m search refit weather --data later.csv
    """
    from search.api import load_plan, load_record

    plan = load_plan(study, overrides=set_ or (), data=data, jobs=jobs, values=load_record(study).config)

    from rich.console import Console

    from search.cli.backtest import narrow_console, print_backtest
    from search.cli.console import make_console, print_json, short_path
    from search.cli.documents import RefitOutput
    from search.cli.progress import RunListener
    from search.executors.interruption import exit_code
    from search.run.refit import refit as run_refit
    from search.study.paths import StudyPaths

    paths = StudyPaths(Path.cwd(), plan.name)
    console = Console(file=sys.stderr, highlight=False, width=160) if json_ else make_console()
    with RunListener(console, quiet=quiet) as listener:
        outcome = run_refit(plan, folder=paths.folder, rule=promote.value, listener=listener)
    if outcome.record is None:
        raise typer.Exit(exit_code())
    if json_:
        backtest = None if outcome.champion is None else outcome.champion.record
        print_json(asdict(RefitOutput(**vars(outcome.record), backtest=backtest)))
        return
    console = narrow_console()
    console.print()
    if outcome.champion is not None:
        print_backtest(console, outcome.champion.record, quiet=quiet)
    if outcome.record.warning:
        console.print(outcome.record.warning, style="yellow", markup=False)
    console.print()
    console.print(outcome.record.reason, markup=False, style="bold")
    console.print()
    models = {"champion": paths.bundle, "challenger": paths.challenger, "former": paths.former}
    for name, place in models.items():
        if place.is_dir():
            console.print(f"{name:11}{short_path(place)}", markup=False, soft_wrap=True)
