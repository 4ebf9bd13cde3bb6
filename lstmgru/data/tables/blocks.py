"""Read a file in blocks of whole series or sequences, whatever its order, without holding it in memory.

The file is read twice. First, the names of the series, the number of their rows and the kinds of the columns are found.
Then its rows are read again: block after block where the series stand one after the other in their order; otherwise
they are sorted into blocks in a temporary file. Memory is that of the largest block and of the names of the series.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import ipc

from lstmgru.data.tables.chunks import ChunkedFile, to_frame
from lstmgru.data.tables.columns import read_row_names, whole_numbers
from lstmgru.data.tables.writers import scratch_file

Integers = npt.NDArray[np.int64]
_ROW = "row number in the file"


class Block(NamedTuple):
    """Some rows of a table: all of some series or sequences.

    Attributes:
        frame: The rows, in the order of the table.
        rows: (rows,) their indices in the whole table.
    """

    frame: pd.DataFrame
    rows: Integers


class TableBlocks:
    """The blocks of a file, which is scanned first; iterate over it once.

    Args:
        file: The file.
        group_by: The column of the names of the series or sequences; ``None`` if each row is one. A row without a name
            is in the first block.
        columns: Those to read, as far as they are there; all if one of them is missing, for the message about it.
        by_name: Whether series are read in the order of their names, as numbers if all are whole numbers; otherwise in
            the order of their first rows.
        most_rows: Rows of a block; only a single series or sequence may have more.
        most_groups: Series or sequences of a block.
        advance: Is called with each number of rows that were scanned, and sorted if they must be.

    Attributes:
        n_rows: Rows of the file.
        counts: (blocks,) rows of each block.

    Raises:
        DataError: The file cannot be read.
    """

    def __init__(
        self,
        file: ChunkedFile,
        group_by: str | None,
        columns: Collection[str],
        *,
        by_name: bool = False,
        most_rows: int,
        most_groups: int,
        advance: Callable[[int], None] = lambda rows: None,
    ) -> None:
        self._file, self._most_rows, self._advance = file, most_rows, advance
        # If a column is missing, the model will say so.
        self._group_by = group_by if group_by in file.names else None
        there = [name for name in file.names if name in columns]
        self._columns = there if len(there) == len(set(columns)) else list(file.names)
        groups = _Groups()
        self.n_rows = 0
        for chunk in file.scanned():
            if self._group_by is not None:
                groups.add(_names(chunk, self._group_by))
            self.n_rows += chunk.num_rows
            advance(chunk.num_rows)
        self._block_of: Integers | None = None
        self._in_order = True
        if self._group_by is None:
            size = min(most_rows, most_groups)
            self.counts = np.full(-(-self.n_rows // size), size)
            self.counts[-1] -= self.counts.sum() - self.n_rows
        else:
            order = groups.order(by_name=by_name)
            self._block_of = groups.blocks(order, most_rows, most_groups)
            self._in_order = groups.contiguous and bool((np.diff(order) > 0).all())
            self.counts = groups.rows_of(self._block_of)
        self._names = groups.codes

    def __iter__(self) -> Iterator[Block]:
        """The blocks, in order.

        Raises:
            DataError: The file cannot be read.
        """
        return self._streamed() if self._in_order else self._sorted()

    def _chunks(self) -> Iterator[pa.Table]:
        """The rows of the file with their numbers."""
        first = 0
        for chunk in self._file.chunks(self._columns):
            numbers = pa.array(np.arange(first, first + chunk.num_rows))
            yield chunk.append_column(_ROW, numbers)
            first += chunk.num_rows

    def _streamed(self) -> Iterator[Block]:
        ends = iter(np.cumsum(self.counts))
        waiting: list[pa.Table] = []
        first, end = 0, int(next(ends))
        for chunk in self._chunks():
            rest = chunk
            while first + rest.num_rows >= end:
                waiting.append(rest.slice(0, end - first))
                rest, first = rest.slice(end - first), end
                yield _block(waiting)
                waiting, end = [], int(next(ends, self.n_rows + 1))
            waiting.append(rest)
            first += rest.num_rows

    def _sorted(self) -> Iterator[Block]:
        """The blocks by way of a temporary file, which has no name, so that nothing is left of a killed process."""
        assert self._block_of is not None  # rows of their own are in order
        assert self._group_by is not None
        with scratch_file() as scratch:
            places: list[list[int]] = [[] for _ in self.counts]
            writer, written = None, 0
            for chunk in _gathered(self._chunks(), self._most_rows):
                codes = _codes(_names(chunk, self._group_by), self._names)
                block = np.where(codes < 0, 0, self._block_of[codes])
                order = np.argsort(block, kind="stable")
                numbers, starts = np.unique(block[order], return_index=True)
                rows = chunk.take(pa.array(order)).combine_chunks()
                writer = writer or ipc.new_file(scratch, rows.schema, options=ipc.IpcWriteOptions(compression="lz4"))
                for number, start, end in zip(numbers, starts, [*starts[1:], len(order)], strict=True):
                    for batch in rows.slice(start, end - start).to_batches():
                        writer.write_batch(batch)
                        places[number].append(written)
                        written += 1
                self._advance(chunk.num_rows)
            assert writer is not None  # a file without rows was refused
            writer.close()
            scratch.seek(0)
            with ipc.open_file(scratch) as reader:
                for its in places:
                    yield _block([pa.Table.from_batches([reader.get_batch(place)]) for place in its])


def _gathered(chunks: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The chunks, some of them together, so that each has at least that many rows; the last one may have fewer."""
    waiting: list[pa.Table] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(map(len, waiting)) >= rows:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


