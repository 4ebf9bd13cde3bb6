"""The configuration of a study of sequences or texts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from lstmgru.errors import did_you_mean
from lstmgru.specs import SequenceModelSpec
from search.config import study_config
from search.config.search_config import SearchConfig
from search.config.sections import ExportConfig, TrackingConfig, TrainingConfig
from search.config.space_config import FAMILIES, CompareConfig, FamilyConfig, SpaceConfig
from search.config.space_values import (
    ClassWeightings,
    Flags,
    Heads,
    Probability,
    SequenceLosses,
    SequenceNormalizations,
    Sizes,
    TokenKinds,
    Whole,
)
from search.config.study_config import StudyConfig, raise_all
from search.config.types import CountOrAuto
from search.errors import shown
from search.tasks.sequences.data_config import LabelsConfig, SequenceDataConfig, SequenceSplitsConfig


class SequenceSpaceConfig(SpaceConfig):
    """The search space: a preset, and overrides of its values."""

    spec = SequenceModelSpec

    fcn_filters: Sizes | None = Field(
        None,
        description="Number of filters of a fully convolutional branch beside the recurrent layers (LSTM-FCN, Karim et "
        "al. 2017); the second of its three convolutions has twice as many. 0 disables it. `null`: the values of the "
        "preset.",
    )
    head: Heads | None = Field(
        None,
        description="Head that maps the pooled outputs to the label: `linear`, or `mlp` with one hidden layer. "
        "`null`: the values of the preset.",
    )
    max_length: Whole | None = Field(
        None,
        description="Maximum number of steps or tokens; longer sequences are truncated at the end. `null`: the "
        "longest in the data, at most 512.",
    )
    normalization: SequenceNormalizations | None = Field(
        None,
        description="Scaling of numeric sequences: `none`; `fold`, by mean and standard deviation of the training "
        "part; `sequence`, by those of each sequence. Not for texts. `null`: the values of the preset.",
    )
    tokens: TokenKinds | None = Field(
        None,
        description="Tokens of a text: `word` or `character`. Texts only. `null`: the values of the preset; "
        "`character` for texts in scripts without blanks between words.",
    )
    embedding_size: Sizes | None = Field(
        None,
        description="Size of the token embeddings; fixed if `data.vectors` is given. Texts only. `null`: the values "
        "of the preset.",
    )
    min_count: Whole | None = Field(
        None,
        description="Minimum number of occurrences of a token in the training part to be in the vocabulary; all "
        "other tokens are unknown. Texts only. `null`: the values of the preset.",
    )
    token_dropout: Probability | None = Field(
        None,
        description="Probability of replacing a token with the unknown token in training. "
        "Texts only. `null`: the values of the preset.",
    )
    subwords: Flags | None = Field(
        None,
        description="Whether the mean of learned vectors of a word's character n-grams is added to its embedding "
        "(fastText). Words only. `null`: the values of the preset.",
    )
    loss: SequenceLosses | None = Field(
        None,
        description="Training loss: `cross_entropy` for classification; `mae`, `mse` or `huber` with delta 1, on "
        "scaled values, for regression. `null`: the values of the preset.",
    )
    label_smoothing: Probability | None = Field(
        None,
        description="Label smoothing. Classification only. `null`: the values of the preset.",
    )
    class_weights: ClassWeightings | None = Field(
        None,
        description="Class weights of the loss: `none`, or `balanced`, inversely proportional to class frequencies. "
        "Classification only. `null`: the values of the preset.",
    )


class SequenceFamilyConfig(SequenceSpaceConfig, FamilyConfig):
    """A family of sequence networks."""


class SequenceCompareConfig(CompareConfig):
    """The families of a comparison."""

    families: dict[str, SequenceFamilyConfig] | None = Field(None, description=FAMILIES)


class SequenceTrainingConfig(TrainingConfig):
    """Training settings of all candidates."""

    max_epochs: CountOrAuto = Field(
        "auto",
        description="Maximum number of epochs per fold. `auto`: enough to read 50000 sequences, at least 20 (for "
        "texts 10) and at most 60.",
    )
    patience: CountOrAuto | None = Field(
        "auto",
        description="Number of epochs without improvement after which the training of a fold stops. `auto`: a third "
        "of `training.max_epochs`. `null`: no early stopping.",
    )


class SequenceStudyConfig(StudyConfig):
    """A study of labeled sequences or texts."""

    name: str = Field(description=study_config.NAME)
    task: Literal["classification", "regression"] = Field(
        description="Task: `classification` if the labels are classes, `regression` if they are numbers."
    )
    data: SequenceDataConfig = Field(description=study_config.DATA)
    labels: LabelsConfig = Field(LabelsConfig(), description="How labels are scored.")
    splits: SequenceSplitsConfig = Field(
        SequenceSplitsConfig(), description="How the sequences are split into folds and a holdout."
    )
    search: SearchConfig = Field(SearchConfig(), description=study_config.SEARCH)
    space: SequenceSpaceConfig = Field(SequenceSpaceConfig(), description=study_config.SPACE)
    training: SequenceTrainingConfig = Field(SequenceTrainingConfig(), description=study_config.TRAINING)
    export: ExportConfig = Field(ExportConfig(), description=study_config.EXPORT)
    tracking: TrackingConfig = Field(TrackingConfig(), description=study_config.TRACKING)
    compare: SequenceCompareConfig = Field(SequenceCompareConfig(), description=study_config.COMPARE)

    @field_validator("labels")
    @classmethod
    def _metric_of_the_task(cls, labels: LabelsConfig, info: ValidationInfo) -> LabelsConfig:
        if "task" in info.data and labels.metric != "auto":
            from lstmgru.evaluation.metrics import metric_names

            names = metric_names(info.data["task"])
            if labels.metric not in names:
                hint = did_you_mean(labels.metric, list(names))
                text = f"must be one of {', '.join(names)} for task: {info.data['task']} but got {shown(labels.metric)}"
                raise_all({"metric": text + hint})
        return labels

    @field_validator("splits")
    @classmethod
    def _one_holdout(cls, splits: SequenceSplitsConfig, info: ValidationInfo) -> SequenceSplitsConfig:
        test = getattr(info.data.get("data"), "test", None)
        if test is not None and splits.holdout is not None:
            raise_all({"holdout": f"cannot be combined with data.test ({test!r}), which is the holdout; set only one"})
        return splits

    @property
    def metric(self) -> str:
        """The score, ``auto`` resolved."""
        if self.labels.metric != "auto":
            return self.labels.metric
        return "accuracy" if self.task == "classification" else "mae"
