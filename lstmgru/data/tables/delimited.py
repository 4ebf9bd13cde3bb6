"""Read text tables strictly, without padded rows or guessed cells."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Literal, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lstmgru.data.tables.columns import MISSING
from lstmgru.errors import DataError, counted, did_you_mean, shorten

Kind = Literal["empty", "integer", "float", "boolean", "text"]
_DELIMITERS = {",": '","', ";": '";"', "\t": r'"\t"', "|": '"|"'}  # as YAML writes them
_CHUNK_BYTES = 2**24
"""Of a file that is read in chunks."""


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
    file = open_delimited(path, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=columns)
    table = file.read()
    cells = {
        name: column if name in text else converted(column, column_kind(column, decimal), decimal)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    frame: pd.DataFrame = pa.table(cells).to_pandas()
    return frame


@dataclass(frozen=True)
class DelimitedFile:
    """A text file whose header has been read; its cells are text, empty ones are null, empty lines are skipped.

    Attributes:
        path: The file.
        names: Of its columns.
        delimiter: One character.
        decimal: Decimal mark.
        encoding: Standard name of the encoding.
        has_header: Whether its first line names the columns.
    """

    path: Path
    names: list[str]
    delimiter: str
    decimal: str
    encoding: str
    has_header: bool
    _ragged: list[Any] = field(default_factory=list)

    def read(self) -> pa.Table:
        """All rows.

        Raises:
            DataError: The file cannot be read.
        """
        with self._translating_errors():
            table = pyarrow.csv.read_csv(self.path, **self._options(self.names))
        self._check_end(table.num_rows, table)
        return table

    def chunks(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some of the columns, a number of rows at a time.

        Raises:
            DataError: As :meth:`read`, after the chunks before.
        """
        n_rows, last = 0, None
        with self._translating_errors(), pyarrow.csv.open_csv(self.path, **self._options(columns)) as reader:
            for batch in reader:
                if batch.num_rows:
                    n_rows, last = n_rows + batch.num_rows, pa.Table.from_batches([batch])
                    yield last
        self._check_end(n_rows, last)

    def _options(self, columns: Sequence[str]) -> dict[str, Any]:
        def on_ragged(row: Any) -> str:
            self._ragged.append(row)
            return "error"

        return {
            "read_options": pyarrow.csv.ReadOptions(
                use_threads=False,  # threads would lose the row numbers
                block_size=_CHUNK_BYTES,
                column_names=None if self.has_header else self.names,
                encoding=self.encoding,
            ),
            "parse_options": pyarrow.csv.ParseOptions(
                delimiter=self.delimiter, newlines_in_values=True, invalid_row_handler=on_ragged
            ),
            "convert_options": pyarrow.csv.ConvertOptions(
                column_types={name: pa.string() for name in self.names},
                include_columns=columns,
                strings_can_be_null=True,
                null_values=[""],
            ),
        }

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        path = self.path
        try:
            yield
        except UnicodeError as error:
            raise _undecodable(path, self.encoding) from error
        except pa.ArrowInvalid as error:
            if self._ragged:
                raise self._uneven() from error
            if "UTF8" in str(error):
                raise _undecodable(path, self.encoding) from error
            if "Empty CSV" in str(error):
                raise _no_rows(path) from error
            raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}; write the file again") from error
        except (gzip.BadGzipFile, zlib.error, EOFError, OSError) as error:
            raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}; write the file again") from error

    def _uneven(self) -> DataError:
        row = self._ragged[0]
        line = _line_of(self.path, row.number, self.delimiter, self.encoding)
        count = len(self.names)
        expected = f"the header has {count}" if self.has_header else f"data.columns names {count}"
        return DataError(
            f"{self.path}: line {line} has {counted(row.actual_columns, 'field')} but {expected}; "
            "correct the line, or quote fields that hold the delimiter"
        )

    def _check_end(self, n_rows: int, last: pa.Table | None) -> None:
        """Refuse a file without rows, and an unclosed quotation mark, which makes the rest of the file one cell."""
        if n_rows == 0 or last is None:
            raise _no_rows(self.path)
        cells = last.slice(last.num_rows - 1).to_pylist()[0].values()
        if not any("\n" in cell for cell in cells if cell):
            return
        with _open(self.path, self.encoding) as file:
            marks = sum(line.count('"') for line in file)
        if marks % 2:
            raise DataError(
                f"{self.path}: a quotation mark is never closed, so its last row holds several lines; close it"
            )


def open_delimited(
    path: Path, *, delimiter: str, decimal: str, encoding: str = "utf-8", columns: Sequence[str] = ()
) -> DelimitedFile:
    """Read the header of a text file; see :func:`~lstmgru.data.tables.readers.read_table`.

    Raises:
        DataError: The file is in another encoding, or has no header or another delimiter.
    """
    if len(delimiter) != 1 or decimal not in (".", ",") or delimiter == decimal:
        raise DataError(
            f"{path}: the delimiter must be one character, the decimal point '.' or ',', and they must differ, "
            f"but got {delimiter!r} and {decimal!r}"
        )
    encoding = _text_encoding(encoding, path)
    file = DelimitedFile(path, list(columns), delimiter, decimal, encoding, has_header=not columns)
    if columns:
        return file
    with file._translating_errors():
        return replace(file, names=_header(path, delimiter, encoding))


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


def _line_of(path: Path, number: int, delimiter: str, encoding: str) -> int:
    """The last line of the ``number``-th non-empty row; the header is row 1."""
    with _open(path, encoding) as file:
        lines = csv.reader(file, delimiter=delimiter)
        # A cell may exceed the limit of the csv module; the error is then on the current line.
        with suppress(csv.Error):
            deque(islice(filter(None, lines), number), maxlen=0)
        return lines.line_num


def column_kind(column: pa.ChunkedArray, decimal: str) -> Kind:
    """What all cells of a column of text hold; ``empty`` if there are none.

    Digits that a number would not preserve, such as ``007`` or more than 15 of them, are text.
    """
    text = _without_missing(column)
    if text.null_count == len(text):
        return "empty"
    if _any_match(text, r"^[+-]?0\d") or _any_match(text, r"^[+-]?\d{16,}$"):
        return "text"
    if decimal == ",":
        if _any_match(text, r"\."):
            return "text"
        text = pc.replace_substring(text, ",", ".")
    types: dict[Kind, pa.DataType] = {"integer": pa.int64(), "float": pa.float64()}
    for kind, of_kind in types.items():
        with suppress(pa.ArrowInvalid):
            text.cast(of_kind)
            return kind
    is_boolean = pc.all(pc.is_in(pc.utf8_lower(text), value_set=pa.array(["true", "false", None]))).as_py()
    return "boolean" if is_boolean else "text"


def common_kind(kinds: Collection[Kind]) -> Kind:
    """The kind of a column whose parts have these kinds."""
    found = set(kinds) - {"empty"}
    if found == {"integer", "float"}:
        return "float"
    return "text" if len(found) > 1 else next(iter(found), "empty")


def converted(column: pa.ChunkedArray, kind: Kind, decimal: str) -> pa.ChunkedArray:
    """A column of text as one of integers, floats or booleans; text stays as it is."""
    if kind == "text":
        return column
    text = _without_missing(column)
    if kind == "boolean":
        return pc.equal(pc.utf8_lower(text), "true")
    if decimal == ",":
        text = pc.replace_substring(text, ",", ".")
    return text.cast(pa.int64() if kind == "integer" else pa.float64())


def _without_missing(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(column)
    return pc.if_else(pc.is_in(text, value_set=pa.array(MISSING)), pa.scalar(None, pa.string()), text)


def _any_match(text: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())
