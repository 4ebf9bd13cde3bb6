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


class Forward(NamedTuple):
    """What the way forwards reads and fills; C-contiguous, unless it says otherwise.

    Attributes:
        batch: B, rows.
        steps: T.
        inputs: I, features.
        size: H, units.
        x: (B, T, I), each row contiguous.
        x_batch: Numbers from one sequence to the next.
        x_step: Numbers from one step to the next.
        w_ih: (gates · H, I).
        w_hh: (gates · H, H).
        b_ih: (gates · H).
        b_hh: The bias of what reads the state.
        n_biases: Its length: gates · H, or H: that of the candidate alone.
        h0: (B, H); 0: from zero.
        c0: (B, H); 0: from zero.
        kept: What the way back needs; see :meth:`lstmgru.nn.kernels.layout.Layout.kept_size`.
        keep: Whether all steps are kept.
        outputs: (B, T, H), filled.
        h: (B, H), filled.
        c: (B, H), filled; 0 for a cell without memory.
    """

    batch: int
    steps: int
    inputs: int
    size: int
    x: int
    x_batch: int
    x_step: int
    w_ih: int
    w_hh: int
    b_ih: int
    b_hh: int
    n_biases: int
    h0: int
    c0: int
    kept: int
    keep: int
    outputs: int
    h: int
    c: int


class Backward(NamedTuple):
    """What the way back reads and fills, as in :class:`Forward`.

    Attributes:
        batch: B, rows.
        steps: T.
        inputs: I, features.
        size: H, units.
        x: (B, T, I), each row contiguous.
        x_batch: Numbers from one sequence to the next.
        x_step: Numbers from one step to the next.
        w_ih: (gates · H, I).
        w_hh: (gates · H, H).
        n_biases: Length of the bias of what reads the state.
        kept: From the way forwards.
        d_outputs: (B, T, H) gradient of the outputs, each row contiguous; 0: none.
        d_batch: Numbers from one sequence of it to the next.
        d_step: Numbers from one step of it to the next.
        dh_last: (B, H) gradient of the last h; 0: none.
        dc_last: (B, H) gradient of the last c; 0: none.
        dx: (B, T, I), filled; 0: not wanted, like all that follow.
        d_ih: (gates · H, I), filled.
        d_hh: (gates · H, H), filled.
        db_ih: (gates · H), filled.
        db_hh: (n_biases), filled.
        dh: (B, H) gradient of h0, filled; may be 0.
        dc: (B, H) gradient of c0, filled; may be 0.
    """

    batch: int
    steps: int
    inputs: int
    size: int
    x: int
    x_batch: int
    x_step: int
    w_ih: int
    w_hh: int
    n_biases: int
    kept: int
    d_outputs: int
    d_batch: int
    d_step: int
    dh_last: int
    dc_last: int
    dx: int
    d_ih: int
    d_hh: int
    db_ih: int
    db_hh: int
    dh: int
    dc: int
