"""The members of a blended forecast as modules, with inputs and outputs in original units."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from lstmgru.bundle.forecasting.quantiles import real_rows
from lstmgru.data.forecasting.arrays import WindowArrays
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.nn.forecast_network import ForecastNetwork, Inputs

if TYPE_CHECKING:
    from lstmgru.evaluation.forecast_baselines.base import FittedBaseline


class MemberForecaster(nn.Module, ABC):
    """Forecasts in original units from inputs in original units, in single precision.

    Attributes:
        context_length: Rows of context that it reads.
    """

    context_length: int

    @property
    def outside(self) -> str | None:
        """The name of a method that is computed outside of torch, and so cannot be exported; ``None`` for others."""
        return None

    @abstractmethod
    def forward(self, inputs: Inputs) -> Tensor:
        """Forecast.

        Args:
            inputs: In original units, with contexts of :attr:`context_length` rows. ``series`` is ``None`` if no member
                of the blend needs the codes.

        Returns:
            (B, H, Y, Q) in original units, ascending in Q with the median in the middle.
        """


class NetworkForecaster(MemberForecaster):
    """Scales the inputs, runs the network and restores the units of the forecasts.

    Args:
        network: Is set to evaluation mode.
        scaler: Of all input channels.
    """

    mean: Tensor
    scale: Tensor
    static_mean: Tensor
    static_scale: Tensor

    def __init__(self, network: ForecastNetwork, scaler: Scaler) -> None:
        super().__init__()
        self.network = network
        self.context_length = network.spec.context_length
        self.by_series = scaler.by_series
        for name in ("mean", "scale", "static_mean", "static_scale"):
            self.register_buffer(name, torch.tensor(getattr(scaler, name), dtype=torch.float32))
        if self.by_series:  # codes start at 1; the scale of code 0 is arbitrary, as its forecasts become NaN
            for name in ("mean", "scale"):
                table = getattr(self, name)
                setattr(self, name, torch.cat([table[:1], table]))
        self.eval()

    @property
    def tells_series(self) -> bool:
        """Whether it has parameters for each series, and so needs their codes."""
        return self.by_series or self.network.spec.series_embedding > 0

    @property
    def log(self) -> bool:
        """Whether it takes the logarithm of the targets."""
        return self.network.spec.log

    def forward(self, inputs: Inputs) -> Tensor:
        """Forecast, see :class:`MemberForecaster`. A series with the code 0 is unknown, and its forecasts are NaN."""
        series = inputs.series if self.tells_series else None
        n_targets = self.network.inputs.n_targets
        mean, scale = (table[..., :n_targets].unsqueeze(-1) for table in self.moments(series))
        restored: Tensor = self.network(*self.scaled(inputs._replace(series=series))) * scale + mean
        if self.log:
            restored = restored.exp()
        if series is not None:
            restored = torch.where((series > 0).reshape(-1, 1, 1, 1), restored, torch.nan)
        return restored

    def scaled(self, inputs: Inputs) -> Inputs:
        """The inputs of the network for those of :meth:`forward`."""
        known, past, static = self.network.inputs, inputs.past, inputs.static
        lengths = inputs.lengths if known.padded else None
        if self.log:
            targets, others = past[..., : known.n_targets], past[..., known.n_targets :]
            if lengths is not None:
                targets = torch.where(real_rows(lengths, past.shape[1]).unsqueeze(-1), targets, 1.0)
            past = torch.cat([targets.log(), others], dim=-1)
        mean, scale = self.moments(inputs.series)
        first_future = known.n_inputs - known.n_future
        return Inputs(
            past=(past - mean) / scale,
            future=(inputs.future - mean[..., first_future:]) / scale[..., first_future:],
            static=None if static is None else (static - self.static_mean) / self.static_scale,
            series=inputs.series,
            lengths=lengths,
        )

    def moments(self, series: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and scale of the channels, each (1, F) or (B, 1, F)."""
        if not self.by_series:
            return self.mean, self.scale
        return self.mean[series].unsqueeze(1), self.scale[series].unsqueeze(1)

    def target_scale(self, size: Tensor, series: Tensor | None) -> Tensor:
        """(B, H, Y) the scale of the targets in original units; with logarithms, times their size.

        Args:
            size: (B, H, Y) absolute values of targets in original units.
            series: (B,) codes of the series; ``None`` if there are none.
        """
        _, scale = self.moments(series)
        scale = scale[..., : self.network.inputs.n_targets]
        return scale * size if self.log else scale.expand_as(size)


class BaselineForecaster(MemberForecaster):
    """A baseline: its module where it has one, otherwise computed outside of torch.

    Args:
        baseline: Fitted.
    """

    def __init__(self, baseline: FittedBaseline) -> None:
        super().__init__()
        self.baseline, self.method = baseline, baseline.module()
        self.context_length = baseline.context_length
        self.eval()

    @property
    def outside(self) -> str | None:
        """The name of the baseline if it has no module."""
        return self.baseline.name if self.method is None else None

    def forward(self, inputs: Inputs) -> Tensor:
        """Forecast, see :class:`MemberForecaster`."""
        if self.method is not None:
            forecast: Tensor = self.method(inputs)
            return forecast.unsqueeze(-1)
        lengths, static, series = inputs.lengths, inputs.static, inputs.series
        windows = WindowArrays(
            past=inputs.past.numpy(),
            future=inputs.future.numpy(),
            lengths=np.full(len(inputs.past), self.context_length) if lengths is None else lengths.numpy(),
            static=None if static is None else static.numpy(),
            series=None if series is None else series.numpy(),
        )
        return torch.from_numpy(self.baseline.predict(windows)).unsqueeze(-1)
