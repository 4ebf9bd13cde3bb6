"""One job after the search: it can be interrupted, and is run once more if its worker dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from search.executors.base import Executor, Failure, Job, Outcome
from search.executors.loop import JobSource, run_jobs
from search.run.progress import Listener


class SingleJob(JobSource):
    """Runs one job.

    Args:
        executor: Idle; runs the job.
        listener: Receives a message about a retry.
        interrupted: Whether Ctrl-C was pressed.
    """

    def __init__(self, executor: Executor, listener: Listener, interrupted: Callable[[], bool]) -> None:
        self._executor, self._listener, self._interrupted = executor, listener, interrupted
        self._make_arguments: Callable[[], tuple[Any, ...]] = tuple
        self._function: Callable[..., Any] | None = None
        self._what = ""
        self._outcome: Outcome | None = None

    def run(
        self, what: str, function: Callable[..., Any], make_arguments: Callable[[], tuple[Any, ...]]
    ) -> Outcome | None:
        """The outcome of a job; ``None`` if it was interrupted.

        Args:
            what: What failed, if it does: ``the refit``.
            function: Of the job.
            make_arguments: Its arguments; called again for a retry, which has less time left.
        """
        self._what, self._function, self._make_arguments = what, function, make_arguments
        self._outcome = None
        run_jobs(self._executor, self)
        self._make_arguments = tuple  # they may be large
        outcome = self._outcome
        return None if outcome is None or (outcome.failure is not None and self._interrupted()) else outcome

    def share(self, value: Any) -> Any:
        """A handle of a large value, for the arguments of a job."""
        return self._executor.data.share(value)

    def next_job(self) -> Job | None:
        """The job, once."""
        function, self._function = self._function, None
        return None if function is None else Job(0, function, self._make_arguments(), retries=1)

    def on_retry(self, job: Job, failure: Failure) -> Job:
        """The same job with the time that is left now."""
        self._listener.on_message(f"{self._what} failed: {failure.reason}; retrying")
        return Job(0, job.function, self._make_arguments(), retries=1)

    def on_outcome(self, outcome: Outcome) -> None:
        """The job ended."""
        self._outcome = outcome

    def stopping(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._interrupted()
