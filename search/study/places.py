"""The interface of the places in which studies are stored: the journal and the database."""

from __future__ import annotations

import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage

    from search.study.paths import StudyPaths


def together(storage: BaseStorage) -> AbstractContextManager[object]:
    """Stores all changes inside in one transaction, if the storage has transactions."""
    return getattr(storage, "together", nullcontext)()


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """For what creates many objects that stay: none is garbage, and every look for it takes longer."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def silence_optuna() -> None:
    """Keep Optuna from announcing every new study on standard error; the listener of a search reports instead."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


@cache
def distribution_of(text: str) -> BaseDistribution:
    """The distribution of a parameter from Optuna's JSON, read once: trials of a study share few."""
    from optuna.distributions import json_to_distribution

    return json_to_distribution(text)


class StudyPlace(ABC):
    """Where a study, or the comparison of its families, is stored. ``str`` names it in messages.

    Args:
        paths: Of the study.
    """

    def __init__(self, paths: StudyPaths) -> None:
        self.paths = paths

    @property
    @abstractmethod
    def storage(self) -> str:
        """The value of ``search.storage`` for this place."""

    @property
    @abstractmethod
    def entry(self) -> str:
        """What is there once the study was run, in words."""

    @property
    @abstractmethod
    def file(self) -> Path:
        """The file in ``studies/`` that stands for the study."""

    @abstractmethod
    def comparison(self) -> StudyPlace:
        """The place of the comparison of the study."""

    @abstractmethod
    def exclusive(self, on_message: Callable[[str], None]) -> AbstractContextManager[None]:
        """Hold the lock of the only writer, which ends with this process at the latest.

        Args:
            on_message: Receives messages for the user, also on outages until the lock is released.

        Raises:
            StudyBusy: Another process holds it.
            StorageError: The database cannot be used.
        """

    @abstractmethod
    def is_being_run(self) -> bool:
        """Whether a process holds the lock; also if that cannot be found out."""

    @abstractmethod
    def open(self) -> BaseStorage:
        """The Optuna storage to write to, under :meth:`exclusive`; created if there is none.

        Raises:
            NotAJournal: The journal is damaged.
            StorageError: The database cannot be used.
        """

    @abstractmethod
    def read(self) -> BaseStorage | None:
        """The Optuna storage as it is now, to read only; ``None``: there is none.

        Raises:
            NotAJournal: The journal is damaged.
            StorageError: The database cannot be used.
        """

    def remember(self) -> None:
        """Under :meth:`exclusive`, leave a note in the folder where the study is, if the place is not in the folder."""
        return

    @abstractmethod
    def start_over(
        self, folders: Mapping[str, Path], check: Callable[[BaseStorage], object], on_message: Callable[[str], None]
    ) -> None:
        """Under :meth:`exclusive`, remove everything if there is something, and say so first.

        Args:
            folders: Folders that belong to it and are removed as well, by what they hold.
            check: Raises ``NotAJournal`` where readers of a journal would; then it is kept under another name.
            on_message: Receives what is removed or kept.
        """
