"""Significance of paired differences between two methods, with intervals that account for dependence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_FEWEST_BLOCKS = 3
_FEWEST_SERIES = 5
_FEWEST_UNITS = 5
_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A mean difference with its 95 % interval, infinite with too few data, and the p-value of no difference."""

    mean: float
    low: float
    high: float
    p_value: float = 1.0


def paired_interval(difference: Floats, times: Integers, series: Integers, *, overlap: int) -> Interval:
    """The 95 % interval of a mean of paired differences between two forecasters.

    Neighboring windows overlap and series are correlated. Differences are therefore averaged over the series at each
    cutoff, and then over blocks of neighboring cutoffs that are twice as long as the overlap of windows; the block
    means are nearly independent, and the interval is that of their t test (Ibragimov & Müller 2010). With too few
    cutoffs, the means of the series are tested instead.

    Args:
        difference: (windows,) error of one forecaster minus error of the other.
        times: (windows,) time of each cutoff, as an ordered number.
        series: (windows,) series of each window.
        overlap: Number of neighboring cutoffs that share a target: horizon / stride, 1 without overlap.
    """
    by_time = _group_means(difference, times)
    blocks = len(by_time) if overlap == 1 else len(by_time) // (2 * overlap)
    if blocks >= _FEWEST_BLOCKS:
        return _t_interval(np.array([part.mean() for part in np.array_split(by_time, blocks)]))
    by_series = _group_means(difference, series)
    if len(by_series) >= _FEWEST_SERIES:
        return _t_interval(by_series)
    return Interval(float(difference.mean()), -np.inf, np.inf)


def paired_bootstrap(difference: Callable[[Integers], float], units: Integers) -> Interval:
    """The 95 % percentile interval of a difference between two methods, from a bootstrap (Efron & Tibshirani 1993).

    Args:
        difference: Maps (n,) drawn rows, with repetitions, to the score of one method minus that of the other.
        units: (k,) the unit of each row: rows of one unit depend on each other.
    """
    return bootstrap_interval(difference(np.arange(len(units))), bootstrap_scores(difference, units))


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
    if len(starts) < _FEWEST_UNITS:
        return np.empty(0)
    generator = np.random.default_rng(0)
    values = np.empty(_RESAMPLES)
    for draw in range(_RESAMPLES):
        drawn = generator.integers(len(starts), size=len(starts))
        values[draw] = score(rows[_ranges(starts[drawn], sizes[drawn])])
    return values


def bootstrap_interval(mean: float, values: Floats) -> Interval:
    """The 95 % percentile interval of a difference, from bootstrap draws.

    Draws with an undefined difference are ignored; if they are the majority, the interval is infinite.

    Args:
        mean: The difference on all rows.
        values: (draws,) differences, see :func:`bootstrap_scores`.
    """
    values = values[np.isfinite(values)]
    if len(values) < _RESAMPLES / 2:
        return Interval(mean, -np.inf, np.inf)
    low, high = np.percentile(values, (2.5, 97.5))
    tail = int(min(np.sum(values <= 0), np.sum(values >= 0)))
    return Interval(mean, float(low), float(high), min(1.0, 2 * (tail + 1) / (len(values) + 1)))


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


def _t_interval(values: Floats) -> Interval:
    from scipy.stats import t

    mean = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(t.ppf(0.975, len(values) - 1)) * error
    if error == 0:
        return Interval(mean, mean, mean, float(mean == 0))
    return Interval(mean, mean - half, mean + half, float(2 * t.sf(abs(mean) / error, len(values) - 1)))


def _group_means(values: Floats, keys: Integers) -> Floats:
    """(groups,) means by key, in the order of the keys."""
    _, group = np.unique(keys, return_inverse=True)
    means: Floats = np.bincount(group, weights=values) / np.bincount(group)
    return means


def _ranges(starts: Integers, sizes: Integers) -> Integers:
    """The concatenated ranges that start at ``starts[i]`` and have ``sizes[i]`` numbers."""
    ends = np.cumsum(sizes)
    numbers: Integers = np.arange(ends[-1]) + np.repeat(starts - (ends - sizes), sizes)
    return numbers
