"""Whether the times of a new table are of the kind that a model was trained on."""

from __future__ import annotations

import numpy as np

from lstmgru.data.forecasting.table import SeriesTable, keep_rows
from lstmgru.data.tables.aliases import STEP
from lstmgru.data.tables.frequency import infer_frequency
from lstmgru.data.tables.grid import Grid, Integers, positions
from lstmgru.errors import DataError


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

    Raises:
        DataError: The rows have another frequency than the grid.
    """
    if (table.times.dtype.kind == "i") == (grid.unit == STEP):
        steps, on_grid = positions(grid, table.times, table.offsets, table.timezone)
        apart = np.delete(np.diff(steps), table.offsets[1:-1] - 1)
        # Gaps may widen some distances, but where neighbors are rare the rows have another frequency.
        if on_grid.all() and (len(apart) == 0 or np.mean(apart == 1) >= 0.5):
            return steps
    expected = f"{STEP} of {grid.size}" if grid.unit == STEP else grid.alias
    raise DataError(
        f"{table.source}: the frequency of column {table.schema.time!r} is {_found(table)} but the model was "
        f"trained on {expected}; bring the table to that frequency"
    )


def _found(table: SeriesTable) -> str:
    long_enough = np.repeat(np.diff(table.offsets) > 1, np.diff(table.offsets))
    if not long_enough.any():
        return "unknown (single rows)"
    several = keep_rows(table, long_enough)
    try:
        alias, step = infer_frequency(several.times, several.offsets, timezone=table.timezone)
    except DataError:
        return "irregular"
    return f"{STEP} of {step}" if alias == STEP else alias
