"""LSTM."""

from __future__ import annotations

import torch
from torch import Tensor

from lstmgru.nn.cells.base import State, TorchLayer
from lstmgru.nn.kernels.sequence import sequence
from lstmgru.nn.kernels.switch import should_use


class LSTM(TorchLayer):
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
