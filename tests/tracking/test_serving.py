"""``mlflow models serve``: every form of a table, and mistakes of the caller."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.forecast_bundles import HORIZON, bundle_of, calibration_of, rich_panel, rich_table
from helpers.mlflow_server import MlflowServer
from helpers.scoring_server import ScoringServer
from helpers.sequence_bundles import label_bundle_of, long_table, sequences_of, text_table, wide_table
from helpers.sequence_bundles import save as save_labels
from helpers.synthetic_study import finished_study
from serving import ask

from lstmgru.bundle import ForecastBundle, load_bundle, save_bundle
from lstmgru.runtime.load import is_proven
from search.errors import ModelDoesNotServe
from search.tracking.export import Export
from search.tracking.factory import sync_study
from search.tracking.fresh_environment import check_environment
from search.tracking.model import save_model

FRAME = rich_table(shops=(1, 2, 3))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three shops, named by numbers, with categories, a static covariate and prediction intervals."""
    origin = {"study": "weather", "trial": 0}
    model = bundle_of(rich_panel(FRAME), calibration=calibration_of(2), provenance=origin, example=FRAME)
    folder = save_bundle(tmp_path_factory.mktemp("serving") / "weather.bundle", model).directory
    assert is_proven(json.loads((folder / "bundle.json").read_text()))
    return folder


@pytest.fixture(scope="module")
def served(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoringServer]:
    """The champion of a registry, served."""
    folder = tmp_path_factory.mktemp("registry")
    with MlflowServer(folder / "server") as server:
        study = dataclasses.replace(finished_study(2), bundle=str(bundle))
        sync_study(study, folder=folder, tracking_uri=server.uri)
        with ScoringServer("models:/weather@champion", folder, server.uri) as scoring:
            yield scoring


def expected(bundle: Path, frame: pd.DataFrame = FRAME) -> list[dict[str, Any]]:
    """What the model itself predicts, as JSON."""
    model = load_bundle(bundle)
    assert isinstance(model, ForecastBundle)
    found: list[dict[str, Any]] = json.loads(model.predict(frame).to_json(orient="records", date_format="iso"))
    return found


def assert_same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """The same rows, up to rounding."""
    assert [row.keys() for row in found] == [row.keys() for row in wanted]
    for key in wanted[0]:
        values, others = [row[key] for row in found], [row[key] for row in wanted]
        if isinstance(others[0], float):
            np.testing.assert_allclose(values, others, rtol=1e-5)
        else:
            assert [str(value)[:19] for value in values] == [str(value)[:19] for value in others], key


def plain(frame: pd.DataFrame) -> dict[str, Any]:
    """The table by orientation of JSON, with times in ISO 8601 and empty cells as null."""
    text: dict[str, Any] = json.loads(frame.to_json(orient="split", date_format="iso", index=False))
    return {"columns": text["columns"], "data": text["data"]}


def as_columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {name: [row[name] for row in as_records(frame)] for name in frame}


def as_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    split = plain(frame)
    return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]


PAYLOADS: dict[str, Callable[[pd.DataFrame], tuple[Any, str]]] = {
    "split": lambda frame: ({"dataframe_split": plain(frame)}, "application/json"),
    "records": lambda frame: ({"dataframe_records": as_records(frame)}, "application/json"),
    "inputs": lambda frame: ({"inputs": as_columns(frame)}, "application/json"),
    "instances": lambda frame: ({"instances": as_records(frame)}, "application/json"),
    "csv": lambda frame: (frame.to_csv(index=False), "text/csv"),
}


@pytest.mark.slow
@pytest.mark.parametrize("form", PAYLOADS)
def test_every_form_of_a_table_is_predicted(served: ScoringServer, bundle: Path, form: str) -> None:
    status, answer = served.post(*PAYLOADS[form](FRAME))
    assert status == 200, answer
    assert_same(answer["predictions"], expected(bundle))


def without_column(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="price")


