"""The jobs of a search that score the baselines: one for the quick ones, one for each slow one."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from lstmgru.errors import listed
from search.executors.base import Job
from search.tasks.baselines import baseline_groups, score_baselines
from search.tasks.data import BaselineResult, DroppedBaseline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from search.executors.base import Outcome
    from search.study.out_of_fold import Outputs
    from search.study.records import StudyRecord
    from search.study.store import StudyStore
    from search.tasks.plan import Plan

# Time limit of one baseline: a share of the time limit of the study, within bounds, in seconds.
_SHARE, _LEAST, _MOST = 0.1, 2.0, 60.0
QUICK = -1
"""Key of the job that scores the quick baselines."""
FAILED = "the baselines could not be scored: {}"
"""Message about a job that failed, of its reason."""


def baseline_seconds(timeout: float | None) -> float:
    """The time limit of one baseline, in seconds.

    Args:
        timeout: Of the study; ``None``: there is none.
    """
    return _MOST if timeout is None else min(_MOST, max(_LEAST, _SHARE * timeout))


def ranked_baselines(study: StudyRecord, *, minimize: bool) -> list[str]:
    """The baselines with a score on the folds, the best one first.

    Args:
        study: Which scored them.
        minimize: Whether smaller scores are better.
    """
    scores = {name: each.folds for name, each in study.baselines.items() if each.folds is not None}
    return sorted(scores, key=scores.__getitem__, reverse=not minimize)


def unscored_notes(names: Sequence[str], failures: Mapping[str, str]) -> list[str]:
    """What to say of baselines that have a score on the folds and none on the holdout, a sentence each.

    Args:
        names: Of the baselines.
        failures: Why they failed, by name; for the others, the time was too short.
    """
    notes = [f"{_spaced(name)} is not scored on the holdout: {failures[name]}" for name in names if name in failures]
    if late := [_spaced(name) for name in names if name not in failures]:
        notes.append(
            f"{listed(late)} {'is' if len(late) == 1 else 'are'} not scored on the holdout, as the time was too short; "
            "rerun with a longer --timeout"
        )
    return notes


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def time_baselines(*arguments: Any) -> tuple[dict[str, BaselineResult | DroppedBaseline] | None, float]:
    """What :func:`score_baselines` returns, and the seconds that it took."""
    start = time.monotonic()
    return score_baselines(*arguments), time.monotonic() - start


class BaselineJobs:
    """Which baselines are still to be scored, and what the study knows of the others.

    Args:
        plan: What to search.
        store: Keeps the scores, and why baselines were dropped.
        data: Of the jobs, as the executor shares it.
    """

    def __init__(self, plan: Plan, store: StudyStore, data: Any) -> None:
        self._store, self._data = store, data
        self._seconds = baseline_seconds(plan.config.search.timeout)
        known = {**store.get("baselines", {}), **store.get("dropped_baselines", {})}
        groups = baseline_groups(plan.search_data())
        missing = [tuple(name for name in group if name not in known) for group in groups]
        self._waiting = deque((QUICK - number, names) for number, names in enumerate(missing) if names)
        self._running: set[int] = set()

    def next_job(self, *, slow: bool) -> Job | None:
        """The next job, with a negative key, unless one is running: so trials run beside it.

        Args:
            slow: Whether there is time for slow baselines.
        """
        if self._running or not self._waiting or (self._waiting[0][0] < QUICK and not slow):
            return None
        key, names = self._waiting.popleft()
        self._running.add(key)
        return Job(key, time_baselines, (self._data, names, self._seconds), retries=1)

    def take(self, outcome: Outcome, keep: Callable[[str, Outputs | None], None]) -> list[str]:
        """Record the outcome of a job.

        Args:
            outcome: Of the job.
            keep: Writes the outputs of a baseline.

        Returns:
            Messages about baselines without a score.
        """
        self._running.discard(outcome.key)
        if outcome.failure is not None:
            return [FAILED.format(outcome.failure.reason)]
        scored: tuple[dict[str, BaselineResult | DroppedBaseline] | None, float] = outcome.result
        found, seconds = scored[0] or {}, scored[1]
        results = {name: each for name, each in found.items() if isinstance(each, BaselineResult)}
        dropped = {name: each.reason for name, each in found.items() if isinstance(each, DroppedBaseline)}
        for name, result in results.items():
            keep(name, result.outputs)
        self._add("dropped_baselines", dropped)
        self._add("baseline_seconds", {str(outcome.key): round(seconds, 3)} if results else {})
        self._add("calibrations", {name: each.calibration for name, each in results.items()})
        # Last: baselines that it has are not scored again.
        self._add("baselines", {name: {"folds": each.score} for name, each in results.items()})
        return [f"the baseline {_spaced(name)} is left out: {reason}" for name, reason in dropped.items()]

    def _add(self, key: str, values: dict[str, Any]) -> None:
        if values:
            self._store.set(key, {**self._store.get(key, {}), **values})
