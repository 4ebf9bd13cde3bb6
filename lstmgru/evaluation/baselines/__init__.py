"""The baselines of forecasts: simple methods that a network has to beat, and that a blend may contain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgru.errors import one_of
from lstmgru.evaluation.baselines.base import UNLIMITED, BaselineData, FittedBaseline, TimeLimit, forecaster
from lstmgru.evaluation.baselines.linear import Linear
from lstmgru.evaluation.baselines.naive import Naive, SeasonalNaive

if TYPE_CHECKING:
    from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
    from lstmgru.data.forecasting.splits import Split
    from lstmgru.specs import ForecastSpec

__all__ = [
    "BASELINES",
    "BaselineData",
    "FittedBaseline",
    "TimeLimit",
    "baseline_names",
    "fit_baseline",
    "forecaster",
]

BASELINES: dict[str, type[FittedBaseline]] = {kind.name: kind for kind in (Naive, SeasonalNaive, Linear)}
"""Every baseline by name, simplest first."""


def baseline_names(panel: SeriesPanel, forecast: ForecastSpec) -> tuple[str, ...]:
    """The baselines that fit the data, simplest first.

    Args:
        panel: The data.
        forecast: Horizon and season.
    """
    return tuple(BASELINES)


def fit_baseline(
    name: str,
    panel: SeriesPanel,
    split: Split,
    forecast: ForecastSpec,
    context_length: int,
    short_series: ShortSeries = "error",
    limit: TimeLimit = UNLIMITED,
) -> FittedBaseline:
    """Fit a baseline to the training part of a split.

    Args:
        name: Of the baseline.
        panel: The data.
        split: Its training part is used.
        forecast: Horizon and season.
        context_length: T, rows that networks read before a cutoff.
        short_series: With ``pad``, windows with fewer rows before the cutoff are also used for training.
        limit: Of the time.

    Raises:
        SpecError: There is no such baseline.
        DataError: No training window fits.
        BaselineTooSlow: The time limit is exceeded.
    """
    one_of("baseline", name, tuple(BASELINES))
    return BASELINES[name].fit(BaselineData(panel, split, forecast, context_length, short_series, limit))
