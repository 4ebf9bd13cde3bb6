"""A comparison from its beginning to its end: fair, resumable, and told in every place."""

from __future__ import annotations

import json
import math
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.drivers import NUMBERS, Notes, drive, in_process, plan_of
from helpers.studies import search, start, write_study

from search.api import run_comparison
from search.compare.families import family_plan, study_families
from search.compare.runner import compare
from search.compare.search import FamilySearch
from search.compare.seeds import Retraining
from search.compare.store import ORIGIN, ComparisonStore, open_comparison
from search.compare.summary import best_trials, summarize
from search.compare.time_budget import Options
from search.errors import ComparisonUnfinished, StudyBusy, StudyMismatch
from search.study.journal import exclusive
from search.study.paths import StudyPaths
from search.study.records import TrialRecord
from search.study.store import StudyStore
from search.tasks.plan import Plan

TWO = (
    NUMBERS.replace("cell: gru", "cell: [lstm, gru]") + "compare: {families: {lstm: {cell: lstm}, gru: {cell: gru}}}\n"
)
"""Two families whose trials take a tenth of a second."""


class StoppedSearch(FamilySearch):
    """Is interrupted in the first epoch of a trial of a family."""

    stop_in: tuple[str, int] | None = None

    def on_report(self, key: int, message: Any) -> None:
        super().on_report(key, message)
        name = list(self._families)[key // 10_000_000]
        if self.stop_in == (name, key % 10_000_000):
            self.interrupted = True


def opened(folder: Path, *overrides: str, text: str = TWO, notes: Notes | None = None) -> tuple[Plan, ComparisonStore]:
    """The comparison, as a run finds it."""
    plan = plan_of(folder, *overrides, text=text)
    plans = {family: family_plan(plan, family) for family in study_families(plan)}
    path = StudyPaths(folder, plan.name).comparison_journal
    path.parent.mkdir(exist_ok=True)
    study = None
    if (journal := path.with_name(f"{plan.name}.journal")).exists():
        from search.study.journal import open_storage

        study = StudyStore.load(open_storage(journal), plan.name)
    return plan, open_comparison(plan, plans, study, path, notes or Notes())


def searched(
    folder: Path,
    limit: int | None = 3,
    *overrides: str,
    stop_in: tuple[str, int] | None = None,
    time_left: Callable[[], float] = lambda: math.inf,
    text: str = TWO,
) -> ComparisonStore:
    """The comparison after its search, or a part of it."""
    _, store = opened(folder, *overrides, text=text)
    with in_process() as executor:
        families = StoppedSearch(
            store.families, executor, limit=limit, time_left=time_left, note_time=lambda: None, listener=Notes()
        )
        families.stop_in = stop_in
        families.run()
    return store


def told(store: ComparisonStore) -> dict[str, list[tuple[Any, ...]]]:
    """What is there of each family's trials."""
    return {
        name: [(trial.number, trial.state, trial.params, trial.value) for trial in trials]
        for name, trials in store.records().items()
    }


def states(store: ComparisonStore) -> dict[str, list[str]]:
    return {
        each.name: [trial.state.name for trial in each.store.study.get_trials(deepcopy=False)]
        for each in store.families
    }


# --- the search -------------------------------------------------------------------------------------------------------


def test_every_family_has_as_many_trials(tmp_path: Path) -> None:
    store = searched(tmp_path, 3)

    assert {name: len(trials) for name, trials in store.records().items()} == {"lstm": 3, "gru": 3}
    layers = {name: {str(trial.layers)[:3] for trial in trials} for name, trials in store.records().items()}
    assert layers == {"lstm": {"lst"}, "gru": {"gru"}}


@pytest.mark.parametrize("stop_in", [("lstm", 0), ("gru", 1), ("lstm", 2)])
def test_an_interrupted_search_goes_on_and_no_trial_is_run_twice(stop_in: tuple[str, int], tmp_path: Path) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = told(searched(tmp_path / "whole", 3))

    first = searched(tmp_path / "parts", 3, stop_in=stop_in)
    done = told(first)
    assert sum(map(len, done.values())) == 2 * stop_in[1] + (stop_in[0] == "gru")
    assert [state for family in states(first).values() for state in family if state != "COMPLETE"] == ["WAITING"]

    again = told(searched(tmp_path / "parts", 3))

    assert again == whole
    assert {name: trials[: len(done[name])] for name, trials in again.items()} == done


def test_trials_that_a_dead_process_left_running_are_run_again(tmp_path: Path) -> None:
    store = searched(tmp_path, 1)
    family = store.families[0]
    family.plan.space.suggest(family.store.study.ask())
    assert states(store)["lstm"] == ["COMPLETE", "RUNNING"]

    again = searched(tmp_path, 2)

    assert states(again) == {"lstm": ["COMPLETE", "COMPLETE"], "gru": ["COMPLETE", "COMPLETE"]}


def test_more_trials_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    before = told(searched(tmp_path, 2))
    after = told(searched(tmp_path, 3))

    assert {name: trials[:2] for name, trials in after.items()} == before
    assert told(searched(tmp_path, 3)) == after


def test_the_time_ends_the_search_and_judges_no_trial(tmp_path: Path) -> None:
    end = time.monotonic() + 1.5
    store = searched(
        tmp_path, None, "training.max_epochs=40", "training.patience=null", time_left=lambda: end - time.monotonic()
    )

    found = states(store)
    assert time.monotonic() < end + 3
    assert {state for family in found.values() for state in family} <= {"COMPLETE", "WAITING"}
    counts = [family.count("COMPLETE") for family in found.values()]
    assert max(counts) - min(counts) <= 1


# --- trials of the study ----------------------------------------------------------------------------------------------


def test_trials_of_the_study_count_for_their_family_once(tmp_path: Path) -> None:
    study = drive(tmp_path, "search.trials=5", text=TWO)
    notes = Notes()

    _, store = opened(tmp_path, text=TWO, notes=notes)
    _, again = opened(tmp_path, text=TWO)

    assert notes.notes == ["5 trials of study 'tiny' are reused by their families; 0 belong to no family"]
    assert told(again) == told(store)
    by_number = {trial.number: trial for trial in study.record().trials}
    for each in store.families:
        for trial, record in zip(each.ended(), store.records()[each.name], strict=True):
            original = by_number[trial.user_attrs[ORIGIN][1]]
            assert str(original.layers).startswith(each.name)
            assert (record.value, record.curve, record.layers) == (original.value, original.curve, original.layers)
            model, _ = each.plan.space.suggest(_fixed(record))
            assert model.architecture == original.layers


def _fixed(trial: TrialRecord) -> Any:
    from optuna.trial import FixedTrial

    return FixedTrial(trial.params)


def test_the_family_that_the_study_neglected_is_searched_first(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=5", text=TWO)
    _, before = opened(tmp_path, text=TWO)
    inherited = {name: len(trials) for name, trials in before.records().items()}
    assert min(inherited.values()) < max(inherited.values())

    after = searched(tmp_path, max(inherited.values()))

    assert {name: len(trials) for name, trials in after.records().items()} == dict.fromkeys(
        inherited, max(inherited.values())
    )


def test_later_trials_of_the_study_are_added(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=2", text=TWO)
    searched(tmp_path, 3)
    drive(tmp_path, "search.trials=4", text=TWO)

    _, store = opened(tmp_path, text=TWO)

    origins = [
        trial.user_attrs[ORIGIN][1] for each in store.families for trial in each.ended() if ORIGIN in trial.user_attrs
    ]
    assert sorted(origins) == [0, 1, 2, 3]


def test_trials_of_a_study_with_other_settings_do_not_count_and_that_is_said(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=2", text=TWO)
    notes = Notes()

    _, store = opened(tmp_path, "training.max_epochs=2", text=TWO, notes=notes)

    assert notes.notes == [
        "the trials of study 'tiny' are not reused, because it was run with other settings: training.max_epochs was 1, "
        "is 2"
    ]
    assert told(store) == {"lstm": [], "gru": []}


def test_trials_that_belong_to_no_family_are_counted(tmp_path: Path) -> None:
    text = TWO.replace("n_layers: 1", "n_layers: 2")
    study = drive(tmp_path, "search.trials=6", text=text)
    mixed = sum("lstm" in str(trial.layers) and "gru" in str(trial.layers) for trial in study.record().trials)
    assert mixed
    notes = Notes()

    opened(tmp_path, text=text, notes=notes)

    assert notes.notes == [
        f"{6 - mixed} trials of study 'tiny' are reused by their families; {mixed} belong to no family"
    ]


def test_a_study_that_was_not_run_is_said(tmp_path: Path) -> None:
    notes = Notes()

    opened(tmp_path, notes=notes)

    assert notes.notes == ["study 'tiny' has not been run here; the comparison starts without trials"]


# --- fresh seeds ------------------------------------------------------------------------------------------------------


class StoppedRetraining(Retraining):
    """Is interrupted when so many trainings have ended."""

    stop_after = 10**9

    def on_outcome(self, outcome: Any) -> None:
        super().on_outcome(outcome)
        self.stop_after -= 1
        self.interrupted = self.stop_after <= 0


def retrained(
    folder: Path, seeds: int, *, stop_after: int = 10**9, time_left: float = math.inf
) -> tuple[Plan, ComparisonStore, list[str]]:
    plan, store = opened(folder)
    trained: list[str] = []

    class Listener(Notes):
        def on_phase(self, text: str) -> None:
            trained.append(text.partition(":")[0])

    with in_process() as executor:
        retraining = StoppedRetraining(
            plan,
            best_trials(store),
            executor,
            seeds=seeds,
            time_left=lambda: time_left,
            note_time=lambda: None,
            listener=Listener(),
        )
        retraining.stop_after = stop_after
        retraining.run()
    return plan, store, trained


def test_every_family_is_trained_with_a_seed_before_any_is_with_the_next(tmp_path: Path) -> None:
    searched(tmp_path, 2)

    _, store, trained = retrained(tmp_path, 3)

    assert trained == [f"{name}, seed {number}" for number in (1, 2, 3) for name in ("lstm", "gru")]
    seeds = [
        [result.seed for result in each.seeds(trial.number).values() if not isinstance(result, str)]
        for each, trial in best_trials(store).items()
    ]
    assert seeds[0] == seeds[1]
    assert len(set(seeds[0])) == 3
    assert not {trial.user_attrs["seed"] for each in store.families for trial in each.ended()} & set(seeds[0])


def test_trainings_that_are_there_are_not_repeated(tmp_path: Path) -> None:
    searched(tmp_path, 2)

    _, store, first = retrained(tmp_path, 2, stop_after=3)
    before = [dict(each.seeds(trial.number)) for each, trial in best_trials(store).items()]
    _, _, second = retrained(tmp_path, 2)
    _, _, third = retrained(tmp_path, 2)
    _, store, more = retrained(tmp_path, 3)

    assert (len(first), second, third) == (3, ["gru, seed 2"], [])
    assert more == ["lstm, seed 3", "gru, seed 3"]
    after = [each.seeds(trial.number) for each, trial in best_trials(store).items()]
    assert [sorted(seeds) for seeds in after] == [[0, 1, 2]] * 2
    assert [{number: now[number] for number in then} for then, now in zip(before, after, strict=True)] == before


def test_when_the_time_is_up_two_seeds_are_trained_all_the_same(tmp_path: Path) -> None:
    searched(tmp_path, 1)

    plan, store, trained = retrained(tmp_path, 5, time_left=-1.0)

    assert len(trained) == 4
    comparison = summarize(plan, store, seeds=5, seconds=1.0)
    assert [family.seeds for family in comparison.families] == [2, 2]
    assert "Retrained with fewer than 5 seeds: " in " ".join(comparison.notes)


def test_only_the_trials_that_all_families_have_count(tmp_path: Path) -> None:
    drive(tmp_path, "search.trials=6", text=TWO)
    searched(tmp_path, 2)
    plan, store, _ = retrained(tmp_path, 1)

    comparison = summarize(plan, store, seeds=1, seconds=1.0)

    records = store.records()
    assert comparison.trials == min(map(len, records.values())) < max(map(len, records.values()))
    for family in comparison.families:
        counted = records[family.name][: comparison.trials]
        assert family.trials.total == comparison.trials
        best = min(counted, key=lambda trial: trial.value or math.inf)
        assert (family.trial, family.layers) == (best.number, best.layers)
        assert family.trial_scores == tuple(trial.value for trial in counted)


def test_a_family_whose_trials_fail_has_no_score_and_the_others_have(tmp_path: Path) -> None:
    text = TWO.replace("{cell: lstm}", "{cell: lstm, learning_rate: 1.0e+30, normalization: fold}")
    store = searched(tmp_path, 2, "training.ema_decay=null", "training.gradient_clip=null", text=text)
    plan, _ = opened(tmp_path, "training.ema_decay=null", "training.gradient_clip=null", text=text)
    assert {trial.state for trial in store.records()["lstm"]} == {"FAIL"}

    comparison = summarize(plan, store, seeds=1, seconds=1.0)

    lstm = next(family for family in comparison.families if family.name == "lstm")
    assert (lstm.trials.failed, lstm.trials.diverged, lstm.trial, lstm.folds) == (2, 2, None, None)
    assert "Without a score: " in " ".join(comparison.notes)


# --- what cannot be compared ------------------------------------------------------------------------------------------


def test_a_comparison_with_other_settings_is_refused(tmp_path: Path) -> None:
    searched(tmp_path, 1)

    with pytest.raises(
        StudyMismatch, match=r"the comparison 'tiny' exists with other settings: .*max_epochs was 1, is 2"
    ):
        opened(tmp_path, "training.max_epochs=2")


def test_another_definition_of_a_family_is_refused(tmp_path: Path) -> None:
    searched(tmp_path, 1)

    with pytest.raises(StudyMismatch, match=r"the comparison 'tiny: lstm' exists with other settings: space.dropout"):
        opened(tmp_path, text=TWO.replace("{cell: lstm}", "{cell: lstm, dropout: 0.1}"))


def test_another_family_joins_those_that_are_there(tmp_path: Path) -> None:
    before = told(searched(tmp_path, 1))

    after = told(searched(tmp_path, 1, text=TWO.replace("{cell: gru}}", "{cell: gru}, fused: {cell: fused}}")))

    assert {name: after[name] for name in before} == before
    assert len(after["fused"]) == 1


def test_too_short_a_time_is_an_error_that_keeps_what_is_done(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, text=TWO)

    with pytest.raises(ComparisonUnfinished, match=r"the time of 3 s was up before lstm, gru had a trial: about 16 s"):
        compare(plan, Options(timeout=3.0), folder=tmp_path, fresh=False, listener=Notes())

    assert StudyPaths(tmp_path, "tiny").comparison_journal.exists()


def test_two_comparisons_of_a_study_do_not_run_at_once(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, text=TWO)

    with (
        exclusive(StudyPaths(tmp_path, "tiny").comparison_lock, "tiny.compare"),
        pytest.raises(StudyBusy, match=r"tiny\.compare"),
    ):
        compare(plan, Options(), folder=tmp_path, fresh=False, listener=Notes())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "0"), "error: seeds must be a whole number from 1 to 100 but got '0'"),
        (("--timeout", "soon"), "error: timeout must be a number of seconds, or like 90s"),
        (
            ("--set", "compare.families={a: {cell: lst}, b: {}}"),
            "compare.families.a.cell must be one of lstm, gru, fused",
        ),
    ],
)
def test_wrong_input_ends_with_exit_code_2_and_one_message(
    arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    write_study(tmp_path, TWO)

    result = search(tmp_path, "compare", "tiny.yaml", *arguments)

    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "studies").exists()


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    write_study(tmp_path, TWO)
    with start(tmp_path, "compare", "tiny.yaml", "--trials", "500") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " done " in line:
                break
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()

    assert process.returncode == 130
    assert "interrupted: what is done is kept, and the same command goes on from here" in output
    assert "Traceback" not in output
    _, store = opened(tmp_path)
    found = states(store)
    assert {state for family in found.values() for state in family} <= {"COMPLETE", "WAITING"}
    assert found["lstm"].count("COMPLETE") >= 1


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_comparison_is_told_in_every_place_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    write_study(tmp_path, TWO.replace("tracking: {enabled: false}\n", ""))
    command = ("compare", "tiny.yaml", "--trials", "2", "--seeds", "2", "--json")

    first = search(tmp_path, *command, timeout=240)

    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert "has not been run here; the comparison starts without trials" in first.stderr
    assert {family["name"] for family in found["families"]} == {"lstm", "gru"}
    for family in found["families"]:
        assert family["trials"]["total"] == found["trials"] == 2
        assert family["seeds"] == len(family["folds"]["by_seed"]) == 2
        assert len(family["steps"]) == found["horizon"] == 3
        assert family["latency"] > 0
        assert family["memory"] >= 0
    folder = tmp_path / "studies" / "tiny.report"
    assert json.loads((folder / "compare.json").read_text()) == found
    assert found["verdict"] in (folder / "compare.html").read_text()
    runs = _runs(tmp_path)
    assert [(run.data.tags["kind"], run.data.tags["study"]) for run in runs] == [("comparison", "tiny")]

    second = search(tmp_path, *command, timeout=240)

    assert second.returncode == 0, second.stderr
    again = json.loads(second.stdout)
    assert {**again, "seconds": 0} == {**found, "seconds": 0}
    assert [run.info.run_id for run in _runs(tmp_path)] == [run.info.run_id for run in runs]
    history = _client(tmp_path).get_metric_history(runs[0].info.run_id, "gru/folds")
    assert [point.value for point in history] == [pytest.approx(_of(found, "gru")["folds"]["mean"])]


