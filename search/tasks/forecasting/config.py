"""The configuration of a forecasting study."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from lstmgru.errors import did_you_mean
from lstmgru.specs import ModelSpec
from search.config import study_config
from search.config.search_config import SearchConfig
from search.config.sections import ExportConfig, TrackingConfig, TrainingConfig
from search.config.space_config import FAMILIES, CompareConfig, FamilyConfig, SpaceConfig
from search.config.space_values import ChannelModes, Decoders, Flags, Losses, Normalizations, Sizes, Transforms, Whole
from search.config.study_config import StudyConfig, raise_all
from search.config.types import Count, CountOrAuto
from search.tasks.forecasting.data_config import DataConfig, ForecastConfig, ForecastSplitsConfig


class ForecastSpaceConfig(SpaceConfig):
    """The search space: a preset, and overrides of its values."""

    spec = ModelSpec

    decoder: Decoders | None = Field(
        None,
        description="Decoder of the horizon: `linear` or `mlp`, all steps at once; `recurrent`, autoregressive, "
        "step by step; `parallel`, all segments at once from embeddings of their positions. `null`: the "
        "values of the preset.",
    )
    linear_path: Flags | None = Field(
        None,
        description="Whether a linear map from the normalized targets of the context to the horizon is added to the "
        "forecast of the recurrence (Lai et al. 2018). `null`: the values of the preset.",
    )
    channels: ChannelModes | None = Field(
        None,
        description="Whether several targets are modeled together (`joint`) or separately with shared weights "
        "(`independent`). `null`: the values of the preset.",
    )
    normalization: Normalizations | None = Field(
        None,
        description="Scaling of the targets: `fold`, by mean and standard deviation of the training part; `series`, "
        "the same for each series; `last`, the same with the last value of each context subtracted; "
        "`window`, by mean and standard deviation of each context; `mean`, by mean absolute value of "
        "each context. `null`: the values of the preset.",
    )
    transform: Transforms | None = Field(
        None,
        description="Transformation of the targets before scaling: `none`, `log`, `difference`, or both "
        "(`log_difference`). `null`: the values of the preset.",
    )
    series_embedding: Sizes | None = Field(
        None,
        description="Size of a learned embedding for each series; 0 disables it. `null`: the values of the preset.",
    )
    context_length: Whole | None = Field(
        None, description="Number of past steps that the network reads. `null`: the values of the preset."
    )
    loss: Losses | None = Field(
        None,
        description="Training loss on scaled values: `mae`, `mse`, or `huber` with delta 1; `quantile` (pinball loss) "
        "and the negative log-likelihoods `student_t` (4 degrees of freedom) and `negative_binomial` (of counts) train "
        "a network that forecasts quantiles; `tweedie` (deviance with power 1.5, for targets from 0 that are often 0) "
        "forecasts the mean. The last two need `normalization: mean` and `transform: none`, which are then the "
        "defaults. `negative_binomial` is the default for whole numbers of which 30% or more are 0, if a median or "
        "quantiles minimize the metric; `student_t` and `tweedie` are in no preset. `null`: the values of the preset.",
    )


class ForecastFamilyConfig(ForecastSpaceConfig, FamilyConfig):
    """A family of forecasting networks."""


class ForecastCompareConfig(CompareConfig):
    """The families of a comparison."""

    families: dict[str, ForecastFamilyConfig] | None = Field(None, description=FAMILIES)


class ForecastTrainingConfig(TrainingConfig):
    """Training settings of all candidates."""

    max_epochs: Count = Field(30, description="Maximum number of epochs per fold.")
    patience: Count | None = Field(
        5,
        description="Number of epochs without improvement after which the training of a fold stops. `null`: no "
        "early stopping.",
    )
    epoch_windows: CountOrAuto | None = Field(
        "auto",
        description="Maximum number of windows per epoch. If there are more, or if the series have different "
        "numbers of windows, each epoch samples the same number from every series. `auto`: 6400. "
        "`null`: all.",
    )
    min_epoch_windows: Count = Field(
        1000,
        description="Approximate minimum number of windows per epoch. If there are far fewer, an epoch repeats "
        "them. On short series, training would otherwise stop before a network has learned anything.",
    )


class ForecastStudyConfig(StudyConfig):
    """A forecasting study."""

    name: str = Field(description=study_config.NAME)
    task: Literal["forecast"] = Field(
        "forecast",
        description="Task: `forecast` for time series; `classification` or `regression` for labeled sequences or "
        "texts.",
    )
    data: DataConfig = Field(description=study_config.DATA)
    forecast: ForecastConfig = Field(description="Horizon, metric and prediction intervals.")
    splits: ForecastSplitsConfig = Field(description="How the series are split into folds and a holdout.")
    search: SearchConfig = Field(SearchConfig(), description=study_config.SEARCH)
    space: ForecastSpaceConfig = Field(ForecastSpaceConfig(), description=study_config.SPACE)
    training: ForecastTrainingConfig = Field(ForecastTrainingConfig(), description=study_config.TRAINING)
    export: ExportConfig = Field(ExportConfig(), description=study_config.EXPORT)
    tracking: TrackingConfig = Field(TrackingConfig(), description=study_config.TRACKING)
    compare: ForecastCompareConfig = Field(ForecastCompareConfig(), description=study_config.COMPARE)

    @field_validator("forecast")
    @classmethod
    def _bounds_are_of_targets(cls, forecast: ForecastConfig, info: ValidationInfo) -> ForecastConfig:
        if "data" not in info.data:
            return forecast
        targets: list[str] = list(info.data["data"].targets)
        bounds = {"minimum": forecast.minimum, "maximum": forecast.maximum}
        raise_all(
            {
                key: f"names {name!r}, which is not a target{did_you_mean(name, targets)}"
                for key, bound in bounds.items()
                for name in (bound if isinstance(bound, dict) else ())
                if name not in targets
            }
        )
        return forecast

    @field_validator("splits")
    @classmethod
    def _a_forecast_fits(cls, splits: ForecastSplitsConfig, info: ValidationInfo) -> ForecastSplitsConfig:
        if "forecast" in info.data:
            horizon = info.data["forecast"].horizon
            lengths = {"holdout": splits.holdout, "fold_size": splits.fold_size}
            raise_all(
                {
                    key: f"must be at least forecast.horizon ({horizon}), so that a forecast fits, but got {length}"
                    for key, length in lengths.items()
                    if length is not None and length < horizon
                }
            )
        return splits
