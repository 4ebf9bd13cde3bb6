"""The diagram of a sequence classifier or regressor: its steps in words, in the order of the computation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from lstmgru.errors import counted
from lstmgru.specs import SequenceModelSpec
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
class SequenceRoles:
    """What a sequence classifier or regressor reads and predicts.

    Attributes:
        target: Column of the labels.
        channel_names: Names of the channels, if the study gives them.
        n_channels: Number of channels; 0 for texts.
        text: Column of the texts.
        n_classes: C; 0 for regression.
    """

    target: str
    channel_names: tuple[str, ...] = ()
    n_channels: int = 0
    text: str | None = None
    n_classes: int = 0

    @classmethod
    def of_study(cls, config: Mapping[str, Any], found: Mapping[str, Any]) -> Self:
        """The roles of a study.

        Args:
            config: Its study file, every default filled in.
            found: What its record says about the data.
        """
        data, n_channels = config["data"], found.get("channels", 0)
        named = len(data["channels"]) == n_channels  # the columns of a wide table are steps
        return cls(
            target=data["target"] or "the label",
            channel_names=tuple(data["channels"]) if named else (),
            n_channels=n_channels,
            text=data["text"],
            n_classes=found.get("classes", 0),
        )


def describe_predictor(model: SequenceModelSpec, roles: SequenceRoles) -> Network:
    """The boxes of an architecture."""
    # Dropout is applied to the token embeddings, before they are joined into segments.
    dropped = model.dropout if model.tokens else 0.0
    first = dropped if model.segment_length == 1 else 0.0
    return Network(
        before=(
            _data(model, roles),
            *_numbers(model),
            *noise_boxes(model),
            *_tokens(model),
            *_segments(model, dropped),
        ),
        branches=tuple(stack_boxes(model, stack, first_dropout=first) for stack in model.branches),
        merge=tuple(merge_boxes(model)),
        after=(
            *pooling_boxes(model, [f"over all {_unit(model)}s of the input"], arrow="all outputs"),
            *_fcn(model),
            _head(model, roles),
            Box("softmax") if roles.n_classes else Box("back to original units", ("× deviation, + mean",)),
            _label(roles),
        ),
    )


def _data(model: SequenceModelSpec, roles: SequenceRoles) -> Box:
    if model.tokens is not None:
        lines = (f"of {cut_name(roles.text)}",) if roles.text else ()
        return Box(f"up to {counted(model.max_length, model.tokens)} of a text", lines, "data")
    channels = [counted(roles.n_channels, "channel")] if roles.n_channels else []
    of_names = [names(roles.channel_names)] if roles.channel_names else []
    return Box(f"up to {counted(model.max_length, 'step')} of a sequence", (*channels, *of_names), "data")


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
    if model.subwords:
        lines.append("and for its character n-grams")
    if model.min_count > 1:
        lines.append(f"that occurs at least {model.min_count} times in training")
    if model.token_dropout:
        lines.append(f"{100 * model.token_dropout:.2g}% are masked during training")
    yield Box("embedding", tuple(lines))


def _segments(model: SequenceModelSpec, dropped: float) -> Iterator[Box]:
    length = model.segment_length
    yield from convolution_boxes(model, f"of {counted(model.convolution, model.tokens or 'step')} at once")
    if length > 1:
        unit, count = model.tokens or "step", -(-model.max_length // length)
        lines = (f"up to {counted(model.max_length, unit)} → {count} segments",)
        yield Box(f"segments of {length} {unit}s", lines, arrow=dropout_words(dropped))
        yield embedding_box(model)


def _unit(model: SequenceModelSpec) -> str:
    return "segment" if model.segment_length > 1 else model.tokens or "step"


def _fcn(model: SequenceModelSpec) -> Iterator[Box]:
    if model.fcn_filters:
        how = f"three convolutions of the {model.tokens or 'step'}s, mean over time"
        yield Box("+ convolutional branch", ("beside the recurrence", how, f"{model.fcn_filters} features more"))


def _head(model: SequenceModelSpec, roles: SequenceRoles) -> Box:
    title = "linear" if model.head == "linear" else "linear, ReLU, linear"
    gives = f"a logit for each of {roles.n_classes} classes" if roles.n_classes else "one number"
    return Box(title, (gives,), arrow=reading_arrow(model))


def _label(roles: SequenceRoles) -> Box:
    target = cut_name(roles.target)
    if roles.n_classes:
        return Box(f"probabilities of {roles.n_classes} classes", (f"of {target}",), "data")
    return Box(target, (), "data")