@pytest.mark.slow
def test_the_run_stands_below_that_of_the_study(tmp_path: Path) -> None:
    write_study(tmp_path, TWO.replace("tracking: {enabled: false}\n", ""))
    assert search(tmp_path, "run", "tiny.yaml", "--trials", "2").returncode == 0

    result = run_comparison(tmp_path / "tiny.yaml", trials=2, seeds=1, folder=tmp_path, data=tmp_path / "shop.csv")

    (run,) = _runs(tmp_path)
    parent = _client(tmp_path).get_run(run.data.tags["mlflow.parentRunId"])
    assert parent.info.run_name == "tiny"
    assert sum(family.trials.inherited for family in result.families) > 0
    assert search(tmp_path, "sync", "tiny").returncode == 0  # finds the study's own runs, and leaves this one alone
    assert [each.info.run_id for each in _runs(tmp_path)] == [run.info.run_id]


def _of(comparison: dict[str, Any], family: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in comparison["families"] if each["name"] == family)
    return found


def _client(folder: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'mlruns' / 'mlflow.db'}")


def _runs(folder: Path) -> list[Any]:
    client = _client(folder)
    experiments = [each.experiment_id for each in client.search_experiments()]
    return list(client.search_runs(experiments, "tags.kind = 'comparison'"))
