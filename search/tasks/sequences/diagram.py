"""What a diagram says of a labeling network: its steps in words, in the order of the computation."""

from __future__ import annotations

from collections.abc import Iterator

from lstmgru.specs import SequenceModelSpec
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


def describe_predictor(model: SequenceModelSpec, roles: Roles) -> Network:
    """The boxes of an architecture."""
    # Tokens' vectors are dropped in part, before they are put together to segments.
    dropped = model.dropout if model.tokens else 0.0
    first = dropped if model.segment_length == 1 else 0.0
    return Network(
        before=(_data(model, roles), *_numbers(model), *_tokens(model), *_segments(model, dropped)),
        branches=tuple(stack_boxes(model, stack, first_dropout=first) for stack in model.branches),
        merge=tuple(merge_boxes(model)),
        after=(
            *pooling_boxes(model, [f"over all {_unit(model)}s that are there"], arrow="all outputs"),
            _head(model, roles),
            Box("softmax") if roles.classes else Box("back to original units", ("× deviation, + mean",)),
            _label(roles),
        ),
    )


def _data(model: SequenceModelSpec, roles: Roles) -> Box:
    if model.tokens is not None:
        lines = (f"of {cut_name(roles.text)}",) if roles.text else ()
        return Box(f"up to {steps(model.max_length, model.tokens)} of a text", lines, "data")
    channels = [steps(roles.channels, "channel")] if roles.channels else []
    of_names = [names(roles.past)] if roles.past else []
    return Box(f"up to {steps(model.max_length)} of a sequence", (*channels, *of_names), "data")


def _numbers(model: SequenceModelSpec) -> Iterator[Box]:
    match model.normalization:
        case "fold":
            yield Box("scale", ("mean 0, deviation 1 over the training part",))
        case "sequence":
            yield Box("scale each sequence", ("mean 0, deviation 1",))


def _tokens(model: SequenceModelSpec) -> Iterator[Box]:
    if model.tokens is None:
        return
    lines = [f"{model.embedding_size} learned features for each {model.tokens}"]
    if model.min_count > 1:
        lines.append(f"that the training part has {model.min_count} times or more")
    if model.token_dropout:
        lines.append(f"in training {100 * model.token_dropout:.2g} % are hidden")
    yield Box("embedding", tuple(lines))


def _segments(model: SequenceModelSpec, dropped: float) -> Iterator[Box]:
    length = model.segment_length
    if length > 1:
        unit, count = model.tokens or "step", -(-model.max_length // length)
        lines = (f"up to {steps(model.max_length, unit)} → {count} segments",)
        yield Box(f"segments of {length} {unit}s", lines, arrow=dropout_words(dropped))
        yield embedding_box(model)


def _unit(model: SequenceModelSpec) -> str:
    return "segment" if model.segment_length > 1 else model.tokens or "step"


def _head(model: SequenceModelSpec, roles: Roles) -> Box:
    title = "linear" if model.head == "linear" else "linear, ReLU, linear"
    gives = f"a number for each of {roles.classes} classes" if roles.classes else "one number"
    return Box(title, (gives,), arrow=reading_arrow(model))


def _label(roles: Roles) -> Box:
    target = cut_name(roles.targets[0])
    if roles.classes:
        return Box(f"probabilities of {roles.classes} classes", (f"of {target}",), "data")
    return Box(target, (), "data")
