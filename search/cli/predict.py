"""``search predict``: forecasts from an exported model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def predict(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of an exported model.")],
    data: Annotated[Path, typer.Option("--data", metavar="PATH", help="Table with at least one context per series.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="PATH", help="CSV or Parquet file to write; without it, CSV is printed."),
    ] = None,
    delimiter: Annotated[str, typer.Option(help="Separates the columns of a CSV file.")] = ",",
    decimal: Annotated[str, typer.Option(help="Decimal mark of a CSV file.")] = ".",
) -> None:
    """Forecast the steps after the end of each series of a table, with the model's prediction intervals.

    Example: python -m search predict studies/weather.bundle --data new.csv --output forecasts.csv
    """
    from lstmgru.bundle import load_bundle
    from lstmgru.data.readers import read_table, write_table

    bundle = load_bundle(model)
    frame = read_table(data, delimiter=delimiter, decimal=decimal, text=bundle.schema.categories)
    forecasts = bundle.predict(frame, source=str(data))
    if output is None:
        forecasts.to_csv(sys.stdout, index=False)
        return
    write_table(forecasts, output)
    print(f"{len(forecasts)} forecasts written to {output}")
