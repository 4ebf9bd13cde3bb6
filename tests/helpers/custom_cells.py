"""Recurrent cells as a user may register them."""

from __future__ import annotations

from torch import Tensor, nn


class Elman(nn.Module):
    """A cell of a user's own, on torch's layer."""

    def __init__(self, input_size: int, hidden_size: int, recurrent_dropout: float) -> None:
        super().__init__()
        self.layer = nn.RNN(input_size, hidden_size, batch_first=True)

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        outputs, h = self.layer(x, None if state is None else state[0][None])
        return outputs, (h[0],)


class Unexportable(Elman):
    """One that no tracing can follow."""

    def forward(self, x: Tensor, state: tuple[Tensor, ...] | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        return super().forward(x * float(x.sum().tanh()), state)
