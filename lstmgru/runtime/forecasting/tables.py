"""The table of forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.tables.timestamps import local_times
from lstmgru.runtime.predictor import free_name

if TYPE_CHECKING:
    from lstmgru.data.forecasting.context import ForecastContext
    from lstmgru.data.forecasting.series import SeriesSchema

Array = npt.NDArray[np.float32]


def forecast_columns(schema: SeriesSchema, levels: Sequence[float]) -> list[str]:
    """Names of the columns of :func:`forecast_frame`.

    Args:
        schema: Names of the columns of the input table.
        levels: Of the prediction intervals, ascending.
    """
    columns = [*((schema.id,) if schema.id is not None else ()), schema.time]
    ends = (f"{end}_{100 * level:g}" for level in levels for end in ("lower", "upper"))
    for name in ("target", "forecast", *ends):
        columns.append(free_name(name, columns))
    return columns


def forecast_frame(
    context: ForecastContext,
    points: Array,
    ends: Sequence[Array],
    schema: SeriesSchema,
    levels: Sequence[float],
) -> pd.DataFrame:
    """Forecasts in long format: a row for each series, time and target.

    Args:
        context: The rows that the model forecasts from.
        points: (series, H, Y) forecasts in original units.
        ends: Lower and upper ends (levels, series, H, Y) of the prediction intervals; empty without levels.
        schema: Names of the columns of the input table.
        levels: Of the intervals, ascending.
    """
    _, horizon, n_targets = points.shape
    values: list[Any] = [] if schema.id is None else [np.repeat(context.ids, horizon * n_targets).tolist()]
    values.append(local_times(context.times.ravel(), context.timezone).repeat(n_targets))
    values.append(list(schema.targets) * (len(context) * horizon))
    values.append(points.ravel())
    for both in zip(*ends, strict=True):
        values += [end.ravel() for end in both]
    return pd.DataFrame(dict(zip(forecast_columns(schema, levels), values, strict=True)))


def sample_columns(schema: SeriesSchema) -> list[str]:
    """Names of the columns of :func:`sample_frame`."""
    columns = [*((schema.id,) if schema.id is not None else ()), schema.time]
    for name in ("target", "sample", "value"):
        columns.append(free_name(name, columns))
    return columns


def sample_frame(context: ForecastContext, paths: Array, schema: SeriesSchema) -> pd.DataFrame:
    """Sample paths in long format: a row for each series, path, time and target.

    Args:
        context: The rows that the model forecasts from.
        paths: (series, paths, H, Y) in original units.
        schema: Names of the columns of the input table.
    """
    n_series, n_paths, horizon, n_targets = paths.shape
    values: list[Any] = [] if schema.id is None else [np.repeat(context.ids, paths[0].size).tolist()]
    times = np.repeat(context.times[:, None], n_paths, axis=1)
    values.append(local_times(times.ravel(), context.timezone).repeat(n_targets))
    values.append(list(schema.targets) * (n_series * n_paths * horizon))
    values.append(np.tile(np.repeat(np.arange(1, n_paths + 1), horizon * n_targets), n_series))
    values.append(paths.ravel())
    return pd.DataFrame(dict(zip(sample_columns(schema), values, strict=True)))
