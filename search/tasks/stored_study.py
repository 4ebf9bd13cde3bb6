"""From the path or the name of a study file to the study that was run with it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmgru.errors import did_you_mean
from search.errors import StudyNotFound
from search.study.paths import StudyPaths, studies_in
from search.tasks.study_file import DEFAULT_STUDY, Reference, is_name, known_studies, study_name, study_storage

if TYPE_CHECKING:
    from search.study.store import StudyStore


def load_store(reference: Reference, folder: Path, storage: str | None = None) -> StudyStore:
    """The study in its storage, also while it is running.

    Args:
        reference: Path of a study file, name of one in ``studies/`` of the working folder or the current one, or name
            under which the study was run, which needs no file; ``None``: the weather study.
        folder: The working folder.
        storage: Value of ``search.storage``; ``None``: where the study was begun in the working folder, or else where
            its file says.

    Raises:
        StudyNotFound: It has not been run in this folder; the message lists those that have.
        StudyFileError: The file is no YAML, or its name is none that a study can have.
        NotAJournal: The study cannot be read.
        StorageError: Its database cannot be used.
    """
    from search.study.storages import begun_in

    given = str(DEFAULT_STUDY if reference is None else reference)

    def place(name: str) -> str | None:
        if storage is not None:
            return storage
        return begun_in(StudyPaths(folder, name)) or study_storage(reference, folder)

    @cache  # a large study takes seconds to read
    def find(name: str) -> StudyStore | None:
        return _find(name, folder, place(name))

    try:
        name = study_name(reference, lambda name: find(name) is not None, folder)
    except StudyNotFound as error:
        raise (_unknown(given, folder) if is_name(given) else error) from None
    store = find(name)
    if store is None and is_name(given) and given != name:
        store = find(given)  # its file has another name
    if store is None:
        raise _not_run(name, folder, place(name), given)
    return store


def store_of(name: str, folder: Path, storage: str | None = None) -> StudyStore:
    """The study that was run under a name.

    Args:
        name: Of the study.
        folder: The working folder.
        storage: Value of ``search.storage``; ``None``: where the study was begun in the working folder.

    Raises:
        StudyNotFound: It has not been run in this folder; the message lists those that have.
        NotAJournal: The study cannot be read.
        StorageError: Its database cannot be used.
    """
    store = _find(name, folder, storage)
    if store is None:
        raise _not_run(name, folder, storage, name)
    return store


def stored_config(folder: Path, storage: str | None, name: str) -> tuple[Path, dict[str, Any]] | None:
    """The file that stands for a study that was run, and the settings of its last run; ``None``: it was not run.

    Args:
        folder: The working folder.
        storage: As for :func:`store_of`.
        name: Of the study.
    """
    from search.study.storages import place_of

    store = _find(name, folder, storage)
    return None if store is None else (place_of(StudyPaths(folder, name), storage).file, store.get("config"))


def _find(name: str, folder: Path, storage: str | None) -> StudyStore | None:
    from search.study.store import StudyStore

    return StudyStore.find(StudyPaths(folder, name), storage)


def _not_run(name: str, folder: Path, storage: str | None, given: str) -> StudyNotFound:
    from search.study.storages import place_of

    others = _those_run(folder, "; studies that were run there: ")
    return StudyNotFound(
        f"study '{name}' has not been run in {folder}: there is no "
        f"{place_of(StudyPaths(folder, name), storage).entry}{others}; run it with: python -m search run {given}"
    )


def _unknown(name: str, folder: Path) -> StudyNotFound:
    hint = did_you_mean(name, [*studies_in(folder), *known_studies(folder)])
    return StudyNotFound(
        f"there is no study '{name}'{hint}; studies that were run in {folder}: {_those_run(folder) or 'none'}"
    )


def _those_run(folder: Path, before: str = "") -> str:
    names = studies_in(folder)
    return before + ", ".join(names) if names else ""
