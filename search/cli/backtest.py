"""``search backtest``: scores of a model on a table that contains the actual values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from search.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from search.study.backtest_records import BacktestRecord

WIDTH = 80
_MOST_ROWS = 12


def backtest(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="Name of a study, directory of an exported model, or models:/NAME@alias."),
    ],
    data: Annotated[
        Path, typer.Option("--data", metavar="PATH", help="Table with the true values: CSV, Parquet, Arrow, or .ts.")
    ],
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="DATE",
            help="First time to score, a date in the time zone of the table or a step.",
            show_default="after the rows that the model was trained on",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="HTML page to write; its name ends in .html.")
    ] = None,
    track: Annotated[
        bool | None,
        typer.Option(
            "--track/--no-track",
            help="Log an evaluation run of the model in MLflow.",
            show_default="if MODEL is a study with runs in MLflow",
        ),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object instead, see docs/json.md.")] = False,
    delimiter: options.Delimiter = None,
    decimal: options.Decimal = None,
    encoding: options.Encoding = None,
    columns: options.Columns = None,
    quiet: options.Quiet = False,
) -> None:
    """Score a model on a table that contains the actual values, beside baselines that do not look ahead.

    Forecasts are made at every step, each from the rows before it. Shows metrics, coverage of the intervals,
    scores by series, by step of the horizon or by class, and the change since the holdout.

    Example: python -m search backtest weather --data later.csv --from 2016-01-01
    """
    from search.cli.console import print_json
    from search.cli.documents import BacktestOutput
    from search.errors import TrackingError
    from search.run.backtest import run_backtest

    reading = options.reading(delimiter, decimal, encoding, columns, data)
    outcome = run_backtest(model, data, folder=Path.cwd(), start=start, output=output, track=track, reading=reading)
    console = narrow_console()
    if json_:
        print_json(BacktestOutput(**vars(outcome.record), mlflow_run_id=outcome.run_id).to_json())
    else:
        print_backtest(console, outcome.record, quiet=quiet)
    if outcome.problem:
        raise TrackingError(f"the backtest is not logged: {outcome.problem}")
    for name, place in {"page": output, "MLflow": outcome.run_id and f"run {outcome.run_id}"}.items():
        if place and not json_ and not quiet:
            console.print(f"{name:8}{place}", soft_wrap=True)


def narrow_console() -> Console:
    """A console of 80 columns."""
    from rich.console import Console

    return Console(highlight=False, width=WIDTH)


def print_backtest(console: Console, record: BacktestRecord, *, quiet: bool = False) -> None:
    """Scores, parts, drift and verdict, the most important last; quiet: without notes."""
    from rich.markup import escape

    from search.reports.formatting import metric_label

    console.print(f"[bold]{escape(record.model)}[/] on {escape(record.source)}: {escape(record.scored)}")
    for note in () if quiet else record.notes:
        console.print(f"[yellow]note:[/] {escape(note)}")
    console.print()
    labels = {record.metric: metric_label(record.metric)}
    head, rows = record.table()
    _print(console, f"scores, {labels[record.metric]}", [labels.get(name, name) for name in head], rows)
    metrics = [(metric_label(name), *row) for name, *row in record.metric_rows()]
    _print(console, "metrics of the model", ("", "score", record.then, "change"), metrics)
    if record.intervals:
        head = ("interval", "coverage", record.then, "mean width")
        _print(console, "prediction intervals", head, record.interval_rows())
    for name in record.part_names:
        head, rows = record.part_table(name)
        _print(console, f"by {record.part_noun(name)}", [labels.get(title, title) for title in head], rows)
    for name, each in record.baselines.items():
        if each.reason:
            console.print(escape(f"baseline {name.replace('_', ' ')} is not scored: {each.reason}"))
    if record.drift:
        console.print(escape(record.drift))
    if record.verdict:
        console.print(f"[bold]{escape(record.verdict)}[/]")


def _print(console: Console, title: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; of many rows, the first ones."""
    from search.cli.console import print_table

    print_table(console, title, head, rows[:_MOST_ROWS], words=head[:1])
    if len(rows) > _MOST_ROWS:
        console.print(f"{len(rows) - _MOST_ROWS} more: --json or --output shows all")
    console.print()
