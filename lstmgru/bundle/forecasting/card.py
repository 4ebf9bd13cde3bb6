"""The model card of a model that forecasts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lstmgru.bundle.card_parts import Card, number, onnx_limit, origin_lines, score_lines, training_line
from lstmgru.bundle.card_usage import onnx_usage, usage
from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.forecasting.notes import array_notes
from lstmgru.bundle.markdown import code, codes, escape
from lstmgru.nn.network import count_parameters


def forecast_card(bundle: ForecastBundle, description: dict[str, Any]) -> Card:
    """The content of the card.

    Args:
        bundle: The model.
        description: What its ``bundle.json`` holds.
    """
    onnx = description["onnx"]
    how = usage("forecasts", example=bundle.example is not None)
    return Card(
        title=f"Forecasts of {codes(list(bundle.schema.targets))}",
        summary=_summary(bundle),
        needs=list(_needs(bundle)),
        scores=list(_scores(bundle, description["metrics"])),
        training=[*_architecture(bundle), *origin_lines(description["provenance"])],
        limits=list(_limits(bundle, description)),
        usage=[*how, *onnx_usage(onnx, array_notes(bundle, list(onnx["inputs"]) if onnx else []))],
    )


def _steps(bundle: ForecastBundle, count: int) -> str:
    unit = f"steps of {bundle.step}" if bundle.frequency == "step" else f"steps of {code(bundle.frequency)}"
    return f"{count} {unit}"


def _summary(bundle: ForecastBundle) -> str:
    intervals = f", with prediction intervals of {_levels(bundle.levels)}" if bundle.levels else ""
    return (
        f"The next {_steps(bundle, bundle.forecast.horizon)} of {codes(list(bundle.schema.targets))}, from the last "
        f"{bundle.model_spec.context_length}{intervals}. Architecture: {code(bundle.model_spec.architecture)}, "
        f"{count_parameters(bundle.network):,} parameters."
    )


def _levels(levels: Sequence[float]) -> str:
    """``80 % and 95 %``."""
    shown = [f"{100 * level:g} %" for level in levels]
    return " and ".join([*([", ".join(shown[:-1])] if shown[1:] else []), shown[-1]])


_PARTS = {
    "targets": "what is forecast, and what is known of it so far",
    "past_covariates": "known up to the last value of the targets",
    "future_covariates": "known ahead: over the forecast too, in rows after the last value of the targets",
    "static_covariates": "the same in all rows of a series",
}
_MOST_NAMES = 5


def _needs(bundle: ForecastBundle) -> Iterator[str]:
    schema, length = bundle.schema, bundle.model_spec.context_length
    gaps = "without gaps" if bundle.gaps == "error" else f"gaps filled as in training ({bundle.gaps})"
    rows, read = f"at least {length} rows", ""
    if bundle.short_series == "pad":
        rows, read = "at least one row", f" of which the last {length} are read,"
    yield f"A table with {rows} for each series,{read} {gaps}, and these columns:"
    yield ""
    yield "| column | holds |"
    yield "|---|---|"
    if schema.id is not None:
        yield f"| {escape(schema.id)} | the name of the series |"
    yield f"| {escape(schema.time)} | {_times(bundle)} |"
    for part, meaning in _PARTS.items():
        for column in getattr(schema, part):
            positive = "positive " if part == "targets" and bundle.model_spec.log else ""
            what = _names(schema.categories[column]) if column in schema.categories else f"{positive}numbers"
            yield f"| {escape(column)} | {what}: {meaning} |"
    if schema.calendar:
        yield ""
        yield f"Features of the calendar are derived from the times: {codes(list(schema.calendar))}."


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(escape(name) for name in names[:_MOST_NAMES])
    return f"names ({shown}{f' and {len(names) - _MOST_NAMES} more' if len(names) > _MOST_NAMES else ''})"


def _times(bundle: ForecastBundle) -> str:
    if bundle.frequency == "step":
        return f"whole numbers, {bundle.step} apart"
    zone = f"with the time zone {escape(bundle.timezone)}" if bundle.timezone else "without a time zone"
    return f"dates, {escape(bundle.frequency)} apart (a pandas frequency), {zone}"


def _scores(bundle: ForecastBundle, metrics: dict[str, Any]) -> Iterator[str]:
    yield from score_lines(metrics, bundle.forecast.metric)
    if metrics.get("intervals"):
        yield ""
        yield "Prediction intervals on the same holdout:"
        yield ""
        yield "| interval | true values within | mean width |"
        yield "|---|---|---|"
        for interval in metrics["intervals"]:
            within = f"{100 * interval['coverage']:.1f} %"
            yield f"| {_levels([interval['level']])} | {within} | {number(interval['width'])} |"


def _architecture(bundle: ForecastBundle) -> Iterator[str]:
    model = bundle.model_spec
    yield (
        f"- architecture {code(model.architecture)}, normalization {model.normalization}, transform {model.transform}, "
        f"dropout {model.dropout:g}, recurrent dropout {model.recurrent_dropout:g}"
        + (f", series embedding {model.series_embedding}" if model.series_embedding else "")
    )
    yield training_line(bundle.train_spec)
    if bundle.schema.id is not None and bundle.ids:
        count = f"{len(bundle.ids)} series: " if len(bundle.ids) > 1 else "one series: "
        yield f"- learnt from {count}{codes([str(name) for name in bundle.ids], most=5)}"


def _limits(bundle: ForecastBundle, description: dict[str, Any]) -> Iterator[str]:
    yield f"- It forecasts {_steps(bundle, bundle.forecast.horizon)}, no more{_intervals(bundle)}"
    yield "- It knows what its data showed: after a change of regime, or for series unlike those, it may be far off."
    if bundle.forecaster.tells_series:
        yield f"- It forecasts only the {len(bundle.ids)} series that it learnt from: it keeps numbers for each."
    if bundle.schema.categories:
        yield "- Names that its data did not hold all count as one, of which it knows nothing."
    yield "- The holdout is one stretch of time; the error on another may differ."
    takes = f"contexts of {bundle.model_spec.context_length} steps only"
    yield from onnx_limit(description, takes, bundle.forecaster.unit)


def _intervals(bundle: ForecastBundle) -> str:
    """The end of a sentence."""
    if bundle.calibration is None:
        return ", as single values without an interval."
    none = [level for level in bundle.forecast.levels if level not in bundle.levels]
    windows = f"{bundle.calibration.n_windows:,} forecasts of a backtest"
    if not bundle.levels:
        return f". {windows} are too few for intervals of {_levels(none)}: it has none."
    missing = f", too few for intervals of {_levels(none)}" if none else ""
    return (
        f". Its intervals are calibrated on {windows}{missing}: they are as wide as its errors were then, and cover "
        "less where the data has changed since."
    )
