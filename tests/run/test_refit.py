"""``refit``: the same members on more rows, the old model scored on what it has not seen, and who is champion then."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.drivers import NUMBERS, Notes, finish, plan_of, without_onnx
from helpers.json_output import valid_json
from helpers.mlflow_server import MlflowServer
from helpers.mlflow_store import client, make_store
from helpers.sequence_studies import WAVES, wave_table, write_label_study
from helpers.studies import program_environment, search_here, shop_table, shown, write_study

from lstmgru.bundle import ForecastBundle, load_bundle
from lstmgru.errors import DataError
from lstmgru.evaluation.decimals import decimals_of, fixed
from search import load_study, refit
from search.api import RefitResult, load_plan
from search.errors import SearchError, StudyMismatch, StudyNotFound
from search.run.refit import refit as refit_plan
from search.run.runner import run
from search.study.paths import StudyPaths
from search.study.refit_records import Promotion
from search.study.store import ROWS, StudyStore
from search.tracking.registry import downloaded
from search.tracking.store import connect

OLD, NEW, HORIZON = 200, 240, 3
ALONE = "search.blend=off"
UNTRACKED = "tracking.enabled=false"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a study of one network has been run on the first rows of a table."""
    folder = tmp_path_factory.mktemp("refit")
    finish(folder, ALONE, "search.trials=1")
    return folder


@pytest.fixture
def folder(study: Path, tmp_path: Path) -> Path:
    """A copy of it, with the longer table."""
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    shop_table(NEW).to_csv(tmp_path / "later.csv", index=False)
    return tmp_path


def refitted(
    folder: Path, data: str = "later.csv", promote: Promotion = "if-better", study: str = "tiny.yaml", *overrides: str
) -> RefitResult:
    with chdir(folder), without_onnx():
        return refit(study, data=data, promote=promote, overrides=overrides or (ALONE,), folder=folder)


def model(place: Path) -> ForecastBundle:
    bundle = load_bundle(place)
    assert isinstance(bundle, ForecastBundle)
    return bundle


def error_of(bundle: ForecastBundle, table: pd.DataFrame, first: int) -> float:
    """The mean absolute error of forecasts from growing tables, from a row on."""
    sales, errors = table["sales"].to_numpy(), []
    for cutoff in range(first, len(table) - HORIZON + 1):
        forecast = bundle.predict(table[:cutoff])["forecast"].to_numpy()
        errors.append(np.abs(forecast - sales[cutoff : cutoff + HORIZON]).mean())
    return float(np.mean(errors))


def test_the_same_members_learn_from_all_rows_and_the_old_model_is_kept(folder: Path) -> None:
    paths = StudyPaths(folder, "tiny")
    old = model(paths.bundle)

    outcome = refitted(folder)

    new, former = model(paths.bundle), model(paths.former)
    assert (new.provenance["learned_until"], former.provenance["learned_until"]) == ("2022-08-30", "2022-07-21")
    (member,), (before,), (unchanged,) = new.networks, old.networks, former.networks
    assert member.model_spec == before.model_spec
    assert member.train_spec == before.train_spec
    assert member.trial == before.trial
    assert all((unchanged.arrays()[name] == tensor).all() for name, tensor in before.arrays().items())
    assert not all((member.arrays()[name] == tensor).all() for name, tensor in before.arrays().items())
    assert new.calibration is not None
    assert old.calibration is not None
    assert new.calibration.to_dict() == old.calibration.to_dict()
    assert new.normal_scores is not None
    assert old.normal_scores is not None
    assert np.array_equal(new.normal_scores, old.normal_scores)
    assert not paths.challenger.exists()
    assert outcome.record.promoted
    assert outcome.record.change == "40 rows more, from 2022-07-22 on, the 200 before unchanged"


