"""Arguments and options that several commands share."""

from __future__ import annotations

import functools
import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from search.errors import SearchError
from search.executors import EXECUTORS, RAY

_NOT_TEXT = (".parquet", ".feather", ".arrow", ".ts")


def complete_study(incomplete: str) -> list[str]:
    """Names of studies for the completion of a shell."""
    from search.tasks.study_file import known_studies

    return [name for name in known_studies() if name.startswith(incomplete)]


Study = Annotated[
    str | None,
    typer.Argument(
        metavar="STUDY",
        help="Path of a study file, or name of a study in studies/.",
        show_default="weather",
        autocompletion=complete_study,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of the study, as in --set training.max_epochs=10; can be repeated.",
    ),
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="PATH", help="Table to read instead of the study's table.")
]
Delimiter = Annotated[
    str | None,
    typer.Option(metavar="CHARACTER", help="Column delimiter of a CSV file.", show_default="the study's, or a comma"),
]
Decimal = Annotated[
    str | None,
    typer.Option(metavar="CHARACTER", help="Decimal mark of a CSV file.", show_default="the study's, or a point"),
]
Encoding = Annotated[
    str | None, typer.Option(metavar="NAME", help="Encoding of a CSV file.", show_default="the study's, or utf-8")
]
Columns = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Names of the columns of a CSV file without a header, separated by commas.",
        show_default="the first line",
    ),
]
Executor = Annotated[
    str | None,
    typer.Option(metavar="NAME", help=f"Where trials run: auto, {', '.join(EXECUTORS)}.", show_default="auto"),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Ray cluster to use: host:port, or auto for the one that runs on this machine.",
        show_default="a cluster that is started on this machine",
    ),
]

Storage = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where the trials are: journal, postgresql://user@host/database, or env:NAME for a URL in a variable.",
        show_default="where the study was begun, or its file says",
    ),
]


Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print the result and errors only: no progress and no notes.")
]
Silent = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


def with_color_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option ``--no-color``."""

    @functools.wraps(command)
    def run(*, no_color: bool = False, **arguments: Any) -> None:
        del no_color  # its callback has seen to it
        command(**arguments)

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("no_color", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=NoColor)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    return run


def _without_color(wanted: bool) -> None:
    if wanted:
        os.environ["NO_COLOR"] = "1"  # Rich and the processes that are started know it: https://no-color.org


NoColor = Annotated[
    bool,
    typer.Option(
        "--no-color", callback=_without_color, is_eager=True, expose_value=False,
        help="Print without colors, as with NO_COLOR=1.",
    ),
]  # fmt: skip


def reading(
    delimiter: str | None, decimal: str | None, encoding: str | None, columns: str | None, data: Path
) -> dict[str, Any]:
    """How a text file is read; ``None``: as in the study.

    Raises:
        SearchError: The file is no text file.
    """
    given = {"delimiter": delimiter, "decimal": decimal, "encoding": encoding, "columns": columns}
    wrong = [f"--{name}" for name, value in given.items() if value is not None]
    if wrong and data.suffix.lower() in _NOT_TEXT:
        raise SearchError(f"{wrong[0]} is for text files, but {data} is none; remove it")
    names = None if columns is None else [name.strip() for name in columns.split(",")]
    return given | {"columns": names}


def executor_overrides(executor: str | None, address: str | None) -> list[str]:
    """``--executor`` and ``--address`` as an override of the study.

    Raises:
        SearchError: The executor has no address.
    """
    if address is None:
        return [] if executor is None else [f"search.executor={executor}"]
    if executor not in (None, RAY):
        raise SearchError(f"--address is for --executor {RAY}, but the executor is {executor}; leave one of them out")
    return [f"search.executor={json.dumps({'kind': RAY, 'address': address})}"]
