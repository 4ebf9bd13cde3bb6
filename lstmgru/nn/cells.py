"""Recurrent layers in one direction, all with the same interface.

``forward(x, state)`` takes x: (B, T, inputs) and the state after an earlier sequence, or ``None``, and returns the
outputs (B, T, hidden size) with the new state, a tuple of (B, hidden size) tensors.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.nn.kernels.memory import Memory
from lstmgru.nn.kernels.sequence import sequence
from lstmgru.nn.kernels.switch import should_use
from lstmgru.specs.layers import registered_cells

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


class _TorchLayer(nn.Module):
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
        _initialize(self, hidden_size)

    def _weights(self, state: State | None) -> list[Tensor]:
        return [self.weight_ih, self.recurrent_dropout(self.weight_hh, state), self.bias_ih, self.bias_hh]


class LSTM(_TorchLayer):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000). State: h and c. Gates: i, f, g, o."""

    n_gates = 4

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, inputs) → (B, T, hidden size), and the state after it."""
        weights = self._weights(state)
        if should_use("lstm", x, *weights, *(state or ())):
            return sequence("lstm", _plain_lstm, self._memory, x, weights, state)
        outputs, *after = _plain_lstm(x, *weights, *(state or ()))
        return outputs, tuple(after)


def _plain_lstm(x: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor, b_hh: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    """:class:`LSTM` by torch."""
    h, c = state or (x.new_zeros(x.shape[0], w_hh.shape[1]),) * 2
    outputs, h, c = torch.lstm(x, (h[None], c[None]), [w_ih, w_hh, b, b_hh], True, 1, 0.0, True, False, True)
    return outputs, h[0], c[0]


class GRU(_TorchLayer):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product as in cuDNN. Gates: r, z, n."""

    n_gates = 3

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, inputs) → (B, T, hidden size), and the state after it."""
        weights = self._weights(state)
        if should_use("gru", x, *weights, *(state or ())):
            return sequence("gru", _plain_gru, self._memory, x, weights, state)
        outputs, *after = _plain_gru(x, *weights, *(state or ()))
        return outputs, tuple(after)


def _plain_gru(x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    """:class:`GRU` by torch."""
    (h,) = state or (x.new_zeros(x.shape[0], w_hh.shape[1]),)
    outputs, h = torch.gru(x, h[None], [w_ih, w_hh, b_ih, b_hh], True, 1, 0.0, True, False, True)
    return outputs, h[0]


class FusedCell(nn.Module):
    """GRU's reset and update gates on LSTM's memory cell and output gate. State: h and c.

    ::

        r = σ(W_r x + U_r h + b_r)                  reset (GRU)
        z = σ(W_z x + U_z h + b_z)                  update (GRU): one gate where LSTM has input and forget
        o = σ(W_o x + U_o h + b_o)                  output (LSTM)
        g = tanh(W_g x + b_g + r ⊙ (U_g h + b_u))   candidate
        c' = z ⊙ c + (1 − z) ⊙ g                    memory cell (LSTM), updated as GRU updates
        h' = o ⊙ tanh(c')

    On a CPU it runs in a compiled kernel. On other devices it is a loop of torch's operations, with the products of the
    input as one before it; a GPU then spends its time on starting a dozen small operations a step, where cuDNN has the
    whole sequence of LSTM and GRU as one. Not measured: there was no GPU.

    Args:
        input_size: Features of the input.
        hidden_size: Features of the output.
        recurrent_dropout: As of the other cells.
    """

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.recurrent_dropout = RecurrentDropout(recurrent_dropout)
        self._memory = Memory()
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))  # r, z, o, g
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_u = nn.Parameter(torch.empty(hidden_size))
        _initialize(self, hidden_size)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, inputs) → (B, T, hidden size), and the state after it."""
        weights = [self.weight_ih, self.recurrent_dropout(self.weight_hh, state), self.bias, self.bias_u]
        if should_use("fused", x, *weights, *(state or ())):
            return sequence("fused", _plain_fused, self._memory, x, weights, state)
        outputs, *after = _plain_fused(x, *weights, *(state or ()))
        return outputs, tuple(after)


def _plain_fused(x: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor, b_u: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    """:class:`FusedCell` in torch's operations, step by step."""
    size = w_hh.shape[1]
    h, c = state or (x.new_zeros(x.shape[0], size),) * 2
    recurrent, recurrent_bias = w_hh.t(), F.pad(b_u, (3 * size, 0))
    outputs = []
    for inputs in F.linear(x, w_ih, b).unbind(1):
        h, c = fused_step(inputs, torch.addmm(recurrent_bias, h, recurrent), c)
        outputs.append(h)
    return torch.stack(outputs, 1), h, c


def fused_step(inputs: Tensor, recurrent: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """One step of :class:`FusedCell`.

    Args:
        inputs: (B, 4 · hidden size) W x + b, for r, z, o, g.
        recurrent: (B, 4 · hidden size) U h, for the same, with b_u added to the last.
        c: (B, hidden size).

    Returns:
        h and c after it.
    """
    size = c.shape[1]
    r, z, o = torch.sigmoid(inputs[:, : 3 * size] + recurrent[:, : 3 * size]).chunk(3, dim=1)
    g = torch.tanh(inputs[:, 3 * size :] + r * recurrent[:, 3 * size :])
    c = g + z * (c - g)
    return o * torch.tanh(c), c


_BUILT_IN: dict[str, type[nn.Module]] = {"lstm": LSTM, "gru": GRU, "fused": FusedCell}


def make_cell(name: str, input_size: int, hidden_size: int, recurrent_dropout: float) -> nn.Module:
    """A layer of a cell of the library, or of one that was registered."""
    cell: type[Any] = {**registered_cells(), **_BUILT_IN}[name]
    return cast(nn.Module, cell(input_size, hidden_size, recurrent_dropout=recurrent_dropout))


def _initialize(layer: nn.Module, hidden_size: int) -> None:
    """As torch initializes its recurrent layers."""
    bound = 1 / math.sqrt(hidden_size)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, -bound, bound)
