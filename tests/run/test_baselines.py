"""The jobs that score the baselines of a study: which, when, and what becomes of slow ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.comparisons import JobContext
from helpers.drivers import NUMBERS, Notes, drive, plan_of

from search.executors.base import Failure, Outcome
from search.run.baselines import BaselineJobs, baseline_seconds
from search.run.resume import open_study
from search.study.paths import StudyPaths
from search.study.storages import place_of
from search.tasks.baselines import score_baselines
from search.tasks.data import BaselineResult, DroppedBaseline

QUICK = ("naive", "seasonal_naive", "linear")
SLOW = ("theta", "ets", "trees")


@pytest.mark.parametrize(("timeout", "seconds"), [(None, 60), (10_000, 60), (300, 30), (5, 2)])
def test_a_baseline_has_a_share_of_the_time_limit(timeout: float | None, seconds: float) -> None:
    assert baseline_seconds(timeout) == pytest.approx(seconds)


def jobs_of(folder: Path) -> tuple[BaselineJobs, dict[str, object]]:
    """Of a new study, and what is kept."""
    plan = plan_of(folder)
    kept: dict[str, object] = {}
    paths = StudyPaths(folder, plan.name)
    paths.journal.parent.mkdir(exist_ok=True)
    plan, store = open_study(plan, place_of(paths), Notes())
    return BaselineJobs(plan, store, None), kept


def test_quick_baselines_are_scored_first_and_one_job_runs_at_a_time(tmp_path: Path) -> None:
    jobs, kept = jobs_of(tmp_path)
    names = []
    while (job := jobs.next_job(slow=True)) is not None:
        assert job.key < 0
        assert jobs.next_job(slow=True) is None, "trials run beside it"
        names.append(job.arguments[1])
        found = {name: BaselineResult(1.0) for name in job.arguments[1]}
        jobs.take(Outcome(job.key, (found, 1.0)), keep=kept.__setitem__)
    assert names == [QUICK, *((name,) for name in SLOW)]
    assert set(kept) == {*QUICK, *SLOW}


def test_without_time_only_quick_baselines_are_scored(tmp_path: Path) -> None:
    jobs, kept = jobs_of(tmp_path)
    job = jobs.next_job(slow=False)
    assert job is not None
    jobs.take(Outcome(job.key, (None, 1.0)), keep=kept.__setitem__)
    assert jobs.next_job(slow=False) is None
    assert not kept


@pytest.mark.slow
def test_a_dropped_baseline_is_named_and_not_tried_again(tmp_path: Path) -> None:
    notes = Notes()
    store = drive(tmp_path, "search.trials=1", notes=notes)
    jobs = BaselineJobs(plan_of(tmp_path), store, None)
    assert jobs.next_job(slow=True) is None
    store.set("baselines", {"naive": {"folds": 1.0}})
    store.set("dropped_baselines", {"ets": "it would take 90 s"})
    jobs = BaselineJobs(plan_of(tmp_path), store, None)
    job = jobs.next_job(slow=True)
    assert job is not None
    assert job.arguments[1] == ("seasonal_naive", "linear")
    found = {"seasonal_naive": BaselineResult(2.0), "linear": DroppedBaseline("it would take 60 s")}
    said = jobs.take(Outcome(job.key, (found, 1.5)), keep=lambda name, outputs: None)
    assert said == ["the baseline linear is left out: it would take 60 s"]
    assert set(store.get("baselines")) == {"naive", "seasonal_naive"}
    assert set(store.get("dropped_baselines")) == {"ets", "linear"}
    assert store.get("baseline_seconds")[str(job.key)] == 1.5
    job = jobs.next_job(slow=True)
    assert job is not None
    said = jobs.take(Outcome(job.key, failure=Failure("out of memory", "")), keep=lambda name, outputs: None)
    assert said == ["the baselines could not be scored: out of memory"]


def test_a_baseline_without_time_is_dropped_and_one_that_is_stopped_has_no_result(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, text=NUMBERS.replace("folds: 1", "folds: 2"))
    data = plan.search_data()
    found = score_baselines(data, ("naive", "theta"), 0.0, JobContext())
    assert found is not None
    dropped = found["theta"]
    assert isinstance(dropped, DroppedBaseline)
    assert "longer than its limit" in dropped.reason
    assert score_baselines(data, ("naive",), 60.0, JobContext(0)) is None
    scored = score_baselines(data, ("theta",), 60.0, JobContext())
    assert scored is not None
    assert isinstance(scored["theta"], BaselineResult)


class _Noted:
    """Data that note the time limit of each fit of a baseline."""

    def __init__(self, data: Any) -> None:
        self._data, self.seconds = data, list[float]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def fit_baseline(self, split: Any, name: str, limit: Any) -> Any:
        """Fit it."""
        self.seconds.append(limit.seconds)
        return self._data.fit_baseline(split, name, limit)


def test_the_folds_of_a_baseline_share_the_time_that_is_left(tmp_path: Path) -> None:
    data: Any = _Noted(plan_of(tmp_path, text=NUMBERS.replace("folds: 1", "folds: 3")).search_data())
    assert score_baselines(data, ("naive",), 60.0, JobContext()) is not None
    assert data.seconds == pytest.approx([20, 30, 60], abs=2)
