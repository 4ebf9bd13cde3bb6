"""What forecasts look at: the weights of a model's attention, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lstmgru.bundle.forecasting.arrays import check_arrays
from lstmgru.bundle.forecasting.output import free_name, local_times
from lstmgru.data.forecasting.context import ForecastContext
from lstmgru.data.tables.aliases import parse_frequency
from lstmgru.data.tables.grid import times_at
from lstmgru.errors import DataError, SpecError

if TYPE_CHECKING:
    from lstmgru.bundle.forecasting.bundle import ForecastBundle


def attention_frame(bundle: ForecastBundle, context: ForecastContext, arrays: dict[str, Any]) -> pd.DataFrame:
    """The weights of the attention, which sum to 1 over the context for each forecast.

    A model that reads in segments has a weight for each segment, which stands at the time of its last row. Where a
    context is padded, its rows begin with the series.

    Args:
        bundle: The model.
        context: What it forecasts from.
        arrays: The same as arguments of :meth:`ForecastBundle.forecast_array`.

    Returns:
        A row for each series, target (if each has an attention of its own), part of the horizon and part of the
        context: the id column (if there is one), ``target`` (if each has its own), ``first_step`` and ``last_step`` of
        the forecast, from 1, the time column, and ``weight``.

    Raises:
        DataError: The model has no attention.
    """
    forecaster, horizon = bundle.forecaster, bundle.forecast.horizon
    inputs = check_arrays(forecaster, arrays, bundle.schema)
    try:
        weights = forecaster.network.attention(forecaster.scaled(**inputs)).numpy()
    except SpecError as error:
        raise DataError(f"the model has no attention to show: {error}") from error
    n_series, n_channels, n_parts, n_segments = weights.shape
    segment = bundle.model_spec.segment_length
    span = segment if bundle.model_spec.decoder in ("parallel", "recurrent") else horizon
    grid = parse_frequency(bundle.frequency, step=bundle.step)
    back = np.arange(1 - n_segments, 1) * segment
    real = -back < context.lengths[:, None]
    # A segment before the series has no time; its rows are left out below.
    times = times_at(grid, context.last_times[:, None], np.where(real, back, 0), context.timezone)

    shape = (n_series, n_channels, n_parts, n_segments)
    kept = np.broadcast_to(real[:, None, None], shape)
    first = np.arange(n_parts) * span + 1

    def column(values: Any, axis: int) -> Any:
        """Values along one axis, as rows."""
        expanded = np.expand_dims(values, [other for other in range(4) if other != axis])
        return np.broadcast_to(expanded, shape)[kept]

    columns: dict[str, Any] = {}
    if bundle.schema.id is not None:
        columns[bundle.schema.id] = column(context.ids, 0).tolist()
    if n_channels == len(bundle.schema.targets) > 1:
        columns[free_name("target", columns)] = column(np.array(bundle.schema.targets, object), 1)
    steps = {"first_step": first, "last_step": np.minimum(first + span - 1, horizon)}
    when = np.broadcast_to(times[:, None, None], shape)[kept]
    taken = {*columns, bundle.schema.time}
    columns |= {free_name(name, taken): column(values, 2) for name, values in steps.items()}
    columns[bundle.schema.time] = local_times(when, context.timezone)
    columns[free_name("weight", columns)] = weights[kept]
    return pd.DataFrame(columns)
