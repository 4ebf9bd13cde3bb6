"""The mean of autocorrelated values: a t test that averages over what the autocorrelation may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_HIGHEST = 0.985
_CANDIDATES = 24


@dataclass(frozen=True)
class MeanTest:
    """A test of the mean of values from a first-order autoregressive process with unknown autocorrelation.

    Few values say little about their autocorrelation, and its estimate is too low. The test therefore uses no estimate.
    It weights candidate autocorrelations from 0 to 0.985 by their restricted likelihood (Harville 1974), given a prior
    that is uniform in the logarithm of 1 - autocorrelation, and averages the p-values of their t tests.

    Attributes:
        mean: Mean of the values.
        errors: (candidates,) standard error of the mean under each candidate autocorrelation.
        weights: (candidates,) weights of the candidates, with sum 1.
        dof: Degrees of freedom of each t test.
    """

    mean: float
    errors: Floats
    weights: Floats
    dof: int

    @classmethod
    def of(cls, values: Floats) -> Self:
        """The test of some values.

        Args:
            values: (n,) values in the order of time, at least two, not all equal.
        """
        count = len(values)
        candidates: Floats = 1 - np.exp(np.linspace(0, np.log(1 - _HIGHEST), _CANDIDATES))
        squares, information = _residual_squares(values - values.mean(), candidates)
        likelihood = -0.5 * (count - 1) * (np.log(1 - candidates**2) + np.log(squares)) - 0.5 * np.log(information)
        weights = np.exp(likelihood - likelihood.max())
        errors = np.sqrt(squares / (count - 1) * _variance_of_mean(count, candidates))
        return cls(float(values.mean()), errors, weights / weights.sum(), count - 1)

    @property
    def p_value(self) -> float:
        """The two-sided p-value of mean 0."""
        return self._tails(abs(self.mean))

    def half_width(self, level: float) -> float:
        """Half of the width of the interval around the mean.

        Args:
            level: Share of the intervals that miss the true mean.
        """
        from scipy.optimize import brentq
        from scipy.special import stdtrit

        widths = stdtrit(self.dof, 1 - level / 2) * self.errors
        return float(brentq(lambda width: self._tails(width) - level, widths.min(), widths.max()))

    def _tails(self, distance: float) -> float:
        """Probability that the mean is farther than that from the true mean."""
        from scipy.special import stdtr

        return float(2 * self.weights @ stdtr(self.dof, -distance / self.errors))


def _residual_squares(centered: Floats, candidates: Floats) -> tuple[Floats, Floats]:
    """Generalized least squares of a mean under each autocorrelation.

    Args:
        centered: (n,) values minus their mean.
        candidates: (candidates,) autocorrelations.

    Returns:
        (candidates,) sum of squares around the estimated mean in units of the correlation matrix, and (candidates,) the
        information 1'R⁻¹1 about the mean.
    """
    ends = centered[0] + centered[-1]
    total = (1 + candidates**2) * np.sum(centered**2)
    total -= candidates**2 * (centered[0] ** 2 + centered[-1] ** 2)
    total -= 2 * candidates * np.sum(centered[1:] * centered[:-1])
    information = (2 + (len(centered) - 2) * (1 - candidates)) / (1 + candidates)
    product = candidates * ends / (1 + candidates)  # 1'R⁻¹x of values with sum 0
    return total / (1 - candidates**2) - product**2 / information, information


def _variance_of_mean(count: int, candidates: Floats) -> Floats:
    """(candidates,) variance of the mean of values with variance 1, by their autocorrelation."""
    rest = 1 - candidates
    sums = candidates / rest * (count - (1 - candidates**count) / rest)
    return (count + 2 * sums) / count**2
