"""The interface of a cell, and what the cells of the library share.

A cell is a recurrent layer in one direction: ``forward(x, state)`` takes x: (B, T, inputs) and the state after an
earlier sequence, or ``None``, and returns the outputs (B, T, hidden size) with the new state, a tuple of
(B, hidden size) tensors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lstmgru.nn.kernels.memory import Memory

State = tuple[Tensor, ...]


class RecurrentDropout(nn.Module):
    """Drops units of the state on their way into the gates, the same at all steps (Gal & Ghahramani 2016).

    One mask for the whole batch is a mask on the columns of the weights: kernels read them like any others. It is drawn
    where a sequence begins and kept where it goes on.

    Args:
        probability: Of dropping a unit, in [0, 1).
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability
        self._mask: Tensor | None = None

    def forward(self, weight: Tensor, state: State | None) -> Tensor:
        """(gates, hidden size) recurrent weights; in training with some columns 0 and the others larger for it."""
        if not self.training or self.probability == 0:
            return weight
        if state is None or self._mask is None:
            keep = 1 - self.probability
            self._mask = torch.empty_like(weight[:1]).bernoulli_(keep) / keep
        return weight * self._mask


class TorchLayer(nn.Module):
    """The base of LSTM and GRU: torch's weights, with dropout on the recurrent connections.

    Args:
        input_size: Features of the input.
        hidden_size: Features of the output.
        recurrent_dropout: Of :class:`RecurrentDropout`.
    """

    n_gates: int

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.recurrent_dropout = RecurrentDropout(recurrent_dropout)
        self._memory = Memory()
        rows = self.n_gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        initialize(self, hidden_size)

    def _weights(self, state: State | None) -> list[Tensor]:
        return [self.weight_ih, self.recurrent_dropout(self.weight_hh, state), self.bias_ih, self.bias_hh]


def initialize(layer: nn.Module, hidden_size: int) -> None:
    """As torch initializes its recurrent layers."""
    bound = 1 / math.sqrt(hidden_size)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound)