def test_the_old_model_is_scored_on_the_rows_that_came_since(folder: Path) -> None:
    old, table = model(StudyPaths(folder, "tiny").bundle), shop_table(NEW)

    outcome = refitted(folder)

    assert outcome.champion is not None
    assert outcome.record.champion == pytest.approx(error_of(old, table, OLD), rel=1e-4)
    scored = outcome.champion
    assert scored.scored == f"{NEW - OLD - HORIZON + 1} forecasts of 40 rows from 2022-07-22 to 2022-08-30"
    assert {level.level for level in scored.intervals} == {0.8, 0.95}
    assert {"naive", "seasonal_naive", "linear"} <= {name for name, each in scored.baselines.items() if each.score}
    # The later half of the new rows is scored by both, the recipe trained before it.
    half = OLD + (NEW - OLD) // 2
    assert outcome.record.against == pytest.approx(error_of(old, table, half), rel=1e-4)
    assert outcome.record.challenger is not None
    assert outcome.record.challenger != outcome.record.against
    metrics = model(StudyPaths(folder, "tiny").bundle).metrics
    assert metrics["holdout"]["mae"] == pytest.approx(outcome.record.challenger)


def test_trained_up_to_the_old_end_the_recipe_is_the_champion(folder: Path) -> None:
    """With few new rows, all of them are scored, and the recipe trained before them has learned what the model has."""
    shop_table(OLD + 10).to_csv(folder / "later.csv", index=False)
    outcome = refitted(folder)
    assert outcome.record.challenger == pytest.approx(outcome.record.against, rel=1e-5)
    assert outcome.record.promoted
    assert "all of which are needed to score it" in outcome.record.reason
    assert "against" not in outcome.record.reason


def test_fewer_new_rows_than_the_horizon_are_learned_but_not_scored(folder: Path) -> None:
    shop_table(OLD + 2).to_csv(folder / "later.csv", index=False)
    outcome = refitted(folder)
    assert outcome.champion is None
    assert (outcome.record.champion, outcome.record.against, outcome.record.promoted) == (None, None, True)
    assert "2 rows more, too few to compare it with the champion" in outcome.record.reason
    assert model(StudyPaths(folder, "tiny").bundle).provenance["learned_until"] == "2022-07-23"


@pytest.mark.parametrize("promote", ["if-better", "never"])
def test_the_way_out_of_too_few_new_rows_leads_to_a_comparison(folder: Path, promote: Promotion) -> None:
    rows, notes = OLD + 2, Notes()
    shop_table(rows).to_csv(folder / "later.csv", index=False)
    with chdir(folder), without_onnx():
        plan = load_plan("tiny", data="later.csv", values=load_study("tiny").record.config)
        refit_plan(plan, folder=folder, rule=promote, listener=notes)
    (said,) = [note for note in notes.notes if "cannot be scored" in note]
    advice = re.search(r"so no forecast can be scored; refit again when (\d+) more rows with a known target", said)
    assert advice is not None, said
    shop_table(rows + int(advice[1])).to_csv(folder / "later.csv", index=False)
    assert refitted(folder, promote=promote).record.champion is not None


def misleading_table() -> pd.DataFrame:
    """The first half of the new rows is nonsense."""
    table, half = shop_table(NEW), OLD + (NEW - OLD) // 2
    table.loc[OLD : half - 1, "sales"] = 500 + 400 * (np.arange(half - OLD) % 2)
    return table


def test_rows_that_mislead_leave_the_champion_in_place(folder: Path) -> None:
    paths = StudyPaths(folder, "tiny")
    misleading_table().to_csv(folder / "later.csv", index=False)
    before = (paths.bundle / "weights.safetensors").read_bytes()

    outcome = refitted(folder)

    assert not outcome.record.promoted
    assert outcome.record.reason.endswith("too few cutoffs for a test, but much worse.")
    assert (paths.bundle / "weights.safetensors").read_bytes() == before
    assert model(paths.challenger).provenance["learned_until"] == "2022-08-30"
    assert not paths.former.exists()


@pytest.mark.parametrize(("promote", "promoted"), [("always", True), ("never", False)])
def test_the_rule_may_be_overruled(folder: Path, promote: Promotion, promoted: bool) -> None:
    (misleading_table() if promoted else shop_table(NEW)).to_csv(folder / "later.csv", index=False)
    outcome = refitted(folder, promote=promote)
    assert outcome.record.promoted == promoted
    assert f"(--promote {promote})" in outcome.record.reason
    assert "nothing to compare" not in outcome.record.reason
    assert StudyPaths(folder, "tiny").challenger.exists() != promoted


