"""The cells of recurrent layers, built-in and registered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lstmgru.errors import SpecError

CELLS = {
    "lstm": "lstmgru.nn.cells.lstm:LSTM",
    "gru": "lstmgru.nn.cells.gru:GRU",
    "fused": "lstmgru.nn.cells.fused:FusedCell",
}
"""Name of a built-in cell → its class, which is imported when a network is built."""

_registered: dict[str, type[Any]] = {}


def register_cell(name: str, cell: type[Any]) -> None:
    """Register a custom recurrent layer, so that it can be searched.

    The class is an :class:`torch.nn.Module` made by ``cell(input_size, hidden_size, recurrent_dropout=p)``. Its
    ``forward(x, state)`` takes x: (batch, time, input_size) and the state that an earlier call returned, or ``None``
    for the initial one, and returns the outputs (batch, time, hidden_size) with the new state: a tuple of tensors whose
    first axis is the batch.

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


def registered_cells() -> Mapping[str, type[Any]]:
    """The registered cells by name."""
    return dict(_registered)
