"""A cell over a whole sequence as one node of autograd's graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import is_legacy_batchedtensor

from lstmgru.nn.kernels.layout import CellName
from lstmgru.nn.kernels.memory import Memory
from lstmgru.nn.kernels.passes import run_backward, run_forward
from lstmgru.nn.kernels.switch import is_watched

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
        cell: Which.
        plain: The same cell, for second derivatives, and for a way back that something watches or transforms.
        memory: Lends what is kept for the way back.
        x: (B, T, I), not empty.
        weights: Of the input (gates · H, I) and the state (gates · H, H), and the biases: (gates · H), and of the
            recurrent part, (gates · H) or that of the candidate alone, (H).
        state: (B, H) each; ``None``: zeros.

    Returns:
        Outputs (B, T, H) and the state after them.
    """
    inputs = (x, *weights, *(state or ()))
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs):
        outputs, *after = _Sequence.apply(cell, plain, memory, *inputs)  # type: ignore[no-untyped-call]
    else:
        (outputs, *after), *_ = run_forward(cell, None, *inputs)
    return outputs, tuple(after)


class _Sequence(torch.autograd.Function):
    """Reads a cell, its plain form, its memory, x (B, T, I), weights, state; gives outputs (B, T, H) and state."""

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
        return (
            None,
            None,
            None,
            *run_backward(ctx.cell, kept, ctx.pieces, grads, *inputs, x_too=ctx.needs_input_grad[3]),
        )


def _is_batched(grad: Tensor | None) -> bool:
    """Whether it is several in one: of ``is_grads_batched=True``, or a vectorized Jacobian."""
    return grad is not None and is_legacy_batchedtensor(grad)


def _backward_of_plain(
    plain: PlainCell, inputs: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The same gradients from torch's operations, which can be differentiated again where that is wanted."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad(), torch.autocast("cpu", enabled=False):
        aliases = [tensor.view_as(tensor) for tensor in inputs]  # one that is given twice has a gradient at each place
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