def test_a_champion_that_no_longer_beats_the_baselines_is_said_to_be_so(folder: Path) -> None:
    table = shop_table(NEW)
    table.loc[OLD:, "sales"] = 300 + 0.01 * np.arange(NEW - OLD)  # the last value is best
    table.to_csv(folder / "later.csv", index=False)
    outcome = refitted(folder)
    assert outcome.record.beaten
    assert "no longer beats the baselines" in outcome.record.warning
    assert "champion" in outcome.record.champion_verdict


def test_a_backtest_says_that_the_earlier_scores_are_those_of_the_refit(folder: Path) -> None:
    outcome = refitted(folder, promote="always")
    assert outcome.champion is not None
    assert outcome.champion.holdout_rows == "the holdout of the study"
    shop_table(NEW + 20).to_csv(folder / "later2.csv", index=False)

    done = search_here(folder, "backtest", "tiny", "--data", "later2.csv", "--no-track", "--output", "page.html")
    document = json.loads(
        search_here(folder, "backtest", "tiny", "--data", "later2.csv", "--no-track", "--json").stdout
    )

    assert document["holdout"]["mae"] == pytest.approx(outcome.record.challenger)
    assert document["holdout_rows"] == "the last new rows of the refit"
    assert (
        f"than on the last new rows of the refit ({fixed(outcome.record.challenger, decimals_of([document['score']]))})"
        in document["drift"]
    )
    for text in (done.stdout, (folder / "page.html").read_text()):
        assert "in the refit" in text
        assert "holdout" not in text


def test_a_second_refit_begins_where_the_first_ended(folder: Path) -> None:
    refitted(folder)
    shop_table(NEW + 20).to_csv(folder / "later.csv", index=False)
    outcome = refitted(folder)
    assert outcome.record.change == "20 rows more, from 2022-08-31 on, the 240 before unchanged"
    assert outcome.champion is not None
    assert "of 20 rows from 2022-08-31" in outcome.champion.scored
    assert len(shown(folder)["refits"]) == 2


def test_a_new_model_of_the_study_has_learned_from_its_own_rows_again(folder: Path) -> None:
    notes = Notes()
    refitted(folder)
    finish(folder, ALONE, "search.trials=1", "export.train_on=before_holdout", notes=notes)
    assert [note for note in notes.notes if note.startswith("the model of the last refit is replaced by one that has")]
    assert refitted(folder).record.change == "40 rows more, from 2022-07-22 on, the 200 before unchanged"


def test_changed_rows_are_said_to_be_changed(folder: Path) -> None:
    table = shop_table(NEW)
    table.loc[5, "sales"] += 1
    table.to_csv(folder / "later.csv", index=False)
    outcome = refitted(folder)
    assert outcome.record.change == (
        "40 rows more, from 2022-07-22 on, 1 of the 200 before has changed, the first 2022-01-08"
    )


def test_a_table_that_begins_later_has_lost_rows_and_changed_none(folder: Path) -> None:
    shop_table(NEW)[30:].to_csv(folder / "later.csv", index=False)
    outcome = refitted(folder)
    assert outcome.record.change == "40 rows more, from 2022-07-22 on, 30 of the 200 before are gone"
    assert outcome.promoted


@pytest.mark.slow
def test_the_members_of_a_blend_keep_their_weights(tmp_path: Path) -> None:
    finish(tmp_path, text=NUMBERS.replace("trials: 4", "trials: 3"))
    shop_table(NEW).to_csv(tmp_path / "later.csv", index=False)
    paths = StudyPaths(tmp_path, "tiny")
    before = model(paths.bundle)
    old = [(each.kind, each.trial, each.weight) for each in before.members]
    assert len(old) > 1

    outcome = refitted(tmp_path, "later.csv", "if-better", "tiny.yaml", "search.trials=3")

    after = model(paths.bundle)
    assert [(each.kind, each.trial, each.weight) for each in after.members] == old
    assert before.calibration is not None
    assert after.calibration is not None
    assert after.calibration.to_dict() == before.calibration.to_dict()
    assert after.normal_scores is not None
    assert before.normal_scores is not None
    assert np.array_equal(after.normal_scores, before.normal_scores)
    assert outcome.champion is not None
    assert outcome.record.champion == pytest.approx(error_of(model(paths.former), shop_table(NEW), OLD), rel=1e-4)


