"""Methods for intermittent series: Croston's with the correction of Syntetos and Boylan, and temporal aggregation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from lstmgru.evaluation.forecast_baselines.local import Floats, LocalBaseline

# Smoothing of sizes and intervals (Croston 1972).
_ALPHA = 0.1
_ALPHAS = np.linspace(0.1, 0.3, 21)


@dataclass(frozen=True)
class Croston(LocalBaseline):
    """Croston's method (1972) with the correction of its bias by Syntetos & Boylan (2005), per series.

    The sizes of demands and the intervals between them are smoothed separately; the forecast is 0.95 times their ratio.
    """

    name: ClassVar[str] = "croston"

    def forecast(self, series: Floats) -> Floats:
        """See :meth:`LocalBaseline.forecast`."""
        count = len(series)
        size, interval, waited = np.zeros(count), np.ones(count), np.ones(count)
        seen = np.zeros(count, bool)
        for value in series.T:
            demand = value != 0
            later = demand & seen
            size = np.where(later, size + _ALPHA * (value - size), np.where(demand, value, size))
            interval = np.where(later, interval + _ALPHA * (waited - interval), np.where(demand, waited, interval))
            waited = np.where(demand, 1, waited + 1)
            seen |= demand
        rate = np.where(seen, (1 - _ALPHA / 2) * size / interval, 0)
        return np.repeat(rate[:, None], self.horizon, axis=1)


@dataclass(frozen=True)
class Adida(LocalBaseline):
    """ADIDA (Nikolopoulos et al. 2011), per series.

    Values are summed over periods as long as the mean interval between demands, the sums are forecast by simple
    exponential smoothing with the best α, and the forecast is spread evenly over the steps of a period.
    """

    name: ClassVar[str] = "adida"

    def forecast(self, series: Floats) -> Floats:
        """See :meth:`LocalBaseline.forecast`."""
        count, length = series.shape
        demands = (series != 0).sum(axis=1)
        # The interval from the beginning to the last demand, divided by the number of demands.
        last = np.where(demands > 0, length - (series[:, ::-1] != 0).argmax(axis=1), 1)
        period = np.clip(np.round(last / np.maximum(demands, 1)).astype(np.int64), 1, length)
        rate = np.empty(count)
        for steps in np.unique(period):
            some = np.flatnonzero(period == steps)
            whole = length - length % steps
            sums = series[some, length - whole :].reshape(len(some), -1, steps).sum(axis=2)
            rate[some] = _smoothed(sums) / steps
        return np.repeat(rate[:, None], self.horizon, axis=1)


def _smoothed(series: Floats) -> Floats:
    """(n,) last levels of simple exponential smoothing, with the α of the least squared error."""
    shape = (len(series), len(_ALPHAS))
    level = np.repeat(series[:, :1], shape[1], axis=1)
    errors = np.zeros(shape)
    for value in series.T[1:, :, None]:
        errors += (value - level) ** 2
        level = level + _ALPHAS * (value - level)
    best: Floats = level[np.arange(len(series)), errors.argmin(axis=1)]
    return best
