"""Studies in a database beside those of others, and the file in ``studies/`` that names the database."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import optuna
import pytest
from helpers.database_studies import ATTRIBUTES, by_optuna, contents, fill, place_at
from helpers.drivers import Notes, drive, plan_of
from helpers.postgresql import PostgreSQL

from search.config.storage import JOURNAL
from search.errors import StorageError, StudyMismatch, StudyNotFound
from search.run.resume import check_studies
from search.study.database.place import DatabasePlace
from search.study.journal import JournalPlace
from search.study.paths import StudyPaths, studies_in
from search.study.storages import begun_in, chosen_place, place_of
from search.study.store import StudyStore
from search.tasks.stored_study import store_of


def create(place: DatabasePlace, *, trials: int = 0) -> None:
    with place.exclusive(Notes().on_message):
        store = StudyStore.create(place.open(), place.paths.study, direction="minimize", attributes=ATTRIBUTES)
        for _ in range(trials):
            store.study.tell(store.study.ask(), 1.0)


def test_a_study_of_another_program_is_not_touched(tmp_path: Path, url: str) -> None:
    theirs = optuna.create_study(study_name="demo", storage=url.replace("postgresql", "postgresql+psycopg", 1))
    fill(theirs)
    theirs.set_user_attr("uid", "theirs")
    before = [contents(trial) for trial in theirs.trials]
    place = place_at(tmp_path, url)
    message = "study 'demo' in .* was created by another program and is left as it is; choose another name"

    with pytest.raises(StorageError, match=message):
        place.read()
    with pytest.raises(StorageError, match=message), place.exclusive(Notes().on_message):
        place.open()
    with pytest.raises(StorageError, match=message), place.exclusive(Notes().on_message):
        place.start_over({}, check_studies, Notes().on_message)

    assert [contents(trial) for trial in by_optuna(url).trials] == before
    assert by_optuna(url).user_attrs == {"uid": "theirs"}
    create(place_at(tmp_path, url, "other"))


def test_starting_over_deletes_one_study_and_says_so(tmp_path: Path, url: str) -> None:
    first, second = place_at(tmp_path, url, "first"), place_at(tmp_path, url, "second")
    for trials, place in enumerate((first, second), start=2):
        create(place, trials=trials)
        place.remember()
    folder, notes = tmp_path / "model", Notes()
    folder.mkdir()
    with first.exclusive(notes.on_message):
        first.start_over({"the model": folder}, check_studies, notes.on_message)
        first.start_over({"the model": folder}, check_studies, notes.on_message)

    assert notes.notes == [f"starting over: 2 trials in {first} and the model in {folder} will be removed"]
    assert not folder.exists()
    assert first.read() is None
    assert len(by_optuna(url, "second").trials) == 3
    assert studies_in(tmp_path) == ["second"]


def test_starting_over_forgets_a_study_that_was_deleted_there(tmp_path: Path, url: str) -> None:
    place = place_at(tmp_path, url)
    place.remember()
    with place.exclusive(Notes().on_message):
        place.start_over({}, check_studies, Notes().on_message)

    assert begun_in(place.paths) is None


def test_a_comparison_is_beside_its_study(tmp_path: Path, url: str) -> None:
    study = place_at(tmp_path, url)
    create(study, trials=1)
    comparison = study.comparison()
    with study.exclusive(Notes().on_message), comparison.exclusive(Notes().on_message):
        storage = comparison.open()
        for name in ("demo", "demo: lstm", "demo: gru_mixed"):
            StudyStore.create(storage, name, direction="minimize", attributes=ATTRIBUTES)
        create(place_at(tmp_path, url, "demo.compared"))

    found = comparison.read()

    assert found is not None
    assert optuna.get_all_study_names(found) == ["demo", "demo: lstm", "demo: gru_mixed"]
    assert {"demo", "demo.compare", "demo.compare: lstm"} < {*optuna.get_all_study_names(by_optuna(url)._storage)}
    with comparison.exclusive(Notes().on_message):
        comparison.start_over({}, check_studies, Notes().on_message)
    assert comparison.read() is None
    assert study.read() is not None


def test_a_reader_that_names_a_place_looks_there_and_leaves_no_note(
    tmp_path: Path, url: str, server: PostgreSQL
) -> None:
    create(place_at(tmp_path / "elsewhere", url), trials=1)
    own, other = StudyPaths(tmp_path, "demo"), server.url(server.database())
    create(place_at(tmp_path, other), trials=2)

    def trials(storage: str | None) -> int:
        return len(store_of("demo", tmp_path, storage).study.trials)

    assert begun_in(own) is None
    place_at(tmp_path, other).remember()
    assert (trials(None), trials(other), trials(url)) == (2, 2, 1)
    with pytest.raises(StudyNotFound, match=r"there is no .*demo\.journal"):
        trials(JOURNAL)
    assert begun_in(own) == other


def test_a_study_stays_where_it_was_begun(tmp_path: Path, url: str) -> None:
    begun, elsewhere = StudyPaths(tmp_path, "begun"), StudyPaths(tmp_path, "elsewhere")
    place_at(tmp_path, url, "begun").remember()
    elsewhere.journal.touch()
    search = plan_of(tmp_path).config.search
    asked = {text: search.model_copy(update={"storage": text}) for text in (JOURNAL, url, "env:OTHER")}

    assert isinstance(chosen_place(begun, search), DatabasePlace)
    assert isinstance(chosen_place(elsewhere, search), JournalPlace)
    assert isinstance(chosen_place(StudyPaths(tmp_path, "new"), search), JournalPlace)
    assert isinstance(chosen_place(StudyPaths(tmp_path, "new"), asked[url]), DatabasePlace)
    assert isinstance(chosen_place(begun, asked[url]), DatabasePlace)
    for paths, text in ((begun, JOURNAL), (begun, "env:OTHER"), (elsewhere, url)):
        message = f"study '{paths.study}' is stored in .*, but search.storage is {re.escape(text)}; set it to"
        with pytest.raises(StudyMismatch, match=message):
            chosen_place(paths, asked[text])


def test_the_file_that_names_the_database_is_checked(tmp_path: Path, url: str) -> None:
    place_at(tmp_path, url).remember()
    paths = StudyPaths(tmp_path, "demo")
    assert paths.storage.read_text(encoding="utf-8") == f"{url}\n"
    paths.storage.write_bytes(b"\x00\x00")

    with pytest.raises(StorageError, match=r"demo\.storage, which names the database of study 'demo', must be journal"):
        place_of(paths)


@pytest.mark.slow
def test_trials_and_decisions_are_those_of_a_journal(tmp_path: Path, url: str) -> None:
    """TPE, screening and promotions; a resumed study too."""
    overrides = ("search.trials=9", "training.max_epochs=8", "search.portfolio=off")
    kinds = {"journal": (), "database": (f"search.storage={url}",)}
    stores = {}
    for kind, more in kinds.items():
        (tmp_path / kind).mkdir()
        drive(tmp_path / kind, *overrides, *more, stop_in=5)
        stores[kind] = drive(tmp_path / kind, *overrides, *more)

    def told(store: StudyStore) -> list[tuple[object, ...]]:
        return [
            (trial.number, trial.state, trial.value, trial.params, trial.layers, trial.reason, trial.fold_scores)
            for trial in store.record().trials
        ]

    assert told(stores["database"]) == told(stores["journal"])
    assert {trial.state for trial in stores["journal"].record().trials} == {"COMPLETE", "PRUNED"}
    found = StudyStore.find(StudyPaths(tmp_path / "database", "tiny"), url)
    assert found is not None
    assert told(found) == told(stores["journal"])


def test_an_earlier_study_of_the_same_database_is_a_start(tmp_path: Path, url: str) -> None:
    storage = f"search.storage={url}"
    drive(tmp_path, storage, "name=earlier", "search.trials=3")
    notes = Notes()
    drive(tmp_path, storage, "search.warm_start=earlier", "search.trials=2", notes=notes)

    assert any("of study 'earlier' will be tried first" in note for note in notes.notes)


def test_drivers_create_the_tables_at_once(tmp_path: Path, server: PostgreSQL) -> None:
    url = server.url(server.database())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: create(place_at(tmp_path, url, name)), ("a", "b", "c", "d")))

    assert {*optuna.get_all_study_names(by_optuna(url, "a")._storage)} == {"a", "b", "c", "d"}
