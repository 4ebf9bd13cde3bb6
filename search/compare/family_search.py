"""The search of all families at once: the family with the fewest trials is next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search.compare.time_budget import next_family
from search.executors.loop import JobSource, run_jobs
from search.run.driver import Driver, share_search_data
from search.run.kept_folds import KeptFolds
from search.run.progress import Listener, Progress, SilentListener
from search.study.budget import Budget
from search.tracking.base import NullTracker

if TYPE_CHECKING:
    from pathlib import Path

    from search.compare.store import FamilyStore
    from search.executors.base import Executor, Failure, Job, Outcome
    from search.study.records import TrialRecord

_STRIDE = 10_000_000
"""Distance of the job keys of one family from those of the next."""
_UNLIMITED = 10**9


class FamilySearch(JobSource):
    """Runs trials of the families in turn until each has enough, the time is up, or the search is interrupted.

    Args:
        families: Whose studies are searched.
        executor: Runs the trials.
        limit: Number of trials of each family; ``None``: as many as fit into the time.
        time_left: Seconds that the search may still take.
        note_time: Called when a trial ended, to record the time spent, should the process be killed.
        folds: Directory of the finished folds of running trials.
        listener: Receives progress and messages.
    """

    def __init__(
        self,
        families: Sequence[FamilyStore],
        executor: Executor,
        *,
        limit: int | None,
        time_left: Callable[[], float],
        note_time: Callable[[], None],
        folds: Path,
        listener: Listener,
    ) -> None:
        self._families = {each.name: each for each in families}
        self._executor, self._limit, self._listener = executor, limit, listener
        self._time_left, self._note_time = time_left, note_time
        data = share_search_data(families[0].plan, executor)  # the same for all families
        self._drivers = [_driver(each, executor, data, folds, listener) for each in families]
        self._began: dict[int, float] = {}
        self._seconds: list[float] = []
        self._started = time.monotonic()

    def run(self) -> None:
        """Search. No trial is left running: interrupted ones wait for the next run."""
        run_jobs(self._executor, self)

    def next_job(self) -> Job | None:
        """A trial of the family whose turn it is; ``None``: all have enough, or it would not end in time."""
        expected = sum(self._seconds) / len(self._seconds) if self._seconds else 0.0
        if self._time_left() <= expected:
            return None
        name = next_family({name: each.begun() for name, each in self._families.items()}, self._limit)
        if name is None:
            return None
        index = list(self._families).index(name)
        job = self._drivers[index].ask()
        key = index * _STRIDE + job.key
        self._began[key] = time.monotonic()
        return replace(job, key=key)

    def on_report(self, key: int, message: Any) -> None:
        """Record an epoch of a trial."""
        self._driver(key).on_report(key % _STRIDE, message)

    def on_outcome(self, outcome: Outcome) -> None:
        """A trial ended."""
        self._seconds.append(time.monotonic() - self._began.pop(outcome.key))
        self._driver(outcome.key).on_outcome(replace(outcome, key=outcome.key % _STRIDE))
        self._note_time()

    def on_lost(self, job: Job, failure: Failure) -> Job | None:
        """A trial goes back into the queue of its family."""
        self.on_interrupted(job.key)
        return None

    def on_interrupted(self, key: int) -> None:
        """A trial goes back into the queue of its family."""
        del self._began[key]
        self._driver(key).on_interrupted(key % _STRIDE)

    def stop_reason(self, key: int) -> str | None:
        """The trial is pruned."""
        return self._driver(key).stop_reason(key % _STRIDE)

    def stopping(self) -> bool:
        """The time is up, too: trials that it stops are not judged, they wait."""
        return self.interrupted or self._time_left() <= 0

    def tick(self) -> None:
        """Show progress."""
        begun = sum(each.begun() for each in self._families.values())
        total = begun if self._limit is None else max(begun, self._limit * len(self._families))
        left = self._time_left()
        seconds_left = max(0.0, left) if left < float("inf") else None
        elapsed = time.monotonic() - self._started
        pruned, promoted = (
            sum(getattr(each.store.trials, name) for each in self._families.values()) for name in ("pruned", "promoted")
        )
        jobs = next(iter(self._families.values())).plan.jobs
        self._listener.on_progress(
            Progress(
                begun - len(self._began), total, (), None, elapsed, seconds_left,
                workers=jobs, ready=self._executor.ready, pruned=pruned, promoted=promoted,
            )
        )  # fmt: skip

    def _driver(self, key: int) -> Driver:
        return self._drivers[key // _STRIDE]


def _driver(family: FamilyStore, executor: Executor, data: Any, folder: Path, listener: Listener) -> Driver:
    """The driver of a family's study; the limits are those of the comparison."""
    watch = _FamilyListener(family.name, listener)
    budget = Budget(timeout=None, trials=_UNLIMITED)
    folds = KeptFolds(folder, family.store.get("uid"), family.plan.registered_code())
    return Driver(family.plan, family.store, executor, budget, NullTracker(), watch, folds=folds, data=data)


class _FamilyListener(SilentListener):
    """Adds the family of a trial to its messages."""

    def __init__(self, family: str, listener: Listener) -> None:
        self._family, self._listener = family, listener

    def on_trial(self, trial: TrialRecord, progress: Progress) -> None:
        self._listener.on_trial(replace(trial, layers=f"{self._family}: {trial.layers}"), progress)

    def on_message(self, text: str) -> None:
        self._listener.on_message(f"{self._family}: {text}")
