"""What a network reads besides the targets: covariates, names of categories, what is known of a series."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.specs import InputSpec

# Half as many features as there are names, within reason.
_LARGEST_EMBEDDING = 16


class CategoryEmbedding(nn.Module):
    """Replaces categorical channels by learned vectors; numeric ones pass.

    All vectors begin at 0, which stays that of an unknown name: one that training never met counts as unknown, too.

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
    """What does not change within a series: static covariates and, if asked for, a learned vector for each series.

    Args:
        inputs: What there is.
        series_embedding: Size of the vector of a series; 0: none.
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
    """Puts neighboring steps together: one recurrent step reads a whole segment (Lin et al. 2023).

    Args:
        length: Steps of a segment.
    """

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, segments, length · C), cut from the last step back; a first one that is not full repeats its
        first step.
        """
        missing = -x.shape[1] % self.length
        if missing:
            x = torch.cat([x[:, :1].expand(-1, missing, -1), x], dim=1)
        return x.reshape(x.shape[0], self.count(x.shape[1]), self.length * x.shape[2])

    def from_start(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, segments, length · C), cut from the first step on; a last one that is not full ends in 0."""
        padded = F.pad(x, (0, 0, 0, -x.shape[1] % self.length))
        return padded.reshape(x.shape[0], self.count(x.shape[1]), self.length * x.shape[2])

    def real(self, real: Tensor | None) -> Tensor | None:
        """(B, T) real steps → (B, segments): those that hold any."""
        return None if real is None else self(real.unsqueeze(-1)).any(-1)

    def count(self, steps: int) -> int:
        """Segments that so many steps make."""
        return -(-steps // self.length)
