"""The fused cell, a hybrid of LSTM and GRU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.nn.cells.base import KernelCell, initialize
from lstmgru.nn.kernels.graph import run_blocks


def _plain_fused(x: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor, b_u: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    """:class:`FusedCell` in torch's operations, step by step."""
    return _steps(_recurrent(w_hh, b_u), state or _zeros(x, w_hh), *F.linear(x, w_ih, b).unbind(1))


def _graph_fused(x: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor, b_u: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    """:class:`FusedCell` in blocks of steps that are compiled."""
    return run_blocks(_steps, F.linear(x, w_ih, b), _recurrent(w_hh, b_u), state or _zeros(x, w_hh))


def _recurrent(w_hh: Tensor, b_u: Tensor) -> tuple[Tensor, Tensor]:
    """Recurrent weights and bias as a step multiplies and adds them."""
    return w_hh.t(), F.pad(b_u, (3 * w_hh.shape[1], 0))


def _zeros(x: Tensor, w_hh: Tensor) -> tuple[Tensor, Tensor]:
    return (x.new_zeros(x.shape[0], w_hh.shape[1]),) * 2


def _steps(weights: tuple[Tensor, ...], state: tuple[Tensor, ...], *inputs: Tensor) -> tuple[Tensor, ...]:
    """Steps of :class:`FusedCell`, see :data:`lstmgru.nn.kernels.graph.Steps`."""
    (recurrent, bias), (h, c), outputs = weights, state, []
    for each in inputs:
        h, c = fused_step(each, torch.addmm(bias, h, recurrent), c)
        outputs.append(h)
    return torch.stack(outputs, 1), h, c


def fused_step(inputs: Tensor, recurrent: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """One step of :class:`FusedCell`.

    Args:
        inputs: (B, 4 · hidden size) W x + b of r, z, o, g.
        recurrent: (B, 4 · hidden size) U h likewise, with b_u added to the last.
        c: (B, hidden size).

    Returns:
        h and c after the step.
    """
    size = c.shape[1]
    r, z, o = torch.sigmoid(inputs[:, : 3 * size] + recurrent[:, : 3 * size]).chunk(3, dim=1)
    g = torch.tanh(inputs[:, 3 * size :] + r * recurrent[:, 3 * size :])
    c = g + z * (c - g)
    return o * torch.tanh(c), c


class FusedCell(KernelCell):
    """GRU's reset and update gates on LSTM's memory cell and output gate. State: h and c.

    ::

        r = σ(W_r x + U_r h + b_r)                  reset (GRU)
        z = σ(W_z x + U_z h + b_z)                  update (GRU): one gate where LSTM has input and forget
        o = σ(W_o x + U_o h + b_o)                  output (LSTM)
        g = tanh(W_g x + b_g + r ⊙ (U_g h + b_u))   candidate
        c' = z ⊙ c + (1 − z) ⊙ g                    memory cell (LSTM), updated as GRU updates
        h' = o ⊙ tanh(c')

    On a CPU it runs in a compiled kernel. On other devices it is a loop of torch's operations after a single product
    for all inputs; on NVIDIA's GPUs, which launch a dozen small kernels per step then, blocks of steps are compiled.

    Args:
        input_size: Features of the input.
        hidden_size: Features of the output.
        recurrent_dropout: Of :class:`RecurrentDropout`.
    """

    kernel, plain, graph = "fused", _plain_fused, _graph_fused

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float = 0.0) -> None:
        super().__init__(hidden_size, recurrent_dropout)
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))  # r, z, o, g
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_u = nn.Parameter(torch.empty(hidden_size))
        initialize(self, hidden_size)

    def weights(self, recurrent: Tensor) -> list[Tensor]:
        """All weights and biases, see :meth:`KernelCell.weights`."""
        return [self.weight_ih, recurrent, self.bias, self.bias_u]
