"""Forecasts as a table in long format."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.data.forecasting.context import ForecastContext
from lstmgru.data.forecasting.series import SeriesSchema

if TYPE_CHECKING:
    from lstmgru.bundle.forecasting.bundle import ForecastBundle

Array = npt.NDArray[np.float32]


def forecast_columns(schema: SeriesSchema, levels: Sequence[float]) -> list[str]:
    """Names of the columns of :func:`forecast_frame`.

    Args:
        schema: Names of the columns of the table.
        levels: Of the prediction intervals, ascending.
    """
    columns = [*((schema.id,) if schema.id is not None else ()), schema.time]
    ends = (f"{end}_{100 * level:g}" for level in levels for end in ("lower", "upper"))
    for name in ("target", "forecast", *ends):
        columns.append(free_name(name, columns))
    return columns


def forecast_frame(context: ForecastContext, arrays: Sequence[Array], bundle: ForecastBundle) -> pd.DataFrame:
    """A row for each series, time and target.

    Args:
        context: What the forecasts were made from.
        arrays: Forecasts (series, H, Y) in original units and, where the model has a calibration, quantiles (series, H,
            Y, Q) in the order of ``ForecastSpec.quantiles``.
        bundle: The model.
    """
    forecast, quantiles = arrays[0], arrays[-1]
    _, horizon, n_targets = forecast.shape
    schema = bundle.schema
    values: list[Any] = [] if schema.id is None else [np.repeat(context.ids, horizon * n_targets).tolist()]
    values.append(local_times(context.times.ravel(), context.timezone).repeat(n_targets))
    values.append(list(schema.targets) * (len(context) * horizon))
    values.append(forecast.ravel())
    for level in bundle.levels:
        outwards = 1 + bundle.forecast.levels.index(level)
        middle = quantiles.shape[-1] // 2
        values += [quantiles[..., middle + side * outwards].ravel() for side in (-1, 1)]
    return pd.DataFrame(dict(zip(forecast_columns(schema, bundle.levels), values, strict=True)))


def local_times(times: npt.NDArray[Any], timezone: str | None) -> pd.Index[Any]:
    """Times as a table holds them: steps, or dates in their own time zone.

    Args:
        times: (rows,) ``int64``, or ``datetime64[ns]``, which are UTC if there is a time zone.
        timezone: Name of the time zone.
    """
    index = pd.Index(times)
    return index.tz_localize("UTC").tz_convert(timezone) if isinstance(index, pd.DatetimeIndex) and timezone else index


def free_name(name: str, taken: Container[str]) -> str:
    """The name, with as many underscores added as it takes to be none of those that are taken."""
    while name in taken:
        name += "_"
    return name
