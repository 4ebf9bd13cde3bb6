"""Baselines as torch modules, for ONNX: gathers and matrix products in single precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from lstmgru.data.forecasting.design import SMALLEST_CHANGE, Indicators, WindowDesign
from lstmgru.evaluation.forecast_baselines.ridge import Ridge
from lstmgru.nn.forecast_network import Inputs


class Repeat(nn.Module):
    """Repeats rows of the context.

    Args:
        places: (H,) the row of each step from the end of the context, from -1; before the first real row, the last row
            is used instead.
        n_targets: Y.
    """

    places: Tensor

    def __init__(self, places: Sequence[int], n_targets: int) -> None:
        super().__init__()
        self.n_targets = n_targets
        self.register_buffer("places", torch.tensor(places))

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, H, Y), see :meth:`lstmgru.evaluation.forecast_baselines.base.FittedBaseline.module`."""
        steps, targets = inputs.past.shape[1], inputs.past[..., : self.n_targets]
        if inputs.lengths is None:
            return targets[:, self.places + steps]
        known = -self.places <= inputs.lengths.unsqueeze(-1)
        rows = torch.where(known, self.places, -1) + steps
        return targets.gather(1, rows.unsqueeze(-1).expand(-1, -1, self.n_targets))


class LinearModule(nn.Module):
    """A linear map of the rows of a design.

    Args:
        design: Turns windows into inputs.
        ridge: Of inputs and targets in the units of the design.
    """

    mean: Tensor
    scale: Tensor
    static_mean: Tensor
    static_scale: Tensor
    coefficients: Tensor
    intercept: Tensor

    def __init__(self, design: WindowDesign, ridge: Ridge) -> None:
        super().__init__()
        self.design = design
        scaler = design.scaler
        numbers = {
            "mean": scaler.mean[0],
            "scale": scaler.scale[0],
            "static_mean": scaler.static_mean,
            "static_scale": scaler.static_scale,
            "coefficients": ridge.coefficients,
            "intercept": ridge.intercept,
        }
        for name, array in numbers.items():
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32))

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, H, Y), see :meth:`lstmgru.evaluation.forecast_baselines.base.FittedBaseline.module`."""
        design = self.design
        context = last_rows(inputs.past, design.context_length, inputs.lengths)
        targets = context[..., : design.n_targets]
        center, scale = self._units(targets)
        scaled = (context - self.mean) / self.scale
        parts = [(targets - center) / scale, *_expanded(scaled, design.channels, design.names)]
        rows = [torch.cat(parts, dim=2).flatten(1)]
        if design.n_future:
            first = design.known.start
            known = (inputs.future - self.mean[first:]) / self.scale[first:]
            names = {channel - first: each for channel, each in design.names.items()}
            rows.append(torch.cat(_expanded(known, range(design.n_future), names), dim=2).flatten(1))
        if inputs.static is not None and design.n_static:
            of_series = (inputs.static - self.static_mean) / self.static_scale
            rows.append(torch.cat(_expanded(of_series, range(design.n_static), design.static_names), dim=1))
        flat = torch.cat(rows, dim=1) @ self.coefficients + self.intercept
        return flat.reshape(-1, design.horizon, design.n_targets) * scale + center

    def _units(self, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Shift and scale of (B, T, Y) targets: (B, 1, Y), or (Y,) if they are the same for all windows."""
        if not self.design.relative:
            n_targets = self.design.n_targets
            return self.mean[:n_targets], self.scale[:n_targets]
        last = targets[:, -1:]
        change = (targets - last).abs().mean(dim=1, keepdim=True)
        scale = torch.maximum(change, SMALLEST_CHANGE * targets.abs().mean(dim=1, keepdim=True))
        return last, torch.where(scale == 0, 1.0, scale)


class ChannelLinearModule(nn.Module):
    """A linear map of the context of each target by itself.

    Args:
        scale: (Y,) units of the targets.
        ridge: Of contexts and horizons in those units.
    """

    scale: Tensor
    coefficients: Tensor
    intercept: Tensor

    def __init__(self, scale: npt.NDArray[np.float32], ridge: Ridge) -> None:
        super().__init__()
        for name, array in {"scale": scale, "coefficients": ridge.coefficients, "intercept": ridge.intercept}.items():
            self.register_buffer(name, torch.tensor(array, dtype=torch.float32))

    def forward(self, inputs: Inputs) -> Tensor:
        """(B, H, Y), see :meth:`lstmgru.evaluation.forecast_baselines.base.FittedBaseline.module`."""
        targets = last_rows(inputs.past[..., : len(self.scale)], len(self.coefficients), inputs.lengths)
        last = targets[:, -1:]
        found = ((targets - last) / self.scale).transpose(1, 2) @ self.coefficients + self.intercept
        return found.transpose(1, 2) * self.scale + last


def last_rows(past: Tensor, context_length: int, lengths: Tensor | None) -> Tensor:
    """(B, context_length, F) last rows of (B, T, F) contexts; rows before the first real one repeat it."""
    steps = past.shape[1]
    if lengths is None:
        return past[:, steps - context_length :]
    rows = torch.maximum(torch.arange(steps - context_length, steps), steps - lengths.unsqueeze(-1))
    return past.gather(1, rows.unsqueeze(-1).expand(-1, -1, past.shape[2]))


def _expanded(values: Tensor, columns: range, names: dict[int, Indicators]) -> list[Tensor]:
    """The (…, columns) numbers and indicators of some columns of (…, columns) numbers and codes of names."""
    return [_indicated(values[..., n], names[n]) if n in names else values[..., n, None] for n in columns]


def _indicated(codes: Tensor, indicators: Indicators) -> Tensor:
    """(…) codes → (…, width)."""
    own = (codes.unsqueeze(-1) == torch.tensor(indicators.own, dtype=codes.dtype)).to(codes.dtype)
    return torch.cat([own, 1 - own.sum(dim=-1, keepdim=True)], dim=-1) if indicators.others else own
