"""Build a panel from a table: validate it, complete the time grid, and add calendar features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.forecasting.calendar import auto_calendar, calendar_channels, calendar_values
from lstmgru.data.forecasting.series import GapPolicy, SeriesPanel, SeriesSchema, check_policy
from lstmgru.data.forecasting.series_table import SeriesTable, keep_rows
from lstmgru.data.forecasting.table import (
    check_cells,
    complete_rows,
    fill_cells,
    first_known,
    read_table_of_series,
)
from lstmgru.data.tables.frequency import infer_frequency, parse_frequency
from lstmgru.data.tables.grid import Grid
from lstmgru.data.tables.precision import check_changes, check_deviation
from lstmgru.data.tables.time_columns import time_name
from lstmgru.errors import DataError, did_you_mean


def build_panel(
    frame: pd.DataFrame,
    *,
    time: str | Sequence[str],
    targets: Sequence[str],
    id: str | None = None,
    past_covariates: Sequence[str] = (),
    future_covariates: Sequence[str] = (),
    static_covariates: Sequence[str] = (),
    categorical: Sequence[str] = (),
    calendar: str | Sequence[str] = "auto",
    frequency: str = "auto",
    timezone: str | None = None,
    time_format: str | None = None,
    gaps: GapPolicy = "error",
    source: str,
) -> SeriesPanel:
    """Build a panel of regular series from a table.

    Rows are sorted by series and time. Added rows and rows with filled cells are marked as not observed, targets in
    them that were filled as not known.

    Args:
        frame: The table; it is not changed.
        time: Column of dates, of text, or of integer steps; or several columns, see
            :func:`~lstmgru.data.tables.time_columns.join_times`.
        targets: Columns to forecast.
        id: Column of the names of the series; ``None`` for a single series.
        past_covariates: Columns known only up to the cutoff.
        future_covariates: Columns also known over the horizon.
        static_covariates: Columns that are constant within a series.
        categorical: Covariates that hold names instead of numbers.
        calendar: ``auto`` (features that vary at the frequency), ``none``, or names of features.
        frequency: ``auto``, ``step``, or the pandas offset alias that the times must fit.
        timezone: Time zone of times without one, to which others are converted; ``None`` to keep them as they are.
        time_format: How times are written, as in ``strptime``; ``None`` for ISO 8601, dates, steps, or local dates with
            the year last if a row says whether days or months come first.
        gaps: How missing rows and cells are handled; ``error`` refuses them, ``fill`` carries the last value forward,
            ``interpolate`` interpolates linearly in time (names are carried forward). Cells at the start or end of a
            series and static covariates are never filled: a series begins when every column has had a value.
        source: File or data set, for messages.

    Raises:
        DataError: The table is invalid; the message names the rule, the place and a remedy.
    """
    check_policy(gaps)
    if not targets:
        raise DataError(f"{source}: data.target must name at least one column to forecast")
    columns = (time,) if isinstance(time, str) else tuple(time)
    schema = SeriesSchema(
        time_name(columns),
        tuple(targets),
        id,
        tuple(past_covariates),
        tuple(future_covariates),
        static_covariates=tuple(static_covariates),
        time_columns=columns if len(columns) > 1 else (),
        time_format=time_format,
    )
    _check_parts(schema, categorical, source)
    table = read_table_of_series(frame, schema, source, categorical=categorical, timezone=timezone)
    del frame  # it may be several times as large as the panel
    _check_lengths(table)
    alias, step = infer_frequency(
        table.times, table.offsets, frequency, timezone=table.timezone, ids=table.ids, source=source
    )
    grid = parse_frequency(alias, step=step)
    filled, finite, trimmed = complete_series(table, grid, gaps)
    observed: npt.NDArray[np.bool_] = np.all(finite, axis=1)
    _check_precision(filled)
    values = filled.values.astype(np.float32)
    _check_varies(filled, values)
    _check_static_varies(filled)
    names, channels = _calendar(filled, calendar, alias)
    return SeriesPanel(
        schema=replace(table.schema, calendar=names),
        frequency=alias,
        ids=table.ids,
        offsets=filled.offsets,
        times=filled.times.copy(),  # not those of the frame
        values=np.concatenate([values, channels], axis=1),
        observed=observed,
        static=filled.static.astype(np.float32),
        timezone=table.timezone,
        step=step,
        local_times=timezone is not None,
        known=None if observed.all() else finite[:, : len(schema.targets)],
        trimmed=trimmed,
    )


def complete_series(
    table: SeriesTable, grid: Grid, gaps: GapPolicy, *, of_study: bool = True
) -> tuple[SeriesTable, npt.NDArray[np.bool_], int]:
    """The series of a table with all rows of a grid, from the first at which every column has had a value.

    Args:
        table: The table.
        grid: The frequency.
        gaps: How missing rows and cells are handled, see :func:`build_panel`.
        of_study: Whether messages advise to set keys of a study.

    Returns:
        The series, (rows, columns) which of their cells were there, and the number of rows left out at their start.

    Raises:
        DataError: Rows or cells are missing that the policy does not fill.
    """
    complete = complete_rows(table, grid, gaps, of_study=of_study)
    filled, finite, trimmed = fill_cells(complete, gaps), np.isfinite(complete.values), 0
    if ((first := first_known(complete)) > complete.offsets[:-1]).any():
        begun = np.arange(len(finite)) >= np.repeat(first, np.diff(complete.offsets))
        filled, finite, trimmed = keep_rows(filled, begun), finite[begun], int((~begun).sum())
    check_cells(filled, gaps, of_study=of_study)
    return filled, finite, trimmed


def _check_parts(schema: SeriesSchema, categorical: Sequence[str], source: str) -> None:
    if schema.static_covariates and schema.id is None:
        raise DataError(
            f"{source}: data.static_covariates names {schema.static_covariates[0]!r}, but static covariates say "
            "nothing about a single series; name the column of series in data.id, or remove it"
        )
    covariates = (*schema.past_covariates, *schema.future_covariates, *schema.static_covariates)
    for column in categorical:
        if column not in covariates:
            raise DataError(
                f"{source}: data.categorical names {column!r}, which is not a covariate"
                f"{did_you_mean(column, list(covariates))}; name it in data.past_covariates, data.future_covariates or "
                "data.static_covariates too, or remove it"
            )


def _calendar(
    table: SeriesTable, calendar: str | Sequence[str], frequency: str
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """Names of the calendar's channels, and (rows, channels) their values."""
    features = _features(calendar, frequency)
    names = calendar_channels(features)
    for name in names:
        if name in table.schema.value_columns:
            raise DataError(
                f"{table.source}: column {name!r} has the name of a calendar channel; rename it or choose data.calendar"
            )
    values = calendar_values(table.times, features, table.timezone)
    if calendar != "auto":
        _check_calendar_varies(table, features, values, frequency)
    return names, values


