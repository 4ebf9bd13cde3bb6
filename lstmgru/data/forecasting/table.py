"""The rows of a table by series and time, as numbers, before anything is filled or derived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.forecasting.series import SeriesSchema
from lstmgru.data.formatting import counted, show_time
from lstmgru.data.tables.columns import check_columns, read_ids, read_numbers
from lstmgru.data.tables.names import Names, read_names
from lstmgru.data.tables.timestamps import read_times
from lstmgru.errors import DataError

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


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
        static: (series, S) float64 in the order of ``schema.static_covariates``.
        timezone: Name of the time zone; ``times`` are UTC then.
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
        return int(np.searchsorted(self.offsets, row, side="right")) - 1

    def place(self, row: int) -> str:
        """A row as a message shows it: its time, and its series where there are several."""
        of_series = f" of {self.name(self.series_of(row))}" if self.schema.id else ""
        return f"{show_time(self.times[row])}{of_series}"

    def name(self, series: int) -> str:
        """A series as a message shows it."""
        return f"series {self.ids[series]!r}" if self.schema.id else "the series"


def read_table_of_series(
    frame: pd.DataFrame, schema: SeriesSchema, source: str, *, categorical: Sequence[str] | None = None
) -> SeriesTable:
    """Check a table and sort it by series and time.

    Args:
        frame: The table.
        schema: The parts that its columns play.
        source: File or data set, for messages.
        categorical: Columns whose names become the schema's categories. ``None``: the schema has its categories, and a
            name that is not among them gets the code 0.

    Raises:
        DataError: A column is missing or holds what it must not, a series has two rows for one time, or a static
            covariate changes within one.
    """
    keyed = [("data.time", schema.time), *((("data.id", schema.id),) if schema.id else ())]
    for key in ("targets", "past_covariates", "future_covariates", "static_covariates"):
        name = "target" if key == "targets" else key
        keyed += [(f"data.{name}", column) for column in getattr(schema, key)]
    check_columns(frame, keyed, source)
    times, timezone = read_times(frame[schema.time], source)
    codes, ids = np.zeros(len(frame), np.int64), np.array(["series"], dtype=object)
    if schema.id:
        codes, ids = read_ids(frame[schema.id], source)
    cells = _read_cells(frame, schema, source, categorical)
    if categorical is not None:
        names = {column: found for column, found in cells.items() if isinstance(found, Names)}
        firsts = {column: found.by_first_appearance(times, codes) for column, found in names.items()}
        schema = replace(schema, categories=firsts)
    values = np.column_stack([_numbers(cells[column], schema, column) for column in schema.value_columns])
    order = _order(codes, times)
    if order is not None:
        codes, times, values = codes[order], times[order], values[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))]).astype(np.int64)
    table = SeriesTable(source, schema, ids, offsets, times, values, np.empty((len(ids), 0)), timezone)
    _check_duplicates(table, codes)
    return _with_static(table, cells, slice(None) if order is None else order) if schema.static_covariates else table


def _read_cells(
    frame: pd.DataFrame, schema: SeriesSchema, source: str, categorical: Sequence[str] | None
) -> dict[str, Names | Numbers]:
    """Every column but times and ids, in the order of the frame's rows."""
    named = schema.categories if categorical is None else categorical
    cells: dict[str, Names | Numbers] = {}
    for column in (*schema.value_columns, *schema.static_covariates):
        if column in named:
            cells[column] = read_names(frame[column], source)
        else:
            changeable = categorical is not None and column not in schema.targets
            cells[column] = read_numbers(frame[column], source, may_hold_names=changeable)
    return cells


def _numbers(cells: Names | Numbers, schema: SeriesSchema, column: str) -> Numbers:
    return cells.codes(schema.categories[column]) if isinstance(cells, Names) else cells


def _with_static(table: SeriesTable, cells: dict[str, Names | Numbers], order: slice | Rows) -> SeriesTable:
    """The table with its static covariates; ``order`` are the rows of the cells as the table has them."""
    first = table.offsets[:-1]
    columns = []
    for column in table.schema.static_covariates:
        _check_static(table, column, cells[column], order)
        columns.append(_numbers(cells[column], table.schema, column)[order][first])
    return replace(table, static=np.column_stack(columns))


def _check_static(table: SeriesTable, column: str, cells: Names | Numbers, order: slice | Rows) -> None:
    # Places and not codes: two names that the schema does not know have the same code.
    values = (np.where(cells.places < 0, np.nan, cells.places) if isinstance(cells, Names) else cells)[order]
    at = f"{table.source}: static covariate {column!r}"
    missing = np.isnan(values)
    if missing.any():
        place = table.place(int(np.argmax(missing)))
        raise DataError(f"{at} is empty at {place}; write it in every row of a series, or leave the column out")
    before = np.repeat(values[table.offsets[:-1]], np.diff(table.offsets))
    changed = values != before
    if changed.any():
        row = int(np.argmax(changed))
        old, new = (
            repr(cells.distinct[int(value)]) if isinstance(cells, Names) else f"{value:.15g}"
            for value in (before[row], values[row])
        )
        raise DataError(
            f"{at} changes within {table.name(table.series_of(row))}, from {old} to {new} at "
            f"{show_time(table.times[row])}; correct it, or make it a past or future covariate"
        )


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
        static=table.static[remaining],
        times=table.times[kept],
        values=table.values[kept],
    )
