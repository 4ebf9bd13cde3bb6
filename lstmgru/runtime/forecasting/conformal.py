"""Finite-sample quantiles of scores, on which conformal intervals are based, and the intervals of a calibration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstmgru.specs.calibration import Calibration

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]
_Counts = npt.NDArray[np.int64]

# Share of the mean absolute score of all steps; bounds the ratio of a score to scores of 0.
_SMALLEST_SHARE = 1e-3


def step_offsets(scores: Array, level: float) -> _Float:
    """The offset of a level: the ⌈(n + 1) level⌉-th smallest of n scores, for each step and target.

    Where a step has too few scores, they are pooled over all steps, see ``lstmgru.evaluation.intervals.calibrate``.

    Args:
        scores: (windows, H, Y); NaN does not count.
        level: In (0, 1).

    Returns:
        (H, Y), NaN if the scores are too few.
    """
    known = ~np.isnan(scores)
    counts = known.sum(axis=0)
    if (rank(counts, level) <= counts).all():
        return _smallest(scores, rank(counts, level))
    n_ratios = counts.sum(axis=0)
    if len(scores) < 2 or (rank(n_ratios, level) > n_ratios).any():
        return np.full(counts.shape, np.nan)
    values = scores.astype(np.float64)
    size = np.abs(np.where(known, values, 0))
    mean = size.sum(axis=(0, 1)) / n_ratios
    floor = np.maximum(_SMALLEST_SHARE * mean, np.finfo(np.float32).tiny)
    # A step without other scores has the size of all steps.
    others = np.where(counts > 1, (size.sum(axis=0) - size) / np.maximum(counts - 1, 1), mean)
    of_step = np.where(counts > 0, size.sum(axis=0) / np.maximum(counts, 1), mean)
    ratios = (values / np.maximum(others, floor)).reshape(-1, counts.shape[1])
    offsets: _Float = _smallest(ratios, rank(n_ratios, level)) * np.maximum(of_step, floor)
    return offsets


def rank(n_scores: _Counts, level: float) -> _Counts:
    """⌈(n + 1) level⌉, where a product such as 100 · 0.55 = 55.00000000000001 counts as whole."""
    ranks: _Counts = np.ceil((n_scores + 1) * level - 1e-9).astype(np.int64)
    return ranks


def _smallest(scores: Array | _Float, rank: _Counts) -> _Float:
    """The ``rank``-th smallest along the first axis for each of the others, counted from 1; NaN is largest."""
    place = rank - 1
    if (place == place.flat[0]).all():
        values = np.partition(scores, place.flat[0], axis=0)[place.flat[0]]
    else:
        values = np.take_along_axis(np.sort(scores, axis=0), place[None], axis=0)[0]
    return np.asarray(values, np.float64)


def apply(calibration: Calibration, forecast: Array, scale: Array) -> tuple[Array, Array]:
    """Lower and upper ends (levels, windows, H, Y) of the intervals, in original units.

    Intervals are nested and contain the point forecast; NaN if a level has no interval.

    Args:
        calibration: Calibration of forecasts of the same kind.
        forecast: Forecasts in original units.
        scale: (windows, Y), see :func:`~lstmgru.data.forecasting.windows.panel_scale`.
    """
    reach = calibration.offsets[:, None] * scale[:, None]
    point = _point(forecast)
    below, above = (point, point) if forecast.ndim == 3 else ends_of(forecast)
    lower = np.fmin.accumulate(np.concatenate([point[None], below - reach]), axis=0)[1:]
    upper = np.fmax.accumulate(np.concatenate([point[None], above + reach]), axis=0)[1:]
    missing = np.isnan(reach)
    return np.where(missing, np.nan, lower), np.where(missing, np.nan, upper)


def quantile_forecast(calibration: Calibration, forecast: Array, scale: Array) -> Array:
    """(windows, H, Y, Q) calibrated quantiles in the order of ``ForecastSpec.quantiles``; the median is the forecast.

    Args:
        calibration: Calibration of forecasts of the same kind.
        forecast: Forecasts in original units.
        scale: (windows, Y), see :func:`~lstmgru.data.forecasting.windows.panel_scale`.
    """
    lower, upper = apply(calibration, forecast, scale)
    return np.moveaxis(np.concatenate([lower[::-1], _point(forecast)[None], upper]), 0, -1)


def _point(forecast: Array) -> Array:
    return forecast if forecast.ndim == 3 else forecast[..., forecast.shape[-1] // 2]


def ends_of(quantiles: Array) -> tuple[Array, Array]:
    """(levels, windows, H, Y) lower and upper ends of the intervals in quantile forecasts, narrowest first."""
    middle = quantiles.shape[-1] // 2
    ends = np.moveaxis(quantiles, -1, 0)
    return ends[:middle][::-1], ends[middle + 1 :]
