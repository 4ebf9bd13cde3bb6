"""Whether the times of a table are those that a model was trained on."""

from __future__ import annotations

import numpy as np

from lstmgru.data.forecasting.series_table import SeriesTable, keep_rows, one_series
from lstmgru.data.tables.frequency import STEP, infer_frequency
from lstmgru.data.tables.grid import Grid, Integers, positions
from lstmgru.errors import DataError, SeriesError


def conforming_zone(table: SeriesTable, timezone: str | None) -> str | None:
    """The time zone of a panel, if the table's times can be read in it.

    Raises:
        DataError: One of the two has a time zone and the other has none.
    """
    column = f"{table.source}: column {table.schema.time!r}"
    if timezone is None and table.timezone is not None:
        raise DataError(
            f"{column} has the time zone {table.timezone} but the model was trained on times without one; "
            "write local times without an offset"
        )
    if timezone is not None and table.timezone is None:
        raise DataError(
            f"{column} has no time zone but the model was trained on times in {timezone}; "
            "write times with their offset, or in UTC (2020-01-31T12:00Z)"
        )
    return timezone


def conforming_steps(table: SeriesTable, grid: Grid) -> Integers:
    """(rows,) grid steps since the first row of a series.

    A series has another frequency if one of its rows is not on the grid, or if none of at least three has a neighbor
    one step away. It does not matter what other series the table holds.

    Raises:
        SeriesError: The rows of some series have another frequency than the grid.
    """
    expected = f"{STEP} of {grid.size}" if grid.unit == STEP else grid.alias

    def message(found: SeriesTable, what: str) -> str:
        return (
            f"{table.source}: the frequency of {what} is {_frequency_of(found)} but the model was trained on "
            f"{expected}; resample the table to that frequency"
        )

    wrong = np.ones(len(table.ids), bool)
    if (table.times.dtype.kind == "i") == (grid.unit == STEP):
        steps, on_grid = positions(grid, table.times, table.offsets, table.timezone)
        neighbors = np.logical_or.reduceat(np.append(np.diff(steps) == 1, False), table.offsets[:-1])
        wrong = ~np.logical_and.reduceat(on_grid, table.offsets[:-1]) | (~neighbors & (np.diff(table.offsets) > 2))
        if not wrong.any():
            return steps
    series = np.flatnonzero(wrong)
    raise SeriesError(
        table.ids[series].tolist(),
        lambda index: message(one_series(table, int(series[index])), table.name(int(series[index]))),
        summary=message(table, f"column {table.schema.time!r}") if len(series) == len(wrong) else None,
    )


def _frequency_of(table: SeriesTable) -> str:
    long_enough = np.repeat(np.diff(table.offsets) > 1, np.diff(table.offsets))
    if not long_enough.any():
        return "unknown (single rows)"
    several = keep_rows(table, long_enough)
    try:
        alias, step = infer_frequency(several.times, several.offsets, timezone=table.timezone)
    except DataError:
        return "irregular"
    return f"{STEP} of {step}" if alias == STEP else alias
