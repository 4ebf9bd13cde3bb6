"""The errors of the families, compared window by window: paired tests against the best one, corrected together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lstmgru.comparison import Interval, holm, paired_interval
from search.comparing.again import SeedResult
from search.comparing.judging import seeds_differ
from search.comparing.results import Difference

if TYPE_CHECKING:
    import numpy.typing as npt


def differences(results: Mapping[str, Sequence[SeedResult]], best: str, *, overlap: int) -> dict[str, Difference]:
    """How the errors of every other family differ from those of the best one, on the holdout.

    Errors are averaged over the seeds first. The p-values of all comparisons are corrected together.

    Args:
        results: What the seeds gave, by family; at least one each.
        best: The family that the others are compared with.
        overlap: Neighbouring cutoffs that share a target: the horizon over the stride.
    """
    others = {name: found for name, found in results.items() if name != best}
    found = {name: _difference(seeds, results[best], overlap) for name, seeds in others.items()}
    corrected = holm([each.p_value for each in found.values()])
    return {name: replace(each, corrected=value) for (name, each), value in zip(found.items(), corrected, strict=True)}


def _difference(ours: Sequence[SeedResult], theirs: Sequence[SeedResult], overlap: int) -> Difference:
    interval = _interval(ours, theirs, overlap)
    known = math.isfinite(interval.low)
    return Difference(
        mean=interval.mean,
        low=interval.low if known else None,
        high=interval.high if known else None,
        p_value=interval.p_value,
        corrected=interval.p_value,
        beyond_seeds=seeds_differ([each.holdout for each in ours], [each.holdout for each in theirs]),
    )


def _interval(ours: Sequence[SeedResult], theirs: Sequence[SeedResult], overlap: int) -> Interval:
    """That of :func:`lstmgru.comparison.paired_interval`, which needs only the means by cutoff or by series."""
    by_time = _mean([each.by_time for each in ours]) - _mean([each.by_time for each in theirs])
    interval = paired_interval(by_time, np.arange(len(by_time)), np.zeros(len(by_time), np.int64), overlap=overlap)
    if math.isfinite(interval.low):
        return interval
    by_series = _mean([each.by_series for each in ours]) - _mean([each.by_series for each in theirs])
    one_time = np.zeros(len(by_series), np.int64)
    found = paired_interval(by_series, one_time, np.arange(len(by_series)), overlap=2)
    return found if math.isfinite(found.low) else interval


def _mean(rows: Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    """(groups,) mean over the seeds."""
    means: npt.NDArray[np.float64] = np.array(rows, np.float64).mean(axis=0)
    return means
