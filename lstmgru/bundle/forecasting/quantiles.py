"""Prediction intervals of served forecasts: the arithmetic of :mod:`lstmgru.evaluation.intervals` as a module."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lstmgru.specs import ForecastSpec
from lstmgru.specs.calibration import Calibration

# As in lstmgru.data.forecasting.windows; a test compares the two.
_SMALLEST_CHANGE = 1e-3


class Bounds(nn.Module):
    """Clips forecasts, see :meth:`lstmgru.specs.ForecastSpec.clip`.

    Args:
        forecast: Its bounds.
    """

    lowest: Tensor
    highest: Tensor

    def __init__(self, forecast: ForecastSpec) -> None:
        super().__init__()
        self.bounded = forecast.bounds is not None
        for name, values in zip(("lowest", "highest"), forecast.bounds or (), strict=False):
            self.register_buffer(name, torch.from_numpy(values))

    def forward(self, values: Tensor) -> Tensor:
        """(…, Y) or, if they are of quantiles, (…, Y, Q) values within the bounds; NaN stays NaN."""
        if not self.bounded:
            return values
        lowest, highest = self.lowest, self.highest
        if values.ndim == 4:
            lowest, highest = lowest.unsqueeze(-1), highest.unsqueeze(-1)
        return torch.minimum(torch.maximum(values, lowest), highest)


class CalibratedQuantiles(nn.Module):
    """Widens the intervals of a forecast by a calibration, see :func:`lstmgru.runtime.forecasting.conformal.
    quantile_forecast`.

    Args:
        calibration: Of forecasts of this horizon and these targets.
        forecast: Its bounds are those of the ends of the intervals.
    """

    offsets: Tensor
    missing: Tensor

    def __init__(self, calibration: Calibration, forecast: ForecastSpec) -> None:
        super().__init__()
        # Not shared with the forecast: the exporter traces a tree of modules differently if one occurs twice.
        self.bounds = Bounds(forecast)
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
                torch.where(missing, torch.nan, self.bounds(lower)),
                *quantiles,
                torch.where(missing, torch.nan, self.bounds(upper)),
            ]
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
