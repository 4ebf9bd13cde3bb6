"""A cell over a whole sequence as one autograd node: memory, threads, and calls of compiled code."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor

from lstmgru.nn.kernels.layout import LAYOUTS, Backward, CellName, Forward, padded
from lstmgru.nn.kernels.memory import Memory
from lstmgru.nn.kernels.tracing import is_watched

_Call = TypeVar("_Call")

# Fewest multiplications for which another thread pays off.
_FEWEST_PRODUCTS = 4_000_000


def rows_of_threads(batch: int, products: int, rows: int) -> list[range]:
    """Split a batch over threads.

    Args:
        batch: Number of rows.
        products: Multiplications in the whole batch.
        rows: The size of every piece but the last is a multiple of this.
    """
    n = min(torch.get_num_threads(), products // _FEWEST_PRODUCTS, batch // rows)
    if n < 2:
        return [range(batch)]
    size = padded(-(-batch // n), rows)
    return [range(start, min(start + size, batch)) for start in range(0, batch, size)]


def in_threads(run: Callable[[_Call], None], calls: Sequence[_Call], used: Sequence[Any]) -> None:
    """Run all calls, each in its own thread; a single call runs in this thread.

    An interrupt (Ctrl-C) ends the wait but not the calls. The arrays are therefore kept alive until the last call has
    finished.

    Args:
        run: Runs a call.
        calls: At least one.
        used: All arrays whose addresses are in the calls.
    """
    if len(calls) == 1:
        run(calls[0])
        return
    holder = list(used)
    list(_threads().map(partial(_make, run, holder), calls))
    holder.clear()  # threads drop a finished call a little later, but lent memory should be returned now


def _make(run: Callable[[_Call], None], _holder: list[Any], call: _Call) -> None:
    run(call)


@cache
def _threads() -> ThreadPoolExecutor:
    """The pool for all calls; it starts a thread when all existing ones are busy."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="lstmgru-kernels")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # threads do not survive a fork


Pieces = list[tuple[range, int]]
"""For each thread, its rows and the start of its part of the saved array."""


def run_forward(
    cell: CellName, memory: Memory | None, x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor,
    *state: Tensor,
) -> tuple[list[Tensor], Tensor, Pieces]:  # fmt: skip
    """Run the forward pass, with the arguments of :func:`sequence`; without a memory, nothing is saved.

    Returns:
        Outputs (B, T, H) and the final state; the saved array; its pieces.
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
    """Run the backward pass, with the results and arguments of :func:`run_forward`.

    ``grads`` are the gradients of outputs and state, ``None`` for 0; ``x_too`` tells whether x needs a gradient.

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
    """The pieces of the saved array, and its size."""
    (batch, steps, n_inputs), layout, ways = x.shape, LAYOUTS[cell], _compiled(cell, x.dtype)
    pieces, end, units = [], 0, padded(size, ways.units)
    for rows in rows_of_threads(batch, batch * steps * layout.n_gates * size * (n_inputs + size), ways.rows):
        pieces.append((rows, end))
        end += layout.kept_size(padded(len(rows), ways.rows), steps, units, keep=keep)
    return pieces, end


def _rows(tensor: Tensor) -> Tensor:
    """The tensor with contiguous rows, copied if necessary."""
    return tensor if tensor.stride(2) == 1 else tensor.contiguous()


def _at(tensor: Tensor | None, rows: range) -> int:
    """Address of the first of some rows; 0 for ``None``."""
    return 0 if tensor is None else tensor.data_ptr() + rows.start * tensor.stride(0) * tensor.element_size()


def _two(state: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
    """h and c, ``None`` if missing."""
    return (*state, None, None)[:2]


@cache
def _compiled(cell: CellName, dtype: torch.dtype) -> Any:
    from lstmgru.nn.kernels.compiling import compiled

    return compiled(cell, dtype)


PlainCell = Callable[..., tuple[Tensor, ...]]
"""A cell in torch's operations: (x, w_ih, w_hh, b_ih, b_hh, *state) → (outputs, *state), batch first."""


def sequence(
    cell: CellName,
    plain: PlainCell,
    memory: Memory,
    x: Tensor,
    weights: Sequence[Tensor],
    state: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a cell.

    Args:
        cell: Name of the cell.
        plain: The same cell in torch's operations, for second derivatives and for backward passes that are traced or
            transformed.
        memory: Provides memory for what is saved for the backward pass.
        x: (B, T, I), not empty.
        weights: Input weights (gates · H, I), recurrent weights (gates · H, H), input bias (gates · H), and recurrent
            bias, (gates · H) or (H) if only the candidate has one.
        state: (B, H) each; ``None`` for zeros.

    Returns:
        Outputs (B, T, H) and the final state.
    """
    inputs = (x, *weights, *(state or ()))
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs):
        outputs, *after = _Sequence.apply(cell, plain, memory, *inputs)  # type: ignore[no-untyped-call]
    else:
        (outputs, *after), *_ = run_forward(cell, None, *inputs)
    return outputs, tuple(after)


class _Sequence(torch.autograd.Function):
    """The autograd function of :func:`sequence`."""

    @staticmethod
    def forward(ctx: Any, cell: CellName, plain: PlainCell, memory: Memory, *inputs: Tensor) -> tuple[Tensor, ...]:
        results, kept, pieces = run_forward(cell, memory, *inputs)
        ctx.cell, ctx.plain, ctx.pieces = cell, plain, pieces
        ctx.save_for_backward(*inputs, kept)
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        *inputs, kept = ctx.saved_tensors
        if torch.is_grad_enabled() or is_watched() or any(map(_is_batched, grads)):  # create_graph=True, vmap, ...
            return None, None, None, *_backward_of_plain(ctx.plain, inputs, grads)
        found = run_backward(ctx.cell, kept, ctx.pieces, grads, *inputs, x_too=ctx.needs_input_grad[3])
        return None, None, None, *found


def _is_batched(grad: Tensor | None) -> bool:
    """Whether a gradient is batched, by ``is_grads_batched=True`` or a vectorized Jacobian."""
    return grad is not None and is_legacy_batchedtensor(grad)


def _backward_of_plain(
    plain: PlainCell, inputs: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The same gradients from torch's operations, differentiable again if needed."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        aliases = [tensor.view_as(tensor) for tensor in inputs]  # one gradient per use of a tensor
        results = plain(*aliases)
    given = [(result, grad) for result, grad in zip(results, grads, strict=True) if grad is not None]
    found = iter(
        torch.autograd.grad(
            [result for result, _ in given],
            [alias for alias in aliases if alias.requires_grad],
            [grad for _, grad in given],
            create_graph=create_graph,
            allow_unused=True,
        )
    )
    return [next(found) if alias.requires_grad else None for alias in aliases]
