"""Read and write tables: CSV (strictly, without padded rows or guessed cells), Parquet and Arrow."""

from __future__ import annotations

import csv
import gzip
import os
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lstmgru.data.tables.columns import MISSING
from lstmgru.errors import DataError, counted, did_you_mean

_DELIMITERS = {",": '","', ";": '";"', "\t": r'"\t"', "|": '"|"'}  # as YAML writes them


def read_delimited(path: Path, *, delimiter: str, decimal: str, text: Collection[str] = ()) -> pd.DataFrame:
    """Read a text file; see :func:`read_table`.

    Raises:
        DataError: The file is not UTF-8, has no rows, another delimiter, or rows with different numbers of fields.
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
        DataError: There are none, the delimiter is wrong, or two names are equal.
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
    """All cells as text; empty cells are null, empty lines are skipped."""
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
    """The last line of the ``number``-th non-empty row; the header is row 1."""
    with _open(path) as file:
        lines = csv.reader(file, delimiter=delimiter)
        # A cell may exceed the limit of the csv module; the error is then on the current line.
        with suppress(csv.Error):
            deque(islice(filter(None, lines), number), maxlen=0)
        return lines.line_num


def _check_last_row(path: Path, table: pa.Table) -> None:
    """Refuse an unclosed quotation mark, which turns the rest of the file into a cell of the last row."""
    last = table.slice(table.num_rows - 1).to_pylist()[0].values()
    if not any("\n" in cell for cell in last if cell):
        return
    with _open(path) as file:
        marks = sum(line.count('"') for line in file)
    if marks % 2:
        raise DataError(f"{path}: a quotation mark is never closed, so its last row holds several lines; close it")


def _typed(column: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """Convert a column of text to integers, floats or booleans if all cells allow it."""
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


_DELIMITED = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")


def read_table(path: Path, *, delimiter: str = ",", decimal: str = ".", text: Collection[str] = ()) -> pd.DataFrame:
    """Read a file in the format of its suffix.

    Integers become ``int64``, other numbers ``float64``. Text stays text, and so do digits that a number would not
    preserve, such as ``007`` or more than 15 digits. Dates in text files stay text.

    Args:
        path: ``.csv``, ``.tsv`` or ``.txt`` (also with ``.gz``), ``.parquet``, ``.feather`` or ``.arrow``.
        delimiter: Field delimiter of a text file; a comma means a tab in ``.tsv``.
        decimal: Decimal mark of a text file, ``.`` or ``,``.
        text: Columns of a text file that always stay text, so that names such as ``1.0`` or ``NA`` are read the same
            way in every file.

    Raises:
        DataError: The file is missing, of an unknown format, damaged, without rows, or its columns are ambiguous.
    """
    name = path.name.lower()
    check_exists(path)
    if name.endswith(_DELIMITED):
        tab = ".tsv" in name[-7:] and delimiter == ","
        with _returning_memory():
            return read_delimited(path, delimiter="\t" if tab else delimiter, decimal=decimal, text=text)
    reader = _ARROW_READERS.get(path.suffix.lower())
    if reader is None:
        valid = [*_DELIMITED, *_ARROW_READERS]
        raise DataError(
            f"{path}: a data file must end in one of {', '.join(valid)} but ends in {path.suffix!r}"
            f"{did_you_mean(path.suffix, valid)}"
        )
    with _returning_memory():
        return _frame(_read_arrow(path, reader), path)


@contextmanager
def _returning_memory() -> Iterator[None]:
    """Release Arrow's unused memory to the system instead of keeping it in Arrow's pool."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def check_exists(path: Path) -> None:
    """Refuse a path that is not a file, or an empty file.

    Raises:
        DataError: The message suggests similar names.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; name one file in it")
    if not path.exists():
        folder = path.parent
        if not folder.is_dir():
            raise DataError(f"{path} does not exist, nor does the folder {folder}; correct the path")
        near = did_you_mean(path.name, [file.name for file in sorted(folder.iterdir()) if file.is_file()])
        raise DataError(f"{path} does not exist{near or '; correct the path (it counts from the current folder)'}")
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty (0 bytes); write the table again")


def _parquet(path: Path) -> pa.Table:
    from pyarrow.parquet import ParquetFile

    return ParquetFile(path).read()


def _ipc(path: Path) -> pa.Table:
    from pyarrow import ipc

    try:
        with pa.memory_map(str(path)) as source:
            return ipc.open_file(source).read_all()
    except pa.ArrowInvalid:  # or the streaming format, with the same suffix
        with pa.OSFile(str(path)) as source:
            return ipc.open_stream(source).read_all()


_ARROW_READERS: dict[str, Callable[[Path], pa.Table]] = {".parquet": _parquet, ".feather": _ipc, ".arrow": _ipc}


def _read_arrow(path: Path, reader: Callable[[Path], pa.Table]) -> pa.Table:
    try:
        return reader(path)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {reason}; write the file again") from error


def _frame(table: pa.Table, path: Path) -> pd.DataFrame:
    repeated = {name for name in table.column_names if table.column_names.count(name) > 1}
    if repeated:
        raise DataError(f"{path}: several columns are named {sorted(repeated)[0]!r}; rename all but one")
    if table.num_rows == 0:
        raise DataError(f"{path} has no rows; write the table again")
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pa.float64()))
    # Ignoring pandas' metadata turns an index of times back into a column.
    frame: pd.DataFrame = table.to_pandas(
        ignore_metadata=True, date_as_object=False, split_blocks=True, self_destruct=True
    )
    return frame


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame without its index, atomically.

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
        _write_whole(frame.to_parquet if name.endswith(".parquet") else frame.to_csv, path)
    except OSError as error:
        # The message of the error would name the temporary file.
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise DataError(f"{path} cannot be written: {reason}; choose another place") from error


def _write_whole(write: Callable[..., object], path: Path) -> None:
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(partial, index=False)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
