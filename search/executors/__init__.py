"""Where jobs run: in this process, or in long-lived worker processes."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from search.executors.base import Executor, WorkerSettings

EXECUTORS = {
    "in_process": "search.executors.in_process:InProcessExecutor",
    "processes": "search.executors.processes:ProcessExecutor",
}
"""Name of an executor → its class, which is imported when it is used."""


def make_executor(settings: WorkerSettings, *, separate: bool = False) -> Executor:
    """The executor of a number of jobs; enter it to start its workers.

    Args:
        settings: Of its workers.
        separate: Use a worker process even for one job at a time.
    """
    name = "processes" if settings.jobs > 1 or separate else "in_process"
    executor: Executor = resolve_name(EXECUTORS[name])(settings)
    return executor
