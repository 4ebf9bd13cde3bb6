"""Tracking with a real MLflow server that goes away in the middle."""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.mlflow_server import MlflowServer
from helpers.mlflow_store import history, make_store, runs
from helpers.studies import search_here, write_study
from helpers.synthetic_study import finished_study, make_study, make_trial, save_small_bundle
from helpers.waiting import PATIENCE

from search.api import load_record
from search.study.records import EpochRecord, StudyRecord, TrialRecord
from search.tracking.background import BackgroundTracker
from search.tracking.factory import sync_study
from search.tracking.mlflow_projection import MlflowProjection
from search.tracking.store import connect

pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    """A server of its own, for it will be killed."""
    with MlflowServer(tmp_path / "server") as running:
        yield running


def points(mlflow: Any, run: Any) -> dict[str, list[tuple[int, float]]]:
    """Every point of every metric of a run."""
    return {key: history(mlflow, run, key) for key in run.data.metrics}


def picture(mlflow: Any) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """What is to be seen of a study: name, status, parameters and points of each run."""
    return [(run.info.run_name, run.info.status, run.data.params, points(mlflow, run)) for run in runs(mlflow)]


def expected_picture(study: StudyRecord, folder: Path) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """The same study in a database, where nothing went wrong."""
    links = sync_study(study, folder=make_store(folder))
    return picture(connect(links.tracking_uri))


def show(tracker: BackgroundTracker, trial: TrialRecord) -> None:
    """A trial as the driver shows it: after each epoch, and when it ended."""
    running = dataclasses.replace(trial, state="RUNNING", value=None, completed=None)
    for epochs in range(len(trial.curve) + 1):
        tracker.update(dataclasses.replace(running, curve=trial.curve[:epochs]))
    tracker.update(trial)


def wait_for(notes: list[str], count: int) -> None:
    """Wait until so many notes were given."""
    end = time.monotonic() + PATIENCE
    while len(notes) < count:
        assert time.monotonic() < end, notes
        time.sleep(0.05)


def test_a_server_that_is_killed_and_comes_back_misses_nothing_and_doubles_nothing(
    server: MlflowServer, tmp_path: Path
) -> None:
    study = finished_study(9)
    notes: list[str] = []
    projection = MlflowProjection(server.uri, tmp_path)
    with BackgroundTracker(projection, notes.append, interval=0.2, patience=PATIENCE) as tracker:
        tracker.start(dataclasses.replace(study, trials=(), holdout=None))
        for trial in study.trials[:3]:
            show(tracker, trial)
        assert tracker.wait(PATIENCE)
        assert len(runs(connect(server.uri))) == 4
        server.kill()
        began = time.monotonic()
        for trial in study.trials[3:6]:
            show(tracker, trial)
        assert time.monotonic() - began < 10  # an answer would be awaited for minutes
        wait_for(notes, 1)
        assert notes[0].startswith(f"MLflow at {server.uri} failed: Connection refused; the search continues")
        server.start()
        wait_for(notes, 2)
        for trial in study.trials[6:]:
            show(tracker, trial)
        links = tracker.finish(study, status="FINISHED")
    assert notes[1:] == ["MLflow is available again and up to date"]
    mlflow = connect(server.uri)
    assert picture(mlflow) == expected_picture(study, tmp_path / "reference")
    assert len(links.trial_run_ids) == 9
    assert mlflow.get_run(links.parent_run_id).info.status == "FINISHED"


def test_a_study_that_ended_without_its_server_is_brought_there_later(server: MlflowServer, tmp_path: Path) -> None:
    study = dataclasses.replace(finished_study(5), bundle=str(save_small_bundle(tmp_path)))
    notes: list[str] = []
    with BackgroundTracker(MlflowProjection(server.uri, tmp_path), notes.append, interval=0.2) as tracker:
        tracker.start(make_study(*study.trials[:2]))
        assert tracker.wait(PATIENCE)
        server.kill()
        for trial in study.trials[2:]:
            show(tracker, trial)
        began = time.monotonic()
        tracker.finish(study, status="FINISHED")
    assert time.monotonic() - began < 30  # half of its patience
    assert notes[-1] == "MLflow does not have the whole study yet; copy the rest with: python -m search sync weather"
    server.start()
    first = sync_study(study, folder=tmp_path, tracking_uri=server.uri)
    mlflow = connect(server.uri)
    seen = picture(mlflow)
    assert sync_study(dataclasses.replace(study, mlflow=first), folder=tmp_path, tracking_uri=server.uri) == first
    assert picture(mlflow) == seen
    assert [name for name, *_ in seen] == [name for name, *_ in expected_picture(study, tmp_path / "reference")]
    (version,) = mlflow.search_model_versions("name = 'weather'")
    assert mlflow.get_model_version_by_alias("weather", "champion").version == version.version
    assert {file.path for file in mlflow.list_artifacts(first.parent_run_id)} >= {"study.yaml", "leaderboard.csv"}


