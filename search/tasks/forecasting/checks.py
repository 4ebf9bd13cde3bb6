"""Whether every split of a study of forecasts can be learned from and scored."""

from __future__ import annotations

import numpy as np

from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Rows, Split, Splits
from lstmgru.data.forecasting.targets import unfit_target
from lstmgru.data.forecasting.windows import evaluation_cutoffs, known_targets, training_runs
from lstmgru.specs import ForecastSpec
from search.config.space_values import Choices
from search.errors import Problem, StudyFileError
from search.space.space import SearchSpace
from search.tasks.forecasting.config import ForecastStudyConfig

OWN_SCALES = ("series", "last")
"""Normalizations by which each series of a panel has mean and deviation of its own."""
FEW_FORECASTS = 10
"""Fewer scored forecasts of a split are worth a note."""
_SCALE_ROWS = 8
"""Training rows from which a series' own deviation says anything."""


def check_losses(panel: SeriesPanel, space: SearchSpace, file: str) -> None:
    """Refuse losses that are not for the targets.

    Raises:
        StudyFileError: Names the loss, the target and its value.
    """
    for loss in space["loss"].values or ():
        problem = unfit_target(str(loss), panel.schema.targets, panel.values[:, : panel.n_targets])
        if problem is not None:
            others = "mae, quantile or student_t"
            message = f"holds {loss}, but {problem}; choose {others}, or clean the target"
            raise StudyFileError(file, [Problem("space.loss", message)])


def check_splits(
    config: ForecastStudyConfig,
    panel: SeriesPanel,
    splits: Splits,
    forecast: ForecastSpec,
    space: SearchSpace,
    file: str,
) -> tuple[SearchSpace, tuple[str, ...]]:
    """Make sure that every split can be learned from and scored.

    Returns:
        The space without what the splits do not allow, and what a user should know about the scores.

    Raises:
        DataError: A split has no window.
        StudyFileError: The metric has no value there, or the study chose what cannot be.
    """
    from lstmgru.evaluation.metrics import find_metric

    short_series, metric = config.data.short_series, find_metric(forecast.metric)
    reading = {"context_length": int(space["context_length"].high), "horizon": forecast.horizon}
    counts: dict[str, int] = {}
    n_targets = 0
    late: tuple[str, str] | None = None
    unchanging: set[int] = set()
    for split in (*splits.folds, splits.holdout):
        training_runs(panel, split, **reading, short_series=short_series)
        cutoffs = evaluation_cutoffs(panel, split, **reading, stride=splits.stride, short_series=short_series)
        counts[split.name] = len(cutoffs)
        n_targets += int(known_targets(panel, cutoffs, forecast.horizon).sum()) if split is not splits.holdout else 0
        late = late or _series_without_scale(panel, split, cutoffs)
        if metric.seasonal:
            unchanging |= _without_season(panel, split, cutoffs, forecast, file)
    if metric.of_quantiles:
        _check_windows(n_targets // (forecast.horizon * panel.n_targets), forecast, file)
    if late is not None:
        space = _without_own_scales(space, config, late, file)
    return space, (*_few_forecasts(counts), *_left_out(panel, sorted(unchanging), forecast.metric))


def _few_forecasts(counts: dict[str, int]) -> tuple[str, ...]:
    """A note if a split is scored on few forecasts.

    Args:
        counts: Number of scored forecasts by split.
    """
    few = {name: count for name, count in counts.items() if count < FEW_FORECASTS}
    if not few:
        return ()
    counts_by_split = ", ".join(f"{name}: {count}" for name, count in few.items())
    return (
        f"fewer than {FEW_FORECASTS} forecasts are scored ({counts_by_split}), and such scores are uncertain; use a "
        "larger splits.holdout or splits.fold_size, or a shorter forecast.horizon",
    )


def _left_out(panel: SeriesPanel, places: list[int], metric: str) -> tuple[str, ...]:
    """A note about the series, or targets of a single one, that a metric leaves out."""
    from lstmgru.errors import shorten

    if not places:
        return ()
    what, names = ("target", panel.schema.targets) if len(panel) == 1 else ("series", panel.ids)
    listed = shorten([repr(str(names[place])) for place in places], most=5)
    return (f"{metric} leaves out {what} {listed}: no change over a season of the training part to divide by",)


def _series_without_scale(panel: SeriesPanel, split: Split, cutoffs: Rows) -> tuple[str, str] | None:
    """A series that is scored in a split and has too few training rows there to be scaled by them, and the split."""
    if len(panel) == 1:
        return None
    scored = np.unique(panel.series_of(cutoffs))
    asked = np.arange(len(panel)) if split.name == "holdout" else scored
    without = asked[split.train[asked, 1] - split.train[asked, 0] < _SCALE_ROWS]
    return (str(panel.ids[without[0]]), split.name) if len(without) else None


def _without_own_scales(
    space: SearchSpace, config: ForecastStudyConfig, late: tuple[str, str], file: str
) -> SearchSpace:
    """The space without normalizations that scale each series by its own training part, if the preset chose them.

    Raises:
        StudyFileError: The study chose them.
    """
    names = space["normalization"].values or ()
    kept = tuple(name for name in names if name not in OWN_SCALES)
    if config.space.normalization is not None and len(kept) < len(names):
        message = (
            f"holds {' or '.join(OWN_SCALES)}, which scales each series by its own training part, but series "
            f"{late[0]!r} has fewer than {_SCALE_ROWS} rows in that of {late[1]}; use window, mean or fold"
        )
        raise StudyFileError(file, [Problem("space.normalization", message)])
    return space.replacing(normalization=Choices(kept or ("window",)))


def _without_season(panel: SeriesPanel, split: Split, cutoffs: Rows, forecast: ForecastSpec, file: str) -> set[int]:
    """The scored series, or targets of a single one, that do not change over a season of the training part of a split.

    Raises:
        StudyFileError: None does, so no trial would have a score.
    """
    from lstmgru.evaluation.forecasts import season_scale

    scored = np.unique(panel.series_of(cutoffs))
    changing = season_scale(panel, split.train, forecast.season_length)[scored] > 0
    if not changing.any():
        message = (
            f"is {forecast.metric}, which divides by the change over a season ({forecast.season_length} steps), but "
            f"the training part of {split.name} is shorter or never changes so; set forecast.season_length "
            "or another metric"
        )
        raise StudyFileError(file, [Problem("forecast.metric", message)])
    return set((np.flatnonzero(~changing[0]) if len(panel) == 1 else scored[~changing.all(axis=1)]).tolist())


def _check_windows(n_windows: int, forecast: ForecastSpec, file: str) -> None:
    """Make sure that the folds have enough forecasts to calibrate every quantile, if the metric scores them all.

    Raises:
        StudyFileError: They have not, so the holdout would have no score.
    """
    from lstmgru.errors import counted
    from lstmgru.evaluation.intervals import enough_windows

    for level in forecast.levels:
        if not enough_windows(n_windows, forecast.horizon, level):
            message = (
                f"is {forecast.metric}, which scores the ends of every interval, but the folds have "
                f"{counted(n_windows, 'window')}, too few to calibrate that of level {level:g}; use longer or more "
                "folds, remove the level from forecast.levels, or choose another metric"
            )
            raise StudyFileError(file, [Problem("forecast.metric", message)])
