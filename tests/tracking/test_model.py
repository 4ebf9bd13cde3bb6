"""The exported model in MLflow: registered once, and of use to a stranger."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import sequence_bundles
from helpers.blends import baseline_member
from helpers.forecast_bundles import (
    bundle_of,
    calibration_of,
    member_of,
    panel_of,
    rich_panel,
    rich_table,
    save,
    table,
)
from helpers.mlflow_store import client, history, make_store, projection, runs
from helpers.sequence_bundles import label_bundle_of, long_table, sequences_of, text_table, wide_table
from helpers.synthetic_study import finished_study, save_small_bundle

from search.errors import TrackingError
from search.study.records import HoldoutRecord, StudyRecord
from search.tracking.export import Export
from search.tracking.factory import sync_study
from search.tracking.model import requirements, signature, typed_example
from search.tracking.model_texts import MAX_DESCRIPTION, version_description
from search.tracking.store import default_tracking_uri


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an empty MLflow store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return make_store(tmp_path / "work")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported model, and beside it ``raw.csv``, a table that it can forecast from."""
    return save_small_bundle(tmp_path_factory.mktemp("model"))


def load_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The champion, as a stranger loads it."""
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", default_tracking_uri(None, folder))
    return mlflow.pyfunc.load_model("models:/weather@champion")


def test_the_champion_forecasts_from_a_raw_table_in_original_units(
    folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstmgru.bundle import load_bundle

    example = pd.read_csv(bundle / ".." / "raw.csv")
    assert example.dtypes["day"].kind not in "M"
    tracker = projection(folder)
    study = finished_study(2)
    tracker.start(study)
    tracker.log_model(bundle, study)
    model = load_model(folder, monkeypatch)
    forecast = model.predict(example)
    pd.testing.assert_frame_equal(forecast, load_bundle(bundle).predict(example))
    assert forecast["forecast"].between(5, 15).all()
    whole = example.round().astype({"target_0": "int64"})
    assert len(model.get_raw_model().predict(whole)) == len(forecast)


def test_the_model_has_a_signature_an_example_and_requirements_and_nothing_pickled(
    folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync_study(dataclasses.replace(finished_study(2), bundle=str(bundle)), folder=folder)
    model = load_model(folder, monkeypatch)
    assert model.metadata.signature.inputs.input_names() == ["day", "target_0"]
    assert model.metadata.signature.outputs.input_names() == ["day", "target", "forecast"]
    assert model.input_example["day"].tolist()[-1] == "2020-02-29T00:00:00"
    assert len(model.predict(model.input_example)) == 3
    (requirements,) = folder.rglob("requirements.txt")
    assert {"torch", "pandas", "numpy", "safetensors"} <= {line.split("==")[0] for line in requirements.open()}
    assert "+" not in requirements.read_text()
    assert not [path for path in (folder / "mlruns").rglob("*") if path.suffix in (".pkl", ".pickle", ".pt", ".pyc")]


def types(columns: Any) -> dict[str, str]:
    """The columns of a signature and their types."""
    return {column.name: column.type.name for column in columns}


def test_the_signature_has_a_type_for_every_column(tmp_path: Path) -> None:
    frame = rich_table()
    bundle = bundle_of(rich_panel(frame), calibration=calibration_of(2))
    described = signature(Export.read(save(tmp_path / "shops.bundle", bundle)))
    assert set(described.inputs.input_names()) == set(frame.columns)
    assert all(column.required for column in described.inputs)
    assert described.outputs.input_names() == list(bundle.predict(frame).columns)
    inputs, outputs = types(described.inputs), types(described.outputs)
    numbers = set(frame.columns) - {"shop", "day", *bundle.schema.categories}
    assert {inputs[name] for name in numbers} == {"double"}
    assert {inputs[name] for name in ("shop", "day", *bundle.schema.categories)} == {"string"}
    assert (outputs["day"], outputs["target"]) == ("datetime", "string")
    assert outputs["lower_80"] == outputs["upper_95"] == outputs["forecast"] == "float"


@pytest.mark.parametrize(
    ("frame", "inputs", "outputs"),
    [
        (table(shops=(1, 2)), {"shop": "long", "day": "string"}, {"shop": "string", "day": "datetime"}),
        (table(shops=("01", "2")), {"shop": "string", "day": "string"}, {"shop": "string", "day": "datetime"}),
        (table(times=np.arange(24)), {"day": "long"}, {"day": "long"}),
        (table(times=pd.date_range("2020", periods=24, tz="Europe/Paris")), {"day": "string"}, {"day": "datetime"}),
    ],
    ids=["whole numbers", "leading zeros", "steps", "time zone"],
)
def test_ids_and_times_have_the_types_of_the_training_table(
    frame: pd.DataFrame, inputs: dict[str, str], outputs: dict[str, str], tmp_path: Path
) -> None:
    described = signature(Export.read(save(tmp_path / "shops.bundle", bundle_of(panel_of(frame)))))
    assert inputs.items() <= types(described.inputs).items()
    assert outputs.items() <= types(described.outputs).items()


@pytest.mark.parametrize(
    ("frame", "task", "inputs", "columns"),
    [
        (
            long_table(),
            "classification",
            {"engine": "string", "minute": "string", "heat": "double"},
            {"engine": "string", "label": "string", "p_a": "float", "p_c": "float"},
        ),
        (long_table(), "regression", {"heat": "double"}, {"engine": "string", "label": "float"}),
        (wide_table(), "classification", {"sample": "string"}, {"sample": "string", "label": "long", "p_1": "float"}),
        (text_table(), "classification", {"text": "string"}, {"row": "long", "label": "string", "p_good": "float"}),
    ],
)
def test_the_signature_of_a_model_that_labels_names_what_it_reads_and_gives(
    frame: Any, task: str, inputs: dict[str, str], columns: dict[str, str], tmp_path: Path
) -> None:
    bundle = label_bundle_of(sequences_of(frame, task))
    described = signature(Export.read(sequence_bundles.save(tmp_path / "labels.bundle", bundle)))
    assert described.inputs.input_names() == list(bundle.schema.inputs)
    assert described.outputs.input_names() == list(bundle.predict(frame).columns)
    assert inputs.items() <= types(described.inputs).items()
    assert columns.items() <= types(described.outputs).items()


@pytest.mark.parametrize(("integer_ids", "kind"), [(True, "long"), (False, "string")])
def test_names_of_sequences_are_numbers_if_those_of_the_training_sequences_were(
    integer_ids: bool, kind: str, tmp_path: Path
) -> None:
    bundle = label_bundle_of(sequences_of(wide_table()), integer_ids=integer_ids)
    export = Export.read(sequence_bundles.save(tmp_path / "labels.bundle", bundle))
    assert types(signature(export).inputs)["sample"] == kind


def test_a_blend_is_identified_by_its_members_and_needs_what_they_need(tmp_path: Path) -> None:
    panel = panel_of(table())
    first, second = member_of(panel, weight=0.5), member_of(panel, seed=1, weight=0.5)
    blends = {
        "even": (first, second),
        "again": (dataclasses.replace(first, trial=3, score=1.5), second),
        "uneven": (dataclasses.replace(first, weight=0.75), dataclasses.replace(second, weight=0.25)),
        "naive": (first, baseline_member(panel, "naive", weight=0.5)),
    }
    exports = {
        name: Export.read(save(tmp_path / name, bundle_of(panel, members=members))) for name, members in blends.items()
    }
    digests = [export.digest for export in exports.values()]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    packages = {name: {each.split("==")[0] for each in requirements(export)} for name, export in exports.items()}
    assert packages["naive"] - packages["even"] == {"scikit-learn", "scipy"}


@pytest.mark.parametrize("table", [text_table, wide_table])
def test_the_champion_labels_a_raw_table(
    table: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lstmgru.bundle import example_sequences

    frame = table()
    sequences = sequences_of(frame)
    bundle = label_bundle_of(
        sequences, example=example_sequences(sequences, np.arange(len(sequences))), provenance={"trial": 0}
    )
    saved = sequence_bundles.save(tmp_path / "weather.bundle", bundle)
    sync_study(dataclasses.replace(finished_study(2), bundle=str(saved)), folder=folder)
    model = load_model(folder, monkeypatch)
    pd.testing.assert_frame_equal(model.get_raw_model().predict(frame), bundle.predict(frame))
    assert len(model.predict(model.input_example)) == 2


@pytest.mark.slow
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


def winner_of_trial_1(study: StudyRecord, folder: Path) -> StudyRecord:
    """The study after a later winner, whose model is in the folder."""
    holdout = HoldoutRecord(1, 2.5, {"mae": 2.5}, "Better.", True, looks=2)
    return dataclasses.replace(study, holdout=holdout, bundle=str(save_small_bundle(folder, trial=1)))


def test_a_winner_is_registered_once_and_the_next_one_becomes_the_champion(
    folder: Path, bundle: Path, tmp_path: Path
) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    for _ in range(2):
        links = sync_study(study, folder=folder)
    assert links.model_uri == "models:/weather@champion"
    mlflow = client(folder)
    assert [version.version for version in mlflow.search_model_versions("name = 'weather'")] == [1]
    second = winner_of_trial_1(study, tmp_path)
    sync_study(second, folder=folder)
    champion = mlflow.get_model_version_by_alias("weather", "champion")
    assert (int(champion.version), champion.tags["trial"]) == (2, "1")
    assert len(mlflow.search_model_versions("name = 'weather'")) == 2
    assert history(client(folder), runs(client(folder))[0], "holdout_mae") == [(1, 2.6), (2, 2.5)]


def test_a_run_without_a_new_model_moves_no_alias(folder: Path, bundle: Path, tmp_path: Path) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    sync_study(study, folder=folder)
    second = winner_of_trial_1(study, tmp_path)
    sync_study(second, folder=folder)
    mlflow = client(folder)
    mlflow.set_registered_model_alias("weather", "champion", "1")  # a rollback
    assert sync_study(second, folder=folder).model_uri == "models:/weather/2"
    assert aliases(mlflow) == {"champion": 1}


def aliases(mlflow: Any, name: str = "weather") -> dict[str, int]:
    return {alias: int(version) for alias, version in mlflow.get_registered_model(name).aliases.items()}


def test_a_study_that_was_begun_anew_is_a_challenger_of_the_old_champion(
    folder: Path, bundle: Path, tmp_path: Path
) -> None:
    sync_study(dataclasses.replace(finished_study(2, uid="old"), bundle=str(bundle)), folder=folder)
    new = dataclasses.replace(finished_study(2, uid="new"), bundle=str(bundle))
    assert sync_study(new, folder=folder).model_uri == "models:/weather@challenger"
    assert aliases(client(folder)) == {"champion": 1, "challenger": 2}
    sync_study(winner_of_trial_1(new, tmp_path), folder=folder)
    assert aliases(client(folder)) == {"champion": 1, "challenger": 3}


def test_a_version_that_was_left_without_its_alias_gets_it_later(
    folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def fail(*arguments: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", fail)
        with pytest.raises(TrackingError, match="reset by peer"):
            sync_study(study, folder=folder)
    assert aliases(client(folder)) == {}
    sync_study(study, folder=folder)
    assert aliases(client(folder)) == {"champion": 1}


def test_the_logged_model_has_parameters_metrics_of_the_data_and_the_trials_of_its_members(
    folder: Path, bundle: Path
) -> None:
    sync_study(dataclasses.replace(finished_study(2), bundle=str(bundle)), folder=folder)
    mlflow = client(folder)
    parent, first, second = runs(mlflow)
    (model,) = mlflow.search_logged_models([parent.info.experiment_id])
    expected = {"task": "forecast", "forecast.horizon": "3", "data.frequency": "D", "trial": "0"}
    assert expected.items() <= model.params.items()
    assert model.params["member_1"] == "1 trial 0: gru(4)"
    assert "training.learning_rate" in model.params
    assert not {"None", "null", ""} & set(model.params.values())
    found = {each.key: each for each in model.metrics}
    assert {key: each.value for key, each in found.items()} == {"holdout_mae": 2.6, "holdout_rmse": 3.3, "score": 3.0}
    data = parent.inputs.dataset_inputs[0].dataset
    assert (found["holdout_mae"].dataset_name, found["holdout_mae"].dataset_digest) == (data.name, data.digest)
    outputs = [mlflow.get_run(run.info.run_id).outputs for run in (parent, first, second)]
    linked = [[each.model_id for each in output.model_outputs] if output else [] for output in outputs]
    assert linked == [[model.model_id], [model.model_id], []]
    assert model.tags["mlflow.note.content"].startswith("> The winner beats linear.")
    assert model.tags.items() >= {"study": "weather", "task": "forecast", "beats_baseline": "true"}.items()


def test_a_version_has_the_verdict_the_card_and_tags(folder: Path, bundle: Path) -> None:
    study, tracker = dataclasses.replace(finished_study(2), bundle=str(bundle)), projection(folder)
    tracker.start(dataclasses.replace(study, holdout=None, bundle=None))
    tracker.log_model(bundle, study)
    mlflow = client(folder)
    (version,) = mlflow.search_model_versions("name = 'weather'")
    expected = {"study": "weather", "task": "forecast", "metric": "mae", "score": "2.6", "beats_baseline": "true"}
    assert expected.items() <= version.tags.items()
    assert version.tags["registered_as"] == "champion"
    assert version.description.startswith("> The winner beats linear.\n\n# ")
    assert "## What it needs" in version.description
    registered = mlflow.get_registered_model("weather")
    assert registered.description.startswith("Forecasts of temp_max, 7 steps ahead")
    assert 'load_model("models:/weather@champion")' in registered.description


def test_a_model_that_has_just_been_logged_is_not_registered_again_at_the_end(
    folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    study, tracker = dataclasses.replace(finished_study(2), bundle=str(bundle)), projection(folder)
    tracker.start(study)
    tracker.log_model(bundle, study)
    find, asked = MlflowClient.search_registered_models, []
    monkeypatch.setattr(MlflowClient, "search_registered_models", lambda *args: asked.append(args) or find(*args))
    tracker.finish(study, status="FINISHED")
    assert not asked
    (model,) = client(folder).search_logged_models([runs(client(folder))[0].info.experiment_id])
    assert {each.key for each in model.metrics} == {"holdout_mae", "holdout_rmse", "score"}


def test_a_description_that_someone_wrote_stays(folder: Path, bundle: Path) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    sync_study(study, folder=folder)
    mlflow = client(folder)
    mlflow.update_registered_model("weather", "ours")
    mlflow.update_model_version("weather", "1", "ours, too")
    sync_study(study, folder=folder)
    assert mlflow.get_registered_model("weather").description == "ours"
    assert mlflow.get_model_version("weather", "1").description == "ours, too"


def test_a_long_card_is_cut_between_paragraphs(bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "model")
    card = "# Title\n\n" + "".join(f"## Part {number}\n\n{'word ' * 100}\n\n" for number in range(20))
    (tmp_path / "model" / "MODEL_CARD.md").write_text(card)
    text = version_description(Export.read(tmp_path / "model"), "It wins.")
    assert 4000 < len(text) <= MAX_DESCRIPTION
    assert text.endswith("word \n\n(The whole card is MODEL_CARD.md in the files of the model.)\n")


def test_the_example_has_the_types_of_the_signature(tmp_path: Path) -> None:
    frame = table(shops=(1, 2)).assign(visits=[4, 5] * 24)
    panel = panel_of(frame, categorical=["visits"])
    export = Export.read(save(tmp_path / "shops.bundle", bundle_of(panel, example=frame[:24])))
    example = typed_example(export)
    assert example is not None
    kinds = {name: column.dtype.kind for name, column in example.items()}
    assert kinds["shop"] == "i"
    assert kinds["sales 0"] == "f"
    assert all(isinstance(value, str) for value in [*example["day"], *example["visits"]])


def test_a_winner_that_was_not_logged_before_a_crash_is_logged_at_the_next_end(
    folder: Path, bundle: Path, tmp_path: Path
) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    first = sync_study(study, folder=folder)
    later = winner_of_trial_1(dataclasses.replace(study, mlflow=first), tmp_path)
    with projection(folder) as tracker:
        tracker.start(later)
        tracker.finish(later, status="FINISHED")
    assert client(folder).get_model_version_by_alias("weather", "champion").tags["trial"] == "1"


@pytest.mark.parametrize(("trial", "holdout"), [(1, True), (0, False)], ids=["of another trial", "before the holdout"])
def test_a_model_that_the_holdout_score_is_not_of_is_not_logged(
    folder: Path, tmp_path: Path, trial: int, holdout: bool
) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(save_small_bundle(tmp_path, trial=trial)))
    study = study if holdout else dataclasses.replace(study, holdout=None)
    scored = "trial 0" if holdout else "no trial"
    with pytest.raises(TrackingError, match=rf"not logged: it is of trial {trial}, .* scored for {scored} of study"):
        sync_study(study, folder=folder)
    assert client(folder).search_registered_models() == []
    assert runs(client(folder))[0].data.params["forecast.horizon"] == "7"


def test_a_model_without_an_example_is_logged_without_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = save_small_bundle(tmp_path)
    (bundle / "example.json").unlink()
    sync_study(dataclasses.replace(finished_study(2), bundle=str(bundle)), folder=folder)
    assert load_model(folder, monkeypatch).metadata.saved_input_example_info is None


def test_a_damaged_example_is_an_error_with_its_name(folder: Path, tmp_path: Path) -> None:
    bundle = save_small_bundle(tmp_path)
    for content in ("", "[]", '{"columns": ["day"], "data": 1}'):
        (bundle / "example.json").write_text(content)
        with pytest.raises(TrackingError, match=r"no model to log in .*weather\.bundle: example\.json is unusable"):
            sync_study(dataclasses.replace(finished_study(1), bundle=str(bundle)), folder=folder)


def test_a_registered_model_whose_bundle_is_gone_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(save_small_bundle(tmp_path)))
    first = sync_study(study, folder=folder)
    (tmp_path / "weather.bundle").rename(tmp_path / "moved")
    assert sync_study(study, folder=folder) == first
    assert "models:/weather@champion" in runs(client(folder))[0].data.tags["mlflow.note.content"]


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
    assert len(client(folder).search_logged_models(["1"])) == 1
    assert runs(client(folder))[0].info.status == "FINISHED"


def test_experiment_and_registered_model_have_the_names_that_the_study_gives_them(folder: Path, bundle: Path) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    names = {"experiment": "my experiment", "registered_model": "my-model", "uri": None}
    links = sync_study(dataclasses.replace(study, config={**study.config, "tracking": names}), folder=folder)
    assert links.model_uri == "models:/my-model@champion"
    assert len(runs(client(folder), "my experiment")) == 3


def test_the_description_has_the_verdict_the_leaderboard_with_baselines_and_the_model(
    folder: Path, bundle: Path
) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(bundle))
    sync_study(study, folder=folder)
    note = runs(client(folder))[0].data.tags["mlflow.note.content"]
    assert "> The winner beats linear." in note
    assert "| 1 | *linear* (baseline) |  | 2.800 | 2.640 |  |" in note
    assert "| 2 | `lstm(8) > gru(32)` | 0 | 3.000 | 2.600 | 1,000 |" in note
    assert "mlflow.pyfunc.load_model('models:/weather@champion')" in note
    assert default_tracking_uri(None, folder) in note


def test_a_bundle_that_is_none_is_an_error_and_the_study_is_shown_all_the_same(folder: Path) -> None:
    study = dataclasses.replace(finished_study(2), bundle=str(folder / "nothing"))
    with pytest.raises(TrackingError, match=r"no model to log in .*nothing: bundle.json is unusable"):
        sync_study(study, folder=folder)
    assert runs(client(folder))[0].info.status == "FINISHED"


def test_nothing_is_printed_and_nothing_of_the_process_is_changed(
    folder: Path, bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    environment, uri, cwd = dict(os.environ), mlflow.get_tracking_uri(), set(Path.cwd().iterdir())
    sync_study(dataclasses.replace(finished_study(1), bundle=str(bundle)), folder=folder)
    assert capfd.readouterr() == ("", "")
    assert dict(os.environ) == environment
    assert mlflow.get_tracking_uri() == uri
    assert set(Path.cwd().iterdir()) == cwd
