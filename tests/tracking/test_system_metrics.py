"""The use of the machine is logged to the run of a study on request, while it runs."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest
from helpers.mlflow_store import client, history, make_store, runs
from helpers.studies import write_study
from helpers.synthetic_study import finished_study, make_study
from helpers.waiting import until

from search.errors import TrackingError
from search.tasks.study_file import read_study_file
from search.tracking.factory import make_tracker
from search.tracking.mlflow_projection import MlflowProjection
from search.tracking.store import default_tracking_uri

CPU = "system/cpu_utilization_percentage"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an empty MLflow store; the machine is measured often."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    return make_store(tmp_path)


def measured(folder: Path) -> int:
    """Number of measurements in the run of the study."""
    return len(history(client(folder), runs(client(folder))[0], CPU))


def test_the_machine_is_measured_from_the_start_to_the_end_and_on_from_there(folder: Path) -> None:
    for _ in range(2):
        tracker = MlflowProjection(default_tracking_uri(None, folder), folder, system_metrics=True)
        before = 0 if client(folder).get_experiment_by_name("weather") is None else measured(folder)
        tracker.start(make_study())
        until(lambda before=before: measured(folder) > before + 1)
        tracker.finish(finished_study(1), status="FINISHED")
        until(lambda: "SystemMetricsMonitor" not in {thread.name for thread in threading.enumerate()})
    steps = [step for step, _ in history(client(folder), runs(client(folder))[0], CPU)]
    assert steps == list(range(len(steps)))


def test_without_psutil_it_is_refused_before_anything_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_study(folder)
    config = read_study_file(path, overrides=["tracking.system_metrics=true"]).config
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(TrackingError, match=r"pip install 'lstmgru-search\[system-metrics\]'"):
        make_tracker(config, folder, on_problem=print)
