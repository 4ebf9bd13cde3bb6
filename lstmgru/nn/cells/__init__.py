"""Recurrent cells, one file each; :data:`lstmgru.specs.cells.CELLS` lists them."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import Any, cast

from torch import nn

from lstmgru.specs.cells import CELLS, registered_cells


def make_cell(name: str, input_size: int, hidden_size: int, recurrent_dropout: float) -> nn.Module:
    """A layer of a built-in or registered cell."""
    cell: type[Any] = resolve_name(CELLS[name].source) if name in CELLS else registered_cells()[name]
    return cast(nn.Module, cell(input_size, hidden_size, recurrent_dropout=recurrent_dropout))
