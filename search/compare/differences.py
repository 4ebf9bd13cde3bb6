"""The scores of the families on the holdout, case by case: paired tests against the best one, corrected together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lstmgru.evaluation.significance import Interval, holm
from search.compare.measures import Difference
from search.compare.significance import seeds_differ
from search.tasks.retrain import SeedResult

Compare = Callable[[Sequence[Any], Sequence[Any]], Interval]
"""From what the seeds of two families gave, the first minus the second, see
:meth:`search.tasks.compare.ComparedTask.interval`."""


def differences(results: Mapping[str, Sequence[SeedResult]], best: str, compare: Compare) -> dict[str, Difference]:
    """How every other family differs from the best one, on the holdout.

    The p-values of all comparisons are corrected together.

    Args:
        results: What the seeds gave, by family; at least one each.
        best: The family that the others are compared with.
        compare: Compares two of them.
    """
    others = {name: found for name, found in results.items() if name != best}
    found = {name: _difference(seeds, results[best], compare) for name, seeds in others.items()}
    corrected = holm([each.p_value for each in found.values()])
    return {name: replace(each, corrected=value) for (name, each), value in zip(found.items(), corrected, strict=True)}


def _difference(ours: Sequence[SeedResult], theirs: Sequence[SeedResult], compare: Compare) -> Difference:
    interval = compare(ours, theirs)
    known = math.isfinite(interval.low)
    return Difference(
        mean=interval.mean,
        low=interval.low if known else None,
        high=interval.high if known else None,
        p_value=interval.p_value,
        corrected=interval.p_value,
        beyond_seeds=seeds_differ([each.holdout for each in ours], [each.holdout for each in theirs]),
    )
