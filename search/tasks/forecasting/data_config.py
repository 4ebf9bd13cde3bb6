"""The sections of a study that say what is scored: its data, its forecasts, its folds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic.config import JsonDict

from lstmgru.errors import did_you_mean
from lstmgru.specs import ForecastSpec
from search.config.sections import SplitsConfig, TableConfig, one_part
from search.config.types import (
    BoundOrAuto,
    BoundOrNone,
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
    TimeColumns,
    each_once,
)
from search.errors import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        description="Table to read: `.csv`, `.tsv`, `.txt` (also with `.gz`), `.parquet`, `.feather` or `.arrow`. A "
        "relative path is resolved against the current folder, then against the folder of the study "
        "file. `null`: read `data.dataset`.",
    )
    dataset: DatasetName | None = Field(
        None,
        description="Built-in data set to read instead of a file: `seattle_weather`, `traffic_hourly`, "
        "`us_employment` or `stocks`. `null`: read `data.path`.",
        validate_default=True,
    )
    time: TimeColumns = Field(
        description="Column with timestamps (ISO 8601) or integer steps. A list of columns holds a date or year and "
        "the rest of the time, such as `[date, hour]` or `[year, month]`."
    )
    time_format: Text | None = Field(
        None,
        description="Format of times that are text or integers, as of `strptime`, such as `%d.%m.%Y %H:%M` or `%Y%m`. "
        "`null`: ISO 8601 or steps, or dates such as `31/12/2020` if a day above 12 says whether days or months come "
        "first.",
    )
    target: Columns = Field(description="Column to forecast, or a list of columns.")
    id: Text | None = Field(
        None, description="Column that identifies the series. `null`: the table contains a single series."
    )
    past_covariates: ColumnsOrNone = Field(
        (), description="Columns that are known only up to the time of a forecast, one or a list."
    )
    future_covariates: ColumnsOrNone = Field(
        (), description="Columns that are also known over the horizon, one or a list."
    )
    static_covariates: ColumnsOrNone = Field(
        (),
        description="Columns that are constant within a series, one or a list. They may be empty in rows without "
        "targets.",
    )
    categorical: ColumnsOrNone = Field(
        (),
        description="Covariates that are categorical, one or a list: text, integers or booleans.",
    )
    calendar: Calendar = Field(
        "auto",
        description="Calendar features, used as future covariates. `auto`: the features that vary at the frequency "
        "of the data; `none`; or a list of `minute_of_hour`, `hour_of_day`, `day_of_week`, "
        "`day_of_month`, `day_of_year`, `week_of_year`, `month_of_year`, `quarter_of_year`, `year`.",
    )
    frequency: Text = Field(
        "auto",
        description="Frequency of the rows. `auto`: inferred from the timestamps; otherwise a pandas offset alias "
        "such as `D`, `h`, `15min`, `MS`, a week such as `MON-SAT` or `MON-FRI 08:00-17:00 h`, a day of the month such "
        "as `MS@15`, or `step` for integer steps.",
    )
    timezone: Text | None = Field(
        None,
        description="Time zone of local times without an offset, such as `Europe/Berlin`; times with one are converted "
        "to it. Calendar features and forecasts are in local time. `null`: the time zone of the times, if any.",
    )
    gaps: Literal["error", "fill", "interpolate"] = Field(
        "error",
        description="Handling of missing rows and values. `error`: raise an error; `fill`: carry the last value "
        "forward; `interpolate`: interpolate numbers linearly and carry categories forward. Filled "
        "targets are neither learned nor scored.",
    )
    short_series: Literal["error", "pad"] = Field(
        "error",
        description="Handling of series with fewer rows than a model reads. `error`: raise an error; `pad`: pad the "
        "context and mask the missing rows, so a series can be short or start late.",
    )

    @field_validator("time_format")
    @classmethod
    def _is_format(cls, time_format: str | None) -> str | None:
        if time_format is not None and "%" not in time_format:
            raise ValueError(f"must be a format such as %d.%m.%Y %H:%M but got {shown(time_format)}")
        return time_format

    @field_validator("timezone")
    @classmethod
    def _is_time_zone(cls, timezone: str | None) -> str | None:
        if timezone is None:
            return None
        from zoneinfo import ZoneInfo, available_timezones

        try:
            ZoneInfo(timezone)
        except (ValueError, OSError, LookupError) as error:
            hint = did_you_mean(timezone, sorted(available_timezones()))
            raise ValueError(
                f"must be a time zone such as Europe/Berlin or UTC but got {shown(timezone)}{hint}"
            ) from error
        return timezone

    @field_validator("target", "id", "past_covariates", "future_covariates", "static_covariates")
    @classmethod
    def _one_part_each(cls, value: object, info: ValidationInfo) -> object:
        return one_part(
            value, info, ("time", "target", "id", "past_covariates", "future_covariates", "static_covariates")
        )

    @field_validator("static_covariates")
    @classmethod
    def _tells_series_apart(cls, columns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if columns and info.data.get("id", "") is None:
            raise ValueError(
                f"names {columns[0]!r}, but static covariates say nothing about a single series; name the column of "
                "series in data.id, or remove it"
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
                    f"names {column!r}, which is not a covariate{did_you_mean(column, covariates)}; name it in "
                    f"{', '.join(f'data.{part}' for part in parts[:2])} or data.{parts[2]} too, or remove it"
                )
        return columns

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to forecast."""
        return self.target