# --- what a run says of a longer table --------------------------------------------------------------------------------


def test_a_run_on_a_longer_table_names_refit(folder: Path) -> None:
    result = search_here(folder, "run", "tiny.yaml", "--set", ALONE, "--data", "later.csv")
    assert result.returncode == 2
    assert "40 rows more, from 2022-07-22 on, the 200 before unchanged" in result.stderr
    assert result.stderr.endswith("python -m search refit tiny --data later.csv\n")


def test_a_run_on_a_changed_table_names_the_first_changed_row(folder: Path) -> None:
    table = shop_table(NEW)
    table.loc[[7, 9], "sales"] += 1
    table.to_csv(folder / "later.csv", index=False)
    result = search_here(folder, "run", "tiny.yaml", "--set", ALONE, "--data", "later.csv")
    assert result.returncode == 2
    assert "40 rows more, from 2022-07-22 on, 2 of the 200 before have changed, the first 2022-01-10" in result.stderr
    assert result.stderr.endswith("python -m search refit tiny --data later.csv\n")

    table[:200].to_csv(folder / "later.csv", index=False)
    result = search_here(folder, "run", "tiny.yaml", "--set", ALONE, "--data", "later.csv")
    assert "(2 of the 200 before have changed, the first 2022-01-10)" in result.stderr
    assert "refit" not in result.stderr


def test_a_study_that_was_begun_without_digests_of_rows_resumes_and_gets_them(folder: Path) -> None:
    paths = StudyPaths(folder, "tiny")
    store = StudyStore.find(paths)
    assert store is not None
    stored = store.get(ROWS)
    store.set(ROWS, None)
    with chdir(folder), without_onnx():
        run(plan_of(folder, ALONE, UNTRACKED), folder=folder, fresh=False, listener=Notes())
    again = StudyStore.find(paths)
    assert again is not None
    assert again.get(ROWS) == stored


def test_a_refit_of_such_a_study_does_not_need_them(folder: Path) -> None:
    store = StudyStore.find(StudyPaths(folder, "tiny"))
    assert store is not None
    store.set(ROWS, None)
    outcome = refitted(folder)
    assert outcome.record.change == "more rows; whether the ones before have changed is not known"
    assert outcome.record.promoted


@pytest.mark.slow
def test_a_longer_search_says_that_it_replaces_a_refitted_model(folder: Path) -> None:
    refitted(folder)
    notes = Notes()
    finish(folder, ALONE, "search.trials=4", notes=notes)
    replaced = [note for note in notes.notes if "model of the last refit is replaced" in note]
    learned = model(StudyPaths(folder, "tiny").bundle).provenance["learned_until"]
    assert bool(replaced) == (learned == "2022-07-21")


# --- what is refused --------------------------------------------------------------------------------------------------


def unchanged(table: pd.DataFrame) -> pd.DataFrame:
    return table[:OLD]


@pytest.mark.parametrize(
    ("change", "overrides", "error", "message"),
    [
        (unchanged, (), DataError, "no rows after 2022-07-21, the last that the model of the study has learned from"),
        (lambda table: table.rename(columns={"sales": "sold"}), (), DataError, "'sales' but there is no such column"),
        (lambda table: table, ("forecast.horizon=5",), StudyMismatch, "but forecast.horizon was 3, is 5"),
        (lambda table: table.iloc[::2], (), DataError, "the frequency is 2D but the model was trained on D"),
        (lambda table: shop_table(400)[OLD:], (), DataError, "only rows after 2022-07-21, .*; give the whole table"),
    ],
)  # fmt: skip
def test_what_cannot_be_refitted_is_refused_and_changes_nothing(
    folder: Path,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    overrides: tuple[str, ...],
    error: type[Exception],
    message: str,
) -> None:
    change(shop_table(NEW)).to_csv(folder / "later.csv", index=False)
    before = (folder / "studies" / "tiny.journal").read_bytes()
    with pytest.raises(error, match=message):
        refitted(folder, "later.csv", "if-better", "tiny.yaml", ALONE, *overrides)
    assert (folder / "studies" / "tiny.journal").read_bytes() == before
    assert not StudyPaths(folder, "tiny").challenger.exists()


