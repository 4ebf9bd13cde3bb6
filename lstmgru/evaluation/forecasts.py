"""The windows that a split is scored on, and the scores of their forecasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
from lstmgru.data.forecasting.splits import Rows, Split
from lstmgru.data.forecasting.windows import evaluation_cutoffs, targets_at
from lstmgru.errors import SpecError
from lstmgru.evaluation.metrics import Metric, find_metric, metric_names
from lstmgru.specs import ForecastSpec

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]
_NUMBERS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class ForecastEvaluation:
    """The windows that a split is scored on, the same for all candidates and baselines.

    Attributes:
        cutoffs: (windows,) rows.
        target: (windows, H, Y) true values in original units.
        season_scale: (windows, Y) mean absolute seasonal difference of the window's series in the training part,
            the denominator of MASE.
        deviation: (Y,) standard deviation of the training rows of all series, the unit of the scaled metrics.
        series: (windows,) number of the window's series.
        probabilities: (Q,) of the quantile forecasts, ascending: ``ForecastSpec.quantiles``.
    """

    cutoffs: Rows
    target: Array
    season_scale: Array
    deviation: Array
    series: Rows
    probabilities: tuple[float, ...]

    def score(self, metric: str, forecast: Array, quantiles: Array | None = None) -> float:
        """The score of a metric.

        Args:
            metric: Its name.
            forecast: (windows, H, Y) point forecasts in original units.
            quantiles: (windows, H, Y, Q) quantile forecasts in original units; only some metrics need them.

        Raises:
            SpecError: There is no such metric, or quantile forecasts are missing or have another shape.
        """
        found = find_metric(metric, "forecast")
        if found.root:
            total = sum(errors.sum(axis=(0, 1)) for errors in self._errors(found, forecast))
            return float(np.sqrt(total / (len(self.target) * self.target.shape[1])).mean())
        return float(self.window_errors(metric, forecast, quantiles).mean())

    def window_errors(self, metric: str, forecast: Array, quantiles: Array | None = None) -> _Float:
        """(windows,) errors whose mean is the score, or the squared score for root metrics such as RMSE.

        Args:
            metric: Its name.
            forecast: (windows, H, Y) point forecasts in original units.
            quantiles: (windows, H, Y, Q) quantile forecasts in original units; only some metrics need them.

        Raises:
            SpecError: As :meth:`score`.
        """
        found = find_metric(metric, "forecast")
        if not found.of_quantiles:
            return np.concatenate([errors.mean(axis=(1, 2)) for errors in self._errors(found, forecast)])
        self._check_quantiles(metric, quantiles)
        errors = found.function(self.target.astype(np.float64), quantiles, self.probabilities)
        return _of_shape(errors, self.target.shape[:1], metric)

    def scores(self, forecast: Array, quantiles: Array | None = None) -> dict[str, float]:
        """The scores of all metrics by name, without those that are undefined or lack quantile forecasts.

        Args:
            forecast: (windows, H, Y) point forecasts in original units.
            quantiles: (windows, H, Y, Q) quantile forecasts in original units, if there are any.

        Raises:
            SpecError: The quantile forecasts have another shape.
        """
        names = metric_names("forecast")
        values = {
            name: self.score(name, forecast, quantiles)
            for name in names
            if quantiles is not None or not find_metric(name).of_quantiles
        }
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def _errors(self, metric: Metric, forecast: Array) -> Iterator[_Float]:
        """(windows, H, Y) errors of the steps, some windows at a time, to limit the memory in double precision."""
        divisor = self._divisor(metric)
        at_once = max(1, _NUMBERS_AT_ONCE // max(1, self.target[0].size))
        for start in range(0, len(self.target), at_once):
            part = slice(start, start + at_once)
            by = divisor[part] if divisor.ndim == 3 else divisor
            target = self.target[part] / by
            yield _of_shape(metric.function(target, forecast[part] / by), target.shape, metric.name)

    def _divisor(self, metric: Metric) -> _Float:
        """The divisor of values: (windows, 1, Y), (Y,) or ()."""
        if metric.divisor == "season":
            return np.where(self.season_scale > 0, self.season_scale, np.nan).astype(np.float64)[:, None]
        return np.asarray(self.deviation if metric.divisor == "deviation" else 1, np.float64)

    def _check_quantiles(self, metric: str, quantiles: Array | None) -> None:
        wanted = (*self.target.shape, len(self.probabilities))
        if quantiles is None:
            raise SpecError(
                f"metric {metric} needs quantile forecasts but got none; pass them, or choose another metric"
            )
        if quantiles.shape != wanted:
            raise SpecError(f"quantile forecasts must have the shape {wanted} but got {quantiles.shape}")


def make_evaluation(
    panel: SeriesPanel,
    split: Split,
    forecast: ForecastSpec,
    *,
    context_length: int,
    stride: int,
    short_series: ShortSeries = "error",
) -> ForecastEvaluation:
    """The windows of a split's evaluation part with their true values.

    Args:
        panel: The data.
        split: Whose evaluation part.
        forecast: Horizon, season and quantiles.
        context_length: The longest context of all candidates.
        stride: Steps between two cutoffs of a series.
        short_series: With ``pad``, windows with fewer rows before the cutoff are scored too.

    Raises:
        DataError: No window can be scored.
        SpecError: The metric is not one of forecasts.
    """
    find_metric(forecast.metric, "forecast")
    cutoffs = evaluation_cutoffs(
        panel, split, context_length=context_length, horizon=forecast.horizon, stride=stride, short_series=short_series
    )
    series = np.searchsorted(panel.offsets, cutoffs, side="right") - 1
    return ForecastEvaluation(
        cutoffs=cutoffs,
        target=targets_at(panel, cutoffs, forecast.horizon),
        season_scale=season_scale(panel, split.train, forecast.season_length)[series],
        deviation=Scaler.fit(panel, split.train).scale[0, : panel.n_targets],
        series=series,
        probabilities=forecast.quantiles,
    )


def season_scale(panel: SeriesPanel, train: Rows, season_length: int) -> Array:
    """(series, Y) mean absolute difference to one season earlier, over the training rows.

    Args:
        panel: The data.
        train: (series, 2) rows that may be read.
        season_length: m of Hyndman & Koehler (2006).
    """
    scales = np.full((len(panel), panel.n_targets), np.nan, np.float32)
    for series, (start, end) in enumerate(train):
        values = panel.values[start:end, : panel.n_targets]
        if len(values) > season_length:
            scales[series] = np.abs(values[season_length:] - values[:-season_length]).mean(axis=0)
    return scales


def _of_shape(errors: _Float, shape: tuple[int, ...], metric: str) -> _Float:
    """Refuse errors of a registered metric that have the wrong shape."""
    if np.shape(errors) != shape:
        raise SpecError(f"metric {metric} must return errors of the shape {shape} but returned {np.shape(errors)}")
    return errors
