"""``search predict``: outputs of an exported model for new data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def predict(
    model: Annotated[Path, typer.Argument(metavar="DIR", help="Directory of an exported model.")],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Table to forecast or label: CSV, Parquet or Arrow; .ts for sequences.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="PATH", help="CSV or Parquet file to write.", show_default="CSV on standard output"
        ),
    ] = None,
    delimiter: Annotated[str, typer.Option(help="Column delimiter of a CSV file.")] = ",",
    decimal: Annotated[str, typer.Option(help="Decimal mark of a CSV file.")] = ".",
    encoding: Annotated[str, typer.Option(help="Encoding of a CSV file.")] = "utf-8",
    columns: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Names of the columns of a CSV file without a header, separated by commas.",
            show_default="the first line",
        ),
    ] = "",
) -> None:
    """Forecast the steps after the end of each series of a table, or label its sequences or texts.

    Forecasts include the prediction intervals of the model, and labels the probabilities of the classes.

    Example: python -m search predict studies/weather.bundle --data new.csv --output forecasts.csv
    """
    from lstmgru.bundle.load import load_bundle
    from lstmgru.data.tables.readers import write_table

    bundle = load_bundle(model)
    names = [name.strip() for name in columns.split(",")] if columns else []
    frame = bundle.read_table(data, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=names)
    results = bundle.predict(frame, source=str(data))
    if output is None:
        results.to_csv(sys.stdout, index=False)
        return
    write_table(results, output)
    print(f"{len(results)} {bundle.results} written to {output}")
