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
        positive: Whether all targets are above 0 before the holdout, so that they have logarithms.
        room: Longest context for which every fold has enough training windows; ``None``: any is, or none.
        longest: Longest context for which every fold has a training window at all, 0 for none; ``None``: any is.
        calendar_season: Steps in the usual season of the frequency, for studies without a season.
        counts: (Y,) whether the values of a target before the holdout are whole numbers from 0.
        intermittent: Whether all targets are such counts, and so many of them 0 that methods for intermittent series
            are among the baselines.
    """

    n_targets: int
    n_series: int
    positive: bool
    room: int | None = None
    longest: int | None = None
    calendar_season: int = 1
    counts: tuple[bool, ...] = ()
    intermittent: bool = False


def facts_of(panel: SeriesPanel, config: ForecastStudyConfig) -> DataFacts:
    """What a space depends on."""
    from lstmgru.data.tables.frequency import default_season_length
    from lstmgru.evaluation.forecast_baselines import INTERMITTENT

    season, splits = default_season_length(panel.frequency), _splits(panel, config)
    targets = target_values(panel, splits)
    counts, positive = tuple(map(_are_counts, targets)), all((values > 0).all() for values in targets)
    zeros = sum(int((values == 0).sum()) for values in targets) / max(1, sum(map(len, targets)))
    return DataFacts(
        panel.n_targets,
        len(panel),
        positive,
        *_room(panel, config, splits),
        season,
        counts,
        intermittent=all(counts) and zeros >= INTERMITTENT,
    )


def _splits(panel: SeriesPanel, config: ForecastStudyConfig) -> Splits | None:
    """The splits of the shortest context, if one series has room for them; ``None`` if none has."""
    splits, horizon = config.splits.to_spec(), config.forecast.horizon
    try:
        return make_splits(panel, splits, context_length=1, horizon=horizon, short_series="pad")
    except DataError:
        return None  # the real contexts will say so, with their lengths


def target_values(panel: SeriesPanel, splits: Splits | None = None) -> list[npt.NDArray[np.float32]]:
    """(known rows,) values of each target: those that a search may see or, without splits, all of them."""
    known = np.repeat(panel.observed[:, None], panel.n_targets, axis=1) if panel.known is None else panel.known
    if splits is not None:
        known = known.copy()
        for start, end in zip(splits.holdout.evaluation[:, 0], panel.offsets[1:], strict=True):
            known[start:end] = False
    return [panel.values[rows, target] for target, rows in enumerate(known.T)]


def _are_counts(values: npt.NDArray[np.float32]) -> bool:
    return len(values) > 0 and bool((values >= 0).all() and (values == np.rint(values)).all())


def with_fitting_folds(config: ForecastStudyConfig, panel: SeriesPanel, context_length: int) -> ForecastStudyConfig:
    """The study with as many folds as leave room for a context, if it does not choose their number.

    If no number does, the folds leave room for any context; if none does that, there is one.

    Args:
        config: The study.
        panel: Its data.
        context_length: The shortest context that is worth trying, or the longest that the study chooses.
    """
    if "folds" in config.splits.model_fields_set:
        return config
    for context in (context_length, 1):
        for folds in range(config.splits.folds, 0, -1):
            fewer = config.model_copy(update={"splits": config.splits.model_copy(update={"folds": folds})})
            longest = _room(panel, fewer, _splits(panel, fewer))[1]
            if longest is None or longest >= context:
                return fewer
    return fewer


def _room(panel: SeriesPanel, config: ForecastStudyConfig, splits: Splits | None) -> tuple[int | None, int | None]:
    """The longest contexts for which the first fold has enough training windows, and for which it has one at all.

    A single series keeps two thirds of its training part for windows. Of a panel, every series has at least one window
    or, with padding, one in ten. ``None`` if not every series has one, and if any context has one.
    """
    if splits is None:
        return None, 0
    padded = config.data.short_series == "pad"
    rows = splits.folds[0].train[:, 1] - splits.folds[0].train[:, 0] - config.forecast.horizon
    if len(panel) == 1:
        return max(1, int(rows[0]) // 3), None if padded else int(rows[0])
    if padded:
        return max(1, int(np.quantile(rows, 0.9))), None
    return int(rows.min()) if rows.min() > 0 else None, int(rows.max())
