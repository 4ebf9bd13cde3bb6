"""The interface of a cell, and the shared parts of cells with a compiled kernel.

A cell is a recurrent layer in one direction: ``forward(x, state)`` takes x: (B, T, inputs) and the state after an
earlier sequence, or ``None``, and returns the outputs (B, T, hidden size) and the new state, a tuple of
(B, hidden size) tensors.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn

from lstmgru.nn.kernels.graph import should_compile
from lstmgru.nn.kernels.layout import CellName
from lstmgru.nn.kernels.memory import Memory
from lstmgru.nn.kernels.sequence import PlainCell, sequence
from lstmgru.nn.kernels.switch import should_use

State = tuple[Tensor, ...]


class RecurrentDropout(nn.Module):
    """Drops units of the state before the gates, the same units at all steps (Gal & Ghahramani 2016).

    The mask is shared by the whole batch, so it can be applied to the columns of the weights, and kernels need no
    special case. A new mask is drawn at the start of a sequence and kept when the sequence continues.

    Args:
        probability: Probability of dropping a unit, in [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self._mask: Tensor | None = None

    def forward(self, weight: Tensor, state: State | None) -> Tensor:
        """(gates, hidden size) recurrent weights; in training, some columns are 0 and the others are scaled up."""
        if not self.training or self.probability == 0:
            return weight
        if state is None or self._mask is None:
            keep = 1 - self.probability
            self._mask = torch.empty_like(weight[:1]).bernoulli_(keep) / keep
        return weight * self._mask


class KernelCell(nn.Module, ABC):
    """The base of cells that have a compiled kernel, and run in it or in torch's operations.

    Args:
        hidden_size: Features of the output.
        recurrent_dropout: Of :class:`RecurrentDropout`.
    """

    kernel: ClassVar[CellName]
    plain: ClassVar[PlainCell]
    """The cell in torch's operations."""
    graph: ClassVar[PlainCell | None] = None
    """The cell in compiled graphs, for GPUs whose libraries do not have it."""

    weight_hh: nn.Parameter

    def __init__(self, hidden_size: int, recurrent_dropout: float) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.recurrent_dropout = RecurrentDropout(recurrent_dropout)
        self._memory = Memory()

    @abstractmethod
    def weights(self, recurrent: Tensor) -> list[Tensor]:
        """All weights and biases in the order of :attr:`plain`, with the given recurrent weights."""

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, inputs) → (B, T, hidden size), and the final state."""
        weights, plain = self.weights(self.recurrent_dropout(self.weight_hh, state)), type(self).plain
        graph = type(self).graph
        if should_use(self.kernel, x, *weights, *(state or ())):
            return sequence(self.kernel, plain, self._memory, x, weights, state)
        run = plain if graph is None or not should_compile(x) else graph
        outputs, *after = run(x, *weights, *(state or ()))
        return outputs, tuple(after)


_ONLY_FLOAT16 = ("cuda",)
"""Types of devices on which autocast runs torch's recurrent layers in float16, even where it should use bfloat16."""


class TorchLayer(KernelCell):
    """The base of LSTM and GRU: torch's weights, with dropout on the recurrent connections.

    On a GPU they run in cuDNN. With ``bf16-mixed`` they run there in single precision, because autocast would run them
    in float16, in which gradients vanish without a scaled loss.

    Args:
        input_size: Features of the input.
        hidden_size: Features of the output.
        recurrent_dropout: Of :class:`RecurrentDropout`.
    """

    n_gates: int

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(hidden_size, recurrent_dropout)
        rows = self.n_gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        initialize(self, hidden_size)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, inputs) → (B, T, hidden size), and the final state."""
        device = x.device.type
        if device not in _ONLY_FLOAT16 or not _is_bfloat16(device):
            return super().forward(x, state)
        with torch.autocast(device, enabled=False):
            return super().forward(x.float(), None if state is None else tuple(each.float() for each in state))

    def weights(self, recurrent: Tensor) -> list[Tensor]:
        """All weights and biases, see :meth:`KernelCell.weights`."""
        return [self.weight_ih, recurrent, self.bias_ih, self.bias_hh]


def _is_bfloat16(device: str) -> bool:
    """Whether autocast is on, for bfloat16."""
    return torch.is_autocast_enabled(device) and torch.get_autocast_dtype(device) == torch.bfloat16


def initialize(layer: nn.Module, hidden_size: int) -> None:
    """Initialize all parameters as torch initializes its recurrent layers."""
    bound = 1 / math.sqrt(hidden_size)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound)
