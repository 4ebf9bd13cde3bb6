"""The executor of a study: what a new entry in the table of executors gets without further code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from helpers.drivers import plan_of

from lstmgru.specs.cells import register_cell
from search.errors import StudyFileError
from search.executors import EXECUTORS, ExecutorEntry
from search.executors.base import WorkerSettings
from search.executors.in_process import InProcessExecutor
from search.run.workers import check_executor, make_study_executor


@pytest.mark.parametrize("separate", [False, True])
def test_an_executor_for_a_single_measurement_does_not_grow_with_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, separate: bool
) -> None:
    """Another actor that starts beside it would disturb what is measured."""
    made: list[WorkerSettings] = []
    monkeypatch.setattr("search.run.workers.make_executor", lambda name, settings: made.append(settings))
    plan = plan_of(tmp_path, "search.executor={kind: ray, address: auto}", "search.jobs=auto")

    make_study_executor(replace(plan, jobs=1), separate=separate)

    (settings,) = made
    assert settings.cluster is not None
    assert settings.cluster.follow is not separate


class OwnExecutor(InProcessExecutor):
    """Another one that has no workers."""


def test_another_executor_without_workers_runs_one_job_at_a_time_and_needs_no_pickles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Local:
        """A cell that no worker could import."""

    monkeypatch.setattr("lstmgru.specs.cells._registered", {})
    register_cell("local", Local)
    own = f"{__name__}:{OwnExecutor.__qualname__}"
    monkeypatch.setitem(EXECUTORS, "own", ExecutorEntry(own, in_process=True))

    plan = plan_of(tmp_path, "search.executor=own", "search.jobs=auto", "space.cell=local")

    assert plan.jobs == 1
    check_executor(plan)
    assert isinstance(make_study_executor(plan), OwnExecutor)
    with pytest.raises(StudyFileError, match=r"search\.executor is own, which runs one trial at a time"):
        plan_of(tmp_path, "search.executor=own", "search.jobs=2")
