"""A cell over a whole sequence as one node of autograd's graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from lstmgru.nn.kernels.layout import LAYOUTS, CellName, rows_at_once

PlainCell = Callable[..., tuple[Tensor, ...]]
"""A cell in torch's operations: (x, w_ih, w_hh, b_ih, b_hh, *state) → (outputs, *state), batch first."""


def sequence(
    cell: CellName,
    plain: PlainCell,
    x: Tensor,
    weights: Sequence[Tensor],
    state: tuple[Tensor, ...] | None = None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a cell.

    Args:
        cell: Which.
        plain: The same cell, of which second derivatives are taken.
        x: (B, T, I), not empty.
        weights: Of the input (gates · H, I) and the state (gates · H, H), and the biases: (gates · H), and of the
            recurrent part, (gates · H) or that of the candidate alone, (H).
        state: (B, H) each; ``None``: zeros.

    Returns:
        Outputs (B, T, H) and the state after them.
    """
    inputs = (x.transpose(0, 1).contiguous(), *weights, *(state or ()))
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs):
        outputs, *after = _Sequence.apply(cell, plain, *inputs)  # type: ignore[no-untyped-call]
    else:
        outputs, *after, _ = _forward(cell, inputs, rows=0)
    return outputs.transpose(0, 1), tuple(after)


class _Sequence(torch.autograd.Function):
    """Reads a cell, its plain form, x (T, B, I), weights, state; gives outputs (T, B, H) and state."""

    @staticmethod
    def forward(ctx: Any, cell: CellName, plain: PlainCell, *inputs: Tensor) -> tuple[Tensor, ...]:
        x = inputs[0]
        *results, kept = _forward(cell, inputs, rows=x.shape[0] * x.shape[1])
        ctx.cell, ctx.plain = cell, plain
        ctx.save_for_backward(*inputs, results[0], kept)
        ctx.set_materialize_grads(False)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        *inputs, outputs, kept = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True
            return None, None, *_backward_with_graph(ctx.plain, inputs, grads)
        found = _backward(ctx.cell, inputs, outputs, kept, grads, x_too=ctx.needs_input_grad[2])
        return None, None, *found


def _forward(cell: CellName, inputs: Sequence[Tensor], *, rows: int) -> list[Tensor]:
    """Outputs (T, B, H), the state after them, and ``rows`` of what the way back needs, or as few as do."""
    x, w_ih, w_hh, b_ih, b_hh, *state = inputs
    (n_steps, batch, _), size, layout = x.shape, w_hh.shape[1], LAYOUTS[cell]
    at_once = rows_at_once(batch)
    kept = x.new_empty(layout.n_kept, rows or max(at_once, 2 * batch), size)
    outputs = x.new_empty(n_steps, batch, size)
    after = [x.new_empty(batch, size) for _ in range(layout.n_states)]
    none = x.new_empty(0, size)
    arrays = _numpy(x, w_ih, w_hh, b_ih, b_hh, *_two(state, none), kept, outputs, *_two(after, none))
    _compiled(cell, x).forward(at_once, *arrays)
    return [outputs, *after, kept]


def _backward(
    cell: CellName,
    inputs: Sequence[Tensor],
    outputs: Tensor,
    kept: Tensor,
    grads: Sequence[Tensor | None],
    *,
    x_too: bool,
) -> list[Tensor | None]:
    """Gradients of the inputs, from those of outputs and state; ``None`` is 0."""
    x, w_ih, w_hh, b_ih, b_hh, *state = inputs
    batch, size = x.shape[1], w_hh.shape[1]
    none = x.new_empty(0, size)
    d_outputs = x.new_empty(0, 0, size) if grads[0] is None else grads[0]
    dx = torch.empty_like(x) if x_too else x.new_empty(0, 0, x.shape[2])
    d_weights = [weight.new_empty(weight.shape) for weight in (w_ih, w_hh, b_ih, b_hh)]
    d_state = [x.new_empty(batch, size) for _ in range(LAYOUTS[cell].n_states)]
    arrays = _numpy(
        x, w_ih, w_hh, *_two(state, none), kept, outputs,
        d_outputs, *_two(grads[1:], none), dx, *d_weights, *_two(d_state, none),
    )  # fmt: skip
    _compiled(cell, x).backward(rows_at_once(batch), *arrays)
    return [dx if x_too else None, *d_weights, *d_state[: len(state)]]


def _backward_with_graph(
    plain: PlainCell, inputs: Sequence[Tensor], grads: Sequence[Tensor | None]
) -> list[Tensor | None]:
    """The same gradients from torch's operations, which can be differentiated again."""
    with torch.enable_grad():
        aliases = [tensor.view_as(tensor) for tensor in inputs]  # one that is given twice has a gradient at each place
        outputs, *after = plain(aliases[0].transpose(0, 1), *aliases[1:])
    results = zip([outputs.transpose(0, 1), *after], grads, strict=True)
    given = [(result, grad) for result, grad in results if grad is not None]
    found = iter(
        torch.autograd.grad(
            [result for result, _ in given],
            [alias for alias in aliases if alias.requires_grad],
            [grad for _, grad in given],
            create_graph=True,
            allow_unused=True,
        )
    )
    return [next(found) if alias.requires_grad else None for alias in aliases]


def _two(state: Sequence[Tensor | None], none: Tensor) -> tuple[Tensor, ...]:
    """h and c; what there is not is ``none``."""
    return tuple(none if tensor is None else tensor for tensor in (*state, None, None)[:2])


def _numpy(*tensors: Tensor) -> list[Any]:
    return [(tensor.detach() if tensor.requires_grad else tensor).contiguous().numpy() for tensor in tensors]


def _compiled(cell: CellName, x: Tensor) -> Any:
    from lstmgru.nn.kernels.compiling import compiled

    return compiled(cell, x.dtype)
