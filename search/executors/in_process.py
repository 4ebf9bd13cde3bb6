"""One job at a time, in this process: exactly reproducible and easy to debug."""

from __future__ import annotations

import time
from typing import Any, Self

from search.executors.base import Job, JobCallback, Outcome, WorkerSettings, run_job


class _DirectContext:
    def __init__(self, key: int, callback: JobCallback) -> None:
        self._key, self._callback = key, callback

    def report(self, message: Any) -> None:
        self._callback.on_report(self._key, message)

    def stop_reason(self) -> str | None:
        return self._callback.stop_reason(self._key)


class InMemory:
    """The data store of jobs that run in this process: values stay where they are."""

    def share(self, value: Any) -> Any:
        """The value itself."""
        return value

    def offload(self, value: object) -> None:
        """Does nothing: jobs read the value here."""


class InProcessExecutor:
    """Runs the submitted job inside :meth:`poll`, with one torch thread, as a worker does.

    Args:
        settings: Of these, only ``warm_up`` is used.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._warm_up = settings.warm_up
        self._job: Job | None = None
        self._threads = 1
        self._startup_seconds: float | None = None
        self._data = InMemory()

    @property
    def free(self) -> int:
        """1 until a job is submitted."""
        return 0 if self._job else 1

    @property
    def ready(self) -> int:
        """1 after :meth:`__enter__`."""
        return int(self._startup_seconds is not None)

    @property
    def startup_seconds(self) -> float | None:
        """How long the imports took; ``None`` before :meth:`__enter__`."""
        return self._startup_seconds

    @property
    def data(self) -> InMemory:
        """This process's memory."""
        return self._data

    def submit(self, job: Job) -> None:
        """Keep the job for the next :meth:`poll`."""
        self._job = job

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        """Run the job to its end."""
        if self._job is None:
            return []
        job, self._job = self._job, None
        return [run_job(job, _DirectContext(job.key, callback))]

    def scale_down(self, jobs: int) -> None:
        """Does nothing: there is one process."""

    def __enter__(self) -> Self:
        """Limit torch to one thread, as in workers, so that results are the same."""
        start = time.monotonic()
        import torch

        self._threads = torch.get_num_threads()
        self._warm_up()
        torch.set_num_threads(1)
        self._startup_seconds = time.monotonic() - start
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Restore the number of threads."""
        import torch

        torch.set_num_threads(self._threads)
