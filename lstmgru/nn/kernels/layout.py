"""How a cell's numbers lie in memory; read by the code that allocates and by the compiled code that fills.

A sequence of T steps of a batch B is a matrix (T · B, width), step after step. What belongs to a gate has a matrix
(T · B, H) of its own, so that the values of one step stand in a row: elementwise loops are over flat arrays, whatever
H is.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

CellName = Literal["gru", "fused"]


class Layout(NamedTuple):
    """Of one cell.

    Attributes:
        n_gates: Blocks of H rows in its weights.
        n_parts: Matrices that its gates take: a candidate that a reset gate acts on has two, the second of them, for
            its recurrent part, last of all.
        n_kept: Matrices that the way back needs: the parts, and the memory cell where there is one.
        n_states: Tensors of its state.
    """

    n_gates: int
    n_parts: int
    n_kept: int
    n_states: int


LAYOUTS: dict[CellName, Layout] = {"gru": Layout(3, 4, 4, 1), "fused": Layout(4, 5, 6, 2)}

_ROWS_AT_ONCE = 512


def rows_at_once(batch: int) -> int:
    """Rows, steps times batch, of the products over several steps: enough for BLAS, few enough for the cache."""
    return max(1, _ROWS_AT_ONCE // batch) * batch
