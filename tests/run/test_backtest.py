"""``backtest`` as users and scripts call it: of a directory and of a registered model, with page, JSON and MLflow."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest
from helpers.forecast_bundles import bundle_of, panel_of, save, table
from helpers.json_output import valid_json
from helpers.mlflow_store import client, make_store
from helpers.studies import search_here
from helpers.synthetic_study import make_study

from lstmgru.evaluation.decimals import decimals_of, fixed
from search import backtest
from search.errors import SearchError, TrackingError
from search.tracking.export import Export
from search.tracking.model_texts import Origin
from search.tracking.registration import register
from search.tracking.store import talking_to

ROWS, KNOWN = 30, 24


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model, a table with rows that came since, and an empty MLflow store."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_store(tmp_path)
    origin = {"study": "shop", "trained_on": "everything", "learned_until": "2020-04-12"}
    save(tmp_path / "model", bundle_of(panel_of(table(KNOWN)), provenance=origin))
    table(ROWS).to_csv(tmp_path / "later.csv", index=False)
    return tmp_path


def registered(folder: Path) -> None:
    """Register the model as ``shop``, with the alias ``champion``."""
    mlflow = client(folder)
    with talking_to("sqlite"):
        experiment = mlflow.create_experiment("shop", (folder / "mlruns" / "artifacts").as_uri())
        run = mlflow.create_run(experiment)
        origin = Origin.of(make_study(uid="1", study="shop"))
        register(mlflow, run.info.run_id, Export.read(folder / "model"), name="shop", origin=origin)


def test_the_command_prints_80_columns_and_writes_a_page(folder: Path) -> None:
    result = search_here(folder, "backtest", "model", "--data", "later.csv", "--output", "page.html")
    assert result.returncode == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "4 forecasts of 6 rows from 2020-04-13 to 2020-04-18" in " ".join(result.stdout.split())
    for fragment in ("baseline: naive", "on the holdout", "by step", "The model does not"):
        assert fragment in result.stdout
    page = (folder / "page.html").read_text()
    document = json.loads(search_here(folder, "backtest", "model", "--data", "later.csv", "--json").stdout)
    for row in document["parts"]["steps"]:
        score = fixed(row["score"], decimals_of([document["score"]]))
        assert score in result.stdout
        assert f'<td class="number">{score}</td>' in page
    assert "By step of the horizon" in page
    assert '<p class="verdict"><strong>No clear difference</strong> The model does not' in page
    assert ">RMSE</th>" in page
    assert "<svg" in page


def test_json_holds_what_python_returns(folder: Path) -> None:
    result = search_here(folder, "backtest", "model", "--data", "later.csv", "--json")
    document = valid_json("backtest", result.stdout)
    record = backtest(folder / "model", pd.read_csv(folder / "later.csv"), folder=folder)
    assert document["mlflow_run_id"] is None
    assert document["score"] == record.score == record.metrics["rmse"]
    assert document["parts"]["steps"][0]["score"] == record.parts.steps[0].score


def test_a_registered_model_gets_an_evaluation_run(folder: Path) -> None:
    registered(folder)
    record = backtest("models:/shop@champion", folder / "later.csv", folder=folder, track=True)
    of_version = backtest("models:/shop/1", folder / "later.csv", folder=folder)
    assert of_version == replace(record, model="models:/shop/1")

    mlflow = client(folder)
    (run,) = mlflow.search_runs([mlflow.get_experiment_by_name("shop").experiment_id], "tags.kind = 'backtest'")
    (model,) = mlflow.search_logged_models([run.info.experiment_id])
    run = mlflow.get_run(run.info.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["rmse"] == record.score
    assert run.data.metrics["baseline.naive"] == record.baselines["naive"].score
    assert run.data.params["table"].endswith("later.csv")
    assert record.verdict in run.data.tags["mlflow.note.content"]
    assert [each.model_id for each in run.inputs.model_inputs] == [model.model_id]
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "later.csv"
    assert json.loads(used.dataset.profile)["num_rows"] == ROWS
    found = {(each.key, each.value, each.dataset_name, each.dataset_digest) for each in model.metrics}
    assert ("rmse", record.score, "later.csv", used.dataset.digest) in found
    assert {file.path for file in mlflow.list_artifacts(run.info.run_id)} == {"backtest.html", "backtest.json"}


def test_a_registered_model_predicts_as_its_directory(folder: Path) -> None:
    registered(folder)
    found = [search_here(folder, "predict", name, "--data", "later.csv") for name in ("models:/shop@champion", "model")]
    assert found[0].stdout == found[1].stdout != ""

    missing = search_here(folder, "predict", "models:/shop@challenger", "--data", "later.csv", "--output", "f.csv")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "has no alias 'challenger'" in missing.stderr
    assert missing.stderr.count("\n") == 1
    assert not (folder / "f.csv").exists()

    shutil.rmtree(folder / "mlruns")
    nowhere = search_here(folder, "predict", "models:/shop@champion", "--data", "later.csv")
    assert "mlruns/mlflow.db does not exist; name the MLflow server" in nowhere.stderr
    assert not (folder / "mlruns").exists()


def test_an_outage_of_mlflow_costs_no_result(folder: Path) -> None:
    at = {"MLFLOW_TRACKING_URI": "sqlite:////proc/nowhere/mlflow.db"}
    with patch.dict("os.environ", at), patch("helpers.studies.program_environment", lambda: {**os.environ}):
        result = search_here(folder, "backtest", "model", "--data", "later.csv", "--track")
    assert result.returncode == 2
    assert "baseline: naive" in result.stdout
    assert "MLflow" in result.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("models:/shop@challenger", "has no alias 'challenger'.*; it has: champion"),
        ("models:/shop/7", "has no version 7.*; it has: 1"),
        ("models:/store@champion", "no registered model 'store'.*; known: shop"),
        ("models:/shop", "write models:/NAME@alias or models:/NAME/version"),
    ],
)  # fmt: skip
def test_a_registered_model_that_is_not_there_is_an_error_that_lists_those_that_are(
    folder: Path, model: str, message: str
) -> None:
    registered(folder)
    with pytest.raises(TrackingError, match=message):
        backtest(model, folder / "later.csv", folder=folder)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("./later.csv", "later.csv is the table itself; choose another file"),
        ("page.csv", "page.csv: a page is written as .html but the name ends in '.csv'"),
        ("no/page.html", "no/page.html cannot be written: no is not a directory; choose another place"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_at_the_start(
    output: str, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    table = (folder / "later.csv").read_bytes()
    with pytest.raises(SearchError, match=f"^{re.escape(message)}$"):
        backtest("shops", "later.csv", output=output)  # there is no such model, which would be found later
    assert (folder / "later.csv").read_bytes() == table


def test_what_is_no_model_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(
        SearchError, match="shops is neither a study that was run, nor the directory of a model, nor models:"
    ):
        backtest("shops", "later.csv")
    (folder / "empty").mkdir()
    for arguments in (("empty", "--data", "later.csv"), ("model", "--data", "none.csv"), ("weather", "--data", "x")):
        result = search_here(folder, "backtest", *arguments)
        assert (result.returncode, result.stdout) == (2, ""), arguments
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1
