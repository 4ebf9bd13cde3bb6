"""A trained model with everything that it takes to forecast from a raw table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from lstmgru.bundle.forecaster import UnscaledForecaster
from lstmgru.data.scaling import StandardScaler
from lstmgru.data.series import GapPolicy, SeriesSchema
from lstmgru.errors import DataError
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[np.float32]

# Without gradients a window costs little memory, so many are forecast at once.
_BATCH_SIZE = 1024


@dataclass(frozen=True, eq=False)
class Bundle:
    """A trained model and its origin.

    Attributes:
        network: On the CPU.
        scaler: Of all input channels, fitted on what the network learnt from.
        model_spec: The architecture.
        train_spec: How it was trained.
        forecast: Horizon, season, metric.
        schema: Which column of a table plays which part.
        frequency: pandas offset alias, or ``step``.
        step: Distance of two integer times, else 1.
        timezone: Of the time column; ``None``: times without one.
        ids: Names of the series that it learnt from.
        metrics: ``holdout`` (metric → value), ``baselines`` (name → value of the forecast's metric) and ``verdict``,
            as far as they are known.
        provenance: Data and its digest, study, trial, seed, versions, time, as far as they are known.
        gaps: What becomes of missing rows and cells before the end of a series, as in training.
        example: A raw table that it can forecast from; of a loaded bundle, dates in it are ISO text. ``None``: there is
            none.
    """

    network: ForecastNetwork
    scaler: StandardScaler
    model_spec: ModelSpec
    train_spec: TrainSpec
    forecast: ForecastSpec
    schema: SeriesSchema
    frequency: str
    step: int = 1
    timezone: str | None = None
    ids: list[Any] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    gaps: GapPolicy = "error"
    example: pd.DataFrame | None = None

    @property
    def channels(self) -> tuple[str, ...]:
        """(F,) names of the network's inputs; the last K are known over the horizon."""
        return (*self.schema.value_columns, *self.schema.calendar)

    @property
    def n_future(self) -> int:
        """K."""
        return len(self.schema.future_covariates) + len(self.schema.calendar)

    @cached_property
    def forecaster(self) -> UnscaledForecaster:
        """The network with its scaler inside, in evaluation mode."""
        return UnscaledForecaster(self.network, self.scaler)

    def predict(self, frame: pd.DataFrame, *, source: str = "table") -> pd.DataFrame:
        """Forecast the steps after the last known value of each series.

        Args:
            frame: A table with the columns of the schema and at least T rows for each series; future covariates need H
                more rows, whose targets are empty. Other columns are ignored.
            source: What messages call the table.

        Returns:
            A row for each series, time and target, in that order: the id column (if there is one) and the time
            column under their own names, ``target``, and ``forecast`` in original units. Should a column of the
            table have one of the last two names, an underscore is added to ours.

        Raises:
            DataError: Columns, frequency or length do not fit.
        """
        from lstmgru.bundle.output import forecast_frame
        from lstmgru.data.context import build_context

        context = build_context(
            frame,
            schema=self.schema,
            frequency=self.frequency,
            timezone=self.timezone,
            step=self.step,
            context_length=self.model_spec.context_length,
            horizon=self.forecast.horizon,
            gaps=self.gaps,
            source=source,
        )
        return forecast_frame(context, self.forecast_array(context.past, context.future), self.schema)

    def forecast_array(self, past: Array, future: Array) -> Array:
        """Forecast from arrays.

        Args:
            past: (n, T, F) contexts in original units.
            future: (n, H, K) what is known of the horizons, in original units; K may be 0.

        Returns:
            (n, H, Y) forecasts in original units.

        Raises:
            DataError: A shape does not fit.
        """
        _check_shape("past", past, (len(past), self.model_spec.context_length, len(self.channels)))
        _check_shape("future", future, (len(past), self.forecast.horizon, self.n_future))
        past, future = np.asarray(past, np.float32), np.asarray(future, np.float32)
        forecast = np.empty((len(past), self.forecast.horizon, len(self.schema.targets)), np.float32)
        with torch.inference_mode():
            for start in range(0, len(past), _BATCH_SIZE):
                part = slice(start, start + _BATCH_SIZE)
                forecast[part] = self.forecaster(torch.from_numpy(past[part]), torch.from_numpy(future[part])).numpy()
        return forecast


def _check_shape(name: str, array: Array, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise DataError(f"{name} must have the shape {expected} but has {array.shape}")
