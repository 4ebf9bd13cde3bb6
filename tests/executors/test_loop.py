"""The job loop as a table: what happens to jobs in, what the source is told out; without workers or waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import pytest
from helpers.combinations import each_row

from search.executors.base import INTERRUPTED, Failure, Job, JobCallback, Outcome
from search.executors.in_process import InMemory
from search.executors.loop import GRACE_SECONDS, JobSource, run_jobs, run_one

DIED = Failure("killed", died=True)
LOST = Failure("no machine", died=True, lost=True)
RAISED = Failure("ValueError: bad")


def nothing(context: object) -> None:
    """A job; it never runs here."""


class Script:
    """An executor in which what happens to each job is written down, one poll of one second after the other.

    Args:
        steps: What the next poll does to the oldest job: its outcome, or ``None`` for nothing.
        free: How many jobs run at once, at each question; the last one holds for the rest.
    """

    ready = 1
    startup_seconds = 1.0
    data = InMemory()

    def __init__(self, *steps: Any, free: tuple[int, ...] = (1,)) -> None:
        self.now = 0.0
        self.submitted: list[int] = []
        self.stop_reasons: list[str | None] = []
        self.on_poll: Callable[[], None] = lambda: None
        self._steps, self._room = list(steps), list(free)
        self._running: list[Job] = []

    @property
    def free(self) -> int:
        room = self._room.pop(0) if len(self._room) > 1 else self._room[0]
        return max(0, room - len(self._running))

    def submit(self, job: Job) -> None:
        self.submitted.append(job.key)
        self._running.append(job)

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        self.now += 1
        self.on_poll()
        step = self._steps.pop(0) if self._steps else None
        if self._running:
            self.stop_reasons.append(callback.stop_reason(self._running[0].key))
            callback.on_report(self._running[0].key, "report")
        if step is None or not self._running:
            return []
        job = self._running.pop(0)
        failure = step if isinstance(step, Failure) else None
        return [Outcome(job.key, None if failure else step, failure)]

    def scale_down(self, jobs: int) -> None:
        """There are no workers."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """There are no workers."""


class Source(JobSource):
    """Gives so many jobs and notes what it is told."""

    def __init__(self, count: int, retries: int = 0, *, retry: bool = True) -> None:
        self.told: list[tuple[str, int]] = []
        self.reports = self.ticks = 0
        self._jobs = [Job(key, nothing, retries=retries) for key in range(count)]
        self._retry = retry

    def next_job(self) -> Job | None:
        return self._jobs.pop(0) if self._jobs else None

    def on_report(self, key: int, message: Any) -> None:
        self.reports += 1

    def on_outcome(self, outcome: Outcome) -> None:
        self.told.append((outcome.failure.reason if outcome.failure else outcome.result, outcome.key))

    def on_retry(self, job: Job, failure: Failure) -> Job | None:
        self.told.append(("retry", job.key))
        return job if self._retry else None

    def on_interrupted(self, key: int) -> None:
        self.told.append(("interrupted", key))

    def stop_reason(self, key: int) -> str | None:
        return f"pruned {key}"

    def tick(self) -> None:
        self.ticks += 1


@each_row(
    ("jobs", "retries", "steps", "told"),
    [
        (0, 0, [], []),
        (2, 0, ["a", "b"], [("a", 0), ("b", 1)]),
        (1, 0, [None, None, "late"], [("late", 0)]),
        (2, 0, [RAISED, "b"], [(RAISED.reason, 0), ("b", 1)]),
        (1, 1, [RAISED], [(RAISED.reason, 0)]),  # it would raise again
        (2, 0, [DIED, "b"], [(DIED.reason, 0), ("b", 1)]),
        (2, 1, [DIED, "a", "b"], [("retry", 0), ("a", 0), ("b", 1)]),  # before any other job
        (1, 1, [DIED, DIED], [("retry", 0), (DIED.reason, 0)]),
        (1, 2, [DIED, DIED, "a"], [("retry", 0), ("retry", 0), ("a", 0)]),
        (2, 1, [DIED, "a", DIED, "b"], [("retry", 0), ("a", 0), ("retry", 1), ("b", 1)]),  # each job has its own count
        (1, 0, [LOST, LOST, "a"], [("retry", 0), ("retry", 0), ("a", 0)]),  # however often: that is not its fault
        (1, 1, [LOST, DIED, LOST, "a"], [("retry", 0), ("retry", 0), ("retry", 0), ("a", 0)]),
        (1, 1, [LOST, DIED, DIED], [("retry", 0), ("retry", 0), (DIED.reason, 0)]),
        (1, 1, [DIED, RAISED], [("retry", 0), (RAISED.reason, 0)]),
    ],
)
def test_jobs_end_and_those_whose_worker_died_are_retried(
    jobs: int, retries: int, steps: list[Any], told: list[tuple[str, int]]
) -> None:
    executor, source = Script(*steps), Source(jobs, retries)
    run_jobs(executor, source, clock=lambda: executor.now)
    assert source.told == told
    assert source.ticks == source.reports == len(steps)
    assert set(executor.stop_reasons) == {f"pruned {key}" for key in range(jobs)}


def test_a_source_may_give_up_a_job_instead_of_retrying_it() -> None:
    executor, source = Script(DIED, "b"), Source(2, 1, retry=False)
    run_jobs(executor, source, clock=lambda: executor.now)
    assert source.told == [("retry", 0), ("b", 1)]


@pytest.mark.parametrize(
    ("interrupted_at", "steps", "told"),
    [
        (1, [INTERRUPTED], [(INTERRUPTED, 0)]),  # it stopped by itself, and no other job starts
        (2, ["a", INTERRUPTED], [("a", 0), (INTERRUPTED, 1)]),
        (1, [RAISED], [(RAISED.reason, 0)]),
        (1, [DIED], [("interrupted", 0)]),  # not retried, and not judged
        (1, [], [("interrupted", 0)]),  # the grace period is over
        (2, ["a"], [("a", 0), ("interrupted", 1)]),
    ],
)
def test_an_interruption_stops_all_jobs_within_the_grace_period(
    interrupted_at: int, steps: list[Any], told: list[tuple[str, int]]
) -> None:
    executor, source = Script(*steps), Source(3, retries=1)

    def interrupt() -> None:
        source.interrupted = source.interrupted or executor.now == interrupted_at

    executor.on_poll = interrupt
    run_jobs(executor, source, clock=lambda: executor.now)
    assert source.told == told
    assert executor.stop_reasons[interrupted_at - 1 :] == [INTERRUPTED] * (
        len(executor.stop_reasons) - interrupted_at + 1
    )
    assert executor.now <= interrupted_at + GRACE_SECONDS


def test_a_job_that_waits_for_its_retry_is_interrupted_too() -> None:
    executor, source = Script(DIED), Source(1, retries=1)
    source.tick = lambda: setattr(source, "interrupted", True)  # type: ignore[method-assign]
    run_jobs(executor, source, clock=lambda: executor.now)
    assert source.told == [("retry", 0), ("interrupted", 0)]
    assert executor.submitted == [0]


def test_as_many_jobs_run_as_there_is_room_for_and_no_room_is_not_the_end() -> None:
    executor, source = Script(None, "a", "b", "c", free=(0, 2)), Source(3)
    run_jobs(executor, source, clock=lambda: executor.now)
    assert source.told == [("a", 0), ("b", 1), ("c", 2)]
    assert executor.now == 4


def test_a_single_job_is_run_to_its_end() -> None:
    assert run_one(Script(None, "found"), Job(7, nothing)) == Outcome(7, "found")
    assert run_one(Script(DIED), Job(7, nothing)).failure == DIED
