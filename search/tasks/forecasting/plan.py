"""The plan of a study of forecasts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from lstmgru.data.forecasting.splits import Splits, make_splits
from lstmgru.specs import ForecastSpec
from search.config.study_config import StudyConfig
from search.errors import StudyFileError
from search.space.space import SearchSpace
from search.study.table_rows import TableRows
from search.tasks.accelerator import accelerator_of
from search.tasks.forecasting.bounds import check_bounds, counts_note, logarithms_note
from search.tasks.forecasting.checks import check_losses, check_splits
from search.tasks.forecasting.config import ForecastStudyConfig
from search.tasks.forecasting.data import ForecastData
from search.tasks.forecasting.facts import DataFacts, facts_of, with_fitting_folds
from search.tasks.forecasting.leaks import leaks
from search.tasks.forecasting.presets import context_lengths, resolve_space, shortest_context
from search.tasks.plan import Plan, shared

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from lstmgru.data.forecasting.series import SeriesPanel
    from search.config.search_config import SearchConfig
    from search.config.space_config import SpaceConfig

PORTFOLIO = Path(__file__).with_name("portfolio.json")
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
        facts: What the space depends on.
        scored_context: Steps that a scored window has before it; ``None``: as many as the longest context of the space.
        epoch_windows: Windows of an epoch where the study leaves them open.
        masks_steps: Whether a missing target costs its step alone, and not all windows that it is in.
    """

    config: ForecastStudyConfig
    panel: SeriesPanel
    splits: Splits
    forecast: ForecastSpec
    facts: DataFacts
    scored_context: int | None = None
    epoch_windows: int = EPOCH_WINDOWS
    masks_steps: bool = True

    @property
    def metric(self) -> str:
        """Name of the score."""
        return self.forecast.metric

    @property
    def max_epochs(self) -> int:
        """Most epochs of a fold."""
        return self.config.training.max_epochs

    @property
    def patience(self) -> int | None:
        """Epochs without a better score before the training of a fold stops; ``None``: it never stops early."""
        return self.config.training.patience

    @property
    def large_data(self) -> tuple[SeriesPanel, ...]:
        """The panel, and the panel that trials see."""
        return self.panel, self._masked

    def search_data(self) -> ForecastData:
        """What trials see: the rows of the holdout are hidden."""
        return replace(self.whole_data(), panel=self._masked)

    @cached_property
    def _masked(self) -> SeriesPanel:
        return self.panel.hiding(self.splits.holdout.evaluation[:, 0])

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

    def rows(self) -> TableRows:
        """The rows of the series in their order; calendar features follow from the times."""
        from lstmgru.data.tables.grid import wall_clock
        from lstmgru.errors import show_time

        panel = self.panel
        own = panel.values[:, : len(panel.schema.value_columns)]
        static = panel.static.repeat(panel.lengths, axis=0)
        return TableRows(
            parts=tuple(str(name) for name in panel.ids),
            offsets=panel.offsets,
            columns=(panel.times, own, panel.observed, static),
            order=panel.times,
            label=lambda row: show_time(wall_clock(panel.times[row : row + 1], panel.timezone)[0]),
            dated=True,
        )

    def describe_data(self) -> dict[str, Any]:
        """The data in a few words, for people and for MLflow; times are local ones."""
        from lstmgru.data.tables.grid import wall_clock
        from lstmgru.errors import show_time

        panel = self.panel
        ends = [panel.times[panel.offsets[:-1]].min(), panel.times[panel.offsets[1:] - 1].max()]
        first, last = wall_clock(np.array(ends), panel.timezone)
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
        return resolve_space(config, self.forecast, self.facts)

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
        """Epochs, the treatment of gaps and the bounds of counts, see :attr:`search.tasks.plan.Plan.defaults`."""
        return {
            "epoch_windows": self.epoch_windows,
            "masks_steps": self.masks_steps,
            "minimum": list(self.forecast.minimum),
        }

    def with_defaults(self, stored: Mapping[str, Any] | None) -> Self:
        """The plan as a study was begun, see :meth:`search.tasks.plan.Plan.with_defaults`."""
        begun = {"epoch_windows": _FIRST_EPOCH_WINDOWS, "masks_steps": False, "minimum": [], **(stored or {})}
        panel = self.panel if begun["masks_steps"] else replace(self.panel, known=None)
        minimum = begun.pop("minimum")
        plan = replace(self, panel=panel, **begun)
        if self.config.forecast.minimum != "auto" or minimum == list(self.forecast.minimum):
            return plan
        others = (note for note in self.notes if note not in counts_note(self.config, self.panel, self.forecast))
        return replace(plan, forecast=replace(self.forecast, minimum=tuple(minimum)), notes=tuple(others))

    @property
    def _epoch_size(self) -> dict[str, Any]:
        training = self.config.training
        most = self.epoch_windows if training.epoch_windows == "auto" else training.epoch_windows
        return {"epoch_windows": most, "min_epoch_windows": training.min_epoch_windows}


