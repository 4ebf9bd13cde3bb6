"""The application: its commands, and how an error ends it."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from lstmgru.errors import LstmGruError
from search.cli.check import check
from search.cli.compare import compare
from search.cli.export import export
from search.cli.predict import predict
from search.cli.report import report
from search.cli.run import run
from search.cli.schema import schema
from search.cli.show import show
from search.cli.sync import sync
from search.cli.ui import ui
from search.errors import SearchError

app = typer.Typer(
    name="search",
    help="Search LSTM and GRU architectures for your sequence data: run a study, look at it in MLflow, export the best "
    "model.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for command in (run, check, show, report, compare, export, predict, ui, sync, schema):
    app.command()(command)


def main() -> NoReturn:
    """Run a command; bad input ends in one message on standard error and exit code 2, without a traceback."""
    try:
        app()
    except (SearchError, LstmGruError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 2))
    except OSError as error:
        # Whatever the system refuses in the folder of the user: a full disk, a missing permission.
        if error.filename is None:
            raise
        print(f"error: {error.filename} cannot be read or written: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)