def test_points_sent_twice_over_the_network_are_kept_once(server: MlflowServer, tmp_path: Path) -> None:
    curve = tuple(EpochRecord(1, n, 1 / n, math.nan if n == 2 else 1 / (3 * n), n * 0.123456) for n in range(1, 8))
    study = make_study(make_trial(0, curve=curve))
    links = sync_study(study, folder=tmp_path, tracking_uri=server.uri)
    mlflow = connect(server.uri)
    before = history(mlflow, runs(mlflow)[1], "fold_1/val_mae")
    mlflow.set_tag(links.trial_run_ids[0], "logged_epochs", "0")
    mlflow.set_tag(links.trial_run_ids[0], "state", "RUNNING")
    sync_study(study, folder=tmp_path, tracking_uri=server.uri)
    after = history(mlflow, runs(mlflow)[1], "fold_1/val_mae")
    assert [step for step, _ in after] == [1, 2, 3, 4, 5, 6, 7]
    assert math.isnan(after[1][1])
    assert [value for _, value in after if value == value] == [value for _, value in before if value == value]


def test_a_server_that_freezes_keeps_nobody_waiting(server: MlflowServer, tmp_path: Path) -> None:
    notes: list[str] = []
    tracker = BackgroundTracker(MlflowProjection(server.uri, tmp_path), notes.append, interval=0.2, patience=2)
    tracker.start(make_study())
    assert tracker.wait(PATIENCE)
    server.freeze()
    began = time.monotonic()
    show(tracker, make_trial(0))
    assert time.monotonic() - began < 10  # an answer would be awaited for minutes
    tracker.finish(finished_study(1), status="FINISHED")
    assert not tracker.close(1)
    assert time.monotonic() - began < 30
    assert "python -m search sync weather" in notes[-1]


@pytest.mark.parametrize(("status", "patience", "most"), [("FINISHED", 10, 19), ("KILLED", 60, 30)])
def test_a_server_that_freezes_costs_the_end_its_patience_once(
    server: MlflowServer, tmp_path: Path, status: Any, patience: float, most: float
) -> None:
    notes: list[str] = []
    projection = MlflowProjection(server.uri, tmp_path)
    with BackgroundTracker(projection, notes.append, interval=0.2, patience=patience) as tracker:
        tracker.start(make_study())
        assert tracker.wait(PATIENCE)
        server.freeze()
        began = time.monotonic()
        tracker.finish(finished_study(1), status=status)
    assert time.monotonic() - began < most
    assert "python -m search sync weather" in notes[-1]


def test_a_model_that_is_brought_to_a_new_server_has_its_input_example(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    study = dataclasses.replace(finished_study(2), bundle=str(save_small_bundle(tmp_path)))
    sync_study(study, folder=make_store(tmp_path / "work"))
    sync_study(study, folder=tmp_path / "work", tracking_uri=server.uri)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    model = mlflow.pyfunc.load_model("models:/weather@champion")
    assert len(model.predict(model.input_example)) == 3


def test_nothing_is_printed_about_a_server_or_its_end(
    server: MlflowServer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with BackgroundTracker(MlflowProjection(server.uri, tmp_path), lambda _: None, interval=0.1) as tracker:
        tracker.start(make_study())
        tracker.update(make_trial(0))
        assert tracker.wait(PATIENCE)
        server.kill()
        tracker.finish(finished_study(1), status="FINISHED")
    sync = MlflowProjection(server.uri, tmp_path)
    server.start()
    sync.sync(finished_study(1), status="FINISHED")
    assert capfd.readouterr() == ("", "")


def test_the_address_of_a_study_on_a_server_is_printed(
    server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path)
    where = f"tracking.uri={server.uri}"
    result = search_here(tmp_path, "run", "tiny.yaml", "--trials", "1", "--set", where, "--set", "search.blend=off")
    assert result.returncode == 0, result.stderr
    study = load_record("tiny", tmp_path)
    assert search_here(tmp_path, "ui", "tiny").stdout == (
        f"the runs are on the MLflow server {server.uri}/#/experiments/{study.mlflow.experiment_id}/runs"
        f"?workflowType=machine_learning&viewStateShareKey={study.uid}\n"
    )
    (experiment,) = connect(server.uri).search_experiments(filter_string="name = 'tiny'")
    view = json.loads(experiment.tags[f"mlflow.sharedViewState.{study.uid}"])
    assert (view["orderByKey"], view["orderByAsc"]) == ("metrics.`score`", True)
    assert view["searchFilter"] == f"tags.study_uid = '{study.uid}'"
