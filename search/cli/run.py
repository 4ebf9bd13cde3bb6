"""``search run``: search, track and export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli import options


def run(
    study: options.Study = None,
    trials: Annotated[
        str | None, typer.Option(metavar="N", help="Total number of trials of the study, including earlier runs.")
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Total time of the study, including refit and export: 90s, 5m, 2h."),
    ] = None,
    jobs: Annotated[
        str | None, typer.Option(metavar="N|auto", help="Number of parallel trials; auto: one per core.")
    ] = None,
    executor: options.Executor = None,
    address: options.Address = None,
    storage: options.Storage = None,
    set_: options.Set = None,
    data: options.Data = None,
    seed: Annotated[str | None, typer.Option(metavar="N", help="Seed of the search and of all training runs.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over: delete the trials, the predictions and the model of the study.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Search the best architecture, track the trials and export the model.

    Running the command again resumes the study: finished trials are kept and interrupted trials run again.

    Example: python -m search run weather --trials 40 --timeout 5m
    """
    from search.api import load_plan

    overrides = [*(set_ or ()), *options.executor_overrides(executor, address)]
    plan = load_plan(
        study, overrides=overrides, data=data, trials=trials, timeout=timeout, jobs=jobs, storage=storage, seed=seed
    )

    # Imported after the study is validated, so that an error in its file appears at once.
    from search.cli.console import make_console
    from search.cli.progress import RunListener
    from search.cli.sparkline import print_forecast
    from search.cli.tables import print_study
    from search.executors.interruption import exit_code
    from search.run.runner import run as run_study

    console = make_console()
    folder = Path.cwd()
    with RunListener(console, quiet=quiet) as listener:
        outcome = run_study(plan, folder=folder, fresh=fresh, listener=listener)
    print_study(console, outcome.study)
    print_forecast(console, outcome.study)
    if outcome.interrupted:
        raise typer.Exit(exit_code())