def with_gap(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(index=20)


def with_empty_cell(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(visits=frame["visits"].where(frame.index != 20))


def with_text(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(visits=frame["visits"].astype(object).where(frame.index != 20, "many"))


def with_strange_time(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(day=frame["day"].astype(str).where(frame.index != 20, "tomorrow"))


def without_rows(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[:0]


MISTAKES = {
    without_column: "price",
    with_gap: "model input: series '1' lacks 1 of the 6 rows that the model reads",
    with_empty_cell: "model input: column 'visits' is empty at",
    with_text: "visits|'many'",
    with_strange_time: "model input: column 'day' .* is 'tomorrow'",
    without_rows: "no rows|missing inputs",
}


@pytest.mark.slow
@pytest.mark.parametrize("form", ["split", "records", "inputs", "csv"])
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_of_the_caller_is_answered_with_400_and_the_reason(
    served: ScoringServer, mistake: Callable[[pd.DataFrame], pd.DataFrame], form: str
) -> None:
    status, answer = served.post(*PAYLOADS[form](mistake(FRAME)))
    assert status == 400, answer
    assert answer["error_code"] in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST")
    assert re.search(MISTAKES[mistake], answer["message"]), answer["message"]
    assert "stack_trace" not in answer
    assert "Traceback" not in answer["message"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text/csv", "application/vnd.apache.parquet"])
@pytest.mark.parametrize("content", ["", "shop,day\n1,2\n1,2,3,4\n", 'shop,day\n"1,2'])
def test_a_file_that_cannot_be_read_is_answered_with_400_and_the_reason_alone(
    served: ScoringServer, content: str, kind: str
) -> None:
    status, answer = served.post(content, kind)
    assert (status, "stack_trace" in answer) == (400, False), answer
    assert "Error: '" in answer["message"]
    assert "Traceback" not in answer["message"]


@pytest.mark.slow
def test_series_that_break_a_rule_are_left_out_on_request(served: ScoringServer, bundle: Path) -> None:
    payload = {"dataframe_split": plain(with_gap(FRAME)), "params": {"strict": False}}
    status, answer = served.post(payload)
    assert status == 200, answer
    assert_same(answer["predictions"], expected(bundle, FRAME[FRAME["shop"] != 1]))


@pytest.mark.slow
def test_parallel_clients_are_answered_as_one_is(served: ScoringServer) -> None:
    body = json.dumps({"dataframe_split": plain(FRAME)}).encode()
    found, _ = ask(served.port, body, "application/json", clients=32, seconds=3)
    assert found.wrong == []
    assert len(found.seconds) > 32
    assert len(found.contents) == 1


@pytest.mark.slow
def test_levels_and_horizon_are_parameters(served: ScoringServer, bundle: Path) -> None:
    payload = {"dataframe_split": plain(FRAME), "params": {"levels": [0.8], "horizon": 2}}
    status, answer = served.post(payload)
    assert status == 200, answer
    wanted = load_bundle(bundle).predict(FRAME, levels=[0.8], horizon=2)
    assert list(answer["predictions"][0]) == list(wanted.columns)
    assert_same(answer["predictions"], json.loads(wanted.to_json(orient="records", date_format="iso")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"strict": "maybe"}, "strict"),
        ("strict", "Parameters must be a dictionary"),
        ({"levels": 0.8}, "levels"),
        ({"levels": [1.5]}, "must be between 0 and 1|level"),
        ({"levels": [0.999999]}, "level"),
        ({"horizon": 9}, "horizon"),
        ({"horizon": 0}, "horizon"),
    ],
)
def test_an_invalid_parameter_is_answered_with_400(served: ScoringServer, params: Any, message: str) -> None:
    status, answer = served.post({"dataframe_split": plain(FRAME), "params": params})
    assert (status, "stack_trace" in answer) == (400, False)
    assert re.search(message, answer["message"])


@pytest.mark.slow
@pytest.mark.parametrize("content", ["{", "[]", '{"rows": []}', '{"inputs": 3}', '{"dataframe_split": {"data": [[]]}}'])
def test_what_is_no_table_is_answered_with_400(served: ScoringServer, content: str) -> None:
    status, answer = served.post(content)
    assert (status, "stack_trace" in answer) == (400, False), answer
    assert answer["message"]


@pytest.mark.slow
@pytest.mark.parametrize("table", [long_table, wide_table, text_table])
def test_models_that_label_are_served_too(table: Callable[[], pd.DataFrame], tmp_path: Path) -> None:
    bundle = label_bundle_of(sequences_of(table()))
    frame = table().replace({"text": {"": "on time"}})  # CSV has no empty texts
    save_model(tmp_path / "model", Export.read(save_labels(tmp_path / "labels.bundle", bundle)))
    wanted = json.loads(bundle.predict(frame).to_json(orient="records"))
    with ScoringServer(str(tmp_path / "model"), tmp_path) as served:
        for form in ("split", "records", "inputs", "csv"):
            status, answer = served.post(*PAYLOADS[form](frame[list(bundle.schema.inputs)]))
            assert status == 200, (form, answer)
            assert_same(answer["predictions"], wanted)


@pytest.mark.slow
def test_the_dockerfile_names_nothing_of_this_machine(bundle: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "model", Export.read(bundle))
    command = [sys.executable, "-m", "mlflow", "models", "generate-dockerfile", "-m", "model", "-d", "image"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    image = tmp_path / "image"
    dockerfile = (image / "Dockerfile").read_text()
    python = ".".join(map(str, sys.version_info[:3]))
    assert dockerfile.splitlines()[1] == f"FROM python:{python}-slim"
    (copied,) = re.findall(r"^COPY (\S+) /opt/ml/model$", dockerfile, re.MULTILINE)
    requirements = (image / copied / "requirements.txt").read_text().split()
    assert f"pip install {next(each for each in requirements if each.startswith('mlflow=='))}" in dockerfile
    assert {each.partition("==")[0] for each in requirements} >= {"mlflow", "numpy", "pandas"}
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", each) for each in requirements)
    own = [str(Path.home()), str(tmp_path), sys.prefix, os.getcwd()]
    texts = [
        path for path in image.rglob("*") if path.suffix in ("", ".txt", ".yaml", ".json", ".md") and path.is_file()
    ]
    assert len(texts) >= 8
    for path in texts:
        assert not [place for place in own if place in path.read_text()], path


@pytest.mark.slow
def test_the_champion_works_where_only_what_it_declares_is_installed(bundle: Path) -> None:
    checked = check_environment(bundle)
    assert checked.rows == len(expected(bundle))
    packages = [each.partition("==")[0] for each in checked.requirements]
    assert packages == ["mlflow", "numpy", "pandas", "onnxruntime"]


@pytest.mark.slow
def test_a_requirement_that_cannot_be_installed_is_said_in_one_line(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ModelDoesNotServe, match=r"requirements cannot be installed: ERROR: .*mlflow==[\d.]+$"):
        check_environment(bundle)


@pytest.mark.slow
def test_the_last_rows_of_covariates_known_ahead_are_read(served: ScoringServer) -> None:
    status, answer = served.post({"dataframe_split": plain(FRAME[:-HORIZON])})
    assert status == 400
    assert "future covariate 'price' is not known" in answer["message"]
