"""A forecasting network with inputs and outputs in original units, so that a server needs nothing else."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lstmgru.bundle.base import Distance, Outputs, Servable
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.evaluation.intervals import Calibration
from lstmgru.nn.network import ForecastNetwork, Inputs
from lstmgru.specs.layers import Stack

# As in lstmgru.data.forecasting.windows; a test compares the two.
_SMALLEST_CHANGE = 1e-3


class CalibratedQuantiles(nn.Module):
    """Widens the intervals of a forecast by a calibration, see :func:`lstmgru.evaluation.intervals.quantile_forecast`.

    Args:
        calibration: Of forecasts of this horizon and these targets.
    """

    offsets: Tensor
    missing: Tensor

    def __init__(self, calibration: Calibration) -> None:
        super().__init__()
        offsets = torch.tensor(calibration.offsets, dtype=torch.float32)
        self.register_buffer("offsets", offsets.nan_to_num())
        self.register_buffer("missing", offsets.isnan())
        self.season_length = calibration.season_length if calibration.scaled else None

    def forward(self, forecast: Tensor, context: Tensor, lengths: Tensor | None) -> Tensor:
        """Widen.

        Args:
            forecast: (B, H, Y, Q) in original units, ascending in Q, the median in the middle.
            context: (B, T, Y) targets in original units.
            lengths: (B,) number of real rows at the end of each context; ``None`` if all are.

        Returns:
            (B, H, Y, 2 · levels + 1) in the order of ``ForecastSpec.quantiles``; NaN at a level without an interval.
        """
        middle = forecast.shape[-1] // 2
        lower = upper = point = forecast[..., middle]
        scale = 1.0 if self.season_length is None else window_scale(context, self.season_length, lengths).unsqueeze(1)
        quantiles = [point]
        for number, (offset, missing) in enumerate(zip(self.offsets, self.missing, strict=True), start=1):
            reach = offset * scale
            below, above = (forecast[..., middle + side * (number if middle else 0)] for side in (-1, 1))
            lower = torch.where(missing, lower, torch.minimum(lower, below - reach))
            upper = torch.where(missing, upper, torch.maximum(upper, above + reach))
            quantiles = [
                torch.where(missing, torch.nan, lower), *quantiles, torch.where(missing, torch.nan, upper),
            ]  # fmt: skip
        return torch.stack(quantiles, dim=-1)


def real_rows(lengths: Tensor, steps: int) -> Tensor:
    """(B, steps) False before the first real row of each context."""
    return torch.arange(steps, 0, -1) <= lengths.unsqueeze(-1)


def window_scale(context: Tensor, season_length: int, lengths: Tensor | None) -> Tensor:
    """(B, Y) scale of the targets of each context, see :func:`lstmgru.data.forecasting.windows.window_scale`.

    Args:
        context: (B, T, Y) targets in original units.
        season_length: Steps in one season.
        lengths: (B,) number of real rows at the end of each context; ``None`` if all are.
    """
    steps = context.shape[1]
    real = None if lengths is None else real_rows(lengths, steps)

    def mean(sizes: Tensor) -> Tensor:
        if real is None:
            return sizes.mean(dim=1)
        counted = real[:, : sizes.shape[1]].unsqueeze(-1).to(sizes.dtype)
        return (sizes * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)

    def change(lag: int) -> Tensor:
        if lag >= steps:
            return torch.zeros_like(context[:, 0])
        return mean((context[:, lag:] - context[:, :-lag]).abs())

    changes = change(1)
    if steps > 2 * season_length:
        seasonal = change(season_length)
        long = None if lengths is None else (lengths > 2 * season_length).unsqueeze(-1)
        changes = seasonal if long is None else torch.where(long, seasonal, changes)
    scale = torch.maximum(changes, _SMALLEST_CHANGE * mean(context.abs()))
    return torch.where(scale == 0, 1.0, scale)


Categories = tuple[tuple[int, int], ...]
"""(channel, number of names) pairs."""


class UnscaledForecaster(Servable):
    """Scales the inputs, runs the network, restores the units of the forecasts and adds quantiles, in single precision.

    Args:
        network: Is set to evaluation mode.
        scaler: Of all input channels.
        calibration: Of the prediction intervals; ``None`` if there are none.
    """

    mean: Tensor
    scale: Tensor
    static_mean: Tensor
    static_scale: Tensor

    def __init__(self, network: ForecastNetwork, scaler: Scaler, calibration: Calibration | None = None) -> None:
        super().__init__()
        self.network = network
        self.log = scaler.log
        self.by_series = scaler.by_series
        for name in ("mean", "scale", "static_mean", "static_scale"):
            self.register_buffer(name, torch.tensor(getattr(scaler, name), dtype=torch.float32))
        if self.by_series:  # codes start at 1; the scale of code 0 is arbitrary, as its forecasts become NaN
            for name in ("mean", "scale"):
                table = getattr(self, name)
                setattr(self, name, torch.cat([table[:1], table]))
        self.quantiles = None if calibration is None else CalibratedQuantiles(calibration)
        self.eval()

    @property
    def tells_series(self) -> bool:
        """Whether it has parameters for each series, and so needs their codes."""
        return self.by_series or self.network.spec.series_embedding > 0

    @property
    def branches(self) -> tuple[Stack, ...]:
        """The recurrent layers of its network."""
        return self.network.spec.branches

    @property
    def unit(self) -> str:
        """The unit of a relative distance, of logarithms if the model takes them."""
        return "standard deviations of a target"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs of :meth:`forward` with their shapes, without the batch; the last two are ``int64``."""
        inputs, steps, horizon = self.network.inputs, self.network.spec.context_length, self.network.horizon
        shapes: dict[str, tuple[int, ...]] = {"past": (steps, inputs.n_inputs)}
        if inputs.n_future:
            shapes["future"] = (horizon, inputs.n_future)
        if inputs.n_static:
            shapes["static"] = (inputs.n_static,)
        shapes |= {"series": ()} if self.tells_series else {}
        shapes |= {"lengths": ()} if inputs.padded else {}
        return shapes

    @property
    def categories(self) -> dict[str, Categories]:
        """The categorical channels of each input, as in :class:`~lstmgru.specs.InputSpec`."""
        inputs = self.network.inputs
        first = inputs.n_inputs - inputs.n_future
        ahead = tuple((channel - first, names) for channel, names in inputs.categories if channel >= first)
        return {"past": inputs.categories, "future": ahead, "static": inputs.static_categories}

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The outputs of :meth:`forward` with their shapes, without the batch."""
        forecast = (self.network.horizon, self.network.inputs.n_targets)
        if self.quantiles is None:
            return {"forecast": forecast}
        return {"forecast": forecast, "quantiles": (*forecast, 2 * len(self.quantiles.offsets) + 1)}

    def forward(
        self,
        past: Tensor,
        future: Tensor | None = None,
        static: Tensor | None = None,
        series: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, ...]:
        """Forecast.

        Args:
            past: (B, T, F) contexts in original units; categories are codes.
            future: (B, H, K) covariates known over the horizon, in original units; ``None`` if K is 0.
            static: (B, S) static covariates in original units; ``None`` if S is 0.
            series: (B,) ``int64`` codes of the series, from 1; ``None`` if :attr:`tells_series` is false. A series with
                the code 0 is unknown, and its forecasts are NaN.
            lengths: (B,) ``int64`` number of real rows at the end of each context; ``None`` if contexts are never
                padded.

        Returns:
            Forecasts (B, H, Y) in original units and, with a calibration, quantiles (B, H, Y, 2 · levels + 1).
        """
        n_targets = self.network.inputs.n_targets
        mean, scale = (table[..., :n_targets].unsqueeze(-1) for table in self.moments(series))
        restored: Tensor = self.network(*self.scaled(past, future, static, series, lengths)) * scale + mean
        if self.log:
            restored = restored.exp()
        if series is not None and self.tells_series:
            restored = torch.where((series > 0).reshape(-1, 1, 1, 1), restored, torch.nan)
        forecast = restored[..., restored.shape[-1] // 2]
        if self.quantiles is None:
            return (forecast,)
        return forecast, self.quantiles(restored, past[..., :n_targets], lengths)

    def scaled(
        self,
        past: Tensor,
        future: Tensor | None = None,
        static: Tensor | None = None,
        series: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Inputs:
        """The inputs of the network for the arguments of :meth:`forward`."""
        inputs = self.network.inputs
        if future is None:
            future = past.new_zeros(past.shape[0], self.network.horizon, 0)
        if self.log:
            targets, others = past[..., : inputs.n_targets], past[..., inputs.n_targets :]
            if lengths is not None:
                targets = torch.where(real_rows(lengths, past.shape[1]).unsqueeze(-1), targets, 1.0)
            past = torch.cat([targets.log(), others], dim=-1)
        mean, scale = self.moments(series)
        first_future = inputs.n_inputs - inputs.n_future
        return Inputs(
            past=(past - mean) / scale,
            future=(future - mean[..., first_future:]) / scale[..., first_future:],
            static=None if static is None else (static - self.static_mean) / self.static_scale,
            series=series,
            lengths=lengths,
        )

    def moments(self, series: Tensor | None) -> tuple[Tensor, Tensor]:
        """Mean and scale of the channels, each (1, F) or (B, 1, F)."""
        if not self.by_series:
            return self.mean, self.scale
        return self.mean[series].unsqueeze(1), self.scale[series].unsqueeze(1)

    def random_inputs(self, batch_size: int, seed: int = 0) -> dict[str, Tensor]:
        """Inputs with the mean and deviation of the training data, and random categories, known series and lengths."""
        generator = torch.Generator().manual_seed(seed)
        inputs, steps = self.network.inputs, self.network.spec.context_length

        def whole(low: int, high: int, *shape: int) -> Tensor:
            return torch.randint(low, high + 1, (batch_size, *shape), generator=generator)

        def draw(name: str, mean: Tensor, scale: Tensor, *shape: int) -> Tensor:
            values = mean + scale * torch.randn(batch_size, *shape, mean.shape[-1], generator=generator)
            for channel, names in self.categories[name]:
                values[..., channel] = whole(0, names, *shape).to(values.dtype)
            return values

        series, lengths = whole(1, max(1, len(self.mean) - 1, inputs.n_series)), whole(1, steps)
        mean, scale = self.moments(series)
        past = draw("past", mean, scale, steps)
        first = inputs.n_inputs - inputs.n_future
        future = draw("future", mean[..., first:], scale[..., first:], self.network.horizon)
        static = draw("static", self.static_mean, self.static_scale)
        if self.log:
            past[..., : inputs.n_targets] = past[..., : inputs.n_targets].exp()
        if inputs.padded:
            past = past * real_rows(lengths, steps).unsqueeze(-1)
        drawn: dict[str, Any] = {"past": past, "future": future, "static": static, "series": series, "lengths": lengths}
        return {name: drawn[name] for name in self.shapes}

    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """The difference between other forecasts and its own, see :meth:`Servable.distance`."""
        absolute, relative = 0.0, 0.0
        for other, own in zip(found, expected, strict=True):
            difference = _difference(other, own)
            absolute = max(absolute, float(difference.max()))
            relative = max(relative, float((difference / self._scale_of(own, inputs.get("series"))).max()))
        return Distance(absolute, relative)

    def _scale_of(self, output: Tensor, series: Tensor | None) -> Tensor:
        """(B, H, Y) the scale of the targets in original units; with logarithms, times the size of the forecast."""
        _, scale = self.moments(series)
        scale = scale[..., : self.network.inputs.n_targets]
        size = _largest(output.abs().nan_to_num())
        return scale * size if self.log else scale.expand_as(size)


def _difference(found: Tensor, expected: Tensor) -> Tensor:
    """(B, H, Y) largest difference over the quantiles; infinite where only one of the two is NaN."""
    same = (found == expected) | (found.isnan() & expected.isnan())
    return _largest((found - expected).abs().masked_fill(same, 0.0).nan_to_num(torch.inf))


def _largest(values: Tensor) -> Tensor:
    """The maximum of (B, H, Y, Q) over Q; (B, H, Y) is returned unchanged."""
    return values.amax(dim=-1) if values.ndim == 4 else values