def _list_metrics(schema: JsonDict) -> None:
    from lstmgru.evaluation.metrics import metric_names

    schema["enum"] = [*metric_names("forecast")]


Bound = float | dict[str, float] | str | None


class ForecastConfig(Strict):
    """What is forecast, and how forecasts are scored."""

    horizon: Count = Field(description="Number of steps to forecast.")
    season_length: CountOrAuto = Field(
        "auto",
        description="Number of steps in a season, for the seasonal naive baseline, MASE and RMSSE: 7 for daily data "
        "with a weekly season, 1 for no season. `auto`: the usual value for the frequency.",
    )
    metric: str = Field(
        "mae",
        description="Score of a model, one of the metrics of forecasts; smaller is better.",
        json_schema_extra=_list_metrics,
    )
    levels: Levels = Field(
        (0.8, 0.95),
        description="Levels (nominal coverage) of the prediction intervals, one or a list. `[]`: no intervals.",
    )

    minimum: BoundOrAuto = Field(
        "auto",
        description="Lower bound of the targets: forecasts and the ends of their intervals below it are raised to it. "
        "A number, or a mapping of targets to numbers; targets that it omits have no bound. `auto`: 0 for targets "
        "whose values before the holdout are counts (whole numbers from 0). `null`: no bound.",
    )
    maximum: BoundOrNone = Field(
        None, description="Upper bound of the targets: a number, or a mapping of targets to numbers. `null`: no bound."
    )

    @field_validator("maximum")
    @classmethod
    def _is_above(cls, maximum: Bound, info: ValidationInfo) -> Bound:
        minimum = info.data.get("minimum")
        targets = [target for bound in (minimum, maximum) if isinstance(bound, dict) for target in bound]
        for target in targets or ("",):
            lowest, highest = bound_of(minimum, target), bound_of(maximum, target)
            if lowest is not None and highest is not None and highest <= lowest:
                raise ValueError(f"must be above forecast.minimum ({lowest:g}) but got {highest:g}")
        return maximum

    @field_validator("metric")
    @classmethod
    def _is_metric(cls, metric: str) -> str:
        from lstmgru.evaluation.metrics import metric_names

        names = metric_names("forecast")
        if metric not in names:
            hint = did_you_mean(metric, list(names))
            raise ValueError(f"must be one of {', '.join(names)} but got {shown(metric)}{hint}")
        return metric

    def to_spec(self, *, season_length: int, targets: Sequence[str] = (), counts: Sequence[bool] = ()) -> ForecastSpec:
        """The specification of the library.

        Args:
            season_length: What ``season_length`` or its ``auto`` stands for.
            targets: (Y,) their names.
            counts: (Y,) whether their values are counts.
        """
        lowest = [0.0 if each else None for each in counts]
        if self.minimum != "auto":
            lowest = [bound_of(self.minimum, target) for target in targets]
        highest = [bound_of(self.maximum, target) for target in targets]
        given = (tuple(its) if any(bound is not None for bound in its) else () for its in (lowest, highest))
        return ForecastSpec(self.horizon, season_length, self.metric, self.levels, *given)


def bound_of(bound: Bound, target: str) -> float | None:
    """The bound of a target; ``None`` if it has none, or one that depends on the data."""
    if isinstance(bound, dict):
        return bound.get(target)
    return bound if isinstance(bound, float) else None


class ForecastSplitsConfig(SplitsConfig):
    """How the series are cut into folds and a holdout; all lengths are in time steps."""

    holdout: Count = Field(
        description="Number of steps at the end that the search never sees. The winner is scored on them once."
    )
    folds: Folds = Field(3, description="Number of rolling-origin folds before the holdout.")
    fold_size: Count | None = Field(
        None, description="Number of scored steps in a fold. `null`: the size of the holdout."
    )
    step: Count | None = Field(
        None,
        description="Number of steps from the scored part of a fold to that of the next. `null`: `splits.fold_size`.",
    )
    gap: CountOrZero = Field(0, description="Number of steps left out between the training part and the scored part.")
    window: Literal["expanding", "sliding"] = Field(
        "expanding",
        description="`expanding`: every training part starts at the first row; `sliding`: all training parts have "
        "the same length.",
    )
    train_size: Count | None = Field(
        None, description="Length of a sliding training part in steps. `null`: that of the first fold."
    )
    stride: Count = Field(1, description="Number of steps between two scored forecasts.")
    align: Literal["time", "end"] = Field(
        "time",
        description="`time`: all series are split at the same times; `end`: each series is split relative to its "
        "own end.",
    )

    @field_validator("train_size")
    @classmethod
    def _needs_sliding(cls, train_size: int | None, info: ValidationInfo) -> int | None:
        if train_size is not None and info.data.get("window") == "expanding":
            raise ValueError(
                f"is for splits.window: sliding, but window is expanding; set the window or remove {train_size}"
            )
        return train_size

    def to_spec(self) -> SplitSpec:
        """The specification of the library."""
        from lstmgru.data.forecasting.splits import SplitSpec

        return SplitSpec(**self.model_dump())
