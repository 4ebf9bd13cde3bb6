"""The two ways through a sequence: room for the results, and the calls of compiled code, one for each thread."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from lstmgru.nn.kernels.calls import Backward, Forward
from lstmgru.nn.kernels.layout import LAYOUTS, CellName, padded
from lstmgru.nn.kernels.memory import Memory
from lstmgru.nn.kernels.threads import in_threads, rows_of_threads

Pieces = list[tuple[range, int]]
"""The rows of each thread, and where in what is kept theirs begins."""


def run_forward(
    cell: CellName, memory: Memory | None, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor,
    *state: Tensor,
) -> tuple[list[Tensor], Tensor, Pieces]:  # fmt: skip
    """The way forwards; see :func:`lstmgru.nn.kernels.sequence.sequence`.

    Returns:
        Outputs (B, T, H) and the state after them; what is kept in a memory, or left over without one; its pieces.
    """
    (batch, steps, n_inputs), size, layout, ways = x.shape, w_hh.shape[1], LAYOUTS[cell], _compiled(cell, x.dtype)
    x, w_ih, w_hh, b_ih, b_hh = _rows(x), w_ih.contiguous(), w_hh.contiguous(), b_ih.contiguous(), b_hh.contiguous()
    pieces, size_of_kept = _pieces(cell, x, size, keep=memory is not None)
    kept = x.new_empty(size_of_kept) if memory is None else memory.lend(size_of_kept, x.dtype)
    outputs = x.new_empty(batch, steps, size)
    after = [x.new_empty(batch, size) for _ in range(layout.n_states)]
    (h, c), (h_after, c_after) = _two([tensor.contiguous() for tensor in state]), _two(after)
    calls = [
        Forward(
            len(rows), steps, n_inputs, size, _at(x, rows), x.stride(0), x.stride(1),
            w_ih.data_ptr(), w_hh.data_ptr(), b_ih.data_ptr(), b_hh.data_ptr(), b_hh.shape[0],
            _at(h, rows), _at(c, rows), kept.data_ptr() + start * kept.element_size(), int(memory is not None),
            _at(outputs, rows), _at(h_after, rows), _at(c_after, rows),
        )
        for rows, start in pieces
    ]  # fmt: skip
    in_threads(ways.forward, calls, [x, w_ih, w_hh, b_ih, b_hh, h, c, kept, outputs, *after])
    return [outputs, *after], kept, pieces


def run_backward(
    cell: CellName, kept: Tensor, pieces: Pieces, grads: Sequence[Tensor | None],
    x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, *state: Tensor, x_too: bool,
) -> list[Tensor | None]:  # fmt: skip
    """The way back.

    Args:
        cell: Which.
        kept: From the way forwards.
        pieces: Of it.
        grads: Of outputs and state; ``None`` is 0.
        x: As in the way forwards, like all that follow.
        w_ih: See ``x``.
        w_hh: See ``x``.
        b_ih: See ``x``.
        b_hh: See ``x``.
        state: See ``x``.
        x_too: Whether x needs a gradient.

    Returns:
        Gradients of x, weights and state.
    """
    (batch, steps, n_inputs), size = x.shape, w_hh.shape[1]
    x, w_ih, w_hh = _rows(x), w_ih.contiguous(), w_hh.contiguous()
    d_outputs = None if grads[0] is None else _rows(grads[0])
    d_strides = (0, 0) if d_outputs is None else (d_outputs.stride(0), d_outputs.stride(1))
    dh_after, dc_after = _two([None if grad is None else grad.contiguous() for grad in grads[1:]])
    dx = torch.empty_like(x, memory_format=torch.contiguous_format) if x_too else None
    d_weights = [[torch.empty_like(weight) for weight in (w_ih, w_hh, b_ih, b_hh)] for _ in pieces]
    d_state = [x.new_empty(batch, size) for _ in state]
    dh, dc = _two(d_state)
    calls = [
        Backward(
            len(rows), steps, n_inputs, size, _at(x, rows), x.stride(0), x.stride(1),
            w_ih.data_ptr(), w_hh.data_ptr(), b_hh.shape[0], kept.data_ptr() + start * kept.element_size(),
            _at(d_outputs, rows), *d_strides, _at(dh_after, rows), _at(dc_after, rows), _at(dx, rows),
            of_piece[0].data_ptr(), of_piece[1].data_ptr(), of_piece[2].data_ptr(), of_piece[3].data_ptr(),
            _at(dh, rows), _at(dc, rows),
        )
        for (rows, start), of_piece in zip(pieces, d_weights, strict=True)
    ]  # fmt: skip
    used = [x, w_ih, w_hh, kept, d_outputs, dh_after, dc_after, dx, *d_weights, *d_state]
    in_threads(_compiled(cell, x.dtype).backward, calls, used)
    total = d_weights[0] if len(pieces) == 1 else [torch.stack(parts).sum(0) for parts in zip(*d_weights, strict=True)]
    return [dx, *total, *d_state]


def _pieces(cell: CellName, x: Tensor, size: int, *, keep: bool) -> tuple[Pieces, int]:
    """The pieces of what is kept, and its size."""
    (batch, steps, n_inputs), layout, ways = x.shape, LAYOUTS[cell], _compiled(cell, x.dtype)
    pieces, end, units = [], 0, padded(size, ways.units)
    for rows in rows_of_threads(batch, batch * steps * layout.n_gates * size * (n_inputs + size), ways.rows):
        pieces.append((rows, end))
        end += layout.kept_size(padded(len(rows), ways.rows), steps, units, keep=keep)
    return pieces, end


def _rows(tensor: Tensor) -> Tensor:
    """A tensor whose rows are contiguous; a copy, if they are not."""
    return tensor if tensor.stride(2) == 1 else tensor.contiguous()


def _at(tensor: Tensor | None, rows: range) -> int:
    """Address of the first of some rows; 0 for what there is not."""
    return 0 if tensor is None else tensor.data_ptr() + rows.start * tensor.stride(0) * tensor.element_size()


def _two(state: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """h and c; ``None`` for what there is not."""
    return (*state, None, None)[:2]


@cache
def _compiled(cell: CellName, dtype: torch.dtype) -> Any:
    from lstmgru.nn.kernels.compiling import compiled

    return compiled(cell, dtype)
