"""The model card: what a model forecasts, what it needs, how good it is, how to use it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.format import EXAMPLE
from lstmgru.bundle.markdown import code, codes, escape
from lstmgru.data.series import SeriesSchema
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
        "Limits": _limits(bundle, description["onnx"]),
        "How to use it": _usage(bundle, description["onnx"]),
    }
    title = f"# Forecasts of {codes(list(bundle.schema.targets))}"
    parts = ["\n".join([f"## {name}", "", *lines]).rstrip() for name, lines in sections.items()]
    return "\n\n".join([title, _summary(bundle), *parts]) + "\n"


def _steps(bundle: Bundle, count: int) -> str:
    unit = f"steps of {bundle.step}" if bundle.frequency == "step" else f"steps of {code(bundle.frequency)}"
    return f"{count} {unit}"


def _summary(bundle: Bundle) -> str:
    return (
        f"The next {_steps(bundle, bundle.forecast.horizon)} of {codes(list(bundle.schema.targets))}, from the last "
        f"{bundle.model_spec.context_length}. Architecture: {code(bundle.model_spec.architecture)}, "
        f"{count_parameters(bundle.network):,} parameters."
    )


_PARTS = {
    "targets": "numbers: what is forecast, and what is known of it so far",
    "past_covariates": "numbers, known up to the last value of the targets",
    "future_covariates": "numbers, known ahead: over the forecast too, in rows after the last value of the targets",
}


def _needs(bundle: Bundle) -> Iterator[str]:
    schema, length = bundle.schema, bundle.model_spec.context_length
    gaps = "without gaps" if bundle.gaps == "error" else f"gaps filled as in training ({bundle.gaps})"
    yield f"A table with at least {length} rows for each series, {gaps}, and these columns:"
    yield ""
    yield "| column | holds |"
    yield "|---|---|"
    if schema.id is not None:
        yield f"| {escape(schema.id)} | the name of the series |"
    yield f"| {escape(schema.time)} | {_times(bundle)} |"
    for part, meaning in _PARTS.items():
        for column in getattr(schema, part):
            yield f"| {escape(column)} | {meaning} |"
    if schema.calendar:
        yield ""
        yield f"Features of the calendar are derived from the times: {codes(list(schema.calendar))}."


def _times(bundle: Bundle) -> str:
    if bundle.frequency == "step":
        return f"whole numbers, {bundle.step} apart"
    zone = f"with the time zone {escape(bundle.timezone)}" if bundle.timezone else "without a time zone"
    return f"dates, {escape(bundle.frequency)} apart (a pandas frequency), {zone}"


def _scores(bundle: Bundle, metrics: dict[str, Any]) -> Iterator[str]:
    scores, baselines = metrics.get("holdout") or {}, metrics.get("baselines") or {}
    if not scores:
        yield "It has not been scored on data that it did not learn from."
        return
    if metrics.get("verdict"):
        yield f"**Verdict:** {escape(metrics['verdict'])}"
        yield ""
    metric = bundle.forecast.metric
    yield f"On a holdout that neither the search nor the training saw; {metric} in original units, smaller is better:"
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


def _number(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.4g}"


def _training(bundle: Bundle, provenance: dict[str, Any]) -> Iterator[str]:
    model, train = bundle.model_spec, bundle.train_spec
    yield f"- layers {code(model.architecture)}, dropout {model.dropout:g}, normalization {model.normalization}"
    yield (
        f"- {train.max_epochs} epochs, loss {train.loss}, learning rate {train.learning_rate:.3g}, batch size "
        f"{train.batch_size}, weight decay {train.weight_decay:.3g}, seed {train.seed}"
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


def _limits(bundle: Bundle, onnx: dict[str, Any] | None) -> Iterator[str]:
    yield f"- It forecasts {_steps(bundle, bundle.forecast.horizon)}, no more, as single values without an interval."
    yield "- It knows what its data showed: after a change of regime, or for series unlike those, it may be far off."
    yield "- The holdout is one stretch of time; the error on another may differ."
    if onnx is not None:
        worst = max(batch["relative"] for batch in onnx["parity"])
        sizes = ", ".join(str(batch["batch_size"]) for batch in onnx["parity"])
        yield (
            f"- The ONNX model takes contexts of {bundle.model_spec.context_length} steps only. It differs from torch "
            f"by up to {worst:.1e} standard deviations of a target (batches of {sizes})."
        )


def _usage(bundle: Bundle, onnx: dict[str, Any] | None) -> Iterator[str]:
    yield "On the command line:"
    yield from _block("sh", "python -m search predict path/to/this/bundle --data new.csv --output forecasts.csv")
    yield "From Python:"
    yield from _block(
        "python",
        "import pandas as pd",
        "from lstmgru.bundle import load_bundle",
        "",
        'bundle = load_bundle("path/to/this/bundle")',
        'forecasts = bundle.predict(pd.read_csv("new.csv"))',
    )
    if bundle.example is not None:
        yield f"A table to try it with, `bundle.example`, is in `{EXAMPLE}`."
        yield ""
    if onnx is None:
        return
    yield (
        "With ONNX Runtime alone. All values are float32 in original units; the batch may have any size. The channels "
        f"of `past` are {codes(list(bundle.channels), most=50)}"
        + (f"; those of `future` the last {bundle.n_future} of them." if bundle.n_future else ".")
    )
    if bundle.schema.calendar:
        yield _calendar(bundle.schema)
    axes = {"past": "batch, context, channel", "future": "batch, horizon, channel"}
    arrays = [
        f'"{name}": np.zeros(({_shape(shape)}), np.float32),  # {axes[name]}' for name, shape in onnx["inputs"].items()
    ]
    yield from _block(
        "python",
        "import numpy as np",
        "import onnxruntime",
        "",
        f'session = onnxruntime.InferenceSession("{onnx["file"]}")',
        "inputs = {",
        *(f"    {array}" for array in arrays),
        "}",
        '(forecast,) = session.run(["forecast"], inputs)  # batch, horizon, target',
    )


def _calendar(schema: SeriesSchema) -> str:
    first = schema.calendar[0].removesuffix("_sin")
    return (
        f"A pair such as {code(first + '_sin')}, {code(first + '_cos')} is the sine and cosine of 2π times the "
        "fraction of the period that has passed, by the clock of the time column."
    )


def _shape(shape: list[Any]) -> str:
    return ", ".join("1" if size == "batch" else str(size) for size in shape)


def _block(language: str, *lines: str) -> Iterator[str]:
    yield from ("", f"```{language}", *lines, "```", "")
