"""The rows of a table by series and time, as numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import SeriesSchema
from lstmgru.data.tables.columns import group_of
from lstmgru.errors import SeriesError, show_time


@dataclass(frozen=True)
class SeriesTable:
    """Concatenated series, sorted by time; missing cells are NaN.

    Attributes:
        source: File or data set, for messages.
        schema: The roles of the columns.
        ids: (series,) names.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``.
        times: (rows,) ``datetime64[ns]`` or ``int64``.
        values: (rows, columns) float64 in the order of ``schema.value_columns``; NaN where a cell is missing.
        static: (series, S) float64 in the order of ``schema.static_covariates``.
        timezone: Name of the time zone, with ``times`` in UTC; ``None`` for naive times.
    """

    source: str
    schema: SeriesSchema
    ids: npt.NDArray[np.object_]
    offsets: npt.NDArray[np.int64]
    times: npt.NDArray[Any]
    values: npt.NDArray[np.float64]
    static: npt.NDArray[np.float64]
    timezone: str | None

    def series_of(self, row: int) -> int:
        """The series that a row belongs to."""
        return int(group_of(self.offsets, row))

    def place(self, row: int) -> str:
        """A row in messages: its time, and its series if there are several."""
        of_series = f" of {self.name(self.series_of(row))}" if self.schema.id else ""
        return f"{show_time(self.times[row])}{of_series}"

    def name(self, series: int) -> str:
        """A series in messages."""
        return f"series {self.ids[series]!r}" if self.schema.id else "the series"

    def error(self, wrong: npt.NDArray[np.bool_], message: Callable[[int], str]) -> SeriesError:
        """The error about the series of some rows.

        Args:
            wrong: (rows,) True for rows that break a rule.
            message: The message about a series, from its first such row.
        """
        rows = np.flatnonzero(wrong)
        series, first = np.unique(group_of(self.offsets, rows), return_index=True)
        return SeriesError(self.ids[series].tolist(), lambda index: message(int(rows[first[index]])))


def keep_rows(table: SeriesTable, kept: npt.NDArray[np.bool_]) -> SeriesTable:
    """The table with some of its rows; series without rows are dropped.

    Args:
        table: The table.
        kept: (rows,) True for rows to keep.
    """
    counts = np.add.reduceat(kept.astype(np.int64), table.offsets[:-1])
    remaining = counts > 0
    return replace(
        table,
        ids=table.ids[remaining],
        offsets=np.concatenate([[0], np.cumsum(counts[remaining])]).astype(np.int64),
        static=table.static[remaining],
        times=table.times[kept],
        values=table.values[kept],
    )


def one_series(table: SeriesTable, series: int) -> SeriesTable:
    """The table of one of the series, by its number."""
    rows = slice(int(table.offsets[series]), int(table.offsets[series + 1]))
    return replace(
        table,
        ids=table.ids[series : series + 1],
        offsets=np.array([0, rows.stop - rows.start]),
        times=table.times[rows],
        values=table.values[rows],
        static=table.static[series : series + 1],
    )
