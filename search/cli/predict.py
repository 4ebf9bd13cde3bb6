"""``search predict``: forecasts or labels from an exported model."""

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
            help="Table with at least one context per series; of a model that labels, a table or archive file (.ts) of "
            "sequences or texts.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="PATH", help="CSV or Parquet file to write; without it, CSV is printed."),
    ] = None,
    delimiter: Annotated[str, typer.Option(help="Separates the columns of a CSV file.")] = ",",
    decimal: Annotated[str, typer.Option(help="Decimal mark of a CSV file.")] = ".",
) -> None:
    """Forecast the steps after the end of each series of a table, or label each of its sequences or texts.

    Forecasts come with the model's prediction intervals, classes with their probabilities.

    Example: python -m search predict studies/weather.bundle --data new.csv --output forecasts.csv
    """
    from lstmgru.bundle import ForecastBundle, load_bundle
    from lstmgru.bundle.reading import read_data
    from lstmgru.data.tables.readers import write_table

    bundle = load_bundle(model)
    frame = read_data(bundle, data, delimiter=delimiter, decimal=decimal)
    results = bundle.predict(frame, source=str(data))
    if output is None:
        results.to_csv(sys.stdout, index=False)
        return
    write_table(results, output)
    print(f"{len(results)} {'forecasts' if isinstance(bundle, ForecastBundle) else 'labels'} written to {output}")
