"""The contract of an executor: jobs in, outcomes out, reports in between."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self


class JobContext(Protocol):
    """What a running job talks to; given to it by the executor."""

    def report(self, message: Any) -> None:
        """Send a picklable message to the callback."""

    def stop_reason(self) -> str | None:
        """Why the job should stop now, or ``None``; cheap enough to ask several times a second."""


class JobCallback(Protocol):
    """Who owns the jobs: hears their reports and may ask them to stop."""

    def on_report(self, key: int, message: Any) -> None:
        """A running job reported."""

    def stop_reason(self, key: int) -> str | None:
        """Why job ``key`` should stop, or ``None``."""


@dataclass(frozen=True)
class Job:
    """A picklable piece of work.

    Attributes:
        key: Tells the jobs apart.
        function: Module-level; called as ``function(*arguments, context)``.
        arguments: Picklable.
    """

    key: int
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A job that raised, or whose worker died.

    Attributes:
        reason: One line.
        details: The traceback, where there is one.
        died: Whether the worker process died, so that the job itself may be innocent.
    """

    reason: str
    details: str = ""
    died: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a ``result``, or with a ``failure``."""

    key: int
    result: Any = None
    failure: Failure | None = None


class Executor(Protocol):
    """Runs jobs. Use it as a context manager: leaving it ends all workers."""

    @property
    def free(self) -> int:
        """How many more jobs can be submitted now."""

    @property
    def startup_seconds(self) -> float | None:
        """What it took to get ready for the first job; ``None`` while that is not known."""

    def share(self, value: Any) -> Any:
        """What to put into the arguments of jobs in place of a large value that many of them read.

        Workers find the value there, in one copy for all of them, as long as this object lives. They must not write to
        it.
        """

    def offload(self, value: object) -> None:
        """Have a large value out of this process's memory, if jobs run elsewhere; whoever refers to it still has it."""

    def submit(self, job: Job) -> None:
        """Start a job; only while :attr:`free` is positive."""

    def scale_down(self, jobs: int) -> None:
        """Do with ``jobs`` workers from now on; those that are idle end, and their memory is free."""

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        """Pass on reports and stop requests, and return the jobs that ended, within ``timeout`` seconds or so."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(self, *exc_info: object) -> None:
        """End every worker, whatever it is doing."""


def run_job(job: Job, context: JobContext) -> Outcome:
    """Run a job here; whatever it raises becomes a failure."""
    try:
        return Outcome(job.key, result=job.function(*job.arguments, context))
    except SystemExit as error:  # what Lightning makes of a Ctrl-C
        raise KeyboardInterrupt from error
    except Exception as error:  # a candidate may fail in any way; the search goes on
        return Outcome(job.key, failure=Failure(failure_reason(error), traceback.format_exc(limit=-12)))


def failure_reason(error: BaseException) -> str:
    """One line that says what went wrong: the kind of error and its first line."""
    text = str(error).strip().splitlines()
    message = text[0] if text else ""
    lowered = message.lower()
    if isinstance(error, MemoryError) or "out of memory" in lowered or "can't allocate memory" in lowered:
        return f"out of memory: {message}" if message else "out of memory"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
