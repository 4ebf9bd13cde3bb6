"""GRU."""

from __future__ import annotations

import torch
from torch import Tensor

from lstmgru.nn.cells.base import State, TorchLayer
from lstmgru.nn.kernels.sequence import sequence
from lstmgru.nn.kernels.switch import should_use


class GRU(TorchLayer):
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
