"""What the file of a forecasting study may hold."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from search.config.search_config import SearchConfig
from search.config.space_config import FAMILIES, CompareConfig, FamilyConfig, SpaceConfig
from search.config.study_config import COMPARE, DATA, NAME, SEARCH, SPACE, TRACKING, TRAINING, StudyConfig, raise_all
from search.config.training_config import TrackingConfig, TrainingConfig
from search.config.types import Count, CountOrAuto
from search.config.values import ChannelModes, Decoders, Losses, Normalizations, Sizes, Transforms, Whole
from search.tasks.forecasting.data_config import DataConfig, ForecastConfig, ForecastSplitsConfig


class ForecastSpaceConfig(SpaceConfig):
    """What is searched: a preset, and what replaces its values."""

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
    context_length: Whole | None = Field(
        None, description="Past steps that a forecast reads. `null`: as in the preset."
    )
    loss: Losses | None = Field(
        None,
        description="What training minimizes, on scaled values: `mae`, `mse`, `huber` with its corner at 1, or "
        "`quantile`, for quantiles of its own instead of a single value. `null`: as in the preset.",
    )


class ForecastFamilyConfig(ForecastSpaceConfig, FamilyConfig):
    """A family of forecasting networks."""


class ForecastCompareConfig(CompareConfig):
    """What ``compare`` compares."""

    families: dict[str, ForecastFamilyConfig] | None = Field(None, description=FAMILIES)


class ForecastTrainingConfig(TrainingConfig):
    """How every candidate is trained."""

    max_epochs: Count = Field(30, description="Most passes over the training part, for each fold.")
    patience: Count | None = Field(
        5,
        description="Epochs without a better score before the training of a fold stops. `null`: it never stops early.",
    )
    epoch_windows: CountOrAuto | None = Field(
        "auto",
        description="Most windows of a pass. Of more, and of series with different numbers of them, each pass draws "
        "anew, the same number from every series. `auto`: 25600. `null`: all.",
    )
    min_epoch_windows: Count = Field(
        1000,
        description="Where there are much fewer windows than so many, a pass repeats them until it has about as many. "
        "On a short series training would otherwise end before a network has learnt anything.",
    )


class ForecastStudyConfig(StudyConfig):
    """A study of forecasts: data, what to forecast, how to score, and what to search."""

    name: str = Field(description=NAME)
    task: Literal["forecast"] = Field(
        "forecast",
        description="What is learnt: to `forecast` series, or to give sequences or texts their labels, by "
        "`classification` or `regression`.",
    )
    data: DataConfig = Field(description=DATA)
    forecast: ForecastConfig = Field(description="What is forecast, and how forecasts are scored.")
    splits: ForecastSplitsConfig = Field(description="How the series are cut into folds and a holdout.")
    search: SearchConfig = Field(SearchConfig(), description=SEARCH)
    space: ForecastSpaceConfig = Field(ForecastSpaceConfig(), description=SPACE)
    training: ForecastTrainingConfig = Field(ForecastTrainingConfig(), description=TRAINING)
    tracking: TrackingConfig = Field(TrackingConfig(), description=TRACKING)
    compare: ForecastCompareConfig = Field(ForecastCompareConfig(), description=COMPARE)

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
