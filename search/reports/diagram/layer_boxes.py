"""What the networks of all tasks share in a diagram: recurrent layers, how stacks become one, pooling, and words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from lstmgru.specs import Stack
from search.reports.diagram.boxes import Box, LayerBox, Skip
from search.space.space import Model

_NAMED = 3
"""Columns that are named; the others are counted."""
_LONGEST = 26
"""Letters of a name."""


def stack_boxes(model: Model, stack: Stack, *, first_dropout: float = 0.0) -> tuple[LayerBox, ...]:
    """The layers of a stack.

    Args:
        model: Whose.
        stack: Its layers.
        first_dropout: What of the first layer's input is dropped.
    """
    widths = [layer.n_outputs for layer in stack]
    skips: list[Skip] = ["", *("same" if before == after else "linear" for before, after in pairwise(widths))]
    return tuple(
        LayerBox(layer, skip if model.residual else "", model.layer_norm, model.dropout if index else first_dropout)
        for index, (layer, skip) in enumerate(zip(stack, skips, strict=True))
    )


def merge_boxes(model: Model) -> Iterator[Box]:
    """How several stacks become one."""
    widths = [stack[-1].n_outputs for stack in model.branches]
    if len(widths) == 1:
        return
    mapped = ("the others brought to the first one's width",) if len(set(widths)) > 1 else ()
    match model.merge:
        case "concat":
            yield Box("side by side", (f"{' + '.join(map(str, widths))} = {sum(widths)} features",))
        case "sum":
            yield Box("sum", (f"{widths[0]} features", *mapped))
        case "gate":
            yield Box("gate", (f"a sum with learned weights, {widths[0]} features", *mapped))


_POOLINGS = {
    "mean": ("mean", "of the outputs"),
    "max": ("maximum", "of each feature of the outputs"),
    "additive": ("additive attention", "a weighted mean of the outputs"),
    "multihead": ("attention, {n_heads} heads", "weighted means of the outputs"),
}


def pooling_boxes(model: Model, lines: Sequence[str], *, arrow: str, recalls: bool = False) -> Iterator[Box]:
    """What is made of the outputs, unless only the last one is read.

    Args:
        model: Whose.
        lines: What they are the outputs of.
        arrow: What stands at the arrow that leads to it.
        recalls: See :class:`~search.reports.diagram.boxes.Box`.
    """
    if model.pooling != "last":
        title, what = _POOLINGS[model.pooling]
        yield Box(title.format(n_heads=model.n_heads), (what, *lines), arrow=arrow, recalls=recalls)


def embedding_box(model: Model) -> Box:
    """What makes the first layers' features."""
    return Box("linear, ReLU", (f"→ {model.branches[0][0].hidden_size} features",))


def dropout_words(probability: float) -> str:
    """What stands at an arrow; nothing where nothing is dropped."""
    return f"dropout {probability:.2g}" if probability else ""


def reading_arrow(model: Model) -> str:
    """What stands at the arrow to the layers that read the outputs at once."""
    last = "last output" if model.pooling == "last" else ""
    return ", ".join(filter(None, (last, dropout_words(model.dropout))))


def steps(count: int, thing: str = "step") -> str:
    """``1 step``, ``2 steps``."""
    return f"1 {thing}" if count == 1 else f"{count} {thing}s"


def names(of_columns: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(map(cut_name, of_columns[:_NAMED]))
    return shown if len(of_columns) <= _NAMED else f"{shown} and {len(of_columns) - _NAMED} more"


def cut_name(name: str) -> str:
    """A name that fits a box."""
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