class _Groups:
    """The names of a column, in the order of their first appearance, and how many rows have each.

    Attributes:
        codes: Name → its number.
        contiguous: Whether all rows of each name follow each other, and no row is without a name.
    """

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.contiguous = True
        self._counts = np.zeros(0, np.int64)
        self._nameless = self._last = 0

    def add(self, chunk: tuple[Integers, Sequence[str]]) -> None:
        """Count the names of some more rows."""
        for name in chunk[1]:
            self.codes.setdefault(name, len(self.codes))
        codes = _codes(chunk, self.codes)
        self.contiguous &= bool((np.diff(codes, prepend=self._last) >= 0).all())
        self._last = int(codes[-1])
        named = codes[codes >= 0]
        counts = np.bincount(named, minlength=len(self.codes))
        counts[: len(self._counts)] += self._counts
        self._counts = counts
        self._nameless += len(codes) - len(named)

    def order(self, *, by_name: bool) -> Integers:
        """(names,) the numbers of the names in their order."""
        names = list(self.codes)
        if not by_name:
            return np.arange(len(names))
        whole = whole_numbers(names)
        return np.array(sorted(range(len(names)), key=(names if whole is None else whole).__getitem__), np.int64)

    def blocks(self, order: Integers, most_rows: int, most_groups: int) -> Integers:
        """(names,) the block of each name."""
        block_of = np.zeros(len(order), np.int64)
        block, rows, groups = 0, self._nameless, 0
        for code in order.tolist():
            count = int(self._counts[code])
            if groups and (rows + count > most_rows or groups == most_groups):
                block, rows, groups = block + 1, 0, 0
            block_of[code] = block
            rows, groups = rows + count, groups + 1
        return block_of

    def rows_of(self, block_of: Integers) -> Integers:
        """(blocks,) rows of each block."""
        counts = np.bincount(block_of, weights=self._counts, minlength=1).astype(np.int64)
        counts[0] += self._nameless
        return counts


def _names(chunk: pa.Table, column: str) -> tuple[Integers, Sequence[str]]:
    """(rows,) the place of each row's name among the distinct ones, -1 for an empty cell, and these."""
    encoded = chunk.column(column).combine_chunks().dictionary_encode()
    read = read_row_names(to_frame(pa.table({column: encoded.dictionary}))[column], "table")
    indices = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy()
    return np.append(read.places, -1)[indices], read.distinct


def _codes(names: tuple[Integers, Sequence[str]], codes: dict[str, int]) -> Integers:
    places, distinct = names
    of_place = np.array([*(codes[name] for name in distinct), -1], np.int64)
    return of_place[places]


def _block(parts: Sequence[pa.Table]) -> Block:
    table = pa.concat_tables(parts)
    rows: Any = table.column(_ROW).to_numpy()
    return Block(to_frame(table.drop_columns([_ROW]), consume=True), rows)
