"""Modules before the recurrences: embeddings of categories and series, segments, and normalization.

The normalization of a window's targets is undone after the recurrences.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.specs import InputSpec, ModelSpec

# Half as many features as names, up to this limit.
_LARGEST_EMBEDDING = 16


class CategoryEmbedding(nn.Module):
    """Replaces categorical channels by learned vectors; numeric channels pass unchanged.

    All vectors are initialized to 0, which remains the vector of unknown names and of names absent from training.

    Args:
        n_channels: C.
        categories: (channel, number of names) pairs.
    """

    def __init__(self, n_channels: int, categories: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        self.channels = [channel for channel, _ in categories]
        self.numeric = [channel for channel in range(n_channels) if channel not in self.channels]
        self.tables = nn.ModuleList(
            nn.Embedding(names + 1, min(_LARGEST_EMBEDDING, (names + 1) // 2 + 1), padding_idx=0)
            for _, names in categories
        )
        for table in self.tables:
            nn.init.zeros_(cast(nn.Embedding, table).weight)
        self.n_outputs = len(self.numeric) + sum(cast(nn.Embedding, table).embedding_dim for table in self.tables)

    def forward(self, values: Tensor) -> Tensor:
        """(…, C) numbers and codes → (…, outputs)."""
        if not self.channels:
            return values
        vectors = [table(values[..., at].long()) for at, table in zip(self.channels, self.tables, strict=True)]
        return torch.cat([values[..., self.numeric], *vectors], dim=-1)


class StaticFeatures(nn.Module):
    """Features that are constant within a series: static covariates and, optionally, a learned vector for each series.

    Args:
        inputs: The inputs of the network.
        series_embedding: Size of the vector of a series; 0 for none.
    """

    def __init__(self, inputs: InputSpec, series_embedding: int) -> None:
        super().__init__()
        self.covariates = CategoryEmbedding(inputs.n_static, inputs.static_categories)
        size = series_embedding
        self.series = nn.Embedding(inputs.n_series + 1, size, padding_idx=0) if size else None
        if self.series is not None:
            nn.init.zeros_(self.series.weight)
        self.n_outputs = self.covariates.n_outputs + size

    def forward(self, static: Tensor, series: Tensor | None) -> Tensor:
        """Covariates (B, S) and codes of series (B,) → (B, outputs)."""
        features: Tensor = self.covariates(static)
        return features if self.series is None else torch.cat([features, self.series(series)], dim=-1)


class Segments(nn.Module):
    """Groups neighboring steps, so that a recurrent step reads a whole segment (Lin et al. 2023).

    Args:
        length: Steps of a segment.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, segments, length · C), aligned to the end; the first step is repeated to fill a segment."""
        missing = -x.shape[1] % self.length
        if missing:
            x = torch.cat([x[:, :1].expand(-1, missing, -1), x], dim=1)
        return x.reshape(x.shape[0], self.count(x.shape[1]), self.length * x.shape[2])

    def from_start(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, segments, length · C), aligned to the start; the last segment is padded with 0."""
        padded = F.pad(x, (0, 0, 0, -x.shape[1] % self.length))
        return padded.reshape(x.shape[0], self.count(x.shape[1]), self.length * x.shape[2])

    def real(self, real: Tensor | None) -> Tensor | None:
        """(B, T) mask of real steps → (B, segments) mask of segments with at least one."""
        return None if real is None else self(real.unsqueeze(-1)).any(-1)

    def count(self, steps: int) -> int:
        """The number of segments for a number of steps."""
        return -(-steps // self.length)


# A constant context still needs a scale: this share of its mean absolute value, and of that of the training part.
_FLOOR = 1e-3
SMALLEST = 1e-4
# A deviation below this share of the mean absolute value is a rounding error of float32.
_ROUNDING = 1e-6


class Level(NamedTuple):
    """Shift and scale of a normalized window, ``(value - shift) / scale``, each (B, 1, Y)."""

    shift: Tensor
    scale: Tensor


class WindowNormalization(nn.Module):
    """Normalizes each window by statistics of its own context.

    ``last``: the last value becomes 0. ``window``: mean 0 and deviation 1 over the context (Kim et al. 2022, without
    learned factors). ``mean``: mean absolute value 1 (Salinas et al. 2020). With differences, the network reads the
    changes between steps and forecasts the change since the last value.

    Args:
        spec: Provides ``normalization`` and ``transform``.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.kind = spec.normalization
        self.difference = spec.difference

    def forward(self, past: Tensor, real: Tensor | None) -> tuple[Tensor, Level]:
        """Normalize.

        Args:
            past: (B, T, Y) contexts of the targets, scaled.
            real: (B, T) False where a context is padded; ``None`` if nothing is padded.

        Returns:
            (B, T, Y) normalized contexts, 0 in the padding, and the level that denormalizes forecasts.
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
                return zero, size + SMALLEST
            mean = _mean(read, real)
            deviation = _mean((read - mean) ** 2, real).clamp(min=0).sqrt()
            return (zero if self.difference else mean), deviation + _FLOOR * size + SMALLEST
        return zero, one


class InputNoise(nn.Module):
    """Adds Gaussian noise to numbers in training, a penalty on steep functions of them (Bishop 1995).

    Args:
        deviation: Standard deviation of the noise; 0 for none.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        self.deviation = deviation

    def forward(self, x: Tensor, real: Tensor | None, n_numbers: int | None = None) -> Tensor:
        """Add noise.

        Args:
            x: (B, T, C).
            real: (B, T) False in the padding, which gets no noise; ``None`` if nothing is padded.
            n_numbers: Number of channels that get noise, the first ones; ``None`` for all.
        """
        if not self.training or self.deviation == 0:
            return x
        noise = self.deviation * torch.randn_like(x)
        if n_numbers is not None:
            noise[..., n_numbers:] = 0
        return x + (noise if real is None else noise * real.unsqueeze(-1))


class SequenceNormalization(nn.Module):
    """Normalizes each channel of a sequence to mean 0 and deviation 1 over its steps; a constant channel becomes 0."""

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """Normalize.

        Args:
            x: (B, T, F), 0 in the padding.
            real: (B, T) False in the padding.

        Returns:
            (B, T, F), 0 in the padding.
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
