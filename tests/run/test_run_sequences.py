"""The main job on labels as a user runs it: one process, small studies, every command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.drivers import without_onnx
from helpers.sequence_studies import NOTES, SUMS, WAVES, note_table, sum_table, wave_table, write_label_study
from helpers.studies import search_here, shown

from lstmgru.bundle import SequenceBundle, load_bundle
from search import run_study
from search.api import load_plan

UNTRACKED = ("tracking.enabled=false",)
STUDIES = {"waves": WAVES, "notes": NOTES, "sums": SUMS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the study of waves has been run by a command."""
    return folder_of_a_run(tmp_path_factory.mktemp("labels"), "--set", "tracking.enabled=false")


@pytest.fixture(scope="module")
def tracked_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with MLflow."""
    return folder_of_a_run(tmp_path_factory.mktemp("tracked"))


def folder_of_a_run(folder: Path, *options: str) -> Path:
    write_label_study(folder, WAVES + "export: {train_on: before_holdout}\n")
    result = search_here(folder, "run", "waves.yaml", *options)
    assert result.returncode == 0, result.stderr
    (folder / "output.txt").write_text(result.stdout + result.stderr)
    return folder


def test_the_output_tells_the_whole_story(folder: Path) -> None:
    output = (folder / "output.txt").read_text()
    for fragment in (
        "waves: classify sequences into 3 classes of kind, maximize accuracy",
        "60 sequences of 8 to 14 steps, 2 channels",
        "2, then a holdout of 12 sequences",
        "baseline: majority",
        "baseline: nearest neighbor",
        "baseline: ridge",
        "python -m search predict studies/waves.bundle",
    ):
        assert fragment in output
    assert [
        line for line in output.splitlines() if "note:" in line and "minirocket cannot stand in ONNX" not in line
    ] == []
    assert "Traceback" not in output


def test_show_json_says_that_larger_is_better_and_ranks_so(folder: Path) -> None:
    document = shown(folder, "waves")
    complete = [trial for trial in document["trials"] if trial["state"] == "COMPLETE"]

    assert (document["task"], document["metric"], document["direction"]) == ("classification", "accuracy", "maximize")
    assert document["best"]["value"] == max(trial["value"] for trial in complete)
    assert set(document["baselines"]) == {"majority", "nearest_neighbor", "ridge", "minirocket"}
    assert set(document["holdout"]["metrics"]) == {"accuracy", "balanced_accuracy", "macro_f1", "log_loss", "auroc"}
    assert document["holdout"]["score"] == document["holdout"]["metrics"]["accuracy"]


def test_the_holdout_score_is_the_one_of_the_exported_model(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plan = load_plan(str(write_label_study(tmp_path, WAVES)))
    names = plan.whole_data().sequences.ids[plan.holdout.evaluation]
    table = wave_table()
    held_back = table[table["wave"].isin(names)]

    labels = load_bundle(folder / "studies" / "waves.bundle").predict(held_back.drop(columns="kind"))
    truth = held_back.drop_duplicates("wave").set_index("wave")["kind"]
    found = labels.set_index("wave")["label"]
    assert np.mean(found == truth[found.index]) == shown(folder, "waves")["holdout"]["score"]


def test_what_was_said_of_the_holdout_is_written_down(folder: Path) -> None:
    report = folder / "studies" / "waves.report"
    predictions, confusion = pd.read_csv(report / "predictions.csv"), pd.read_csv(report / "confusion.csv", index_col=0)
    classes = pd.read_csv(report / "classes.csv")

    assert len(predictions) == confusion.to_numpy().sum() == classes["support"].sum() == 12
    assert list(confusion.columns) == list(confusion.index) == ["fast", "flat", "slow"]
    assert (predictions["actual"] == predictions["predicted"]).sum() == np.diag(confusion).sum()
    np.testing.assert_allclose(predictions.filter(like="p_").sum(axis=1), 1, atol=1e-5)


@pytest.mark.slow
def test_mlflow_has_the_tables_and_the_model(tracked_folder: Path) -> None:
    from mlflow import MlflowClient

    document = shown(tracked_folder, "waves")["mlflow"]
    client = MlflowClient(document["tracking_uri"])
    run = client.get_run(document["parent_run_id"])
    names = {artifact.path for artifact in client.list_artifacts(document["parent_run_id"])}

    assert {"predictions.csv", "confusion.csv", "classes.csv", "leaderboard.csv", "report.html"} <= names
    assert run.data.metrics["holdout_accuracy"] == shown(tracked_folder, "waves")["holdout"]["score"]
    assert run.data.tags["direction"] == "maximize"
    assert client.get_model_version_by_alias("waves", "champion")


@pytest.mark.slow
def test_the_champion_labels_a_raw_table(tracked_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", shown(tracked_folder, "waves")["mlflow"]["tracking_uri"])
    table = wave_table(6).drop(columns="kind")
    labels = mlflow.pyfunc.load_model("models:/waves@champion").predict(table)
    mine = load_bundle(tracked_folder / "studies" / "waves.bundle").predict(table)
    pd.testing.assert_frame_equal(labels, mine)


def test_predict_writes_a_row_for_each_sequence(folder: Path) -> None:
    wave_table(9).drop(columns="kind").to_csv(folder / "new.csv", index=False)
    result = search_here(folder, "predict", "studies/waves.bundle", "--data", "new.csv", "--output", "labels.csv")
    assert result.returncode == 0, result.stderr
    assert list(pd.read_csv(folder / "labels.csv").columns) == ["wave", "label", "p_fast", "p_flat", "p_slow"]


@pytest.mark.slow
def test_running_again_changes_nothing_and_more_trials_go_on(tracked_folder: Path) -> None:
    before = shown(tracked_folder, "waves")
    assert search_here(tracked_folder, "run", "waves.yaml").returncode == 0
    assert shown(tracked_folder, "waves")["trials"] == before["trials"]

    assert search_here(tracked_folder, "run", "waves.yaml", "--trials", "4").returncode == 0
    after = shown(tracked_folder, "waves")
    assert after["trials"][:3] == before["trials"]
    assert len(after["trials"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_the_same_seed_gives_the_same_study(name: str, tmp_path: Path) -> None:
    found = []
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        path = write_label_study(tmp_path / run, STUDIES[name])
        result = run_study(path, overrides=UNTRACKED, folder=tmp_path / run)
        assert result.record.holdout is not None
        scores = [(trial.value, trial.params, trial.fold_scores) for trial in result.record.trials]
        found.append((scores, result.record.holdout.metrics, result.record.baselines))
    assert found[0] == found[1]


def test_texts_are_sorted_better_than_by_chance_and_predicted_from_a_list(tmp_path: Path) -> None:
    with without_onnx():
        result = run_study(write_label_study(tmp_path, NOTES), overrides=UNTRACKED, folder=tmp_path)
    holdout = result.record.holdout
    assert holdout is not None
    assert holdout.metrics["accuracy"] > 0.8
    assert isinstance(result.model, SequenceBundle)
    labels = result.model.predict(["We had a lovely, calm walk.", "The day was dreadful and cold."])
    assert labels["label"].tolist() == ["good", "bad"]


def test_numbers_are_told_in_their_own_units(tmp_path: Path) -> None:
    result = run_study(write_label_study(tmp_path, SUMS), overrides=UNTRACKED, folder=tmp_path)
    assert result.record.direction == "minimize"
    assert set(result.record.baselines) == {"mean", "nearest_neighbor", "ridge"}
    labels = result.predict(sum_table(5).drop(columns="total"))
    assert labels["label"].dtype.kind == "f"
    holdout = result.record.holdout
    assert holdout is not None
    assert holdout.verdict.startswith(
        "No network improves the baselines on the folds, so the baseline ridge is exported"
    ), "a sum is what ridge can tell exactly"


def test_a_wrong_column_is_one_line_and_nothing_is_written(tmp_path: Path) -> None:
    write_label_study(tmp_path, NOTES)
    result = search_here(tmp_path, "run", "notes.yaml", "--set", "data.text=nota")
    assert result.returncode == 2
    assert "there is no such column; did you mean 'note'?" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "studies").exists()
    assert len(note_table()) == 96


def test_the_description_of_the_bundle_holds_the_classes(folder: Path) -> None:
    description = json.loads((folder / "studies" / "waves.bundle" / "bundle.json").read_text())
    assert description["task"] == "classification"
    assert [row["class"] for row in description["metrics"]["classes"]] == ["fast", "flat", "slow"]
