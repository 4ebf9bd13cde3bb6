"""A raw table that a model can forecast from, cut from its training panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from lstmgru.bundle.output import local_times
from lstmgru.data.series import SeriesPanel
from lstmgru.errors import DataError


def example_frame(panel: SeriesPanel, context_length: int, horizon: int) -> pd.DataFrame:
    """The last rows of the first series, under their own names and in their own time zone.

    With future covariates the last ``horizon`` rows of the series play the future: they keep their future covariates
    only. Otherwise the table ends with the series.

    Args:
        panel: The data.
        context_length: T.
        horizon: H.

    Raises:
        DataError: The first series is too short.
    """
    schema = panel.schema
    ahead = horizon if schema.future_covariates else 0
    start, end = int(panel.offsets[1]) - context_length - ahead, int(panel.offsets[1])
    if start < panel.offsets[0]:
        raise DataError(
            f"series {panel.ids[0]!r} has {panel.lengths[0]} rows, too few for an example of {context_length + ahead}"
        )
    columns: dict[str, Any] = {}
    if schema.id is not None:
        columns[schema.id] = [panel.ids[0]] * (end - start)
    columns[schema.time] = local_times(panel.times[start:end], panel.timezone)
    for index, column in enumerate(schema.value_columns):
        columns[column] = _shortest(panel.values[start:end, index])
        if column not in schema.future_covariates:
            columns[column][context_length:] = np.nan
    return pd.DataFrame(columns)


def _shortest(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The shortest decimal numbers that are these in single precision: 12.8, not 12.800000190734863."""
    return values.astype(str).astype(np.float64)
