"""From a study file to everything that is known before any training: data, folds, space, jobs.

Needs neither torch nor MLflow, so that ``check`` and every error about the study or its data answer at once.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.data.splits import Rows, Split, Splits, make_splits
from lstmgru.data.windows import evaluation_cutoffs, training_cutoffs
from lstmgru.registry import registered_cells
from lstmgru.specs import ForecastSpec, TrainSpec
from search.config import StudyConfig
from search.configurations import Parameters, known_configurations
from search.devices import resolve_accelerator, resolve_jobs
from search.errors import Problem, StudyFileError
from search.objective import SearchData
from search.objectives import SCORE
from search.presets import DataFacts, resolve_space
from search.space import SearchSpace, Settings
from search.values import Choices

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.data.series import SeriesPanel

OWN_SCALES = ("series", "last")
"""Normalizations by which each series of a panel has mean and deviation of its own."""
_SCALE_ROWS = 8
"""Training rows from which a series' own deviation says anything."""
EPOCH_WINDOWS = 25_600
"""Windows of an epoch where a study leaves them open: enough to learn from, few enough for frequent scores."""


@dataclass(frozen=True)
class Plan:
    """A validated study with its data.

    Attributes:
        name: Of the study.
        config: The study file.
        source: Where the data came from, for people.
        panel: All data, the holdout too.
        splits: Folds and holdout.
        forecast: Horizon, season, metric.
        space: What is searched.
        trials: How many the study is to have; at most the size of a grid.
        jobs: How many at once.
        accelerator: What they train on.
        try_first: Configurations that are tried before any other, as trials have them.
    """

    name: str
    config: StudyConfig
    source: str
    panel: SeriesPanel
    splits: Splits
    forecast: ForecastSpec
    space: SearchSpace
    trials: int
    jobs: int
    accelerator: str
    try_first: tuple[Parameters, ...] = ()

    def registered_cells(self) -> dict[str, type[Any]]:
        """The user's own cells that are searched, by name."""
        searched = self.space.cell.values or ()
        return {name: cell for name, cell in registered_cells().items() if name in searched}

    def search_data(self) -> SearchData:
        """What trials see: the rows of the holdout are hidden."""
        return SearchData(
            panel=self.panel.hiding(self.splits.holdout.evaluation[:, 0]),
            folds=self.splits.folds,
            forecast=self.forecast,
            context_length=self.space.longest_context,
            stride=self.splits.stride,
            short_series=self.config.data.short_series,
        )

    def train_spec(self, settings: Settings, *, seed: int) -> TrainSpec:
        """The training settings of a trial."""
        training = self.config.training
        epoch_windows = EPOCH_WINDOWS if training.epoch_windows == "auto" else training.epoch_windows
        return TrainSpec(
            **asdict(settings),
            epoch_windows=epoch_windows,
            max_epochs=training.max_epochs,
            patience=training.patience,
            gradient_clip=training.gradient_clip,
            ema_decay=training.ema_decay,
            accelerator=self.accelerator,
            seed=seed,
        )


def make_plan(config: StudyConfig, *, study_file: Path | None = None) -> Plan:
    """Read the data of a study and work out everything else.

    Args:
        config: The study.
        study_file: Where it was read from; a relative ``data.path`` may be relative to its folder.

    Raises:
        DataError: The data break a rule.
        StudyFileError: The study does not fit its data.
    """
    from lstmgru.data.frequency import default_season_length
    from lstmgru.data.panel import build_panel

    file = str(study_file or config.name)
    accelerator = _accelerator(config.training.accelerator, file)
    frame, source = read_frame(config, study_file)
    data = config.data
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
        gaps=data.gaps,
        source=source,
    )
    season = config.forecast.season_length
    season_length = default_season_length(panel.frequency) if season == "auto" else season
    forecast = config.forecast.to_spec(season_length=season_length)
    facts = DataFacts(panel.n_targets, len(panel), bool((panel.values[:, : panel.n_targets] > 0).all()))
    try:
        space = resolve_space(config, forecast, facts)
    except StudyFileError as error:
        raise StudyFileError(file, error.problems) from error
    longest = space.longest_context
    reading = {"context_length": longest, "horizon": forecast.horizon}
    short_series = data.short_series
    splits = make_splits(panel, config.splits.to_spec(), **reading, short_series=short_series)
    n_windows = 0
    late: tuple[str, str] | None = None
    for split in (*splits.folds, splits.holdout):
        training_cutoffs(panel, split, **reading, short_series=short_series)
        cutoffs = evaluation_cutoffs(panel, split, **reading, stride=splits.stride, short_series=short_series)
        n_windows += len(cutoffs) if split is not splits.holdout else 0
        late = late or _series_without_scale(panel, split, cutoffs)
        if forecast.metric == "mase":
            _check_seasons(panel, split, cutoffs, forecast.season_length, file)
    if forecast.metric == "wql":
        _check_windows(n_windows, forecast, file)
    if late is not None:
        space = _without_own_scales(space, config, late, file)
    try_first, problems = known_configurations(space, config.search.try_first)
    if problems:
        raise StudyFileError(file, problems)
    grid_size = space.size if config.search.sampler == "grid" else None
    trials = min(config.search.trials, grid_size or config.search.trials)
    return Plan(
        name=config.name,
        config=config,
        source=source,
        panel=panel,
        splits=splits,
        forecast=forecast,
        space=space,
        trials=trials,
        jobs=min(trials, resolve_jobs(config.search.jobs, config.training.accelerator)),
        accelerator=accelerator,
        try_first=try_first,
    )


