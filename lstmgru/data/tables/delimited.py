"""Read text tables strictly, without padded rows or guessed cells."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lstmgru.data.tables.columns import MISSING
from lstmgru.errors import DataError, counted, did_you_mean, shorten

_DELIMITERS = {",": '","', ";": '";"', "\t": r'"\t"', "|": '"|"'}  # as YAML writes them


def read_delimited(
    path: Path,
    *,
    delimiter: str,
    decimal: str,
    encoding: str = "utf-8",
    columns: Sequence[str] = (),
    text: Collection[str] = (),
) -> pd.DataFrame:
    """Read a text file; see :func:`~lstmgru.data.tables.readers.read_table`.

    Raises:
        DataError: The file is in another encoding, has no header, no rows, another delimiter, or rows with different
            numbers of fields.
    """
    if len(delimiter) != 1 or decimal not in (".", ",") or delimiter == decimal:
        raise DataError(
            f"{path}: the delimiter must be one character, the decimal point '.' or ',', and they must differ, "
            f"but got {delimiter!r} and {decimal!r}"
        )
    encoding = _text_encoding(encoding, path)
    try:
        names = list(columns) or _header(path, delimiter, encoding)
        table = _rows(path, names, delimiter, encoding, has_header=not columns)
    except UnicodeError as error:
        raise _undecodable(path, encoding) from error
    except (gzip.BadGzipFile, zlib.error, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}; write the file again") from error
    if table.num_rows == 0:
        raise _no_rows(path)
    _check_last_row(path, table, encoding)
    cells = {name: table.column(name) if name in text else _typed(table.column(name), decimal) for name in names}
    frame: pd.DataFrame = pa.table(cells).to_pandas()
    return frame


def _text_encoding(name: str, path: Path) -> str:
    """The standard name of a text encoding.

    Raises:
        DataError: There is no such encoding.
    """
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        known = ("utf-8", "utf-16", "cp1252", "iso8859-15", "gb18030", "big5", "shift_jis", "euc_kr", "cp1251")
        raise DataError(
            f"{path}: data.encoding must be the name of a text encoding, such as {', '.join(known)}, but got {name!r}"
            f"{did_you_mean(name, list(known))}"
        ) from error


def _undecodable(path: Path, encoding: str) -> DataError:
    with _open_bytes(path) as file:
        marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    likely = "utf-16" if marked else "gb18030 (Chinese), shift_jis (Japanese) or cp1252 (Western European)"
    is_not = "is not UTF-8 text" if encoding == "utf-8" else f"is not text in {encoding}"
    return DataError(
        f"{path} {is_not}; save it as 'CSV UTF-8', or set data.encoding (predict: --encoding) to the encoding that it "
        f"was written in, such as {likely}"
    )


def _no_rows(path: Path) -> DataError:
    return DataError(f"{path} has a header but no rows; write the table again")


def _open(path: Path, encoding: str) -> TextIO:
    opener: Any = gzip.open if path.suffix.lower() == ".gz" else open
    file: TextIO = opener(path, "rt", encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="")
    return file


def _open_bytes(path: Path) -> Any:
    return (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb")


def _header(path: Path, delimiter: str, encoding: str) -> list[str]:
    """The names of the columns.

    Raises:
        DataError: There are none, the delimiter is wrong, or two names are equal.
    """
    with _open(path, encoding) as file:
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
    if _are_values(names):
        raise DataError(
            f"{path}: the first line holds values ({shorten([repr(name) for name in names], 3)}) instead of names; "
            "name the columns in data.columns (predict: --columns), or write a header"
        )
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{path}: several columns are named {name!r}; rename all but one")
    return names


_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$")
_DATE = re.compile(r"\s*\d{4}[-/]\d\d?[-/]\d\d?([ T].*)?$")


def _are_values(names: list[str]) -> bool:
    """Whether a header is a row: all dates or numbers, except steps or years in a row; or a date beside decimals."""
    numbers, dates = ([bool(pattern.match(name)) for name in names] for pattern in (_NUMBER, _DATE))
    if any(dates) and any(number and "." in name for name, number in zip(names, numbers, strict=True)):
        return True
    if not all(number or date for number, date in zip(numbers, dates, strict=True)) or all(dates):
        return False
    whole = [int(name) for name in names if name.strip().isdecimal()]
    return len(whole) < len(names) or any(after != before + 1 for before, after in pairwise(whole))


def _rows(path: Path, names: list[str], delimiter: str, encoding: str, *, has_header: bool) -> pa.Table:
    """All cells as text; empty cells are null, empty lines are skipped."""
    ragged: list[Any] = []

    def on_ragged(row: Any) -> str:
        ragged.append(row)
        return "error"

    try:
        return pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False,  # threads would lose the row numbers
                column_names=None if has_header else names,
                encoding=encoding,
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_ragged
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        if ragged:
            line = _line_of(path, ragged[0].number, delimiter, encoding)
            expected = f"the header has {len(names)}" if has_header else f"data.columns names {len(names)}"
            fields = counted(ragged[0].actual_columns, "field")
            raise DataError(
                f"{path}: line {line} has {fields} but {expected}; "
                "correct the line, or quote fields that hold the delimiter"
            ) from error
        if "UTF8" in str(error):
            raise _undecodable(path, encoding) from error
        if "Empty CSV" in str(error):
            raise _no_rows(path) from error
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}; write the file again") from error


def _line_of(path: Path, number: int, delimiter: str, encoding: str) -> int:
    """The last line of the ``number``-th non-empty row; the header is row 1."""
    with _open(path, encoding) as file:
        lines = csv.reader(file, delimiter=delimiter)
        # A cell may exceed the limit of the csv module; the error is then on the current line.
        with suppress(csv.Error):
            deque(islice(filter(None, lines), number), maxlen=0)
        return lines.line_num


def _check_last_row(path: Path, table: pa.Table, encoding: str) -> None:
    """Refuse an unclosed quotation mark, which turns the rest of the file into a cell of the last row."""
    last = table.slice(table.num_rows - 1).to_pylist()[0].values()
    if not any("\n" in cell for cell in last if cell):
        return
    with _open(path, encoding) as file:
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
