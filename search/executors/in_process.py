"""One job at a time, in this process: exactly reproducible, and easy to debug."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self

from search.executors.base import Job, JobCallback, Outcome, run_job


class _DirectContext:
    def __init__(self, key: int, callback: JobCallback) -> None:
        self._key, self._callback = key, callback

    def report(self, message: Any) -> None:
        self._callback.on_report(self._key, message)

    def stop_reason(self) -> str | None:
        return self._callback.stop_reason(self._key)


class InProcessExecutor:
    """Runs the submitted job inside :meth:`poll`, with one torch thread as a worker has.

    Args:
        warm_up: Called first, to import what jobs need.
    """

    def __init__(self, warm_up: Callable[[], None]) -> None:
        self._warm_up = warm_up
        self._job: Job | None = None
        self._threads = 1
        self._startup_seconds: float | None = None

    @property
    def free(self) -> int:
        """1 until a job is submitted."""
        return 0 if self._job else 1

    @property
    def startup_seconds(self) -> float | None:
        """What the imports took; ``None`` before :meth:`__enter__`."""
        return self._startup_seconds

    def share(self, value: Any) -> Any:
        """The value itself."""
        return value

    def offload(self, value: object) -> None:
        """Nothing: jobs read it here."""

    def submit(self, job: Job) -> None:
        """Keep the job for the next :meth:`poll`."""
        self._job = job

    def scale_down(self, jobs: int) -> None:
        """Nothing: there is one process."""

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        """Run the job to its end."""
        if self._job is None:
            return []
        job, self._job = self._job, None
        return [run_job(job, _DirectContext(job.key, callback))]

    def __enter__(self) -> Self:
        """Take one torch thread, as every worker has, so that the numbers are the same."""
        start = time.monotonic()
        import torch

        self._threads = torch.get_num_threads()
        self._warm_up()
        torch.set_num_threads(1)
        self._startup_seconds = time.monotonic() - start
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Give the threads back."""
        import torch

        torch.set_num_threads(self._threads)
