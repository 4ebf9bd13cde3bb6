"""The search of all families at once: whoever has the fewest trials is next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from search.compare.store import FamilyStore
from search.compare.time_budget import next_family
from search.executors.base import Executor, Job
from search.run.driver import GRACE_SECONDS, Driver
from search.run.progress import Listener, Progress, SilentListener
from search.run.trial import INTERRUPTED
from search.study.budget import Budget
from search.study.records import TrialRecord
from search.tracking.null import NullTracker

_POLL_SECONDS = 0.2
_STRIDE = 10_000_000
"""Keys of jobs from one family to the next."""
_MOST = 10**9


class Rounds:
    """Runs trials of the families in turn until each has enough, the time is up, or someone interrupts.

    Args:
        families: Whose studies are searched.
        executor: Runs the trials.
        limit: Trials that each family is to have; ``None``: as many as fit into the time.
        time_left: Seconds that the search may still take.
        note_time: Called when a trial ended, to note the time spent, should the process be killed.
        listener: Watches.
    """

    def __init__(
        self,
        families: Sequence[FamilyStore],
        executor: Executor,
        *,
        limit: int | None,
        time_left: Callable[[], float],
        note_time: Callable[[], None],
        listener: Listener,
    ) -> None:
        self.interrupted = False
        self._families = {each.name: each for each in families}
        self._executor, self._limit, self._listener = executor, limit, listener
        self._time_left, self._note_time = time_left, note_time
        self._lanes = {
            each.name: _Lane(executor, number * _STRIDE, each, listener) for number, each in enumerate(families)
        }
        self._seconds: list[float] = []
        self._started = time.monotonic()

    def run(self) -> None:
        """Search. Afterwards no trial is running: what was stopped waits for the next run."""
        give_up = float("inf")
        while time.monotonic() < give_up:
            while self._executor.free and (name := self._next()) is not None:
                self._lanes[name].driver.ask()
            if not any(lane.running for lane in self._lanes.values()):
                return
            for outcome in self._executor.poll(self, _POLL_SECONDS):
                lane = self._lane(outcome.key)
                self._seconds.append(time.monotonic() - lane.running.pop(outcome.key))
                lane.driver.interrupted = self._must_stop()  # what died then is put back and not failed
                lane.driver.take(replace(outcome, key=outcome.key % _STRIDE))
                self._note_time()
            self._listener.on_progress(self._progress())
            if self._must_stop() and give_up == float("inf"):
                give_up = time.monotonic() + GRACE_SECONDS
        for lane in self._lanes.values():
            for key in lane.running:
                lane.store.requeue(key % _STRIDE)

    def on_report(self, key: int, message: Any) -> None:
        """An epoch of some trial ended."""
        self._lane(key).driver.on_report(key % _STRIDE, message)

    def stop_reason(self, key: int) -> str | None:
        """Why a trial should stop now; one that the time stops is not judged, it waits."""
        return INTERRUPTED if self._must_stop() else self._lane(key).driver.stop_reason(key % _STRIDE)

    def _next(self) -> str | None:
        """Whose trial is next; ``None``: none, because all have enough or it would not end in time."""
        expected = sum(self._seconds) / len(self._seconds) if self._seconds else 0.0
        if self.interrupted or self._time_left() <= expected:
            return None
        return next_family({name: each.begun() for name, each in self._families.items()}, self._limit)

    def _must_stop(self) -> bool:
        return self.interrupted or self._time_left() <= 0

    def _progress(self) -> Progress:
        running = sum(len(lane.running) for lane in self._lanes.values())
        begun = sum(each.begun() for each in self._families.values())
        total = begun if self._limit is None else max(begun, self._limit * len(self._families))
        left = self._time_left()
        seconds_left = max(0.0, left) if left < float("inf") else None
        return Progress(begun - running, total, (), None, time.monotonic() - self._started, seconds_left)

    def _lane(self, key: int) -> _Lane:
        return list(self._lanes.values())[key // _STRIDE]


class _Lane:
    """A family's driver, and the executor as that driver sees it: its jobs have keys of their own."""

    def __init__(self, executor: Executor, first_key: int, family: FamilyStore, listener: Listener) -> None:
        self.running: dict[int, float] = {}
        self.store = family.store
        self._executor, self._first_key = executor, first_key
        watch = _FamilyListener(family.name, listener)
        budget = Budget(trials=_MOST, timeout=None)
        self.driver = Driver(family.plan, family.store, self, budget, NullTracker(), watch)  # type: ignore[arg-type]  # it only shares and submits

    def share(self, value: Any) -> Any:
        return self._executor.share(value)

    def offload(self, value: object) -> None:
        self._executor.offload(value)

    def submit(self, job: Job) -> None:
        key = self._first_key + job.key
        self.running[key] = time.monotonic()
        self._executor.submit(replace(job, key=key))


class _FamilyListener(SilentListener):
    """Says of which family a trial is."""

    def __init__(self, family: str, listener: Listener) -> None:
        self._family, self._listener = family, listener

    def on_trial(self, trial: TrialRecord, progress: Progress) -> None:
        self._listener.on_trial(replace(trial, layers=f"{self._family}: {trial.layers}"), progress)

    def on_message(self, text: str) -> None:
        self._listener.on_message(f"{self._family}: {text}")
