"""Significance of paired differences between two methods, with intervals that account for dependence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lstmgru.evaluation.autocorrelation import MeanTest

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEVEL = 0.05
"""Share of false claims between equal methods that a test may make."""

FEWEST_CUTOFFS = 5
"""Fewest cutoffs without overlap for an interval."""
_FEW_CUTOFFS = 20
_BLOCKS = 8
_FEWEST_FOR_BLOCKS = 3 * _BLOCKS
FEWEST_UNITS = 5
"""Fewest units of a bootstrap."""
_FEWEST_EFFECTIVE_UNITS = 3.0
_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A mean difference with its 95% interval, infinite with too few data, and the p-value of no difference.

    Attributes:
        mean: The difference.
        low: Lower end of the interval.
        high: Upper end of the interval.
        p_value: p-value of no difference; 1 with too few data.
        lacking: What there are too few of, such as ``cutoffs``; empty if the interval is finite.
        blocks: Half of the width of the interval of a t test of the means of eight blocks; ``None``: there are none.
            It is narrower where few values leave open how strongly they depend on each other.
    """

    mean: float
    low: float
    high: float
    p_value: float = 1.0
    lacking: str = ""
    blocks: float | None = None

    @classmethod
    def unknown(cls, mean: float, lacking: str) -> Self:
        """A difference without an interval.

        Args:
            mean: The difference.
            lacking: What there are too few of.
        """
        return cls(mean, -np.inf, np.inf, 1.0, lacking)


def paired_interval(difference: Floats, times: Integers, *, overlap: int) -> Interval:
    """The 95% interval of a mean of paired differences between two forecasters.

    Series that move together are no sample, so the differences are averaged over the series at each cutoff. Neighboring
    windows share targets, so the means of neighboring cutoffs are averaged over the overlap of the windows. These means
    are still autocorrelated, and are tested by :class:`~lstmgru.evaluation.autocorrelation.MeanTest`. If there are
    many of them, the interval is at least that of a t test of the means of eight blocks (Ibragimov & Müller 2010),
    which does not assume a kind of autocorrelation. With fewer than twenty means, there is an interval only if it
    excludes 0, and with fewer than five, there is none.

    Args:
        difference: (windows,) error of one forecaster minus error of the other.
        times: (windows,) time of each cutoff, as an ordered number.
        overlap: Number of neighboring cutoffs that share a target: horizon / stride, 1 without overlap.
    """
    by_time = _group_means(difference, times)
    mean, count = float(by_time.mean()), len(by_time) // overlap
    if count < FEWEST_CUTOFFS:
        return Interval.unknown(mean, "cutoffs")
    means = _block_means(by_time, count)
    if not np.ptp(means):
        return Interval(mean, mean, mean, float(mean == 0))
    test = MeanTest.of(means)
    half, p_value, of_blocks = test.half_width(LEVEL), test.p_value, None
    if count >= _FEWEST_FOR_BLOCKS:
        blocks = _block_means(by_time, _BLOCKS)
        error = float(blocks.std(ddof=1) / np.sqrt(_BLOCKS))
        of_blocks = _t_quantile(_BLOCKS - 1) * error
        half = max(half, of_blocks)
        p_value = max(p_value, _t_p_value(mean, error, _BLOCKS - 1))
    if count < _FEW_CUTOFFS and p_value >= LEVEL:
        return Interval.unknown(mean, "cutoffs")
    return Interval(mean, mean - half, mean + half, p_value, blocks=of_blocks)


def paired_bootstrap(difference: Callable[[Integers], float], units: Integers, lacking: str) -> Interval:
    """The 95% interval of a difference between two methods, from a bootstrap (Efron & Tibshirani 1993).

    Args:
        difference: Maps (n,) drawn rows, with repetitions, to the score of one method minus that of the other.
        units: (k,) the unit of each row: rows of one unit depend on each other.
        lacking: What the units are, in the plural.
    """
    mean = difference(np.arange(len(units)))
    return bootstrap_interval(mean, bootstrap_scores(difference, units), units, lacking)


def bootstrap_scores(score: Callable[[Integers], float], units: Integers) -> Floats:
    """(draws,) scores of bootstrap samples; empty if there are too few units.

    Whole units are drawn with replacement, as many as there are. The draws are the same in every call, so that the
    scores of two methods on the same units are paired.

    Args:
        score: Maps (n,) drawn rows, with repetitions, to a score.
        units: (k,) the unit of each row: rows of one unit depend on each other.
    """
    rows = np.argsort(units, kind="stable")
    _, starts, sizes = np.unique(units[rows], return_index=True, return_counts=True)
    if len(starts) < FEWEST_UNITS:
        return np.empty(0)
    generator = np.random.default_rng(0)
    values = np.empty(_RESAMPLES)
    for draw in range(_RESAMPLES):
        drawn = generator.integers(len(starts), size=len(starts))
        values[draw] = score(rows[_ranges(starts[drawn], sizes[drawn])])
    return values


def bootstrap_interval(mean: float, values: Floats, units: Integers, lacking: str) -> Interval:
    """The 95% interval of a difference, from bootstrap draws.

    Percentiles of the draws are too narrow with few units. The interval is therefore that of a t test. Its standard
    error is that of the draws, corrected for the number of units. Its degrees of freedom are the effective number of
    units, (Σ size)² / Σ size², minus 1.

    Args:
        mean: The difference on all rows.
        values: (draws,) differences, see :func:`bootstrap_scores`. Undefined ones are ignored; if they are the
            majority, there is no interval.
        units: (k,) the unit of each row.
        lacking: What the units are, in the plural.
    """
    values = values[np.isfinite(values)]
    _, sizes = np.unique(units, return_counts=True)
    effective = float(sizes.sum() ** 2 / np.sum(sizes**2))
    if len(values) < _RESAMPLES / 2 or effective < _FEWEST_EFFECTIVE_UNITS:
        return Interval.unknown(mean, lacking)
    error = float(values.std() * np.sqrt(len(sizes) / (len(sizes) - 1)))
    half = _t_quantile(effective - 1) * error
    return Interval(mean, mean - half, mean + half, _t_p_value(mean, error, effective - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several tests, corrected to control the family-wise error rate (Holm 1979).

    A difference is significant if its corrected value is below the level. The smallest p-value is multiplied by the
    number of tests, the next one by one less, and so on; corrected values never decrease in this order.
    """
    corrected = [1.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def _t_quantile(dof: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(dof, 1 - LEVEL / 2))


def _t_p_value(mean: float, error: float, dof: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(dof, -abs(mean) / error)) if error else float(mean == 0)


def _block_means(values: Floats, count: int) -> Floats:
    """(count,) means of neighboring values."""
    return np.array([part.mean() for part in np.array_split(values, count)])


def _group_means(values: Floats, keys: Integers) -> Floats:
    """(groups,) means by key, in the order of the keys."""
    _, group = np.unique(keys, return_inverse=True)
    return np.bincount(group, weights=values) / np.bincount(group)


def _ranges(starts: Integers, sizes: Integers) -> Integers:
    """The concatenated ranges that start at ``starts[i]`` and have ``sizes[i]`` numbers."""
    ends = np.cumsum(sizes)
    numbers: Integers = np.arange(ends[-1]) + np.repeat(starts - (ends - sizes), sizes)
    return numbers
