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
    """The place of a study.

    Args:
        paths: Of the study.
        storage: Value of ``search.storage``; ``None``: where the study was begun in this folder, or else a journal.

    Raises:
        StorageError: It has another form or a password, or the file that names the database is damaged.
    """
    try:
        storage = str(checked_storage(storage)) if storage is not None else begun_in(paths) or JOURNAL
    except ValueError as error:
        raise StorageError(f"storage {error}") from error
    return JournalPlace(paths) if storage == JOURNAL else DatabasePlace(paths, storage)


def chosen_place(paths: StudyPaths, search: SearchConfig, *, move: bool = False) -> StudyPlace:
    """The place in which a command continues or begins a study.

    Args:
        paths: Of the study.
        search: Its settings; one that leaves ``storage`` open stays where it was begun.
        move: Whether it may begin again in another place.

    Raises:
        StudyMismatch: It was begun in another place than its settings say.
    """
    begun = begun_in(paths)
    asked = search.storage if "storage" in search.model_fields_set else None
    if begun is None or asked in (None, begun) or move:
        return place_of(paths, asked or begun or search.storage)
    raise StudyMismatch(
        f"study '{paths.study}' is stored in {place_of(paths, begun)}, but search.storage is {search.storage}; set it "
        f"to {begun}, start over with run --fresh, or choose another name with --set name=..."
    )


def begun_in(paths: StudyPaths) -> str | None:
    """The value of ``search.storage`` with which a study or its comparison was begun in this folder; ``None``: nowhere.

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
