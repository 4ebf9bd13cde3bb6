"""Journals and bundles of an earlier version load, resume and predict as they did there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from helpers.drivers import without_onnx
from helpers.json_output import valid_json

from search.api import load_record
from search.cli.app import main

SPECIMENS = Path(__file__).parent / "specimens"
EXPECTED = json.loads((SPECIMENS / "shop" / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all of them, as the current folder."""
    shutil.copytree(SPECIMENS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> None:
    """A command in that folder, which ends well."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["search", *arguments])
    with pytest.raises(SystemExit) as ended, without_onnx():
        main()
    assert ended.value.code == 0


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> Any:
    """The JSON that a command prints."""
    capsys.readouterr()
    command(monkeypatch, folder, *arguments)
    return valid_json(arguments[0], capsys.readouterr().out)


@pytest.mark.parametrize(("study", "scores"), [("shop", EXPECTED["trials"][:2]), ("notes", [0.736842, 0.5])])
def test_the_journal_of_a_stopped_study_is_read(study: str, scores: list[float], folder: Path) -> None:
    record = load_record(study, folder / study)

    assert [trial.state for trial in record.trials] == ["COMPLETE", "COMPLETE", "WAITING"]  # it will run again
    assert [trial.value for trial in record.trials[:2]] == pytest.approx(scores, rel=1e-6)
    assert record.baselines


def test_a_stopped_study_resumes_with_the_scores_of_one_that_was_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = folder / "shop"

    command(monkeypatch, shop, "run", "shop.yaml", "--set", "search.blend=off")

    shown = printed(capsys, monkeypatch, shop, "show", "shop", "--json")
    assert [trial["layers"] for trial in shown["trials"]] == EXPECTED["layers"]
    assert [trial["value"] for trial in shown["trials"]] == pytest.approx(EXPECTED["trials"], rel=1e-5)
    found = shown["holdout"]["metrics"]
    assert {name: found[name] for name in EXPECTED["holdout"]} == pytest.approx(EXPECTED["holdout"], rel=1e-5)
    command(monkeypatch, shop, "report", "shop")
    assert (shop / "studies" / "shop.report" / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_a_stopped_comparison_resumes_with_the_scores_of_one_that_was_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("compare", "shop.yaml", "--trials", "2", "--seeds", "2", "--json")

    compared = printed(capsys, monkeypatch, folder / "shop", *arguments)

    families = {family["name"]: family for family in compared["families"]}
    assert set(families) == set(EXPECTED["families"])
    for name, scores in EXPECTED["families"].items():
        assert families[name]["trials"]["inherited"] == 1
        assert families[name]["folds"]["by_seed"] == pytest.approx(scores["folds"], rel=1e-5)
        assert families[name]["holdout"]["by_seed"] == pytest.approx(scores["holdout"], rel=1e-5)


def test_a_stopped_study_of_texts_resumes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    notes = folder / "notes"

    command(monkeypatch, notes, "run", "notes.yaml")

    shown = printed(capsys, monkeypatch, notes, "show", "notes", "--json")
    assert [trial["value"] for trial in shown["trials"]] == pytest.approx([0.736842, 0.5, 0.736842], rel=1e-5)
    assert shown["holdout"]["score"] == 0.5


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        ("stores/linear.bundle", "stores/linear.csv"),
        ("stores/parallel.bundle", "stores/parallel.csv"),
        ("stores/recurrent.bundle", "stores/recurrent.csv"),
        ("notes/notes.bundle", "notes/predicted.csv"),
    ],
)
@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_bundle_predicts_what_it_did(
    engine: str, bundle: str, expected: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Path(bundle).with_name("new.csv")

    command(monkeypatch, folder, "predict", bundle, "--data", str(data), "--engine", engine, "--output", "found.csv")

    pd.testing.assert_frame_equal(pd.read_csv("found.csv"), pd.read_csv(expected), rtol=1e-5, atol=1e-5)
