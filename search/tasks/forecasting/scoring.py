"""Forecasts of a split with their intervals, what these cover, and differences between the errors of two methods."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from search.study.records import IntervalRecord
from search.tasks.forecasting.data import ForecastBacktest, ForecastData

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.data.forecasting.splits import Rows
    from lstmgru.evaluation.forecasts import ForecastEvaluation
    from lstmgru.evaluation.significance import Interval
    from lstmgru.specs import ForecastSpec
    from lstmgru.specs.calibration import Calibration

    Floats = npt.NDArray[np.float32]
    Errors = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of the holdout in original units.

    Attributes:
        point: (windows, H, Y).
        quantiles: (windows, H, Y, Q) with both ends of the calibrated intervals; ``None``: there are no intervals.
        lower: (levels, windows, H, Y), NaN at a level without an interval; no levels where there are no intervals.
        upper: Likewise.
    """

    point: Floats
    quantiles: Floats | None
    lower: Floats
    upper: Floats

    def some(self, windows: Rows) -> Self:
        """Those of some windows."""
        quantiles = None if self.quantiles is None else self.quantiles[windows]
        return type(self)(self.point[windows], quantiles, self.lower[:, windows], self.upper[:, windows])

    def at_step(self, step: int) -> Self:
        """Those of one step of the horizon, counted from 0."""
        at = slice(step, step + 1)
        quantiles = None if self.quantiles is None else self.quantiles[:, at]
        return type(self)(self.point[:, at], quantiles, self.lower[:, :, at], self.upper[:, :, at])


def calibration_of(values: dict[str, Any] | None) -> Calibration | None:
    """The calibration of plain values; ``None`` if there are none."""
    from lstmgru.specs.calibration import Calibration

    return Calibration.from_dict(values) if values else None


def with_intervals(
    data: ForecastData,
    evaluation: ForecastEvaluation,
    forecast: Floats,
    calibration: dict[str, Any] | None,
    context_length: int,
) -> Forecasts:
    """Forecasts (windows, H, Y) or (windows, H, Y, Q) with their intervals.

    Args:
        data: Of the study.
        evaluation: The windows.
        forecast: In original units.
        calibration: Of the intervals, as plain values; ``None``: there are none.
        context_length: T of the method, for the scale of a window.
    """
    from lstmgru.runtime.forecasting.conformal import apply, quantile_forecast

    if forecast.ndim == 4 and forecast.shape[-1] == 1:
        forecast = forecast[..., 0]
    point = forecast if forecast.ndim == 3 else forecast[..., forecast.shape[-1] // 2]
    calibrated = calibration_of(calibration)
    if calibrated is None:
        none = np.empty((0, *point.shape), np.float32)
        return Forecasts(point, forecast if forecast.ndim == 4 else None, none, none)
    scale = ForecastBacktest(data, context_length).scale(evaluation, calibrated)
    quantiles = data.forecast.clip(quantile_forecast(calibrated, forecast, scale), axis=-2)
    return Forecasts(point, quantiles, *map(data.forecast.clip, apply(calibrated, forecast, scale)))


def coverage_records(
    spec: ForecastSpec, evaluation: ForecastEvaluation, blend: Forecasts
) -> tuple[IntervalRecord, ...]:
    """What the intervals cover, of the levels that have them."""
    from lstmgru.evaluation.intervals import coverage, mean_width

    if not len(blend.lower):
        return ()
    shares = coverage(evaluation.target, blend.lower, blend.upper)
    widths = mean_width(blend.lower, blend.upper)
    return tuple(
        IntervalRecord(level, float(share), float(width))
        for level, share, width in zip(spec.levels, shares, widths, strict=True)
        if np.isfinite([share, width]).all()
    )


def error_interval(data: ForecastData, evaluation: ForecastEvaluation, blend: Forecasts, others: Errors) -> Interval:
    """The interval of the difference between the (windows,) errors of a blend and those of another method.

    Args:
        data: Of the study.
        evaluation: The windows.
        blend: Its forecasts.
        others: (windows,) errors of the other method; (1,) zero: the interval is that of the errors themselves.
    """
    from lstmgru.evaluation.significance import paired_interval

    metric = data.forecast.metric
    errors = evaluation.window_errors(metric, blend.point, blend.quantiles)
    times = data.panel.times[evaluation.cutoffs].astype("int64")
    overlap = math.ceil(data.forecast.horizon / data.stride)
    return paired_interval(errors - others, times, overlap=overlap)
