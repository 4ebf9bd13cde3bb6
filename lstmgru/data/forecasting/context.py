"""The inputs of a forecast from a new table: the last rows of each series, and their known future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.forecasting.calendar import calendar_values, channel_features
from lstmgru.data.forecasting.model_times import conforming_steps, conforming_zone
from lstmgru.data.forecasting.series import GapPolicy, SeriesSchema, check_policy
from lstmgru.data.forecasting.series_table import SeriesTable, keep_rows
from lstmgru.data.forecasting.table import fill_cells, first_known, read_table_of_series
from lstmgru.data.tables.frequency import parse_frequency
from lstmgru.data.tables.grid import Grid, Integers, times_at
from lstmgru.errors import DataError, SeriesError, counted, did_you_mean, shorten, show_time


@dataclass(frozen=True)
class ForecastContext:
    """The inputs of a model for a forecast of the steps after the last known values.

    Attributes:
        ids: (series,) names of the series.
        past: (series, T, F) float32 in original units, channels as in a
            :class:`~lstmgru.data.forecasting.series.SeriesPanel`. Categories are codes, 0 if unknown.
        future: (series, H, K) float32, the last K channels over the horizon.
        static: (series, S) float32, the static covariates.
        lengths: (series,) number of real rows at the end of each context. Rows before them are 0.
        times: (series, H) times of the forecast: ``datetime64[ns]`` (UTC if there is a time zone) or ``int64``.
        last_times: (series,) time of the last row of each context.
        timezone: Name of the time zone of the times; ``None`` for naive times.
    """

    ids: npt.NDArray[np.object_]
    past: npt.NDArray[np.float32]
    future: npt.NDArray[np.float32]
    static: npt.NDArray[np.float32]
    lengths: Integers
    times: npt.NDArray[Any]
    last_times: npt.NDArray[Any]
    timezone: str | None = None

    def __len__(self) -> int:
        """Number of series."""
        return len(self.ids)


def build_context(
    frame: pd.DataFrame,
    *,
    schema: SeriesSchema,
    frequency: str,
    timezone: str | None,
    local_times: bool = False,
    step: int,
    context_length: int,
    horizon: int,
    known_steps: int | None = None,
    ids: Sequence[object] | None = None,
    gaps: GapPolicy = "error",
    required_rows: int | None = None,
    source: str,
) -> ForecastContext:
    """The model inputs at the end of every series of a table.

    A series ends at its last row with a target value; later rows are its future. Names that are unknown to the schema
    have the code 0.

    Args:
        frame: The table; it is not changed. Columns that the schema does not name are ignored.
        schema: Schema of the training panel.
        frequency: Frequency of the training panel.
        timezone: Time zone of the training panel; tables with another zone are converted to it.
        local_times: Whether times without a time zone are read as local times of ``timezone``.
        step: Step of the training panel.
        context_length: T.
        horizon: H.
        known_steps: Steps of the horizon whose future covariates must be in the table; later ones that are not keep
            their last value. ``None`` for all.
        ids: Series to forecast; ``None`` for all.
        gaps: How missing rows and cells before the end of a series are handled, as in
            :func:`~lstmgru.data.forecasting.build_panel.build_panel`. ``error`` only refuses those in the contexts.
        required_rows: Fewest rows that a series must have, from 1; the contexts of those with fewer than T rows are
            padded with zeros. ``None`` for T.
        source: File or data set, for messages.

    Raises:
        DataError: Columns, rows or future covariates are missing, or the times do not fit those of the panel.
    """
    check_policy(gaps)
    grid = parse_frequency(frequency, step=step)
    table = read_table_of_series(frame, schema, source, timezone=timezone if local_times else None)
    table = replace(_only(table, ids), timezone=conforming_zone(table, timezone))
    steps = conforming_steps(table, grid)
    end = last_known(table)
    required = context_length if required_rows is None else required_rows
    lengths = _context_lengths(table, steps, end, context_length, required)
    history = _history(table, steps, end, grid, lengths, gaps)
    last_times = table.times[end]
    try:
        times = times_at(grid, last_times[:, None], np.arange(1, horizon + 1), timezone)
    except OverflowError as error:
        raise DataError(f"{source}: the times of the forecast cannot be represented: {error}") from error
    features = channel_features(schema.calendar)
    rows = np.concatenate([history.values, calendar_values(history.times, features, timezone)], axis=1)
    past = np.zeros((len(end), context_length, rows.shape[1]), np.float32)
    past[np.arange(context_length) >= context_length - lengths[:, None]] = rows
    known = _future_covariates(table, steps, end, times, horizon if known_steps is None else known_steps)
    calendar = calendar_values(times.ravel(), features, timezone).reshape(*times.shape, -1)
    return ForecastContext(
        ids=table.ids,
        past=past,
        future=np.concatenate([known, calendar], axis=2).astype(np.float32),
        static=table.static.astype(np.float32),
        lengths=lengths,
        times=times,
        last_times=last_times,
        timezone=timezone,
    )


def _only(table: SeriesTable, ids: Sequence[object] | None) -> SeriesTable:
    if ids is None:
        return table
    known = table.ids.tolist()
    wanted_names = [str(name).strip() for name in ids]
    for name in wanted_names:
        if name not in known:
            near = did_you_mean(str(name), [str(other) for other in known])
            raise DataError(f"{table.source}: there is no series {name!r}{near} (series: {shorten(known)})")
    wanted = np.isin(np.arange(len(known)), [known.index(name) for name in wanted_names])
    return keep_rows(table, np.repeat(wanted, np.diff(table.offsets)))


def last_known(table: SeriesTable) -> Integers:
    """(series,) the last row with a value in a target."""
    known: npt.NDArray[np.bool_] = np.any(np.isfinite(table.values[:, : len(table.schema.targets)]), axis=1)
    last = np.maximum.reduceat(np.where(known, np.arange(len(known)), -1), table.offsets[:-1])
    without = np.flatnonzero(last < 0)
    if len(without):
        raise SeriesError(
            table.ids[without].tolist(),
            lambda index: (
                f"{table.source}: {table.name(int(without[index]))} has no value in {shorten(table.schema.targets)}; "
                "add its history or remove it"
            ),
        )
    return last


def _context_lengths(
    table: SeriesTable, steps: Integers, end: Integers, context_length: int, required: int
) -> Integers:
    """(series,) rows of each context."""
    begin = first_known(table)
    have = steps[end] - np.where(begin <= end, steps[begin], 0) + 1
    short = np.flatnonzero(have < required)
    short = short[np.argsort(have[short], kind="stable")]

    def message(index: int) -> str:
        series = int(short[index])
        return (
            f"{table.source}: {table.name(series)} has {counted(int(have[series]), 'row')} up to its last value "
            f"({show_time(table.times[end[series]])}) but the model reads {required}; add earlier rows"
        )

    if len(short):
        raise SeriesError(table.ids[short].tolist(), message)
    return np.minimum(have, context_length)


def _history(
    table: SeriesTable, steps: Integers, end: Integers, grid: Grid, lengths: Integers, gaps: GapPolicy
) -> SeriesTable:
    """The last ``lengths`` steps of each series, complete."""
    in_table = np.diff(table.offsets)
    until_end = np.arange(len(steps)) <= np.repeat(end, in_table)
    in_context = until_end & (steps > np.repeat(steps[end] - lengths, in_table))
    if gaps == "error":
        history = _complete_context(table, in_context, steps, end, grid, lengths)
    else:
        filled = fill_cells(_with_context_rows(keep_rows(table, until_end), steps[until_end], grid, lengths), gaps)
        from_end = np.repeat(filled.offsets[1:], np.diff(filled.offsets)) - np.arange(len(filled.times))
        history = keep_rows(filled, from_end <= np.repeat(lengths, np.diff(filled.offsets)))
    missing: npt.NDArray[np.bool_] = np.isnan(history.values)

    def message(row: int) -> str:
        name = table.schema.value_columns[int(np.argmax(missing[row]))]
        return (
            f"{table.source}: column {name!r} is empty at {history.place(row)}, within the "
            f"{lengths[history.series_of(row)]} rows that the model reads; complete the table"
        )

    if missing.any():
        in_row: npt.NDArray[np.bool_] = np.any(missing, axis=1)
        raise history.error(in_row, message)
    return history


def _with_context_rows(table: SeriesTable, steps: Integers, grid: Grid, lengths: Integers) -> SeriesTable:
    """The table with a row, which may be empty, for each step of the contexts; it ends where they end."""
    n_series, ends = len(lengths), np.cumsum(lengths)
    first = steps[table.offsets[1:] - 1] - lengths + 1
    series = np.repeat(np.arange(n_series), np.diff(table.offsets))
    within = steps - first[series]
    missing = np.ones(int(ends[-1]), bool)
    missing[((ends - lengths)[series] + within)[within >= 0]] = False
    if not missing.any():
        return table
    of_series = np.repeat(np.arange(n_series), lengths)
    added = of_series[missing]
    added_steps = (np.arange(len(missing)) - (ends - lengths - first)[of_series])[missing]
    times = times_at(grid, table.times[table.offsets[:-1]][added], added_steps, table.timezone)
    lost = np.bincount(added, minlength=n_series)
    sparse = np.flatnonzero(lost > lengths - lost)

    def message(index: int) -> str:
        which = int(sparse[index])
        return (
            f"{table.source}: {table.name(which)} lacks {lost[which]} of the {lengths[which]} rows that the model "
            f"reads, first {show_time(times[np.argmax(added == which)])}: more than half, too many to fill in; "
            "complete the table, or correct the times"
        )

    if len(sparse):
        raise SeriesError(table.ids[sparse].tolist(), message)
    order = np.lexsort((np.concatenate([steps, added_steps]), np.concatenate([series, added])))
    empty = np.full((len(added), table.values.shape[1]), np.nan)
    return replace(
        table,
        offsets=np.concatenate([[0], np.cumsum(np.diff(table.offsets) + lost)]).astype(np.int64),
        times=np.concatenate([table.times, times])[order],
        values=np.concatenate([table.values, empty])[order],
    )


def _complete_context(
    table: SeriesTable, in_context: npt.NDArray[np.bool_], steps: Integers, end: Integers, grid: Grid, lengths: Integers
) -> SeriesTable:
    counts = np.add.reduceat(in_context.astype(np.int64), table.offsets[:-1])
    incomplete = np.flatnonzero(counts < lengths)

    def message(index: int) -> str:
        series = int(incomplete[index])
        length = int(lengths[series])
        rows = np.flatnonzero(in_context[table.offsets[series] : table.offsets[series + 1]]) + table.offsets[series]
        expected = np.arange(length) + steps[end[series]] - length + 1
        lost = np.setdiff1d(expected, steps[rows])[:1]
        origin = table.times[table.offsets[series]]
        first = show_time(times_at(grid, origin, lost, table.timezone)[0])
        return (
            f"{table.source}: {table.name(series)} lacks {length - counts[series]} of the {length} rows that "
            f"the model reads, first {first}; complete the table"
        )

    if len(incomplete):
        raise SeriesError(table.ids[incomplete].tolist(), message)
    return keep_rows(table, in_context)


def _future_covariates(
    table: SeriesTable, steps: Integers, end: Integers, times: npt.NDArray[Any], known_steps: int
) -> npt.NDArray[np.float64]:
    """(series, H, future covariates) from the rows after the last known one; ``known_steps`` of them must be there."""
    names = table.schema.future_covariates
    n_series, horizon = times.shape
    if not names:
        return np.empty((n_series, horizon, 0))
    values = np.full((n_series, horizon, len(names)), np.nan)
    lengths = np.diff(table.offsets)
    ahead = steps - np.repeat(steps[end], lengths)
    rows = np.flatnonzero((ahead >= 1) & (ahead <= horizon))
    series = np.repeat(np.arange(n_series), lengths)
    values[series[rows], ahead[rows] - 1] = table.values[rows, -len(names) :]
    there = np.zeros((n_series, horizon), bool)
    there[series[rows], ahead[rows] - 1] = True
    missing = np.isnan(values[:, :known_steps])
    without = np.flatnonzero(missing.any(axis=(1, 2)))

    def message(index: int) -> str:
        s = int(without[index])
        h, column = (int(place) for place in np.argwhere(missing[s])[0])
        if there[s, :known_steps].all():
            count = int(missing[s].sum())
            more, them = (f" (one of {count} empty cells)", "them") if count > 1 else ("", "it")
            return (
                f"{table.source}: future covariate {names[column]!r} is empty at {show_time(times[s, h])} of "
                f"{table.name(s)}{more}; fill {them} in"
            )
        return (
            f"{table.source}: future covariate {names[column]!r} is not known at {show_time(times[s, h])} of "
            f"{table.name(s)}; add {known_steps} rows after its last value ({show_time(table.times[end[s]])}) "
            f"with {shorten(names)}, targets empty{', or remove the series' if table.schema.id else ''}"
        )

    if len(without):
        raise SeriesError(table.ids[without].tolist(), message)
    for step in range(known_steps, horizon):
        values[:, step] = np.where(np.isnan(values[:, step]), values[:, step - 1], values[:, step])
    return values
