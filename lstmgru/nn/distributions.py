"""Distributions whose parameters a network forecasts, instead of quantiles."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.nn.inputs import SMALLEST

_DEGREES = 4
# In units of the normalized values: below it the likelihood of repeated values would grow without bound.
_SMALLEST_SCALE = 1e-3
_SMALLEST_MEAN, _SMALLEST_DISPERSION = 1e-4, 1e-3
_POWER = 1.5


class Distribution(nn.Module, ABC):
    """Turns the outputs of a network into quantiles of a distribution, and is its loss."""

    n_outputs: ClassVar[int]
    """Parameters; decoders take the output at position ``n_outputs // 2`` for the level."""
    nonnegative: ClassVar[bool] = False
    """Whether values are at least 0, which only a window that is divided by its mean keeps."""

    @abstractmethod
    def forward(self, outputs: Tensor, scale: Tensor) -> Tensor:
        """The quantiles.

        Args:
            outputs: (B, H, Y, n_outputs).
            scale: (B, 1, Y, 1) what normalized values were divided by.

        Returns:
            (B, H, Y, Q) normalized; Q is 1 for a forecast of the mean.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, goal: Tensor, scale: Tensor) -> Tensor:
        """(B, H, Y, 1) losses of normalized values ``goal``, see :meth:`forward`."""

    def shift(self, level: Tensor) -> Tensor:
        """(…, 1) numbers to add to the level → (…, n_outputs) numbers to add to the outputs."""
        return F.pad(level, (self.n_outputs // 2, 0))


class StudentT(Distribution):
    """A Student t distribution with 4 degrees of freedom, robust to outliers (Lange et al. 1989).

    The outputs are the scale before a softplus, and the location.

    Args:
        probabilities: (Q,) of the quantiles.
    """

    n_outputs = 2
    standard: Tensor

    def __init__(self, probabilities: tuple[float, ...], n_targets: int) -> None:
        super().__init__()
        self.register_buffer("standard", torch.tensor([_quantile(each) for each in probabilities]), persistent=False)

    def forward(self, outputs: Tensor, scale: Tensor) -> Tensor:
        """The quantiles, see :meth:`Distribution.forward`."""
        return outputs[..., 1:] + self.standard * self._scale(outputs)

    def loss(self, outputs: Tensor, goal: Tensor, scale: Tensor) -> Tensor:
        """The negative log-likelihoods without the constant terms, see :meth:`Distribution.loss`."""
        spread = self._scale(outputs)
        distance = (goal - outputs[..., 1:]) / spread
        return spread.log() + (_DEGREES + 1) / 2 * torch.log1p(distance.square() / _DEGREES)

    def _scale(self, outputs: Tensor) -> Tensor:
        return F.softplus(outputs[..., :1]) + _SMALLEST_SCALE


class NegativeBinomial(Distribution):
    """A negative binomial distribution of counts (DeepAR, Salinas et al. 2020).

    The outputs are the dispersion α and the mean μ before a softplus, the latter in units of one more than the mean of
    the window; the variance is μ + α μ². Quantiles below :attr:`grid` are exact: the first count whose cumulative
    probability reaches them. Above, they are those of the gamma distribution with the same mean and variance by the
    approximation of Wilson & Hilferty (1931): within 7% for dispersions up to 1, and within a fifth for larger ones.

    Args:
        probabilities: (Q,) of the quantiles.
        n_targets: Y.

    Attributes:
        unit: (Y,) what counts were divided by before they were normalized; set by the fit.
    """

    n_outputs = 2
    nonnegative = True
    grid = 128
    unit: Tensor
    counts: Tensor

    def __init__(self, probabilities: tuple[float, ...], n_targets: int) -> None:
        super().__init__()
        self._probabilities = probabilities
        self._normal = [math.sqrt(2) * float(torch.erfinv(torch.tensor(2 * each - 1.0))) for each in probabilities]
        self.register_buffer("unit", torch.ones(n_targets))
        self.register_buffer("counts", torch.arange(float(self.grid - 1)), persistent=False)

    def forward(self, outputs: Tensor, scale: Tensor) -> Tensor:
        """The quantiles, see :meth:`Distribution.forward`."""
        in_counts = self._in_counts(scale)
        mean, dispersion = self._moments(outputs, in_counts)
        cumulative = self._cumulative(mean, dispersion)
        square = mean * mean
        variance = mean + dispersion * square
        shape, spread = square / variance, variance / mean
        quantiles = []
        for probability, normal in zip(self._probabilities, self._normal, strict=True):
            exact = (cumulative < probability).to(mean.dtype).sum(dim=-1, keepdim=True)
            cube = (1 - 1 / (9 * shape) + normal / (3 * shape.sqrt())).clamp(min=0)
            above = (shape * spread * cube * cube * cube).clamp(min=float(self.grid))
            quantiles.append(torch.where(exact < self.grid, exact, above))
        return torch.cat(quantiles, dim=-1) / in_counts

    def loss(self, outputs: Tensor, goal: Tensor, scale: Tensor) -> Tensor:
        """The negative log-likelihoods, see :meth:`Distribution.loss`."""
        in_counts = self._in_counts(scale)
        mean, dispersion = self._moments(outputs, in_counts)
        count, successes = (goal * in_counts).clamp(min=0), 1 / dispersion
        below = torch.log1p(dispersion * mean)
        likelihood = torch.lgamma(count + successes) - torch.lgamma(successes) - torch.lgamma(count + 1)
        return (count + successes) * below - count * (dispersion * mean).log() - likelihood

    def _in_counts(self, scale: Tensor) -> Tensor:
        """(B, 1, Y, 1) counts of one normalized unit."""
        return scale * self.unit.unsqueeze(-1)

    def _moments(self, outputs: Tensor, in_counts: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H, Y, 1) mean and dispersion."""
        dispersion = F.softplus(outputs[..., :1]) + _SMALLEST_DISPERSION
        return (F.softplus(outputs[..., 1:]) + _SMALLEST_MEAN) * (1 + in_counts), dispersion

    def _cumulative(self, mean: Tensor, dispersion: Tensor) -> Tensor:
        """(B, H, Y, grid) probabilities that a count is at most 0, 1, …"""
        successes = 1 / dispersion
        none = -successes * (1 + dispersion * mean).log()
        share = (mean / (mean + successes)).log()
        steps = ((self.counts + successes) / (self.counts + 1)).log() + share
        logarithms = torch.cat([none, none + steps.cumsum(-1)], dim=-1)
        return logarithms.exp().cumsum(-1)


