"""Pooling of an encoder's outputs: last, mean, maximum, and attention with readable weights.

A pooling summarizes the outputs (B, T, size) for each query (B, M, size), which is the last output or one of a decoder,
as (B, M, size). Attention also returns its weights (B, M, T), whose rows sum to 1. Steps where ``real`` (B, T) is False
are ignored.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lstmgru.specs import RecurrentSpec

Pooled = tuple[Tensor, Tensor | None]
"""Summaries and, for attention, the weights."""


class MeanPooling(nn.Module):
    """The mean of the outputs, the same for every query."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.n_outputs = size

    def forward(self, outputs: Tensor, query: Tensor, real: Tensor | None) -> Pooled:
        """Pool."""
        if real is None:
            pooled = outputs.mean(1, keepdim=True)
        else:
            weights = real.unsqueeze(-1).to(outputs.dtype)
            pooled = (outputs * weights).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
        return pooled.expand(-1, query.shape[1], -1), None


class MaxPooling(MeanPooling):
    """The maximum of each feature, the same for every query."""

    def forward(self, outputs: Tensor, query: Tensor, real: Tensor | None) -> Pooled:
        """Pool."""
        if real is not None:
            outputs = outputs.masked_fill(~real.unsqueeze(-1), -math.inf)
        return outputs.amax(1, keepdim=True).expand(-1, query.shape[1], -1), None


class AdditiveAttention(nn.Module):
    """Σ a_t h_t with a = softmax(v · tanh(W q + U h_t)) (Bahdanau et al. 2015).

    Args:
        size: Features of outputs and queries.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.n_outputs = size
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size, bias=False)
        self.score = nn.Linear(size, 1, bias=False)

    def forward(self, outputs: Tensor, query: Tensor, real: Tensor | None) -> Pooled:
        """Pool."""
        mixed = torch.tanh(self.query(query).unsqueeze(2) + self.key(outputs).unsqueeze(1))
        weights = _softmax(self.score(mixed).squeeze(-1), real)
        return weights @ outputs, weights


class MultiHeadAttention(nn.Module):
    """Scaled dot-product attention with several heads (Vaswani et al. 2017); the weights are averaged over the heads.

    Args:
        size: Features of outputs and queries.
        n_heads: Each has ``size / n_heads`` features, rounded up.
    """

    def __init__(self, size: int, n_heads: int) -> None:
        super().__init__()
        self.n_outputs = size
        self.n_heads = n_heads
        self.head_size = math.ceil(size / n_heads)
        inner = n_heads * self.head_size
        self.query, self.key, self.value = (nn.Linear(size, inner) for _ in range(3))
        self.out = nn.Linear(inner, size)

    def forward(self, outputs: Tensor, query: Tensor, real: Tensor | None) -> Pooled:
        """Pool."""
        q, k, v = self._heads(self.query(query)), self._heads(self.key(outputs)), self._heads(self.value(outputs))
        scores = q @ k.transpose(-1, -2) / math.sqrt(self.head_size)
        weights = _softmax(scores, None if real is None else real.unsqueeze(1))
        return self.out((weights @ v).transpose(1, 2).flatten(2)), weights.mean(1)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, n, heads · head size) → (B, heads, n, head size)."""
        return x.reshape(*x.shape[:2], self.n_heads, self.head_size).transpose(1, 2)


def make_pooling(spec: RecurrentSpec, size: int) -> nn.Module | None:
    """The pooling of an architecture; ``None`` if only the last output is used."""
    match spec.pooling:
        case "last":
            return None
        case "mean":
            return MeanPooling(size)
        case "max":
            return MaxPooling(size)
        case "additive":
            return AdditiveAttention(size)
        case "multihead":
            return MultiHeadAttention(size, spec.n_heads)


def _softmax(scores: Tensor, real: Tensor | None) -> Tensor:
    """Softmax over the last axis, T; padded steps get weight 0."""
    if real is not None:
        scores = scores.masked_fill(~real.unsqueeze(-2), -math.inf)
    return scores.softmax(dim=-1)
