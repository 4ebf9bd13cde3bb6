"""What a study file may hold: every key with its type, its default, its unit and what ``null`` means."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from lstmgru.specs import Loss
from search.errors import shown
from search.sections import DataConfig, ForecastConfig, SplitsConfig
from search.shapes import Count, JobsOrAuto, Seconds, Strict, Text
from search.values import Cells, Depth, FloatRange, Normalizations, NotNegative, Positive, Probability, Whole, Width
from search.yamlfile import dump_yaml

CROSS_SECTION = "cross_section"
"""Type of the pydantic errors that come from a rule between two sections."""


class SearchConfig(Strict):
    """How candidates are suggested and pruned, and how much may be spent."""

    sampler: Literal["tpe", "random", "grid"] = Field(
        "tpe",
        description="How candidates are suggested: `tpe` learns from the trials so far (Bergstra et al. 2011), "
        "`random` does not, `grid` tries every combination once.",
    )
    pruner: Literal["median", "none"] = Field(
        "median",
        description="What stops a trial early: `median`, when it is worse than the median of the others at the same "
        "epoch of the same fold; `none`, nothing.",
    )
    trials: Count = Field(
        30,
        description="Trials of the study in total; those of earlier runs count. A grid ends earlier if it is smaller.",
    )
    timeout: Seconds | None = Field(
        None,
        description="Time of the study in total, refit and export included: seconds, or like `90s`, `5m`, `2h`. "
        "`null`: no limit.",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seeds the sampler and every training, 0 to 4294967295.")
    jobs: JobsOrAuto = Field(
        "auto", description="Trials at the same time, at most 1024. `auto`: one for each core, or one on a GPU."
    )


class SpaceConfig(Strict):
    """What is searched: a preset, and what replaces its values."""

    preset: Literal["small", "standard"] = Field(
        "standard", description="Where the values of the keys that are `null` come from."
    )
    n_layers: Depth | None = Field(
        None, description="Number of recurrent layers, at most 16. `null`: as in the preset."
    )
    cell: Cells | None = Field(
        None, description="Cell of a layer, chosen for each layer: `lstm`, `gru`. `null`: as in the preset."
    )
    hidden_size: Width | None = Field(
        None,
        description="Hidden size of a layer in features, at most 16384, chosen for each layer. "
        "`null`: as in the preset.",
    )
    dropout: Probability | None = Field(
        None,
        description="Probability of dropping a feature between layers and before the head, from 0 to below 1. "
        "`null`: as in the preset.",
    )
    context_length: Whole | None = Field(
        None, description="Past steps that a forecast reads. `null`: as in the preset."
    )
    normalization: Normalizations | None = Field(
        None,
        description="`fold`: inputs are scaled by the training part's mean and deviation; `last`: the last value of "
        "each target is subtracted from its context too, and added to its forecast. `null`: as in the preset.",
    )
    learning_rate: Positive | None = Field(
        None, description="Step size of the optimiser AdamW, above 0. `null`: as in the preset."
    )
    batch_size: Whole | None = Field(
        None, description="Windows in one step of the optimiser. `null`: as in the preset."
    )
    weight_decay: NotNegative | None = Field(
        None,
        description="Decoupled weight decay of AdamW (Loshchilov & Hutter 2019), from 0. `null`: as in the preset.",
    )


class TrainingConfig(Strict):
    """How every candidate is trained."""

    max_epochs: Count = Field(30, description="Most passes over the training windows, for each fold.")
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
    loss: Loss = Field(
        "mae", description="What training minimises, on scaled values: `mae`, `mse`, or `huber` with its corner at 1."
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values, every default filled in; ``StudyConfig.model_validate`` is the inverse."""
        return self.model_dump(mode="json")

    def to_yaml(self) -> str:
        """A study file that loads as this study, every default filled in."""
        return dump_yaml(self.to_dict())


def grid_problems(space: SpaceConfig) -> dict[str, str]:
    """What keeps a grid from being laid over the values, by key: message as the predicate of the key.

    Keys that are ``None`` are not looked at: give it a space whose preset is filled in to check all.
    """
    way_out = "or set search.sampler to random or tpe"
    problems = {
        key: f"is a range without a step, which no grid can exhaust; give it a step or list its values, {way_out}"
        for key, value in space
        if isinstance(value, FloatRange) and value.count is None
    }
    if space.n_layers is not None and space.n_layers.count > 1:
        problems["n_layers"] = (
            "must be one number for a grid, which would try a shallow network again for every value of the layers it "
            f"does not have; fix it, {way_out}"
        )
    return problems


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
