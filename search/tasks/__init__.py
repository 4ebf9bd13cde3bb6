"""The tasks that can be searched.

A new task is a folder here, with an object ``TASK``, and a line in :data:`TASKS`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from search.config.study_config import StudyConfig
    from search.tasks.base import Task
    from search.tasks.plan import Plan

TASKS = {
    "forecast": "search.tasks.forecasting",
    "classification": "search.tasks.sequences",
    "regression": "search.tasks.sequences",
}
"""Value of the key ``task`` of a study file → the package that handles it, imported when it is needed."""

DEFAULT_TASK = "forecast"


def find_task(name: str) -> Task[Any, Any, Any]:
    """The task of that name.

    Raises:
        KeyError: There is none.
    """
    task: Task[Any, Any, Any] = import_module(TASKS[name]).TASK
    return task


def task_of(plan: Plan) -> Task[Any, Any, Any]:
    """The task of a plan."""
    return find_task(plan.config.task)


def make_plan(config: StudyConfig, *, study_file: Path | None = None) -> Plan:
    """Plan a study with its task; see :meth:`search.tasks.base.Task.plan`."""
    return find_task(config.task).plan(config, study_file=study_file)
