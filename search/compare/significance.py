"""From numbers to words: how each family differs from the best one, and what all of that says."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgru.evaluation.significance import Interval, holm
from search.compare.results import Difference, Standing
from search.tasks.compare import Terms

if TYPE_CHECKING:
    from search.tasks.retrain import SeedResult

LEVEL = 0.05
"""A claim is made where chance alone would make one as large or larger less often."""

STANDINGS: dict[Standing, str] = {
    "best": "best on the folds",
    "equal": "no difference that these data can show",
    "worse": "worse",
    "seeds": "differs in these {cases}, but no more than seeds do",
    "better": "better on the holdout, though not on the folds",
    "unknown": "too few {cases} or seeds to tell",
}
"""Each standing in words; ``{cases}`` are windows, sequences or texts."""

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


def standing(difference: Difference, *, larger_is_better: bool) -> Standing:
    """How a family stands to the one that is best on the folds.

    A difference counts if it is more than chance over the cases *and* more than the luck of a seed: what five networks
    do in all windows says nothing of the sixth.
    """
    if difference.low is None or difference.beyond_seeds is None:
        return "unknown"
    if difference.corrected >= LEVEL:
        return "equal"
    if not difference.beyond_seeds:
        return "seeds"
    return "better" if (difference.mean > 0) == larger_is_better else "worse"


def seeds_differ(one: Sequence[float], other: Sequence[float]) -> bool | None:
    """Whether the scores of seeds differ by more than chance (Welch 1947); ``None`` where one side has fewer than 2."""
    from scipy.stats import ttest_ind_from_stats

    if min(len(one), len(other)) < 2:
        return None
    (mean, deviation), (other_mean, other_deviation) = (_moments(values) for values in (one, other))
    if deviation == other_deviation == 0:
        return mean != other_mean
    test = ttest_ind_from_stats(mean, deviation, len(one), other_mean, other_deviation, len(other), equal_var=False)
    return bool(test.pvalue < LEVEL)


def verdict(best: str, standings: Mapping[str, Standing], terms: Terms) -> str:
    """What a comparison says, in sentences.

    Args:
        best: The family that is best on the folds.
        standings: Of the other families that have a score.
        terms: The words of the task.
    """
    by = {word: [name for name, found in standings.items() if found == word] for word in STANDINGS}
    if not standings:
        return f"Only {best} has a score, so there is nothing to compare."
    if by["better"]:
        return (
            f"Folds and holdout disagree: {best} scores best on the folds, but on the holdout {_and(by['better'])} "
            f"{_verb(by['better'], 'has', 'have')} {terms.better}. No family is the best one here."
        )
    close = [*by["equal"], *by["seeds"]]
    if len(by["worse"]) == len(standings):
        return f"{best} is the best family: {terms.better_than} {_and(by['worse'])}."
    if not by["worse"]:
        if not close:
            few = f"there are too few {terms.cases} or seeds to tell it from the others"
            return f"{best} scores best on the folds, but {few}."
        return f"No difference that these data can show: {best} scores best on the folds, {_not_told(by, terms)}."
    return f"{best} is better than {_and(by['worse'])}; {_not_told(by, terms)}."


def against_baselines(baselines: Mapping[str, float], scores: Mapping[str, float], *, larger_is_better: bool) -> str:
    """Which families score better on the folds than the best simple method; nothing where none is scored.

    Args:
        baselines: Scores on the folds, by name.
        scores: Likewise, of the families.
        larger_is_better: Which way they are better.
    """
    if not baselines or not scores:
        return ""
    name, limit = (max if larger_is_better else min)(baselines.items(), key=lambda item: item[1])
    method = f"the best simple method ({name.replace('_', ' ')}, {limit:.4g})"
    better = [family for family, score in scores.items() if (score > limit if larger_is_better else score < limit)]
    if len(better) == len(scores):
        return f"On the folds all score better than {method}."
    if not better:
        return f"On the folds {method} scores better than every family: use it."
    return f"On the folds only {_and(better)} {_verb(better, 'scores', 'score')} better than {method}."


def _not_told(by: Mapping[Standing, list[str]], terms: Terms) -> str:
    """What is said of the families that are not told apart from the best one."""
    parts = []
    if by["equal"]:
        parts.append(f"{_and(by['equal'])} cannot be told from it on the holdout")
    if by["seeds"]:
        parts.append(f"{_and(by['seeds'])} {_verb(by['seeds'], 'differs', 'differ')} from it by no more than seeds do")
    if by["unknown"]:
        parts.append(f"there are too few {terms.cases} or seeds to tell {_and(by['unknown'])} from it")
    return ", and ".join(parts)


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
