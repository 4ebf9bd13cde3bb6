"""A forecasting study in words, for the command line and MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.data.forecasting.series import SeriesSchema
from lstmgru.data.forecasting.splits import time_span
from lstmgru.data.forecasting.windows import evaluation_cutoffs, known_targets
from lstmgru.data.tables.columns import whole_numbers
from lstmgru.data.tables.frequency import STEP
from lstmgru.errors import counted, show_time
from lstmgru.specs.calibration import Calibration
from search.study.paths import FORECASTS_PAGE, FORECASTS_TABLE
from search.tasks.data import ColumnType, ModelColumns
from search.tasks.forecasting.bounds import suggested_bound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lstmgru.data.forecasting.splits import Rows, Split
    from search.study.records import StudyRecord
    from search.tasks.forecasting.plan import ForecastPlan


predict = "forecast"
holdout_tables = (FORECASTS_TABLE,)
drawn = FORECASTS_PAGE


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """What scores of two studies must have in common besides metric and data."""
    return {"the horizon": config.get("forecast", {}).get("horizon")}


def subject(plan: ForecastPlan) -> str:
    """What is predicted."""
    return f"forecast {', '.join(plan.panel.schema.targets)} {plan.forecast.horizon} steps ahead"


def data_line(plan: ForecastPlan) -> str:
    """The size of the data."""
    panel = plan.panel
    return f"{len(panel)} series, {len(panel.times)} rows, frequency {panel.frequency}"


def holdout_line(plan: ForecastPlan) -> str:
    """The holdout."""
    return f"a holdout from {_span(plan, plan.splits.holdout.evaluation)}"


def size_line(plan: ForecastPlan) -> str:
    """The longest input of a candidate."""
    return f"context of at most {plan.longest_context} steps"


def data_lines(plan: ForecastPlan) -> list[tuple[str, str]]:
    """The data in detail: names and texts."""
    panel = plan.panel
    lengths, whole = panel.lengths, np.stack([panel.offsets[:-1], panel.offsets[1:]], axis=1)
    size = f"{lengths.min()} rows" if lengths.min() == lengths.max() else f"{lengths.min()} to {lengths.max()} rows"
    filled = int((~panel.observed).sum())
    roles = {
        "targets": panel.schema.targets,
        "past covariates": panel.schema.past_covariates,
        "future covariates": panel.schema.future_covariates,
        "static covariates": panel.schema.static_covariates,
        "categorical": [f"{column} ({len(names)} names)" for column, names in panel.schema.categories.items()],
        "calendar": panel.schema.calendar,
    }
    return [
        ("series", f"{len(panel)}, {size} each, from {_span(plan, whole)}"),
        ("frequency", f"{panel.frequency}, season of {plan.forecast.season_length} steps"),
        ("gaps", _gaps(filled, len(panel.times), plan.config.data.gaps)),
        *_short_lines(plan),
        *((name, ", ".join(columns)) for name, columns in roles.items() if columns),
        *_no_calendar(plan),
        *suggested_bound(plan.config, plan.panel, plan.splits, plan.forecast),
    ]


def _no_calendar(plan: ForecastPlan) -> list[tuple[str, str]]:
    """That integer times have no calendar, and what they would say as dates."""
    times = plan.panel.times
    if times.dtype.kind != "i":
        return []
    from lstmgru.data.tables.calendar_numbers import unix_time

    date = unix_time(np.asarray(times))
    looks = f"; they look like Unix time: for calendar features and seasons write {date} for {times[0]}" if date else ""
    return [("calendar", f"none: {plan.panel.schema.time} holds integers, which count as steps{looks}")]


def _gaps(filled: int, rows: int, policy: str) -> str:
    """How many rows were filled in at least one cell."""
    if not filled:
        return "none"
    return f"{filled:,} of {rows:,} rows filled ({max(0.1, 100 * filled / rows):.1f}%, {policy}), none of them scored"


def _short_lines(plan: ForecastPlan) -> list[tuple[str, str]]:
    """How many series are padded, where a study allows it."""
    if plan.config.data.short_series == "error":
        return []
    train = plan.splits.folds[0].train
    window = plan.longest_context + plan.forecast.horizon
    short = int((train[:, 1] - train[:, 0] < window).sum())
    if not short:
        return []
    return [("short series", f"{short} of {len(train)} have no whole window of {window} rows in fold 1 (pad)")]


def split_lines(plan: ForecastPlan) -> list[tuple[str, str]]:
    """Folds and holdout."""
    return [_split_line(plan, split) for split in (*plan.splits.folds, plan.splits.holdout)]


def _span(plan: ForecastPlan, parts: Rows) -> str:
    """The first and the last time of parts of the series, in local time."""
    from lstmgru.data.tables.grid import wall_clock

    times = np.array(time_span(plan.panel, parts))
    return " to ".join(map(show_time, wall_clock(times, plan.panel.timezone)))


def _split_line(plan: ForecastPlan, split: Split) -> tuple[str, str]:
    train, evaluation = _span(plan, split.train), _span(plan, split.evaluation)
    reading = {"context_length": plan.scored_context or plan.longest_context, "horizon": plan.forecast.horizon}
    cutoffs = evaluation_cutoffs(
        plan.panel, split, **reading, stride=plan.splits.stride, short_series=plan.config.data.short_series
    )
    known = int(known_targets(plan.panel, cutoffs, plan.forecast.horizon).sum())
    values = len(cutoffs) * plan.forecast.horizon * plan.panel.n_targets
    share = f", {known:,} of {values:,} values known" if known < values else ""
    return (split.name, f"train {train}, score {evaluation}: {counted(len(cutoffs), 'forecast')}{share}")


def data_columns(study: StudyRecord) -> list[tuple[str, str]]:
    """The columns of the study file, with MLflow's types."""
    data = study.config.get("data", {})
    time = data.get("time") or []
    columns = [(name, "datetime") for name in ([time] if isinstance(time, str) else time)]
    columns.append((data.get("id"), "string"))
    categorical = data.get("categorical") or []
    for role in ("target", "past_covariates", "future_covariates", "static_covariates"):
        names = data.get(role) or []
        for name in [names] if isinstance(names, str) else names:
            columns.append((name, "string" if name in categorical else "double"))
    return [(name, kind) for name, kind in columns if name]


def model_columns(description: Mapping[str, Any]) -> ModelColumns:
    """Id and time are columns of inputs and outputs; the outputs also have the target's name and numbers.

    Times are text: MLflow's server cannot read a CSV file into a column of its type ``datetime``.
    """
    data = description["data"]
    schema, steps = SeriesSchema.from_dict(data["schema"]), data["frequency"] == STEP
    named: dict[str, ColumnType] = {}
    if schema.id is not None:
        named[schema.id] = "long" if whole_numbers(data["ids"]) else "string"
    values: dict[str, ColumnType] = {
        column: "string" if column in schema.categories else "double"
        for column in (*schema.value_columns, *schema.static_covariates)
    }
    keys: dict[str, ColumnType] = {**dict.fromkeys(named, "string"), schema.time: "long" if steps else "datetime"}
    target, *numbers = description["forecast_columns"][len(keys) :]
    calibration = description["calibration"]
    return ModelColumns(
        inputs={**named, schema.time: "long" if steps else "string", **values},
        outputs={**keys, target: "string", **dict.fromkeys(numbers, "float")},
        horizon=int(description["forecast"]["horizon"]),
        levels=Calibration.from_dict(calibration).known_levels if calibration else (),
    )
