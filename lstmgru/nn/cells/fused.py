"""The fused cell, a hybrid of LSTM and GRU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.nn.cells.base import RecurrentDropout, State, initialize
from lstmgru.nn.kernels.memory import Memory
from lstmgru.nn.kernels.sequence import sequence
from lstmgru.nn.kernels.switch import should_use


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
        initialize(self, hidden_size)

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
