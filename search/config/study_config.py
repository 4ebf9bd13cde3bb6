"""What a study file may hold: every key with its type, its default, its unit and what ``null`` means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from lstmgru.specs import CLASS_METRICS, VALUE_METRICS, SequenceMetric
from search.config.search_config import FIRST_RUNG, RUNGS, SearchConfig
from search.config.searchable import grid_problems
from search.config.space_config import (
    ForecastCompareConfig,
    ForecastSpaceConfig,
    SequenceCompareConfig,
    SequenceSpaceConfig,
    SpaceConfig,
)
from search.config.training_config import ForecastTrainingConfig, SequenceTrainingConfig, TrackingConfig
from search.config.types import Strict
from search.config.yaml_file import dump_yaml
from search.errors import shown
from search.tasks.forecasting.data_config import DataConfig, ForecastConfig, SplitsConfig
from search.tasks.sequences.data_config import LabelsConfig, SequenceDataConfig, SequenceSplitsConfig

CROSS_SECTION = "cross_section"
"""Type of the pydantic errors that come from a rule between two sections."""

AnyTraining = ForecastTrainingConfig | SequenceTrainingConfig

_NAME = (
    "Name of the study, its journal and its model: letters, digits, `-`, `_` and `.`. "
    "Default: the name of the file without `.yaml`."
)
_DATA = "The table, and the part that each of its columns plays."
_SEARCH = "How candidates are suggested and pruned, and how much may be spent."
_SPACE = "What is searched: a preset, and what replaces its values."
_TRAINING = "How every candidate is trained."
_TRACKING = "Where MLflow shows the study."
_COMPARE = "What `compare` compares."


class _Study(Strict):
    """What the studies of all tasks share: rules of the name, and between sections."""

    @field_validator("name", check_fields=False)
    @classmethod
    def _is_file_name(cls, name: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            return name
        better = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100] or "my-study"
        raise ValueError(
            "must be 1 to 100 letters (A to Z), digits, '-', '_' and '.', the first a letter or a digit, "
            f"but got {shown(name)}; for example name: {better}"
        )

    @field_validator("space", check_fields=False)
    @classmethod
    def _a_grid_is_finite(cls, space: SpaceConfig, info: ValidationInfo) -> SpaceConfig:
        if "search" in info.data and info.data["search"].sampler == "grid":
            _raise_all(grid_problems(space))
        return space

    @field_validator("training", check_fields=False)
    @classmethod
    def _a_rung_is_reached(cls, training: AnyTraining, info: ValidationInfo) -> AnyTraining:
        known = {"search", "splits"} <= info.data.keys() and training.max_epochs != "auto"
        if known and info.data["search"].pruner in RUNGS:
            epochs = int(training.max_epochs) * info.data["splits"].folds
            if epochs < FIRST_RUNG:
                text = (
                    f"must be larger for search.pruner: {info.data['search'].pruner}, which decides first after "
                    f"{FIRST_RUNG} epochs, but all folds together have {epochs}; or set search.pruner to none"
                )
                _raise_all({"max_epochs": text})
        return training

    def to_dict(self) -> dict[str, Any]:
        """Plain values, every default filled in; ``model_validate`` is the inverse."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """A study file that loads as this study, every default filled in."""
        return dump_yaml(self.to_dict())


class ForecastStudyConfig(_Study):
    """A study of forecasts: data, what to forecast, how to score, and what to search."""

    name: str = Field(description=_NAME)
    task: Literal["forecast"] = Field(
        "forecast",
        description="What is learnt: to `forecast` series, or to give sequences or texts their labels, by "
        "`classification` or `regression`.",
    )
    data: DataConfig = Field(description=_DATA)
    forecast: ForecastConfig = Field(description="What is forecast, and how forecasts are scored.")
    splits: SplitsConfig = Field(description="How the series are cut into folds and a holdout.")
    search: SearchConfig = Field(SearchConfig(), description=_SEARCH)
    space: ForecastSpaceConfig = Field(ForecastSpaceConfig(), description=_SPACE)
    training: ForecastTrainingConfig = Field(ForecastTrainingConfig(), description=_TRAINING)
    tracking: TrackingConfig = Field(TrackingConfig(), description=_TRACKING)
    compare: ForecastCompareConfig = Field(ForecastCompareConfig(), description=_COMPARE)

    @field_validator("splits")
    @classmethod
    def _a_forecast_fits(cls, splits: SplitsConfig, info: ValidationInfo) -> SplitsConfig:
        if "forecast" in info.data:
            horizon = info.data["forecast"].horizon
            lengths = {"holdout": splits.holdout, "fold_size": splits.fold_size}
            _raise_all(
                {
                    key: f"must be at least forecast.horizon ({horizon}), so that a forecast fits, but got {length}"
                    for key, length in lengths.items()
                    if length is not None and length < horizon
                }
            )
        return splits


class SequenceStudyConfig(_Study):
    """A study of labels: sequences or texts, how to score, and what to search."""

    name: str = Field(description=_NAME)
    task: Literal["classification", "regression"] = Field(
        description="What is learnt: a label that is a class, or one that is a number."
    )
    data: SequenceDataConfig = Field(description=_DATA)
    labels: LabelsConfig = Field(LabelsConfig(), description="What a label is, and how labels are scored.")
    splits: SequenceSplitsConfig = Field(
        SequenceSplitsConfig(), description="How the sequences are cut into folds and a holdout."
    )
    search: SearchConfig = Field(SearchConfig(), description=_SEARCH)
    space: SequenceSpaceConfig = Field(SequenceSpaceConfig(), description=_SPACE)
    training: SequenceTrainingConfig = Field(SequenceTrainingConfig(), description=_TRAINING)
    tracking: TrackingConfig = Field(TrackingConfig(), description=_TRACKING)
    compare: SequenceCompareConfig = Field(SequenceCompareConfig(), description=_COMPARE)

    @field_validator("labels")
    @classmethod
    def _metric_of_the_task(cls, labels: LabelsConfig, info: ValidationInfo) -> LabelsConfig:
        if "task" in info.data and labels.metric != "auto":
            valid = CLASS_METRICS if info.data["task"] == "classification" else VALUE_METRICS
            if labels.metric not in valid:
                text = f"must be one of {', '.join(valid)} for task: {info.data['task']} but got {labels.metric!r}"
                _raise_all({"metric": text})
        return labels

    @field_validator("splits")
    @classmethod
    def _one_holdout(cls, splits: SequenceSplitsConfig, info: ValidationInfo) -> SequenceSplitsConfig:
        data = info.data.get("data")
        if data is not None and data.test is not None and splits.holdout is not None:
            text = f"cannot stand beside data.test ({data.test!r}), which is the holdout; leave one of the two out"
            _raise_all({"holdout": text})
        return splits

    @property
    def metric(self) -> SequenceMetric:
        """The score, ``auto`` resolved."""
        if self.labels.metric != "auto":
            return self.labels.metric
        return "accuracy" if self.task == "classification" else "mae"


StudyConfig = ForecastStudyConfig | SequenceStudyConfig
TASKS: dict[str, type[ForecastStudyConfig] | type[SequenceStudyConfig]] = {
    "forecast": ForecastStudyConfig,
    "classification": SequenceStudyConfig,
    "regression": SequenceStudyConfig,
}
"""The study of each task."""


def study_type(values: Mapping[str, Any]) -> type[ForecastStudyConfig] | type[SequenceStudyConfig]:
    """The kind of study that a file's values are; that of forecasts, unless they name another task."""
    task = values.get("task")
    return TASKS.get(task, ForecastStudyConfig) if isinstance(task, str) else ForecastStudyConfig


def _raise_all(problems: dict[str, str]) -> None:
    if problems:
        raise ValidationError.from_exception_data(
            "study",
            [
                InitErrorDetails(
                    type=PydanticCustomError(CROSS_SECTION, "{text}", {"text": text}), loc=(key,), input=None
                )
                for key, text in problems.items()
            ],
        )
