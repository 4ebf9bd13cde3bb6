"""``search predict``: outputs of an exported model for new data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

_INCOMPLETE = 3
"""Exit code if something is left out."""
_MOST_LINES = 20


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
    strict: Annotated[bool, typer.Option("--strict", help="Predict all series, sequences or texts, or none.")] = False,
    left_out: Annotated[
        Path | None,
        typer.Option("--left-out", metavar="PATH", help="JSON file to write: what is left out, and why."),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="auto|onnx|torch",
            help="What computes the model: ONNX Runtime, or PyTorch; auto: ONNX Runtime if the export proved that both "
            "agree.",
        ),
    ] = "auto",
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

    Forecasts include the prediction intervals of the model, and labels the probabilities of the classes. Series,
    sequences or texts that break a rule are left out and listed, and the exit code is 3.

    Example: python -m search predict studies/weather.bundle --data new.csv --output forecasts.csv
    """
    from lstmgru.bundle.engines import open_model
    from lstmgru.data.tables.writers import write_table, write_text

    bundle = open_model(model, engine)
    names = [name.strip() for name in columns.split(",")] if columns else []
    frame = bundle.read_table(data, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=names)
    reasons: dict[str, str] = {}
    if strict:
        results = bundle.predict(frame, source=str(data))
    else:
        results, reasons = bundle.predict_available(frame, source=str(data))
    if left_out is not None:
        entries = [{"name": name, "reason": reason} for name, reason in reasons.items()]
        write_text(left_out, json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    if output is None:
        results.to_csv(sys.stdout, index=False)
    else:
        write_table(results, output)
        print(f"{len(results)} {bundle.results} written to {output}")
    if reasons:
        _print_left_out(reasons, left_out)
        raise typer.Exit(_INCOMPLETE)


def _print_left_out(reasons: dict[str, str], file: Path | None) -> None:
    for reason in list(reasons.values())[:_MOST_LINES]:
        print(f"left out: {reason}", file=sys.stderr)
    more = len(reasons) - _MOST_LINES
    if more > 0:
        print(f"left out: {more} more; {file or '--left-out FILE.json'} lists all", file=sys.stderr)
