"""Scores of forecasts; smaller is better for every one of them.

Forecasts ŷ and true values y are (windows, H, Y) in original units; each metric is taken for each target over all
windows and steps, and averaged over the targets:

- ``mae``: mean |y - ŷ|
- ``mse``: mean (y - ŷ)²
- ``rmse``: √mean (y - ŷ)²
- ``smape``: mean 200 |y - ŷ| / (|y| + |ŷ|), per cent from 0 to 200, where 0/0 counts as 0 (Makridakis et al. 2020)
- ``mase``: mean |y - ŷ| / s with s the mean absolute seasonal difference of the series in the training part
  (Hyndman & Koehler 2006); NaN where s is 0
- ``scaled_mae``, ``scaled_mse``: mean |z - ẑ| and mean (z - ẑ)² with z = (y - μ) / σ, μ and σ the mean and deviation of
  the target over the training rows of all series, as the benchmarks of long horizons have it (Zhou et al. 2021)
- ``wql``, weighted quantile loss of quantile forecasts q̂ (windows, H, Y, Q): the mean over their probabilities p of
  2 Σ max(p (y - q̂), (p - 1) (y - q̂)) / Σ |y|, both sums over windows and steps (Park et al. 2022); NaN where every y
  is 0 or a quantile is NaN
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
from lstmgru.data.forecasting.splits import Rows, Split
from lstmgru.data.forecasting.windows import evaluation_cutoffs, targets_at
from lstmgru.errors import SpecError
from lstmgru.specs import METRICS, ForecastSpec, MetricName

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]
_NUMBERS_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Evaluation:
    """The windows that a split is scored on, the same for every candidate and every baseline.

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

    def score(self, metric: MetricName, forecast: Array, quantiles: Array | None = None) -> float:
        """One metric.

        Args:
            metric: Its name.
            forecast: (windows, H, Y) point forecasts in original units.
            quantiles: (windows, H, Y, Q) quantile forecasts in original units; only WQL needs them.

        Raises:
            SpecError: WQL is asked for without quantile forecasts, or they have another shape.
        """
        if metric == "rmse":
            squared = sum(
                np.sum((self.target[part].astype(np.float64) - forecast[part]) ** 2, axis=(0, 1))
                for part in _blocks(self.target)
            )
            return float(np.sqrt(squared / (len(self.target) * self.target.shape[1])).mean())
        return float(self.window_errors(metric, forecast, quantiles).mean())

    def window_errors(self, metric: MetricName, forecast: Array, quantiles: Array | None = None) -> _Float:
        """(windows,) errors whose mean is the metric; of RMSE, squared errors, whose mean is its square.

        Args:
            metric: Its name.
            forecast: (windows, H, Y) point forecasts in original units.
            quantiles: (windows, H, Y, Q) quantile forecasts in original units; only WQL needs them.

        Raises:
            SpecError: As :meth:`score`.
        """
        if metric == "wql":
            return self._weighted_quantile_losses(quantiles)
        unit, errors = self._unit(metric), _ERRORS[metric]

        def means(part: slice) -> _Float:
            its = unit[part] if unit.ndim == 3 else unit
            of_steps: _Float = errors(self.target[part] / its, forecast[part] / its).mean(axis=(1, 2))
            return of_steps

        return np.concatenate([means(part) for part in _blocks(self.target)])

    def scores(self, forecast: Array, quantiles: Array | None = None) -> dict[str, float]:
        """Every metric by name; left out is what has no value: WQL without quantiles, MASE without a season's change.

        Args:
            forecast: (windows, H, Y) point forecasts in original units.
            quantiles: (windows, H, Y, Q) quantile forecasts in original units, if there are any.

        Raises:
            SpecError: The quantile forecasts have another shape.
        """
        names = [name for name in METRICS if name != "wql" or quantiles is not None]
        values = {name: self.score(name, forecast, quantiles) for name in names}  # type: ignore[arg-type]  # of METRICS
        return {name: value for name, value in values.items() if np.isfinite(value)}

    def _unit(self, metric: str) -> _Float:
        """What errors are divided by: (windows, 1, Y), (Y,) or ()."""
        if metric == "mase":
            return np.where(self.season_scale > 0, self.season_scale, np.nan).astype(np.float64)[:, None]
        return np.asarray(self.deviation if metric in ("scaled_mae", "scaled_mse") else 1, np.float64)

    def _weighted_quantile_losses(self, quantiles: Array | None) -> _Float:
        wanted = (*self.target.shape, len(self.probabilities))
        if quantiles is None:
            raise SpecError("metric wql scores quantile forecasts but got none; give them, or choose another metric")
        if quantiles.shape != wanted:
            raise SpecError(f"quantile forecasts must have the shape {wanted} but got {quantiles.shape}")
        target = self.target.astype(np.float64)
        losses = sum(_pinball(target, quantiles[..., n], p) for n, p in enumerate(self.probabilities))
        size = np.abs(target).sum(axis=(0, 1))
        shares = np.divide(np.sum(losses, axis=1), size, out=np.full(target[:, 0].shape, np.nan), where=size > 0)
        means: _Float = 2 * len(target) / len(self.probabilities) * shares.mean(axis=1)
        return means


def make_evaluation(
    panel: SeriesPanel,
    split: Split,
    forecast: ForecastSpec,
    *,
    context_length: int,
    stride: int,
    short_series: ShortSeries = "error",
) -> Evaluation:
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
    """
    cutoffs = evaluation_cutoffs(
        panel,
        split,
        context_length=context_length,
        horizon=forecast.horizon,
        stride=stride,
        short_series=short_series,
    )
    series = np.searchsorted(panel.offsets, cutoffs, side="right") - 1
    return Evaluation(
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


def _blocks(target: Array) -> list[slice]:
    """Windows in blocks, so that what is computed of them in double precision never takes much memory."""
    at_once = max(1, _NUMBERS_AT_ONCE // max(1, target[0].size))
    return [slice(start, start + at_once) for start in range(0, len(target), at_once)]


def _absolute(target: _Float, forecast: _Float) -> _Float:
    return np.abs(target - forecast)


def _squared(target: _Float, forecast: _Float) -> _Float:
    squared: _Float = (target - forecast) ** 2
    return squared


def _symmetric_percentage(target: _Float, forecast: _Float) -> _Float:
    size = np.abs(target) + np.abs(forecast)
    ratio: _Float = np.divide(np.abs(target - forecast), size, out=np.zeros_like(size), where=size > 0)
    return 200 * ratio


def _pinball(target: _Float, quantile: Array, probability: float) -> _Float:
    above = target - quantile
    return np.maximum(probability * above, (probability - 1) * above)


_ERRORS: dict[str, Callable[[_Float, _Float], _Float]] = {
    "mae": _absolute,
    "mse": _squared,
    "rmse": _squared,
    "smape": _symmetric_percentage,
    "mase": _absolute,
    "scaled_mae": _absolute,
    "scaled_mse": _squared,
}
"""(windows, H, Y) targets and forecasts in the metric's unit → (windows, H, Y) errors."""
