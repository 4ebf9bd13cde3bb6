"""The sections of a study that say what is scored: its data, its forecasts, its folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from lstmgru.errors import did_you_mean
from lstmgru.specs import ForecastSpec, MetricName
from search.config.data_config import SplitsConfig, TableConfig
from search.config.types import (
    ByShape,
    Columns,
    ColumnsOrNone,
    Count,
    CountOrAuto,
    CountOrZero,
    Folds,
    Levels,
    Strict,
    Text,
    each_once,
)

if TYPE_CHECKING:
    from lstmgru.data.forecasting.splits import SplitSpec

CalendarFeature = Literal[
    "minute_of_hour",
    "hour_of_day",
    "day_of_week",
    "day_of_month",
    "day_of_year",
    "week_of_year",
    "month_of_year",
    "quarter_of_year",
    "year",
]
DatasetName = Literal["seattle_weather", "traffic_hourly", "us_employment", "stocks"]
Calendar = Annotated[
    Literal["auto", "none"] | tuple[CalendarFeature, ...],
    ByShape(
        Literal["auto", "none"],
        CalendarFeature,
        then=lambda value: each_once(value) if isinstance(value, list) else value,
        plain=lambda value: list(value) if isinstance(value, tuple) else value,
        held=(tuple,),
        expected="auto, none or a list of calendar features",
    ),
]


class DataConfig(TableConfig):
    """The table, and the part that each of its columns plays."""

    path: Text | None = Field(
        None,
        description="Table to read: `.csv`, `.tsv`, `.txt` (also with `.gz`), `.parquet`, `.feather` or `.arrow`. "
        "A relative path counts from the current folder, else from the folder of the study file. "
        "`null`: `data.dataset` is read.",
    )
    dataset: DatasetName | None = Field(
        None,
        description="Built-in data set to read instead of a file: `seattle_weather`, `traffic_hourly`, "
        "`us_employment` or `stocks`. `null`: `data.path` is read.",
        validate_default=True,
    )
    time: Text = Field(description="Column of the times (ISO 8601 dates or times), or of integer steps.")
    target: Columns = Field(description="Column to forecast, or a list of them.")
    id: Text | None = Field(
        None, description="Column that tells the series of a table apart. `null`: the table is one series."
    )
    past_covariates: ColumnsOrNone = Field(
        (), description="Columns that are known up to the moment of a forecast, one or a list."
    )
    future_covariates: ColumnsOrNone = Field(
        (), description="Columns that are known for the forecast steps too, one or a list."
    )
    static_covariates: ColumnsOrNone = Field(
        (), description="Columns that do not change within a series, one or a list."
    )
    categorical: ColumnsOrNone = Field(
        (),
        description="Which of the covariates hold names, not numbers, one or a list: text, whole numbers or booleans.",
    )
    calendar: Calendar = Field(
        "auto",
        description="Features of the times, known ahead. `auto`: those that vary at the frequency; `none`; or a list "
        "of `minute_of_hour`, `hour_of_day`, `day_of_week`, `day_of_month`, `day_of_year`, `week_of_year`, "
        "`month_of_year`, `quarter_of_year`, `year`.",
    )
    frequency: Text = Field(
        "auto",
        description="Distance of two rows. `auto`: found in the times; else a pandas offset alias such as `D`, `h`, "
        "`15min`, `MS`, or `step` for integer steps.",
    )
    gaps: Literal["error", "fill", "interpolate"] = Field(
        "error",
        description="What becomes of missing rows and cells. `error`: they are refused; `fill`: the last value is "
        "carried forward; `interpolate`: a straight line between numbers, and names are carried forward. Filled values "
        "are never scored.",
    )
    short_series: Literal["error", "pad"] = Field(
        "error",
        description="What becomes of a series with fewer rows than a model reads. `error`: it is refused; `pad`: the "
        "model reads the rows that there are, so a series may be short or begin late.",
    )

    @field_validator("target", "id", "past_covariates", "future_covariates", "static_covariates")
    @classmethod
    def _one_part_each(cls, value: object, info: ValidationInfo) -> object:
        columns = value if isinstance(value, tuple) else (value,)
        for part in ("time", "target", "id", "past_covariates", "future_covariates", "static_covariates"):
            taken = info.data.get(part)
            taken = taken if isinstance(taken, tuple) else (taken,)
            both = [column for column in columns if column is not None and column in taken]
            if both:
                raise ValueError(f"names {both[0]!r}, which is data.{part} already; a column plays one part")
        return value

    @field_validator("static_covariates")
    @classmethod
    def _tells_series_apart(cls, columns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if columns and info.data.get("id", "") is None:
            raise ValueError(
                f"names {columns[0]!r}, but what never changes says nothing about a single series; name the column of "
                "series in data.id, or leave it out"
            )
        return columns

    @field_validator("categorical")
    @classmethod
    def _is_covariate(cls, columns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        parts = ("past_covariates", "future_covariates", "static_covariates")
        if not all(part in info.data for part in parts):
            return columns  # one of them is wrong, which is said already
        covariates = [column for part in parts for column in info.data[part]]
        for column in columns:
            if column not in covariates:
                raise ValueError(
                    f"names {column!r}, which is no covariate{did_you_mean(column, covariates)}; name it in "
                    f"{', '.join(f'data.{part}' for part in parts[:2])} or data.{parts[2]} too, or leave it out"
                )
        return columns

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to forecast."""
        return self.target


