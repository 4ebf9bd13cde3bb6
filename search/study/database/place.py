"""The place of a study in a PostgreSQL database."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lstmgru.data.tables.writers import write_text
from lstmgru.errors import counted, listed
from search.config.storage import database_url
from search.config.types import COMPARISON_SUFFIX
from search.errors import StorageError
from search.study.database.connection import Database, lock_holder
from search.study.places import StudyPlace, silence_optuna, without_garbage_collection

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, InMemoryStorage
    from sqlalchemy import Connection

    from search.study.database.rows import StoredStudy
    from search.study.database.storage import DatabaseStorage
    from search.study.database.writer import Writer
    from search.study.paths import StudyPaths


class DatabasePlace(StudyPlace):
    """The rows of a study in a database, and a file in ``studies/`` that names the database.

    A comparison has the name of its study followed by ``.compare`` there, and its families have that name followed by
    their own.

    Args:
        paths: Of the study.
        storage: URL without password, or ``env:NAME``.
        compared: Whether it is the place of the comparison.

    Raises:
        StorageError: The environment variable is not set.
    """

    def __init__(self, paths: StudyPaths, storage: str, *, compared: bool = False) -> None:
        super().__init__(paths)
        self._storage, self._compared = storage, compared
        self._database = Database(database_url(storage))
        self._name = f"{paths.study}{COMPARISON_SUFFIX}" if compared else paths.study
        self._writer: Writer | None = None
        self._opened: DatabaseStorage | None = None

    def __str__(self) -> str:
        return self._database.name

    @property
    def storage(self) -> str:
        """As it was given."""
        return self._storage

    @property
    def entry(self) -> str:
        """The study in the database."""
        return f"study '{self._name}' in {self}"

    @property
    def file(self) -> Path:
        """The file that names the database."""
        return self.paths.storage

    def comparison(self) -> DatabasePlace:
        """The rows of the comparison."""
        return DatabasePlace(self.paths, self._storage, compared=True)

    @contextmanager
    def exclusive(self, on_message: Callable[[str], None]) -> Iterator[None]:
        """Hold an advisory lock, which PostgreSQL releases when the connection of this process ends."""
        from search.study.database.writer import Writer

        with Writer(self._database, self._name, on_message) as self._writer:
            try:
                yield
                if self._opened is not None:
                    self._opened.save()
            finally:
                self._opened = None

    def is_being_run(self) -> bool:
        """Whether a connection holds the lock."""
        try:
            with self._database.reading() as connection:
                return lock_holder(connection, self._name) is not None
        except StorageError:
            return True

    def open(self) -> DatabaseStorage:
        """The storage whose changes are written to the database."""
        from search.study.database.storage import DatabaseStorage

        assert self._writer is not None  # under exclusive
        silence_optuna()
        studies = self._writer.run(self._read)
        self._opened = DatabaseStorage(self._writer, self._remote_name)
        self._opened.load(studies)
        return self._opened

    def read(self) -> InMemoryStorage | None:
        """A copy of what is in the database."""
        from optuna.storages import InMemoryStorage

        from search.study.database.storage import load

        silence_optuna()
        with self._database.reading() as connection:
            studies = self._read(connection)
        storage = InMemoryStorage()
        load(storage, studies)
        return storage if studies else None

    def remember(self) -> None:
        """Write the file that names the database."""
        self.paths.studies.mkdir(parents=True, exist_ok=True)
        write_text(self.paths.storage, f"{self._storage}\n")

    def start_over(
        self, folders: Mapping[str, Path], check: Callable[[BaseStorage], object], on_message: Callable[[str], None]
    ) -> None:
        """Delete the rows, the folders, and the file that names the database."""
        del check  # nothing damages rows
        from search.study.database.rows import count_trials, delete_studies

        assert self._writer is not None  # under exclusive
        if ids := self._writer.run(self._find).values():
            trials = self._writer.run(lambda connection: count_trials(connection, ids))
            gone = [f"{counted(trials, 'trial')} in {self}"]
            gone += [f"{what} in {folder}" for what, folder in folders.items() if folder.exists()]
            on_message(f"starting over: {listed(gone)} will be removed")
            self._writer.run(lambda connection: delete_studies(connection, ids))
            for folder in folders.values():
                shutil.rmtree(folder, ignore_errors=True)
        if not self._compared:
            self.paths.storage.unlink(missing_ok=True)  # also of a study that others have deleted

    def _find(self, connection: Connection) -> dict[str, int]:
        """Ids by name in the database.

        Raises:
            StorageError: Another program has created one of them.
        """
        from search.study.database.rows import find_studies

        found, foreign = find_studies(connection, self._name, families=self._compared)
        if foreign is not None:
            raise StorageError(
                f"study '{foreign}' in {self} was created by another program and is left as it is; choose another name "
                "with --set name=..."
            )
        return found

    @without_garbage_collection()
    def _read(self, connection: Connection) -> dict[str, StoredStudy]:
        """The studies by their name in this process."""
        from search.study.database.rows import read_study

        return {
            f"{self.paths.study}{name.removeprefix(self._name)}": read_study(connection, study_id)
            for name, study_id in self._find(connection).items()
        }

    def _remote_name(self, name: str) -> str:
        return f"{self._name}{name.removeprefix(self.paths.study)}"
