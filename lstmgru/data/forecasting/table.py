"""The rows of a table by series and time, as numbers, and its gaps.

Missing rows and cells are refused, or filled between observed values; the ends of a series are never filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.forecasting.series import GapPolicy, SeriesSchema
from lstmgru.data.forecasting.series_table import SeriesTable, one_series
from lstmgru.data.tables.clocks import suggest_change_of_clocks, utc_times
from lstmgru.data.tables.columns import Names, check_columns, differ_in_blanks, read_ids, read_names, read_numbers
from lstmgru.data.tables.grid import DAY_NS, Grid, positions, times_at
from lstmgru.data.tables.time_columns import join_times, settled_format
from lstmgru.data.tables.timestamps import read_times
from lstmgru.data.tables.week import recurring_week
from lstmgru.errors import DataError, SeriesError, counted, show_time

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


def read_table_of_series(
    frame: pd.DataFrame,
    schema: SeriesSchema,
    source: str,
    *,
    categorical: Sequence[str] | None = None,
    timezone: str | None = None,
) -> SeriesTable:
    """Check a table and sort it by series and time.

    Args:
        frame: The table.
        schema: The roles of its columns.
        source: File or data set, for messages.
        categorical: Columns whose names become the categories of the schema; ``None`` to use the schema's categories,
            with code 0 for other names.
        timezone: Time zone of times without one, to which others are converted; ``None`` to keep them as they are.

    Raises:
        DataError: A column is missing or has an invalid value, a series has two rows for one time, or a static
            covariate changes within a series.
    """
    whole = not schema.time_columns or (categorical is None and schema.time in frame.columns)
    columns = (schema.time,) if whole else schema.time_columns
    keyed = [("data.time", column) for column in columns]
    keyed += [("data.id", schema.id)] if schema.id else []
    for key in ("targets", "past_covariates", "future_covariates", "static_covariates"):
        name = "target" if key == "targets" else key
        keyed += [(f"data.{name}", column) for column in getattr(schema, key)]
    check_columns(frame, keyed, source)
    if categorical is not None and schema.time_format is None:
        schema = replace(schema, time_format=settled_format(frame, columns, source))
    of_study = categorical is not None  # a model has no keys that could be set
    clock = frame[schema.time] if whole else join_times(frame, columns, source, schema.time_format, of_study=of_study)
    times, own_zone = read_times(clock, source, schema.time_format, may_set_format=of_study)
    codes, ids = np.zeros(len(frame), np.int64), np.array(["series"], dtype=object)
    if schema.id:
        codes, ids = read_ids(frame[schema.id], source, decimals=categorical is None)
    if timezone is not None:
        where = f"{source}: column {schema.time!r} (data.time)"
        if times.dtype.kind == "i":
            rule, way_out = ("data.timezone is", ", or remove it") if of_study else ("the model has the time zone", "")
            raise DataError(f"{where} holds integers, but {rule} {timezone!r}; write dates{way_out}")
        times = utc_times(times, codes, timezone, where, of_study=of_study) if own_zone is None else times
    cells = _read_cells(frame, schema, source, categorical)
    if categorical is not None:
        names = {column: found for column, found in cells.items() if isinstance(found, Names)}
        firsts = {column: found.by_first_appearance(times, codes) for column, found in names.items()}
        schema = replace(schema, categories=firsts)
    numbers = [_numbers(cells[column], schema, column) for column in schema.value_columns]
    values = numbers[0][:, None] if len(numbers) == 1 else np.column_stack(numbers)
    order = _order(codes, times)
    if order is not None:
        codes, times, values = codes[order], times[order], values[order]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(ids)))]).astype(np.int64)
    table = SeriesTable(source, schema, ids, offsets, times, values, np.empty((len(ids), 0)), timezone or own_zone)
    _check_duplicates(table, codes, frame, of_study)
    return _with_static(table, cells, slice(None) if order is None else order) if schema.static_covariates else table


def _read_cells(
    frame: pd.DataFrame, schema: SeriesSchema, source: str, categorical: Sequence[str] | None
) -> dict[str, Names | Numbers]:
    """All columns except times and ids, in the order of the frame's rows."""
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
    """The table with its static covariates; ``order`` sorts the rows of the cells like the table."""
    columns = []
    for column in table.schema.static_covariates:
        first = _check_static(table, column, cells[column], order)
        columns.append(_numbers(cells[column], table.schema, column)[order][first])
    return replace(table, static=np.column_stack(columns))


