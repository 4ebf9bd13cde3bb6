"""Write files whole: a reader finds the earlier file or the new one, and never a part of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.errors import DataError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield the file to write, which replaces ``path`` at the end.

    A link at ``path`` is replaced and not followed, unless it leads to a device or a pipe. These are written directly.

    Raises:
        OSError: The file cannot be written. It names ``path``.
    """
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        if path.exists() and not path.is_file():
            yield path
        else:
            partial.unlink(missing_ok=True)
            partial.touch(exist_ok=False)  # not what a link of that name leads to
            yield partial
            partial.replace(path)
    except OSError as error:
        # The error of a full disk names no file, and others would name the temporary one.
        raise OSError(error.errno, os.strerror(error.errno) if error.errno else str(error), str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole.

    Raises:
        OSError: The file cannot be written.
    """
    with written_whole(path) as file:
        file.write_text(text, encoding="utf-8")


def write_csv(frame: pd.DataFrame, path: Path, *, index: bool = False) -> None:
    """Write a frame as CSV, whole; cells are written as they are, also those that a spreadsheet takes for formulas.

    Raises:
        OSError: The file cannot be written.
    """
    with written_whole(path) as file:
        frame.to_csv(file, index=index)


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame without its index, whole.

    Args:
        frame: The table.
        path: Ends in ``.csv``, ``.csv.gz`` or ``.parquet``; an existing file is replaced.

    Raises:
        DataError: The suffix is unknown, or the file cannot be written.
    """
    name = path.name.lower()
    if not name.endswith((".csv", ".csv.gz", ".parquet")):
        raise DataError(f"{path}: a table is written as .csv, .csv.gz or .parquet but the name ends in {path.suffix!r}")
    if not path.parent.is_dir():
        raise DataError(f"{path} cannot be written: {path.parent} is not a directory; choose another place")
    try:
        if name.endswith(".parquet"):
            with written_whole(path) as file:
                frame.to_parquet(file, index=False)
        else:
            write_csv(frame, path)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}; choose another place") from error
