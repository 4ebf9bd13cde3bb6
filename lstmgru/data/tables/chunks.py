"""Files of tables in Parquet or Arrow, and files that are read in chunks with the same types in every chunk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa

from lstmgru.data.tables.arrow_text import Kind, column_kind, common_kind, converted, returning_memory, text_chunks
from lstmgru.data.tables.delimited import DelimitedFile
from lstmgru.errors import DataError

_ROWS = 65536


def read_arrow(path: Path, text: Collection[str], *, categories: bool = False) -> pd.DataFrame:
    """Read a file in Parquet or Arrow; see :func:`~lstmgru.data.tables.readers.read_table`.

    Raises:
        DataError: The file is damaged, has no rows, or a column occurs twice.
    """
    with returning_memory():
        with _translating_errors(path):
            table = _parquet(path, text if categories else ()) if path.suffix.lower() == ".parquet" else _ipc(path)
        _refuse_repeated(table.column_names, path)
        if table.num_rows == 0:
            raise _no_rows(path)
        return to_frame(_names_as_text(table, text), consume=True)


class ChunkedFile(ABC):
    """A file of a table.

    Attributes:
        names: Of its columns.
    """

    names: list[str]

    @abstractmethod
    def scanned(self) -> Iterator[pa.Table]:
        """All rows, as far as they must be read before :meth:`chunks`.

        Raises:
            DataError: The file cannot be read.
        """

    @abstractmethod
    def chunks(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some of the columns of all rows, a number of rows at a time.

        Raises:
            DataError: The file cannot be read.
        """


class DelimitedChunks(ChunkedFile):
    """A text file; the kind of each column is found by :meth:`scanned`.

    Args:
        file: Its header has been read.
        text: Columns that always stay text.
    """

    def __init__(self, file: DelimitedFile, text: Collection[str]) -> None:
        self.names, self._file, self._text = file.names, file, text
        self._kinds: dict[str, Kind] = {}

    def scanned(self) -> Iterator[pa.Table]:
        """All rows as text."""
        found: dict[str, set[Kind]] = {name: {"text"} if name in self._text else set() for name in self.names}
        for chunk in text_chunks(self._file, self.names):
            for name, kinds in found.items():
                if "text" not in kinds:
                    kinds.add(column_kind(chunk.column(name), self._file.decimal))
            yield chunk
        self._kinds = {name: common_kind(kinds) for name, kinds in found.items()}

    def chunks(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some of the columns, converted to their kinds."""
        for chunk in text_chunks(self._file, columns):
            yield pa.table(
                {name: converted(chunk.column(name), self._kinds[name], self._file.decimal) for name in columns}
            )


class ArrowChunks(ChunkedFile):
    """A file of Parquet or Arrow, whose columns have types.

    Args:
        path: Ends in ``.parquet``, ``.feather`` or ``.arrow``.
        text: Columns of names, whose whole numbers become text.

    Raises:
        DataError: The file cannot be read, or has no rows.
    """

    def __init__(self, path: Path, text: Collection[str]) -> None:
        self._path, self._text = path, text
        with _translating_errors(path):
            batch = next((batch for batch in _batches(path, None) if batch.num_rows), None)
        if batch is None:
            raise _no_rows(path)
        self.names = batch.schema.names
        _refuse_repeated(self.names, path)

    def scanned(self) -> Iterator[pa.Table]:
        """All rows, as they are."""
        return self.chunks(self.names)

    def chunks(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Some of the columns, without dictionaries, which may differ between batches."""
        with _translating_errors(self._path):
            for batch in _batches(self._path, columns):
                if batch.num_rows:
                    table = pa.Table.from_batches([batch]).select(columns)
                    decoded = [_decoded(column) for column in table.columns]
                    yield _names_as_text(pa.table(decoded, names=table.column_names), self._text)


def _parquet(path: Path, categories: Collection[str]) -> pa.Table:
    """The table, with some columns of text as dictionaries."""
    from pyarrow.parquet import ParquetFile, read_schema

    names = [field.name for field in read_schema(path) if field.name in categories and _is_text(field.type)]
    return ParquetFile(path, read_dictionary=names).read()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _ipc(path: Path) -> pa.Table:
    from pyarrow import ipc

    try:
        with pa.memory_map(str(path)) as source:
            return ipc.open_file(source).read_all()
    except pa.ArrowInvalid:  # or the streaming format, with the same suffix
        with pa.OSFile(str(path)) as source:
            return ipc.open_stream(source).read_all()


def _batches(path: Path, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    if path.suffix.lower() == ".parquet":
        from pyarrow.parquet import ParquetFile

        with ParquetFile(path) as file:
            yield from file.iter_batches(_ROWS, columns=columns)
        return
    from pyarrow import ipc

    with pa.memory_map(str(path)) as source:
        try:
            reader = ipc.open_file(source)
        except pa.ArrowInvalid:  # or the streaming format, with the same suffix
            source.seek(0)
            yield from ipc.open_stream(source)
            return
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


@contextmanager
def _translating_errors(path: Path) -> Iterator[None]:
    """Name the file in errors of Arrow."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{path} cannot be read as {path.suffix[1:]}: {reason}; write the file again") from error


def _refuse_repeated(names: Sequence[str], path: Path) -> None:
    """Refuse a table with two columns of the same name."""
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise DataError(f"{path}: several columns are named {sorted(repeated)[0]!r}; rename all but one")


def _no_rows(path: Path) -> DataError:
    """The error for an empty table."""
    return DataError(f"{path} has no rows; write the table again")


def _names_as_text(table: pa.Table, columns: Collection[str]) -> pa.Table:
    """The table with the whole numbers of columns of names as text, which empty cells do not turn into floats."""
    for index, field in enumerate(table.schema):
        if field.name in columns and pa.types.is_integer(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pa.string()))
    return table


def to_frame(table: pa.Table, *, consume: bool = False) -> pd.DataFrame:
    """A table of Arrow as one of pandas, decimal numbers as floats.

    Args:
        table: The table.
        consume: Whether its memory is released meanwhile; it cannot be used any more.
    """
    for index, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(pa.float64()))
    # Ignoring pandas' metadata turns an index of times back into a column.
    frame: pd.DataFrame = table.to_pandas(
        ignore_metadata=True, date_as_object=False, split_blocks=consume, self_destruct=consume
    )
    return frame
