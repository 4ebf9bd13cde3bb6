"""``search show``: what is there of a study."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from search.cli import options


def show(
    study: options.Study = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object, see docs/show-json.md.")] = False,
) -> None:
    """Show the trials, the leaderboard and the holdout score of a study, also while it runs.

    Example: python -m search show weather --json
    """
    from search.api import load_record

    record = load_record(study)
    if json_:
        import json

        json.dump(record.to_json(), sys.stdout, indent=2)
        print()
        return
    from search.cli.console import make_console
    from search.cli.tables import print_study

    print_study(make_console(), record)
