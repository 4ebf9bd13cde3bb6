"""The model card of a forecasting model."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lstmgru.bundle.card import (
    Card,
    code,
    codes,
    escape,
    member_lines,
    number,
    onnx_limit,
    onnx_usage,
    origin_lines,
    score_lines,
    size_line,
    training_line,
    usage,
)
from lstmgru.errors import listed
from lstmgru.evaluation.decimals import decimals_of
from lstmgru.runtime.files import DESCRIPTION
from lstmgru.specs import ModelSpec

if TYPE_CHECKING:
    from lstmgru.bundle.forecasting.model import ForecastModel
    from lstmgru.data.forecasting.series import SeriesSchema

_ROLES = {
    "targets": "the values to forecast, up to the last known one",
    "past_covariates": "known up to the last value of the targets",
    "future_covariates": "also known over the horizon, in rows after the last value of the targets",
    "static_covariates": "constant within a series",
}
_MOST_NAMES = 5


def forecast_card(model: ForecastModel, description: dict[str, Any]) -> Card:
    """The content of the card.

    Args:
        model: The model.
        description: The content of ``bundle.json``.
    """
    onnx = description["onnx"]
    how = usage(model.results, description, example=model.example is not None)
    return Card(
        title=f"Forecasts of {codes(list(model.schema.targets))}",
        summary=_summary(model),
        inputs=list(_inputs(model)),
        scores=list(_scores(model, description)),
        training=[*_training(model), *origin_lines(description["provenance"])],
        limits=list(_limits(model, description)),
        usage=[
            *how,
            *onnx_usage(onnx, model.axes, model.integers, _arrays(model, list(onnx["inputs"]) if onnx else [])),
        ],
    )


def _summary(model: ForecastModel) -> str:
    intervals = f", with prediction intervals of {_levels(model.levels)}" if model.levels else ""
    return (
        f"Forecasts the next {_steps(model, model.forecast.horizon)} of {codes(list(model.schema.targets))} from the "
        f"last {model.context_length}{intervals}. {size_line(model.members)}"
    )


def _steps(model: ForecastModel, count: int) -> str:
    unit = f"steps of {model.step}" if model.frequency == "step" else f"steps of {code(model.frequency)}"
    return f"{count} {unit}"


def _levels(levels: Sequence[float]) -> str:
    """``80% and 95%``."""
    return listed([f"{100 * level:g}%" for level in levels])


def _inputs(model: ForecastModel) -> Iterator[str]:
    schema, length, required = model.schema, model.context_length, model.required_rows
    gaps = "without gaps" if model.gaps == "error" else f"with gaps filled as in training ({model.gaps})"
    rows = "at least one row" if required == 1 else f"at least {required} rows"
    read = f" of which the last {length} are read," if required < length else ""
    takes_logarithms = any(member.model_spec.log for member in model.networks)
    yield f"A table with {rows} for each series,{read} {gaps}, and these columns:"
    yield ""
    yield "| column | content |"
    yield "|---|---|"
    if schema.id is not None:
        yield f"| {escape(schema.id)} | the name of the series |"
    yield f"| {escape(schema.time)} | {_times(model)} |"
    for role, meaning in _ROLES.items():
        for column in getattr(schema, role):
            positive = "positive " if role == "targets" and takes_logarithms else ""
            what = _categories(schema.categories[column]) if column in schema.categories else f"{positive}numbers"
            yield f"| {escape(column)} | {what}: {meaning} |"
    if schema.calendar:
        yield ""
        yield f"Calendar features are derived from the times: {codes(list(schema.calendar))}."


def _categories(names: tuple[str, ...]) -> str:
    shown = ", ".join(escape(name) for name in names[:_MOST_NAMES])
    return f"categories ({shown}{f' and {len(names) - _MOST_NAMES} more' if len(names) > _MOST_NAMES else ''})"


def _times(model: ForecastModel) -> str:
    if model.frequency == "step":
        return f"integers, {model.step} apart"
    zone = f"with the time zone {escape(model.timezone)}" if model.timezone else "without a time zone"
    return f"dates of the frequency {escape(model.frequency)}, {zone}"


def _scores(model: ForecastModel, description: dict[str, Any]) -> Iterator[str]:
    metrics = description["metrics"]
    yield from score_lines(description, model.forecast.metric)
    if metrics.get("intervals"):
        yield ""
        yield "Prediction intervals on the same holdout:"
        yield ""
        decimals = decimals_of([interval["width"] for interval in metrics["intervals"]])
        yield "| interval | coverage | mean width |"
        yield "|---|---|---|"
        for interval in metrics["intervals"]:
            coverage = f"{100 * interval['coverage']:.1f}%"
            yield f"| {_levels([interval['level']])} | {coverage} | {number(interval['width'], decimals)} |"


def _training(model: ForecastModel) -> Iterator[str]:
    yield from member_lines(model.members, "rows")
    for member in model.networks:
        yield _network_line(member.model_spec)
        yield training_line(member.train_spec)
    if model.schema.id is not None and model.ids:
        count = f"{len(model.ids)} series" if len(model.ids) > 1 else "one series"
        yield f"- trained on {count}: {codes([str(name) for name in model.ids], most=5)}"


def _network_line(spec: ModelSpec) -> str:
    return (
        f"- architecture {code(spec.architecture)}, normalization {spec.normalization}, transform {spec.transform}, "
        f"dropout {spec.dropout:g}, recurrent dropout {spec.recurrent_dropout:g}"
        + (f", input noise {spec.input_noise:g}" if spec.input_noise else "")
        + (f", series embedding {spec.series_embedding}" if spec.series_embedding else "")
    )


def _limits(model: ForecastModel, description: dict[str, Any]) -> Iterator[str]:
    yield f"- It forecasts {_steps(model, model.forecast.horizon)} and no more{_intervals(model)}"
    yield from _bounds(model)
    yield "- It may be far off after a change of regime, or for series that differ from the training data."
    if model.signature.tells_series:
        yield f"- It forecasts only the {len(model.ids)} training series, as it has parameters for each of them."
    if model.schema.categories:
        yield "- Categories that are not in the training data all count as the same unknown one."
    yield "- The holdout is a single period; the error in another one may differ."
    takes = f"contexts of {model.context_length} steps"
    yield from onnx_limit(description, takes, model.servable.unit)


def _bounds(model: ForecastModel) -> Iterator[str]:
    for name, rule in (("minimum", "at least"), ("maximum", "at most")):
        bounds = zip(model.schema.targets, getattr(model.forecast, name), strict=False)
        its = [f"{code(target)} {rule} {bound:.12g}" for target, bound in bounds if bound is not None]
        if its:
            yield f"- Forecasts and their intervals are clipped: {listed(its)}."


def _intervals(model: ForecastModel) -> str:
    """The end of a sentence."""
    if model.calibration is None:
        return ", as point forecasts without intervals."
    none = [level for level in model.forecast.levels if level not in model.levels]
    windows = f"{model.calibration.n_windows:,} forecasts of a backtest"
    if not model.levels:
        return f", without intervals: {windows} are too few for intervals of {_levels(none)}."
    missing = f", too few for intervals of {_levels(none)}" if none else ""
    return (
        f". Its intervals are calibrated on {windows}{missing}: they reflect the errors of that time, and cover less "
        "if the data have changed since." + _other_levels(model)
    )


def _other_levels(model: ForecastModel) -> str:
    if model.normal_scores is None:
        return ""
    highest = math.floor(1e4 * model.predictive.highest_level) / 100
    return (
        f" Intervals of other levels, up to {highest:g}%, and sample paths come from the errors of the same forecasts "
        "(`predict --levels`, `--samples`)."
    )


def _arrays(model: ForecastModel, inputs: list[str]) -> Iterator[str]:
    """A line about each array of the ONNX model.

    Args:
        model: The model.
        inputs: Names of the inputs.
    """
    schema = model.schema
    yield f"The channels of `past` are {codes(list(model.channels), most=50)}" + (
        f"; those of `future` are the last {model.n_future} of them." if model.n_future else "."
    )
    if schema.calendar:
        yield _calendar(schema)
    if schema.categories:
        yield (
            "A category is represented by its code, its position in `data.schema.categories` of "
            f"`{DESCRIPTION}`, from 1. Any other category has the code 0."
        )
    if "static" in inputs:
        yield f"`static` holds {codes(list(schema.static_covariates), most=50)}."
    if "series" in inputs:
        yield (
            f"`series` (int64) is the position of the series in `data.ids` of `{DESCRIPTION}`, from 1. Any other "
            "series has the code 0, and its forecasts are NaN."
        )
    if "lengths" in inputs:
        yield "`lengths` (int64) is the number of real rows at the end of each context; the rows before them hold 0."
    if model.calibration is not None:
        missing = "; NaN for a level without an interval" if len(model.levels) < len(model.forecast.levels) else ""
        probabilities = ", ".join(f"{probability:g}" for probability in model.forecast.quantiles)
        yield f"`quantiles` are those of the probabilities {probabilities}{missing}."


def _calendar(schema: SeriesSchema) -> str:
    pairs = [channel.removesuffix("_sin") for channel in schema.calendar if channel.endswith("_sin")]
    explained = [
        f"A pair such as {code(pairs[0] + '_sin')}, {code(pairs[0] + '_cos')} is the sine and cosine of 2π times the "
        "elapsed fraction of the period, in the local time of the time column."
    ] if pairs else []  # fmt: skip
    if "year" in schema.calendar:
        explained.append("`year` is the number of years since the start of 2000, with their fraction.")
    return " ".join(explained)