def _check_static(table: SeriesTable, column: str, cells: Names | Numbers, order: slice | Rows) -> Rows:
    """(series,) the first row of each series with a value. Rows without targets, as those of the future, may be empty.

    Raises:
        SeriesError: A value is missing or changes within a series.
    """
    # Positions, not codes: all names unknown to the schema have the same code.
    values = (np.where(cells.places < 0, np.nan, cells.places) if isinstance(cells, Names) else cells)[order]
    at = f"{table.source}: static covariate {column!r}"
    known = np.isfinite(table.values[:, : len(table.schema.targets)]).any(axis=1)
    rows = np.arange(len(values))
    filled = ~np.isnan(values)
    first = np.minimum.reduceat(np.where(filled, rows, len(rows)), table.offsets[:-1])
    nowhere = np.repeat(first == len(rows), np.diff(table.offsets))
    missing = ~filled & (known | nowhere)
    if missing.any():
        raise table.error(
            missing,
            lambda row: f"{at} is empty at {table.place(row)}; write it in every row of a series, or remove the column",
        )
    before = np.repeat(values[first], np.diff(table.offsets))

    def change(row: int) -> str:
        old, new = (
            repr(cells.distinct[int(value)]) if isinstance(cells, Names) else f"{value:.15g}"
            for value in (before[row], values[row])
        )
        return (
            f"{at} changes within {table.name(table.series_of(row))}, from {old} to {new} at "
            f"{show_time(table.times[row])}; correct it, or make it a past or future covariate"
        )

    changed = filled & (values != before)
    if changed.any():
        raise table.error(changed, change)
    return first


def _order(codes: npt.NDArray[np.int64], times: npt.NDArray[Any]) -> npt.NDArray[np.intp] | None:
    """The order by series and time; ``None`` if the rows are already sorted."""
    same = codes[1:] == codes[:-1]
    if ((codes[1:] > codes[:-1]) | (same & (times[1:] >= times[:-1]))).all():
        return None
    return np.lexsort((times, codes))


def _check_duplicates(table: SeriesTable, codes: npt.NDArray[np.int64], frame: pd.DataFrame, of_study: bool) -> None:
    repeated = np.append(False, (codes[1:] == codes[:-1]) & (table.times[1:] == table.times[:-1]))

    def message(first: int) -> str:
        series = table.series_of(first)
        rows = np.flatnonzero(repeated[first : table.offsets[series + 1]]) + first
        way_out = "remove or aggregate them"
        if not table.schema.id and of_study:
            way_out = "aggregate them, or name the column of series in data.id"
        if of_study and table.timezone is None and suggest_change_of_clocks(table.times[rows], table.times):
            way_out = (
                "if a change of clocks repeats this hour of local time, set data.timezone, such as Europe/Berlin; "
                f"otherwise {way_out}"
            )
        same = differ_in_blanks(frame[table.schema.id], str(table.ids[series])) if table.schema.id else ""
        return (
            f"{table.source}: column {table.schema.time!r} repeats a time within a series "
            f"({counted(len(rows), 'row')} too many), first {table.place(first)}{same}; {way_out}"
        )

    if repeated.any():
        raise table.error(repeated, message)


_COMPLETE = "complete the table"
_WAY_OUT = f"set data.gaps to fill or interpolate, or {_COMPLETE}"
_MOST_FILLED = 1
"""Most added rows for each row that there is."""


def complete_rows(table: SeriesTable, grid: Grid, gaps: GapPolicy, *, of_study: bool = True) -> SeriesTable:
    """The table with a row for every grid time between the first and the last row of a series.

    Args:
        table: Its times lie on the grid.
        grid: The frequency.
        gaps: ``error`` refuses missing rows; otherwise they are added with missing cells.
        of_study: Whether messages advise to set keys of a study.

    Raises:
        DataError: Rows are missing and the policy is ``error``, or more are missing than there are.
    """
    steps = positions(grid, table.times, table.offsets, table.timezone)[0]
    lengths = steps[table.offsets[1:] - 1] + 1
    missing = int(lengths.sum(dtype=np.float64)) - len(table.times)  # an int64 could overflow
    if missing == 0:
        return table
    there, too_many = np.diff(table.offsets), missing > _MOST_FILLED * len(table.times)
    if gaps == "error" and not too_many:
        raise DataError(_missing_rows(table, grid, _WAY_OUT if of_study else _COMPLETE, of_study))
    if too_many:
        sparse = np.flatnonzero(lengths - there > _MOST_FILLED * there)
        raise SeriesError(
            table.ids[sparse].tolist(),
            lambda index: _too_many_missing(one_series(table, int(sparse[index])), grid, of_study),
        )
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    first = table.times[table.offsets[:-1]]
    all_steps = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
    rows = np.repeat(offsets[:-1], np.diff(table.offsets)) + steps
    values = np.full((offsets[-1], table.values.shape[1]), np.nan)
    values[rows] = table.values
    times = times_at(grid, np.repeat(first, lengths), all_steps, table.timezone)
    return replace(table, offsets=offsets, times=times, values=values)


