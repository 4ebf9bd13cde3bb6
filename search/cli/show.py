"""``search show``: leaderboard and verdict of a study."""

from __future__ import annotations

from typing import Annotated

import typer

from search.cli import options


def show(
    study: options.Study = None,
    json_: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead, see docs/show-json.md.")
    ] = False,
) -> None:
    """Show the leaderboard, the holdout score and the verdict of a study, also while it is running.

    Example: python -m search show weather --json
    """
    from search.api import load_record
    from search.cli.console import make_console, print_json

    record = load_record(study)
    if json_:
        print_json(record.to_json())
        return
    from search.cli.tables import print_study

    print_study(make_console(), record)
