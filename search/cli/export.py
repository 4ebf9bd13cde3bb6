"""``search export``: a copy of the best model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from search.cli import options


def export(
    study: options.Study = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Directory to create.", show_default="<name>-model")
    ] = None,
) -> None:
    """Copy the best model of a study to a new directory: weights, ONNX graph, settings and model card.

    Example: python -m search export weather --to models/weather
    """
    from search.api import export_bundle

    directory = export_bundle(study, to)
    print(f"exported to {directory}")
    print(f"predict with: python -m search predict {directory} --data new.csv")
