"""Point-forecast metrics on values in original units; smaller is better for every one of them.

Forecasts ŷ and true values y are (windows, H, Y); each metric is taken for each target over all windows and steps, and
averaged over the targets:

- ``mae``: mean |y - ŷ|
- ``mse``: mean (y - ŷ)²
- ``rmse``: √mean (y - ŷ)²
- ``smape``: mean 200 |y - ŷ| / (|y| + |ŷ|), per cent from 0 to 200, where 0/0 counts as 0 (Makridakis et al. 2020)
- ``mase``: mean |y - ŷ| / s with s the mean absolute seasonal difference of the series in the training part
  (Hyndman & Koehler 2006); NaN where s is 0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Rows, Split
from lstmgru.data.windows import evaluation_cutoffs, targets_at
from lstmgru.specs import METRICS, ForecastSpec, MetricName

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Evaluation:
    """The windows that a split is scored on, the same for every candidate and every baseline.

    Attributes:
        cutoffs: (windows,) rows.
        target: (windows, H, Y) true values in original units.
        season_scale: (windows, Y) mean absolute seasonal difference of the window's series in the training part,
            the denominator of MASE.
        series: (windows,) number of the window's series.
    """

    cutoffs: Rows
    target: Array
    season_scale: Array
    series: Rows

    def score(self, metric: MetricName, forecast: Array) -> float:
        """One metric of forecasts (windows, H, Y) in original units."""
        if metric == "rmse":
            squared = (self.target.astype(np.float64) - forecast) ** 2
            return float(np.sqrt(squared.mean(axis=(0, 1))).mean())
        return float(self.window_errors(metric, forecast).mean())

    def window_errors(self, metric: MetricName, forecast: Array) -> npt.NDArray[np.float64]:
        """(windows,) errors whose mean is the metric; of RMSE, squared errors, whose mean is its square."""
        kind = "mse" if metric == "rmse" else metric
        target, values = self.target.astype(np.float64), forecast.astype(np.float64)
        errors = _ERRORS[kind](target, values, self.season_scale.astype(np.float64))
        means: _Float = errors.mean(axis=(1, 2))
        return means

    def scores(self, forecast: Array) -> dict[str, float]:
        """Every metric by name; MASE is left out where a training part does not vary from season to season."""
        values = {name: self.score(name, forecast) for name in METRICS}  # type: ignore[arg-type]  # METRICS are MetricName
        return {name: value for name, value in values.items() if np.isfinite(value)}


def make_evaluation(
    panel: SeriesPanel, split: Split, forecast: ForecastSpec, *, context_length: int, stride: int
) -> Evaluation:
    """The windows of a split's evaluation part with their true values.

    Args:
        panel: The data.
        split: Whose evaluation part.
        forecast: Horizon and season.
        context_length: The longest context of all candidates.
        stride: Steps between two cutoffs of a series.

    Raises:
        DataError: No window can be scored.
    """
    cutoffs = evaluation_cutoffs(panel, split, context_length=context_length, horizon=forecast.horizon, stride=stride)
    series = np.searchsorted(panel.offsets, cutoffs, side="right") - 1
    scale = season_scale(panel, split.train, forecast.season_length)
    return Evaluation(cutoffs, targets_at(panel, cutoffs, forecast.horizon), scale[series], series)


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


def _absolute(target: _Float, forecast: _Float, _scale: _Float) -> _Float:
    return np.abs(target - forecast)


def _squared(target: _Float, forecast: _Float, _scale: _Float) -> _Float:
    squared: _Float = (target - forecast) ** 2
    return squared


def _symmetric_percentage(target: _Float, forecast: _Float, _scale: _Float) -> _Float:
    size = np.abs(target) + np.abs(forecast)
    ratio: _Float = np.divide(np.abs(target - forecast), size, out=np.zeros_like(size), where=size > 0)
    return 200 * ratio


def _scaled(target: _Float, forecast: _Float, scale: _Float) -> _Float:
    scaled: _Float = np.abs(target - forecast) / np.where(scale > 0, scale, np.nan)[:, None]
    return scaled


_ERRORS: dict[str, Callable[[_Float, _Float, _Float], _Float]] = {
    "mae": _absolute,
    "mse": _squared,
    "smape": _symmetric_percentage,
    "mase": _scaled,
}
"""(windows, H, Y) targets and forecasts and (windows, Y) seasonal scales → (windows, H, Y) errors."""
