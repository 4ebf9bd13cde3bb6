"""Blocks of steps that torch.compile turns into a few kernels, for cells that a GPU's libraries do not have.

On a GPU, the launches of a dozen small operations per step dominate. Inductor fuses the elementwise operations of a
step into one kernel, and a block of steps costs one call from Python. The sizes of batch, inputs and state are symbols
of the graph, so that it is compiled once for all networks of a process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from lstmgru.nn.kernels.enabling import is_on, warn_once
from lstmgru.nn.kernels.tracing import is_watched

Tensors = tuple[Tensor, ...]
Steps = Callable[..., tuple[Tensor, ...]]
"""Some steps of a cell: (weights, state, *inputs of each step (B, gates)) → (outputs (B, steps, H), *state)."""

BLOCK = 4
"""Steps of a graph."""
DEVICES = ("cuda",)
"""Types of the devices that run graphs."""

_broken = False


def should_compile(x: Tensor) -> bool:
    """Whether to run a cell in blocks of :data:`BLOCK` steps: kernels are on, and x (B, T, I) suits.

    Second derivatives, which torch.compile does not have, need ``with enabled(False)``.
    """
    return (
        x.device.type in DEVICES and x.dim() == 3 and x.shape[1] >= BLOCK and x.numel() > 0
        and not _broken and not is_watched() and is_on()
    )  # fmt: skip


def run_blocks(steps: Steps, inputs: Tensor, weights: Tensors, state: Tensors) -> tuple[Tensor, ...]:
    """Run blocks of steps as graphs, and the rest of the steps in torch's operations.

    Args:
        steps: The cell.
        inputs: (B, T, gates) of the steps.
        weights: Other arguments that are the same for all steps.
        state: (B, H) each, before the first step.

    Returns:
        (B, T, H) outputs, and the state.
    """
    outputs, grad = [], torch.is_grad_enabled() and inputs.requires_grad
    # All blocks look alike to the compiler: they begin where their memory does, and their states are different tensors,
    # all with a gradient or all without one.
    state = tuple(part.clone().requires_grad_() if grad and not part.requires_grad else part.clone() for part in state)
    for block in torch.split(inputs, BLOCK, dim=1):
        of_steps = block.clone(memory_format=torch.contiguous_format).unbind(1)
        of_block, *state_now = _run(steps, weights, state, *of_steps)
        outputs.append(of_block)
        state = tuple(state_now)
    return torch.cat(outputs, 1), *state


def _run(steps: Steps, weights: Tensors, state: Tensors, *inputs: Tensor) -> tuple[Tensor, ...]:
    """Run a block as a graph; if it cannot be compiled, a warning gives the reason, and torch's operations run."""
    global _broken  # noqa: PLW0603  # a property of the machine
    if len(inputs) == BLOCK and not _broken:
        from torch._dynamo.exc import TorchDynamoException

        try:
            return _compiled(steps)(weights, state, *inputs)
        except TorchDynamoException as error:
            _broken = True
            text = str(error.__cause__ or error).strip().splitlines()
            warn_once(f"torch.compile does not work here: {text[0] if text else type(error).__name__}")
    return steps(weights, state, *inputs)


@cache
def _compiled(steps: Steps) -> Steps:
    compiled: Steps = torch.compile(steps, dynamic=True, fullgraph=True)
    return compiled
