"""What a driver writes is what Optuna reads: the rows, their transactions, and the copy in memory."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.database_studies import ATTRIBUTES, by_optuna, contents, fill, place_at
from helpers.drivers import Notes
from optuna.distributions import FloatDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.study.database.place import DatabasePlace
from search.study.database.storage import DatabaseStorage
from search.study.store import StudyStore


@pytest.fixture
def place(tmp_path: Path, url: str) -> DatabasePlace:
    return place_at(tmp_path, url)


@pytest.fixture
def store(place: DatabasePlace) -> Iterator[StudyStore]:
    """A new study under its lock."""
    with place.exclusive(Notes().on_message):
        yield StudyStore.create(place.open(), "demo", direction="minimize", attributes=ATTRIBUTES)


def test_optuna_reads_what_is_written_and_so_does_a_reader(place: DatabasePlace, store: StudyStore, url: str) -> None:
    fill(store.study)
    store.set("long", "x" * 3_000_000)
    expected = [contents(trial) for trial in store.study.trials]
    assert {trial.state for trial in store.study.trials} == {*TrialState} - {TrialState.WAITING}

    theirs, again = by_optuna(url), StudyStore.load(place.read() or InMemoryStorage(), "demo")

    assert [contents(trial) for trial in theirs.trials] == expected
    assert theirs.user_attrs == store.study.user_attrs
    assert theirs.best_trial.number == store.study.best_trial.number == 0
    assert again is not None
    assert [contents(trial) for trial in again.study.trials] == expected
    assert again.study.user_attrs == store.study.user_attrs
    assert again.study.best_trial.number == 0


def test_several_objectives_have_their_names_and_values(place: DatabasePlace, url: str) -> None:
    with place.exclusive(Notes().on_message):
        store = StudyStore.create(
            place.open(), "demo", direction="maximize", attributes=ATTRIBUTES, objectives=("score", "latency")
        )
        store.study.tell(store.study.ask(), [0.5, 0.001])

    theirs = by_optuna(url)

    assert [direction.name for direction in theirs.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert theirs.metric_names == ["score", "latency"]
    assert theirs.trials[0].values == [0.5, 0.001]


def test_a_trial_that_runs_again_has_its_new_parameters_and_states(store: StudyStore, url: str) -> None:
    trial = store.study.ask({"x": FloatDistribution(0, 1)})
    store.requeue(0)
    assert by_optuna(url).trials[0].state == TrialState.WAITING
    store.begin(0)
    store._storage.set_trial_param(trial._trial_id, "x", 0.75, FloatDistribution(0, 1))
    store.study.tell(0, 1.0)

    assert [contents(each) for each in by_optuna(url).trials] == [contents(each) for each in store.study.trials]
    assert by_optuna(url).trials[0].params == {"x": 0.75}


def test_another_driver_continues_with_the_next_number(place: DatabasePlace, tmp_path: Path, url: str) -> None:
    with place.exclusive(Notes().on_message):
        store = StudyStore.create(place.open(), "demo", direction="minimize", attributes=ATTRIBUTES)
        fill(store.study)
        numbers = len(store.study.trials)
    later = place_at(tmp_path, url)
    with later.exclusive(Notes().on_message):
        again = StudyStore.load(later.open(), "demo")
        assert again is not None
        assert again.requeue_orphans() == ([4], [])
        again.study.tell(again.study.ask({"x": FloatDistribution(0, 1)}), 1.0)
        again.study.tell(again.study.ask({"x": FloatDistribution(0, 1)}), 2.0)

    theirs = by_optuna(url).trials

    assert [trial.number for trial in theirs] == list(range(numbers + 1))
    assert (theirs[4].state, theirs[4].value) == (TrialState.COMPLETE, 1.0)
    assert theirs[-1].value == 2.0


def test_a_step_is_one_transaction(store: StudyStore, place: DatabasePlace, url: str) -> None:
    with store.together():
        trial = store.study.ask({"x": FloatDistribution(0, 1)})
        trial.set_user_attr("seed", 1)
        with store.together():
            trial.set_user_attr("layers", "lstm(8)")
        assert by_optuna(url).trials == []
    assert by_optuna(url).trials[0].user_attrs == {"seed": 1, "layers": "lstm(8)"}


def test_reports_are_written_with_the_first_one_after_a_second(
    store: StudyStore, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = store.study.ask()
    trial.report(3.0, 1)
    assert by_optuna(url).trials[0].intermediate_values == {}
    assert isinstance(store._storage, DatabaseStorage)
    store._storage._saved -= 1.0
    trial.report(2.0, 2)
    assert by_optuna(url).trials[0].intermediate_values == {1: 3.0, 2: 2.0}
    trial.report(1.0, 3)
    store.set("elapsed", 1.0)
    assert by_optuna(url).trials[0].intermediate_values == {1: 3.0, 2: 2.0, 3: 1.0}


def test_what_is_left_is_written_when_the_lock_is_released_but_not_after_an_error(
    place: DatabasePlace, url: str
) -> None:
    with place.exclusive(Notes().on_message):
        store = StudyStore.create(place.open(), "demo", direction="minimize", attributes=ATTRIBUTES)
        trial = store.study.ask()
        trial.report(3.0, 1)
    assert by_optuna(url).trials[0].intermediate_values == {1: 3.0}
    with pytest.raises(ZeroDivisionError), place.exclusive(Notes().on_message), place.open().together():  # type: ignore[attr-defined]
        raise ZeroDivisionError


def test_a_pickled_storage_is_a_copy_to_read(store: StudyStore, url: str) -> None:
    fill(store.study)

    pickled = pickle.dumps(store._storage)
    copied = StudyStore.load(pickle.loads(pickled), "demo")

    assert url.encode() not in pickled
    assert copied is not None
    assert [contents(trial) for trial in copied.study.trials] == [contents(trial) for trial in store.study.trials]
    copied.study.ask()
    assert len(by_optuna(url).trials) == len(store.study.trials)
