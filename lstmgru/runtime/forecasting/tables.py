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
    from lstmgru.specs import ForecastSpec

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
    arrays: Sequence[Array],
    *,
    schema: SeriesSchema,
    forecast: ForecastSpec,
    levels: Sequence[float],
) -> pd.DataFrame:
    """Forecasts in long format: a row for each series, time and target.

    Args:
        context: The rows that the model forecasts from.
        arrays: Forecasts (series, H, Y) in original units and, if the model has a calibration, quantiles (series, H, Y,
            Q) in the order of ``ForecastSpec.quantiles``.
        schema: Names of the columns of the input table.
        forecast: Of the model.
        levels: Those of its levels that have prediction intervals, ascending.
    """
    points, quantiles = arrays[0], arrays[-1]
    _, horizon, n_targets = points.shape
    values: list[Any] = [] if schema.id is None else [np.repeat(context.ids, horizon * n_targets).tolist()]
    values.append(local_times(context.times.ravel(), context.timezone).repeat(n_targets))
    values.append(list(schema.targets) * (len(context) * horizon))
    values.append(points.ravel())
    for level in levels:
        outwards = 1 + forecast.levels.index(level)
        middle = quantiles.shape[-1] // 2
        values += [quantiles[..., middle + side * outwards].ravel() for side in (-1, 1)]
    return pd.DataFrame(dict(zip(forecast_columns(schema, levels), values, strict=True)))
