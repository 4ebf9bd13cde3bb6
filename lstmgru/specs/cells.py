"""The cells of recurrent layers, built-in and registered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lstmgru.errors import SpecError


@dataclass(frozen=True)
class Cell:
    """What is known of a cell without importing its class.

    Attributes:
        source: The class, as ``module:name``; it is imported when a network is built.
        label: What diagrams and families call it.
        n_gates: Matrices for its inputs, and as many for its state; estimates of time use it.
        summary: What it is, in a few words; empty for cells that everyone knows.
    """

    source: str
    label: str
    n_gates: int = 4
    summary: str = ""


CELLS = {
    "lstm": Cell("lstmgru.nn.cells.lstm:LSTM", "LSTM"),
    "gru": Cell("lstmgru.nn.cells.gru:GRU", "GRU", n_gates=3),
    "fused": Cell("lstmgru.nn.cells.fused:FusedCell", "fused", summary="GRU gates on an LSTM memory"),
}
"""The built-in cells by name."""

_registered: dict[str, type[Any]] = {}


def register_cell(name: str, cell: type[Any]) -> None:
    """Register a custom recurrent layer, so that it can be searched.

    The class is an :class:`torch.nn.Module` made by ``cell(input_size, hidden_size, recurrent_dropout=p)``. Its
    ``forward(x, state)`` takes x: (batch, time, input_size) and the state that an earlier call returned, or ``None``
    for the initial one, and returns the outputs (batch, time, hidden_size) with the new state: a tuple of tensors whose
    first axis is the batch. A class attribute ``n_gates`` may say how many matrices it has for its inputs, and as many
    for its state; estimates of time assume 4, as of an LSTM, where it does not.

    Args:
        name: What study files and architecture strings call it: lowercase letters, digits and ``_``.
        cell: The class. Worker processes import it, so it must be defined at the top level of a module.

    Raises:
        SpecError: The name is taken, or not of that form.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        rule = "must be lowercase letters, digits and '_', a letter first"
        raise SpecError(f"the name of a cell {rule}, but got {name!r}")
    if name in CELLS or _registered.get(name, cell) is not cell:
        raise SpecError(f"the cell {name!r} already exists; register yours under another name")
    _registered[name] = cell


def cell_names() -> tuple[str, ...]:
    """The names of all cells, built-in ones first."""
    return (*CELLS, *_registered)


def find_cell(name: str) -> Cell:
    """A built-in or registered cell."""
    if name in CELLS:
        return CELLS[name]
    own = _registered[name]
    return Cell(f"{own.__module__}:{own.__qualname__}", name, getattr(own, "n_gates", Cell.n_gates))


def registered_cells() -> Mapping[str, type[Any]]:
    """The registered cells by name."""
    return dict(_registered)
