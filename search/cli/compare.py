"""``search compare``: strengths and weaknesses of each family of architectures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli import options

if TYPE_CHECKING:
    from search.compare.runner import CompareOutcome


def compare(
    study: options.Study = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Number of new seeds with which the best candidate of each family is retrained.",
            show_default="5",
        ),
    ] = None,
    trials: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Total number of trials of each family, including those of the study and of earlier runs.",
            show_default="as many as fit into the time",
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Total time of the comparison: 90s, 5m, 2h.",
            show_default="20m, or no limit with --trials",
        ),
    ] = None,
    executor: options.Executor = None,
    address: options.Address = None,
    storage: options.Storage = None,
    set_: options.Set = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over: delete the comparison. The study is not changed.")
    ] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print one JSON object to standard output, see docs/json.md.")
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Compare families of architectures (LSTM, GRU and hybrids) on the data of a study.

    Each family gets the same number of trials, its best candidate is retrained with new seeds, and significance tests
    identify the differences that are larger than chance. Running the command again resumes the comparison.

    Example: python -m search compare weather --timeout 20m
    """
    from search.api import load_plan
    from search.compare.time_budget import Options

    budget = Options.checked(seeds=seeds, trials=trials, timeout=timeout)
    overrides = [*(set_ or ()), *options.executor_overrides(executor, address)]
    plan = load_plan(study, overrides=overrides, storage=storage)

    # Imported after the study is validated, so that an error in its file appears at once.
    from rich.console import Console

    from search.cli.console import make_console, print_json
    from search.cli.progress import RunListener
    from search.compare.runner import compare as compare_families
    from search.executors.interruption import exit_code

    # Messages must not mix with the JSON.
    console = Console(stderr=True, highlight=False) if json_ else make_console()
    with RunListener(console, quiet=quiet) as listener:
        outcome = compare_families(plan, budget, folder=Path.cwd(), fresh=fresh, listener=listener)
    if outcome.comparison is None:
        console.print("interrupted: finished trials are kept, and the same command resumes the comparison")
        raise typer.Exit(exit_code())
    if json_:
        print_json(outcome.comparison.to_json())
    else:
        _show(outcome)


def _show(outcome: CompareOutcome) -> None:
    from search.cli.console import short_path
    from search.cli.tables import print_comparison
    from search.study.paths import COMPARISON_JSON, COMPARISON_MARKDOWN, COMPARISON_PAGE

    assert outcome.comparison is not None  # the caller has seen to that
    print_comparison(outcome.comparison)
    page = short_path(outcome.files / COMPARISON_PAGE)
    print(f"\npage      {page}, also as {COMPARISON_MARKDOWN} and {COMPARISON_JSON}")
    if outcome.run_id is not None:
        print(f"MLflow    run {outcome.run_id}")
