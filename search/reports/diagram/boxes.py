"""A network as boxes: the parts of a diagram, and the boxes that the networks of all tasks have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from lstmgru.errors import shorten
from lstmgru.specs import LayerSpec, RecurrentSpec, Stack

Skip = Literal["", "same", "linear"]
"""Skip connection around a layer: none, the identity, or a linear map."""


@dataclass(frozen=True)
class Box:
    """A step of the computation.

    Attributes:
        title: Name of the step.
        lines: Its description.
        kind: ``data`` or ``step``.
        arrow: Label of the arrow that leads to it.
        recalls: Whether it also reads the outputs of the recurrent layers, bypassing the previous box.
    """

    title: str
    lines: tuple[str, ...] = ()
    kind: Literal["data", "step"] = "step"
    arrow: str = ""
    recalls: bool = False


@dataclass(frozen=True)
class LayerBox:
    """A recurrent layer.

    Attributes:
        spec: Its cell, width and direction.
        skip: The skip connection that is added to its output.
        norm: Whether its output is normalized.
        dropout: Dropout probability of its input.
    """

    spec: LayerSpec
    skip: Skip
    norm: bool
    dropout: float


@dataclass(frozen=True)
class Network:
    """All boxes of a diagram.

    Attributes:
        before: From the data to the input of the first layers.
        branches: The stacks of layers, side by side.
        merge: How several stacks are merged; empty with a single one.
        after: From the outputs of the layers to the output of the network.
    """

    before: tuple[Box, ...]
    branches: tuple[tuple[LayerBox, ...], ...]
    merge: tuple[Box, ...]
    after: tuple[Box, ...]


_LONGEST = 26
"""Letters after which a name is truncated."""


def stack_boxes(model: RecurrentSpec, stack: Stack, *, first_dropout: float = 0.0) -> tuple[LayerBox, ...]:
    """The layers of a stack.

    Args:
        model: The architecture.
        stack: Layers of one of its branches.
        first_dropout: Dropout probability of the first layer's input.
    """
    widths = [layer.n_outputs for layer in stack]
    skips: list[Skip] = ["", *("same" if before == after else "linear" for before, after in pairwise(widths))]
    return tuple(
        LayerBox(layer, skip if model.residual else "", model.layer_norm, model.dropout if index else first_dropout)
        for index, (layer, skip) in enumerate(zip(stack, skips, strict=True))
    )


def merge_boxes(model: RecurrentSpec) -> Iterator[Box]:
    """How the outputs of several stacks are merged."""
    widths = [stack[-1].n_outputs for stack in model.branches]
    if len(widths) == 1:
        return
    mapped = ("the others projected to the first one's width",) if len(set(widths)) > 1 else ()
    match model.merge:
        case "concat":
            yield Box("concatenation", (f"{' + '.join(map(str, widths))} = {sum(widths)} features",))
        case "sum":
            yield Box("sum", (f"{widths[0]} features", *mapped))
        case "gate":
            yield Box("gate", (f"a learned weighted sum, {widths[0]} features", *mapped))


_POOLINGS = {
    "mean": ("mean", "of the outputs"),
    "max": ("maximum", "of each feature of the outputs"),
    "additive": ("additive attention", "a weighted mean of the outputs"),
    "multihead": ("attention, {n_heads} heads", "weighted means of the outputs"),
}


def pooling_boxes(model: RecurrentSpec, lines: Sequence[str], *, arrow: str, recalls: bool = False) -> Iterator[Box]:
    """The pooling of the outputs, unless only the last one is read.

    Args:
        model: The architecture.
        lines: Description of the outputs.
        arrow: Label of the arrow that leads to the box.
        recalls: See :class:`Box`.
    """
    if model.pooling != "last":
        title, what = _POOLINGS[model.pooling]
        yield Box(title.format(n_heads=model.n_heads), (what, *lines), arrow=arrow, recalls=recalls)


def noise_boxes(model: RecurrentSpec) -> Iterator[Box]:
    """The noise on the normalized numbers, if there is any."""
    if model.input_noise:
        yield Box("noise", (f"of deviation {model.input_noise:.2g}, during training",))


def convolution_boxes(model: RecurrentSpec, reads: str) -> Iterator[Box]:
    """The convolution before segments and recurrent layers, if there is one.

    Args:
        model: The architecture.
        reads: Description of the steps that a step reads.
    """
    if model.convolution:
        yield Box("convolution, ReLU", (reads, f"→ {model.n_filters} features of each step"))


def embedding_box(model: RecurrentSpec) -> Box:
    """The embedding that computes the first layers' input features."""
    return Box("linear, ReLU", (f"→ {model.branches[0][0].hidden_size} features",))


def dropout_words(probability: float) -> str:
    """Label of an arrow; empty without dropout."""
    return f"dropout {probability:.2g}" if probability else ""


def reading_arrow(model: RecurrentSpec) -> str:
    """Label of the arrow to the layers that read the outputs at once."""
    last = "last output" if model.pooling == "last" else ""
    return ", ".join(filter(None, (last, dropout_words(model.dropout))))


def names(of_columns: Sequence[str]) -> str:
    """The first three names and the number of the others."""
    return shorten([cut_name(name) for name in of_columns], 3)


def cut_name(name: str) -> str:
    """A name truncated to fit a box."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
