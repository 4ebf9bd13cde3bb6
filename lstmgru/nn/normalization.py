"""What is done to a window or a sequence before the recurrences; of the targets of a window it is undone after them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from lstmgru.specs import ModelSpec

# A context that does not vary still needs a scale: this share of its mean absolute value, and of the training part's.
_FLOOR = 1e-3
_SMALLEST = 1e-4
# A deviation below this share of the mean absolute value is the rounding of float32.
_ROUNDING = 1e-6


class Level(NamedTuple):
    """What a window was normalized by: ``(value - shift) / scale``, each (B, 1, Y)."""

    shift: Tensor
    scale: Tensor


class WindowNormalization(nn.Module):
    """Normalizes each window by what its own context shows.

    ``last``: the last value becomes 0. ``window``: mean 0 and deviation 1 over the context (Kim et al. 2022, without
    their learned factors). ``mean``: mean absolute value 1 (Salinas et al. 2020). With differences, the network reads
    the changes from one step to the next, and what it forecasts is the change since the last value.

    Args:
        spec: Its ``normalization`` and ``transform`` are used.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.kind = spec.normalization
        self.difference = spec.difference

    def forward(self, past: Tensor, real: Tensor | None) -> tuple[Tensor, Level]:
        """Normalize.

        Args:
            past: (B, T, Y) contexts of the targets, scaled.
            real: (B, T) False where a context is padded; ``None``: all are real.

        Returns:
            (B, T, Y) what the network reads, 0 where it is not real, and what a forecast is to be undone by.
        """
        last = past[:, -1:]
        read = past
        if self.difference:
            read = torch.cat([torch.zeros_like(last), past.diff(dim=1)], dim=1)
            if real is not None:
                first = real & ~torch.nn.functional.pad(real[:, :-1], (1, 0))
                read = read.masked_fill(first.unsqueeze(-1), 0.0)
        shift, scale = self._level(read, real)
        read = (read - shift) / scale
        if real is not None:
            read = read * real.unsqueeze(-1)
        return read, Level(last if self.difference else shift, scale)

    def _level(self, read: Tensor, real: Tensor | None) -> tuple[Tensor, Tensor]:
        zero, one = torch.zeros_like(read[:, -1:]), torch.ones_like(read[:, -1:])
        if self.kind == "last" and not self.difference:
            return read[:, -1:], one
        if self.kind in ("window", "mean"):
            size = _mean(read.abs(), real)
            if self.kind == "mean":
                return zero, size + _SMALLEST
            mean = _mean(read, real)
            deviation = _mean((read - mean) ** 2, real).clamp(min=0).sqrt()
            return (zero if self.difference else mean), deviation + _FLOOR * size + _SMALLEST
        return zero, one


class SequenceNormalization(nn.Module):
    """Gives each channel of a sequence mean 0 and deviation 1 over its own steps; a constant channel becomes 0."""

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Normalize.

        Args:
            x: (B, T, F), 0 where it is not real.
            real: (B, T) which steps are.

        Returns:
            (B, T, F), 0 where it is not real.
        """
        size = _mean(x.abs(), real)
        x = (x - _mean(x, real)) * real.unsqueeze(-1)
        deviation = _mean(x**2, real).sqrt()
        varies = deviation > _ROUNDING * size
        return torch.where(varies, x / torch.where(varies, deviation, 1.0), 0.0)


def denormalize(values: Tensor, level: Level) -> Tensor:
    """(B, H, Y, Q) normalized → scaled."""
    return values * level.scale.unsqueeze(-1) + level.shift.unsqueeze(-1)


def _mean(values: Tensor, real: Tensor | None) -> Tensor:
    """(B, 1, Y) means over the real steps of (B, T, Y)."""
    if real is None:
        return values.mean(1, keepdim=True)
    weights = real.unsqueeze(-1).to(values.dtype)
    return (values * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
