"""``search compare``: what each family of networks is good and bad at."""

from __future__ import annotations

import sys
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
            help="Fresh seeds with which the best of each family is trained again.",
            show_default="5",
        ),
    ] = None,
    trials: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Trials of each family in total; those of the study count.",
            show_default="as many as fit into the time",
        ),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Time of the comparison in total: 90s, 5m, 2h.",
            show_default="20m, or no limit with --trials",
        ),
    ] = None,
    set_: options.Set = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over: forget the comparison; the study's trials stay.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, see docs/compare.md.")] = False,
) -> None:
    """Compare LSTM, GRU and their fusions on the study's data: the same trials for each, fresh seeds, tests, a verdict.

    Running the same command again goes on with what is not there yet.

    Example: python -m search compare weather --timeout 20m
    """
    from rich.console import Console

    from search.api import load_plan
    from search.cli.console import RunListener, make_console
    from search.compare.runner import compare as compare_families
    from search.compare.time_budget import Options

    budget = Options.checked(seeds=seeds, trials=trials, timeout=timeout)
    plan = load_plan(study, overrides=set_ or ())
    # What is said on the way must not stand in the JSON.
    console = Console(stderr=True, highlight=False) if json_ else make_console()
    with RunListener(console) as listener:
        outcome = compare_families(plan, budget, folder=Path.cwd(), fresh=fresh, listener=listener)
    if outcome.comparison is None:
        console.print("interrupted: what is done is kept, and the same command goes on from here")
        raise typer.Exit(130)
    if json_:
        import json

        json.dump(outcome.comparison.to_json(), sys.stdout, indent=2)
        print()
        return
    _show(outcome)


def _show(outcome: CompareOutcome) -> None:
    from search.cli.comparison_table import print_comparison
    from search.study.paths import COMPARISON_JSON, COMPARISON_MARKDOWN, COMPARISON_PAGE

    assert outcome.comparison is not None  # the caller has seen to that
    print_comparison(outcome.comparison)
    here = Path.cwd()
    folder = outcome.files.relative_to(here) if outcome.files.is_relative_to(here) else outcome.files
    print(f"\npage      {folder / COMPARISON_PAGE}, also as {COMPARISON_MARKDOWN} and {COMPARISON_JSON}")
    if outcome.run_id is not None:
        print(f"MLflow    run {outcome.run_id}")
