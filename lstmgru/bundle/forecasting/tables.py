"""Tables of a forecasting model: its attention weights, and an example to forecast from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.bundle.files import shortest_decimals
from lstmgru.data.tables.frequency import parse_frequency
from lstmgru.data.tables.grid import times_at
from lstmgru.data.tables.timestamps import local_times
from lstmgru.errors import DataError
from lstmgru.runtime.predictor import free_name

if TYPE_CHECKING:
    from lstmgru.bundle.forecasting.members import ForecastNetworkMember
    from lstmgru.bundle.forecasting.model import ForecastModel
    from lstmgru.data.forecasting.context import ForecastContext
    from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries

Array = npt.NDArray[np.float32]


def attention_frame(
    model: ForecastModel, member: ForecastNetworkMember, context: ForecastContext, weights: Array
) -> pd.DataFrame:
    """Attention weights in long format; they sum to 1 over the context for each forecast.

    A model that reads in segments has a weight for each segment, at the time of its last row. The rows of a padded
    context begin with the series.

    Args:
        model: The model.
        member: The network whose weights these are.
        context: The rows that the model forecasts from.
        weights: (series, channels, parts of the horizon, segments of the context), see
            :meth:`ForecastNetwork.attention`.

    Returns:
        A row for each series, target (if each has its own attention), part of the horizon and segment of the context:
        the id column (if there is one), ``target`` (if each has its own attention), ``first_step`` and ``last_step`` of
        the forecast, from 1, the time column, and ``weight``.
    """
    shape = weights.shape
    _, n_channels, n_parts, n_segments = shape
    horizon, span = model.forecast.horizon, member.network.decoder.span
    back = np.arange(1 - n_segments, 1) * member.model_spec.segment_length
    real = -back < context.lengths[:, None]
    grid = parse_frequency(model.frequency, step=model.step)
    # A segment before the series has no time; its rows are left out below.
    times = times_at(grid, context.last_times[:, None], np.where(real, back, 0), context.timezone)
    kept = np.broadcast_to(real[:, None, None], shape)

    def column(values: Any, axis: int) -> Any:
        """Values along one axis, as rows."""
        expanded = np.expand_dims(values, [other for other in range(4) if other != axis])
        return np.broadcast_to(expanded, shape)[kept]

    columns: dict[str, Any] = {}
    if model.schema.id is not None:
        columns[model.schema.id] = column(context.ids, 0).tolist()
    if n_channels == len(model.schema.targets) > 1:
        columns[free_name("target", columns)] = column(np.array(model.schema.targets, object), 1)
    first = np.arange(n_parts) * span + 1
    steps = {"first_step": first, "last_step": np.minimum(first + span - 1, horizon)}
    taken = {*columns, model.schema.time}
    columns |= {free_name(name, taken): column(values, 2) for name, values in steps.items()}
    when = np.broadcast_to(times[:, None, None], shape)[kept]
    columns[model.schema.time] = local_times(when, context.timezone)
    columns[free_name("weight", columns)] = weights[kept]
    return pd.DataFrame(columns)


def example_frame(
    panel: SeriesPanel,
    context_length: int,
    horizon: int,
    *,
    short_series: ShortSeries = "error",
    required_rows: int | None = None,
) -> pd.DataFrame:
    """A raw table to forecast from: the last rows of the first series that is long enough, in its own time zone.

    With future covariates, the last ``horizon`` rows of the series act as the future: only what is known ahead is kept.
    Otherwise the table ends with the series.

    Args:
        panel: The data.
        context_length: T.
        horizon: H.
        short_series: With ``pad``, the longest series is used if none is long enough.
        required_rows: The longest series is also used if it has that many rows; ``None`` for T.

    Raises:
        DataError: No series is long enough.
    """
    schema = panel.schema
    ahead = horizon if schema.future_covariates else 0
    longest = int(panel.lengths.max())
    required = 1 if short_series == "pad" else required_rows or context_length
    rows = min(context_length + ahead, longest)
    if rows < required + ahead:
        raise DataError(
            f"the longest series, {panel.ids[int(panel.lengths.argmax())]!r}, has {longest} rows, too few for an "
            f"example of {required + ahead}"
        )
    series = int(np.argmax(panel.lengths >= rows))
    end = int(panel.offsets[series + 1])
    start = end - rows
    columns: dict[str, Any] = {}
    if schema.id is not None:
        columns[schema.id] = [panel.ids[series]] * rows
    columns[schema.time] = local_times(panel.times[start:end], panel.timezone)
    for index, column in enumerate(schema.value_columns):
        columns[column] = _raw_values(panel, column, panel.values[start:end, index])
        if column not in schema.future_covariates:
            columns[column][rows - ahead :] = [None] * ahead if column in schema.categories else np.nan
    for index, column in enumerate(schema.static_covariates):
        columns[column] = _raw_values(panel, column, panel.static[series, index].repeat(rows))
    return pd.DataFrame(columns)


def _raw_values(panel: SeriesPanel, column: str, values: npt.NDArray[np.float32]) -> Any:
    """A column as in a raw table: category names, or numbers."""
    names = panel.schema.categories.get(column)
    if names is not None:
        return [names[int(code) - 1] for code in values]
    return shortest_decimals(values)
