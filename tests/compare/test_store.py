"""The comparison on disk: trials of the study that are reused, and what cannot be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.drivers import Notes, drive
from helpers.running_comparisons import TWO, TWO_OF_WAVES, opened, searched, told
from helpers.sequence_studies import write_label_study
from optuna.storages import InMemoryStorage
from optuna.trial import FixedTrial, TrialState, create_trial

from search.compare.store import ORIGIN, ended_trials
from search.errors import NotAJournal, StudyMismatch
from search.executors.base import TIME_IS_UP
from search.run.resume import check_studies
from search.study.journal import start_over
from search.study.paths import StudyPaths
from search.study.store import StudyStore


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
            model, _ = each.plan.space.suggest(FixedTrial(record.params))
            assert model.architecture == original.layers


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


def test_trials_that_others_repeat_or_continue_and_those_that_the_time_stopped_do_not_count() -> None:
    attributes: dict[str, Any] = {"config": {}, "metric": "mae"}
    store = StudyStore.create(InMemoryStorage(), "demo", direction="minimize", attributes=attributes)
    for state, known in (
        (TrialState.PRUNED, {}),
        (TrialState.COMPLETE, {"promoted_from": 0}),
        (TrialState.FAIL, {}),
        (TrialState.COMPLETE, {"retry_of": 2}),
        (TrialState.PRUNED, {"result": {"reason": TIME_IS_UP}}),
        (TrialState.PRUNED, {}),
    ):
        value = 1.0 if state == TrialState.COMPLETE else None
        store.study.add_trial(create_trial(state=state, value=value, user_attrs=known))
    assert [trial.number for trial in ended_trials(store)] == [1, 3, 5]


def test_a_study_that_was_not_run_is_said(tmp_path: Path) -> None:
    notes = Notes()

    opened(tmp_path, notes=notes)

    assert notes.notes == ["study 'tiny' has not been run here; the comparison starts without trials"]


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


def test_trials_of_a_study_of_labels_count_for_their_family(tmp_path: Path) -> None:
    write_label_study(tmp_path, TWO_OF_WAVES)
    study = drive(tmp_path, "search.trials=4", text=TWO_OF_WAVES)
    notes = Notes()

    _, store = opened(tmp_path, text=TWO_OF_WAVES, notes=notes)

    assert notes.notes == ["4 trials of study 'waves' are reused by their families; 0 belong to no family"]
    by_number = {trial.number: trial for trial in study.record().trials}
    for each in store.families:
        for trial, record in zip(each.ended(), store.records()[each.name], strict=True):
            original = by_number[trial.user_attrs[ORIGIN][1]]
            assert (record.value, record.layers) == (original.value, original.layers)


def test_starting_over_keeps_a_damaged_comparison(tmp_path: Path) -> None:
    opened(tmp_path, text=TWO)
    path, notes = StudyPaths(tmp_path, "tiny").comparison_journal, Notes()
    content = path.read_bytes().replace(b'"metric":"mae"', b'"metric":"mse"', 1)
    path.write_bytes(content)
    with pytest.raises(NotAJournal, match=r"line \d+ does not match its checksum.* start over with compare --fresh"):
        opened(tmp_path, text=TWO)

    start_over(path, {}, check_studies, notes.on_message)
    _, store = opened(tmp_path, text=TWO)
    for each in store.families:
        each.store.study.ask()
    start_over(path, {}, check_studies, notes.on_message)

    assert path.with_name("tiny.compare.journal.damaged").read_bytes() == content
    assert notes.notes == [
        f"{path} is damaged; it is kept as {path}.damaged",
        f"starting over: 2 trials in {path} will be removed",
    ]
    assert not list(tmp_path.glob("studies/*.journal"))
