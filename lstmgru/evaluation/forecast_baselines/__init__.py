"""The baselines of forecasts: simple methods that a network has to beat, and that a blend may contain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmgru.errors import one_of
from lstmgru.evaluation.forecast_baselines.base import BaselineData, FittedBaseline, forecaster
from lstmgru.evaluation.forecast_baselines.channel_linear import ChannelLinear
from lstmgru.evaluation.forecast_baselines.ets import Ets
from lstmgru.evaluation.forecast_baselines.intermittent import Adida, Croston
from lstmgru.evaluation.forecast_baselines.linear import Linear
from lstmgru.evaluation.forecast_baselines.naive import Naive, SeasonalNaive
from lstmgru.evaluation.forecast_baselines.theta import Theta
from lstmgru.evaluation.forecast_baselines.trees import Trees
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit

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

_KINDS: tuple[type[FittedBaseline], ...] = (
    Naive, SeasonalNaive, Linear, ChannelLinear, Croston, Adida, Theta, Ets, Trees,
)  # fmt: skip
BASELINES: dict[str, type[FittedBaseline]] = {kind.name: kind for kind in _KINDS}
"""Every baseline by name, simplest first."""

INTERMITTENT = 0.3
"""Share of zeros from which demands are called intermittent."""


def baseline_names(panel: SeriesPanel) -> tuple[str, ...]:
    """The baselines that fit the data, simplest first.

    Args:
        panel: The data; hidden rows are ignored.
    """
    left_out = set()
    if panel.n_targets == 1:
        left_out.add(ChannelLinear.name)
    if panel.share_of_zeros is None or panel.share_of_zeros < INTERMITTENT:
        left_out |= {Croston.name, Adida.name}
    return tuple(name for name in BASELINES if name not in left_out)


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
