"""Is one forecaster really better than another? Paired differences with an interval that respects their dependence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_RESAMPLES = 2000
_FEWEST_GROUPS = 5


@dataclass(frozen=True)
class Interval:
    """A mean difference with its 95 % interval; infinite where the data are too few to tell."""

    mean: float
    low: float
    high: float


def paired_interval(
    difference: npt.NDArray[np.float64],
    times: npt.NDArray[np.int64],
    series: npt.NDArray[np.int64],
    *,
    block_length: int,
    seed: int = 0,
) -> Interval:
    """The 95 % interval of a mean of paired differences between two forecasters.

    Neighbouring windows overlap and series move together, so differences are first averaged over the series at each
    cutoff, and whole blocks of neighbouring cutoffs are resampled (circular block bootstrap, Politis & Romano 1992).
    Where there are too few cutoffs for that, whole series are resampled instead.

    Args:
        difference: (windows,) error of one forecaster minus error of the other.
        times: (windows,) the moment of each cutoff, as an ordered number.
        series: (windows,) the series of each window.
        block_length: Cutoffs in a block; at least as many as overlap.
        seed: Of the resampling.
    """
    by_time = _group_means(difference, times)
    mean = float(difference.mean())
    if len(by_time) >= _FEWEST_GROUPS * block_length:
        groups, length = by_time, block_length
    else:
        groups, length = _group_means(difference, series), 1
    if len(groups) < _FEWEST_GROUPS:
        return Interval(mean, -np.inf, np.inf)
    generator = np.random.default_rng(seed)
    blocks = -(-len(groups) // length)
    starts = generator.integers(0, len(groups), (_RESAMPLES, blocks, 1))
    rows = (starts + np.arange(length)).reshape(_RESAMPLES, -1)[:, : len(groups)] % len(groups)
    low, high = np.quantile(groups[rows].mean(axis=1), [0.025, 0.975])
    return Interval(mean, float(low), float(high))


def _group_means(values: npt.NDArray[np.float64], keys: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(groups,) means by key, in the order of the keys."""
    _, group = np.unique(keys, return_inverse=True)
    return np.bincount(group, weights=values) / np.bincount(group)
