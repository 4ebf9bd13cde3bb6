"""The rows of a table by series and time, as numbers, before anything is filled or derived."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.columns import check_columns, read_ids, read_numbers
from lstmgru.data.series import SeriesSchema
from lstmgru.data.timestamps import read_times
from lstmgru.data.wording import counted, show_time
from lstmgru.errors import DataError


@dataclass(frozen=True)
class SeriesTable:
    """Series end to end, sorted by time, with whatever is missing still missing.

    Attributes:
        source: File or data set, for messages.
        schema: The parts that the columns play.
        ids: (series,) names.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``.
        times: (rows,) ``datetime64[ns]`` or ``int64``.
        values: (rows, columns) float64 in the order of ``schema.value_columns``; NaN where a cell is missing.
        timezone: Name of the time zone; ``times`` are UTC then.
    """

    source: str
    schema: SeriesSchema
    ids: npt.NDArray[np.object_]
    offsets: npt.NDArray[np.int64]
    times: npt.NDArray[Any]
    values: npt.NDArray[np.float64]
    timezone: str | None

    def series_of(self, row: int) -> int:
        """The series that a row belongs to."""
        return int(np.searchsorted(self.offsets, row, side="right")) - 1

    def place(self, row: int) -> str:
        """A row as a message shows it: its time, and its series where there are several."""
        of_series = f" of {self.name(self.series_of(row))}" if self.schema.id else ""
        return f"{show_time(self.times[row])}{of_series}"

    def name(self, series: int) -> str:
        """A series as a message shows it."""
        return f"series {self.ids[series]!r}" if self.schema.id else "the series"


def read_table_of_series(frame: pd.DataFrame, schema: SeriesSchema, source: str) -> SeriesTable:
    """Check a table and sort it by series and time.

    Raises:
        DataError: A column is missing or holds what it must not, or a series has two rows for one time.
    """
    keyed = [("data.time", schema.time), *((("data.id", schema.id),) if schema.id else ())]
    for key in ("targets", "past_covariates", "future_covariates"):
        keyed += [(f"data.{key}", column) for column in getattr(schema, key)]
    check_columns(frame, keyed, source)
    times, timezone = read_times(frame[schema.time], source)
    codes, ids = np.zeros(len(frame), np.int64), np.array(["series"], dtype=object)
    if schema.id:
        codes, ids = read_ids(frame[schema.id], source)
    values = np.column_stack([read_numbers(frame[column], source) for column in schema.value_columns])
    order = _order(codes, times)
    if order is not None:
        codes, times, values = codes[order], times[order], values[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))]).astype(np.int64)
    table = SeriesTable(source, schema, ids, offsets, times, values, timezone)
    _check_duplicates(table, codes)
    return table


def _order(codes: npt.NDArray[np.int64], times: npt.NDArray[Any]) -> npt.NDArray[np.intp] | None:
    """The order by series and time, or ``None`` for rows that are in order already."""
    same = codes[1:] == codes[:-1]
    if ((codes[1:] > codes[:-1]) | (same & (times[1:] >= times[:-1]))).all():
        return None
    return np.lexsort((times, codes))


def _check_duplicates(table: SeriesTable, codes: npt.NDArray[np.int64]) -> None:
    repeated = (codes[1:] == codes[:-1]) & (table.times[1:] == table.times[:-1])
    if not repeated.any():
        return
    way_out = (
        "remove or aggregate them" if table.schema.id else "aggregate them, or name the column of series in data.id"
    )
    raise DataError(
        f"{table.source}: column {table.schema.time!r} repeats a time within a series "
        f"({counted(int(repeated.sum()), 'row')} too many), first {table.place(int(np.argmax(repeated)))}; {way_out}"
    )


def keep_rows(table: SeriesTable, kept: npt.NDArray[np.bool_]) -> SeriesTable:
    """The table with some of its rows; a series without any is left out.

    Args:
        table: The table.
        kept: (rows,) True for the rows to keep.
    """
    counts = np.add.reduceat(kept.astype(np.int64), table.offsets[:-1])
    remaining = counts > 0
    return replace(
        table,
        ids=table.ids[remaining],
        offsets=np.concatenate([[0], np.cumsum(counts[remaining])]).astype(np.int64),
        times=table.times[kept],
        values=table.values[kept],
    )
