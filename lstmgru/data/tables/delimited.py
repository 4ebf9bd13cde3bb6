"""Text files with one row a line, read strictly: no row is padded, no cell guessed."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lstmgru.data.formatting import counted
from lstmgru.data.tables.columns import MISSING
from lstmgru.errors import DataError

_DELIMITERS = {",": '","', ";": '";"', "\t": r'"\t"', "|": '"|"'}  # as YAML writes them


def read_delimited(path: Path, *, delimiter: str, decimal: str, text: Collection[str] = ()) -> pd.DataFrame:
    """Read a text file; see :func:`lstmgru.data.tables.readers.read_table`.

    Raises:
        DataError: The file is not UTF-8, has no rows, another delimiter, or a row with more or fewer fields.
    """
    if len(delimiter) != 1 or decimal not in (".", ",") or delimiter == decimal:
        raise DataError(
            f"{path}: the delimiter must be one character, the decimal point '.' or ',', and they must differ, "
            f"but got {delimiter!r} and {decimal!r}"
        )
    try:
        names = _header(path, delimiter)
        table = _rows(path, names, delimiter)
    except UnicodeDecodeError as error:
        raise _not_utf8(path) from error
    except (gzip.BadGzipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}; write the file again") from error
    if table.num_rows == 0:
        raise _no_rows(path)
    _check_last_row(path, table)
    columns = {name: table.column(name) if name in text else _typed(table.column(name), decimal) for name in names}
    frame: pd.DataFrame = pa.table(columns).to_pandas()
    return frame


def _not_utf8(path: Path) -> DataError:
    return DataError(
        f"{path} is not UTF-8 text; save it as 'CSV UTF-8', or convert it: "
        f"iconv -f latin1 -t utf-8 {path.name} > new.csv"
    )


def _no_rows(path: Path) -> DataError:
    return DataError(f"{path} has a header but no rows; write the table again")


def _open(path: Path) -> TextIO:
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    file: TextIO = opener(path, "rt", encoding="utf-8-sig", newline="")
    return file


def _header(path: Path, delimiter: str) -> list[str]:
    """The names of the columns.

    Raises:
        DataError: There is none, the delimiter is another one, or two are the same.
    """
    with _open(path) as file:
        try:
            names = next(csv.reader(file, delimiter=delimiter), [])
        except csv.Error as error:
            raise DataError(f"{path}: the header cannot be read: {error}; write the file again") from error
    if not any(name.strip() for name in names):
        raise DataError(f"{path}: the first line must name the columns but is empty")
    if len(names) == 1:
        for other, shown in _DELIMITERS.items():
            if other in names[0]:
                raise DataError(
                    f"{path} has the single column {names[0]!r}: its delimiter is not {delimiter!r}; "
                    f"set data.delimiter: {shown} (predict: --delimiter)"
                )
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}: several columns are named {name!r}; rename all but one")
    return names


def _rows(path: Path, names: list[str], delimiter: str) -> pa.Table:
    """Every cell as text; an empty cell is null, an empty line is left out."""
    ragged: list[Any] = []

    def on_ragged(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        return pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(use_threads=False),  # threads would lose the row numbers
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_ragged
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        if ragged:
            line = _line_of(path, ragged[0].number, delimiter)
            fields = counted(ragged[0].actual_columns, "field")
            raise DataError(
                f"{path}: line {line} has {fields} but the header has {len(names)}; "
                "correct the line, or quote fields that hold the delimiter"
            ) from error
        if "UTF8" in str(error):
            raise _not_utf8(path) from error
        if "Empty CSV" in str(error):
            raise _no_rows(path) from error
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}; write the file again") from error


def _line_of(path: Path, number: int, delimiter: str) -> int:
    """The line that the ``number``-th row that is not empty ends on, the header being row 1."""
    with _open(path) as file:
        lines = csv.reader(file, delimiter=delimiter)
        # A cell can be longer than the module takes: what is wrong is then on the line reached.
        with suppress(csv.Error):
            deque(islice(filter(None, lines), number), maxlen=0)
        return lines.line_num


def _check_last_row(path: Path, table: pa.Table) -> None:
    """A quotation mark that is never closed makes all that follows one cell of the last row."""
    last = table.slice(table.num_rows - 1).to_pylist()[0].values()
    if not any("\n" in cell for cell in last if cell):
        return
    with _open(path) as file:
        marks = sum(line.count('"') for line in file)
    if marks % 2:
        raise DataError(f"{path}: a quotation mark is never closed, so its last row holds several lines; close it")


def _typed(column: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """A column of text as whole numbers, decimal numbers or booleans, if every cell is one; else as it is."""
    text = pc.utf8_trim_whitespace(column)
    text = pc.if_else(pc.is_in(text, value_set=pa.array(MISSING)), pa.scalar(None, pa.string()), text)
    if text.null_count == len(text):
        return text.cast(pa.float64())
    if _any_match(text, r"^[+-]?0\d") or _any_match(text, r"^[+-]?\d{16,}$"):
        return column
    if decimal == ",":
        if _any_match(text, r"\."):
            return column
        text = pc.replace_substring(text, ",", ".")
    for kind in (pa.int64(), pa.float64()):
        try:
            return text.cast(kind)
        except pa.ArrowInvalid:
            continue
    lower = pc.utf8_lower(text)
    if pc.all(pc.is_in(lower, value_set=pa.array(["true", "false", None]))).as_py():
        return pc.equal(lower, "true")
    return column


def _any_match(text: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())
