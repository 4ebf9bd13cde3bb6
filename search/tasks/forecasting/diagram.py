"""What a diagram says of a forecasting network: its steps in words, in the order of the computation."""

from __future__ import annotations

from collections.abc import Iterator

from lstmgru.specs import ModelSpec
from search.reports.diagram.boxes import Box, Network, Roles
from search.reports.diagram.layer_boxes import (
    cut_name,
    dropout_words,
    embedding_box,
    merge_boxes,
    names,
    pooling_boxes,
    reading_arrow,
    stack_boxes,
    steps,
)


def describe_forecaster(model: ModelSpec, roles: Roles) -> Network:
    """The boxes of an architecture."""
    going_on = model.decoder in ("parallel", "recurrent")
    return Network(
        before=(_data(model, roles), *_normalization(model), *_reading(model, embeds=going_on)),
        branches=tuple(stack_boxes(model, stack) for stack in model.branches),
        merge=tuple(merge_boxes(model)),
        after=(
            *(_going_on(model, roles) if going_on else _at_once(model, roles)),
            _undoing(model),
            _forecast(roles),
        ),
    )


def _data(model: ModelSpec, roles: Roles) -> Box:
    lines = []
    if len(roles.targets) > 1:
        lines.append(names(roles.targets))
        independent = model.channels == "independent"
        lines.append("each by itself, with the same weights" if independent else "read together")
    if roles.past:
        lines.append(f"with {names(roles.past)}")
    if roles.ahead:
        lines.append(f"known ahead: {names(roles.ahead)}")
    if roles.static:
        lines.append(f"of the series: {names(roles.static)}")
    if model.series_embedding:
        lines.append(f"and {model.series_embedding} learned features of each series")
    return Box(f"{steps(model.context_length)} of {_targets(roles)}", tuple(lines), "data")


def _normalization(model: ModelSpec) -> Iterator[Box]:
    """In the order in which it is done: logarithms, then what is learnt from the training part, then the window's."""
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
    length = model.segment_length
    if length > 1:
        count = -(-model.context_length // length)
        filled = f"; {steps(count * length - model.context_length)} filled in" if model.context_length % length else ""
        yield Box(f"segments of {length} steps", (f"{steps(model.context_length)} → {count} segments{filled}",))
    if embeds or length > 1:
        yield embedding_box(model)


def _at_once(model: ModelSpec, roles: Roles) -> Iterator[Box]:
    yield from pooling_boxes(model, [_over(model)], arrow="all outputs")
    title = "linear" if model.decoder == "linear" else "linear, ReLU, linear"
    known = ("plus what is known of each step",) if roles.ahead else ()
    yield Box(title, (_all_at_once(roles), *known), arrow=reading_arrow(model))


def _going_on(model: ModelSpec, roles: Roles) -> Iterator[Box]:
    length = model.segment_length
    count = -(-roles.horizon // length)
    unit = "step" if length == 1 else "segment"
    units = f"{unit}{'s' if count > 1 else ''}"
    known = (f"and what is known of the {unit}",) if roles.ahead else ()
    if model.decoder == "parallel":
        how = ("one step, from an embedding of the position", *known, f"for {count} {units} of the horizon at once")
    else:
        how = (f"one step for each of {count} {units}", "each reads the forecast before it", *known)
    yield Box("the same layers go on", how, arrow="last state")
    anew = [f"for each {unit} of the forecast"] if model.pooling in ("additive", "multihead") else []
    yield from pooling_boxes(model, [_over(model), *anew], arrow="", recalls=True)
    made = "a step of the forecast" if length == 1 else f"{length} steps of the forecast"
    yield Box("linear", (f"{made} from each",), arrow=dropout_words(model.dropout))


def _over(model: ModelSpec) -> str:
    """What the outputs are of."""
    count = -(-model.context_length // model.segment_length)
    return f"over {steps(count, 'step' if model.segment_length == 1 else 'segment')} of the context"


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


def _forecast(roles: Roles) -> Box:
    levels = " and ".join(f"{100 * level:g} %" for level in roles.levels)
    return Box(
        f"{steps(roles.horizon)} of {_targets(roles)}", (f"with intervals of {levels}",) if levels else (), "data"
    )


def _all_at_once(roles: Roles) -> str:
    return "one step" if roles.horizon == 1 else f"all {roles.horizon} steps at once"


def _targets(roles: Roles) -> str:
    return cut_name(roles.targets[0]) if len(roles.targets) == 1 else f"{len(roles.targets)} targets"