def _features(calendar: str | Sequence[str], frequency: str) -> tuple[str, ...]:
    if calendar == "auto":
        return auto_calendar(frequency)
    if calendar == "none":
        return ()
    return (calendar,) if isinstance(calendar, str) else tuple(calendar)


def _check_lengths(table: SeriesTable) -> None:
    """Refuse a table without two rows of the same series, which has no frequency."""
    if len(table.times) == len(table.ids):
        others = f" and {len(table.ids) - 1} more series" if len(table.ids) > 1 else ""
        raise DataError(
            f"{table.source}: {table.name(0)}{others} has a single row; a series needs at least two, add its history"
        )


def _check_precision(table: SeriesTable) -> None:
    """Refuse numbers that single precision would round away: changes of targets, differences of covariates."""
    schema = table.schema
    for column, values in zip(schema.value_columns, table.values.T, strict=True):
        if column in schema.targets:
            check_changes(values, table.offsets, f"{table.source}: target {column!r}")
        elif column not in schema.categories:
            check_deviation(values, f"{table.source}: covariate {column!r}")
    for column, values in zip(schema.static_covariates, table.static.T, strict=True):
        if column not in schema.categories:
            check_deviation(values, f"{table.source}: static covariate {column!r}")


def _check_varies(table: SeriesTable, values: npt.NDArray[np.float32]) -> None:
    """Refuse a covariate that never changes, and a target that changes in no series."""
    schema = table.schema
    for index, column in enumerate(schema.value_columns):
        channel = values[:, index]
        if column not in schema.targets and (channel == channel[0]).all():
            raise DataError(
                f"{table.source}: covariate {column!r} is constant ({_shown(schema, column, channel[0])} in every "
                "row) and says nothing; remove it"
            )
        first = np.repeat(channel[table.offsets[:-1]], np.diff(table.offsets))
        if column in schema.targets and (channel == first).all():
            raise DataError(
                f"{table.source}: target {column!r} is constant in every series ({channel[0]:g} in the "
                "first): there is nothing to learn; choose another target"
            )


def _check_static_varies(table: SeriesTable) -> None:
    for column, values in zip(table.schema.static_covariates, table.static.T, strict=True):
        if (values == values[0]).all():
            raise DataError(
                f"{table.source}: static covariate {column!r} is the same in every series "
                f"({_shown(table.schema, column, values[0])}) and says nothing; remove it"
            )


def _shown(schema: SeriesSchema, column: str, value: float) -> str:
    """A value in messages: the name for a code."""
    return repr(schema.categories[column][int(value) - 1]) if column in schema.categories else f"{value:g}"


def _check_calendar_varies(
    table: SeriesTable, features: tuple[str, ...], values: npt.NDArray[np.float32], frequency: str
) -> None:
    first = 0
    for feature in features:
        channels = values[:, first : (first := first + len(calendar_channels([feature])))]
        if (channels == channels[0]).all():
            raise DataError(
                f"{table.source}: data.calendar: {feature!r} is the same in every row at frequency {frequency}; "
                "remove it"
            )
