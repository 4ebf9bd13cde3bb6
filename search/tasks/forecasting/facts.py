"""What the search space of a study of forecasts takes from its data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.splits import Splits, make_splits
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
        counts: (Y,) whether the values of a target before the holdout are whole numbers from 0.
    """

    n_targets: int
    n_series: int
    positive: bool
    room: int | None = None
    calendar_season: int = 1
    counts: tuple[bool, ...] = ()


def facts_of(panel: SeriesPanel, config: ForecastStudyConfig) -> DataFacts:
    """What a space depends on."""
    from lstmgru.data.tables.frequency import default_season_length

    positive = bool((panel.values[:, : panel.n_targets] > 0).all())
    season, splits = default_season_length(panel.frequency), _splits(panel, config)
    counts = tuple(map(_are_counts, targets_before_holdout(panel, splits).T))
    return DataFacts(panel.n_targets, len(panel), positive, _room(panel, config, splits), season, counts)


def _splits(panel: SeriesPanel, config: ForecastStudyConfig) -> Splits | None:
    """The splits of the shortest context; ``None`` if there are none."""
    splits, short_series = config.splits.to_spec(), config.data.short_series
    try:
        return make_splits(panel, splits, context_length=1, horizon=config.forecast.horizon, short_series=short_series)
    except DataError:
        return None  # the real contexts will say so, with their lengths


def targets_before_holdout(panel: SeriesPanel, splits: Splits | None) -> npt.NDArray[np.float32]:
    """(rows, Y) observed values of the targets that a search may see; all of them without splits."""
    seen = panel.observed
    if splits is not None:
        starts = np.repeat(splits.holdout.evaluation[:, 0], panel.lengths)
        seen = seen & (np.arange(len(seen)) < starts)
    return panel.values[seen, : panel.n_targets]


def _are_counts(values: npt.NDArray[np.float32]) -> bool:
    return len(values) > 0 and bool((values >= 0).all() and (values == np.rint(values)).all())


def _room(panel: SeriesPanel, config: ForecastStudyConfig, splits: Splits | None) -> int | None:
    """The longest context for which the first fold has enough training windows; ``None``: not even the shortest has.

    A single series keeps two thirds of its training part for windows. Of a panel, every series has at least one window
    or, with padding, one in ten.
    """
    if splits is None:
        return None
    horizon, padded = config.forecast.horizon, config.data.short_series == "pad"
    first = splits.folds[0]
    rows = first.train[:, 1] - first.train[:, 0]
    if len(panel) == 1:
        return max(1, int(rows[0] - horizon) // 3)
    return max(1, int(np.quantile(rows, 0.9) if padded else rows.min()) - horizon)
