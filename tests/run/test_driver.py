"""The search loop on a small study: what is tried first, what a trial measures, which trial wins."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from helpers.drivers import NUMBERS, Clock, Notes, drive, plan_of
from optuna.trial import TrialState

from search.errors import NotAJournal, StudyFileError, StudyMismatch, StudyNotFound
from search.executors.base import TIME_IS_UP
from search.executors.in_process import InMemory
from search.run.runner import run
from search.run.selection import why_nothing_to_export
from search.run.state import SearchState
from search.study.out_of_fold import Predictions
from search.study.paths import StudyPaths
from search.study.samplers import derive_seed
from search.study.store import StudyStore

BASELINES = ("naive", "seasonal_naive", "linear", "theta", "ets", "trees")
RANDOM = ("search.sampler=random", "search.pruner=none")
TWO = (*RANDOM, "search.objectives=[score, n_parameters]", "search.prefer={score: 1, n_parameters: 1}")


def fingerprints(store: StudyStore) -> list[tuple[Any, ...]]:
    return [(trial.number, trial.state, trial.value, trial.params) for trial in store.record().trials]


def test_every_trial_measures_what_its_network_costs(tmp_path: Path) -> None:
    for trial in drive(tmp_path, *RANDOM).record().trials:
        assert trial.n_parameters is not None
        assert trial.latency is not None
        assert trial.train_seconds is not None
        assert trial.seconds is not None
        assert 1e-5 < trial.latency < 0.1
        assert 0 < trial.train_seconds <= trial.seconds


def test_train_seconds_are_those_of_all_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lstmgru.training import fit_forecasts as fitting

    seen: list[float] = []
    fit = fitting.fit

    def noted(*arguments: Any, **options: Any) -> Any:
        result = fit(*arguments, **options)
        seen.append(result.seconds)
        return result

    monkeypatch.setattr(fitting, "fit", noted)
    store = drive(tmp_path, *RANDOM, "search.trials=1", "splits.folds=3")
    assert len(seen) == 3
    assert store.record().trials[0].train_seconds == pytest.approx(sum(seen), abs=1e-3)


@pytest.mark.parametrize("killed_after", ["calibrations", "baselines"])
def test_a_search_that_is_killed_while_it_notes_the_baselines_scores_the_others_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: str
) -> None:
    """Their calibrations are needed at the end, so scores without them must not pass for the whole."""
    noted = StudyStore.set

    def killed(store: StudyStore, key: str, value: Any) -> None:
        noted(store, key, value)
        if key == killed_after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(StudyStore, "set", killed)
        with pytest.raises(KeyboardInterrupt):
            drive(tmp_path, *RANDOM)
    store = drive(tmp_path, *RANDOM)
    assert set(store.get("baselines")) == set(store.get("calibrations")) == set(BASELINES)


def test_the_data_of_the_search_are_gone_when_the_refits_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[weakref.ref[Any]] = []
    kept: list[bool] = []

    def share(data: InMemory, value: Any) -> Any:
        shared.append(weakref.ref(value))
        return value

    class Finalizer:
        def __init__(self, *arguments: Any) -> None: ...

        def run(self) -> bool:
            kept.extend(each() is not None for each in shared)
            return False

    monkeypatch.setattr(InMemory, "share", share)
    monkeypatch.setattr("search.run.runner.Finalizer", Finalizer)
    monkeypatch.setattr("search.run.driver.run_jobs", lambda executor, source: None)  # a job here keeps the value
    run(plan_of(tmp_path, *RANDOM, "search.trials=1"), folder=tmp_path, fresh=False, listener=Notes())
    assert kept == [False]


# --- time -------------------------------------------------------------------------------------------------------------


def test_the_time_ends_a_running_trial_and_none_begins_after_it(tmp_path: Path) -> None:
    long = ("training.max_epochs=300", "training.patience=null")
    store = drive(tmp_path, *RANDOM, *long, timeout=100.0, clock=Clock(per_look=4.0))
    (trial,) = store.record().trials
    assert trial.reason == TIME_IS_UP
    assert 0 < len(trial.curve) < 300


def test_the_time_that_is_spent_is_stored_while_the_search_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed cannot store it at the end."""
    monkeypatch.setattr("search.run.driver._NOTE_SECONDS", -1.0)
    store = drive(tmp_path, *RANDOM, "search.trials=1", timeout=1e6, spent=500.0)
    assert store.get("elapsed", 0.0) >= 500


