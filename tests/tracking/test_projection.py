"""The projection into an MLflow database: complete, live, idempotent."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.mlflow_store import baseline_runs, client, history, make_store, projection, runs
from helpers.sequence_bundles import label_bundle_of, long_table, save, sequences_of
from helpers.synthetic_study import START, finished_study, make_study, make_trial, save_small_bundle

from search.errors import TrackingError
from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE, report_path
from search.study.records import BaselineRecord, EpochRecord, HoldoutRecord, StudyRecord, TrialRecord
from search.tracking import entries
from search.tracking.describe import description
from search.tracking.entries import (
    MAX_METRIC_NAME,
    best_so_far,
    metric_names,
    milliseconds,
    study_outcome,
    study_params,
    trial_summary,
)
from search.tracking.factory import sync_study
from search.tracking.mlflow_projection import Session
from search.tracking.store import default_tracking_uri


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an empty MLflow store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_store(tmp_path / "work")


def rows(folder: Path) -> dict[str, list[Any]]:
    """Everything that the database holds of runs, data and models."""
    tables = (
        "experiments",
        "runs",
        "metrics",
        "params",
        "tags",
        "datasets",
        "inputs",
        "logged_models",
        "logged_model_metrics",
        "logged_model_params",
        "logged_model_tags",
        "registered_models",
        "registered_model_aliases",
        "model_versions",
        "model_version_tags",
    )
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as database:
        return {table: sorted(database.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


@pytest.mark.parametrize("after", range(2))
def test_a_copy_that_is_interrupted_leaves_no_ended_study_running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    study, show = finished_study(3), Session.show_trial

    def interrupted(session: Session, trial: TrialRecord) -> None:
        if trial.number == after:
            raise KeyboardInterrupt
        show(session, trial)

    monkeypatch.setattr(Session, "show_trial", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sync_study(study, folder=folder)
    parent, *_ = found = runs(client(folder))
    assert {run.info.status for run in found} == {"FINISHED"}
    assert parent.info.end_time == max(milliseconds(trial.completed) for trial in study.trials if trial.completed)
    monkeypatch.undo()
    sync_study(study, folder=folder)
    assert len(runs(client(folder))) == 4


STATES = [
    ("RUNNING", "RUNNING", {}),
    ("COMPLETE", "FINISHED", {"score": 3.0, "fold_1/score": 3.0, "fold_2/score": 3.2, "seconds": 30.0}),
    ("PRUNED", "FINISHED", {"last_value": 3.0, "seconds": 30.0}),
    ("STOPPED", "FINISHED", {"last_value": 3.0, "seconds": 30.0}),
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
    parent, run = runs(client(folder))
    assert run.info.status == status
    assert run.info.run_name == "#000 lstm > gru"
    assert run.info.start_time == milliseconds(START)
    assert run.info.end_time == (None if state == "RUNNING" else milliseconds(START + timedelta(seconds=30)))
    assert metrics.items() <= run.data.metrics.items()
    assert ("score" in run.data.metrics) == (state == "COMPLETE")
    expected = {"mlflow.parentRunId": parent.info.run_id, "trial": "0", "state": state, "study_uid": "uid-1"}
    assert expected.items() <= run.data.tags.items()
    assert run.data.tags.get("reason") == trial.reason
    assert run.data.tags.get("pruned") == ("true" if state == "PRUNED" else None)
    assert run.data.tags.get("stopped") == ("true" if state == "STOPPED" else None)
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
    _, run = runs(client(folder))
    assert history(client(folder), run, "fold_1/val_mae") == [(1, 4.0), (2, 3.5), (3, 3.0 + 1 / 3)]
    assert history(client(folder), run, "fold_2/train_loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]


def test_the_score_is_the_first_metric_of_a_trial_and_of_the_study(folder: Path) -> None:
    sync_study(finished_study(1), folder=folder)
    parent, trial = runs(client(folder))
    assert next(iter(trial.data.metrics)) == "score"
    assert list(parent.data.metrics)[:2] == ["best_score", "score"]


def test_a_run_is_there_as_soon_as_its_trial_was_shown(folder: Path) -> None:
    tracker = projection(folder)
    tracker.start(make_study())
    assert [run.info.status for run in runs(client(folder))] == ["RUNNING"]
    tracker.update(make_trial(0, "RUNNING", epochs=0))
    assert [run.info.status for run in runs(client(folder))] == ["RUNNING", "RUNNING"]


def test_a_second_sync_changes_nothing_at_all(folder: Path) -> None:
    study = dataclasses.replace(finished_study(8), bundle=str(save_small_bundle(folder)))
    first = sync_study(study, folder=folder)
    before = rows(folder)
    assert len(before["runs"]) == 11
    assert len(before["model_versions"]) == len(before["registered_model_aliases"]) == 1
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
    sync_study(study, folder=make_store(tmp_path / "other"))

    def points(folder: Path) -> list[Any]:
        query = "SELECT key, value, step, is_nan FROM metrics JOIN runs USING (run_uuid) ORDER BY name, key, step"
        with sqlite3.connect(folder / "mlruns" / "mlflow.db") as connection:
            return list(connection.execute(query))

    assert len(points(tmp_path / "other")) > 80
    assert points(folder) == points(tmp_path / "other")


def test_a_resumed_study_keeps_its_parent_run_and_says_which_settings_changed(folder: Path) -> None:
    study = finished_study(2)
    first = sync_study(study, folder=folder)
    assert runs(client(folder))[0].info.status == "FINISHED"
    resumed = dataclasses.replace(study, config={**study.config, "search": {"trials": 40, "sampler": "tpe"}})
    tracker = projection(folder)
    tracker.start(resumed)
    tracker.update(make_trial(2, "RUNNING"))
    parent, *trials = runs(client(folder))
    assert (parent.info.run_id, parent.info.status) == (first.parent_run_id, "RUNNING")
    assert len(trials) == 3
    assert parent.data.params["search.trials"] == "20"
    assert parent.data.tags["settings_changed"] == "search.trials: 20 → 40"


def test_a_key_that_has_lost_its_value_is_a_changed_setting(folder: Path) -> None:
    study = finished_study(1)
    sync_study(study, folder=folder)
    sync_study(dataclasses.replace(study, config={**study.config, "search": {"trials": None}}), folder=folder)
    tags = runs(client(folder))[0].data.tags
    assert tags["settings_changed"] == "search.sampler: tpe → null; search.trials: 20 → null"


def test_baselines_have_runs_with_the_metrics_of_trials_and_of_the_study(folder: Path) -> None:
    study = finished_study(2)
    tracker = projection(folder)
    tracker.start(dataclasses.replace(study, holdout=None, baselines={}))
    tracker.show_baselines({"naive": BaselineRecord(3.4)})
    (early,) = baseline_runs(client(folder))
    assert early.data.metrics == {"score": 3.4}
    tracker.finish(study, status="FINISHED")
    sync_study(study, folder=folder)
    linear, naive = baseline_runs(client(folder))
    assert naive.info.run_id == early.info.run_id
    assert (naive.info.run_name, naive.info.status) == ("baseline: naive", "FINISHED")
    assert naive.data.metrics == {"score": 3.4, "holdout_mae": 3.33}
    assert linear.data.metrics == {"score": 2.8, "holdout_mae": 2.64}
    parent = runs(client(folder))[0]
    assert naive.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert {"score", "holdout_mae"} <= parent.data.metrics.keys()


def test_an_experiment_says_what_its_runs_are_unless_someone_has_described_it(folder: Path) -> None:
    sync_study(finished_study(1), folder=folder)
    mlflow = client(folder)
    experiment = mlflow.get_experiment_by_name("weather")
    assert experiment.tags["mlflow.note.content"].startswith("Forecasts of temp_max, 7 steps ahead, scored by MAE")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    mlflow.set_experiment_tag(experiment.experiment_id, "mlflow.note.content", "ours")
    sync_study(finished_study(1), folder=folder)
    assert mlflow.get_experiment_by_name("weather").tags["mlflow.note.content"] == "ours"


def test_runs_of_an_earlier_version_get_the_names_and_states_of_this_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(make_trial(0), make_trial(1, "PRUNED"))
    with monkeypatch.context() as earlier:
        earlier.setattr(entries, "STATUS", {**entries.STATUS, "PRUNED": "KILLED"})
        earlier.setattr(entries, "trial_name", lambda trial: f"{trial.number:03d} {trial.layers}")
        before = sync_study(study, folder=folder)
    assert [run.info.status for run in runs(client(folder))[1:]] == ["FINISHED", "KILLED"]
    assert sync_study(study, folder=folder) == before
    _, *trials = runs(client(folder))
    assert [(run.info.run_name, run.info.status) for run in trials] == [
        ("#000 lstm > gru", "FINISHED"),
        ("#001 lstm > gru", "FINISHED"),
    ]


@pytest.mark.parametrize(
    ("layers", "name"),
    [
        ("gru(64) | fused(32)", "#025 gru ∥ fused"),
        ("last > conv(3) > sum[lstm(64) > gru(8) | bi-gru(64)] +norm > multihead(4)", "#025 lstm > gru ∥ bi-gru"),
        (None, "#025"),
    ],
)  # fmt: skip
def test_a_trial_is_named_by_number_and_kinds_of_layers(layers: str | None, name: str) -> None:
    assert entries.trial_name(make_trial(25, layers=layers)) == name


def test_a_fresh_study_of_the_same_name_has_its_own_runs(folder: Path) -> None:
    old = sync_study(finished_study(2, uid="old"), folder=folder)
    new = sync_study(finished_study(2, uid="new"), folder=folder)
    assert old.experiment_id == new.experiment_id
    assert len(runs(client(folder))) == 6
    assert len(baseline_runs(client(folder))) == 4
    assert not {old.parent_run_id, *old.trial_run_ids.values()} & {new.parent_run_id, *new.trial_run_ids.values()}


def test_a_waiting_trial_is_not_shown_until_it_ran_and_is_scheduled_when_it_waits_again(folder: Path) -> None:
    tracker = projection(folder)
    tracker.start(make_study(make_trial(0, "WAITING", started=None, curve=())))
    assert len(runs(client(folder))) == 1
    tracker.update(make_trial(0, "RUNNING"))
    tracker.update(make_trial(0, "WAITING"))
    assert [run.info.status for run in runs(client(folder))] == ["RUNNING", "SCHEDULED"]


def test_a_trial_that_began_anew_has_one_run_with_the_new_curve(folder: Path) -> None:
    tracker = projection(folder)
    tracker.start(make_study())
    tracker.update(make_trial(0, "RUNNING", epochs=4, folds=1))
    later = make_trial(0, "COMPLETE", epochs=2, folds=1, started=START + timedelta(hours=1))
    tracker.update(later)
    _, run = runs(client(folder))
    assert run.info.start_time == milliseconds(START + timedelta(hours=1))
    assert len(history(client(folder), run, "fold_1/val_mae")) == 2
    assert tracker.links().trial_run_ids == {0: run.info.run_id}


def test_runs_that_a_lost_answer_left_twice_become_one(folder: Path) -> None:
    study = make_study(make_trial(0), make_trial(1))
    links = sync_study(study, folder=folder)
    twin = {
        key: value for key, value in runs(client(folder))[1].data.tags.items() if key in ("study", "study_uid", "trial")
    }
    client(folder).create_run(links.experiment_id, tags=twin)
    assert len(runs(client(folder))) == 4
    assert sync_study(study, folder=folder).trial_run_ids == links.trial_run_ids
    assert len(runs(client(folder))) == 3


def test_values_that_are_not_finite_are_kept_as_they_are(folder: Path) -> None:
    curve = (EpochRecord(1, 1, math.nan, 3.0, 1.0), EpochRecord(1, 2, 0.5, math.inf, 2.0))
    study = make_study(make_trial(0, "FAIL", curve=curve, value=math.nan))
    sync_study(study, folder=folder)
    before = rows(folder)
    sync_study(study, folder=folder)
    assert rows(folder) == before
    run = runs(client(folder))[1]
    assert math.isnan(history(client(folder), run, "fold_1/train_loss")[0][1])
    assert history(client(folder), run, "fold_1/val_mae")[1][1] > 1e300
    assert math.isnan(run.data.metrics["last_value"])


def test_the_parent_run_shows_settings_data_scores_and_files(folder: Path) -> None:
    study = finished_study(6)
    links = sync_study(study, folder=folder)
    parent = runs(client(folder))[0]
    assert parent.info.run_name == "weather"
    assert parent.info.start_time == milliseconds(START)
    assert parent.info.end_time == milliseconds(START + timedelta(minutes=5, seconds=30))
    assert parent.data.params == study_params(study)
    assert parent.data.params["forecast.horizon"] == "7"
    assert "data.path" not in parent.data.params
    expected = {"score": 3.0, "best_score": 3.0, "holdout_mae": 2.6, "holdout_rmse": 3.3, "baseline.naive.score": 3.4}
    assert (expected | {"baseline.naive.holdout_mae": 3.33}).items() <= parent.data.metrics.items()
    assert history(client(folder), parent, "best_score") == [(1, 3.0), (2, 3.0), (3, 3.0), (4, 3.0)]
    (used,) = parent.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("seattle_weather", "d" * 16)
    assert [column["name"] for column in json.loads(used.dataset.schema)["mlflow_colspec"]] == ["date", "temp_max"]
    files = {file.path for file in client(folder).list_artifacts(links.parent_run_id)}
    assert files == {"study.yaml", "leaderboard.csv", "leaderboard.json", "leaderboard.md"}
    assert (folder / "mlruns" / "artifacts" / links.parent_run_id / "artifacts" / "study.yaml").exists()


def test_a_store_has_no_password_of_the_settings(folder: Path) -> None:
    config = finished_study(1).config | {"tracking": {"uri": "http://me:s3cret@127.0.0.1:9"}}
    study = dataclasses.replace(finished_study(1), config=config)
    sync_study(study, folder=folder, tracking_uri=default_tracking_uri(None, folder))
    assert runs(client(folder))[0].data.params["tracking.uri"] == "http://me:***@127.0.0.1:9"
    assert not [path for path in folder.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


def test_a_study_that_runs_or_was_killed_shows_its_settings_already(folder: Path) -> None:
    tracker = projection(folder)
    tracker.start(make_study(make_trial(0, "RUNNING")))
    parent, _ = runs(client(folder))
    assert parent.data.params == study_params(make_study())
    path = client(folder).download_artifacts(parent.info.run_id, "study.yaml", str(folder))
    assert yaml.safe_load(Path(path).read_text()) == make_study().config


def test_a_resumed_study_shows_its_new_settings_at_once_and_its_new_leaderboard_at_the_end(folder: Path) -> None:
    study = finished_study(2)
    links = sync_study(study, folder=folder)
    files = folder / "mlruns" / "artifacts" / links.parent_run_id / "artifacts"
    resumed = dataclasses.replace(study, config={**study.config, "search": {"trials": 40}})
    tracker = projection(folder)
    tracker.start(resumed)
    assert yaml.safe_load((files / "study.yaml").read_text())["search"] == {"trials": 40}
    tracker.finish(dataclasses.replace(finished_study(3), config=resumed.config), status="FINISHED")
    assert "lstm(24) > gru(32)" in (files / "leaderboard.md").read_text()
    assert yaml.safe_load((files / "study.yaml").read_text())["search"] == {"trials": 40}


def test_a_study_left_without_an_end_is_failed(folder: Path) -> None:
    with projection(folder) as tracker:
        tracker.start(make_study(make_trial(0)))
    assert runs(client(folder))[0].info.status == "FAILED"


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
    assert runs(client(folder))[0].info.status == status


def test_an_experiment_in_the_bin_is_an_error_with_the_way_out(folder: Path) -> None:
    links = sync_study(finished_study(1), folder=folder)
    client(folder).delete_experiment(links.experiment_id)
    with pytest.raises(TrackingError, match=r"'weather' was deleted; restore it with .* --set tracking.experiment"):
        sync_study(finished_study(1), folder=folder)


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


def test_what_a_network_costs_is_a_metric_of_its_trial() -> None:
    trial = make_trial(0, latency=0.002, train_seconds=12.5)
    found = {point.key: point.value for point in trial_summary(trial, time=0)}
    assert {"latency": 0.002, "train_seconds": 12.5, "n_parameters": 1000.0}.items() <= found.items()


def test_a_trial_that_breaks_a_bound_is_not_the_best_so_far() -> None:
    study = make_study(*(make_trial(n, value=value) for n, value in enumerate((1.0, 3.0, 2.0))))
    study.config["search"] = {"bounds": ["n_parameters <= 1000"]}
    small = [dataclasses.replace(trial, n_parameters=2000 if trial.number == 0 else 9) for trial in study.trials]
    points = best_so_far(dataclasses.replace(study, trials=tuple(small)))
    assert [point.value for point in points] == [3.0, 2.0]


def test_the_front_is_tagged_and_follows_the_study_as_it_goes_on(folder: Path) -> None:
    trials = [make_trial(n, value=3.0 - n, n_parameters=100 + n) for n in range(2)]
    better = make_trial(2, value=0.5, n_parameters=100)
    for shown, front, tags in (
        (trials, "0, 1", ["true", "true"]),
        ([*trials, better], "2", ["false", "false", "true"]),
    ):
        study = make_study(*shown)
        study.config["search"] = {"objectives": ["score", "n_parameters"], "prefer": {"score": 1}}
        sync_study(study, folder=folder)
        parent, *children = runs(client(folder))
        assert parent.data.tags["pareto_front"] == front
        assert parent.data.tags["objectives"] == "score, n_parameters"
        assert [run.data.tags["pareto"] for run in sorted(children, key=lambda run: run.info.run_name)] == tags


def test_what_is_not_known_of_a_trial_is_left_out() -> None:
    trial = make_trial(0, "FAIL", epochs=0, value=None, n_parameters=None)
    assert {point.key: point.value for point in trial_summary(trial, time=0)} == {"seconds": 30.0, "epochs": 0}


# --- labels -----------------------------------------------------------------------------------------------------------


def label_study(folder: Path, classes: list[str]) -> StudyRecord:
    """A study of classes that ended: its winner is no model yet, the tables of its holdout are there."""
    tables = report_path(folder / "weather.bundle")
    tables.mkdir(parents=True)
    with (tables / CLASSES_TABLE).open("w", encoding="utf-8", newline="") as file:
        rows = [[name, 10, 0.5, 0.5, round(0.01 * number, 2)] for number, name in enumerate(classes)]
        csv.writer(file).writerows([["class", "support", "precision", "recall", "f1"], *rows])
    for name in (CONFUSION_TABLE, PREDICTIONS_TABLE):
        (tables / name).write_text("actual\n")
    study = make_study(make_trial(0, value=0.9), make_trial(1, value=0.8))
    config = {key: value for key, value in study.config.items() if key != "forecast"}
    return dataclasses.replace(
        study,
        task="classification",
        metric="accuracy",
        direction="maximize",
        config=config | {"labels": {"metric": "auto"}, "data": {"path": "engines.csv", "target": "state"}},
        data={"source": "engines.csv", "digest": "d" * 64, "sequences": 60, "rows": 400, "channels": 2, "classes": 3},
        holdout=HoldoutRecord(0, 0.9, {"accuracy": 0.9, "log_loss": 0.3}, "It wins.", beats_baselines=True, looks=2),
        bundle=str(folder / "weather.bundle"),
    )


@pytest.mark.parametrize(
    ("texts", "names"),
    [
        (["f1.setosa", "f1.a-b c_d", "f1.größe", "f1.1.5"], ["f1.setosa", "f1.a-b c_d", "f1.größe", "f1.1.5"]),
        (["f1.a/b", "f1.a:b", "f1.a_b"], ["f1.a_b", "f1.a_b_2", "f1.a_b_3"]),
        (["f1.a", "f1.a_2", "f1.a"], ["f1.a", "f1.a_2", "f1.a_3"]),
        (["f1.", "f1..", 'f1."\n'], ["f1.", "f1..", "f1.__"]),
        (["x" * 300, "x" * 301], ["x" * 247, "x" * 247 + "_2"]),
    ],
)
def test_a_text_becomes_a_metric_that_no_other_is(texts: list[str], names: list[str]) -> None:
    assert metric_names(texts) == names
    assert max(map(len, names)) <= MAX_METRIC_NAME


@pytest.mark.parametrize(("count", "shown"), [(2, 2), (50, 50), (51, 0)])
def test_each_class_has_a_metric_where_they_are_not_too_many(tmp_path: Path, count: int, shown: int) -> None:
    study = label_study(tmp_path, [f"kind {number}" for number in range(count)])

    points = {point.key: point for point in study_outcome(study, time=0)}

    of_classes = {key: point.value for key, point in points.items() if key.startswith("holdout_f1.")}
    assert of_classes == {f"holdout_f1.kind {number}": pytest.approx(0.01 * number) for number in range(shown)}
    assert points["holdout_accuracy"].value == 0.9
    assert {point.step for point in points.values()} == {2}


def test_scores_of_classes_are_left_out_where_their_table_is_not_there(tmp_path: Path) -> None:
    study = label_study(tmp_path, ["a", "b"])
    moved = dataclasses.replace(study, bundle=str(tmp_path / "gone.bundle"))
    values = dataclasses.replace(study, task="regression", metric="mae", direction="minimize")
    unscored = dataclasses.replace(study, holdout=None)

    for each in (moved, values, unscored):
        assert not [point for point in study_outcome(each, time=0) if "f1" in point.key]


def test_a_damaged_table_of_classes_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    study = label_study(tmp_path, ["a", "b"])
    (report_path(tmp_path / "weather.bundle") / CLASSES_TABLE).write_text("nothing")

    with pytest.raises(
        TrackingError, match=r"classes of study 'weather' cannot be shown: .*; delete the file to continue"
    ):
        study_outcome(study, time=0)


def test_a_study_of_labels_is_described_in_its_own_words(tmp_path: Path) -> None:
    study = label_study(tmp_path, ["a", "b"])

    text = description(study, tracking_uri="sqlite:///x", model_uri="models:/weather@champion")

    assert "**weather**: Classifies sequences into 3 classes of state, scored by accuracy (larger is better)." in text
    assert "Data: engines.csv, 60 sequences, 400 rows, 2 channels, 3 classes." in text
    assert "| 1 | `lstm(8) > gru(32)` | 0 | 0.9000 | 0.9000 |" in text
    assert "predictions = model.predict(" in text
    assert "forecast" not in text.lower()


def test_the_run_of_a_study_of_labels_has_its_tables_and_the_score_of_every_class(folder: Path) -> None:
    study = label_study(folder, ["a/b", "größe 1", 'q"', "a:b"])
    bundle = label_bundle_of(sequences_of(long_table()), provenance={"study": "weather", "trial": 0})
    save(folder / "weather.bundle", bundle)

    links = sync_study(study, folder=folder)

    parent = runs(client(folder))[0]
    expected = {"f1.a_b": 0.0, "f1.größe 1": 0.01, "f1.q_": 0.02, "f1.a_b_2": 0.03, "accuracy": 0.9, "log_loss": 0.3}
    assert {f"holdout_{name}": value for name, value in expected.items()}.items() <= parent.data.metrics.items()
    assert history(client(folder), parent, "best_score") == [(1, 0.9), (2, 0.9)]
    files = {file.path for file in client(folder).list_artifacts(links.parent_run_id)}
    assert {CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE, "leaderboard.csv", "study.yaml"} <= files
    assert parent.data.tags["direction"] == "maximize"
    assert links.model_uri == "models:/weather@champion"
