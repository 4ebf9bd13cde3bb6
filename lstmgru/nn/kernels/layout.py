"""Memory layout of the kernels, shared by the code that allocates arrays and the compiled code that fills them.

The *parts* of a cell are the pre-activations of its gates, later replaced by the activations. LSTM: i, f, g, o. GRU: u,
r, z, n, where u is the recurrent term of n, which r multiplies. Fused: u, r, z, o, g, likewise. Parts that read the
state come first, parts that read the input last.

Units are stored in *strips* as wide as a vector register; the last strip is padded with units that stay 0 while inputs
are finite. The batch is padded to a multiple of a few rows. The result of a step is (strips, rows, parts, lanes):
whatever the width of a layer, a vector holds units of one gate, and the parts of a unit are adjacent.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

CellName = Literal["lstm", "gru", "fused"]


class Layout(NamedTuple):
    """The layout of one cell.

    Attributes:
        n_gates: Number of blocks of H rows in its weights.
        n_parts: Number of parts.
        n_states: Number of tensors in its state: h, or h and c.
    """

    n_gates: int
    n_parts: int
    n_states: int

    def kept_size(self, batch: int, steps: int, units: int, *, keep: bool) -> int:
        """Size of the saved array: the parts of all steps and the states between them, or of a single step.

        Args:
            batch: Padded number of rows.
            steps: T.
            units: Padded H.
            keep: Whether all steps are saved for the backward pass.
        """
        n_steps, n_states = (steps, steps + 1) if keep else (1, 2)
        return batch * units * (n_steps * self.n_parts + n_states * self.n_states)


LAYOUTS: dict[CellName, Layout] = {"lstm": Layout(4, 4, 2), "gru": Layout(3, 4, 1), "fused": Layout(4, 5, 2)}


def padded(n: int, to: int) -> int:
    """n, rounded up to a multiple of ``to``."""
    return -(-n // to) * to


class Forward(NamedTuple):
    """Sizes, strides, and addresses of the arrays of a forward pass; arrays are C-contiguous unless stated otherwise.

    Attributes:
        batch: B, rows.
        steps: T.
        inputs: I, input features.
        size: H, units.
        x: (B, T, I), with contiguous rows.
        x_batch: Stride between sequences of x.
        x_step: Stride between steps of x.
        w_ih: (gates · H, I).
        w_hh: (gates · H, H).
        b_ih: (gates · H).
        b_hh: Recurrent bias.
        n_biases: Its length: gates · H, or H if only the candidate has one.
        h0: (B, H) initial h; address 0 for zeros.
        c0: (B, H) initial c; address 0 for zeros.
        kept: Array saved for the backward pass, see :meth:`Layout.kept_size`.
        keep: Whether all steps are saved.
        outputs: (B, T, H), written.
        h: (B, H), written.
        c: (B, H), written; address 0 for a cell without memory.
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
    """Sizes, strides, and addresses of the arrays of a backward pass; the first fields are those of :class:`Forward`.

    Attributes:
        d_outputs: (B, T, H) gradient of the outputs, with contiguous rows; address 0 for none.
        d_batch: Stride between its sequences.
        d_step: Stride between its steps.
        dh_last: (B, H) gradient of the last h; address 0 for none.
        dc_last: (B, H) gradient of the last c; address 0 for none.
        dx: (B, T, I), written; address 0 if not needed.
        d_ih: (gates · H, I), written.
        d_hh: (gates · H, H), written.
        db_ih: (gates · H), written.
        db_hh: (n_biases), written.
        dh: (B, H) gradient of h0, written; address 0 if not needed.
        dc: (B, H) gradient of c0, written; address 0 if not needed.
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
