"""Prediction intervals calibrated on backtest forecasts: split conformal prediction.

Every backtest forecast gets a *score* for each step and target: its distance from the true value y, in units of the
window's scale s (:mod:`lstmgru.data.forecasting.windows`; 1 for a single series):

- for a point forecast ŷ: |y - ŷ| / s, at any level (Vovk et al. 2005; Lei et al. 2018);
- for the interval [l, u] of a level in a quantile forecast: max(l - y, y - u) / s, negative inside (conformalized
  quantile regression: Romano, Patterson & Candès 2019).

The *offset* of a level is the ⌈(n + 1) level⌉-th smallest of n scores; the interval is ŷ ± offset s or
[l - offset s, u + offset s]. If past and future windows are exchangeable, it covers the true value with at least that
probability for any model. Windows of a time series are not exactly exchangeable: series drift, and overlapping windows
are dependent. Each window counts fully here, so with much overlap the coverage is correct on average but varies more
than n suggests.

Forecasts are passed as (windows, H, Y) point forecasts or (windows, H, Y, Q) quantile forecasts with the median in the
middle, as in ``ForecastSpec.quantiles``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lstmgru.runtime.forecasting.conformal import ends_of, rank, step_offsets
from lstmgru.specs.calibration import Calibration

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]


def conformity(target: Array, forecast: Array, scale: Array) -> Array:
    """The scores of backtest forecasts: (windows, H, Y) of point, (levels, windows, H, Y) of quantile forecasts.

    Args:
        target: (windows, H, Y) true values in original units; NaN where they are not known, as the scores are there.
        forecast: Forecasts of the same windows.
        scale: (windows, Y), see :func:`~lstmgru.data.forecasting.windows.panel_scale`.
    """
    if forecast.ndim == target.ndim:
        distance: Array = np.abs(target - forecast)
    else:
        lower, upper = ends_of(forecast)
        distance = np.maximum(lower - target, target - upper)
    return distance / scale[:, None]


def calibrate(
    scores: Sequence[Array], levels: tuple[float, ...], *, scaled: bool = False, season_length: int = 1
) -> Calibration:
    """Offsets from the scores of backtest forecasts, for each step and target.

    A level needs level / (1 - level) windows: 4 for 80%, 19 for 95%. With fewer, its offsets are pooled over all
    steps: each score is divided by the mean absolute score of the *other* windows at its step, and the quantile of
    these ratios is multiplied by the mean of the step. Excluding the score from its own divisor keeps intervals wide
    enough for few windows. This needs two windows and level / (1 - level) ratios.

    Args:
        scores: Results of :func:`conformity` for each fold.
        levels: Ascending, each in (0, 1).
        scaled: Whether the scores are in units of the windows' scales.
        season_length: Steps in one season, for the scale.
    """
    together = np.concatenate(scores, axis=-3)
    per_level = np.broadcast_to(together, (len(levels), *together.shape[-3:]))
    offsets = np.full((len(levels), *together.shape[-2:]), np.nan)
    for number, level in enumerate(levels):
        offsets[number] = step_offsets(per_level[number], level)
    if together.ndim == 3:  # levels may use different scores, so enforce that offsets ascend
        offsets = np.where(np.isnan(offsets), np.nan, np.fmax.accumulate(offsets, axis=0))
    return Calibration(levels, offsets.astype(np.float32), scaled, season_length, together.shape[-3])


def enough_windows(n_windows: int, horizon: int, level: float) -> bool:
    """Whether the number of backtest forecasts is enough for an interval of a level, see :func:`calibrate`.

    Args:
        n_windows: Number of windows in all folds.
        horizon: H.
        level: In (0, 1).
    """
    counts = np.array([n_windows, n_windows * horizon if n_windows > 1 else 0])
    return bool((rank(counts, level) <= counts).any())


def coverage(target: Array, lower: Array, upper: Array) -> _Float:
    """(levels,) shares of true values (windows, H, Y) within their intervals; NaN for levels without intervals."""
    inside = np.where(np.isnan(upper - lower), np.nan, (lower <= target) & (target <= upper))
    shares: _Float = inside[:, ~np.isnan(target)].mean(axis=1)
    return shares


def mean_width(lower: Array, upper: Array) -> _Float:
    """(levels,) mean widths of intervals in original units; NaN for levels without intervals."""
    widths: _Float = (upper - lower).mean(axis=(1, 2, 3), dtype=np.float64)
    return widths