# --- out-of-fold outputs ----------------------------------------------------------------------------------------------


def kept_in(folder: Path) -> set[str]:
    return {path.name for path in StudyPaths(folder, "tiny").predictions.iterdir()}


def test_complete_trials_and_baselines_leave_their_outputs_and_pruned_ones_do_not(tmp_path: Path) -> None:
    text = NUMBERS.replace("max_epochs: 1", "max_epochs: 9, patience: null")
    wide = "space.learning_rate={low: 1e-5, high: 3e-2, log: true}"
    store = drive(tmp_path, "search.sampler=random", "search.trials=10", wide, text=text)
    complete = {trial.number for trial in store.record().complete}
    assert 0 < len(complete) < 10
    files = {f"trial-{number:05d}.npz" for number in complete}
    assert kept_in(tmp_path) == files | {f"baseline-{name}.npz" for name in BASELINES}


def test_the_kept_outputs_have_the_scores_of_their_trials_and_baselines(tmp_path: Path) -> None:
    store = drive(tmp_path, *RANDOM, "splits.folds=2")
    record, plan = store.record(), plan_of(tmp_path, *RANDOM, "splits.folds=2")
    kept = Predictions(StudyPaths(tmp_path, "tiny").predictions, record.uid)
    rows = plan.whole_data().panel.values[:, 0]
    cutoffs = [plan.whole_data().evaluation(fold).cutoffs for fold in plan.splits.folds]

    def score(candidate: int | str) -> float:
        outputs = kept.read(candidate)
        assert outputs is not None
        truth = [rows[each[:, None] + np.arange(3)] for each in cutoffs]
        folds = [np.abs(values[:, :, 0] - actual) for values, actual in zip(outputs, truth, strict=True)]
        return float(np.mean([fold.mean() for fold in folds]))

    for trial in record.complete:
        assert score(trial.number) == pytest.approx(trial.value, rel=1e-6)
    for name, baseline in record.baselines.items():
        assert score(name) == pytest.approx(baseline.folds, rel=1e-6)


