"""The LSTM cell."""

from __future__ import annotations

import torch
from torch import Tensor

from lstmgru.nn.cells.base import TorchLayer


def _plain_lstm(x: Tensor, w_ih: Tensor, w_hh: Tensor, b: Tensor, b_hh: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    """:class:`LSTM` by torch; in single precision where autocast would use a bfloat16 that the CPU does not have."""
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and not _has_bfloat16():
        with torch.autocast("cpu", enabled=False):
            return _plain_lstm(x.to(w_hh.dtype), w_ih, w_hh, b, b_hh, *(each.to(w_hh.dtype) for each in state))
    h, c = state or (x.new_zeros(x.shape[0], w_hh.shape[1]),) * 2
    outputs, h, c = torch.lstm(x, (h[None], c[None]), [w_ih, w_hh, b, b_hh], True, 1, 0.0, True, False, True)
    return outputs, h[0], c[0]


def _has_bfloat16() -> bool:
    """Whether torch has an LSTM in bfloat16 for this CPU; oneDNN's needs AVX-512 and raises an error without."""
    return not torch.backends.mkldnn.is_available() or torch.ops.mkldnn._is_mkldnn_bf16_supported()  # type: ignore[no-untyped-call]


class LSTM(TorchLayer):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000). State: h and c. Gates: i, f, g, o."""

    kernel, plain, n_gates = "lstm", _plain_lstm, 4
