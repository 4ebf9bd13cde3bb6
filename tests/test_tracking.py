"""The projection into an MLflow database: complete, live, idempotent, quiet."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from synthetic_study import START, finished_study, make_study, make_trial, save_small_bundle

from search.errors import TrackingError
from search.records import EpochRecord, HoldoutRecord, StudyRecord
from search.tracking import MlflowProjection, NullTracker, default_tracking_uri, make_tracker, sync_study
from search.tracking.entries import best_so_far, milliseconds, study_params, trial_summary
from search.tracking.store import artifact_location, connect, sqlite_uri, talking_to, without_password


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables, which take a second to create."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    with talking_to(sqlite_uri(path)):
        connect(sqlite_uri(path))
    return path


@pytest.fixture
def folder(tmp_path: Path, empty_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an empty MLflow store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlruns").mkdir()
    shutil.copy(empty_database, tmp_path / "mlruns" / "mlflow.db")
    return tmp_path


def projection(folder: Path, **names: str) -> MlflowProjection:
    return MlflowProjection(default_tracking_uri(None, folder), folder, **names)


def client(folder: Path) -> Any:
    return connect(default_tracking_uri(None, folder))


def load_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The champion, as a stranger loads it."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", default_tracking_uri(None, folder))
    return mlflow.pyfunc.load_model("models:/weather@champion")


def runs(folder: Path, experiment: str = "weather") -> list[Any]:
    """Parent first, then the trials by number."""
    mlflow = client(folder)
    found = mlflow.search_runs([mlflow.get_experiment_by_name(experiment).experiment_id])
    return sorted(found, key=lambda run: int(run.data.tags.get("trial", -1)))


def history(folder: Path, run: Any, key: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client(folder).get_metric_history(run.info.run_id, key)]


def rows(folder: Path) -> dict[str, list[Any]]:
    """Everything that the database holds of runs, data and models, but the times of access."""
    tables = (
        "experiments",
        "runs",
        "metrics",
        "params",
        "tags",
        "datasets",
        "inputs",
        "logged_models",
        "model_versions",
    )
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as database:
        return {table: sorted(database.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


STATES = [
    ("RUNNING", "RUNNING", {}),
    ("COMPLETE", "FINISHED", {"score": 3.0, "fold_1/score": 3.0, "fold_2/score": 3.2, "seconds": 30.0}),
    ("PRUNED", "KILLED", {"last_value": 3.0, "seconds": 30.0}),
    ("FAIL", "FAILED", {"last_value": 3.0}),
]


@pytest.mark.parametrize(("state", "status", "metrics"), STATES)
def test_a_trial_is_a_run_with_the_status_of_its_state(
    folder: Path, state: str, status: str, metrics: dict[str, float]
) -> None:
    trial = make_trial(0, state)
    tracker = projection(folder)
    tracker.start(make_study())
    tracker.update(trial)
    parent, run = runs(folder)
    assert run.info.status == status
    assert run.info.run_name == "000 lstm(8) > gru(32)"
    assert run.info.start_time == milliseconds(START)
    assert run.info.end_time == (None if state == "RUNNING" else milliseconds(START + timedelta(seconds=30)))
    assert metrics.items() <= run.data.metrics.items()
    assert ("score" in run.data.metrics) == (state == "COMPLETE")
    expected = {"mlflow.parentRunId": parent.info.run_id, "trial": "0", "state": state, "study_uid": "uid-1"}
    assert expected.items() <= run.data.tags.items()
    assert run.data.tags.get("reason") == trial.reason
    assert run.data.tags.get("pruned") == ("true" if state == "PRUNED" else None)
    assert run.data.params == {
        "layers": "lstm(8) > gru(32)",
        "n_layers": "2",
        "layer_1.cell": "lstm",
        "learning_rate": "0.001",
        "context_length": "28",
    }


def test_a_running_trial_grows_epoch_by_epoch_without_doubles(folder: Path) -> None:
    trial = make_trial(0, "RUNNING", epochs=3, folds=2)
    tracker = projection(folder)
    tracker.start(make_study())
    for epochs in (0, 1, 1, 4, 6):
        tracker.update(dataclasses.replace(trial, curve=trial.curve[:epochs]))
    _, run = runs(folder)
    assert history(folder, run, "fold_1/val_mae") == [(1, 4.0), (2, 3.5), (3, 3.0 + 1 / 3)]
    assert history(folder, run, "fold_2/train_loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]


def test_a_run_is_there_as_soon_as_its_trial_was_shown(folder: Path) -> None:
    tracker = projection(folder)
    tracker.start(make_study())
    assert [run.info.status for run in runs(folder)] == ["RUNNING"]
    tracker.update(make_trial(0, "RUNNING", epochs=0))
    assert [run.info.status for run in runs(folder)] == ["RUNNING", "RUNNING"]


def test_a_second_sync_changes_nothing_at_all(folder: Path, bundle: Path) -> None:
    study = dataclasses.replace(finished_study(8), bundle=str(bundle))
    first = sync_study(study, folder=folder)
    before = rows(folder)
    assert len(before["runs"]) == 9
    assert len(before["model_versions"]) == 1
    second = sync_study(dataclasses.replace(study, mlflow=first), folder=folder)
    assert rows(folder) == before
    assert second == first


def test_live_updates_and_a_later_sync_give_the_same(folder: Path, tmp_path: Path) -> None:
    study = finished_study(5)
    tracker = projection(folder)
    tracker.start(dataclasses.replace(study, trials=(), holdout=None, baselines={}))
    for trial in study.trials:
        tracker.update(dataclasses.replace(trial, state="RUNNING", completed=None, curve=trial.curve[:3]))
        tracker.update(trial)
    tracker.finish(study, status="FINISHED")
    sync_study(study, folder=folder, tracking_uri=f"sqlite:///{tmp_path}/other.db")

    def points(database: Path) -> list[Any]:
        query = "SELECT key, value, step, is_nan FROM metrics JOIN runs USING (run_uuid) ORDER BY name, key, step"
        with sqlite3.connect(database) as connection:
            return list(connection.execute(query))

    assert len(points(tmp_path / "other.db")) > 80
    assert points(folder / "mlruns" / "mlflow.db") == points(tmp_path / "other.db")


def test_a_resumed_study_keeps_its_parent_run_and_says_which_settings_changed(folder: Path) -> None:
    study = finished_study(2)
    first = sync_study(study, folder=folder)
    assert runs(folder)[0].info.status == "FINISHED"
    resumed = dataclasses.replace(study, config={**study.config, "search": {"trials": 40, "sampler": "tpe"}})
    tracker = projection(folder)
    tracker.start(resumed)
    tracker.update(make_trial(2, "RUNNING"))
    parent, *trials = runs(folder)
    assert (parent.info.run_id, parent.info.status) == (first.parent_run_id, "RUNNING")
    assert len(trials) == 3
    assert parent.data.params["search.trials"] == "20"
    assert parent.data.tags["settings_changed"] == "search.trials: 20 → 40"


def test_a_fresh_study_of_the_same_name_has_its_own_runs(folder: Path) -> None:
    old = sync_study(finished_study(2, uid="old"), folder=folder)
    new = sync_study(finished_study(2, uid="new"), folder=folder)
    assert old.experiment_id == new.experiment_id
    assert len(runs(folder)) == 6
    assert not {old.parent_run_id, *old.trial_run_ids.values()} & {new.parent_run_id, *new.trial_run_ids.values()}


def test_a_waiting_trial_is_not_shown_until_it_ran_and_is_scheduled_when_it_waits_again(folder: Path) -> None:
    tracker = projection(folder)
    tracker.start(make_study(make_trial(0, "WAITING", started=None, curve=())))
    assert len(runs(folder)) == 1
    tracker.update(make_trial(0, "RUNNING"))
    tracker.update(make_trial(0, "WAITING"))
    assert [run.info.status for run in runs(folder)] == ["RUNNING", "SCHEDULED"]


def test_a_trial_that_began_anew_has_one_run_with_the_new_curve(folder: Path) -> None:
    tracker = projection(folder)
    tracker.start(make_study())
    tracker.update(make_trial(0, "RUNNING", epochs=4, folds=1))
    later = make_trial(0, "COMPLETE", epochs=2, folds=1, started=START + timedelta(hours=1))
    tracker.update(later)
    _, run = runs(folder)
    assert run.info.start_time == milliseconds(START + timedelta(hours=1))
    assert len(history(folder, run, "fold_1/val_mae")) == 2
    assert tracker.links().trial_run_ids == {0: run.info.run_id}


def test_runs_that_a_lost_answer_left_twice_become_one(folder: Path) -> None:
    study = make_study(make_trial(0), make_trial(1))
    links = sync_study(study, folder=folder)
    twin = {key: value for key, value in runs(folder)[1].data.tags.items() if key in ("study", "study_uid", "trial")}
    client(folder).create_run(links.experiment_id, tags=twin)
    assert len(runs(folder)) == 4
    assert sync_study(study, folder=folder).trial_run_ids == links.trial_run_ids
    assert len(runs(folder)) == 3


def test_values_that_are_not_finite_are_kept_as_they_are(folder: Path) -> None:
    curve = (EpochRecord(1, 1, math.nan, 3.0, 1.0), EpochRecord(1, 2, 0.5, math.inf, 2.0))
    study = make_study(make_trial(0, "FAIL", curve=curve, value=math.nan))
    sync_study(study, folder=folder)
    before = rows(folder)
    sync_study(study, folder=folder)
    assert rows(folder) == before
    run = runs(folder)[1]
    assert math.isnan(history(folder, run, "fold_1/train_loss")[0][1])
    assert history(folder, run, "fold_1/val_mae")[1][1] > 1e300
    assert math.isnan(run.data.metrics["last_value"])


def test_the_parent_run_shows_settings_data_scores_and_files(folder: Path) -> None:
    study = finished_study(6)
    links = sync_study(study, folder=folder)
    parent = runs(folder)[0]
    assert parent.info.run_name == "weather"
    assert parent.info.start_time == milliseconds(START)
    assert parent.info.end_time == milliseconds(START + timedelta(minutes=5, seconds=30))
    assert parent.data.params == study_params(study)
    assert parent.data.params["forecast.horizon"] == "7"
    expected = {"best_score": 3.0, "holdout_mae": 2.6, "holdout_rmse": 3.3, "baseline.naive.score": 3.4}
    assert (expected | {"baseline.naive.holdout_mae": 3.33}).items() <= parent.data.metrics.items()
    assert history(folder, parent, "best_score") == [(1, 3.0), (2, 3.0), (3, 3.0), (4, 3.0)]
    (used,) = parent.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("seattle_weather", "d" * 36)
    assert [column["name"] for column in json.loads(used.dataset.schema)["mlflow_colspec"]] == ["date", "temp_max"]
    files = {file.path for file in client(folder).list_artifacts(links.parent_run_id)}
    assert files == {"study.yaml", "leaderboard.csv", "leaderboard.json", "leaderboard.md"}
    assert (folder / "mlruns" / "artifacts" / links.parent_run_id / "artifacts" / "study.yaml").exists()


def test_the_description_has_the_verdict_the_leaderboard_with_baselines_and_the_model(
    folder: Path, bundle: Path
) -> None:
    study = dataclasses.replace(finished_study(4), bundle=str(bundle))
    sync_study(study, folder=folder)
    note = runs(folder)[0].data.tags["mlflow.note.content"]
    assert "> The winner beats linear." in note
    assert "| 1 | *linear* (baseline) |  | 2.8 | 2.64 |  |" in note
    assert "| 2 | `lstm(8) > gru(32)` | 0 | 3 | 2.6 | 1,000 |" in note
    assert "mlflow.pyfunc.load_model('models:/weather@champion')" in note
    assert default_tracking_uri(None, folder) in note


def test_a_study_left_without_an_end_is_failed(folder: Path) -> None:
    with projection(folder) as tracker:
        tracker.start(make_study(make_trial(0)))
    assert runs(folder)[0].info.status == "FAILED"


@pytest.mark.parametrize(
    ("study", "status"),
    [
        (finished_study(2), "FINISHED"),
        (make_study(make_trial(0), make_trial(1, "RUNNING")), "RUNNING"),
        (make_study(make_trial(0)), "KILLED"),
    ],
)
def test_sync_tells_the_status_from_the_study(folder: Path, study: StudyRecord, status: str) -> None:
    sync_study(study, folder=folder)
    assert runs(folder)[0].info.status == status


def test_experiment_and_registered_model_have_the_names_that_the_study_gives_them(folder: Path, bundle: Path) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    names = {"experiment": "my experiment", "registered_model": "my-model", "uri": None}
    links = sync_study(dataclasses.replace(study, config={**study.config, "tracking": names}), folder=folder)
    assert links.model_uri == "models:/my-model@champion"
    assert len(runs(folder, "my experiment")) == 3


def test_an_experiment_in_the_bin_is_an_error_with_the_way_out(folder: Path) -> None:
    links = sync_study(finished_study(1), folder=folder)
    client(folder).delete_experiment(links.experiment_id)
    with pytest.raises(TrackingError, match=r"'weather' was deleted; restore it with .* --set tracking.experiment"):
        sync_study(finished_study(1), folder=folder)


def test_a_winner_is_registered_once_and_the_next_one_becomes_the_champion(folder: Path, bundle: Path) -> None:
    study = dataclasses.replace(finished_study(4), bundle=str(bundle))
    for _ in range(2):
        links = sync_study(study, folder=folder)
    assert links.model_uri == "models:/weather@champion"
    mlflow = client(folder)
    assert [version.version for version in mlflow.search_model_versions("name = 'weather'")] == [1]
    second = dataclasses.replace(study, holdout=HoldoutRecord(1, 2.5, {"mae": 2.5}, "Better.", True, looks=2))
    sync_study(second, folder=folder)
    champion = mlflow.get_model_version_by_alias("weather", "champion")
    assert (int(champion.version), champion.tags["trial"]) == (2, "1")
    assert len(mlflow.search_model_versions("name = 'weather'")) == 2
    assert history(folder, runs(folder)[0], "holdout_mae") == [(1, 2.6), (2, 2.5)]


def test_a_model_whose_upload_was_cut_off_is_completed_and_not_doubled(
    folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def fail(*arguments: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_model_artifacts", fail)
        with pytest.raises(TrackingError, match=r"failed: Connection reset by peer$"):
            sync_study(study, folder=folder)
    sync_study(study, folder=folder)
    assert len(rows(folder)["logged_models"]) == 1
    assert runs(folder)[0].info.status == "FINISHED"


def test_the_champion_forecasts_from_a_raw_table_in_original_units(
    folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    from lstmgru.bundle import load_bundle

    example = pd.read_csv(bundle / ".." / "raw.csv")
    assert example.dtypes["day"].kind not in "M"
    tracker = projection(folder)
    study = finished_study(2)
    tracker.start(study)
    tracker.log_model(bundle, study, example.tail(20))
    model = load_model(folder, monkeypatch)
    forecast = model.predict(example)
    pd.testing.assert_frame_equal(forecast, load_bundle(bundle).predict(example))
    assert forecast["forecast"].between(5, 15).all()
    whole = example.round().astype({"target_0": "int64"})
    assert len(model.predict(whole)) == len(forecast)


def test_the_model_has_a_signature_an_example_and_requirements_and_nothing_pickled(
    folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pandas as pd

    tracker = projection(folder)
    study = finished_study(2)
    tracker.start(study)
    tracker.log_model(bundle, study, pd.read_csv(bundle / ".." / "raw.csv").tail(20))
    model = load_model(folder, monkeypatch)
    assert model.metadata.signature.inputs.input_names() == ["day", "target_0"]
    assert model.metadata.signature.outputs.input_names() == ["day", "target", "forecast"]
    assert len(model.input_example) == 20
    (requirements,) = folder.rglob("requirements.txt")
    assert {"torch", "pandas", "numpy", "safetensors"} <= {line.split("==")[0] for line in requirements.open()}
    assert "+" not in requirements.read_text()
    assert not [path for path in (folder / "mlruns").rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pyc")]


def test_the_logged_model_loads_alone_with_what_its_requirements_name(folder: Path, bundle: Path) -> None:
    sync_study(dataclasses.replace(finished_study(2), bundle=str(bundle)), folder=folder)
    (saved,) = folder.rglob("MLmodel")
    code = (
        "import sys, pandas as pd, mlflow.pyfunc; before = set(sys.modules)\n"
        f"model = mlflow.pyfunc.load_model({str(saved.parent)!r})\n"
        f"forecast = model.predict(pd.read_csv({str(bundle / '..' / 'raw.csv')!r}))\n"
        "import lstmgru; print(lstmgru.__file__); print(len(forecast))\n"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    origin, length, modules = done.stdout.splitlines()[-3:]
    assert origin.startswith(str(saved.parent / "code"))
    assert int(length) == 3
    assert not {"lightning", "optuna", "onnx", "onnxruntime", "sklearn", "search"} & set(modules.split())


def test_a_bundle_that_is_none_is_an_error_and_the_study_is_shown_all_the_same(folder: Path) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(folder / "nothing"))
    with pytest.raises(TrackingError, match=r"no model to log in .*nothing: bundle.json is unusable"):
        sync_study(study, folder=folder)
    assert runs(folder)[0].info.status == "FINISHED"


def test_nothing_is_printed_and_nothing_of_the_process_is_changed(
    folder: Path, bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    environment, uri, cwd = dict(os.environ), mlflow.get_tracking_uri(), set(Path.cwd().iterdir())
    sync_study(dataclasses.replace(finished_study(3), bundle=str(bundle)), folder=folder)
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == environment
    assert mlflow.get_tracking_uri() == uri
    assert set(Path.cwd().iterdir()) == cwd


def test_a_new_store_is_made_without_a_sound(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from synthetic_study import finished_study\n"
        "from search.tracking import sync_study\n"
        "sync_study(finished_study(2), folder=Path('.'))"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW", "PYTEST"))}
    environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1])])
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert {path.name for path in (tmp_path / "mlruns").iterdir()} == {"mlflow.db", "artifacts"}
    assert {path.name for path in tmp_path.iterdir()} == {"mlruns"}


@pytest.mark.parametrize("name", ["with a space", "ü#&+", "100%20"])
def test_any_folder_can_hold_the_store(tmp_path: Path, empty_database: Path, name: str) -> None:
    folder = tmp_path / name
    (folder / "mlruns").mkdir(parents=True)
    shutil.copy(empty_database, folder / "mlruns" / "mlflow.db")
    links = sync_study(finished_study(1), folder=folder)
    assert len(runs(folder)) == 2
    assert (folder / "mlruns" / "artifacts" / links.parent_run_id / "artifacts" / "leaderboard.md").exists()


URIS = [
    (None, None, "sqlite:////work/mlruns/mlflow.db"),
    (None, "http://env:5000", "http://env:5000"),
    ("http://configured:5000", "http://env:5000", "http://configured:5000"),
    ("sqlite:///here.db", None, "sqlite:////work/here.db"),
    ("sqlite:////there/mlflow.db", None, "sqlite:////there/mlflow.db"),
    ("postgresql+psycopg://u@db/mlflow", None, "postgresql+psycopg://u@db/mlflow"),
    ("databricks", None, "databricks"),
]


@pytest.mark.parametrize(("configured", "environment", "expected"), URIS)
def test_the_tracking_uri_is_the_configured_one_then_the_environments_then_the_folders(
    monkeypatch: pytest.MonkeyPatch, configured: str | None, environment: str | None, expected: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if environment:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", environment)
    assert default_tracking_uri(configured, Path("/work")) == expected


@pytest.mark.parametrize("uri", ["file:./mlruns", "./mlruns", "/tmp/mlruns"])
def test_a_plain_folder_as_a_store_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackingError, match=rf"^MLFLOW_TRACKING_URI is '{uri}', but .* sqlite:///mlruns/mlflow.db"):
        default_tracking_uri(None, Path("/work"))


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("http://host:5000", None),
        ("databricks", None),
        ("sqlite:////a b/mlflow.db", "file:///a%20b/artifacts"),
        ("postgresql://db/mlflow", "file:///work/mlruns/artifacts"),
    ],
)
def test_files_lie_beside_the_database_unless_a_server_keeps_them(uri: str, location: str | None) -> None:
    assert artifact_location(uri, Path("/work")) == location


def test_a_password_is_neither_shown_nor_stored() -> None:
    assert without_password("https://me:s3cret@host:5000/path") == "https://me:***@host:5000/path"
    assert without_password("sqlite:////a/b.db") == "sqlite:////a/b.db"
    tracker = MlflowProjection("http://me:s3cret@127.0.0.1:9", Path())
    with pytest.raises(
        TrackingError, match=r"MLflow at http://me:\*\*\*@127.0.0.1:9 failed: Connection refused"
    ) as caught:
        tracker.start(make_study())
    assert "s3cret" not in str(caught.value)


def test_the_best_score_is_that_after_each_complete_trial_in_the_order_of_completion() -> None:
    times = {0: 50, 1: 10, 2: 30}
    trials = [
        make_trial(n, value=value, completed=START + timedelta(seconds=times[n]))
        for n, value in enumerate((2.0, 3.0, 4.0))
    ]
    study = make_study(*trials, make_trial(3, "PRUNED", value=0.1))
    assert [(point.step, point.value) for point in best_so_far(study)] == [(1, 3.0), (2, 3.0), (3, 2.0)]
    upwards = dataclasses.replace(study, direction="maximize")
    assert [point.value for point in best_so_far(upwards)] == [3.0, 4.0, 4.0]


def test_what_is_not_known_of_a_trial_is_left_out() -> None:
    trial = make_trial(0, "FAIL", epochs=0, value=None, n_parameters=None)
    assert {point.key: point.value for point in trial_summary(trial, time=0)} == {"seconds": 30.0, "epochs": 0}


def test_a_study_that_wants_no_tracking_gets_none(tmp_path: Path) -> None:
    from search.config import StudyConfig

    sections = {
        "name": "quiet",
        "data": {"dataset": "seattle_weather", "time": "date", "target": "temp_max"},
        "forecast": {"horizon": 7},
        "splits": {"holdout": 60, "folds": 2},
        "tracking": {"enabled": False},
    }
    config = StudyConfig.model_validate(sections)
    tracker = make_tracker(config, tmp_path, on_problem=pytest.fail)
    assert isinstance(tracker, NullTracker)
    with tracker:
        tracker.start(make_study())
        tracker.update(make_trial(0))
        assert tracker.finish(finished_study(1), status="FINISHED") is None
    assert not list(tmp_path.iterdir())


def test_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, search.tracking; "
        "print(*{'mlflow', 'optuna', 'pandas', 'torch', 'plotly', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported model, and beside it ``raw.csv``, a table that it can forecast from."""
    return save_small_bundle(tmp_path_factory.mktemp("model"))
