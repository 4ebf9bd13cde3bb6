"""Missing rows and cells: refused, or filled between observed values; nothing is filled at either end."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import GapPolicy
from lstmgru.data.forecasting.table import SeriesTable
from lstmgru.data.formatting import counted, show_time
from lstmgru.data.tables.grid import Grid, positions, times_at
from lstmgru.errors import DataError, did_you_mean

_WAY_OUT = "set data.gaps to fill or interpolate, or complete the table"
_MOST_FILLED = 10


def check_policy(gaps: str) -> None:
    """Refuse a policy that there is not.

    Raises:
        DataError: Names the valid ones.
    """
    valid = list(get_args(GapPolicy))
    if gaps not in valid:
        raise DataError(f"data.gaps must be one of {', '.join(valid)} but got {gaps!r}{did_you_mean(gaps, valid)}")


def complete_rows(table: SeriesTable, grid: Grid, gaps: GapPolicy) -> SeriesTable:
    """The table with a row for every time of the grid between the first and the last of a series.

    Args:
        table: Its times lie on the grid.
        grid: The frequency.
        gaps: ``error`` refuses missing rows; otherwise they are added, their cells missing.

    Raises:
        DataError: Rows are missing and the policy is ``error``, or more than the frequency can mean.
    """
    steps = positions(grid, table.times, table.offsets, table.timezone)[0]
    lengths = steps[table.offsets[1:] - 1] + 1
    missing = int(lengths.sum(dtype=np.float64)) - len(table.times)  # an int64 could overflow
    if missing == 0:
        return table
    if gaps == "error" or missing > _MOST_FILLED * len(table.times):
        raise _missing_rows(table, grid, steps, missing, gaps)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    first = table.times[table.offsets[:-1]]
    all_steps = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    rows = np.repeat(offsets[:-1], np.diff(table.offsets)) + steps
    values = np.full((offsets[-1], table.values.shape[1]), np.nan)
    values[rows] = table.values
    times = times_at(grid, np.repeat(first, lengths), all_steps, table.timezone)
    return replace(table, offsets=offsets, times=times, values=values)


def _missing_rows(
    table: SeriesTable, grid: Grid, steps: npt.NDArray[np.int64], missing: int, gaps: GapPolicy
) -> DataError:
    after = int(np.argmax(np.diff(steps) > 1)) + 1
    way_out = _WAY_OUT if gaps == "error" else f"more than {_MOST_FILLED} times what is there: set data.frequency"
    return DataError(
        f"{table.source}: column {table.schema.time!r} lacks {counted(missing, 'row')} at frequency {grid.alias}, "
        f"first between {show_time(table.times[after - 1])} and {table.place(after)}; {way_out}"
    )


def fill_cells(table: SeriesTable, gaps: GapPolicy) -> SeriesTable:
    """The table with its missing cells filled where a value of the same series stands before and after them.

    Args:
        table: Complete rows.
        gaps: ``fill`` carries the last value forward, ``interpolate`` goes straight to the next one in time (between
            names there is nothing, so the last one is carried forward), ``error`` leaves cells missing.
    """
    if gaps == "error" or not np.isnan(table.values).any():
        return table
    values = table.values.copy()
    start = np.repeat(table.offsets[:-1], np.diff(table.offsets))
    end = np.repeat(table.offsets[1:], np.diff(table.offsets))
    for name, column in zip(table.schema.value_columns, values.T, strict=True):
        missing = np.isnan(column)
        rows = np.arange(len(column))
        before = np.maximum.accumulate(np.where(missing, -1, rows))
        after = np.minimum.accumulate(np.where(missing, len(column), rows)[::-1])[::-1]
        inside = np.flatnonzero(missing & (before >= start) & (after < end))
        left, right = before[inside], after[inside]
        known = column[left]
        if gaps == "interpolate" and name not in table.schema.categories:
            clock = table.times.astype(np.int64)
            share = (clock[inside] - clock[left]) / (clock[right] - clock[left])
            known = known + share * (column[right] - known)
        column[inside] = known
    return replace(table, values=values)


def check_cells(table: SeriesTable, gaps: GapPolicy) -> None:
    """Refuse cells that are still missing.

    Raises:
        DataError: Says which, and whether they start or end a series, where no policy fills.
    """
    missing = np.isnan(table.values)
    if not missing.any():
        return
    names = table.schema.value_columns
    empty = np.flatnonzero(missing.all(axis=0))
    if len(empty):
        raise DataError(f"{table.source}: column {names[empty[0]]!r} has no values; leave it out")
    _check_future_rows(table, missing)
    column = int(np.argmax(missing.any(axis=0)))
    row = int(np.argmax(missing[:, column]))
    series = table.series_of(row)
    start, end = int(table.offsets[series]), int(table.offsets[series + 1])
    count = int(missing[:, column].sum())
    at = f"{table.source}: column {names[column]!r} has {counted(count, 'missing value')}, first at {table.place(row)}"
    if missing[start : row + 1, column].all():
        raise DataError(f"{at}: a series cannot start with one, as nothing before it is known; remove those rows")
    if missing[row:end, column].all():
        raise DataError(f"{at}: a series cannot end with one, as nothing after it is known; remove those rows")
    raise DataError(f"{at}; {_WAY_OUT}" if gaps == "error" else f"{at}; complete the table")


def _check_future_rows(table: SeriesTable, missing: npt.NDArray[np.bool_]) -> None:
    """Refuse rows at the end of a series that have no targets: they are the future."""
    without: npt.NDArray[np.bool_] = np.all(missing[:, : len(table.schema.targets)], axis=1)
    last = table.offsets[1:] - 1
    if not without[last].any():
        return
    series = int(np.argmax(without[last]))
    end = int(table.offsets[series + 1])
    known = np.flatnonzero(~without[table.offsets[series] : end])
    first = int(table.offsets[series]) + (int(known[-1]) + 1 if len(known) else 0)
    raise DataError(
        f"{table.source}: the last {counted(end - first, 'row')} from {table.place(first)} on have no targets; remove "
        "them: rows of the future, with their covariates, belong in the table that is given to predict"
    )