class Tweedie(Distribution):
    """The mean of a Tweedie distribution with power 1.5, a compound Poisson-gamma law: many zeros, positive otherwise.

    The loss is half the unit deviance (Jørgensen 1987). The density and the quantiles have no closed form, so the
    network forecasts the mean alone, and its intervals are calibrated on the folds as those of any point forecast.
    The output is the mean before a softplus, in units of the window's mean, or of the panel's where a window is 0.

    Args:
        probabilities: (1,) the median.
        n_targets: Y.
    """

    n_outputs = 1
    nonnegative = True

    def __init__(self, probabilities: tuple[float, ...], n_targets: int) -> None:
        super().__init__()

    def forward(self, outputs: Tensor, scale: Tensor) -> Tensor:
        """The mean, see :meth:`Distribution.forward`."""
        return self._mean(outputs) * _unit(scale) / scale

    def loss(self, outputs: Tensor, goal: Tensor, scale: Tensor) -> Tensor:
        """Half the unit deviances without the terms of the values alone, see :meth:`Distribution.loss`."""
        mean, value = self._mean(outputs), goal.clamp(min=0) * scale / _unit(scale)
        return mean ** (2 - _POWER) / (2 - _POWER) - value * mean ** (1 - _POWER) / (1 - _POWER)

    def _mean(self, outputs: Tensor) -> Tensor:
        mean: Tensor = F.softplus(outputs) + _SMALLEST_MEAN
        return mean


def _unit(scale: Tensor) -> Tensor:
    return torch.where(scale > 2 * SMALLEST, scale, 1.0)


DISTRIBUTIONS: dict[str, type[Distribution]] = {
    "student_t": StudentT,
    "negative_binomial": NegativeBinomial,
    "tweedie": Tweedie,
}
"""By loss."""


def _quantile(probability: float) -> float:
    """Of the standard distribution, by its closed form for 4 degrees of freedom (Shaw 2006)."""
    root = math.sqrt(4 * probability * (1 - probability))
    size = 2 * math.sqrt(math.cos(math.acos(root) / 3) / root - 1)
    return math.copysign(size, probability - 0.5)
