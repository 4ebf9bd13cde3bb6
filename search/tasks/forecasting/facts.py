"""What the search space of a study of forecasts takes from its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstmgru.data.forecasting.splits import make_splits
from lstmgru.errors import DataError

if TYPE_CHECKING:
    from lstmgru.data.forecasting.series import SeriesPanel
    from search.tasks.forecasting.config import ForecastStudyConfig


@dataclass(frozen=True)
class DataFacts:
    """What a space depends on.

    Attributes:
        n_targets: Y.
        n_series: Series of the panel.
        positive: Whether all targets are above 0, so that they have logarithms.
        room: Longest context for which every fold has enough training windows; ``None``: any context is.
        calendar_season: Steps in the usual season of the frequency, for studies without a season.
    """

    n_targets: int
    n_series: int
    positive: bool
    room: int | None = None
    calendar_season: int = 1


def facts_of(panel: SeriesPanel, config: ForecastStudyConfig) -> DataFacts:
    """What a space depends on."""
    from lstmgru.data.tables.frequency import default_season_length

    positive = bool((panel.values[:, : panel.n_targets] > 0).all())
    season = default_season_length(panel.frequency)
    return DataFacts(panel.n_targets, len(panel), positive, _room(panel, config), season)


def _room(panel: SeriesPanel, config: ForecastStudyConfig) -> int | None:
    """The longest context for which the first fold has enough training windows; ``None``: not even the shortest has.

    A single series keeps two thirds of its training part for windows. Of a panel, every series has at least one window
    or, with padding, one in ten.
    """
    horizon, padded = config.forecast.horizon, config.data.short_series == "pad"
    try:
        first = make_splits(
            panel,
            config.splits.to_spec(),
            context_length=1,
            horizon=horizon,
            short_series=config.data.short_series,
        ).folds[0]
    except DataError:
        return None  # the real contexts will say so, with their lengths
    rows = first.train[:, 1] - first.train[:, 0]
    if len(panel) == 1:
        return max(1, int(rows[0] - horizon) // 3)
    return max(1, int(np.quantile(rows, 0.9) if padded else rows.min()) - horizon)
