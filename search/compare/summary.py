"""The results of a comparison from what is stored: numbers, standings, verdict and notes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from search.compare.baselines import compared_baselines
from search.compare.results import ComparedBaseline, Comparison, Counts, FamilyResult, Score, Standing
from search.compare.significance import against_baselines, differences, standing, verdict
from search.compare.store import ORIGIN, ComparisonStore, FamilyStore
from search.compare.strengths import advise, with_traits
from search.compare.time_budget import common_trials
from search.reports.formatting import counted
from search.study.trials import trial_record
from search.tasks import task_of
from search.tasks.compare import Terms
from search.tasks.data import SeedResult

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from search.study.records import TrialRecord
    from search.tasks.plan import Plan

DIVERGED = "TrainingDiverged"
"""First word of the reason of a trial whose loss or score was not finite."""
_FEWEST_FOR_QUARTILES = 4


def summarize(plan: Plan, store: ComparisonStore, *, seeds: int, seconds: float) -> Comparison:
    """The results of everything that is stored.

    Args:
        plan: Plan of the study.
        store: The comparison on disk.
        seeds: Number of seeds with which the best trial of each family was to be retrained.
        seconds: Time of the comparison so far.
    """
    task = task_of(plan).compare(plan)
    larger_is_better = task.terms.larger_is_better
    count = common_trials(len(each.ended()) for each in store.families)
    results = {each.name: _seeds(each, count, seeds) for each in store.families}
    scored = {name: found for name, found in results.items() if found}
    ranked = sorted(scored, key=lambda name: _folds(scored[name]).mean, reverse=larger_is_better)
    best = ranked[0] if ranked else None
    found = {} if best is None else differences(scored, best, task.interval)
    standings: dict[str, Standing] = {
        name: standing(difference, larger_is_better=larger_is_better) for name, difference in found.items()
    }
    if best is not None:
        standings[best] = "best"
    families = [
        replace(
            _family(each, count, results[each.name]),
            standing=standings.get(each.name),
            difference=found.get(each.name),
            failed_seeds=_failed_seeds(each, count, seeds),
        )
        for each in store.families
    ]
    families.sort(key=lambda family: ranked.index(family.name) if family.name in scored else len(ranked))
    judged = with_traits(families, task.terms)
    rows = compared_baselines(
        store.whole.get("baseline_holdout", {}),
        scored[best] if best is not None else (),
        task,
        task_of(plan).seed_result,
    )
    return Comparison(
        study=plan.name,
        uid=store.uid,
        task=plan.config.task,
        metric=plan.metric,
        targets=task.terms.targets,
        direction=plan.direction,
        cases=task.terms.cases,
        horizon=task.horizon,
        folds=plan.n_folds,
        trials=count,
        seeds=seeds,
        seconds=round(seconds, 1),
        families=judged,
        best=best,
        verdict=_verdict(judged, rows, task.terms),
        advice=advise(judged, rows, task.terms),
        baselines=store.whole.get("baselines", {}),
        baseline_results=rows,
        notes=tuple(_notes(plan, judged, count, seeds)),
    )


def _verdict(families: Sequence[FamilyResult], baselines: Sequence[ComparedBaseline], terms: Terms) -> str:
    best = next((family for family in families if family.standing == "best"), None)
    if best is None:
        return "No family has a score."
    others = {family.name: family.standing for family in families if family.standing and family is not best}
    return f"{verdict(best.name, others, terms)} {against_baselines(best, baselines, terms)}".rstrip()


def _seeds(family: FamilyStore, count: int, seeds: int) -> list[SeedResult]:
    """Results of the first ``seeds`` retrainings, without those that failed."""
    trial = family.best(count)
    found = {} if trial is None else family.seeds(trial.number)
    return [found[number] for number in sorted(found) if number < seeds and not isinstance(found[number], str)]  # type: ignore[misc]  # no text among them


def _failed_seeds(family: FamilyStore, count: int, seeds: int) -> int:
    trial = family.best(count)
    found = {} if trial is None else family.seeds(trial.number)
    return sum(isinstance(result, str) for number, result in found.items() if number < seeds)


def _family(family: FamilyStore, count: int, seeds: Sequence[SeedResult]) -> FamilyResult:
    """The results of a family that do not depend on the others."""
    ended = family.ended()[:count]
    records = [trial_record(trial) for trial in ended]
    scores = [trial.value for trial in records if trial.state == "COMPLETE" and trial.value is not None]
    result = FamilyResult(
        name=family.name,
        words=family.family.words,
        trials=_counts(ended, records),
        contexts=family.task.contexts(records),
        sensitivity=_spread(scores),
        trial_scores=tuple(scores),
    )
    best = family.best(count)
    if best is None:
        return result
    record = trial_record(best)
    result = replace(
        result, trial=best.number, layers=record.layers, params=record.params, n_parameters=record.n_parameters
    )
    if (costs := family.costs(best.number)) is not None:
        result = replace(
            result,
            latency=costs.latency,
            batch_latency=costs.batch_latency,
            memory=costs.memory,
        )
    if not seeds:
        return result
    return replace(
        result,
        seeds=len(seeds),
        folds=_folds(seeds),
        holdout=score([[each.holdout] for each in seeds]),
        epoch_seconds=statistics.mean(each.epoch_seconds for each in seeds),
        best_seconds=statistics.mean(each.best_seconds for each in seeds),
        **family.task.findings(seeds),
    )


def _folds(seeds: Sequence[SeedResult]) -> Score:
    return score([each.fold_scores for each in seeds])


def score(rows: Sequence[Sequence[float]]) -> Score:
    """Mean and spread of scores.

    Args:
        rows: (seeds, folds) scores.
    """
    by_seed = [statistics.mean(row) for row in rows]
    by_fold = [statistics.mean(column) for column in zip(*rows, strict=True)]
    return Score(
        mean=statistics.mean(by_seed),
        seeds_sd=statistics.stdev(by_seed) if len(by_seed) > 1 else None,
        folds_sd=statistics.stdev(by_fold) if len(by_fold) > 1 else None,
        low=min(by_seed),
        high=max(by_seed),
        by_seed=tuple(by_seed),
    )


def _counts(trials: Sequence[FrozenTrial], records: Sequence[TrialRecord]) -> Counts:
    states = [record.state for record in records]
    failed = [record.reason or "" for record in records if record.state == "FAIL"]
    return Counts(
        total=len(records),
        complete=states.count("COMPLETE"),
        pruned=states.count("PRUNED"),
        failed=len(failed),
        diverged=sum(reason.startswith(DIVERGED) for reason in failed),
        inherited=sum(ORIGIN in trial.user_attrs for trial in trials),
    )


def _spread(scores: Sequence[float]) -> float | None:
    """The interquartile range."""
    if len(scores) < _FEWEST_FOR_QUARTILES:
        return None
    lower, upper = np.quantile(scores, [0.25, 0.75])
    return float(upper - lower)


def _notes(plan: Plan, families: Sequence[FamilyResult], count: int, seeds: int) -> list[str]:
    """Limitations of the results."""
    notes = [
        f"Each family had {counted(count, 'trial')}; a larger budget may find better candidates, and more so for some "
        "families than for others.",
        "Costs are those of the best candidate; other candidates of the family may be smaller or faster.",
    ]
    without = [family.name for family in families if family.folds is None]
    if without:
        why = "no complete trial within the bounds" if plan.config.search.bounds else "no complete trial"
        notes.append(f"Without a score: {', '.join(without)} ({why}, or every retraining failed).")
    fewer = [f"{family.name} {family.seeds}" for family in families if family.folds and family.seeds < seeds]
    if fewer:
        notes.append(f"Retrained with fewer than {seeds} seeds: {', '.join(fewer)}.")
    if any(family.memory is None for family in families if family.folds):
        notes.append("Memory is unknown for some families: the system does not report it, or it was not measured.")
    return notes


def best_trials(store: ComparisonStore) -> Mapping[FamilyStore, FrozenTrial]:
    """The best trial of each family that has one, among the trials that count."""
    count = common_trials(len(each.ended()) for each in store.families)
    found = {each: each.best(count) for each in store.families}
    return {family: trial for family, trial in found.items() if trial is not None}
