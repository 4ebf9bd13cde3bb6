"""The GRU cell."""

from __future__ import annotations

import torch
from torch import Tensor

from lstmgru.nn.cells.base import TorchLayer


def _plain_gru(x: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    """:class:`GRU` by torch."""
    (h,) = state or (x.new_zeros(x.shape[0], w_hh.shape[1]),)
    outputs, h = torch.gru(x, h[None], [w_ih, w_hh, b_ih, b_hh], True, 1, 0.0, True, False, True)
    return outputs, h[0]


class GRU(TorchLayer):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate after the product as in cuDNN. Gates: r, z, n."""

    kernel, plain, n_gates = "gru", _plain_gru, 3
