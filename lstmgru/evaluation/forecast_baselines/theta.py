"""The dynamic optimized Theta method (Assimakopoulos & Nikolopoulos 2000; Fiorucci et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lstmgru.evaluation.forecast_baselines.local import (
    Floats,
    LocalBaseline,
    seasonal_factors,
    seasonal_series,
    seasonal_summands,
)

_ALPHAS = np.linspace(0.1, 0.99, 45)
# Errors of the first steps, whose trend is not known yet, are not counted.
_FIRST_ERROR = 3
_RIDGE = 1e-9


@dataclass(frozen=True)
class Theta(LocalBaseline):
    """The dynamic optimized Theta model, per series, after a seasonal adjustment where the season is significant.

    With α the smoothing parameter, l the level and A, B intercept and slope of the regression on time until step t::

        ŷ(t+1) = l(t) + κ ((1 - α)ᵗ A(t) + (1 - (1 - α)ᵗ⁺¹) / α · B(t)),    κ = 1 - 1 / θ

    For a given α this is linear in κ and the initial level, which are therefore found by least squares; α is searched
    on a grid.
    """

    name: ClassVar[str] = "theta"

    def forecast(self, series: Floats) -> Floats:
        """See :meth:`LocalBaseline.forecast`."""
        season, steps = self.season_length, np.arange(series.shape[1], series.shape[1] + self.horizon)
        if series.shape[1] < 2 * season + 1 or season == 1:
            return dynamic_theta(series, self.horizon)
        factors, multiplicative = seasonal_factors(series, season)
        factor = multiplicative[:, None]
        components = np.where(factor, factors, seasonal_summands(series, season))
        components = np.where(seasonal_series(series, season)[:, None], components, factor.astype(np.float64))
        past, future = components[:, np.arange(series.shape[1]) % season], components[:, steps % season]
        adjusted = np.where(factor, series / np.where(factor, past, 1), series - past)
        forecast = dynamic_theta(adjusted, self.horizon)
        return np.where(factor, forecast * future, forecast + future)


def dynamic_theta(series: Floats, horizon: int) -> Floats:
    """(n, H) forecasts of (n, length) series without a season.

    Args:
        series: Their values; with fewer than five the last value is repeated.
        horizon: H.
    """
    if series.shape[1] < _FIRST_ERROR + 2:
        return np.repeat(series[:, -1:], horizon, axis=1)
    # Relative to the size of each series, so that sums are about as accurate for all.
    size = np.abs(series).mean(axis=1, keepdims=True)
    size = np.where(size > 0, size, 1)
    scaled = series / size
    return _continued(scaled, _fit(scaled), horizon) * size


@dataclass(frozen=True)
class _Fit:
    """Parameters of n series: α, κ and the initial level, each (n,)."""

    alpha: Floats
    kappa: Floats
    level: Floats


def _fit(series: Floats) -> _Fit:
    """The parameters with the least squared error of one step ahead.

    Where the data say nothing about the initial level, it is the first value.
    """
    count, length = series.shape
    intercept, slope = _regressions(series)
    rest = 1 - _ALPHAS
    smoothed = np.zeros((count, len(_ALPHAS)))  # l(t) for an initial level of 0
    aa, gg = np.full((2, *smoothed.shape), _RIDGE)
    ag, ge, ee = np.zeros((3, *smoothed.shape))
    ae = _RIDGE * np.repeat(series[:, :1], len(_ALPHAS), axis=1)
    for t in range(1, length):
        smoothed = _ALPHAS * series[:, t - 1, None] + rest * smoothed
        if t < _FIRST_ERROR:
            continue
        decay = rest**t
        g = decay * intercept[:, t - 1, None] + (1 - rest * decay) / _ALPHAS * slope[:, t - 1, None]
        e = series[:, t, None] - smoothed
        aa, gg, ag = aa + decay**2, gg + g**2, ag + decay * g
        ae, ge, ee = ae + decay * e, ge + g * e, ee + e**2
    kappa = np.clip((aa * ge - ag * ae) / np.maximum(aa * gg - ag**2, _RIDGE**2), 0, 1)
    level = (ae - kappa * ag) / aa
    error = ee - 2 * level * ae - 2 * kappa * ge + level**2 * aa + kappa**2 * gg + 2 * level * kappa * ag
    best = error.argmin(axis=1)
    every = np.arange(count)
    return _Fit(_ALPHAS[best], kappa[every, best], level[every, best])


def _regressions(series: Floats) -> tuple[Floats, Floats]:
    """(n, length) intercepts and slopes of the regressions on time 1 … t."""
    t = np.arange(1, series.shape[1] + 1)
    sums, moments = np.cumsum(series, axis=1), np.cumsum(series * t, axis=1)
    slope = 12 * (moments - sums * (t + 1) / 2) / np.maximum(t * (t**2 - 1.0), 1)
    slope[:, 0] = 0
    return sums / t - slope * (t + 1) / 2, slope


def _continued(series: Floats, fit: _Fit, horizon: int) -> Floats:
    """(n, H) forecasts, each of which is read as a value by the next."""
    count, length = series.shape
    rest = 1 - fit.alpha
    powers = rest[:, None] ** np.arange(length - 1, -1, -1)
    level = fit.alpha * (series * powers).sum(axis=1) + rest**length * fit.level
    t = np.arange(1, length + 1)
    total, moment = series.sum(axis=1), (series * t).sum(axis=1)
    forecast = np.empty((count, horizon))
    for step in range(horizon):
        n = length + step
        slope = 12 * (moment - total * (n + 1) / 2) / (n * (n**2 - 1.0))
        intercept = total / n - slope * (n + 1) / 2
        value = level + fit.kappa * (rest**n * intercept + (1 - rest ** (n + 1)) / fit.alpha * slope)
        forecast[:, step] = value
        level = fit.alpha * value + rest * level
        total, moment = total + value, moment + (n + 1) * value
    return forecast