def test_a_study_that_was_not_run_or_has_no_model_is_refused(folder: Path) -> None:
    with pytest.raises(StudyNotFound, match="study 'other' has not been run here"):
        refitted(folder, "later.csv", "if-better", "tiny.yaml", "name=other")
    with pytest.raises(StudyNotFound, match="study 'weather' has not been run"):
        refitted(folder, "later.csv", "if-better", "weather")
    store = StudyStore.find(StudyPaths(folder, "tiny"))
    assert store is not None
    store.set("bundle", None)
    with pytest.raises(SearchError, match="no exported model; run it"):
        refitted(folder)


def test_the_command_reports_bad_input_in_one_line(folder: Path) -> None:
    result = search_here(folder, "refit", "tiny.yaml", "--set", ALONE)
    assert (result.returncode, result.stdout) == (2, "")
    assert "give a longer table with --data" in result.stderr
    with pytest.raises(SearchError, match="promote must be one of if-better, always, never but got 'maybe'"):
        refit("weather", promote="maybe")  # type: ignore[arg-type]


def test_a_table_of_another_task_is_refused(folder: Path) -> None:
    write_label_study(folder)
    with pytest.raises(DataError, match=r"data\.time is 'day' but there is no such column"):
        refitted(folder, "waves.csv")


def test_the_settings_are_those_of_the_last_run(folder: Path) -> None:
    """The study file may have changed since, and what was set on the command line need not be set again."""
    write_study(folder, NUMBERS.replace("n_layers: 1", "n_layers: 2").replace("horizon: 3", "horizon: 4"))
    with chdir(folder), without_onnx():
        assert refit("tiny.yaml", data="later.csv", folder=folder).record is not None
    assert model(StudyPaths(folder, "tiny").bundle).forecast.horizon == HORIZON


class Impatient(Notes):
    """Presses Ctrl-C when the training begins."""

    def on_phase(self, text: str) -> None:
        """Ctrl-C."""
        signal.raise_signal(signal.SIGINT)


def test_a_refit_that_is_interrupted_changes_nothing(folder: Path) -> None:
    paths = StudyPaths(folder, "tiny")
    before = paths.journal.read_bytes()
    with chdir(folder):
        plan = load_plan("tiny", data="later.csv", values=load_study("tiny").record.config)
        outcome = refit_plan(plan, folder=folder, rule="always", listener=Impatient())
    assert outcome.record is None
    assert paths.journal.read_bytes() == before
    assert not paths.challenger.exists()
    assert not paths.former.exists()


@pytest.mark.slow
def test_a_refit_that_is_killed_changes_nothing_and_no_other_one_runs_meanwhile(folder: Path) -> None:
    paths = StudyPaths(folder, "tiny")
    before = weights_of(paths.bundle)
    command = [sys.executable, "-m", "search", "refit", "tiny", "--data", "later.csv"]
    with subprocess.Popen(command, cwd=folder, env=program_environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("training the model"))
        second = search_here(folder, "refit", "tiny", "--data", "later.csv")
        process.kill()
    assert second.returncode == 2
    assert second.stderr.endswith("tiny.lock is locked); wait for it, or stop it\n")
    assert (weights_of(paths.bundle), shown(folder)["refits"]) == (before, [])

    assert refitted(folder).promoted
    assert weights_of(paths.former) == before


