"""A raw table that a model can forecast from, cut from its training panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.bundle.forecasting.output import local_times
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
from lstmgru.errors import DataError


def example_frame(
    panel: SeriesPanel, context_length: int, horizon: int, *, short_series: ShortSeries = "error"
) -> pd.DataFrame:
    """The last rows of the first series that is long enough, under their own names and in their own time zone.

    With future covariates the last ``horizon`` rows of the series play the future: they keep what is known ahead only.
    Otherwise the table ends with the series.

    Args:
        panel: The data.
        context_length: T.
        horizon: H.
        short_series: With ``pad``, where no series is long enough, the longest one does.

    Raises:
        DataError: No series is long enough.
    """
    schema = panel.schema
    ahead = horizon if schema.future_covariates else 0
    longest = int(panel.lengths.max())
    rows = context_length + ahead
    if short_series == "pad":
        rows = min(rows, longest)
    if longest < rows or rows <= ahead:
        raise DataError(
            f"the longest series, {panel.ids[int(panel.lengths.argmax())]!r}, has {longest} rows, too few for an "
            f"example of {context_length + ahead}"
        )
    series = int(np.argmax(panel.lengths >= rows))
    end = int(panel.offsets[series + 1])
    start = end - rows
    columns: dict[str, Any] = {}
    if schema.id is not None:
        columns[schema.id] = [panel.ids[series]] * rows
    columns[schema.time] = local_times(panel.times[start:end], panel.timezone)
    for index, column in enumerate(schema.value_columns):
        columns[column] = _shown(panel, column, panel.values[start:end, index])
        if column not in schema.future_covariates:
            columns[column][rows - ahead :] = [None] * ahead if column in schema.categories else np.nan
    for index, column in enumerate(schema.static_covariates):
        columns[column] = _shown(panel, column, panel.static[series, index].repeat(rows))
    return pd.DataFrame(columns)


def _shown(panel: SeriesPanel, column: str, values: npt.NDArray[np.float32]) -> Any:
    """A column as a table holds it: names, or numbers."""
    names = panel.schema.categories.get(column)
    if names is not None:
        return [names[int(code) - 1] for code in values]
    return shortest_decimals(values)


def shortest_decimals(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The numbers in single precision, written as short as can be: 12.8, not 12.800000190734863."""
    return values.astype(str).astype(np.float64)