def forecast_plan(config: ForecastStudyConfig, *, study_file: Path | None = None) -> ForecastPlan:
    """Read the data of a study of forecasts and work out everything else, see :func:`search.tasks.make_plan`."""
    from lstmgru.data.tables.frequency import default_season_length

    file = str(study_file or config.name)
    accelerator = accelerator_of(config, file)
    panel, source = _read_panel(config, study_file)
    season = config.forecast.season_length
    season_length = default_season_length(panel.frequency) if season == "auto" else season
    facts = facts_of(panel, config)
    written, given = config, config.space.context_length
    usual = season_length if season_length > 1 else facts.calendar_season
    shortest = shortest_context(config.forecast.horizon, usual) if given is None else int(given.high)
    if facts.longest is not None and facts.longest < shortest:
        config = with_fitting_folds(config, panel, shortest)
        facts = facts_of(panel, config)
    forecast = config.forecast.to_spec(season_length=season_length, targets=panel.schema.targets, counts=facts.counts)
    check_bounds(config, panel, forecast, file)
    try:
        space = resolve_space(config, forecast, facts)
    except StudyFileError as error:
        raise StudyFileError(file, error.problems) from error
    check_losses(panel, space, file)
    splits = make_splits(
        panel,
        config.splits.to_spec(),
        context_length=int(space["context_length"].high),
        horizon=forecast.horizon,
        short_series=config.data.short_series,
    )
    space, notes = check_splits(config, panel, splits, forecast, space, file)
    return ForecastPlan(
        **shared(config, space, accelerator, file, portfolio=PORTFOLIO),
        config=config,
        space=space,
        source=source,
        panel=panel,
        splits=splits,
        forecast=forecast,
        facts=facts,
        notes=(
            *_trimmed(panel),
            *_unix_times(panel),
            *_giving_way(config, space, context_lengths(forecast.horizon, usual)[0], written),
            *notes,
            *counts_note(config, panel, forecast),
            *logarithms_note(panel, space, facts.positive),
            *leaks(panel, splits, forecast),
        ),
    )


def _trimmed(panel: SeriesPanel) -> list[str]:
    """How many rows were left out."""
    from lstmgru.errors import counted

    if not panel.trimmed:
        return []
    return [f"{counted(panel.trimmed, 'row')} left out before the first value of every column of a series"]


def _unix_times(panel: SeriesPanel) -> list[str]:
    """That seconds since 1970, between 1990 and 2100, have no calendar."""
    looks_so = panel.frequency == "step" and panel.step >= 60 and 6.3e8 <= int(panel.times[0]) <= 4.1e9
    return ["the times look like Unix seconds; they count as steps without a calendar: write dates"] if looks_so else []


def _giving_way(config: ForecastStudyConfig, space: SearchSpace, usual: int, written: ForecastStudyConfig) -> list[str]:
    """What is less than usual, where the study does not choose it, because the data are short.

    Args:
        config: The study with the folds that fit.
        space: Its space.
        usual: The shortest context of longer data.
        written: The study file.
    """
    notes, longest = [], int(space["context_length"].high)
    if config.splits.folds < written.splits.folds:
        notes.append(f"splits.folds is {config.splits.folds} instead of {written.splits.folds}: the data are too short")
    if config.space.context_length is None and longest < usual:
        notes.append(f"space.context_length is {longest} instead of {usual} or more: the data are too short")
    return notes


def _read_panel(config: ForecastStudyConfig, study_file: Path | None) -> tuple[SeriesPanel, str]:
    """The series, and where they came from."""
    from lstmgru.data.forecasting.build_panel import build_panel

    data, source = config.data, _source(config, study_file)
    panel = build_panel(
        read_frame(config, study_file)[0],  # not kept here, so that it can be freed there
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
        time_format=data.time_format,
        gaps=data.gaps,
        source=source,
    )
    return panel, source


def _source(config: ForecastStudyConfig, study_file: Path | None) -> str:
    """The study's table in messages."""
    return config.data.dataset or str(config.data.resolve_path(study_file))


def read_frame(config: ForecastStudyConfig, study_file: Path | None) -> tuple[pd.DataFrame, str]:
    """The study's table and its name for messages.

    Raises:
        DataError: It cannot be read.
    """
    from lstmgru.data.tables.datasets import load_dataset
    from lstmgru.data.tables.readers import read_table

    data = config.data
    source = _source(config, study_file)
    if data.dataset is not None:
        return load_dataset(data.dataset), source
    names = [*data.categorical, *((data.id,) if data.id else ())]
    written = data.model_dump(include={"delimiter", "decimal", "encoding", "columns"})
    return read_table(Path(source), **written, text=names, categories=True), source
