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
from search.study.identity import SCORED_AFTER
from search.study.journal import open_storage
from search.study.store import StudyStore

SPECIMENS = Path(__file__).parent / "specimens"
EXPECTED = json.loads((SPECIMENS / "shop" / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all of them, as the current folder."""
    shutil.copytree(SPECIMENS, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str, code: int = 0) -> None:
    """A command in that folder, which ends with that code."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("sys.argv", ["search", *arguments])
    with pytest.raises(SystemExit) as ended, without_onnx():
        main()
    assert ended.value.code == code


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: str) -> Any:
    """The JSON that a command prints."""
    capsys.readouterr()
    command(monkeypatch, folder, *arguments)
    return valid_json(arguments[0], capsys.readouterr().out)


def say_scored_after(journal: Path, rule: str | None) -> None:
    """Let the studies of a journal say by which rule their folds were scored; ``None``: as before they said it."""
    storage = open_storage(journal)
    for study in storage.get_all_studies():
        store = StudyStore.load(storage, study.study_name)
        assert store is not None
        kept = {key: value for key, value in store.get("identity").items() if key != SCORED_AFTER}
        store.set("identity", kept if rule is None else {**kept, SCORED_AFTER: rule})


OTHER_FOLDS = "best epochs of the other folds"
REFUSED = (
    "was begun by an earlier version, whose scores cannot be compared with new ones: folds_scored_after was own best "
    "epochs, is best epochs of the other folds; start over with --fresh, which removes its trials, or keep it and "
    "choose another name with --set name=...\n"
)


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
    journal = shop / "studies" / "shop.journal"
    say_scored_after(journal, OTHER_FOLDS)  # the same epochs: every fold was best after the last one

    command(monkeypatch, shop, "run", "shop.yaml", "--set", "search.blend=off")

    shown = printed(capsys, monkeypatch, shop, "show", "shop", "--json")
    assert [trial["layers"] for trial in shown["trials"]] == EXPECTED["layers"]
    assert [trial["value"] for trial in shown["trials"]] == pytest.approx(EXPECTED["trials"], rel=1e-5)
    found = shown["holdout"]["metrics"]
    assert {name: found[name] for name in EXPECTED["holdout"]} == pytest.approx(EXPECTED["holdout"], rel=1e-5)
    command(monkeypatch, shop, "report", "shop")
    assert (shop / "studies" / "shop.report" / "report.html").stat().st_size > 10_000

    say_scored_after(journal, None)
    capsys.readouterr()
    command(monkeypatch, shop, "run", "shop.yaml", "--set", "search.blend=off", "--trials", "5", code=2)
    assert capsys.readouterr().err.endswith(f"study 'shop' {REFUSED}")
    command(monkeypatch, shop, "export", "shop", "--to", "model")
    command(monkeypatch, shop, "predict", "model", "--data", "shop.csv", "--output", "found.csv")
    table = pd.read_csv(shop / "shop.csv")
    more = table.tail(20).assign(day=pd.date_range(table["day"].iloc[-1], periods=21).strftime("%Y-%m-%d")[1:])
    pd.concat([table, more]).to_csv(shop / "later.csv", index=False)
    command(monkeypatch, shop, "refit", "shop", "--data", "later.csv")


def test_a_stopped_study_with_other_scores_is_read_but_not_resumed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = folder / "shop"
    journal = shop / "studies" / "shop.journal"
    before = journal.read_bytes()
    few = ("--trials", "1", "--set", "search.blend=off")

    command(monkeypatch, shop, "run", "shop.yaml", code=2)
    assert capsys.readouterr().err.endswith(f"study 'shop' {REFUSED}")
    command(monkeypatch, shop, "compare", "shop.yaml", code=2)
    assert capsys.readouterr().err.endswith(f"the comparison 'shop: lstm' {REFUSED}")
    command(monkeypatch, shop, "report", "shop")
    command(monkeypatch, shop, "run", "shop.yaml", "--set", "name=again", "--set", "search.warm_start=shop", *few)
    assert journal.read_bytes() == before
    command(monkeypatch, shop, "run", "shop.yaml", "--fresh", *few)
    assert len(load_record("shop", shop).trials) == 1


@pytest.mark.slow
def test_a_stopped_comparison_resumes_with_the_scores_of_one_that_was_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("compare", "shop.yaml", "--trials", "2", "--seeds", "2", "--json")
    for name in ("shop", "shop.compare"):
        say_scored_after(folder / "shop" / "studies" / f"{name}.journal", OTHER_FOLDS)

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
    say_scored_after(notes / "studies" / "notes.journal", OTHER_FOLDS)

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