def test_an_outage_of_mlflow_is_said_and_costs_no_refit(folder: Path) -> None:
    nowhere = ("--set", "tracking.enabled=true", "--set", "tracking.uri=sqlite:////proc/nowhere/mlflow.db")
    with without_onnx():
        result = search_here(folder, "refit", "tiny", "--data", "later.csv", *nowhere)
    assert result.returncode == 0, result.stderr
    assert "the refit is not logged: " in result.stdout, result.stdout
    assert StudyPaths(folder, "tiny").former.is_dir()


# --- the command, MLflow, sequences -----------------------------------------------------------------------------------


def test_the_command_tells_the_story(folder: Path) -> None:
    with without_onnx():
        result = search_here(folder, "refit", "tiny.yaml", "--set", ALONE, "--data", "later.csv")
        assert result.returncode == 0, result.stderr
        for fragment in ("40 rows more, from 2022-07-22 on", "baseline: naive", "The new model is champion"):
            assert fragment in " ".join(result.stdout.split())
        assert "studies/tiny.bundle.former" in result.stdout
        assert "Refit of" in search_here(folder, "show", "tiny").stdout
        assert (folder / "studies" / "tiny.report" / "refit" / "backtest.html").is_file()
        shop_table(NEW + 5).to_csv(folder / "later.csv", index=False)
        result = search_here(folder, "refit", "tiny.yaml", "--set", ALONE, "--data", "later.csv", "--json")
    document = valid_json("refit", result.stdout)
    assert document["promoted"] is True
    assert document["backtest"]["score"] == document["champion"]


def aliases(folder: Path) -> dict[str, str]:
    (found,) = client(folder).search_registered_models("name = 'tiny'")
    return {name: str(version) for name, version in found.aliases.items()}


@pytest.mark.slow
def test_the_aliases_of_the_registry_follow_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_store(tmp_path)
    tracked = NUMBERS.replace("tracking: {enabled: false}\n", "")
    write_study(tmp_path, tracked)

    def called(*arguments: str) -> Any:
        with without_onnx():
            result = search_here(tmp_path, *arguments, "--set", ALONE, "--set", "search.trials=1")
        assert result.returncode == 0, result.stderr
        return result

    called("run", "tiny.yaml")
    assert aliases(tmp_path) == {"champion": "1"}
    shop_table(NEW).to_csv(tmp_path / "later.csv", index=False)
    called("refit", "tiny.yaml", "--data", "later.csv", "--promote", "never")
    assert aliases(tmp_path) == {"champion": "1", "challenger": "2"}
    called("refit", "tiny.yaml", "--data", "later.csv")
    assert aliases(tmp_path) == {"champion": "2"}

    mlflow = client(tmp_path)
    runs = mlflow.search_runs([mlflow.get_experiment_by_name("tiny").experiment_id])
    kinds = [run.data.tags.get("kind") for run in runs]
    assert (kinds.count("refit"), kinds.count("backtest")) == (2, 2)
    refits = [run for run in runs if run.data.tags.get("kind") == "refit"]
    assert all(run.info.status == "FINISHED" and run.data.tags.get("mlflow.parentRunId") for run in refits)
    assert {"mae_challenger", "mae_champion", "mae_champion_new_rows"} <= refits[0].data.metrics.keys()
    assert search_here(tmp_path, "sync", "tiny").returncode == 0
    assert aliases(tmp_path) == {"champion": "2"}  # the model of the study is the refitted one


@pytest.mark.slow
def test_new_sequences_are_learned_and_the_old_model_is_scored_on_them(tmp_path: Path) -> None:
    write_label_study(tmp_path, WAVES, wave_table(60))
    with without_onnx():
        result = search_here(tmp_path, "run", "waves.yaml", "--set", UNTRACKED)
        assert result.returncode == 0, result.stderr
        wave_table(90).to_csv(tmp_path / "more.csv", index=False)
        outcome = refitted(tmp_path, "more.csv", "if-better", "waves.yaml", UNTRACKED)
        assert outcome.champion is not None
        assert outcome.record.change == "30 sequences more, from w60 on, the 60 before unchanged"
        assert outcome.champion.scored == "30 new sequences"
        former = load_bundle(StudyPaths(tmp_path, "waves").former)
        labels = wave_table(90).groupby("wave", sort=False)["kind"].first()[60:]
        right = former.predict(wave_table(90))["label"].to_numpy()[60:] == labels.to_numpy()
        assert outcome.champion.metrics["accuracy"] == pytest.approx(right.mean())
        with pytest.raises(DataError, match="no sequences after those that the model of the study has learned from"):
            refitted(tmp_path, "more.csv", "if-better", "waves.yaml", UNTRACKED)
        other = wave_table(120).replace({"kind": {"flat": "calm"}})
        other.to_csv(tmp_path / "more.csv", index=False)
        with pytest.raises(DataError, match="has the class 'calm', but the model knows"):
            refitted(tmp_path, "more.csv", "if-better", "waves.yaml", UNTRACKED)


