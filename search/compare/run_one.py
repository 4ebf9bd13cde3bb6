"""One job, while nothing else runs."""

from __future__ import annotations

from search.executors.base import Executor, Job, Outcome

_POLL_SECONDS = 0.2


def run_one(executor: Executor, job: Job) -> Outcome:
    """Run one job to its end."""
    executor.submit(job)
    while True:
        for outcome in executor.poll(_JobCallback(), _POLL_SECONDS):
            return outcome


class _JobCallback:
    """Hears nothing and stops nothing."""

    def on_report(self, key: int, message: object) -> None:
        """The job reports nothing."""

    def stop_reason(self, key: int) -> str | None:
        """It is never stopped."""