def _series_without_scale(panel: SeriesPanel, split: Split, cutoffs: Rows) -> tuple[str, str] | None:
    """A series that is scored in a split and has too few training rows there to be scaled by them, and the split."""
    if len(panel) == 1:
        return None
    scored = np.unique(np.searchsorted(panel.offsets, cutoffs, side="right") - 1)
    asked = np.arange(len(panel)) if split.name == "holdout" else scored
    without = asked[split.train[asked, 1] - split.train[asked, 0] < _SCALE_ROWS]
    return (str(panel.ids[without[0]]), split.name) if len(without) else None


def _without_own_scales(space: SearchSpace, config: StudyConfig, late: tuple[str, str], file: str) -> SearchSpace:
    """The space without normalizations that scale each series by its own training part, if the preset chose them.

    Raises:
        StudyFileError: The study chose them.
    """
    names = space.normalization.values or ()
    kept = tuple(name for name in names if name not in OWN_SCALES)
    if config.space.normalization is not None and len(kept) < len(names):
        message = (
            f"holds {' or '.join(OWN_SCALES)}, which scales each series by its own training part, but series "
            f"{late[0]!r} has fewer than {_SCALE_ROWS} rows in that of {late[1]}; use window, mean or fold"
        )
        raise StudyFileError(file, [Problem("space.normalization", message)])
    return replace(space, normalization=Choices(kept or ("window",)))


def _accelerator(wanted: str, file: str) -> str:
    """What a study is trained on.

    Raises:
        StudyFileError: It asks for something that this machine does not have.
    """
    found = resolve_accelerator("auto")
    # AMD's devices are found by torch alone, so a study that names them is believed; on a Mac Lightning's gpu is mps.
    believed = found != "cpu" or "+rocm" in version("torch")
    if wanted not in ("auto", "cpu", found) and not (wanted == "gpu" and believed):
        message = f"is {wanted}, but this machine has only {found} to train on; set it to auto or {found}"
        raise StudyFileError(file, [Problem("training.accelerator", message)])
    return resolve_accelerator(wanted)


def _check_seasons(panel: SeriesPanel, split: Split, cutoffs: Rows, season_length: int, file: str) -> None:
    """Make sure that every scored series changes over a season of its training part, for MASE divides by that.

    Raises:
        StudyFileError: One does not, so no trial would have a score.
    """
    from lstmgru.metrics import season_scale

    scored = np.unique(np.searchsorted(panel.offsets, cutoffs, side="right") - 1)
    scales = season_scale(panel, split.train, season_length)[scored]
    without = scored[~(scales > 0).all(axis=1)]
    if len(without):
        of_series = f" of series {panel.ids[without[0]]!r}" if len(panel) > 1 else ""
        message = (
            f"is mase, which divides by the change over a season ({season_length} steps), but the training part of "
            f"{split.name}{of_series} is shorter or never changes so; set forecast.season_length or another metric"
        )
        raise StudyFileError(file, [Problem("forecast.metric", message)])


def _check_windows(n_windows: int, forecast: ForecastSpec, file: str) -> None:
    """Make sure that the folds have enough forecasts to calibrate every quantile, for WQL scores them all.

    Raises:
        StudyFileError: They have not, so the holdout would have no score.
    """
    from lstmgru.data.wording import counted
    from lstmgru.intervals import enough_windows

    for level in forecast.levels:
        if not enough_windows(n_windows, forecast.horizon, level):
            message = (
                f"is wql, which scores the ends of every interval, but the folds have {counted(n_windows, 'window')}, "
                f"too few to calibrate that of level {level:g}; use longer or more folds, leave the level out of "
                "forecast.levels, or choose another metric"
            )
            raise StudyFileError(file, [Problem("forecast.metric", message)])


def read_frame(config: StudyConfig, study_file: Path | None) -> tuple[pd.DataFrame, str]:
    """The study's table and its name for messages.

    Raises:
        DataError: It cannot be read.
    """
    from lstmgru.data.datasets import load_dataset
    from lstmgru.data.readers import read_table

    data = config.data
    if data.dataset is not None:
        return load_dataset(data.dataset), data.dataset
    path = data.resolve_path(study_file)
    return read_table(path, delimiter=data.delimiter, decimal=data.decimal, text=data.categorical), str(path)


def identity(plan: Plan) -> dict[str, Any]:
    """What must not change while a study goes on, by dotted key: only then are its trials comparable."""
    dumped = plan.config.to_dict()
    kept = {section: dumped[section] for section in ("task", "forecast", "splits", "training")} | {
        "space": plan.space.to_dict(),
        "data": {**dumped["data"], "digest": plan.panel.digest()[:16]},
    }
    if own := {name: f"{cell.__module__}.{cell.__qualname__}" for name, cell in plan.registered_cells().items()}:
        kept["registered_cells"] = own
    kept["data"].pop("path", None)
    kept["training"].pop("accelerator", None)
    # What the sampler has learnt with them cannot be taken back. A study of the score alone does not mention them.
    search = {key: dumped["search"][key] for key in ("objectives", "bounds")}
    kept["search"] = {key: value for key, value in search.items() if value not in ([SCORE], [])}
    return dict(_flatten(kept))


def describe_data(plan: Plan) -> dict[str, Any]:
    """The data in a few words, for people and for MLflow."""
    from lstmgru.data.wording import show_time

    panel = plan.panel
    first, last = panel.times[panel.offsets[:-1]].min(), panel.times[panel.offsets[1:] - 1].max()
    return {
        "source": plan.source,
        "digest": panel.digest(),
        "series": len(panel),
        "rows": len(panel.times),
        "start": show_time(first),
        "end": show_time(last),
        "frequency": panel.frequency,
    }


def _flatten(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            flat += _flatten(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", list(value) if isinstance(value, tuple) else value))
    return flat