def test_a_search_that_is_killed_between_writing_and_telling_runs_the_trial_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = SearchState.tell

    def killed(state: SearchState, number: int, *arguments: Any) -> None:
        if number == 1:
            raise KeyboardInterrupt
        tell(state, number, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(SearchState, "tell", killed)
        with pytest.raises(KeyboardInterrupt):
            drive(tmp_path, *RANDOM)
    path = StudyPaths(tmp_path, "tiny").predictions / "trial-00001.npz"
    before, written = path.read_bytes(), path.stat().st_mtime_ns
    store = drive(tmp_path, *RANDOM)
    assert {trial.state for trial in store.record().trials} == {"COMPLETE"}
    assert path.stat().st_mtime_ns > written
    assert path.read_bytes() == before
    assert len(kept_in(tmp_path)) == 4 + len(BASELINES)


def test_a_full_disk_costs_a_note_and_no_trial(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    StudyPaths(tmp_path, "tiny").predictions.write_text("in the way")
    notes = Notes()
    store = drive(tmp_path, *RANDOM, "search.trials=1", notes=notes)
    assert len(store.record().complete) == 1
    assert "the predictions of trial 0 cannot be kept, so no blend can hold it: File exists" in notes.notes


# --- what is tried first ----------------------------------------------------------------------------------------------

FIRST = "search.try_first=[{hidden_size_1: 5, dropout: 0.2}, {learning_rate: 0.002, cell_1: gru}]"


def test_known_configurations_come_first_and_the_rest_of_them_is_suggested(tmp_path: Path) -> None:
    trials = drive(tmp_path, *RANDOM, FIRST).record().trials
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert {"hidden_size_1": 5, "dropout": 0.2}.items() <= trials[0].params.items()
    assert trials[1].params["learning_rate"] == 0.002
    assert all(set(trial.params) == {"hidden_size_1", "dropout", "learning_rate"} for trial in trials)
    assert {trial.state for trial in trials} == {"COMPLETE"}


def test_they_are_tried_once_also_after_an_interruption_and_in_a_longer_study(tmp_path: Path) -> None:
    stopped = drive(tmp_path, *RANDOM, FIRST, stop_in=0)
    assert [trial.state for trial in stopped.study.trials] == [TrialState.WAITING] * 2
    drive(tmp_path, *RANDOM, FIRST)
    store = drive(tmp_path, *RANDOM, FIRST, "search.trials=6")
    trials = store.record().trials
    assert len(trials) == 6
    assert [trial.params["dropout"] == 0.2 for trial in trials] == [True] + [False] * 5
    assert [trial.params["learning_rate"] == 0.002 for trial in trials] == [False, True] + [False] * 4
    assert {trial.state for trial in trials} == {"COMPLETE"}


def test_one_that_is_added_later_is_tried_next(tmp_path: Path) -> None:
    drive(tmp_path, *RANDOM, FIRST, "search.trials=3")
    more = FIRST.replace("]", ", {hidden_size_1: 2}]")
    trials = drive(tmp_path, *RANDOM, more, "search.trials=5").record().trials
    assert trials[3].params["hidden_size_1"] == 2
    assert len(trials) == 5


def test_without_known_configurations_the_suggestions_are_the_same_from_the_next_trial_on(tmp_path: Path) -> None:
    """A known configuration takes a number, and a suggestion depends on its number."""
    folders = [tmp_path / "known", tmp_path / "none"]
    for folder in folders:
        folder.mkdir()
    known, none = drive(folders[0], *RANDOM, FIRST), drive(folders[1], *RANDOM)
    assert fingerprints(known)[2:] == fingerprints(none)[2:]


def test_wrong_configurations_are_reported_together_before_anything_runs(tmp_path: Path) -> None:
    wrong = "search.try_first=[{hidden_size: 5, dropout: 3}, {cell_1: lstm, cell_2: gru}]"
    with pytest.raises(StudyFileError) as caught:
        plan_of(tmp_path, wrong)
    assert [str(problem) for problem in caught.value.problems] == [
        "search.try_first[0].hidden_size is not a parameter of this space; name the layer too: hidden_size_1",
        "search.try_first[0].dropout must be a number from 0 to 0.3 but got 3",
        "search.try_first[1].cell_1 must be gru, which the space fixes, but got 'lstm'",
        "search.try_first[1].cell_2 is not a parameter of this space; did you mean 'cell_1'?",
    ]


# --- warm start -------------------------------------------------------------------------------------------------------


def run_earlier(folder: Path, *overrides: str, text: str = NUMBERS) -> StudyStore:
    return drive(folder, "name=earlier", *RANDOM, *overrides, text=text)


def test_the_best_configurations_of_an_earlier_study_are_trained_anew(tmp_path: Path) -> None:
    earlier = run_earlier(tmp_path, "search.trials=7").record()
    notes = Notes()
    changed = ("forecast.metric=rmse", "training.max_epochs=2", "search.trials=7", "search.warm_start=earlier")
    store = drive(tmp_path, *RANDOM, *changed, notes=notes)
    trials = store.record().trials
    # Of an RMSE, the loss is searched, too.
    assert [trial.params for trial in trials[:5]] == [trial.params | {"loss": "mae"} for trial in earlier.complete[:5]]
    assert not {str(trial.value) for trial in trials} & {str(trial.value) for trial in earlier.trials}
    assert len(trials) == 7
    assert notes.notes == [
        "the best 5 configurations of study 'earlier', where the metric was mae, will be tried first; their scores "
        "there do not count here"
    ]
    again = Notes()
    assert len(drive(tmp_path, *RANDOM, *changed, "search.trials=8", notes=again).study.trials) == 8
    assert again.notes == []


def test_a_journal_elsewhere_serves_as_well(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    earlier = run_earlier(elsewhere, "search.trials=2")
    path = StudyPaths(elsewhere, "earlier").journal
    here = tmp_path / "here"
    here.mkdir()
    store = drive(here, *RANDOM, f"search.warm_start={path}", "search.trials=2")
    assert {str(trial.params) for trial in store.study.trials} == {str(trial.params) for trial in earlier.study.trials}


def test_only_candidates_of_the_new_space_are_taken(tmp_path: Path) -> None:
    earlier = run_earlier(tmp_path, "search.trials=8").record()
    fitting = [trial.params for trial in earlier.complete if trial.params["hidden_size_1"] >= 5]
    assert 0 < len(fitting) < 8
    notes = Notes()
    narrower = ("space.hidden_size={low: 5, high: 6}", "search.warm_start=earlier", "search.trials=8")
    store = drive(tmp_path, *RANDOM, *narrower, notes=notes)
    taken = [trial.params for trial in store.study.trials if "known" in trial.user_attrs]
    assert taken == fitting[:5]


def test_candidates_of_a_study_from_before_a_key_existed_have_its_default(tmp_path: Path) -> None:
    earlier = run_earlier(tmp_path, "search.trials=2")
    known = {key: value for key, value in earlier.get("identity").items() if key != "space.linear_path"}
    earlier.set("identity", known)
    changes = ("space.linear_path=[false, true]", "search.warm_start=earlier", "search.trials=2")
    store = drive(tmp_path, *RANDOM, *changes)
    expected = [trial.params | {"linear_path": False} for trial in earlier.record().complete]
    assert [trial.params for trial in store.study.trials] == expected


@pytest.mark.parametrize(
    ("reference", "changes", "error", "message"),
    [
        (
            "erlier",
            (),
            StudyNotFound,
            r"search.warm_start is 'erlier', but there is no .*/studies/erlier.journal; did you",
        ),
        ("other/e.journal", (), StudyNotFound, "but there is no .*/other/e.journal"),
        ("tiny", (), StudyNotFound, "search.warm_start is 'tiny', which is this study itself; name another one"),
        ("shop.csv", (), StudyNotFound, "there is no"),
        ("./shop.csv", (), NotAJournal, "is not a valid journal of a study"),
        (
            "earlier",
            ("space.cell=lstm",),
            StudyMismatch,
            "no trial of that study is a candidate of this space: of its ",
        ),
    ],
)
def test_a_study_that_cannot_warm_is_an_error_that_leaves_nothing(
    tmp_path: Path, reference: str, changes: tuple[str, ...], error: type[Exception], message: str
) -> None:
    run_earlier(tmp_path, "search.trials=1")
    with pytest.raises(error, match=message):
        drive(tmp_path, f"search.warm_start={reference}", *changes)
    journal = StudyPaths(tmp_path, "tiny").journal
    assert not journal.exists() or b"tiny" not in journal.read_bytes()


def test_a_study_without_a_complete_trial_cannot_warm(tmp_path: Path) -> None:
    drive(tmp_path, "name=earlier", stop_in=0)
    with pytest.raises(StudyMismatch, match="no trial of that study is a candidate of this space: it has no complete"):
        drive(tmp_path, "search.warm_start=earlier")


# --- objectives and bounds --------------------------------------------------------------------------------------------


def test_several_objectives_are_told_in_their_order_and_nothing_is_reported(tmp_path: Path) -> None:
    store = drive(tmp_path, *TWO, "search.trials=6")
    record = store.record()
    for trial, told in zip(record.trials, store.study.trials, strict=True):
        assert told.values == [trial.value, trial.n_parameters]
        assert told.intermediate_values == {}
        assert len(trial.curve) == 1
    front = [trial for trial in record.trials if trial.number in record.front]
    assert front == [
        trial
        for trial in record.trials
        if not any(
            other.value < trial.value and other.n_parameters <= trial.n_parameters  # type: ignore[operator]
            for other in record.trials
        )
    ]
    assert record.best in front
    winner = store.winner()
    assert winner is not None
    assert winner.number == record.best.number  # type: ignore[union-attr]


def test_other_weights_make_another_winner_of_the_same_trials(tmp_path: Path) -> None:
    small = drive(tmp_path, *TWO, "search.trials=8", "search.prefer={n_parameters: 1}").record()
    good = drive(tmp_path, *TWO, "search.trials=8", "search.prefer={score: 1}").record()
    assert small.trials == good.trials
    assert small.best is not None
    assert good.best is not None
    assert small.best.n_parameters == min(trial.n_parameters or 0 for trial in small.trials)
    assert good.best.value == min(trial.value or 9e9 for trial in good.trials)
    assert small.best != good.best


def test_an_interrupted_study_of_several_objectives_goes_on(tmp_path: Path) -> None:
    folders = [tmp_path / "through", tmp_path / "stopped"]
    for folder in folders:
        folder.mkdir()
    through = drive(folders[0], *TWO)
    drive(folders[1], *TWO, stop_in=2)
    assert fingerprints(drive(folders[1], *TWO)) == fingerprints(through)


def test_bounds_are_constraints_of_optuna_and_the_winner_keeps_them(tmp_path: Path) -> None:
    store = drive(tmp_path, *RANDOM, "search.trials=8", "search.bounds=[n_parameters <= 100, train_seconds <= 1000]")
    record = store.record()
    assert {bool(record.broken(trial)) for trial in record.trials} == {True, False}
    for trial, told in zip(record.trials, store.study.trials, strict=True):
        assert told.constraints == {
            "n_parameters": pytest.approx((trial.n_parameters or 0) / 100 - 1),
            "train_seconds": pytest.approx((trial.train_seconds or 0) / 1000 - 1),
        }
        assert record.broken(trial) == (["n_parameters <= 100"] if (trial.n_parameters or 0) > 100 else [])
    kept = [trial for trial in record.complete if not record.broken(trial)]
    assert record.best == kept[0]
    assert store.study.best_trial.number == kept[0].number
    assert store.winner() == store.study.trials[kept[0].number]


def test_pruned_trials_have_constraints_too(tmp_path: Path) -> None:
    text = NUMBERS.replace("max_epochs: 1", "max_epochs: 9, patience: null")
    store = drive(
        tmp_path,
        "search.sampler=random",
        "search.trials=10",
        "search.bounds=[n_parameters <= 1000, latency <= 1s]",
        "space.learning_rate={low: 1e-5, high: 3e-2, log: true}",
        text=text,
    )
    pruned = [trial for trial in store.study.trials if trial.state == TrialState.PRUNED]
    assert pruned
    assert all(set(trial.constraints) == {"n_parameters", "latency"} for trial in pruned)


def test_where_no_trial_keeps_the_bounds_there_is_no_winner_and_the_nearest_is_named(tmp_path: Path) -> None:
    store = drive(tmp_path, *RANDOM, "search.bounds=[n_parameters <= 20, latency <= 10s]")
    assert store.winner() is None
    assert store.best() is None
    record = store.record()
    assert record.best is None
    nearest = min(record.complete, key=lambda trial: trial.n_parameters or 0)
    assert why_nothing_to_export(record).startswith(
        f"none of 4 complete trials satisfies n_parameters <= 20: the closest is trial {nearest.number}, "
        f"{nearest.layers}, with n_parameters {nearest.n_parameters}; run more --trials"
    )


@pytest.mark.parametrize(
    ("first", "then", "message"),
    [
        (RANDOM, ("search.bounds=latency <= 1s",), r"search.bounds was \[\], is \['latency <= 1000ms'\]"),
        ((*RANDOM, "search.bounds=latency <= 1s"), (), r"search.bounds was \['latency <= 1000ms'\], is \[\]"),
        (RANDOM, TWO[2:], r"search.objectives was \['score'\], is \['score', 'n_parameters'\]"),
    ],
)
def test_objectives_and_bounds_do_not_change_while_a_study_goes_on(
    tmp_path: Path, first: tuple[str, ...], then: tuple[str, ...], message: str
) -> None:
    drive(tmp_path, *first, "search.trials=1")
    with pytest.raises(StudyMismatch, match=message):
        drive(tmp_path, *RANDOM, *then)


def test_a_bound_in_other_words_is_the_same(tmp_path: Path) -> None:
    drive(tmp_path, *RANDOM, "search.trials=1", "search.bounds=latency <= 1s")
    assert len(drive(tmp_path, *RANDOM, "search.bounds=[latency<=1000 ms]").study.trials) == 4


def test_a_sampler_that_cannot_learn_from_what_was_pruned_says_so(tmp_path: Path) -> None:
    text = NUMBERS.replace("max_epochs: 1", "max_epochs: 9, patience: null")
    wide = "space.learning_rate={low: 1e-5, high: 3e-2, log: true}"
    store = drive(tmp_path, "search.sampler=random", "search.trials=10", wide, text=text)
    pruned = sum(trial.state == TrialState.PRUNED for trial in store.study.trials)
    assert pruned
    notes = Notes()
    drive(tmp_path, "search.sampler=gp", "search.pruner=none", "search.trials=10", wide, text=text, notes=notes)
    assert notes.notes == [
        f"{pruned} trials of this study were stopped before their end; the sampler gp uses complete trials only"
    ]


def test_by_default_a_study_is_one_of_optuna_with_a_new_tpe_for_each_trial(tmp_path: Path) -> None:
    """Told the same, Optuna alone suggests the same: nothing else has a hand in it, and old journals can go on."""
    plan, store = plan_of(tmp_path), drive(tmp_path, "search.trials=13", "search.portfolio=off")
    alone = optuna.create_study()
    for trial in store.study.trials:
        alone.sampler = optuna.samplers.TPESampler(seed=derive_seed(0, trial.number))
        asked = alone.ask()
        plan.space.suggest(asked)
        assert asked.params == trial.params
        alone.tell(asked, trial.value)
