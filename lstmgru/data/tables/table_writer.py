"""Write a table block by block, whole: the file or the output appears when all blocks are there."""

from __future__ import annotations

import gzip
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import ipc

from lstmgru.data.tables.writers import (
    check_not_read,
    check_place,
    followed,
    naming_scratch,
    remove_leftovers,
    scratch_file,
    written_whole,
)
from lstmgru.errors import DataError

_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_UNITS = {"D": 86_400 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Of printed times, in nanoseconds."""


class TableWriter(ABC):
    """Receives the blocks of a table.

    Attributes:
        n_rows: Rows so far.
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start; nothing is written yet."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Release what was used."""
        self._stack.close()

    def write(self, frame: pd.DataFrame) -> None:
        """Add a block; its columns have the names and types of the first one.

        Raises:
            DataError: It cannot be written.
        """
        if len(frame):
            self._write(frame)
            self.n_rows += len(frame)

    @abstractmethod
    def _write(self, frame: pd.DataFrame) -> None:
        """Add a block."""

    @abstractmethod
    def finish(self) -> None:
        """Complete the table.

        Raises:
            OSError: It cannot be written.
        """


@contextmanager
def writing_table(path: Path | None) -> Iterator[TableWriter]:
    """Yield a writer; at the end, the table replaces the file, or is printed to standard output as CSV.

    After an error, nothing is printed, and an earlier file stays.

    Args:
        path: Ends in ``.csv``, ``.csv.gz`` or ``.parquet``; ``None`` for standard output.

    Raises:
        DataError: The suffix is unknown, or the file cannot be written.
    """
    if path is None:
        with _CsvTable(None) as table:
            yield table
            table.finish()
        return
    check_table_path(path)
    with _replacing(path) as file, _table_for(path, file) as table:
        yield table
        try:
            table.finish()
        except OSError as error:
            raise _not_written(path, error) from error


@contextmanager
def writing_text(path: Path | None) -> Iterator[Callable[[str], None]]:
    """Yield a function that takes the text of a file; at the end, the text replaces the file.

    After an error, an earlier file stays.

    Args:
        path: The file; ``None``: the text is not written.

    Raises:
        DataError: The file cannot be written.
    """
    if path is None:
        yield lambda text: None
        return
    check_place(path)
    with _replacing(path) as file:

        def write(text: str) -> None:
            try:
                file.write_text(text, encoding="utf-8")
            except OSError as error:
                raise _not_written(path, error) from error

        yield write


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Yield the file to write, see :func:`written_whole`, which a link is followed to; errors of the block stay."""
    path = followed(path)
    remove_leftovers(path)
    try:
        with written_whole(path) as file:
            try:
                yield file
            except OSError as error:
                raise _ErrorElsewhere(error) from error
    except _ErrorElsewhere as error:
        raise error.original from None
    except OSError as error:
        raise _not_written(path, error) from error


class _ErrorElsewhere(Exception):
    """An error of the caller, which has nothing to do with the file."""

    def __init__(self, original: OSError) -> None:
        self.original = original
        super().__init__()


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame without its index, whole.

    Raises:
        DataError: As :func:`writing_table`.
    """
    with writing_table(path) as table:
        table.write(frame)


def check_table_path(path: Path, tables: Sequence[Path] = ()) -> None:
    """Refuse a file that cannot be written.

    Args:
        path: The file.
        tables: What is read.

    Raises:
        DataError: It is one of the tables, the suffix is unknown, or there is no such folder.
    """
    check_not_read(path, tables)
    if not path.name.lower().endswith(_SUFFIXES):
        raise DataError(f"{path}: a table is written as .csv, .csv.gz or .parquet but the name ends in {path.suffix!r}")
    check_place(path)


def _not_written(path: Path, error: OSError) -> DataError:
    return DataError(f"{path} cannot be written: {error.strerror}; choose another place")


def _table_for(path: Path, file: Path) -> TableWriter:
    return _ParquetTable(path, file) if path.name.lower().endswith(".parquet") else _CsvTable(file)


class _ParquetTable(TableWriter):
    """A file of Parquet with a row group for each block.

    Args:
        path: Its name in messages.
        file: To write.
    """

    def __init__(self, path: Path, file: Path) -> None:
        super().__init__()
        self._path, self._file = path, file
        self._writer: Any = None

    def _write(self, frame: pd.DataFrame) -> None:
        from pyarrow.parquet import ParquetWriter

        table = pa.Table.from_pandas(frame, self._writer and self._writer.schema, preserve_index=False)
        try:
            if self._writer is None:
                self._writer = self._stack.enter_context(ParquetWriter(self._file, table.schema))
            self._writer.write_table(table)
        except OSError as error:
            raise _not_written(self._path, error) from error

    def finish(self) -> None:
        """Write the footer."""
        self._stack.close()


class _CsvTable(TableWriter):
    """A table that is printed as CSV at the end: dates without a time only if none has one.

    All but a single block are kept in a temporary file.

    Args:
        file: To write; ``None`` for standard output.
    """

    def __init__(self, file: Path | None) -> None:
        super().__init__()
        self._file, self._blocks = file, self._stack.enter_context(scratch_file())
        self._only: pd.DataFrame | None = None
        self._schema: Any = None
        self._writer: Any = None
        self._divisors: dict[str, int] = {}

    def _write(self, frame: pd.DataFrame) -> None:
        for name, values in _naive_times(frame).items():
            divisor = int(np.gcd.reduce(values.astype("datetime64[ns]").astype(np.int64)))
            self._divisors[name] = math.gcd(self._divisors.get(name, 0), divisor)
        if self.n_rows == 0:
            self._only = frame
            return
        for block in (frame,) if self._only is None else (self._only, frame):
            table = pa.Table.from_pandas(block, self._schema, preserve_index=False)
            with naming_scratch():
                if self._writer is None:
                    self._schema, self._writer = table.schema, ipc.new_stream(self._blocks, table.schema)
                self._writer.write_table(table)
        self._only = None

    def finish(self) -> None:
        """Print the blocks."""
        if self._file is None:
            self._print(sys.stdout)
        else:
            zipped = self._file.name.lower().endswith(".gz")
            opened = gzip.open if zipped else open
            with opened(self._file, "wt", encoding="utf-8", newline="") as text:
                self._print(text)

    def _print(self, text: IO[str]) -> None:
        if self._only is not None:
            self._only.to_csv(text, index=False)
        if self._writer is None:
            return
        with naming_scratch():
            self._writer.close()
        self._blocks.seek(0)
        with ipc.open_stream(self._blocks) as reader:
            for number, batch in enumerate(reader):
                frame = batch.to_pandas()
                frame.assign(**self._texts(frame)).to_csv(text, index=False, header=number == 0)

    def _texts(self, frame: pd.DataFrame) -> dict[str, Any]:
        """The columns of times without a time zone as text, in the unit that all blocks need."""
        texts = {}
        for name, values in _naive_times(frame).items():
            unit = next(unit for unit, size in _UNITS.items() if self._divisors[name] % size == 0)
            texts[name] = np.char.replace(np.datetime_as_string(values.astype(f"datetime64[{unit}]")), "T", " ")
        return texts


def _naive_times(frame: pd.DataFrame) -> dict[str, Any]:
    """The columns of times without a time zone."""
    naive = [name for name, dtype in frame.dtypes.items() if isinstance(dtype, np.dtype) and dtype.kind == "M"]
    return {str(name): frame[name].to_numpy() for name in naive}
