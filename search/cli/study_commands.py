"""The commands that read a study without running it: ``show``, ``report``, ``export`` and ``sync``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, TextIO

import typer

from search.cli import options


def show(
    study: options.Study = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object instead, see docs/json.md.")] = False,
    storage: options.Storage = None,
) -> None:
    """Show the leaderboard, the holdout score and the verdict of a study, also while it is running.

    Example: python -m search show weather --json
    """
    from search.api import load_record
    from search.cli.console import make_console, print_json

    record = load_record(study, storage=storage)
    if json_:
        print_json(record.to_json())
        return
    from search.cli.tables import print_study

    print_study(make_console(), record)


def report(
    study: options.Study = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="HTML file to write; its name ends in .html.",
            show_default="studies/<name>.report/report.html",
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the report in the browser.")] = False,
    storage: options.Storage = None,
    quiet: options.Silent = False,
) -> None:
    """Write a self-contained HTML report of a study, also while it is running.

    It opens with a recommendation whether to use the model; scores, forecasts, the search and the networks follow.

    Example: python -m search report weather --output weather.html
    """
    from search.cli.console import short_path
    from search.reports.report import write_report
    from search.tasks import find_task
    from search.tasks.stored_study import load_store

    store = load_store(study, Path.cwd(), storage)
    path = write_report(store, find_task(store.record().task).pages, output)
    _say(f"report written to {short_path(path)}", quiet)
    if open_:
        import webbrowser

        if not webbrowser.open(path.resolve().as_uri()):
            _say("note: no browser was found; open the file yourself", quiet, sys.stderr)


def export(
    study: options.Study = None,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Directory to create.", show_default="<name>-model")
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Also install what MLflow needs to serve the model in a new virtual environment, and predict the "
            "example of the model there. Needs a package index.",
        ),
    ] = False,
    quiet: options.Silent = False,
) -> None:
    """Copy the best model of a study to a new directory: weights, ONNX graph, settings and model card.

    Example: python -m search export weather --to models/weather
    """
    from search.api import export_bundle

    directory = export_bundle(study, to)
    _say(f"exported to {directory}", quiet)
    _say(f"predict with: python -m search predict {directory} --data new.csv", quiet)
    if check:
        _say("checking the model in a new virtual environment, which takes minutes", quiet, sys.stderr)
        from search.tracking.fresh_environment import check_environment

        found = check_environment(directory)
        packages = ", ".join(found.requirements)
        _say(f"checked: {found.rows} rows predicted with {packages} alone ({found.seconds:.0f} s)", quiet)


def sync(
    study: options.Study = None,
    tracking_uri: Annotated[
        str | None,
        typer.Option("--tracking-uri", metavar="URI", help="Store or server to use instead of the study's."),
    ] = None,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="Longest time of the copy: 90s, 5m, 2h.")] = "10m",
    storage: options.Storage = None,
    quiet: options.Silent = False,
) -> None:
    """Copy all data of a study to MLflow, including the model. Existing runs are not duplicated.

    Use it after an outage of the tracking server, or to copy a study to another server.

    Example: python -m search sync weather --tracking-uri http://127.0.0.1:5000
    """
    from search.api import sync_to_mlflow
    from search.config.types import parse_duration
    from search.config.yaml_file import parse_value
    from search.errors import SearchError, printable

    try:
        seconds = parse_duration(parse_value(timeout))
    except ValueError as error:
        raise SearchError(f"--timeout {error}") from error
    links = sync_to_mlflow(
        study,
        tracking_uri,
        timeout=seconds,
        on_message=lambda text: _say(f"note: {text}", quiet, sys.stderr),
        storage=storage,
    )
    experiment = printable(links.experiment_id)
    _say(f"{len(links.trial_run_ids)} trials are in {links.tracking_uri}, experiment {experiment}", quiet)


def _say(text: str, quiet: bool, file: TextIO | None = None) -> None:
    if not quiet:
        print(text, file=file)
