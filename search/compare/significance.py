"""How families differ from the best one: paired tests on the holdout, standings, and the verdict in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lstmgru.errors import listed
from lstmgru.evaluation.significance import LEVEL, Interval, holm
from search.compare.results import STANDINGS, ComparedBaseline, Difference, FamilyResult, Standing
from search.tasks.compare import Terms
from search.tasks.verdict import against, undecided

if TYPE_CHECKING:
    from search.tasks.data import SeedResult

Compare = Callable[[Sequence[Any], Sequence[Any]], Interval]
"""Difference between the seeds of two families, the first minus the second, see
:meth:`search.tasks.compare.ComparedTask.interval`."""


def differences(results: Mapping[str, Sequence[SeedResult]], best: str, compare: Compare) -> dict[str, Difference]:
    """Differences of all other families from the best one, on the holdout.

    The p-values of all comparisons are corrected together (Holm 1979).

    Args:
        results: Results of the seeds by family, at least one each.
        best: The family that the others are compared with.
        compare: Compares two families.
    """
    others = {name: found for name, found in results.items() if name != best}
    found = {name: _difference(seeds, results[best], compare) for name, seeds in others.items()}
    corrected = holm([each.p_value for each in found.values()])
    return {name: replace(each, corrected=value) for (name, each), value in zip(found.items(), corrected, strict=True)}


def baseline_differences(
    baselines: Mapping[str, SeedResult], best: Sequence[SeedResult], compare: Compare
) -> dict[str, Difference]:
    """Differences of the baselines from the best family, on the holdout.

    The p-values are corrected for the number of baselines (Holm 1979).

    Args:
        baselines: Their results by name.
        best: Results of the seeds of the best family, at least one.
        compare: Compares results.
    """
    found = {name: _difference([result], best, compare) for name, result in baselines.items()}
    seeds = [each.holdout for each in best]
    corrected = holm([each.p_value for each in found.values()])
    return {
        name: replace(each, corrected=value, beyond_seeds=seeds_differ_from(seeds, baselines[name].holdout))
        for (name, each), value in zip(found.items(), corrected, strict=True)
    }


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
    """Standing of a family relative to the one with the best score on the folds.

    A difference must be significant over the cases *and* over the seeds: five networks that agree on all windows say
    nothing about a sixth.
    """
    if difference.low is None or difference.beyond_seeds is None:
        return "unknown"
    if difference.corrected >= LEVEL:
        return "equal"
    if not difference.beyond_seeds:
        return "seeds"
    return "better" if (difference.mean > 0) == larger_is_better else "worse"


def seeds_differ(one: Sequence[float], other: Sequence[float]) -> bool | None:
    """Whether the scores of seeds differ significantly (Welch 1947); ``None``: fewer than two on one side."""
    from scipy.stats import ttest_ind_from_stats

    if min(len(one), len(other)) < 2:
        return None
    (mean, deviation), (other_mean, other_deviation) = (_moments(values) for values in (one, other))
    if deviation == other_deviation == 0:
        return mean != other_mean
    test = ttest_ind_from_stats(mean, deviation, len(one), other_mean, other_deviation, len(other), equal_var=False)
    return bool(test.pvalue < LEVEL)


def seeds_differ_from(seeds: Sequence[float], value: float) -> bool | None:
    """Whether the scores of seeds differ significantly from that of a baseline (t test); ``None``: fewer than two."""
    from scipy.special import stdtr

    if len(seeds) < 2:
        return None
    mean, deviation = _moments(seeds)
    if deviation == 0:
        return mean != value
    statistic = abs(mean - value) / deviation * math.sqrt(len(seeds))
    return bool(2 * stdtr(len(seeds) - 1, -statistic) < LEVEL)


def verdict(best: str, standings: Mapping[str, Standing], terms: Terms) -> str:
    """The result of a comparison in sentences.

    Args:
        best: The family with the best score on the folds.
        standings: Standings of the other families that have a score.
        terms: Words of the task.
    """
    by = {word: [name for name, found in standings.items() if found == word] for word in STANDINGS}
    if not standings:
        return f"Only {best} has a score, so there is nothing to compare."
    if by["better"]:
        return (
            f"Folds and holdout disagree: {best} has the best score on the folds, but {listed(by['better'])} "
            f"{_verb(by['better'], 'has', 'have')} {terms.better} on the holdout. No family is the best one."
        )
    if len(by["worse"]) == len(standings):
        return f"{best} is the best family: {terms.better_than} {listed(by['worse'])}."
    if by["worse"]:
        return f"{best} is better than {listed(by['worse'])}; {_undecided(best, by, terms)}."
    if by["equal"] or by["seeds"]:
        return f"No significant difference: {best} has the best score on the folds; {_undecided(best, by, terms)}."
    few = f"there are too few {terms.units} or seeds to compare it with the others"
    return f"{best} has the best score on the folds, but {few}."


def against_baselines(best: FamilyResult, baselines: Sequence[ComparedBaseline], terms: Terms) -> str:
    """Whether the best family beats the baselines on the holdout, in a sentence; empty without baselines or a score.

    Folds are no comparison: the best candidates were chosen there, and baselines chose nothing.

    Args:
        best: The family with the best score on the folds.
        baselines: The baselines with their standings relative to this family, best score first.
        terms: Words of the task.
    """
    if not baselines or best.holdout is None:
        return ""
    score, first = best.holdout.mean, baselines[0]
    numbers = against(terms.metric, score, first.holdout.mean, targets=terms.targets, apart=True)
    better = [each.title for each in baselines if each.standing == "better"]
    if better:
        subject = f"the {'baseline' if len(better) == 1 else 'baselines'} {listed(better)}"
        ending = "use it" if len(better) == 1 else f"use {first.title}"
        return f"On the holdout, {subject} {_verb(better, 'is', 'are')} better than {best.name} ({numbers}): {ending}."
    if all(each.standing == "worse" for each in baselines):
        which = "the only baseline" if len(baselines) == 1 else "all baselines"
        return f"{best.name} beats {which} on the holdout; the best one is {first.title} ({numbers})."
    if first.standing == "worse":
        return f"{best.name} beats the best baseline on the holdout ({first.title}): {numbers}."
    lacking = terms.units if first.difference is None or first.difference.low is None else ""
    numbers = undecided(terms.metric, score, first.holdout.mean, lacking, targets=terms.targets)
    lead = f"the best baseline on the holdout ({first.title}): {numbers}."
    if score != first.holdout.mean and (score > first.holdout.mean) == terms.larger_is_better:
        return f"{best.name} does not clearly beat {lead}"
    return f"{best.name} does not beat {lead} Prefer {first.title}."


def _undecided(best: str, by: Mapping[Standing, list[str]], terms: Terms) -> str:
    """What is known about the families that are neither better nor worse than the best one."""
    parts = []
    if by["equal"]:
        parts.append(
            f"{listed(by['equal'])} {_verb(by['equal'], 'is', 'are')} not significantly different on the holdout"
        )
    if by["seeds"]:
        verb = _verb(by["seeds"], "differs", "differ")
        parts.append(f"{listed(by['seeds'])} {verb} from {best} by no more than the variation between seeds")
    if by["unknown"]:
        parts.append(f"there are too few {terms.units} or seeds to compare {best} with {listed(by['unknown'])}")
    return ", and ".join(parts)


def _verb(names: Sequence[str], one: str, many: str) -> str:
    return one if len(names) == 1 else many


def _moments(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean = math.fsum(values) / len(values)
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
