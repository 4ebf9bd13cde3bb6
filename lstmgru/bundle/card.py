"""The model card: what a model forecasts, what it needs, how good it is, how to use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.card_usage import usage
from lstmgru.bundle.markdown import code, codes, escape
from lstmgru.nn.network import count_parameters


def model_card(bundle: Bundle, description: dict[str, Any]) -> str:
    """Markdown.

    Args:
        bundle: The model.
        description: What its ``bundle.json`` holds.
    """
    provenance = description["provenance"]
    sections = {
        "What it needs": _needs(bundle),
        "How good it is": _scores(bundle, description["metrics"]),
        "Architecture and training": _training(bundle, provenance),
        "Limits": _limits(bundle, description),
        "How to use it": usage(bundle, description["onnx"]),
    }
    title = f"# Forecasts of {codes(list(bundle.schema.targets))}"
    parts = ["\n".join([f"## {name}", "", *lines]).rstrip() for name, lines in sections.items()]
    return "\n\n".join([title, _summary(bundle), *parts]) + "\n"


def _steps(bundle: Bundle, count: int) -> str:
    unit = f"steps of {bundle.step}" if bundle.frequency == "step" else f"steps of {code(bundle.frequency)}"
    return f"{count} {unit}"


def _summary(bundle: Bundle) -> str:
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


def _needs(bundle: Bundle) -> Iterator[str]:
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


def _times(bundle: Bundle) -> str:
    if bundle.frequency == "step":
        return f"whole numbers, {bundle.step} apart"
    zone = f"with the time zone {escape(bundle.timezone)}" if bundle.timezone else "without a time zone"
    return f"dates, {escape(bundle.frequency)} apart (a pandas frequency), {zone}"


# The other metrics have no unit.
_UNITS = {"mae": " in original units", "rmse": " in original units", "mse": " in squared original units"}


def _scores(bundle: Bundle, metrics: dict[str, Any]) -> Iterator[str]:
    scores, baselines = metrics.get("holdout") or {}, metrics.get("baselines") or {}
    if not scores:
        yield "It has not been scored on data that it did not learn from."
        return
    if metrics.get("verdict"):
        yield f"**Verdict:** {escape(metrics['verdict'])}"
        yield ""
    metric = bundle.forecast.metric
    unit = _UNITS.get(metric, "")
    yield f"On a holdout that neither the search nor the training saw; {metric}{unit}, smaller is better:"
    yield ""
    yield f"| model | {metric} |"
    yield "|---|---|"
    rows = [("**this model**", scores.get(metric))]
    rows += [(escape(name), score) for name, score in baselines.items()]
    for name, score in sorted(rows, key=lambda row: float("inf") if row[1] is None else row[1]):
        yield f"| {name} | {_number(score)} |"
    yield ""
    others = [f"{escape(name)} {_number(score)}" for name, score in scores.items() if name != metric]
    yield f"Further scores of this model: {', '.join(others)}." if others else "No further scores were taken."
    if metrics.get("intervals"):
        yield ""
        yield "Prediction intervals on the same holdout:"
        yield ""
        yield "| interval | true values within | mean width |"
        yield "|---|---|---|"
        for interval in metrics["intervals"]:
            within = f"{100 * interval['coverage']:.1f} %"
            yield f"| {_levels([interval['level']])} | {within} | {_number(interval['width'])} |"


def _number(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.4g}"


def _training(bundle: Bundle, provenance: dict[str, Any]) -> Iterator[str]:
    model, train = bundle.model_spec, bundle.train_spec
    yield (
        f"- architecture {code(model.architecture)}, normalization {model.normalization}, transform {model.transform}, "
        f"dropout {model.dropout:g}, recurrent dropout {model.recurrent_dropout:g}"
        + (f", series embedding {model.series_embedding}" if model.series_embedding else "")
    )
    yield (
        f"- {train.max_epochs} epochs, loss {train.loss}, {train.optimizer}, {train.schedule} learning rate "
        f"{train.learning_rate:.3g}, batch size {train.batch_size}, weight decay {train.weight_decay:.3g}, seed "
        f"{train.seed}"
    )
    if bundle.schema.id is not None and bundle.ids:
        count = f"{len(bundle.ids)} series: " if len(bundle.ids) > 1 else "one series: "
        yield f"- learnt from {count}{codes([str(name) for name in bundle.ids], most=5)}"
    for name, value in provenance.items():
        yield f"- {escape(name)}: {_value(value)}"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{escape(name)} {code(item)}" for name, item in value.items())
    return code(value)


def _limits(bundle: Bundle, description: dict[str, Any]) -> Iterator[str]:
    yield f"- It forecasts {_steps(bundle, bundle.forecast.horizon)}, no more{_intervals(bundle)}"
    yield "- It knows what its data showed: after a change of regime, or for series unlike those, it may be far off."
    if bundle.forecaster.tells_series:
        yield f"- It forecasts only the {len(bundle.ids)} series that it learnt from: it keeps numbers for each."
    if bundle.schema.categories:
        yield "- Names that its data did not hold all count as one, of which it knows nothing."
    yield "- The holdout is one stretch of time; the error on another may differ."
    onnx = description["onnx"]
    if onnx is not None:
        worst = max(batch["relative"] for batch in onnx["parity"])
        sizes = ", ".join(str(batch["batch_size"]) for batch in onnx["parity"])
        yield (
            f"- The ONNX model takes contexts of {bundle.model_spec.context_length} steps only. It differs from torch "
            f"by up to {worst:.1e} standard deviations of a target (batches of {sizes})."
        )
    elif description["onnx_problem"]:
        yield f"- There is no ONNX model: {escape(description['onnx_problem'])}."


def _intervals(bundle: Bundle) -> str:
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
