"""A trained model with everything that it takes to forecast from a raw table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lstmgru.bundle.forecasting.arrays import Array, Codes, check_arrays
from lstmgru.bundle.forecasting.checks import check_calibration, check_scaler
from lstmgru.bundle.forecasting.forecaster import UnscaledForecaster
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import GapPolicy, SeriesSchema, ShortSeries
from lstmgru.errors import DataError
from lstmgru.evaluation.intervals import Calibration
from lstmgru.nn import kernels
from lstmgru.nn.network import ForecastNetwork
from lstmgru.specs import ForecastSpec, ModelSpec, TrainSpec

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.data.forecasting.context import ForecastContext

# Without gradients a window costs little memory, so many are forecast at once.
_BATCH_SIZE = 1024


@dataclass(frozen=True, eq=False)
class ForecastBundle:
    """A trained model and its origin.

    Attributes:
        network: On the CPU.
        scaler: Of all input channels, fitted on what the network learnt from.
        model_spec: The architecture.
        train_spec: How it was trained.
        forecast: Horizon, season, metric, levels of the intervals.
        schema: Which column of a table plays which part.
        frequency: pandas offset alias, or ``step``.
        step: Distance of two integer times, else 1.
        timezone: Of the time column; ``None``: times without one.
        ids: Names of the series that it learnt from; their codes are their places, from 1.
        metrics: ``holdout`` (metric → value), ``baselines`` (name → value of the forecast's metric), ``verdict`` and
            ``intervals`` (a list of ``level``, ``coverage``, ``width`` on the holdout), as far as they are known.
        provenance: Data and its digest, study, trial, seed, versions, time, as far as they are known.
        gaps: What becomes of missing rows and cells before the end of a series, as in training.
        short_series: What becomes of a series with less history than it reads, as in training.
        calibration: Of the prediction intervals; ``None``: there are none.
        example: A raw table that it can forecast from; of a loaded bundle, dates in it are ISO text. ``None``: there is
            none.

    Raises:
        SpecError: Scaler, calibration, forecast and network do not fit together.
    """

    network: ForecastNetwork
    scaler: Scaler
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
    short_series: ShortSeries = "error"
    calibration: Calibration | None = None
    example: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        check_scaler(self.scaler, self.model_spec, self.network.inputs)
        check_calibration(self.calibration, self.forecast, self.network.inputs)

    @property
    def channels(self) -> tuple[str, ...]:
        """(F,) names of the network's inputs; the last K are known over the horizon."""
        return (*self.schema.value_columns, *self.schema.calendar)

    @property
    def n_future(self) -> int:
        """K."""
        return len(self.schema.future_covariates) + len(self.schema.calendar)

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels that it has prediction intervals of, ascending."""
        if self.calibration is None:
            return ()
        of_level = zip(self.calibration.levels, self.calibration.offsets, strict=True)
        return tuple(level for level, offsets in of_level if not np.isnan(offsets).all())

    @cached_property
    def forecaster(self) -> UnscaledForecaster:
        """The network with scaler and calibration inside, in evaluation mode."""
        return UnscaledForecaster(self.network, self.scaler, self.calibration)

    def predict(self, frame: pd.DataFrame, *, source: str = "table") -> pd.DataFrame:
        """Forecast the steps after the last known value of each series.

        Args:
            frame: A table with the columns of the schema and, unless short series are padded, at least T rows for each
                series; future covariates need H more rows, whose targets are empty. Other columns are ignored.
            source: What messages call the table.

        Returns:
            A row for each series, time and target, in that order: the id column (if there is one) and the time
            column under their own names, ``target``, ``forecast`` in original units, and for each level of prediction
            intervals, such as 0.8, their ends ``lower_80`` and ``upper_80``. Should a column of the table have one of
            our names, an underscore is added to ours.

        Raises:
            DataError: Columns, frequency, length or values do not fit, or the model has not learnt from a series that
                it would have to know.
        """
        from lstmgru.bundle.forecasting.output import forecast_frame

        context = self._context(frame, source)
        return forecast_frame(context, self._run(self._arrays(context, source)), self)

    def forecast_array(
        self,
        past: Array,
        future: Array,
        *,
        static: Array | None = None,
        series: Codes | None = None,
        lengths: Codes | None = None,
    ) -> Array:
        """Forecast from arrays. What the model does not read may be left out, and is ignored.

        Args:
            past: (n, T, F) contexts in original units; of categorical columns the codes of the schema's names, from 1,
                0 for an unknown one.
            future: (n, H, K) what is known of the horizons, likewise; K may be 0.
            static: (n, S) static covariates, likewise.
            series: (n,) codes of the series, from 1 in the order of ``ids``; read where the model keeps numbers for
                each of its series.
            lengths: (n,) rows at the end of each context that are real; read where short series are padded.

        Returns:
            (n, H, Y) forecasts in original units.

        Raises:
            DataError: An array that the model reads is missing, or its shape or a value does not fit.
        """
        return self._run({"past": past, "future": future, "static": static, "series": series, "lengths": lengths})[0]

    def quantile_array(
        self,
        past: Array,
        future: Array,
        *,
        static: Array | None = None,
        series: Codes | None = None,
        lengths: Codes | None = None,
    ) -> Array:
        """Forecast quantiles from arrays, with the arguments of :meth:`forecast_array`.

        Returns:
            (n, H, Y, Q) in original units, in the order of ``forecast.quantiles``: both ends of each prediction
            interval, and the forecast itself as the median. NaN where there is no interval of a level.

        Raises:
            DataError: As :meth:`forecast_array`, or the model has no prediction intervals.
        """
        if self.calibration is None:
            raise DataError(
                "the model has no prediction intervals: its backtest was too small, or forecast.levels was empty; "
                "train one with more folds, or use forecast_array"
            )
        arrays = {"past": past, "future": future, "static": static, "series": series, "lengths": lengths}
        return self._run(arrays)[1]

    def attention(self, frame: pd.DataFrame, *, source: str = "table") -> pd.DataFrame:
        """The attention weights of :meth:`predict`, see :func:`lstmgru.bundle.forecasting.attention.attention_frame`.

        Raises:
            DataError: As :meth:`predict`, or the model has no attention.
        """
        from lstmgru.bundle.forecasting.attention import attention_frame

        context = self._context(frame, source)
        return attention_frame(self, context, self._arrays(context, source))

    def _context(self, frame: pd.DataFrame, source: str) -> ForecastContext:
        """The rows of a table that the model reads."""
        from lstmgru.data.forecasting.context import build_context

        return build_context(
            frame,
            schema=self.schema,
            frequency=self.frequency,
            timezone=self.timezone,
            step=self.step,
            context_length=self.model_spec.context_length,
            horizon=self.forecast.horizon,
            gaps=self.gaps,
            short_series=self.short_series,
            source=source,
        )

    def _arrays(self, context: ForecastContext, source: str) -> dict[str, Any]:
        """Those rows as the arguments of :meth:`forecast_array`."""
        from lstmgru.bundle.forecasting.validation import check_logarithms, series_codes

        check_logarithms(self, context, source)
        series = series_codes(self, context, source) if self.forecaster.tells_series else None
        return {
            "past": context.past,
            "future": context.future,
            "static": context.static,
            "series": series,
            "lengths": context.lengths,
        }

    def _run(self, arrays: dict[str, Any]) -> list[Array]:
        """Forecasts (n, H, Y) and, where there is a calibration, quantiles (n, H, Y, Q)."""
        inputs = check_arrays(self.forecaster, arrays, self.schema)
        count = len(inputs["past"])
        outputs = [np.empty((count, *shape), np.float32) for shape in self.forecaster.output_shapes.values()]
        # Compiled kernels would be read from a cache, which unpickles, and a few forecasts gain nothing by them.
        with torch.inference_mode(), kernels.enabled(False):
            for start in range(0, count, _BATCH_SIZE):
                part = slice(start, start + _BATCH_SIZE)
                results = self.forecaster(**{name: tensor[part] for name, tensor in inputs.items()})
                for output, result in zip(outputs, results, strict=True):
                    output[part] = result.numpy()
        return outputs
