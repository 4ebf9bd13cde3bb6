"""The forecasting network: a stack of recurrent layers and a head that reads what is known of the future."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.nn.stack import RecurrentStack
from lstmgru.specs import Loss, ModelSpec

_LOSSES: dict[Loss, Callable[[Tensor, Tensor], Tensor]] = {
    "mae": F.l1_loss,
    "mse": F.mse_loss,
    "huber": F.huber_loss,
}


class ForecastNetwork(nn.Module):
    """Reads a context, forecasts all steps of the horizon at once. All values are scaled.

    Args:
        spec: The architecture.
        n_inputs: F, channels of the context; the targets are the first.
        n_future: K, channels known over the horizon.
        n_targets: Y.
        horizon: H.
    """

    def __init__(self, spec: ModelSpec, *, n_inputs: int, n_future: int, n_targets: int, horizon: int) -> None:
        super().__init__()
        self.spec = spec
        self.n_inputs, self.n_future, self.n_targets, self.horizon = n_inputs, n_future, n_targets, horizon
        self.stack = RecurrentStack(spec.layers, n_inputs=n_inputs, dropout=spec.dropout)
        self.dropout = nn.Dropout(spec.dropout)
        self.head = nn.Linear(self.stack.n_outputs, horizon * n_targets)
        self.future_head = nn.Linear(n_future, n_targets, bias=False) if n_future else None

    def forward(self, past: Tensor, future: Tensor) -> Tensor:
        """Forecast.

        Args:
            past: (batch, T, F) context.
            future: (batch, H, K) what is known of the horizon; K may be 0.

        Returns:
            (batch, H, Y) forecasts.
        """
        last = past[:, -1:, : self.n_targets]
        if self.spec.normalization == "last":
            past = torch.cat([past[..., : self.n_targets] - last, past[..., self.n_targets :]], dim=-1)
        state = self.dropout(self.stack(past)[:, -1])
        forecast: Tensor = self.head(state).unflatten(-1, (self.horizon, self.n_targets))
        if self.future_head is not None:
            forecast = forecast + self.future_head(future)
        return forecast + last if self.spec.normalization == "last" else forecast

    def loss(self, past: Tensor, future: Tensor, target: Tensor, kind: Loss) -> Tensor:
        """Mean loss of a batch, a scalar.

        Args:
            past: (batch, T, F).
            future: (batch, H, K).
            target: (batch, H, Y).
            kind: ``mae``, ``mse`` or ``huber``.
        """
        return _LOSSES[kind](self(past, future), target)

    def example_input(self, batch_size: int = 2) -> tuple[Tensor, Tensor]:
        """Zeros of the shapes that :meth:`forward` takes."""
        past = torch.zeros(batch_size, self.spec.context_length, self.n_inputs)
        return past, torch.zeros(batch_size, self.horizon, self.n_future)


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers of a network."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
