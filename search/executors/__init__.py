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


def make_executor(name: str, settings: WorkerSettings) -> Executor:
    """The executor of that name; enter it to start its workers.

    Raises:
        KeyError: There is none.
    """
    executor: Executor = resolve_name(EXECUTORS[name])(settings)
    return executor
