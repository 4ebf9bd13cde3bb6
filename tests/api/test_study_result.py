"""A study in Python: read without running it, its tables and its model."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from helpers.drivers import drive, finish, without_onnx
from helpers.studies import search_here, shop_table, shown, start, write_study
from helpers.synthetic_study import make_study, make_trial

from lstmgru.bundle import load_bundle
from search import backtest, load_study, refit
from search.errors import SearchError, StudyNotFound
from search.reports.frames import holdout_frame, trials_frame


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a study has been run."""
    folder = tmp_path_factory.mktemp("finished")
    finish(folder)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it without the study file and the table, while the current folder is an empty one."""
    shutil.copytree(finished / "studies", tmp_path / "work" / "studies")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "work"


# --- reading ----------------------------------------------------------------------------------------------------------


def test_a_study_is_read_without_its_file(folder: Path) -> None:
    study = load_study("tiny", folder=folder)

    assert (study.name, study.task, study.metric, study.direction) == ("tiny", "forecast", "mae", "minimize")
    assert study.folder == folder
    assert study.best is not None
    assert study.best.layers is not None
    assert study.best.layers.startswith("gru(")
    assert set(study.best.params) == {"hidden_size_1", "dropout", "learning_rate"}
    assert study.holdout is not None
    assert study.verdict == study.holdout.verdict
    assert study.beats_baselines == study.holdout.beats_baselines
    assert sum(study.weights.values()) == pytest.approx(1)
    assert study.blend is not None
    assert list(study.weights) == [member.candidate for member in study.blend.members]
    assert study.bundle == folder / "studies" / "tiny.bundle"
    assert not study.interrupted


def test_it_says_what_the_command_says(folder: Path) -> None:
    study, document = load_study("tiny", folder=folder), shown(folder)

    assert json.loads(json.dumps(study.to_json())) == document
    assert study.baselines.keys() == document["baselines"].keys()
    assert study.trials["value"].tolist() == [each["value"] for each in document["trials"]]


def test_the_file_in_the_working_folder_may_have_another_name_than_the_study(folder: Path) -> None:
    shutil.copy(write_study(folder), folder / "studies" / "shop.yaml")

    assert load_study("shop", folder=folder).name == "tiny"
    # A file that was given the name of a study, and another name inside.
    (folder / "studies" / "tiny.yaml").write_text("name: other\n")
    assert load_study("tiny", folder=folder).name == "tiny"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tinny", "there is no study 'tinny'; did you mean 'tiny'?; studies that were run in {}: tiny"),
        ("weather", "study 'weather' has not been run in {}: there is no {}/studies/weather.journal; "
                    "studies that were run there: tiny; run it with: python -m search run weather"),
    ],
)  # fmt: skip
def test_a_study_that_was_not_run_is_one_line_that_lists_those_that_were(folder: Path, name: str, said: str) -> None:
    with pytest.raises(StudyNotFound, match=rf"^{re.escape(said.replace('{}', str(folder)))}$"):
        load_study(name, folder=folder)
    result = search_here(folder, "show", name)
    assert (result.returncode, result.stdout, result.stderr) == (2, "", f"error: {said.replace('{}', str(folder))}\n")


def test_in_an_empty_folder_none_are_listed(tmp_path: Path) -> None:
    with pytest.raises(StudyNotFound, match=r"there is no study 'sales'; studies that were run in .*: none$"):
        load_study("sales", folder=tmp_path)


def test_an_interrupted_study_is_refreshed_after_it_was_resumed(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=3", stop_in=2)
    study = load_study("tiny", folder=tmp_path)
    assert repr(study).startswith("StudyResult(name='tiny', trials=[2 complete, 1 waiting], metric='mae', best=")
    assert (study.verdict, study.beats_baselines, study.weights) == (None, None, {})
    assert study.holdout_scores.empty
    with pytest.raises(SearchError, match="study 'tiny' has no exported model; run it to completion first"):
        study.predict(shop_table())

    finish(tmp_path, "search.trials=3")

    assert study.refresh() is study
    assert study.trials["state"].tolist() == ["COMPLETE"] * 3
    assert study.verdict is not None
    assert "beats_baselines=" in repr(study)
    assert len(study.predict(shop_table())) == 3


@pytest.mark.slow
def test_a_running_study_is_read_and_refreshed(tmp_path: Path) -> None:
    write_study(tmp_path)
    process = start(tmp_path, "run", "tiny.yaml", "--trials", "12", "--set", "tracking.enabled=false")
    states = set()
    try:
        while process.poll() is None:
            try:
                states |= set(load_study("tiny", folder=tmp_path).refresh().trials["state"])
            except StudyNotFound:
                time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    study = load_study("tiny", folder=tmp_path)
    assert process.returncode == 0, study
    assert "RUNNING" in states
    assert study.verdict is not None
    assert set(study.plots) == {"holdout", "forecasts", "history", "curves", "importance"}
    assert all(len(study.plot(name).svg) for name in study.plots if name != "importance")


# --- tables -----------------------------------------------------------------------------------------------------------


def test_trials_are_a_frame_with_types_that_gaps_do_not_change() -> None:
    first = make_trial(0, params={"n_layers": 2, "hidden_size_2": 16, "cell": "gru", "bidirectional": True})
    running = make_trial(1, "RUNNING", params={"n_layers": 1, "cell": "lstm", "learning_rate": 0.01})

    frame = trials_frame(make_study(first, running))

    assert list(frame.columns) == [
        "number", "state", "value", "fold_1", "fold_2", "layers", "n_parameters", "latency", "epochs", "seconds",
        "train_seconds", "feasible", "pareto", "origin", "reason", "started", "completed", "mlflow_run_id",
        "params_n_layers", "params_hidden_size_2", "params_cell", "params_bidirectional", "params_learning_rate",
    ]  # fmt: skip
    assert frame["state"].tolist() == ["COMPLETE", "RUNNING"]
    assert frame.loc[0, ["fold_1", "fold_2", "params_learning_rate"]].tolist()[:2] == [3.0, 3.2]
    types = {
        name: str(frame[name].dtype) for name in ("params_n_layers", "params_hidden_size_2", "params_bidirectional")
    }
    assert types == {"params_n_layers": "Int64", "params_hidden_size_2": "Int64", "params_bidirectional": "boolean"}
    assert frame["value"].isna().tolist() == [False, True]
    assert pd.api.types.is_datetime64_dtype(frame["started"])


def test_a_study_without_trials_has_empty_frames_with_their_columns() -> None:
    frame = trials_frame(make_study())

    assert frame.empty
    assert {"number", "state", "value", "layers", "started"} <= set(frame.columns)
    assert list(holdout_frame(make_study()).columns) == ["score", "low", "high"]


def test_the_holdout_has_intervals_best_first(folder: Path) -> None:
    study = load_study("tiny", folder=folder)
    assert study.holdout is not None

    frame = study.holdout_scores

    assert set(frame.index) == {"model", *study.baselines}
    assert frame["score"].is_monotonic_increasing
    assert frame.loc["model", "score"] == study.holdout.score
    if study.holdout.score_interval is not None:
        assert tuple(frame.loc["model", ["low", "high"]]) == study.holdout.score_interval
    larger = replace(study.record, direction="maximize")
    assert holdout_frame(larger)["score"].is_monotonic_decreasing


# --- model ------------------------------------------------------------------------------------------------------------


def test_a_file_in_a_folder_that_is_not_there_is_one_line(folder: Path, tmp_path: Path) -> None:
    study, missing = load_study("tiny", folder=folder), tmp_path / "missing"
    writes: dict[str, Callable[[Path], object]] = {
        "page.html": study.report,
        "history.svg": study.plot("history").save,
        "backtest.html": lambda path: backtest(study, shop_table(240), output=path, track=False),
    }
    for name, write in writes.items():
        said = f"{missing / name} cannot be written: {missing} is not a directory; choose another place"
        with pytest.raises(SearchError, match=f"^{re.escape(said)}$"):
            write(missing / name)


def test_the_model_is_that_of_the_folder_and_is_read_again_after_a_refit(folder: Path) -> None:
    study = load_study("tiny", folder=folder)
    assert study.bundle is not None
    before = study.predict(shop_table())
    pd.testing.assert_frame_equal(before, load_bundle(study.bundle).predict(shop_table()))
    assert study.model.provenance["learned_until"] == "2022-07-21"
    assert {"lower_50", "upper_50"} <= set(study.predict(shop_table(), levels=[0.5], horizon=2).columns)
    shop_table(240).to_csv(folder / "later.csv", index=False)

    scored = backtest(study, shop_table(240))
    with without_onnx():
        outcome = refit(study, data=folder / "later.csv", promote="always")

    assert scored.model == "tiny"
    assert scored.scored.endswith("40 rows from 2022-07-22 to 2022-08-30")
    assert outcome.champion is not None
    assert outcome.champion.score == pytest.approx(scored.score)
    assert outcome.promoted
    pd.testing.assert_frame_equal(study.predict(shop_table()), before)
    assert study.refresh().model.provenance["learned_until"] == "2022-08-30"
    assert study.refits == outcome.study.refits
    assert len(study.refits) == 1
