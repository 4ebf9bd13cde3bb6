"""Text tables, which are read strictly, without padded rows or guessed cells: their headers and errors."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, TextIO

from lstmgru.errors import DataError, counted, did_you_mean, shorten

_DELIMITERS = {",": '","', ";": '";"', "\t": r'"\t"', "|": '"|"'}  # as YAML writes them


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

    def open(self) -> TextIO:
        """Open the file, compressed or not, without its byte order mark."""
        return _open(self.path, self.encoding)

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Name the file in errors of reading it.

        Raises:
            DataError: It is in another encoding, or cannot be read.
        """
        try:
            yield
        except UnicodeError as error:
            raise self.undecodable() from error
        except (gzip.BadGzipFile, zlib.error, EOFError, OSError) as error:
            raise self.unreadable(error) from error

    def undecodable(self) -> DataError:
        """The error for a file in another encoding."""
        with _open_bytes(self.path) as file:
            marked = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        likely = "utf-16" if marked else "gb18030 (Chinese), shift_jis (Japanese) or cp1252 (Western European)"
        is_not = "is not UTF-8 text" if self.encoding == "utf-8" else f"is not text in {self.encoding}"
        return DataError(
            f"{self.path} {is_not}; save it as 'CSV UTF-8', or set data.encoding (predict: --encoding) to the encoding "
            f"that it was written in, such as {likely}"
        )

    def unreadable(self, error: Exception) -> DataError:
        """The error for a damaged file."""
        return DataError(f"{self.path} cannot be read: {str(error).splitlines()[0].rstrip('.')}; write the file again")

    def no_rows(self) -> DataError:
        """The error for a file that ends after its header."""
        return DataError(f"{self.path} has a header but no rows; write the table again")

    def uneven(self, line: int, n_fields: int) -> DataError:
        """The error for a row with another number of fields than there are columns; ``line`` is its last one."""
        count = len(self.names)
        expected = f"the header has {count}" if self.has_header else f"data.columns (predict: --columns) names {count}"
        return DataError(
            f"{self.path}: line {line} has {counted(n_fields, 'field')} but {expected}; "
            "correct the line, or quote fields that hold the delimiter"
        )

    def line_of(self, number: int) -> int:
        """The last line of the ``number``-th non-empty row; the header is row 1."""
        with self.open() as file:
            lines = csv.reader(file, delimiter=self.delimiter)
            # A cell may exceed the limit of the csv module; the error is then on the current line.
            with suppress(csv.Error):
                deque(islice(filter(None, lines), number), maxlen=0)
            return lines.line_num

    def endless_row(self) -> DataError:
        """The error for a row of more than 2 MiB, which an unclosed quotation mark makes of many."""
        return DataError(
            f"{self.path} has a row of more than 2 MiB: a quotation mark is never closed, or a cell is too long; close "
            "it, or shorten the cell"
        )

    def check_end(self, last: Iterable[str | None]) -> None:
        """Refuse an unclosed quotation mark, which makes the rest of the file one cell.

        Args:
            last: The cells of the last row.

        Raises:
            DataError: There is one.
        """
        if not any("\n" in cell for cell in last if cell):
            return
        with self.open() as file:
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
    with file.translating_errors():
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
