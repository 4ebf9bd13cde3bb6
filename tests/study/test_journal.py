"""The journal's file: what is written is there for everyone, and what must last is forced to the disk."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path

import optuna
import pytest
from helpers.database_studies import contents, fill
from optuna.distributions import CategoricalDistribution, FloatDistribution, distribution_to_json
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from search.study import journal
from search.study.journal import JournalFile, open_storage


def asked(study: optuna.Study) -> optuna.trial.Trial:
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.report(2.0, 1)
    return trial


def study_in(path: Path) -> optuna.Study:
    return optuna.create_study(study_name="demo", storage=open_storage(path))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a journal."""
    return tmp_path / "demo.journal"


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of the file whenever it was forced to the disk."""
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: sizes.append(os.fstat(file).st_size))
    return sizes


def test_optuna_reads_the_same_with_its_own_backend(path: Path) -> None:
    study = study_in(path)
    study.tell(asked(study), 1.5)
    study.set_user_attr("numbers", {"a": [1, None, "ü"]})
    study.tell(asked(study), state=optuna.trial.TrialState.FAIL)
    asked(study)
    theirs = optuna.load_study(study_name="demo", storage=JournalStorage(JournalFileBackend(str(path))))
    assert theirs.trials == study.trials
    assert theirs.user_attrs == study.user_attrs == {"numbers": {"a": [1, None, "ü"]}}


def test_a_file_that_is_opened_again_has_what_optuna_reads(path: Path) -> None:
    study = study_in(path)
    fill(study)
    study.tell(study.ask({"x": FloatDistribution(0, 1)}), 2.5)
    theirs = optuna.load_study(study_name="demo", storage=JournalStorage(JournalFileBackend(str(path))))
    again = optuna.load_study(study_name="demo", storage=open_storage(path))
    expected = [contents(trial) for trial in theirs.trials]
    assert [contents(trial) for trial in again.trials] == expected == [contents(trial) for trial in study.trials]
    copied = optuna.load_study(study_name="demo", storage=pickle.loads(pickle.dumps(again._storage)))
    assert [contents(trial) for trial in copied.trials] == expected
    before = again.get_trials(deepcopy=False)[4]
    again._storage.set_trial_user_attr(before._trial_id, "more", 1)
    assert "more" not in before.user_attrs, "a trial that was handed out does not change"
    assert again.trials[4].user_attrs["more"] == 1


def test_entries_of_others_about_finished_trials_and_other_parameters_are_ignored(path: Path) -> None:
    """As Optuna ignores them, whose tools may append to a journal."""
    study = study_in(path)
    study.tell(asked(study), 1.5)
    trial = asked(study)
    others = JournalStorage(JournalFileBackend(str(path)))
    for entry in (
        {"op_code": 8, "trial_id": 0, "user_attr": {"late": 1}},
        {"op_code": 9, "trial_id": 0, "system_attr": {"late": 1}},
        {"op_code": 7, "trial_id": 0, "step": 9, "intermediate_value": 1.0},
        {"op_code": 5, "trial_id": 9, "param_name": "x", "param_value_internal": 1.0,
         "distribution": distribution_to_json(FloatDistribution(0, 1))},
        {"op_code": 5, "trial_id": trial._trial_id, "param_name": "x", "param_value_internal": 0,
         "distribution": distribution_to_json(CategoricalDistribution(("a", "b")))},
        {"op_code": 8, "trial_id": trial._trial_id, "user_attr": {"note": 1}},
    ):  # fmt: skip
        others._backend.append_logs([{"worker_id": "another", **entry}])
    theirs = optuna.load_study(study_name="demo", storage=JournalStorage(JournalFileBackend(str(path)))).trials
    assert optuna.load_study(study_name="demo", storage=open_storage(path)).trials == theirs
    assert [trial.user_attrs for trial in theirs] == [{}, {"note": 1}]


def test_every_entry_is_in_the_file_at_once(path: Path) -> None:
    study = study_in(path)
    trial = study.ask()
    before = path.read_bytes()
    trial.set_user_attr("seed", 7)
    entry = json.loads(path.read_bytes().removeprefix(before))
    assert entry["user_attr"] == {"seed": 7}


def test_a_study_goes_on_in_another_storage(path: Path) -> None:
    for number in range(3):
        storage = open_storage(path)
        study = optuna.create_study(study_name="demo", storage=storage, load_if_exists=True)
        study.tell(asked(study), float(number))
    assert [trial.value for trial in study.trials] == [0.0, 1.0, 2.0]


def test_who_reads_has_what_was_there_when_the_file_was_opened(path: Path) -> None:
    study = study_in(path)
    study.tell(asked(study), 1.0)
    reader = optuna.load_study(study_name="demo", storage=open_storage(path))
    study.tell(asked(study), 2.0)
    assert len(reader.trials) == 1


def test_an_entry_that_optuna_refuses_does_not_stop_the_next_ones(path: Path) -> None:
    study = study_in(path)
    with pytest.raises(optuna.exceptions.DuplicatedStudyError):
        optuna.create_study(study_name="demo", storage=study._storage)
    study.tell(asked(study), 1.0)
    assert [trial.value for trial in study.trials] == [1.0]


def test_what_is_said_of_the_study_and_the_end_of_a_trial_are_forced_to_the_disk(path: Path, forced: list[int]) -> None:
    study = study_in(path)
    forced.clear()
    trial = asked(study)
    assert forced == []
    study.tell(trial, 1.0)
    assert forced == [path.stat().st_size]
    study.set_user_attr("elapsed", 1.0)
    assert forced[1:] == [path.stat().st_size]


def test_of_many_ends_one_in_a_while_is_forced(path: Path, forced: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(journal.time, "monotonic", lambda: now)
    study = study_in(path)
    now = 200.0
    forced.clear()
    for _ in range(5):
        study.tell(asked(study), 1.0)
    assert len(forced) == 1
    now = 201.5
    study.tell(asked(study), 1.0)
    assert len(forced) == 2


def test_the_file_is_closed_with_its_owner(path: Path) -> None:
    owner = JournalFile(path)
    owner.append_logs([{"op_code": 99}])
    file = owner._file
    assert file is not None
    assert not file.closed
    del owner
    assert file.closed
