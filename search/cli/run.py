"""``search run``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli import options


def run(
    study: options.Study = None,
    trials: Annotated[
        str | None, typer.Option(metavar="N", help="Trials of the study in total; those already there count.")
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time of the study in total, refit and export included: 90s, 5m, 2h."),
    ] = None,
    jobs: Annotated[
        str | None, typer.Option(metavar="N|auto", help="Trials at the same time; auto: one a core.")
    ] = None,
    set_: options.Set = None,
    data: options.Data = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="Seed of the search and of every training.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over: forget the study's trials and its model.")
    ] = False,
) -> None:
    """Search, track and export: run a study, or go on with it.

    Running the same command again resumes: finished trials stay, interrupted ones are run again.

    Example: python -m search run weather --trials 40 --timeout 5m
    """
    from search.api import load_plan
    from search.cli.console import RunListener, make_console
    from search.cli.tables import print_study
    from search.run.runner import run as run_study

    console = make_console()
    plan = load_plan(study, overrides=set_ or (), data=data, trials=trials, timeout=timeout, jobs=jobs, seed=seed)
    folder = Path.cwd()
    with RunListener(console) as listener:
        outcome = run_study(plan, folder=folder, fresh=fresh, listener=listener)
    print_study(console, outcome.study)
    if outcome.interrupted:
        raise typer.Exit(130)