def _too_many_missing(table: SeriesTable, grid: Grid, of_study: bool) -> str:
    return _missing_rows(
        table,
        grid,
        f"that is more than the {counted(len(table.times), 'row')} that are there, too many to fill in; aggregate the "
        "table to a lower frequency, or correct the times",
        of_study,
    )


def _missing_rows(table: SeriesTable, grid: Grid, way_out: str, of_study: bool) -> str:
    steps = positions(grid, table.times, table.offsets, table.timezone)[0]
    missing = int((steps[table.offsets[1:] - 1] + 1).sum(dtype=np.float64)) - len(steps)
    after = int(np.argmax(np.diff(steps) > 1)) + 1
    week = _week_of(table, grid, missing) if of_study else None
    return (
        f"{table.source}: column {table.schema.time!r} lacks {counted(missing, 'row')} at frequency {grid.alias}, "
        f"first between {show_time(table.times[after - 1])} and {table.place(after)}; "
        + (f"if there never are others, set data.frequency: {week}; otherwise {way_out}" if week else way_out)
    )


def _week_of(table: SeriesTable, grid: Grid, missing: int) -> str | None:
    """The week that explains most missing rows, such as one without Sundays."""
    if grid.unit not in ("day", "ns"):
        return None
    tick = grid.size * (DAY_NS if grid.unit == "day" else 1)
    week = recurring_week(table.times, table.offsets, table.timezone, tick, certain=False)
    if week is None:
        return None
    steps, on_grid = positions(week, table.times, table.offsets, table.timezone)
    left = int((steps[table.offsets[1:] - 1] + 1).sum()) - len(steps)
    return week.alias if on_grid.all() and left * 10 <= missing else None


def fill_cells(table: SeriesTable, gaps: GapPolicy) -> SeriesTable:
    """The table with missing cells filled between observed values of the same series.

    Args:
        table: Complete rows.
        gaps: ``fill`` carries the last value forward, ``interpolate`` interpolates linearly in time (names are carried
            forward), ``error`` leaves cells missing.
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


def first_known(table: SeriesTable) -> npt.NDArray[np.int64]:
    """(series,) the first row at which every column has had a value; the first of all if there is none."""
    start, rows = table.offsets[:-1], np.arange(len(table.times))
    first = start
    for values in table.values.T:
        if np.isnan(values[start]).any():
            known = np.minimum.reduceat(np.where(np.isnan(values), len(rows), rows), start)
            first = np.maximum(first, known)
    return np.where(first < table.offsets[1:], first, start)


def check_cells(table: SeriesTable, gaps: GapPolicy, *, of_study: bool = True) -> None:
    """Refuse cells that are still missing; ``of_study`` as for :func:`complete_rows`.

    Raises:
        DataError: A cell is missing.
    """
    missing = np.isnan(table.values)
    if not missing.any():
        return
    names = table.schema.value_columns
    empty = np.flatnonzero(missing.all(axis=0))
    if len(empty):
        raise DataError(f"{table.source}: column {names[empty[0]]!r} has no values; remove it")
    _check_future_rows(table, missing)
    column = int(np.argmax(missing.any(axis=0)))
    row = int(np.argmax(missing[:, column]))
    series = table.series_of(row)
    start, end = int(table.offsets[series]), int(table.offsets[series + 1])
    count = int(missing[:, column].sum())
    at = f"{table.source}: column {names[column]!r} has {counted(count, 'missing value')}, first at {table.place(row)}"
    if missing[start:end, column].all():
        raise DataError(f"{at}: {table.name(series)} has no value of it; remove the series or the column")
    if missing[row:end, column].all():
        raise DataError(f"{at}: a series cannot end with one, as nothing after it is known; remove those rows")
    raise DataError(f"{at}; {_WAY_OUT if of_study and gaps == 'error' else _COMPLETE}")


def _check_future_rows(table: SeriesTable, missing: npt.NDArray[np.bool_]) -> None:
    """Refuse rows without targets at the end of a series, which belong to the future."""
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