# --- four months ------------------------------------------------------------------------------------------------------

MONTH = 40


def months() -> list[tuple[pd.DataFrame, pd.DataFrame]]:
    """The table at the end of each month, and how it will go on, which nobody knows then.

    1: as before. 2: nonsense in the first half. 3: that has been corrected. 4: another level.
    """
    found = []
    for month in range(1, 5):
        whole = shop_table(OLD + (month + 1) * MONTH)
        if month == 4:
            whole.loc[OLD + 3 * MONTH :, "sales"] += 60
        table = whole[: OLD + month * MONTH].copy()
        if month == 2:
            wrong = slice(OLD + MONTH, OLD + MONTH + MONTH // 2 - 1)
            table.loc[wrong, "sales"] = 500 + 400 * (np.arange(MONTH // 2) % 2)
        found.append((table, whole))
    return found


@pytest.mark.slow
def test_a_refit_a_month_ends_with_the_right_champion_each_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Directories, study and a server's registry agree on the champion, the better model for the month that follows."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracked = NUMBERS.replace("tracking: {enabled: false}\n", "").replace("trials: 4", "trials: 2")
    write_study(tmp_path, tracked)
    paths, promoted = StudyPaths(tmp_path, "tiny"), []
    with MlflowServer(tmp_path / "server") as server, without_onnx():
        arguments = ("--set", ALONE, "--set", f"tracking.uri={server.uri}")
        result = search_here(tmp_path, "run", "tiny.yaml", *arguments)
        assert result.returncode == 0, result.stderr
        mlflow = connect(server.uri)
        for month, (table, whole) in enumerate(months(), 1):
            table.to_csv(tmp_path / "later.csv", index=False)
            result = search_here(tmp_path, "refit", "tiny", "--data", "later.csv", "--json")
            assert result.returncode == 0, result.stderr
            promoted.append(json.loads(result.stdout)["promoted"])
            champion, other = model(paths.bundle), model(paths.former if promoted[-1] else paths.challenger)
            assert error_of(champion, whole, len(table)) < 1.02 * error_of(other, whole, len(table))
            assert registered_weights("champion", server.uri) == weights_of(paths.bundle)
            aliases = mlflow.get_registered_model("tiny").aliases
            assert ("challenger" in aliases) != promoted[-1]
            version = mlflow.get_model_version("tiny", str(month + 1))
            assert version.tags["registered_as"] == ("champion" if promoted[-1] else "challenger")
            if not promoted[-1]:
                assert registered_weights("challenger", server.uri) == weights_of(paths.challenger)

    assert promoted == [True, False, True, True]
    assert [each["promoted"] for each in shown(tmp_path)["refits"]] == promoted


def weights_of(bundle: Path) -> str:
    digest: str = json.loads((bundle / "bundle.json").read_text())["weights"]["sha256"]
    return digest


def registered_weights(alias: str, server: str) -> str:
    with downloaded(f"models:/tiny@{alias}", server) as (bundle, _):
        return weights_of(bundle)


@pytest.mark.slow
@pytest.mark.parametrize("outage", [False, True])
def test_the_new_version_says_what_it_was_trained_and_scored_on(
    outage: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if MLflow was not there, and ``sync`` has logged it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    make_store(tmp_path)
    write_study(tmp_path, NUMBERS.replace("tracking: {enabled: false}\n", "").replace("trials: 4", "trials: 1"))
    shop_table(NEW).to_csv(tmp_path / "later.csv", index=False)
    with without_onnx():
        assert search_here(tmp_path, "run", "tiny.yaml", "--set", ALONE).returncode == 0
        where = ("--set", "tracking.uri=http://127.0.0.1:9") if outage else ()
        done = search_here(tmp_path, "refit", "tiny", "--data", "later.csv", *where)
        later = "log it later with: python -m search sync tiny"
        assert (done.returncode, later in done.stdout) == (0, outage), done.stdout
    for _ in range(2):  # idempotent
        assert search_here(tmp_path, "sync", "tiny").returncode == 0
    mlflow = client(tmp_path)
    assert len(mlflow.search_model_versions("name = 'tiny'")) == 2
    version = mlflow.get_model_version_by_alias("tiny", "champion")
    run = mlflow.get_run(version.run_id)
    same = f"tags.bundle_digest = '{version.tags['bundle_digest']}'"
    (logged,) = mlflow.search_logged_models([run.info.experiment_id], filter_string=same)
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "later.csv"
    assert json.loads(used.dataset.profile)["num_rows"] == NEW
    assert run.info.run_name.startswith("refit 20")
    assert {each.dataset_digest for each in logged.metrics} == {used.dataset.digest}
    found = {each.key: each for each in logged.metrics}
    assert found["holdout_mae"].value == run.data.metrics["mae_challenger"]
    assert found["holdout_mae"].dataset_digest == used.dataset.digest
    assert logged.params["learned_until"] == "2022-08-30"
    assert version.tags["score"] == f"{run.data.metrics['mae_challenger']:.6g}"
    assert version.description.startswith("> The ")
    assert version.tags["beats_baseline"] in ("true", "false")
    trials = mlflow.search_runs([run.info.experiment_id], "tags.trial = '0'")
    outputs = mlflow.get_run(trials[0].info.run_id).outputs
    assert {each.model_id for each in outputs.model_outputs} >= {logged.model_id}


@pytest.mark.slow
def test_refits_during_an_outage_are_logged_by_sync_whether_they_were_promoted_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first model is replaced by the second, so that only its run is left; the third is the challenger."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_study(tmp_path, NUMBERS.replace("tracking: {enabled: false}\n", "").replace("trials: 4", "trials: 1"))
    with MlflowServer(tmp_path / "server") as server, without_onnx():
        arguments = ("--set", ALONE, "--set", f"tracking.uri={server.uri}")
        assert search_here(tmp_path, "run", "tiny.yaml", *arguments).returncode == 0
        for rows, promote in ((NEW, "always"), (NEW + 2, "always"), (NEW + 20, "never")):
            shop_table(rows).to_csv(tmp_path / "later.csv", index=False)
            away = ("--set", "tracking.uri=http://127.0.0.1:9")
            done = search_here(tmp_path, "refit", "tiny", "--data", "later.csv", "--promote", promote, *away)
            assert "log it later with: python -m search sync tiny" in done.stdout, done.stderr
        for _ in range(2):  # idempotent
            assert search_here(tmp_path, "sync", "tiny").returncode == 0
        mlflow = connect(server.uri)
        runs = mlflow.search_runs([mlflow.get_experiment_by_name("tiny").experiment_id], "tags.kind = 'refit'")
        runs.sort(key=lambda run: run.data.tags["refit"])
        aliases = mlflow.get_registered_model("tiny").aliases
        assert {name: str(version) for name, version in aliases.items()} == {"champion": "2", "challenger": "3"}
        logged = [mlflow.get_model_version("tiny", number).run_id for number in ("2", "3")]
        assert [run.info.run_id for run in runs[1:]] == logged
        assert registered_weights("challenger", server.uri) == weights_of(StudyPaths(tmp_path, "tiny").challenger)
    records = shown(tmp_path)["refits"]
    assert [run.data.params["change"] for run in runs] == [record["change"] for record in records]
    assert [run.data.metrics["mae_challenger"] for run in runs] == [record["challenger"] for record in records]
    assert all(run.info.status == "FINISHED" and run.data.tags.get("mlflow.parentRunId") for run in runs)
