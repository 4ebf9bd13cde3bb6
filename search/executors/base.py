"""The contract of an executor: submit jobs, poll for reports and outcomes, ask how many more it can take.

An executor is one file with a class that takes a :class:`WorkerSettings`, and one line in
:data:`search.executors.EXECUTORS`. Its name there is a value of ``search.executor``.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self

INTERRUPTED = "interrupted"
"""The stop reason of a job that will be run again later."""
TIME_IS_UP = "the time budget ended"
"""The stop reason of a job that the study has no time for."""
STOP_SECONDS = 5.0
"""How long a job may take to stop when it is asked to; then its worker is killed."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TORCHINDUCTOR_COMPILE_THREADS",  # otherwise each worker starts up to 32 processes to compile
)
"""Environment variables that are 1 in workers, before anything is imported."""


class JobContext(Protocol):
    """The connection of a running job to the driver, passed to the job by the executor."""

    def report(self, message: Any) -> None:
        """Send a picklable message to the callback."""

    def stop_reason(self) -> str | None:
        """Why the job should stop now, or ``None``; cheap enough to be called several times a second."""


class JobCallback(Protocol):
    """Receives the reports of running jobs and may ask them to stop."""

    def on_report(self, key: int, message: Any) -> None:
        """A running job reported."""

    def stop_reason(self, key: int) -> str | None:
        """Why job ``key`` should stop, or ``None``."""


@dataclass(frozen=True)
class Job:
    """A picklable piece of work.

    Attributes:
        key: Identifies the job; unique among those that run.
        function: Module-level; called as ``function(*arguments, context)``.
        arguments: Picklable.
        retries: How often :func:`search.executors.loop.run_jobs` runs it again if its worker dies.
    """

    key: int
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    retries: int = 0


@dataclass(frozen=True)
class Failure:
    """A job that raised, or whose worker died.

    Attributes:
        reason: One line.
        details: The traceback, if there is one.
        died: Whether the worker died, which need not be the job's fault.
        lost: Whether it died with its machine, or after it was told to end, which is not the job's fault.
    """

    reason: str
    details: str = ""
    died: bool = False
    lost: bool = False


def did_not_stop(reason: str | None, seconds: float) -> Failure:
    """The failure of a job whose worker was killed because it ignored the request to stop for so many seconds."""
    return Failure(f"{reason}, and the job did not stop within {seconds:g} s: its worker was killed")


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a ``result``, or with a ``failure``."""

    key: int
    result: Any = None
    failure: Failure | None = None


@dataclass(frozen=True)
class Cluster:
    """The cluster on which an executor runs jobs.

    Attributes:
        address: Where it is; ``None``: one is started on this machine.
        cpus_per_trial: Cores that each job takes.
        gpus_per_trial: GPUs that each job takes; several jobs share one if it is a fraction.
        follow: Whether the number of jobs follows the size of the cluster.
    """

    address: str | None = None
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    follow: bool = False


@dataclass(frozen=True)
class WorkerSettings:
    """Settings of an executor.

    Attributes:
        warm_up: Picklable; each worker calls it first, to import what jobs need.
        jobs: How many jobs may run at once.
        preload: Modules that an executor may import once for all of its workers; empty: workers must not be forked, as
            where a GPU is used or the system's own libraries do not survive a fork.
        gpus: Names of the GPUs over which workers are distributed, see :func:`search.executors.devices.visible_gpus`;
            empty: workers see all.
        gpu_share: Fraction of a GPU's memory that each worker may use, see :func:`search.executors.devices.gpu_share`;
            ``None``: no limit.
        cluster: For executors that run jobs on one.
        registered: Classes and functions of the user that jobs call; workers on other machines must have the same code.
    """

    warm_up: Callable[[], None]
    jobs: int = 1
    preload: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    gpu_share: float | None = None
    cluster: Cluster | None = None
    registered: tuple[Any, ...] = ()


class DataStore(Protocol):
    """Storage for large values that many jobs read: one copy per node."""

    def share(self, value: Any) -> Any:
        """A handle to use in the arguments of jobs in place of a large value.

        A job receives the value itself. It is available as long as the handle is alive, and jobs must not modify it.
        """

    def offload(self, value: object) -> None:
        """Move a large value out of this process's memory if jobs run elsewhere; references to it stay valid."""


class Executor(Protocol):
    """Runs jobs. Use it as a context manager: leaving it ends all workers.

    A worker that dies costs its job, whose outcome is then a failure that ``died``, and is replaced. A worker that
    ignores a stop request for some seconds is killed, and its job fails.
    """

    @property
    def free(self) -> int:
        """How many more jobs can be submitted now."""

    @property
    def ready(self) -> int:
        """Workers that have started."""

    @property
    def startup_seconds(self) -> float | None:
        """How long it took until the first worker was ready; ``None`` before that."""

    @property
    def data(self) -> DataStore:
        """Storage for the data of its jobs."""

    def submit(self, job: Job) -> None:
        """Start a job; only while :attr:`free` is positive."""

    def poll(self, callback: JobCallback, timeout: float) -> list[Outcome]:
        """Forward reports and stop requests, and return the jobs that ended; waits about ``timeout`` seconds for one.

        An executor without workers of its own runs the submitted job in this process.
        """

    def scale_down(self, jobs: int) -> None:
        """Keep at most ``jobs`` workers from now on; idle ones end and free their memory."""

    def __enter__(self) -> Self:
        """Start the workers."""

    def __exit__(self, *exc_info: object) -> None:
        """End all workers, including busy ones."""


def run_job(job: Job, context: JobContext) -> Outcome:
    """Run a job in this process; any exception that it raises becomes a failure."""
    try:
        return Outcome(job.key, result=job.function(*job.arguments, context))
    except SystemExit as error:  # what Lightning turns a Ctrl-C into
        raise KeyboardInterrupt from error
    except Exception as error:  # a candidate may fail in any way, and the search continues
        return Outcome(job.key, failure=Failure(failure_reason(error), traceback.format_exc(limit=-12)))


def failure_reason(error: BaseException) -> str:
    """The type of an error and the first line of its message."""
    text = str(error).strip().splitlines()
    message = text[0] if text else ""
    lowered = message.lower()
    if isinstance(error, MemoryError) or "out of memory" in lowered or "can't allocate memory" in lowered:
        return f"out of memory: {message}" if message else "out of memory"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
