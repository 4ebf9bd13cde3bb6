"""``search export``: the best model as a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli import options


def export(
    study: options.Study = None,
    to: Annotated[Path | None, typer.Option("--to", metavar="DIR", help="Directory to create.")] = None,
) -> None:
    """Copy the best model of a study: weights, ONNX, settings and model card.

    Example: python -m search export weather --to models/weather
    """
    from search.api import export_bundle

    directory = export_bundle(study, to)
    print(f"exported to {directory}")
    print(f"forecast with: python -m search predict {directory} --data new.csv")
