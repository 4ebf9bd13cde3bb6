"""A network that takes and gives values in their original units, so that a server needs no scaler."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstmgru.data.scaling import StandardScaler
from lstmgru.nn.network import ForecastNetwork


class UnscaledForecaster(nn.Module):
    """Scales its inputs, runs the network and unscales the forecasts, all in single precision.

    Args:
        network: Is put in evaluation mode.
        scaler: Of all input channels.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, network: ForecastNetwork, scaler: StandardScaler) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", torch.tensor(scaler.mean, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scaler.scale, dtype=torch.float32))
        self.eval()

    def forward(self, past: Tensor, future: Tensor | None = None) -> Tensor:
        """Forecast.

        Args:
            past: (batch, T, F) context in original units.
            future: (batch, H, K) what is known of the horizon, in original units; ``None`` where K is 0.

        Returns:
            (batch, H, Y) forecasts in original units.
        """
        network = self.network
        if future is None:
            future = past.new_zeros(past.shape[0], network.horizon, 0)
        first_future = network.n_inputs - network.n_future
        scaled = network(
            (past - self.mean) / self.scale,
            (future - self.mean[first_future:]) / self.scale[first_future:],
        )
        forecast: Tensor = scaled * self.scale[: network.n_targets] + self.mean[: network.n_targets]
        return forecast

    def random_inputs(self, batch_size: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Normal inputs with the mean and deviation of the training data: past, and future where K is not 0."""
        generator = torch.Generator().manual_seed(seed)

        def draw(steps: int, first: int) -> Tensor:
            mean, scale = self.mean[first:], self.scale[first:]
            return mean + scale * torch.randn(batch_size, steps, len(mean), generator=generator)

        network = self.network
        past = draw(network.spec.context_length, 0)
        if network.n_future == 0:
            return (past,)
        return past, draw(network.horizon, network.n_inputs - network.n_future)
