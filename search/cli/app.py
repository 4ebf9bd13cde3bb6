"""The application: its commands, ``--version``, and exit codes."""

from __future__ import annotations

import errno
import os
import platform
import sys
from contextlib import suppress
from io import StringIO
from typing import Annotated, NoReturn

import typer

from lstmgru.errors import LstmGruError
from search.cli.backtest import backtest
from search.cli.check import check, schema
from search.cli.compare import compare
from search.cli.options import NoColor, with_color_option
from search.cli.predict import predict
from search.cli.refit import refit
from search.cli.run import run
from search.cli.study_commands import export, report, show, sync
from search.cli.ui import ui
from search.errors import SearchError, printable
from search.executors.interruption import end_on_signals, exit_code

_LONGEST_LINE = 800
_SCRIPT = "lstmgru-search"

app = typer.Typer(
    name="search",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, check, show, report, compare, export, predict, backtest, refit, ui, sync, schema):
    app.command()(with_color_option(command))


def _print_version(wanted: bool) -> None:
    if wanted:
        python, torch = platform.python_version(), _version("torch")
        print(f"lstmgru-search {_version('lstmgru-search')} (Python {python}, torch {torch})")
        raise typer.Exit


def _version(package: str) -> str:
    """The installed version, read without importing the package."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"


@app.callback()
def search(
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the versions and exit."),
    ] = False,
    no_color: NoColor = False,
) -> None:
    """AutoML for LSTM and GRU networks: search architectures, track trials in MLflow, and export the best model."""


def main() -> NoReturn:
    """Run a command; invalid input ends with one message on standard error and exit code 2, without a traceback."""
    end_on_signals()
    # A program that was started with closed streams has none.
    sys.stdout, sys.stderr = sys.stdout or StringIO(), sys.stderr or StringIO()
    try:
        try:
            app(prog_name=_SCRIPT if _completes() else None)
        finally:
            sys.stdout.flush()  # raises what would be raised after the end of the program
    except (SearchError, LstmGruError) as error:
        print(f"error: {printable(_brief(str(error)))}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 2))
    except OSError as error:
        # Anything that the system refuses, such as a full disk or a missing permission.
        sys.exit(_refused(error))
    except KeyboardInterrupt:
        sys.exit(exit_code())
    except SystemExit as end:
        sys.exit(exit_code() if end.code == 130 else end.code)  # 130 is what Typer makes of any interruption
    sys.exit(0)


def _completes() -> bool:
    """Whether a shell is to complete commands, which it can for the console script, and not for ``python -m``."""
    return any(argument.split("=")[0] in ("--install-completion", "--show-completion") for argument in sys.argv[1:])


def _brief(message: str) -> str:
    """A message without the middle of lines that quote an endless cell or name; their end is the way out."""
    lines = message.split("\n")
    return "\n".join(line if len(line) <= _LONGEST_LINE else f"{line[:200]} … {line[-180:]}" for line in lines)


def _refused(error: OSError) -> int:
    """Say what the system refused; return the exit code."""
    file = error.filename
    if file is None:
        # Usually standard output. What could not be written is discarded, or Python would try again at its end.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        file = "standard output or a file"
    if error.errno == errno.EPIPE:
        return 1  # the reader has what it wanted, as in `show | head`
    with suppress(OSError):
        print(f"error: {printable(str(file))} cannot be read or written: {error.strerror or error}", file=sys.stderr)
    return 2
