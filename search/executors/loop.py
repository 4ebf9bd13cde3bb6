"""The one loop that runs jobs: those of the search, the refit, the baselines and the comparison."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any

from search.executors.base import INTERRUPTED, Executor, Failure, Job, Outcome

GRACE_SECONDS = 3.0
"""How long running jobs may take to stop after Ctrl-C or another signal before they are abandoned."""
_POLL_SECONDS = 0.2


class JobSource(ABC):
    """A source of jobs that also receives their outcomes.

    Attributes:
        interrupted: Set to stop everything, for example by a signal handler.
    """

    interrupted = False

    @abstractmethod
    def next_job(self) -> Job | None:
        """The next job; ``None``: there is none until another job ends."""

    @abstractmethod
    def on_outcome(self, outcome: Outcome) -> None:
        """A job ended."""

    def on_report(self, key: int, message: Any) -> None:
        """A running job reported."""
        return

    def on_retry(self, job: Job, failure: Failure) -> Job | None:
        """Return the job to run after the worker of a job with ``retries`` left died, if any."""
        return job

    def on_lost(self, job: Job, failure: Failure) -> Job | None:
        """Return the job to run again after the machine of its worker is gone, if any."""
        return self.on_retry(job, failure)

    def on_interrupted(self, key: int) -> None:
        """A job did not finish before the loop stopped: its worker died, or the grace period is over."""
        return

    def stop_reason(self, key: int) -> str | None:
        """Why job ``key`` alone should stop, or ``None``."""
        return None

    def stopping(self) -> bool:
        """Whether all jobs should stop now and be run again later."""
        return self.interrupted

    def tick(self) -> None:
        """Called after each poll, several times a second."""
        return


def run_jobs(executor: Executor, source: JobSource, *, clock: Callable[[], float] = time.monotonic) -> None:
    """Run the jobs of a source until it has no more, or until it is stopping and the grace period is over.

    Args:
        executor: Runs them.
        source: Gives them.
        clock: Seconds; monotonic.
    """
    _Loop(executor, source, clock).run()


def run_one(executor: Executor, job: Job) -> Outcome:
    """Run a single job to its end."""
    source = _SingleJob(job)
    run_jobs(executor, source)
    return source.outcome


class _Loop:
    """The state of :func:`run_jobs`; as the callback of the executor, it adds the interruption to the source's."""

    def __init__(self, executor: Executor, source: JobSource, clock: Callable[[], float]) -> None:
        self._executor, self._source, self._clock = executor, source, clock
        self._running: dict[int, Job] = {}
        self._retries: dict[int, int] = {}
        self._waiting: deque[Job] = deque()

    def run(self) -> None:
        give_up = float("inf")
        while self._clock() < give_up and (self._submit() or self._running):
            for outcome in self._executor.poll(self, _POLL_SECONDS):
                self._take(outcome)
            if give_up == float("inf") and self._source.stopping():
                give_up = self._clock() + GRACE_SECONDS
            self._source.tick()
        for key in [*self._running, *(job.key for job in self._waiting)]:
            self._source.on_interrupted(key)

    def on_report(self, key: int, message: Any) -> None:
        self._source.on_report(key, message)

    def stop_reason(self, key: int) -> str | None:
        return INTERRUPTED if self._source.stopping() else self._source.stop_reason(key)

    def _submit(self) -> bool:
        """Start jobs while there is room; ``False``: there are no more for now."""
        while not self._source.stopping():
            if not self._executor.free:
                return True
            job = self._waiting.popleft() if self._waiting else self._source.next_job()
            if job is None:
                return False
            self._running[job.key] = job
            self._executor.submit(job)
        return False

    def _take(self, outcome: Outcome) -> None:
        job, failure = self._running.pop(outcome.key), outcome.failure
        retries = self._retries.pop(job.key, 0)
        if failure is not None and failure.died and self._source.stopping():
            self._source.on_interrupted(job.key)
        elif failure is not None and failure.lost:
            if (again := self._source.on_lost(job, failure)) is not None:
                self._retries[again.key] = retries
                self._waiting.append(again)
        elif failure is not None and failure.died and retries < job.retries:
            if (again := self._source.on_retry(job, failure)) is not None:
                self._retries[again.key] = retries + 1
                self._waiting.append(again)
        else:
            self._source.on_outcome(outcome)


class _SingleJob(JobSource):
    """One job."""

    outcome: Outcome

    def __init__(self, job: Job) -> None:
        self._job: Job | None = job

    def next_job(self) -> Job | None:
        job, self._job = self._job, None
        return job

    def on_outcome(self, outcome: Outcome) -> None:
        self.outcome = outcome
