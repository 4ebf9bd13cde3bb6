"""From a study file to everything that is known before any training: data, folds, space, jobs.

Needs neither torch nor MLflow, so that ``check`` and every error about the study or its data answer at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.data.splits import Rows, Split, Splits, make_splits
from lstmgru.data.windows import evaluation_cutoffs, training_cutoffs
from lstmgru.specs import ForecastSpec, TrainSpec
from search.config import StudyConfig
from search.devices import resolve_accelerator, resolve_jobs
from search.errors import Problem, StudyFileError
from search.objective import SearchData
from search.space import SearchSpace, Settings, resolve_space

if TYPE_CHECKING:
    import pandas as pd

    from lstmgru.data.series import SeriesPanel


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

    def search_data(self) -> SearchData:
        """What trials see: the rows of the holdout are hidden."""
        return SearchData(
            panel=self.panel.hiding(self.splits.holdout.evaluation[:, 0]),
            folds=self.splits.folds,
            forecast=self.forecast,
            context_length=self.space.longest_context,
            stride=self.splits.stride,
        )

    def train_spec(self, settings: Settings, *, seed: int) -> TrainSpec:
        """The training settings of a trial."""
        training = self.config.training
        return TrainSpec(
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            weight_decay=settings.weight_decay,
            max_epochs=training.max_epochs,
            patience=training.patience,
            gradient_clip=training.gradient_clip,
            ema_decay=training.ema_decay,
            loss=training.loss,
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
        calendar=data.calendar,
        frequency=data.frequency,
        gaps=data.gaps,
        source=source,
    )
    season = config.forecast.season_length
    season_length = default_season_length(panel.frequency) if season == "auto" else season
    forecast = ForecastSpec(config.forecast.horizon, season_length, config.forecast.metric)
    try:
        space = resolve_space(config, forecast)
    except StudyFileError as error:
        raise StudyFileError(file, error.problems) from error
    longest = space.longest_context
    splits = make_splits(panel, config.splits.to_spec(), horizon=forecast.horizon, context_length=longest)
    for split in (*splits.folds, splits.holdout):
        training_cutoffs(panel, split, context_length=longest, horizon=forecast.horizon)
        cutoffs = evaluation_cutoffs(
            panel, split, context_length=longest, horizon=forecast.horizon, stride=splits.stride
        )
        if forecast.metric == "mase":
            _check_seasons(panel, split, cutoffs, forecast.season_length, file)
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
    )


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
    return read_table(path, delimiter=data.delimiter, decimal=data.decimal), str(path)


def identity(plan: Plan) -> dict[str, Any]:
    """What must not change while a study goes on, by dotted key: only then are its trials comparable."""
    dumped = plan.config.to_dict()
    kept = {section: dumped[section] for section in ("task", "forecast", "splits", "training")} | {
        "space": plan.space.to_dict(),
        "data": {**dumped["data"], "digest": plan.panel.digest()[:16]},
    }
    kept["data"].pop("path", None)
    kept["training"].pop("accelerator", None)
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
