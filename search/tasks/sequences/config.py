"""What the file of a study of sequences or texts may hold."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from lstmgru.specs import CLASS_METRICS, VALUE_METRICS, SequenceMetric
from search.config.search_config import SearchConfig
from search.config.space_config import FAMILIES, CompareConfig, FamilyConfig, SpaceConfig
from search.config.study_config import COMPARE, DATA, NAME, SEARCH, SPACE, TRACKING, TRAINING, StudyConfig, raise_all
from search.config.training_config import TrackingConfig, TrainingConfig
from search.config.types import CountOrAuto
from search.config.values import (
    ClassWeightings,
    Heads,
    Probability,
    SequenceLosses,
    SequenceNormalizations,
    Sizes,
    TokenKinds,
    Whole,
)
from search.tasks.sequences.data_config import LabelsConfig, SequenceDataConfig, SequenceSplitsConfig


class SequenceSpaceConfig(SpaceConfig):
    """What is searched: a preset, and what replaces its values."""

    head: Heads | None = Field(
        None,
        description="From the pooled outputs to the label: `linear`, or `mlp`, with a hidden layer. "
        "`null`: as in the preset.",
    )
    max_length: Whole | None = Field(
        None,
        description="Steps or tokens that are read at most; a longer sequence is cut at its end. `null`: the longest "
        "of the data, at most 512.",
    )
    normalization: SequenceNormalizations | None = Field(
        None,
        description="How numbers are scaled: `none`; `fold`, by mean and deviation of the training part; `sequence`, "
        "by those of each sequence. Of numbers only. `null`: as in the preset.",
    )
    tokens: TokenKinds | None = Field(
        None, description="What a text is cut into: `word` or `character`. Of texts only. `null`: as in the preset."
    )
    embedding_size: Sizes | None = Field(
        None,
        description="Features of the learned vector of a token; fixed where `data.vectors` is given. Of texts only. "
        "`null`: as in the preset.",
    )
    min_count: Whole | None = Field(
        None,
        description="How often the training part must hold a token for it to have a vector of its own; others are read "
        "as one unknown token. Of texts only. `null`: as in the preset.",
    )
    token_dropout: Probability | None = Field(
        None,
        description="Probability that a token of a training text is read as an unknown one, from 0 to below 1. Of "
        "texts only. `null`: as in the preset.",
    )
    loss: SequenceLosses | None = Field(
        None,
        description="What training minimizes: `cross_entropy` for classes; for numbers, on scaled values, `mae`, `mse` "
        "or `huber` with its corner at 1. `null`: as in the preset.",
    )
    label_smoothing: Probability | None = Field(
        None,
        description="Share of the probability of a class that is spread over all classes in training, from 0 to below "
        "1. Of classes only. `null`: as in the preset.",
    )
    class_weights: ClassWeightings | None = Field(
        None,
        description="Weights of the classes in the loss: `none`, or `balanced`, inverse to their frequency. Of classes "
        "only. `null`: as in the preset.",
    )


class SequenceFamilyConfig(SequenceSpaceConfig, FamilyConfig):
    """A family of networks that give labels."""


class SequenceCompareConfig(CompareConfig):
    """What ``compare`` compares."""

    families: dict[str, SequenceFamilyConfig] | None = Field(None, description=FAMILIES)


class SequenceTrainingConfig(TrainingConfig):
    """How every candidate is trained."""

    max_epochs: CountOrAuto = Field(
        "auto",
        description="Most passes over the training part, for each fold. `auto`: as many as read 50000 sequences, from "
        "20 (of texts 10) to 60.",
    )
    patience: CountOrAuto | None = Field(
        "auto",
        description="Epochs without a better score before the training of a fold stops. `auto`: a third of "
        "`training.max_epochs`. `null`: it never stops early.",
    )


class SequenceStudyConfig(StudyConfig):
    """A study of labels: sequences or texts, how to score, and what to search."""

    name: str = Field(description=NAME)
    task: Literal["classification", "regression"] = Field(
        description="What is learnt: a label that is a class, or one that is a number."
    )
    data: SequenceDataConfig = Field(description=DATA)
    labels: LabelsConfig = Field(LabelsConfig(), description="What a label is, and how labels are scored.")
    splits: SequenceSplitsConfig = Field(
        SequenceSplitsConfig(), description="How the sequences are cut into folds and a holdout."
    )
    search: SearchConfig = Field(SearchConfig(), description=SEARCH)
    space: SequenceSpaceConfig = Field(SequenceSpaceConfig(), description=SPACE)
    training: SequenceTrainingConfig = Field(SequenceTrainingConfig(), description=TRAINING)
    tracking: TrackingConfig = Field(TrackingConfig(), description=TRACKING)
    compare: SequenceCompareConfig = Field(SequenceCompareConfig(), description=COMPARE)

    @field_validator("labels")
    @classmethod
    def _metric_of_the_task(cls, labels: LabelsConfig, info: ValidationInfo) -> LabelsConfig:
        if "task" in info.data and labels.metric != "auto":
            valid = CLASS_METRICS if info.data["task"] == "classification" else VALUE_METRICS
            if labels.metric not in valid:
                text = f"must be one of {', '.join(valid)} for task: {info.data['task']} but got {labels.metric!r}"
                raise_all({"metric": text})
        return labels

    @field_validator("splits")
    @classmethod
    def _one_holdout(cls, splits: SequenceSplitsConfig, info: ValidationInfo) -> SequenceSplitsConfig:
        data = info.data.get("data")
        if data is not None and data.test is not None and splits.holdout is not None:
            text = f"cannot stand beside data.test ({data.test!r}), which is the holdout; leave one of the two out"
            raise_all({"holdout": text})
        return splits

    @property
    def metric(self) -> SequenceMetric:
        """The score, ``auto`` resolved."""
        if self.labels.metric != "auto":
            return self.labels.metric
        return "accuracy" if self.task == "classification" else "mae"
