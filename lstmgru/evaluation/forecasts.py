"""The windows that a split is scored on, and the scores of their forecasts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
from lstmgru.data.forecasting.splits import Rows, Split
from lstmgru.data.forecasting.windows import evaluation_cutoffs, known_at, targets_at
from lstmgru.errors import SpecError
from lstmgru.evaluation.metrics import Metric, find_metric, metric_names
from lstmgru.specs import ForecastSpec

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]
_Bool = npt.NDArray[np.bool_]
_NUMBERS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class ForecastEvaluation:
    """The windows that a split is scored on, the same for all candidates and baselines.

    Every known target counts the same within its column, and the columns count the same. Series without a seasonal
    difference are left out of metrics that divide by it.

    Attributes:
        cutoffs: (windows,) rows.
        target: (windows, H, Y) true values in original units; NaN where a target is not known.
        season_scale: (windows, Y) mean absolute seasonal difference of the window's series in the training part,
            the denominator of MASE.
        season_deviation: (windows, Y) root of the mean squared one, the denominator of RMSSE.
        deviation: (Y,) standard deviation of the training rows of all series, the unit of the scaled metrics.
        series: (windows,) number of the window's series.
        probabilities: (Q,) of the quantile forecasts, ascending: ``ForecastSpec.quantiles``.
    """

    cutoffs: Rows
    target: Array
    season_scale: Array
    season_deviation: Array
    deviation: Array
    series: Rows
    probabilities: tuple[float, ...]

    @cached_property
    def known(self) -> _Bool | None:
        """(windows, H, Y) whether a target is known; ``None`` if all are."""
        known: _Bool = ~np.isnan(self.target)
        return None if known.all() else known

    def some(self, windows: Rows | _Bool) -> Self:
        """Some of the windows, by index or by flag."""
        return replace(
            self,
            cutoffs=self.cutoffs[windows],
            target=self.target[windows],
            season_scale=self.season_scale[windows],
            season_deviation=self.season_deviation[windows],
            series=self.series[windows],
        )

    def at_step(self, step: int) -> Self:
        """The windows with the targets of one step of the horizon alone, counted from 0."""
        return replace(self, target=self.target[:, step : step + 1])

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
        if found.by_series:
            return self._root_by_series(found, forecast)
        if found.root:
            total = sum(errors.sum(axis=(0, 1)) for errors in self._errors(found, forecast))
            return float(_mean(np.sqrt(total / self._counts(found)), axis=0))
        return float(self.window_errors(metric, forecast, quantiles).mean())

    def window_errors(self, metric: str, forecast: Array, quantiles: Array | None = None) -> _Float:
        """(windows,) errors whose mean is the score, or the squared score for RMSE; squared errors for RMSSE too.

        Args:
            metric: Its name.
            forecast: (windows, H, Y) point forecasts in original units.
            quantiles: (windows, H, Y, Q) quantile forecasts in original units; only some metrics need them.

        Raises:
            SpecError: As :meth:`score`.
        """
        found = find_metric(metric, "forecast")
        if not found.of_quantiles:
            errors = self._errors(found, forecast)
            if self._scored(found) is None:
                return np.concatenate([each.mean(axis=(1, 2)) for each in errors])
            weight = len(self.target) / self._counts(found)
            return np.concatenate([_mean(each.sum(axis=1) * weight, axis=1) for each in errors])
        self._check_quantiles(metric, quantiles)
        target = self.target.astype(np.float64)
        if self.known is not None and quantiles is not None:
            target, quantiles = np.nan_to_num(target), np.where(self.known[..., None], quantiles, 0)
        return _of_shape(found.function(target, quantiles, self.probabilities), self.target.shape[:1], metric)

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

    def _root_by_series(self, metric: Metric, forecast: Array) -> float:
        """The mean over series and targets of the root of the mean error."""
        _, series = np.unique(self.series, return_inverse=True)
        sums = np.concatenate([errors.sum(axis=1) for errors in self._errors(metric, forecast)])
        scored = self._scored(metric)
        known = np.full(sums.shape, self.target.shape[1]) if scored is None else scored.sum(axis=1)
        totals, counts = np.zeros((2, series.max() + 1, sums.shape[1]))
        np.add.at(totals, series, sums)
        np.add.at(counts, series, known)
        return float(_mean(_mean(np.sqrt(totals / np.where(counts > 0, counts, np.nan)), axis=0), axis=0))

    def _scored(self, metric: Metric) -> _Bool | None:
        """(windows, H, Y) the targets that a metric scores; ``None`` if it scores all."""
        if not metric.seasonal or (self.season_scale > 0).all():
            return self.known
        changing = (self.season_scale > 0)[:, None]
        return np.broadcast_to(changing, self.target.shape) if self.known is None else self.known & changing

    def _counts(self, metric: Metric) -> _Float:
        """(Y,) number of targets that a metric scores; NaN if there is none."""
        scored, (windows, horizon, n_targets) = self._scored(metric), self.target.shape
        counts = np.full(n_targets, windows * horizon) if scored is None else scored.sum(axis=(0, 1))
        return np.where(counts > 0, counts, np.nan)

    def _errors(self, metric: Metric, forecast: Array) -> Iterator[_Float]:
        """(windows, H, Y) errors, 0 where a metric does not score a target.

        There are some windows at a time, to limit the memory in double precision.
        """
        divisor, scored = self._divisor(metric), self._scored(metric)
        at_once = max(1, _NUMBERS_AT_ONCE // max(1, self.target[0].size))
        for start in range(0, len(self.target), at_once):
            part = slice(start, start + at_once)
            by = divisor[part] if divisor.ndim == 3 else divisor
            target, predicted = self.target[part] / by, forecast[part] / by
            if scored is not None:
                target, predicted = (np.where(scored[part], values, 0) for values in (target, predicted))
            errors = _of_shape(metric.function(target, predicted), target.shape, metric.name)
            yield errors if scored is None else np.where(scored[part], errors, 0)

    def _divisor(self, metric: Metric) -> _Float:
        """The divisor of values: (windows, 1, Y), (Y,) or ()."""
        if metric.seasonal:
            scale = self.season_scale if metric.divisor == "season" else self.season_deviation
            return np.where(scale > 0, scale, np.nan).astype(np.float64)[:, None]
        return np.asarray({"deviation": self.deviation, None: 1.0}[metric.divisor], np.float64)

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
    series = panel.series_of(cutoffs)
    target, known = targets_at(panel, cutoffs, forecast.horizon), known_at(panel, cutoffs, forecast.horizon)
    return ForecastEvaluation(
        cutoffs=cutoffs,
        target=target if known is None else np.where(known, target, np.float32(np.nan)),
        season_scale=season_scale(panel, split.train, forecast.season_length)[series],
        season_deviation=season_scale(panel, split.train, forecast.season_length, squared=True)[series],
        deviation=Scaler.fit(panel, split.train).scale[0, : panel.n_targets],
        series=series,
        probabilities=forecast.quantiles,
    )


def season_scale(panel: SeriesPanel, train: Rows, season_length: int, *, squared: bool = False) -> Array:
    """(series, Y) mean absolute difference to one season earlier, over the known values of the training rows.

    Args:
        panel: The data.
        train: (series, 2) rows that may be read.
        season_length: m of Hyndman & Koehler (2006).
        squared: Use the root of the mean squared difference instead.
    """
    scales = np.full((len(panel), panel.n_targets), np.nan, np.float32)
    for series, (start, end) in enumerate(train):
        values = panel.values[start:end, : panel.n_targets].astype(np.float64)
        if panel.known is not None:
            values[~panel.known[start:end]] = np.nan
        changes = values[season_length:] - values[:-season_length]
        scales[series] = np.sqrt(_mean(np.square(changes), 0)) if squared else _mean(np.abs(changes), 0)
    return scales


def _mean(values: _Float, axis: int) -> _Float:
    """The mean along an axis without NaN; NaN if there is nothing else."""
    counts = np.sum(~np.isnan(values), axis=axis)
    means: _Float = np.nansum(values, axis=axis) / np.where(counts > 0, counts, np.nan)
    return means


def _of_shape(errors: _Float, shape: tuple[int, ...], metric: str) -> _Float:
    """Refuse errors of a registered metric that have the wrong shape."""
    if np.shape(errors) != shape:
        raise SpecError(f"metric {metric} must return errors of the shape {shape} but returned {np.shape(errors)}")
    return errors
