"""Simple methods that every search is measured against."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from lstmgru.data.scaling import StandardScaler
from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Rows, Split
from lstmgru.data.windows import context_rows, horizon_rows, training_cutoffs
from lstmgru.specs import ForecastSpec

Array = npt.NDArray[np.float32]
Forecaster = Callable[[Rows], Array]
"""(windows,) cutoffs → (windows, H, Y) forecasts in original units."""

# The design matrix of the linear baseline stays below this many numbers (48 MB in float64): a few seconds of one core.
_MAX_DESIGN_NUMBERS = 6_000_000
# Largest first: where a small penalty interpolates the training windows its leave-one-out errors are 0/0, and
# RidgeCV never prefers a NaN to what it has, but keeps one that comes first.
_ALPHAS = np.logspace(5, -1, 13)


def naive(panel: SeriesPanel, split: Split, forecast: ForecastSpec, context_length: int) -> Forecaster:
    """The last observed value, for every step."""

    def predict(cutoffs: Rows) -> Array:
        last = panel.values[cutoffs - 1, : panel.n_targets]
        return np.repeat(last[:, None], forecast.horizon, axis=1)

    return predict


def seasonal_naive(panel: SeriesPanel, split: Split, forecast: ForecastSpec, context_length: int) -> Forecaster:
    """The value one season earlier; beyond one season the last season repeats."""
    steps = np.arange(forecast.horizon) % forecast.season_length - forecast.season_length

    def predict(cutoffs: Rows) -> Array:
        starts = panel.offsets[np.searchsorted(panel.offsets, cutoffs, side="right") - 1]
        rows = cutoffs[:, None] + steps
        # A cutoff less than one season after the start has no earlier season: its last value stands in.
        return panel.values[np.where(rows >= starts[:, None], rows, cutoffs[:, None] - 1), : panel.n_targets]

    return predict


def linear(panel: SeriesPanel, split: Split, forecast: ForecastSpec, context_length: int) -> Forecaster:
    """Ridge regression (Hoerl & Kennard 1970) from everything a network reads to the whole horizon.

    The inputs are the context of all channels and the channels known over the horizon, standardised on the training
    part; the penalty is chosen by leave-one-out error on the training windows. When there are more windows than
    fit in memory, evenly spaced ones are used.
    """
    from sklearn.linear_model import RidgeCV

    scaler = StandardScaler.fit(panel.values, split.train)
    scaled = scaler.transform(panel.values)
    first_future = scaled.shape[1] - panel.n_future

    def design(cutoffs: Rows) -> Array:
        past = scaled[context_rows(cutoffs, context_length)].reshape(len(cutoffs), -1)
        future = scaled[horizon_rows(cutoffs, forecast.horizon), first_future:].reshape(len(cutoffs), -1)
        return np.concatenate([past, future], axis=1)

    cutoffs = training_cutoffs(panel, split, context_length=context_length, horizon=forecast.horizon)
    width = context_length * scaled.shape[1] + forecast.horizon * panel.n_future
    every = -(-len(cutoffs) * width // _MAX_DESIGN_NUMBERS)
    cutoffs = cutoffs[:: max(1, every)]
    target = scaled[horizon_rows(cutoffs, forecast.horizon), : panel.n_targets].reshape(len(cutoffs), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ridge = RidgeCV(alphas=_ALPHAS).fit(design(cutoffs), target)

    def predict(cutoffs: Rows) -> Array:
        flat = np.asarray(ridge.predict(design(cutoffs)), np.float32)
        return scaler.inverse_targets(flat.reshape(len(cutoffs), forecast.horizon, panel.n_targets))

    return predict


BASELINES: dict[str, Callable[[SeriesPanel, Split, ForecastSpec, int], Forecaster]] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "linear": linear,
}
