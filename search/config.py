"""What a study file may hold: every key with its type, its default, its unit and what ``null`` means."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from search.errors import shown
from search.methods import FIRST_RUNG, RUNGS, SearchConfig
from search.searchable import grid_problems
from search.sections import DataConfig, ForecastConfig, SplitsConfig
from search.shapes import Count, CountOrAuto, Strict, Text
from search.values import (
    Branches,
    Cells,
    ChannelModes,
    Decoders,
    Depth,
    Flags,
    Losses,
    Merges,
    Normalizations,
    NotNegative,
    Optimizers,
    Poolings,
    Positive,
    Probability,
    Schedules,
    Sizes,
    Transforms,
    Whole,
    Width,
)
from search.yamlfile import dump_yaml

CROSS_SECTION = "cross_section"
"""Type of the pydantic errors that come from a rule between two sections."""
MOST_FAMILIES = 12
"""Most families of a comparison: each is searched by itself."""


class SpaceConfig(Strict):
    """What is searched: a preset, and what replaces its values."""

    preset: Literal["small", "standard", "full"] = Field(
        "standard",
        description="Where the values of the keys that are `null` come from: `small`, for a first look; `standard`; "
        "`full`, everything that there is.",
    )
    n_branches: Branches | None = Field(
        None, description="Stacks of layers side by side, at most 8. `null`: as in the preset."
    )
    n_layers: Depth | None = Field(
        None, description="Number of recurrent layers of a stack, at most 16. `null`: as in the preset."
    )
    cell: Cells | None = Field(
        None,
        description="Cell of a layer, chosen for each layer: `lstm`, `gru`, `fused` (GRU's gates on LSTM's memory), or "
        "one that was registered from Python. `null`: as in the preset.",
    )
    hidden_size: Width | None = Field(
        None,
        description="Hidden size of a layer in features, at most 16384, chosen for each layer. "
        "`null`: as in the preset.",
    )
    bidirectional: Flags | None = Field(
        None, description="Whether a layer reads in both directions, chosen for each layer. `null`: as in the preset."
    )
    merge: Merges | None = Field(
        None,
        description="How branches become one: `concat`, `sum`, or `gate`, a weighted sum with learned weights. `null`: "
        "as in the preset.",
    )
    residual: Flags | None = Field(
        None,
        description="Whether the input of a layer is added to its output, from the second layer on. "
        "`null`: as in the preset.",
    )
    layer_norm: Flags | None = Field(
        None, description="Whether the output of each layer is normalised. `null`: as in the preset."
    )
    segment_length: Whole | None = Field(
        None,
        description="Past steps that are read at once; 1 reads step by step. At most the shortest context. "
        "`null`: as in the preset.",
    )
    pooling: Poolings | None = Field(
        None,
        description="What is made of the outputs over the context: the `last`, their `mean` or `max`, `additive` or "
        "`multihead` attention. `null`: as in the preset.",
    )
    n_heads: Whole | None = Field(None, description="Heads of a multi-head attention. `null`: as in the preset.")
    decoder: Decoders | None = Field(
        None,
        description="How the horizon is forecast: `linear` or `mlp`, all steps at once; `recurrent`, step by step from "
        "its own forecasts; `parallel`, all segments at once from their positions. `null`: as in the preset.",
    )
    channels: ChannelModes | None = Field(
        None,
        description="Whether several targets are read and forecast together (`joint`) or each by itself with the same "
        "weights (`independent`). `null`: as in the preset.",
    )
    normalization: Normalizations | None = Field(
        None,
        description="How targets are scaled: `fold`, by mean and deviation of the training part; `series`, likewise "
        "for each series; `last`, and the last value of a context is subtracted; `window`, by mean and deviation of "
        "each context; `mean`, by its mean absolute value. `null`: as in the preset.",
    )
    transform: Transforms | None = Field(
        None,
        description="What is done to targets first: `none`, `log`, `difference`, or both (`log_difference`). "
        "`null`: as in the preset.",
    )
    series_embedding: Sizes | None = Field(
        None, description="Features of a learned vector for each series; 0: none. `null`: as in the preset."
    )
    dropout: Probability | None = Field(
        None,
        description="Probability of dropping a feature between layers and before the head, from 0 to below 1. "
        "`null`: as in the preset.",
    )
    recurrent_dropout: Probability | None = Field(
        None,
        description="Probability of dropping a unit of a layer's own state, the same at all steps (Gal & Ghahramani "
        "2016), from 0 to below 1. `null`: as in the preset.",
    )
    context_length: Whole | None = Field(
        None, description="Past steps that a forecast reads. `null`: as in the preset."
    )
    loss: Losses | None = Field(
        None,
        description="What training minimises, on scaled values: `mae`, `mse`, `huber` with its corner at 1, or "
        "`quantile`, for quantiles of its own instead of a single value. `null`: as in the preset.",
    )
    optimizer: Optimizers | None = Field(None, description="`adamw` or `adam`. `null`: as in the preset.")
    learning_rate: Positive | None = Field(
        None, description="Step size of the optimiser, above 0; of a schedule, the largest. `null`: as in the preset."
    )
    schedule: Schedules | None = Field(
        None,
        description="Course of the learning rate over `training.max_epochs`, in the refit over its epochs: `constant`, "
        "`cosine` or `one_cycle`. `null`: as in the preset.",
    )
    batch_size: Whole | None = Field(
        None, description="Windows in one step of the optimiser. `null`: as in the preset."
    )
    weight_decay: NotNegative | None = Field(
        None,
        description="Weight decay from 0; decoupled with `adamw` (Loshchilov & Hutter 2019), else an L2 penalty. "
        "`null`: as in the preset.",
    )


class FamilyConfig(SpaceConfig):
    """A family of networks: the values of the space that are replaced in it."""

    model_config = ConfigDict(json_schema_extra=lambda schema: schema["properties"].pop("preset"))

    mixed: bool = Field(False, description="Whether at least two different cells must occur.")

    @field_validator("preset")
    @classmethod
    def _has_the_preset_of_the_study(cls, preset: str) -> str:
        raise ValueError(f"is one for all families; set space.preset: {preset} and leave it out here")

    @model_serializer(mode="wrap")
    def _what_is_replaced(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        plain = {name: value for name, value in handler(self).items() if name != "preset" and value is not None}
        return {name: value for name, value in plain.items() if name != "mixed" or value}


class CompareConfig(Strict):
    """What ``compare`` compares."""

    families: dict[str, FamilyConfig] | None = Field(
        None,
        description="Families that are compared, by name: the keys of `space` that are different in each, and "
        "`mixed: true` where at least two different cells must occur. `null`: LSTM only, GRU only, stacks of both, "
        "both side by side, and fused cells.",
    )

    @field_validator("families")
    @classmethod
    def _can_be_compared(cls, families: dict[str, FamilyConfig] | None) -> dict[str, FamilyConfig] | None:
        if families is None:
            return None
        for name in families:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,23}", name):
                raise ValueError(
                    "must have names of 1 to 24 letters (A to Z), digits, '-' and '_', the first a letter, but one is "
                    f"{shown(name)}; rename it"
                )
        if not 2 <= len(families) <= MOST_FAMILIES:
            raise ValueError(
                f"must be 2 to {MOST_FAMILIES} families but got {len(families)}; name them by what differs, like "
                "{shallow: {n_layers: 1}, deep: {n_layers: 2}}"
            )
        return families


class TrainingConfig(Strict):
    """How every candidate is trained."""

    max_epochs: Count = Field(30, description="Most passes over the training windows, for each fold.")
    epoch_windows: CountOrAuto | None = Field(
        "auto",
        description="Most windows of a pass. Of more, and of series with different numbers of them, each pass draws "
        "anew, the same number from every series. `auto`: 25600. `null`: all, each once.",
    )
    patience: Count | None = Field(
        5,
        description="Epochs without a better score before the training of a fold stops. `null`: it never stops early.",
    )
    gradient_clip: float | None = Field(
        1.0, gt=0, description="Largest norm of all gradients together. `null`: gradients are left as they are."
    )
    ema_decay: float | None = Field(
        0.99,
        gt=0,
        lt=1,
        description="Decay of the moving average of the weights, per optimiser step: the average is what is scored and "
        "exported. `null`: the weights themselves are.",
    )
    refit: Literal["all", "last_fold"] = Field(
        "all",
        description="What the exported model learns from: `all`, everything before the holdout, for as many epochs as "
        "were best in the folds; `last_fold`, the last fold's training part, until its score gets worse.",
    )
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = Field(
        "auto", description="What networks are trained on. `auto`: a GPU where there is one, else the CPU."
    )


class TrackingConfig(Strict):
    """Where MLflow shows the study."""

    enabled: bool = Field(True, description="Whether the study is shown in MLflow.")
    uri: Text | None = Field(
        None,
        description="Tracking server or database: `http://…`, `https://…`, `sqlite:///…`, `postgresql://…`, "
        "`mysql://…`, `mssql://…`, `databricks`. `null`: the server in `MLFLOW_TRACKING_URI`, else the database "
        "`mlruns/mlflow.db` in the current folder.",
    )
    experiment: Text | None = Field(None, description="Experiment of the runs. `null`: the study's name.")
    registered_model: Text | None = Field(
        None, description="Registered model that the best model becomes a version of. `null`: the study's name."
    )

    @field_validator("uri")
    @classmethod
    def _is_server_or_database(cls, uri: str | None) -> str | None:
        if uri is None or re.match(r"(https?|(sqlite|postgresql|mysql|mssql)(\+\w+)?)://|databricks\b", uri):
            return uri
        raise ValueError(
            f"must be a server (http://host:5000) or a database (sqlite:///mlflow.db) but got {shown(uri)}; "
            "MLflow keeps no studies in plain folders any more"
        )

    @field_validator("registered_model")
    @classmethod
    def _has_no_separator(cls, name: str | None) -> str | None:
        if name is not None and re.search("[/:]", name):
            raise ValueError(f"must not hold '/' or ':', which MLflow forbids there, but got {name!r}")
        return name


class StudyConfig(Strict):
    """A study: data, what to forecast, how to score, and what to search."""

    name: str = Field(
        description="Name of the study, its journal and its model: letters, digits, `-`, `_` and `.`. "
        "Default: the name of the file without `.yaml`."
    )
    task: Literal["forecast"] = Field("forecast", description="What is learnt: to forecast series.")
    data: DataConfig = Field(description="The table, and the part that each of its columns plays.")
    forecast: ForecastConfig = Field(description="What is forecast, and how forecasts are scored.")
    splits: SplitsConfig = Field(description="How the series are cut into folds and a holdout.")
    search: SearchConfig = Field(
        SearchConfig(), description="How candidates are suggested and pruned, and how much may be spent."
    )
    space: SpaceConfig = Field(SpaceConfig(), description="What is searched: a preset, and what replaces its values.")
    training: TrainingConfig = Field(TrainingConfig(), description="How every candidate is trained.")
    tracking: TrackingConfig = Field(TrackingConfig(), description="Where MLflow shows the study.")
    compare: CompareConfig = Field(CompareConfig(), description="What `compare` compares.")

    @field_validator("name")
    @classmethod
    def _is_file_name(cls, name: str) -> str:
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            return name
        better = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._")[:100] or "my-study"
        raise ValueError(
            "must be 1 to 100 letters (A to Z), digits, '-', '_' and '.', the first a letter or a digit, "
            f"but got {shown(name)}; for example name: {better}"
        )

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

    @field_validator("space")
    @classmethod
    def _a_grid_is_finite(cls, space: SpaceConfig, info: ValidationInfo) -> SpaceConfig:
        if "search" in info.data and info.data["search"].sampler == "grid":
            _raise_all(grid_problems(space))
        return space

    @field_validator("training")
    @classmethod
    def _a_rung_is_reached(cls, training: TrainingConfig, info: ValidationInfo) -> TrainingConfig:
        if {"search", "splits"} <= info.data.keys() and info.data["search"].pruner in RUNGS:
            epochs = training.max_epochs * info.data["splits"].folds
            if epochs < FIRST_RUNG:
                text = (
                    f"must be larger for search.pruner: {info.data['search'].pruner}, which decides first after "
                    f"{FIRST_RUNG} epochs, but all folds together have {epochs}; or set search.pruner to none"
                )
                _raise_all({"max_epochs": text})
        return training

    def to_dict(self) -> dict[str, Any]:
        """Plain values, every default filled in; ``StudyConfig.model_validate`` is the inverse."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """A study file that loads as this study, every default filled in."""
        return dump_yaml(self.to_dict())


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
