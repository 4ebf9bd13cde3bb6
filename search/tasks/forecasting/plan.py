"""The plan of a study of forecasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lstmgru.data.forecasting.splits import Rows, Split, Splits, make_splits
from lstmgru.data.forecasting.windows import evaluation_cutoffs, training_runs
from lstmgru.specs import ForecastSpec
from search.config.study_config import StudyConfig
from search.config.values import Choices
from search.errors import Problem, StudyFileError
from search.space.space import SearchSpace
from search.tasks.forecasting.config import ForecastStudyConfig
from search.tasks.forecasting.data import ForecastData
from search.tasks.forecasting.facts import facts_of
from search.tasks.forecasting.presets import resolve_space
from search.tasks.plan import Plan, accelerator_of, shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from lstmgru.data.forecasting.series import SeriesPanel
    from search.config.search_config import SearchConfig
    from search.config.space_config import SpaceConfig

OWN_SCALES = ("series", "last")
"""Normalizations by which each series of a panel has mean and deviation of its own."""
_SCALE_ROWS = 8
"""Training rows from which a series' own deviation says anything."""
EPOCH_WINDOWS = 6_400
"""Windows of an epoch where a study leaves them open: enough to learn from, few enough to try many candidates."""
_FIRST_EPOCH_WINDOWS = 25_600
"""The same in the first version, whose studies did not store it."""


@dataclass(frozen=True, kw_only=True)
class ForecastPlan(Plan):
    """A validated study of forecasts with its data.

    Attributes:
        panel: All data, the holdout too.
        splits: Folds and holdout.
        forecast: Horizon, season, metric.
        scored_context: Steps that a scored window has before it; ``None``: as many as the longest context of the space.
        epoch_windows: Windows of an epoch where the study leaves them open.
    """

    config: ForecastStudyConfig
    panel: SeriesPanel
    splits: Splits
    forecast: ForecastSpec
    scored_context: int | None = None
    epoch_windows: int = EPOCH_WINDOWS

    @property
    def metric(self) -> str:
        """Name of the score."""
        return self.forecast.metric

    @property
    def n_folds(self) -> int:
        """Folds that every candidate is trained on."""
        return len(self.splits.folds)

    @property
    def holdout(self) -> Split:
        """The split that is scored once."""
        return self.splits.holdout

    @property
    def max_epochs(self) -> int:
        """Most epochs of a fold."""
        return self.config.training.max_epochs

    @property
    def patience(self) -> int | None:
        """Epochs without a better score before the training of a fold stops; ``None``: it never stops early."""
        return self.config.training.patience

    @property
    def large_data(self) -> SeriesPanel:
        """The part of the data that may be large."""
        return self.panel

    def search_data(self) -> ForecastData:
        """What trials see: the rows of the holdout are hidden."""
        return replace(self.whole_data(), panel=self.panel.hiding(self.splits.holdout.evaluation[:, 0]))

    def whole_data(self) -> ForecastData:
        """What the end of the study sees: the rows of the holdout, too."""
        return ForecastData(
            panel=self.panel,
            folds=self.splits.folds,
            forecast=self.forecast,
            context_length=self.scored_context or self.longest_context,
            stride=self.splits.stride,
            short_series=self.config.data.short_series,
        )

    def digest(self) -> str:
        """Two studies with the same digest have the same data."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        return self.panel.digest()

    def describe_data(self) -> dict[str, Any]:
        """The data in a few words, for people and for MLflow."""
        from lstmgru.errors import show_time

        panel = self.panel
        first, last = panel.times[panel.offsets[:-1]].min(), panel.times[panel.offsets[1:] - 1].max()
        return {
            "source": self.source,
            "digest": self.digest(),
            "series": len(panel),
            "rows": len(panel.times),
            "start": show_time(first),
            "end": show_time(last),
            "frequency": panel.frequency,
        }

    def resolved(self, space: SpaceConfig, search: SearchConfig) -> SearchSpace:
        """The space that the study would search with another section ``space`` and ``search``.

        Raises:
            StudyFileError: Its values do not fit each other or the data.
        """
        config = self.config.model_copy(update={"space": space, "search": search})
        return resolve_space(config, self.forecast, facts_of(self.panel, self.config))

    @property
    def longest_context(self) -> int:
        """The longest context of any candidate."""
        return int(self.space["context_length"].high)

    def family_problems(self, space: SearchSpace) -> dict[str, str]:
        """Families are scored on the same windows, so that none may read more than the study's longest context."""
        longest, reached = self.longest_context, int(space["context_length"].high)
        if reached <= longest:
            return {}
        message = (
            f"must be at most {longest}, the longest of space.context_length, because all families are scored on the "
            f"windows with that many steps before them, but reaches {reached}; lengthen the study's"
        )
        return {"context_length": message}

    def narrowed(self, *, name: str, config: StudyConfig, space: SearchSpace) -> Self:
        """The plan of a part of the space; the scored windows stay those of the whole."""
        plan = super().narrowed(name=name, config=config, space=space)
        return replace(plan, scored_context=self.scored_context or self.longest_context)

    @property
    def defaults(self) -> dict[str, Any]:
        """The size of an epoch, see :attr:`search.tasks.plan.Plan.defaults`."""
        return {"epoch_windows": self.epoch_windows}

    def with_defaults(self, stored: Mapping[str, Any] | None) -> Self:
        """The plan with the epochs of a study, see :meth:`search.tasks.plan.Plan.with_defaults`."""
        return replace(self, epoch_windows=(stored or {"epoch_windows": _FIRST_EPOCH_WINDOWS})["epoch_windows"])

    @property
    def _epoch_size(self) -> dict[str, Any]:
        training = self.config.training
        most = self.epoch_windows if training.epoch_windows == "auto" else training.epoch_windows
        return {"epoch_windows": most, "min_epoch_windows": training.min_epoch_windows}


