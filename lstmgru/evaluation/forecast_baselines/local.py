"""What methods share that read one series at a time: long contexts, groups of equal length, classical decomposition."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays
from lstmgru.evaluation.forecast_baselines.base import Array, BaselineData, FittedBaseline
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# What a context holds at most: seasons, horizons, and rows in all.
_SEASONS, _HORIZONS, _LEAST_ROWS = 12, 6, 150
_NUMBERS_AT_ONCE = 100_000
# From this number of seasons on, the oldest rows are dropped until whole seasons are left.
_WHOLE_SEASONS_FROM = 4
# Quantile .95 of the normal distribution, for the two-sided test of autocorrelation at a level of 10%.
_SIGNIFICANT = 1.645
_LEAST_FACTOR = 0.01


@dataclass(frozen=True)
class LocalBaseline(FittedBaseline):
    """A method that learns nothing from the training part: it is fitted to the context of each window.

    Each target is forecast by itself. Covariates are not read.

    Attributes:
        horizon: H.
        n_targets: Y.
        season_length: Steps in one season; 1 means none.
        context_length: Rows of context that it reads at most, more than networks do.
    """

    slow: ClassVar[bool] = True
    horizon: int
    n_targets: int
    season_length: int
    context_length: int

    @classmethod
    def fit(cls, data: BaselineData) -> Self:
        """See :meth:`FittedBaseline.fit`."""
        forecast, longest = data.forecast, int(data.panel.lengths.max())
        wanted = max(_SEASONS * forecast.season_length, _HORIZONS * forecast.horizon, _LEAST_ROWS)
        return cls(forecast.horizon, data.panel.n_targets, forecast.season_length, min(wanted, longest))

    def predict(self, windows: WindowArrays, limit: TimeLimit = UNLIMITED) -> Array:
        """See :meth:`FittedBaseline.predict`."""
        targets = windows.context(self.context_length)[..., : self.n_targets]
        series = targets.transpose(0, 2, 1).reshape(-1, self.context_length)
        lengths = np.repeat(np.minimum(windows.lengths, self.context_length), self.n_targets)
        forecast = np.empty((len(series), self.horizon))
        done, limit = 0, limit.next_part()
        for part, length in _groups(lengths, self.season_length, self.context_length):
            forecast[part] = self.forecast(series[part, self.context_length - length :].astype(np.float64))
            done += len(part)
            limit.check(done, len(series))
        by_target = forecast.reshape(len(windows), self.n_targets, self.horizon)
        return by_target.transpose(0, 2, 1).astype(np.float32)

    @abstractmethod
    def forecast(self, series: Floats) -> Floats:
        """(n, H) forecasts of (n, length) series, each by itself; the length is at least 1."""


def _groups(lengths: Indices, season_length: int, context_length: int) -> Iterator[tuple[Indices, int]]:
    """The (group,) indices of series of equal length, with that length.

    Long series are cut to whole seasons, so that there are few groups.
    """
    step = max(season_length, 4)
    long = lengths >= _WHOLE_SEASONS_FROM * step
    used = np.where(long, lengths - lengths % step, lengths)
    at_once = max(1, _NUMBERS_AT_ONCE // context_length)
    for length in np.unique(used):
        members = np.flatnonzero(used == length)
        for start in range(0, len(members), at_once):
            yield members[start : start + at_once], int(length)


def seasonal_series(series: Floats, season_length: int) -> npt.NDArray[np.bool_]:
    """(n,) whether each of (n, length) series has a significant autocorrelation at its season.

    A linear trend is removed first. Series shorter than two seasons have none. The test is that of Fiorucci et al.
    (2016), at a level of 10%.
    """
    length = series.shape[1]
    if season_length < 2 or length <= 2 * season_length:
        return np.zeros(len(series), bool)
    time = np.arange(length) - (length - 1) / 2
    centered = series - series.mean(axis=1, keepdims=True)
    centered -= (centered @ time / (time @ time))[:, None] * time
    variance = (centered**2).sum(axis=1)
    lags = range(1, season_length + 1)
    products = np.stack([(centered[:, lag:] * centered[:, :-lag]).sum(axis=1) for lag in lags], axis=1)
    correlations = products / np.where(variance > 0, variance, 1)[:, None]
    error = np.sqrt((1 + 2 * (correlations[:, :-1] ** 2).sum(axis=1)) / length)
    significant: npt.NDArray[np.bool_] = np.abs(correlations[:, -1]) / error > _SIGNIFICANT
    return significant


def seasonal_summands(series: Floats, season_length: int) -> Floats:
    """(n, season_length) seasonal components that are added, of (n, length) series of more than two seasons.

    By classical decomposition; the first component is that of the first row.
    """
    trend, inner, phases = _trend(series, season_length)
    summands = _by_phase(inner - trend, phases, season_length)
    summands -= summands.mean(axis=1, keepdims=True)
    return summands


def seasonal_factors(series: Floats, season_length: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Likewise components that are multiplied.

    Returns:
        (n, season_length) factors, and (n,) whether they may be used: all values and factors are well above 0.
    """
    trend, inner, phases = _trend(series, season_length)
    usable = (series.min(axis=1) > 0) & (trend.min(axis=1) > 0)
    factors = _by_phase(inner / np.where(usable[:, None], trend, 1), phases, season_length)
    factors /= np.where(usable, factors.mean(axis=1), 1)[:, None]
    usable &= factors.min(axis=1) >= _LEAST_FACTOR
    return factors, usable


def _trend(series: Floats, season_length: int) -> tuple[Floats, Floats, Indices]:
    """Trend of the inner rows of series, those rows, and their (rows,) places in the season."""
    trend = _moving_average(series, season_length)
    first = season_length // 2
    rows = np.arange(first, first + trend.shape[1])
    return trend, series[:, rows], rows % season_length


def _moving_average(series: Floats, window: int) -> Floats:
    """Centered moving averages over a season, in the middle of (n, length) series."""
    sums = np.cumsum(np.pad(series, ((0, 0), (1, 0))), axis=1)
    means = (sums[:, window:] - sums[:, :-window]) / window
    return means if window % 2 else (means[:, 1:] + means[:, :-1]) / 2


def _by_phase(values: Floats, phases: Indices, season_length: int) -> Floats:
    """(n, season_length) means of (n, length) values in the same place of the season."""
    return np.stack([values[:, phases == phase].mean(axis=1) for phase in range(season_length)], axis=1)
