"""What the cells share besides elementwise work, compiled: products of matrices, biases, the ends of a sequence.

Shapes: x (T · B, I), h (B, H), gates and gradients (parts, rows, H), w_ih (gates · H, I), w_hh (gates · H, H).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import register_jitable

from lstmgru.nn.kernels.blas import product

# Of a bias, a gradient for each row of each step is added up: in single precision for so many rows only.
_ROWS_IN_SINGLE = 32


@register_jitable
def start_from(state: Any, batch: int) -> Any:
    """The state (B, H) to start from; an empty one is 0."""
    return state if len(state) > 0 else np.zeros((batch, state.shape[1]), state.dtype)


@register_jitable
def part_biases(b_ih: Any, b_hh: Any, n_parts: int, rows: int) -> Any:
    """(parts, rows · H) the bias of each part, again for each row of a block.

    The last H of ``b_hh`` belong to the last part, the others to gates that have one sum, in which ``b_ih`` is too.
    """
    size = len(b_ih) // (n_parts - 1)
    biases = np.zeros((n_parts, rows, size), b_ih.dtype)
    for row in range(rows):
        for k in range(n_parts - 1):
            biases[k, row] = b_ih[k * size : (k + 1) * size]
        biases[n_parts - 1, row] = b_hh[len(b_hh) - size :]
        for k in range(len(b_hh) // size - 1):
            biases[k, row] += b_hh[k * size : (k + 1) * size]
    return biases.reshape(n_parts, -1)


@register_jitable
def read(gates: Any, x: Any, w_ih: Any) -> None:
    """The input's part of the sums in the gates, of some rows."""
    size = gates.shape[2]
    for k in range(len(w_ih) // size):
        product(gates[k], x, w_ih[k * size : (k + 1) * size], False, True, False)


@register_jitable
def recur(sums: Any, h: Any, w_hh: Any) -> None:
    """The recurrent part of the sums in the gates, of one step."""
    size = h.shape[1]
    for k in range(len(sums)):
        product(sums[k], h, w_hh[k * size : (k + 1) * size], False, True, False)


@register_jitable
def _recurrent(d: Any, k: int, n_gates: int) -> Any:
    """The gradients that reach gate k's recurrent weights: those of the candidate are in the last part."""
    return d[k] if k < n_gates - 1 else d[len(d) - 1]


@register_jitable
def recur_back(dh: Any, d: Any, w_hh: Any) -> None:
    """Fill dh (B, H) with what one step's gradients say of the state before it."""
    size = dh.shape[1]
    n_gates = len(w_hh) // size
    for k in range(n_gates):
        product(dh, _recurrent(d, k, n_gates), w_hh[k * size : (k + 1) * size], False, False, k > 0)


@register_jitable
def add_rows(to: Any, rows: Any) -> None:
    """Add the sum of some rows."""
    part = np.zeros(rows.shape[1], rows.dtype)
    for row in rows:
        for j in range(len(part)):
            part[j] += row[j]
    for j in range(len(part)):
        to[j] += part[j]


@register_jitable
def weights_back(
    d: Any, start: int, x: Any, h0: Any, hs: Any, w_ih: Any, dx: Any, by_gate: Any, d_hh: Any, by_part: Any
) -> None:
    """Add what the rows from ``start`` say of weights and biases; write what they say of x, if dx is not empty.

    ``by_gate`` (gates, I, H) is for the input's weights: transposed, since BLAS is slow at products with few columns.
    ``by_part`` (parts, H), in double precision, is for the biases.
    """
    batch, size = h0.shape
    rows, n_gates = d.shape[1], len(by_gate)
    for k in range(len(d)):
        for low in range(0, rows, _ROWS_IN_SINGLE):
            add_rows(by_part[k], d[k, low : min(low + _ROWS_IN_SINGLE, rows)])
    for k in range(n_gates):
        product(by_gate[k], x[start : start + rows], d[k], True, False, True)
        d_recurrent, weights = _recurrent(d, k, n_gates), d_hh[k * size : (k + 1) * size]
        if start > 0:
            product(weights, d_recurrent, hs[start - batch : start - batch + rows], True, False, True)
        else:
            product(weights, d_recurrent[:batch], h0, True, False, True)
            if rows > batch:
                product(weights, d_recurrent[batch:], hs[: rows - batch], True, False, True)
        if len(dx) > 0:
            product(dx[start : start + rows], d[k], w_ih[k * size : (k + 1) * size], False, False, k > 0)


@register_jitable
def as_given(by_gate: Any, by_part: Any, d_ih: Any, db_ih: Any, db_hh: Any) -> None:
    """Gradients of the input's weights and of both biases, in the order of the weights."""
    n_gates, n_inputs, size = by_gate.shape
    for k in range(n_gates):
        db_ih[k * size : (k + 1) * size] = by_part[k]
        for j in range(size):
            for i in range(n_inputs):
                d_ih[k * size + j, i] = by_gate[k, i, j]
    for k in range(len(db_hh) // size - 1):
        db_hh[k * size : (k + 1) * size] = by_part[k]
    db_hh[len(db_hh) - size :] = by_part[len(by_part) - 1]
