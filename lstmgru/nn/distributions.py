"""Distributions whose parameters a network forecasts, instead of quantiles."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_DEGREES = 4
# In units of the normalized values: below it the likelihood of repeated values would grow without bound.
_SMALLEST_SCALE = 1e-3


class StudentT(nn.Module):
    """A Student t distribution with 4 degrees of freedom, robust to outliers (Lange et al. 1989).

    It has two outputs: the scale before a softplus, and the location, which comes second: decoders take the output
    at position ``n_outputs // 2`` for the level.

    Args:
        probabilities: (Q,) of the quantiles.
    """

    n_outputs = 2
    standard: Tensor

    def __init__(self, probabilities: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("standard", torch.tensor([_quantile(each) for each in probabilities]), persistent=False)

    def forward(self, outputs: Tensor) -> Tensor:
        """(…, 2) outputs → (…, Q) quantiles."""
        return outputs[..., 1:] + self.standard * self._scale(outputs)

    def loss(self, outputs: Tensor, goal: Tensor) -> Tensor:
        """(…, 1) negative log-likelihoods of (…, 1) values, without the constant terms, for (…, 2) outputs."""
        scale = self._scale(outputs)
        distance = (goal - outputs[..., 1:]) / scale
        return scale.log() + (_DEGREES + 1) / 2 * torch.log1p(distance.square() / _DEGREES)

    def shift(self, level: Tensor) -> Tensor:
        """(…, 1) numbers to add to the location → (…, 2) numbers to add to the outputs."""
        return F.pad(level, (1, 0))

    def _scale(self, outputs: Tensor) -> Tensor:
        return F.softplus(outputs[..., :1]) + _SMALLEST_SCALE


def _quantile(probability: float) -> float:
    """Of the standard distribution, by its closed form for 4 degrees of freedom (Shaw 2006)."""
    root = math.sqrt(4 * probability * (1 - probability))
    size = 2 * math.sqrt(math.cos(math.acos(root) / 3) / root - 1)
    return math.copysign(size, probability - 0.5)
