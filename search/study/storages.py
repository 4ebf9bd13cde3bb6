"""Which place a study is stored in: where it was begun, else where its settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from search.config.storage import JOURNAL, checked_storage
from search.errors import StorageError, StudyMismatch
from search.study.database.place import DatabasePlace
from search.study.journal import JournalPlace

if TYPE_CHECKING:
    from search.config.search_config import SearchConfig
    from search.study.paths import StudyPaths
    from search.study.places import StudyPlace


def place_of(paths: StudyPaths, storage: str | None = None) -> StudyPlace:
    """The place of a study: where it was begun in this folder, else where it is to be.

    Args:
        paths: Of the study.
        storage: Value of ``search.storage`` for a study that was not begun here; ``None``: a journal.
    """
    if (known := _known_storage(paths)) is not None:
        storage = known
    return _make_place(paths, storage or JOURNAL)


def chosen_place(paths: StudyPaths, search: SearchConfig, *, move: bool = False) -> StudyPlace:
    """The place in which a command continues or begins a study.

    Args:
        paths: Of the study.
        search: Its settings; one that leaves ``storage`` open stays where it was begun.
        move: Whether it may begin again in another place.

    Raises:
        StudyMismatch: It was begun in another place than its settings say.
    """
    place = place_of(paths, search.storage)
    if "storage" not in search.model_fields_set or search.storage == place.storage:
        return place
    if move:
        return _make_place(paths, search.storage)
    raise StudyMismatch(
        f"study '{paths.study}' is stored in {place}, but search.storage is {search.storage}; set it to "
        f"{place.storage}, start over with run --fresh, or choose another name with --set name=..."
    )


def _make_place(paths: StudyPaths, storage: str) -> StudyPlace:
    return JournalPlace(paths) if storage == JOURNAL else DatabasePlace(paths, storage)


def _known_storage(paths: StudyPaths) -> str | None:
    """Where a study or its comparison was begun in this folder; ``None``: nowhere.

    Raises:
        StorageError: The file that names the database is damaged.
    """
    try:
        return str(checked_storage(paths.storage.read_text(encoding="utf-8", errors="replace").strip()))
    except FileNotFoundError:
        return JOURNAL if paths.journal.exists() or paths.comparison_journal.exists() else None
    except ValueError as error:
        raise StorageError(
            f"{paths.storage}, which names the database of study '{paths.study}', {error}; restore it, or remove it "
            "and name the database with --storage"
        ) from error
