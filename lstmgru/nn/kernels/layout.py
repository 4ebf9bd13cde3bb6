"""How a cell's numbers lie in memory; read by the code that allocates and by the compiled code that fills.

The *parts* of a cell are the sums in its gates, later their values: first those that read the state, last those that
read the input. LSTM: i, f, g, o, all of which read both. GRU: u, r, z, n; u is the state's part of the sum in n, on
which r acts. Fused: u, r, z, o, g, likewise.

Units lie in *strips* as wide as a vector of the machine, the last one filled up with units that stay 0 while inputs are
finite; the rows of a batch are filled up to whole pieces of a few rows. What a step gives is (strips, rows, parts,
lanes): whatever the width of a layer is, a vector holds units of one gate, and the parts of a unit lie beside each
other.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

CellName = Literal["lstm", "gru", "fused"]


class Layout(NamedTuple):
    """Of one cell.

    Attributes:
        n_gates: Blocks of H rows in its weights.
        n_parts: Its parts.
        n_states: Tensors of its state: h, or h and c.
    """

    n_gates: int
    n_parts: int
    n_states: int

    def kept_size(self, batch: int, steps: int, units: int, *, keep: bool) -> int:
        """Numbers of what is kept: the parts of all steps, and the states between them; without ``keep`` of one step.

        Args:
            batch: Rows, filled up.
            steps: T.
            units: H, filled up.
            keep: Whether the way back needs them.
        """
        n_steps, n_states = (steps, steps + 1) if keep else (1, 2)
        return batch * units * (n_steps * self.n_parts + n_states * self.n_states)


LAYOUTS: dict[CellName, Layout] = {"lstm": Layout(4, 4, 2), "gru": Layout(3, 4, 1), "fused": Layout(4, 5, 2)}


def padded(n: int, to: int) -> int:
    """n, or the next multiple of a number."""
    return -(-n // to) * to
