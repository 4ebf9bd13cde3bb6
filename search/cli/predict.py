"""``search predict``: outputs of an exported model for new data."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from search.cli import options
from search.errors import SearchError

if TYPE_CHECKING:
    from lstmgru.runtime.jobs import Progress

_INCOMPLETE = 3
"""Exit code if something is left out."""
_MOST_LINES = 20


def predict(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Directory of an exported model, or models:/NAME@alias of MLflow.")
    ],
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
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Levels of the prediction intervals, separated by commas, such as 0.5,0.9.",
            show_default="those of the study",
        ),
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(metavar="STEPS", help="Forecast the first steps only.", show_default="all steps of the model"),
    ] = None,
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", help="Write N sample paths of each series instead of forecasts with intervals."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Seed of the sample paths.")] = 0,
    strict: Annotated[bool, typer.Option("--strict", help="Predict all series, sequences or texts, or none.")] = False,
    left_out: Annotated[
        Path | None,
        typer.Option(
            "--left-out", metavar="PATH", help="JSON file to write: what is left out, and why, see docs/json.md."
        ),
    ] = None,
    block_rows: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="ROWS",
            help="Rows of a large table that are read at once.",
            show_default="about 2 million cells",
        ),
    ] = None,
    engine: Annotated[
        str,
        typer.Option(
            metavar="auto|onnx|torch",
            help="What computes the model: ONNX Runtime, or PyTorch; auto: ONNX Runtime if the export proved that both "
            "agree.",
        ),
    ] = "auto",
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHARACTER", help="Column delimiter of a CSV file.", show_default="a comma"),
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(metavar="CHARACTER", help="Decimal mark of a CSV file.", show_default="a point")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="Encoding of a CSV file.", show_default="utf-8")
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Names of the columns of a CSV file without a header, separated by commas.",
            show_default="the first line",
        ),
    ] = "",
    quiet: options.Quiet = False,
) -> None:
    """Forecast the steps after the end of each series of a table, or label its sequences or texts.

    Forecasts include prediction intervals, and labels the probabilities of the
    classes. Series, sequences or texts that break a rule are left out and listed,
    and the exit code is 3. Large tables are read in blocks, and the output appears
    when it is complete.

    Example: python -m search predict studies/weather.bundle --data new.csv --output forecasts.csv
    """
    reading = options.reading(delimiter, decimal, encoding, columns or None, data)
    _check_files(model, data, output, left_out)

    from lstmgru.bundle.engines import open_model
    from lstmgru.data.tables.table_writer import writing_table, writing_text
    from lstmgru.errors import counted
    from lstmgru.runtime.jobs import predict_file
    from lstmgru.runtime.predictor import Options
    from search.cli.documents import LeftOut

    asked = Options(_numbers(levels), horizon, samples, seed)
    reasons: dict[str, str] = {}
    with _directory(model) as folder, writing_text(left_out) as write_reasons, writing_table(output) as table:
        bundle = open_model(folder, engine)
        with _bar(bundle.results, quiet=quiet) as progress:
            for part in predict_file(
                bundle,
                data,
                asked,
                strict=strict,
                block_rows=block_rows,
                progress=progress,
                **{name: value for name, value in reading.items() if value is not None},
            ):
                table.write(part.table)
                reasons |= part.left_out
        entries = [asdict(LeftOut(name, reason)) for name, reason in reasons.items()]
        write_reasons(json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    if output is not None and not quiet:
        if samples is None:
            what = counted(table.n_rows, bundle.results.removesuffix("s"))
        else:
            what = f"{counted(table.n_rows, 'row')} of sample paths"
        print(f"{what} written to {output}")
    if reasons:
        _print_left_out(reasons, left_out)
        raise typer.Exit(_INCOMPLETE)


@contextmanager
def _directory(model: Path) -> Iterator[Path]:
    """The directory of a model; of a registered one, a copy that exists as long as the context."""
    from search.tracking.registry import SCHEME, downloaded

    if str(model).startswith(SCHEME):
        from search.tracking.store import default_tracking_uri

        with downloaded(str(model), default_tracking_uri(None, Path())) as (folder, _):
            yield folder
    else:
        yield model


def _check_files(model: Path, data: Path, output: Path | None, left_out: Path | None) -> None:
    """Refuse files that are not there, or that would be lost, before anything is computed.

    Raises:
        SearchError, DataError: One line for the first of them.
    """
    from lstmgru.data.tables.table_writer import check_table_path
    from lstmgru.data.tables.writers import check_place, is_same_file
    from search.study.paths import StudyPaths

    if not model.exists() and model.name == str(model):
        of_study = StudyPaths(Path(), model.name).bundle
        if of_study.is_dir():
            raise SearchError(
                f"{model} is not the directory of an exported model; the model of the study is {of_study}: "
                f"python -m search predict {of_study} --data {data}"
            )
    if output is not None:
        check_table_path(output, [data])
    if left_out is not None:
        check_place(left_out, [data])
        if output is not None and is_same_file(left_out, output):
            raise SearchError(f"{left_out} is given as --output and as --left-out; choose another file for one of them")
    for path in filter(None, (output, left_out)):
        if model.resolve() in path.resolve().parents:
            raise SearchError(f"{path} is in the directory of the model; choose another place")


def _numbers(text: str | None) -> tuple[float, ...] | None:
    """``0.5,0.9`` as numbers."""
    if text is None:
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise SearchError(f"--levels must be numbers separated by commas, such as 0.5,0.9, but got {text!r}") from error


@contextmanager
def _bar(results: str, *, quiet: bool) -> Iterator[Progress]:
    """Progress on standard error; nothing where it is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    text = TextColumn("{task.description}")
    bar = Progress(
        text,
        BarColumn(bar_width=16),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    with bar:
        task = bar.add_task("reading", total=None)

        def progress(done: int, total: int | None) -> None:
            description = f"{done:,} rows read" if total is None else f"{results}: {done:,} of {total:,} rows"
            bar.update(task, completed=0 if total is None else done, total=total, description=description)

        yield progress


def _print_left_out(reasons: dict[str, str], file: Path | None) -> None:
    for reason in list(reasons.values())[:_MOST_LINES]:
        print(f"left out: {reason}", file=sys.stderr)
    more = len(reasons) - _MOST_LINES
    if more > 0:
        print(f"left out: {more} more; {file or '--left-out FILE.json'} lists all", file=sys.stderr)
