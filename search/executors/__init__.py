"""Where jobs run: in this process, in long-lived worker processes, or on a cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.executors.base import Executor, WorkerSettings


@dataclass(frozen=True)
class ExecutorEntry:
    """An executor, as settings and plans need to know it.

    Attributes:
        source: The class, as ``module:name``; it is imported when it is used.
        in_process: Whether it has no workers of its own: it runs one job at a time in the process of the search.
    """

    source: str
    in_process: bool = False


RAY = "ray"
"""The executor whose workers are on a cluster."""
EXECUTORS = {
    "in_process": ExecutorEntry("search.executors.in_process:InProcessExecutor", in_process=True),
    "processes": ExecutorEntry("search.executors.processes:ProcessExecutor"),
    RAY: ExecutorEntry("search.executors.ray_cluster:RayExecutor"),
}
"""The executors by name."""


def runs_in_process(name: str) -> bool:
    """Whether jobs certainly run in this process: ``auto`` may choose workers."""
    return name != "auto" and EXECUTORS[name].in_process


def executor_name(wanted: str, jobs: int, *, separate: bool = False, limited: bool = False) -> str:
    """The executor of a number of jobs.

    Args:
        wanted: Its name, or ``auto``: worker processes for several jobs at a time, or with a time limit.
        jobs: How many run at once.
        separate: Jobs must not run in this process, even one at a time.
        limited: There is a time limit: a job that ignores its end can only be ended with its worker.
    """
    usual = "processes" if jobs > 1 or separate or limited else "in_process"
    return usual if wanted == "auto" or (separate and runs_in_process(wanted)) else wanted


def make_executor(name: str, settings: WorkerSettings) -> Executor:
    """The executor of that name; enter it to start its workers."""
    executor: Executor = resolve_name(EXECUTORS[name].source)(settings)
    return executor
