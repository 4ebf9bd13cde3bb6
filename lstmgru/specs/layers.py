"""Recurrent layers, stacks, and the base of all architectures."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import Field, asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

from lstmgru.errors import SpecError, at_least, one_of, probability
from lstmgru.specs.cells import cell_names, find_cell
from lstmgru.specs.fields import check_types

Merge = Literal["concat", "sum", "gate"]
Pooling = Literal["last", "mean", "max", "additive", "multihead"]

MERGES: tuple[str, ...] = get_args(Merge)
POOLINGS: tuple[str, ...] = get_args(Pooling)

_FEWEST_FILTERS = 8
_LAYER = re.compile(r"^\s*(bi-)?([a-z][a-z0-9_]*)\s*\(\s*(\d+)\s*\)\s*$")


@dataclass(frozen=True)
class LayerSpec:
    """One recurrent layer, written ``lstm(64)``, or ``bi-lstm(64)`` if bidirectional.

    Attributes:
        cell: One of :data:`~lstmgru.specs.cells.CELLS`, or a registered one.
        hidden_size: Output features per direction.
        bidirectional: Whether a second layer reads the sequence backwards (Schuster & Paliwal 1997).
    """

    cell: str
    hidden_size: int
    bidirectional: bool = False

    def __post_init__(self) -> None:
        one_of("cell", self.cell, cell_names())
        at_least("hidden_size", self.hidden_size, 1)

    @property
    def n_outputs(self) -> int:
        """Features of its output, both directions together."""
        return self.hidden_size * (1 + self.bidirectional)

    def __str__(self) -> str:
        return f"{'bi-' if self.bidirectional else ''}{self.cell}({self.hidden_size})"


Stack = tuple[LayerSpec, ...]
"""Consecutive layers, first to last."""


class RecurrentSpec(ABC):
    """The base of the architectures of all tasks; see :class:`lstmgru.specs.ModelSpec` for the attributes.

    Subclasses are dataclasses with the fields in their own order.
    """

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

        def __init__(self, branches: tuple[Stack, ...], **fields: Any) -> None: ...

    branches: tuple[Stack, ...]
    merge: Merge
    residual: bool
    layer_norm: bool
    convolution: int
    segment_length: int
    pooling: Pooling
    n_heads: int
    dropout: float
    recurrent_dropout: float
    input_noise: float

    @property
    @abstractmethod
    def architecture(self) -> str:
        """The readable form, in the order of the computation."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {**asdict(self), "branches": self._branches}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The spec that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is not valid.
        """
        check_types(cls, {name: value for name, value in values.items() if name != "branches"})
        return cls(**{**values, "branches": parse_branches(values["branches"])})

    @property
    def stacks(self) -> str:
        """The recurrent layers: ``lstm(64) > gru(32)``, or ``lstm(64) | gru(64)`` side by side."""
        merged = len(self.branches) > 1 and self.merge != "concat"
        return f"{self.merge}[{self._branches}]" if merged else self._branches

    @property
    def _branches(self) -> str:
        """The inverse of :func:`parse_branches`."""
        return " | ".join(" > ".join(map(str, stack)) for stack in self.branches)

    @property
    @abstractmethod
    def longest_input(self) -> int:
        """Most steps of an input."""

    @property
    def n_steps(self) -> int:
        """Recurrent steps of the longest input: its segments."""
        return -(-self.longest_input // self.segment_length)

    @property
    def n_layer_steps(self) -> int:
        """Recurrent steps of all layers together, those of both directions."""
        return self.n_steps * sum(1 + layer.bidirectional for stack in self.branches for layer in stack)

    @property
    def multiplications(self) -> int:
        """Multiplications of the recurrence over the longest input, roughly: a first layer reads its own width."""
        total = 0
        for stack in self.branches:
            n_inputs = stack[0].hidden_size
            for layer in stack:
                total += find_cell(layer.cell).n_gates * layer.n_outputs * (n_inputs + layer.hidden_size)
                n_inputs = layer.n_outputs
        return self.n_steps * total

    @property
    def n_filters(self) -> int:
        """Features of the convolution's output: a segment has about as many as the first layer, a step at least 8."""
        return max(_FEWEST_FILTERS, -(-self.branches[0][0].hidden_size // self.segment_length))

    def _check(self, length_name: str, length: int) -> None:
        """Check the shared attributes."""
        if not self.branches or not all(self.branches):
            raise SpecError("branches must have at least one stack and at least one layer in each")
        at_least(length_name, length, 1)
        at_least("segment_length", self.segment_length, 1)
        if self.segment_length > length:
            raise SpecError(f"segment_length must be at most {length_name} ({length}) but got {self.segment_length}")
        at_least("convolution", self.convolution, 0)
        at_least("n_heads", self.n_heads, 1)
        one_of("merge", self.merge, MERGES)
        one_of("pooling", self.pooling, POOLINGS)
        probability("dropout", self.dropout)
        probability("recurrent_dropout", self.recurrent_dropout)
        at_least("input_noise", self.input_noise, 0)

    def _architecture(self, before: Sequence[str], after: Sequence[str], beside: str = "") -> str:
        """The readable form: steps before the stacks, the stacks, what is beside them, the pooling, steps after it."""
        stacks = self.stacks + (" +residual" if self.residual else "") + (" +norm" if self.layer_norm else "")
        stacks += f" +{beside}" if beside else ""
        if self.pooling != "last":
            after = [f"multihead({self.n_heads})" if self.pooling == "multihead" else self.pooling, *after]
        if (before or after or beside) and len(self.branches) > 1 and self.merge == "concat":
            stacks = stacks.replace(self.stacks, f"[{self.stacks}]")
        return " > ".join([*before, stacks, *after])


def parse_branches(text: str) -> tuple[Stack, ...]:
    """The stacks that ``lstm(64) > gru(32) | bi-gru(8)`` describes.

    Raises:
        SpecError: The text is not of that form, or a cell is unknown.
    """
    return tuple(parse_layers(branch) for branch in text.split("|"))


def parse_layers(text: str) -> Stack:
    """The layers that ``lstm(64) > bi-gru(32)`` describes.

    Raises:
        SpecError: The text is not of that form, or a cell is unknown.
    """
    layers = []
    for part in text.split(">"):
        match = _LAYER.match(part)
        if match is None:
            raise SpecError(f"a layer must look like lstm(64) or bi-lstm(64) but got {part.strip()!r} in {text!r}")
        layers.append(LayerSpec(match[2], int(match[3]), match[1] is not None))
    return tuple(layers)
