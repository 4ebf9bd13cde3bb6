"""Forecasts as a table in long format."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.context import ForecastContext
from lstmgru.data.series import SeriesSchema


def forecast_frame(context: ForecastContext, forecast: npt.NDArray[np.float32], schema: SeriesSchema) -> pd.DataFrame:
    """A row for each series, time and target.

    Args:
        context: What the forecasts were made from.
        forecast: (series, H, Y) in original units.
        schema: Names of the columns.
    """
    _, horizon, n_targets = forecast.shape
    columns: dict[str, Any] = {}
    if schema.id is not None:
        columns[schema.id] = np.repeat(context.ids, horizon * n_targets).tolist()
    columns[schema.time] = local_times(context.times.ravel(), context.timezone).repeat(n_targets)
    columns[_free("target", columns)] = list(schema.targets) * (len(context) * horizon)
    columns[_free("forecast", columns)] = forecast.ravel()
    return pd.DataFrame(columns)


def local_times(times: npt.NDArray[Any], timezone: str | None) -> pd.Index[Any]:
    """Times as a table holds them: steps, or dates in their own time zone.

    Args:
        times: (rows,) ``int64``, or ``datetime64[ns]``, which are UTC if there is a time zone.
        timezone: Name of the time zone.
    """
    index = pd.Index(times)
    return index.tz_localize("UTC").tz_convert(timezone) if isinstance(index, pd.DatetimeIndex) and timezone else index


def _free(name: str, taken: dict[str, Any]) -> str:
    while name in taken:
        name += "_"
    return name
