"""The diagram of a forecasting network: its steps in words, in the order of the computation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lstmgru.errors import counted, listed
from lstmgru.specs import ModelSpec
from search.reports.diagram.boxes import (
    Box,
    Network,
    convolution_boxes,
    cut_name,
    dropout_words,
    embedding_box,
    merge_boxes,
    names,
    noise_boxes,
    pooling_boxes,
    reading_arrow,
    stack_boxes,
)


@dataclass(frozen=True)
class ForecastRoles:
    """What a forecasting network reads and forecasts.

    Attributes:
        targets: Columns to forecast.
        past: Covariates that are known up to the cutoff.
        ahead: Covariates and calendar features that are known over the horizon as well.
        static: Covariates of a series.
        horizon: H.
        levels: Levels of the prediction intervals.
    """

    targets: tuple[str, ...]
    past: tuple[str, ...] = ()
    ahead: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    horizon: int = 1
    levels: tuple[float, ...] = ()

    @classmethod
    def of_study(cls, config: Mapping[str, Any]) -> Self:
        """The roles of a study.

        Args:
            config: Its study file, every default filled in.
        """
        data, forecast = config["data"], config["forecast"]
        calendar = data.get("calendar", "none")
        features = {"none": (), "auto": ("the calendar",)}[calendar] if isinstance(calendar, str) else calendar
        return cls(
            targets=tuple(data["target"]),
            past=tuple(data.get("past_covariates", ())),
            ahead=(*data.get("future_covariates", ()), *features),
            static=tuple(data.get("static_covariates", ())),
            horizon=forecast["horizon"],
            levels=tuple(forecast.get("levels", ())),
        )


def describe_forecaster(model: ModelSpec, roles: ForecastRoles) -> Network:
    """The boxes of an architecture."""
    autoregressive = model.decoder in ("parallel", "recurrent")
    return Network(
        before=(
            _data(model, roles),
            *_normalization(model),
            *noise_boxes(model),
            *_reading(model, embeds=autoregressive),
        ),
        branches=tuple(stack_boxes(model, stack) for stack in model.branches),
        merge=tuple(merge_boxes(model)),
        after=(
            *(_continued(model, roles) if autoregressive else _at_once(model, roles)),
            *_linear_path(model, roles),
            _undoing(model),
            _forecast(roles),
        ),
    )


def _data(model: ModelSpec, roles: ForecastRoles) -> Box:
    lines = []
    if len(roles.targets) > 1:
        lines.append(names(roles.targets))
        independent = model.channels == "independent"
        lines.append("each separately, with shared weights" if independent else "read together")
    if roles.past:
        lines.append(f"with {names(roles.past)}")
    if roles.ahead:
        lines.append(f"known ahead: {names(roles.ahead)}")
    if roles.static:
        lines.append(f"of the series: {names(roles.static)}")
    if model.series_embedding:
        lines.append(f"and {model.series_embedding} learned features of each series")
    return Box(f"{_steps(model.context_length)} of {_targets(roles)}", tuple(lines), "data")


def _normalization(model: ModelSpec) -> Iterator[Box]:
    """In the order of computation: logarithms, then statistics of the training part, then those of the window."""
    if model.log:
        yield Box("logarithm")
    if model.difference:
        yield Box("changes from step to step", ("of the targets",))
    of_training = "over the training part" if model.normalization == "fold" else "over each series' training part"
    deviation = "deviation 1" if model.difference else "mean 0, deviation 1"
    match model.normalization:
        case "fold" | "series":
            yield Box("scale", (f"{deviation} {of_training}",))
        case "last" if model.difference:
            yield Box("scale", (f"deviation 1 {of_training}",))
        case "last":
            yield Box("subtract the last value", ("of each context; then deviation 1", of_training))
        case "window":
            yield Box("scale each context", (deviation,))
        case "mean":
            yield Box("scale each context", ("by its mean absolute value",))


def _reading(model: ModelSpec, *, embeds: bool) -> Iterator[Box]:
    length, kernel_size = model.segment_length, model.convolution
    yield from convolution_boxes(model, f"of a step and the {_steps(kernel_size - 1)} before it")
    if length > 1:
        count = -(-model.context_length // length)
        filled = (
            f"; {_steps(count * length - model.context_length)} of padding" if model.context_length % length else ""
        )
        yield Box(f"segments of {length} steps", (f"{_steps(model.context_length)} → {count} segments{filled}",))
    if embeds or length > 1:
        yield embedding_box(model)


def _at_once(model: ModelSpec, roles: ForecastRoles) -> Iterator[Box]:
    yield from pooling_boxes(model, [_over(model)], arrow="all outputs")
    title = "linear" if model.decoder == "linear" else "linear, ReLU, linear"
    known = ("with the known values of each step",) if roles.ahead else ()
    yield Box(title, (_all_at_once(roles), *known), arrow=reading_arrow(model))


def _continued(model: ModelSpec, roles: ForecastRoles) -> Iterator[Box]:
    length = model.segment_length
    count = -(-roles.horizon // length)
    unit = "step" if length == 1 else "segment"
    units = f"{unit}{'s' if count > 1 else ''}"
    known = (f"with the known values of the {unit}",) if roles.ahead else ()
    if model.decoder == "parallel":
        how = ("one step, from an embedding of the position", *known, f"for {count} {units} of the horizon at once")
    else:
        how = (f"one step for each of {count} {units}", "each reads the previous forecast", *known)
    yield Box("the same layers, continued", how, arrow="last state")
    anew = [f"recomputed for each {unit} of the forecast"] if model.pooling in ("additive", "multihead") else []
    yield from pooling_boxes(model, [_over(model), *anew], arrow="", recalls=True)
    made = "a step of the forecast" if length == 1 else f"{length} steps of the forecast"
    yield Box("linear", (f"{made} from each",), arrow=dropout_words(model.dropout))


def _linear_path(model: ModelSpec, roles: ForecastRoles) -> Iterator[Box]:
    if model.linear_path:
        how = f"{_steps(model.context_length)} of the scaled targets → {_steps(roles.horizon)}"
        yield Box("+ linear path", ("beside the recurrence", how))


def _over(model: ModelSpec) -> str:
    """What the outputs cover."""
    count = -(-model.context_length // model.segment_length)
    return f"over {counted(count, 'step' if model.segment_length == 1 else 'segment')} of the context"


def _undoing(model: ModelSpec) -> Box:
    how = {
        "fold": "× deviation, + mean",
        "series": "× deviation, + mean of the series",
        "last": "× deviation, + the last value",
        "window": "× deviation, + mean of the context",
        "mean": "× mean size of the context",
    }[model.normalization]
    if model.difference:
        how = f"{how.partition(',')[0]}, + the last value"
    return Box("back to original units", (how, *(("exponential",) if model.log else ())))


def _forecast(roles: ForecastRoles) -> Box:
    levels = (f"with intervals of {listed([f'{100 * level:g}%' for level in roles.levels])}",) if roles.levels else ()
    return Box(f"{_steps(roles.horizon)} of {_targets(roles)}", levels, "data")


def _all_at_once(roles: ForecastRoles) -> str:
    return "one step" if roles.horizon == 1 else f"all {roles.horizon} steps at once"


def _steps(count: int) -> str:
    return counted(count, "step")


def _targets(roles: ForecastRoles) -> str:
    return cut_name(roles.targets[0]) if len(roles.targets) == 1 else f"{len(roles.targets)} targets"