def forecast_plan(config: ForecastStudyConfig, *, study_file: Path | None = None) -> ForecastPlan:
    """Read the data of a study of forecasts and work out everything else, see :func:`search.tasks.make_plan`."""
    from lstmgru.data.tables.frequency import default_season_length

    file = str(study_file or config.name)
    accelerator = accelerator_of(config.training, file)
    panel, source = _read_panel(config, study_file)
    season = config.forecast.season_length
    season_length = default_season_length(panel.frequency) if season == "auto" else season
    forecast = config.forecast.to_spec(season_length=season_length)
    try:
        space = resolve_space(config, forecast, facts_of(panel, config))
    except StudyFileError as error:
        raise StudyFileError(file, error.problems) from error
    splits = make_splits(
        panel,
        config.splits.to_spec(),
        context_length=int(space["context_length"].high),
        horizon=forecast.horizon,
        short_series=config.data.short_series,
    )
    space = _check_splits(config, panel, splits, forecast, space, file)
    return ForecastPlan(
        **shared(config, space, accelerator, file, portfolio="forecasts"),
        config=config,
        space=space,
        source=source,
        panel=panel,
        splits=splits,
        forecast=forecast,
    )


def _read_panel(config: ForecastStudyConfig, study_file: Path | None) -> tuple[SeriesPanel, str]:
    """The series, and where they came from."""
    from lstmgru.data.forecasting.panel import build_panel

    (frame, source), data = read_frame(config, study_file), config.data
    panel = build_panel(
        frame,
        time=data.time,
        targets=data.targets,
        id=data.id,
        past_covariates=data.past_covariates,
        future_covariates=data.future_covariates,
        static_covariates=data.static_covariates,
        categorical=data.categorical,
        calendar=data.calendar,
        frequency=data.frequency,
        timezone=data.timezone,
        gaps=data.gaps,
        source=source,
    )
    return panel, source


def _check_splits(
    config: ForecastStudyConfig,
    panel: SeriesPanel,
    splits: Splits,
    forecast: ForecastSpec,
    space: SearchSpace,
    file: str,
) -> SearchSpace:
    """Make sure that every split can be learnt from and scored; return the space without what it cannot.

    Raises:
        DataError: A split has no window.
        StudyFileError: The metric has no value there, or the study chose what cannot be.
    """
    from lstmgru.evaluation.metrics import find_metric

    short_series, metric = config.data.short_series, find_metric(forecast.metric)
    reading = {"context_length": int(space["context_length"].high), "horizon": forecast.horizon}
    n_windows = 0
    late: tuple[str, str] | None = None
    for split in (*splits.folds, splits.holdout):
        training_runs(panel, split, **reading, short_series=short_series)
        cutoffs = evaluation_cutoffs(panel, split, **reading, stride=splits.stride, short_series=short_series)
        n_windows += len(cutoffs) if split is not splits.holdout else 0
        late = late or _series_without_scale(panel, split, cutoffs)
        if metric.divisor == "season":
            _check_seasons(panel, split, cutoffs, forecast, file)
    if metric.of_quantiles:
        _check_windows(n_windows, forecast, file)
    return space if late is None else _without_own_scales(space, config, late, file)


def _series_without_scale(panel: SeriesPanel, split: Split, cutoffs: Rows) -> tuple[str, str] | None:
    """A series that is scored in a split and has too few training rows there to be scaled by them, and the split."""
    if len(panel) == 1:
        return None
    scored = np.unique(np.searchsorted(panel.offsets, cutoffs, side="right") - 1)
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


def _check_seasons(panel: SeriesPanel, split: Split, cutoffs: Rows, forecast: ForecastSpec, file: str) -> None:
    """Make sure that every scored series changes over a season of its training part, if the metric divides by that.

    Raises:
        StudyFileError: One does not, so no trial would have a score.
    """
    from lstmgru.evaluation.forecasts import season_scale

    scored = np.unique(np.searchsorted(panel.offsets, cutoffs, side="right") - 1)
    scales = season_scale(panel, split.train, forecast.season_length)[scored]
    without = scored[~(scales > 0).all(axis=1)]
    if len(without):
        of_series = f" of series {panel.ids[without[0]]!r}" if len(panel) > 1 else ""
        message = (
            f"is {forecast.metric}, which divides by the change over a season ({forecast.season_length} steps), but "
            f"the training part of {split.name}{of_series} is shorter or never changes so; set forecast.season_length "
            "or another metric"
        )
        raise StudyFileError(file, [Problem("forecast.metric", message)])


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


def read_frame(config: ForecastStudyConfig, study_file: Path | None) -> tuple[pd.DataFrame, str]:
    """The study's table and its name for messages.

    Raises:
        DataError: It cannot be read.
    """
    from lstmgru.data.tables.datasets import load_dataset
    from lstmgru.data.tables.readers import read_table

    data = config.data
    if data.dataset is not None:
        return load_dataset(data.dataset), data.dataset
    path = data.resolve_path(study_file)
    names = [*data.categorical, *((data.id,) if data.id else ())]
    written = data.model_dump(include={"delimiter", "decimal", "encoding", "columns"})
    return read_table(path, **written, text=names), str(path)
