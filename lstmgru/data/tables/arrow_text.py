"""Read text tables with pyarrow, at once or in chunks."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from lstmgru.data.tables.columns import MISSING
from lstmgru.data.tables.delimited import DelimitedFile

Kind = Literal["empty", "integer", "float", "boolean", "text"]
_CHUNK_BYTES = 2**21
"""Most of a row, see ``endless_row``. Arrow parses as many bytes at once, and reads 32 such chunks ahead."""


def read_text(file: DelimitedFile, text: Collection[str]) -> pd.DataFrame:
    """Read a text file; see :func:`~lstmgru.data.tables.readers.read_table`.

    Args:
        file: Its header has been read.
        text: Columns that always stay text.

    Raises:
        DataError: The file is in another encoding, damaged, has no rows, or rows with different numbers of fields.
    """
    with returning_memory():
        ragged: list[Any] = []
        with _translating_errors(file, ragged):
            table = pyarrow.csv.read_csv(file.path, **_options(file, file.names, ragged))
        _check_end(file, table)
        cells = {
            name: column if name in text else converted(column, column_kind(column, file.decimal), file.decimal)
            for name, column in zip(table.column_names, table.columns, strict=True)
        }
        frame: pd.DataFrame = pa.table(cells).to_pandas()
        return frame


def text_chunks(file: DelimitedFile, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Some of the columns of a text file, as text, a number of rows at a time.

    Raises:
        DataError: As :func:`read_text`, after the chunks before.
    """
    last, ragged = None, list[Any]()
    options = _options(file, columns, ragged)
    with _translating_errors(file, ragged), pyarrow.csv.open_csv(file.path, **options) as reader:
        for batch in reader:
            if batch.num_rows:
                last = pa.Table.from_batches([batch])
                yield last
    _check_end(file, last)


@contextmanager
def returning_memory() -> Iterator[None]:
    """Release Arrow's unused memory to the system instead of keeping it in Arrow's pool."""
    before = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(before)


def _options(file: DelimitedFile, columns: Sequence[str], ragged: list[Any]) -> dict[str, Any]:
    """The arguments of pyarrow's readers, which collect rows with another number of fields."""

    def on_ragged(row: Any) -> str:
        ragged.append(row)
        return "error"

    return {
        "read_options": pyarrow.csv.ReadOptions(
            use_threads=False,  # threads would lose the row numbers
            block_size=_CHUNK_BYTES,
            column_names=None if file.has_header else file.names,
            encoding=file.encoding,
        ),
        "parse_options": pyarrow.csv.ParseOptions(
            delimiter=file.delimiter, newlines_in_values=True, invalid_row_handler=on_ragged
        ),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in file.names},
            include_columns=columns,
            strings_can_be_null=True,
            null_values=[""],
        ),
    }


@contextmanager
def _translating_errors(file: DelimitedFile, ragged: list[Any]) -> Iterator[None]:
    try:
        with file.translating_errors():
            yield
    except pa.ArrowInvalid as error:
        if ragged:
            raise file.uneven(file.line_of(ragged[0].number), ragged[0].actual_columns) from error
        if "UTF8" in str(error):
            raise file.undecodable() from error
        if "Empty CSV" in str(error):
            raise file.no_rows() from error
        if "straddl" in str(error):
            raise file.endless_row() from error
        raise file.unreadable(error) from error


def _check_end(file: DelimitedFile, last: pa.Table | None) -> None:
    if last is None or last.num_rows == 0:
        raise file.no_rows()
    file.check_end(last.slice(last.num_rows - 1).to_pylist()[0].values())


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
