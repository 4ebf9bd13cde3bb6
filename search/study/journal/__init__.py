"""The journal of a study: the lock of its only writer, repair after a kill, and Optuna's storage on top of it."""

from __future__ import annotations

import json
import os
import shutil
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from lstmgru.errors import counted, listed
from search.config.storage import JOURNAL
from search.config.types import COMPARISON_SUFFIX
from search.errors import NotAJournal, StudyBusy
from search.study.journal.entries import damaged, encode, ends_trial, is_of_study, read_entries, write_checkpoint
from search.study.paths import checkpoint_path, free_path
from search.study.places import StudyPlace, silence_optuna, without_garbage_collection

if TYPE_CHECKING:
    from optuna.storages import BaseStorage, JournalStorage

    from search.study.paths import StudyPaths


_SECONDS = 1.0
"""Minimum interval between two flushes to disk at the end of a trial."""

_SECONDS_TO_LOOK = 0.5
"""Longer than :func:`is_being_run` holds a lock."""


@contextmanager
def exclusive(lock_file: Path, study: str) -> Iterator[None]:
    """Hold the lock of a study's journal; the system releases it when the process ends, even by a kill.

    Args:
        lock_file: ``studies/weather.lock``.
        study: Name of the study, for the error.

    Raises:
        StudyBusy: Another process is running the study.
    """
    from filelock import FileLock, Timeout

    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=_SECONDS_TO_LOOK)
    except Timeout:
        raise StudyBusy(
            f"study '{study}' is being run by another process ({lock_file} is locked); wait for it, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def is_being_run(lock_file: Path) -> bool:
    """Whether a process holds the lock of :func:`exclusive`; also if that cannot be found out."""
    from filelock import FileLock, Timeout

    if not lock_file.exists():
        return False
    try:
        with FileLock(lock_file).acquire(timeout=0):
            return False
    except (Timeout, OSError):
        return True


def repair(path: Path) -> int:
    """Remove an unfinished last line that a killed process left; return the number of bytes removed.

    Call it under :func:`exclusive`. Optuna would append to such a line and could not read the file afterwards. The lock
    of a process that was killed while appending is removed, too, and so is the checkpoint of a journal that is gone.

    Raises:
        NotAJournal: The file is not a journal, or damaged; it is not changed.
    """
    if not path.exists():
        checkpoint_path(path).unlink(missing_ok=True)
        return 0
    _, _, unfinished = read_entries(path)
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if unfinished:
        os.truncate(path, path.stat().st_size - unfinished)
    return unfinished


def start_over(
    journal: Path,
    folders: Mapping[str, Path],
    check: Callable[[BaseStorage], object],
    on_message: Callable[[str], None],
) -> None:
    """Remove a journal and the folders that belong to it, and say so first; a damaged journal is renamed.

    Call it under :func:`exclusive`.

    Args:
        journal: The file.
        folders: The folders, by what they hold.
        check: Raises ``NotAJournal`` if what is replayed has values of wrong types, as without checksums it may.
        on_message: Receives what is removed or kept.
    """
    gone = [f"{what} in {folder}" for what, folder in folders.items() if folder.exists()]
    kept = None
    try:
        repair(journal)
        storage = open_storage(journal)
        check(storage)
        trials = sum(storage.get_n_trials(study._study_id) for study in storage.get_all_studies())
        gone.insert(0, f"{counted(trials, 'trial')} in {journal}")
    except NotAJournal:
        kept = free_path(journal, ".damaged")
        on_message(f"{journal} is damaged; it is kept as {kept}")
    if gone:
        on_message(f"starting over: {listed(gone)} will be removed")
    if kept is None:
        journal.unlink(missing_ok=True)
    else:
        journal.rename(kept)
    checkpoint_path(journal).unlink(missing_ok=True)
    for folder in folders.values():
        shutil.rmtree(folder, ignore_errors=True)


class JournalPlace(StudyPlace):
    """A journal in ``studies/``, and the lock beside it.

    Args:
        paths: Of the study.
        compared: Whether it is the journal of the comparison.
    """

    storage = JOURNAL

    def __init__(self, paths: StudyPaths, *, compared: bool = False) -> None:
        super().__init__(paths)
        self._name = f"{paths.study}{COMPARISON_SUFFIX}" if compared else paths.study
        self._lock = paths.comparison_lock if compared else paths.lock
        self._file = paths.comparison_journal if compared else paths.journal
        self._on_message: Callable[[str], None] = lambda text: None

    def __str__(self) -> str:
        return str(self._file)

    @property
    def entry(self) -> str:
        """The journal."""
        return str(self)

    @property
    def file(self) -> Path:
        """The journal."""
        return self._file

    def comparison(self) -> JournalPlace:
        """The journal of the comparison."""
        return JournalPlace(self.paths, compared=True)

    @contextmanager
    def exclusive(self, on_message: Callable[[str], None]) -> Iterator[None]:
        """Hold the lock, see :func:`exclusive`."""
        self._on_message = on_message
        with exclusive(self._lock, self._name):
            yield

    def is_being_run(self) -> bool:
        """See :func:`is_being_run`."""
        return is_being_run(self._lock)

    def open(self) -> JournalStorage:
        """The storage in the file, which is repaired first."""
        if cut := repair(self._file):
            self._on_message(f"repaired {self._file}: an unfinished last line of {cut} bytes was cut off")
        return open_storage(self._file)

    def read(self) -> JournalStorage | None:
        """The storage in the file, if there is one."""
        return open_storage(self._file) if self._file.exists() else None

    def start_over(
        self, folders: Mapping[str, Path], check: Callable[[BaseStorage], object], on_message: Callable[[str], None]
    ) -> None:
        """See :func:`start_over`."""
        if self._file.exists():
            start_over(self._file, folders, check, on_message)


class JournalFile:
    """Backend of Optuna's journal storage for a file with a single writer; see :func:`exclusive`.

    Optuna's own backend supports several writers, so it locks, flushes and rereads the file with every entry. Here an
    entry is in the file when :meth:`append_logs` returns: other processes see it, and it survives a kill. Entries about
    the study are flushed to disk together with all entries before them. So are ends of trials, at most once per second:
    a power failure costs the running trials, which run again anyway, and possibly the last finished one. The checkpoint
    follows what was flushed, so the journal may be ahead of it, but never behind.

    A process that only reads has the entries that existed when it opened the file.

    Args:
        path: The file; created if it does not exist.

    Attributes:
        path: The file.
        line: Number of the last line that was handed out.
        checked: Whether every entry had a checksum when the file was opened.

    Raises:
        NotAJournal: The file is not a journal, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._first = self.line = 0
        self._forced = float("-inf")
        self._file: BinaryIO | None = None
        self._entries, self._extent, _ = read_entries(path)
        self.checked = self._extent.entries == len(self._entries)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Entries starting at a number; earlier ones cannot be read again."""
        del self._entries[: log_number_from - self._first]
        self._first = log_number_from
        for number, entry in enumerate(tuple(self._entries), start=log_number_from + 1):
            self.line = number
            yield entry

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries.

        Raises:
            OSError: They cannot be written; the file is as before.
        """
        lines, extent = encode(logs, self._extent)
        file = self._opened()
        self._append(file, b"".join(lines))
        self._extent = extent
        self._entries += map(json.loads, lines)
        now = time.monotonic()
        if any(is_of_study(log) or (ends_trial(log) and now > self._forced + _SECONDS) for log in logs):
            os.fsync(file.fileno())
            self._forced = now
            write_checkpoint(self.path, extent)

    def _append(self, file: BinaryIO, content: bytes) -> None:
        """All of the bytes or none: the next entry would be appended to half a line."""
        size = os.fstat(file.fileno()).st_size
        try:
            while content:
                content = content[file.write(content) :]
        except OSError as error:
            os.truncate(self.path, size)
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def _opened(self) -> BinaryIO:
        """The file, opened at the first entry and closed with this object."""
        if self._file is None:
            self._file = self.path.open("ab", buffering=0)
            weakref.finalize(self, self._file.close)
        return self._file

    def __reduce__(self) -> tuple[type[JournalFile], tuple[Path]]:
        return JournalFile, (self.path,)


def open_storage(path: Path) -> JournalStorage:
    """The Optuna storage in a journal; hold :func:`exclusive` to write to it.

    Raises:
        NotAJournal: The file is not a journal, or damaged.
    """
    from search.study.journal.replay import Journal

    silence_optuna()
    with without_garbage_collection():
        file = JournalFile(path)
        try:
            return Journal(file)
        except Exception as error:  # a wrong value raises whatever it leads to in Optuna
            raise damaged(path, f"line {file.line} cannot be replayed ({type(error).__name__}: {error})") from error


def unchecked_file(storage: BaseStorage) -> Path | None:
    """The journal of a storage if some of its entries have no checksum, so that any value may be wrong."""
    file = getattr(storage, "_backend", None)
    return file.path if isinstance(file, JournalFile) and not file.checked else None
