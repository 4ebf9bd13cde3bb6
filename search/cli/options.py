"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Study = Annotated[
    str | None,
    typer.Argument(
        metavar="STUDY",
        help="Path of a study file, or name of a study in studies/.",
        show_default="weather",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the study: --set training.max_epochs=10"),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="PATH", help="Table to read instead of the study's table.")
]