class ForecastConfig(Strict):
    """What is forecast, and how forecasts are scored."""

    horizon: Count = Field(description="Steps that are forecast.")
    season_length: CountOrAuto = Field(
        "auto",
        description="Steps in one season, for the seasonal naive baseline and MASE: 7 for days with a weekly season, "
        "1 for none. `auto`: the usual one of the frequency.",
    )
    metric: MetricName = Field(
        "mae",
        description="Score of a model, smaller is better. On values in original units: `mae`, `rmse`, `mse`, `smape`, "
        "`mase`, or `wql` of its quantiles; on values in deviations of the training part: `scaled_mse`, `scaled_mae`.",
    )
    levels: Levels = Field(
        (0.8, 0.95),
        description="Shares of the true values that prediction intervals shall cover, one or a list. `[]`: there are "
        "no intervals.",
    )

    def to_spec(self, *, season_length: int) -> ForecastSpec:
        """The specification of the library.

        Args:
            season_length: What ``season_length`` or its ``auto`` stands for.
        """
        return ForecastSpec(self.horizon, season_length, self.metric, self.levels)


class ForecastSplitsConfig(SplitsConfig):
    """How the series are cut into folds and a holdout; all lengths are in time steps."""

    holdout: Count = Field(
        description="Steps at the end that the search never sees; the winner is scored on them once."
    )
    folds: Folds = Field(3, description="Number of rolling-origin folds before the holdout, at most 1000.")
    fold_size: Count | None = Field(
        None, description="Steps that are forecast and scored in a fold. `null`: as many as the holdout."
    )
    step: Count | None = Field(
        None, description="Steps between the scored parts of two folds. `null`: `splits.fold_size`."
    )
    gap: CountOrZero = Field(0, description="Steps left out between a training part and its scored part.")
    window: Literal["expanding", "sliding"] = Field(
        "expanding",
        description="`expanding`: every training part starts at the first row; `sliding`: all are equally long.",
    )
    train_size: Count | None = Field(
        None, description="Steps of a sliding training part. `null`: as many as the first fold has."
    )
    stride: Count = Field(1, description="Steps between two forecasts that are scored.")
    align: Literal["time", "end"] = Field(
        "time",
        description="`time`: all series are cut at the same moments; `end`: each counts from its own end.",
    )

    @field_validator("train_size")
    @classmethod
    def _needs_sliding(cls, train_size: int | None, info: ValidationInfo) -> int | None:
        if train_size is not None and info.data.get("window") == "expanding":
            raise ValueError(
                f"is for splits.window: sliding, but window is expanding; set the window or leave {train_size} out"
            )
        return train_size

    def to_spec(self) -> SplitSpec:
        """The specification of the library."""
        from lstmgru.data.forecasting.splits import SplitSpec

        return SplitSpec(**self.model_dump())
