"""The journal of a study: the lock of its only writer, repair after a kill, and Optuna's storage on top of it."""

from __future__ import annotations

import json
import os
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from search.errors import NotAJournal, StudyBusy

if TYPE_CHECKING:
    from optuna.storages import JournalStorage


_SECONDS = 1.0
"""Minimum interval between two flushes to disk at the end of a trial."""


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
        lock.acquire(timeout=0)
    except Timeout:
        raise StudyBusy(
            f"study '{study}' is being run by another process ({lock_file} is locked); "
            "wait for it, stop it, or give this run another name with --set name=..."
        ) from None
    try:
        yield
    finally:
        lock.release()


def repair(path: Path) -> int:
    """Remove an unfinished last line that a killed process left; return the number of bytes removed.

    Call it under :func:`exclusive`. Optuna would append to such a line and could not read the file afterwards. The lock
    of a process that was killed while appending is removed, too.

    Raises:
        NotAJournal: The file is not a journal; it is not changed.
    """
    if not path.exists():
        return 0
    content = path.read_bytes()
    _entries(content, path)
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    keep = content.rfind(b"\n") + 1
    if keep < len(content):
        os.truncate(path, keep)
    return len(content) - keep


class JournalFile:
    """Backend of Optuna's journal storage for a file with a single writer; see :func:`exclusive`.

    Optuna's own backend supports several writers, so it locks, flushes and rereads the file with every entry. Here an
    entry is in the file when :meth:`append_logs` returns: other processes see it, and it survives a kill. Entries about
    the study are flushed to disk together with all entries before them. So are ends of trials, at most once per second:
    a power failure costs the running trials, which run again anyway, and possibly the last finished one.

    A process that only reads has the entries that existed when it opened the file.

    Args:
        path: The file; created if it does not exist.

    Raises:
        NotAJournal: The file is not a journal, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        self._first = 0
        self._forced = float("-inf")
        self._file: BinaryIO | None = None
        self._entries = _entries(path.read_bytes(), path)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """Entries starting at a number; earlier ones cannot be read again."""
        del self._entries[: log_number_from - self._first]
        self._first = log_number_from
        return iter(tuple(self._entries))

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write entries."""
        lines = [json.dumps(log, separators=(",", ":")) for log in logs]
        file = self._opened()
        file.write("".join(f"{line}\n" for line in lines).encode())
        file.flush()
        now = time.monotonic()
        if any(_is_of_study(log) or (_ends_trial(log) and now > self._forced + _SECONDS) for log in logs):
            os.fsync(file.fileno())
            self._forced = now
        self._entries += map(json.loads, lines)

    def _opened(self) -> BinaryIO:
        """The file, opened at the first entry and closed with this object."""
        if self._file is None:
            self._file = self._path.open("ab")
            weakref.finalize(self, self._file.close)
        return self._file

    def __reduce__(self) -> tuple[type[JournalFile], tuple[Path]]:
        return JournalFile, (self._path,)


def _is_of_study(entry: Mapping[str, Any]) -> bool:
    return "study_id" in entry and "datetime_start" not in entry  # otherwise it creates a trial


def _ends_trial(entry: Mapping[str, Any]) -> bool:
    return "datetime_complete" in entry


def open_storage(path: Path) -> JournalStorage:
    """The Optuna storage in a journal; hold :func:`exclusive` to write to it.

    Raises:
        NotAJournal: The file is not a journal, or damaged.
    """
    import optuna
    from optuna.storages import JournalStorage

    # Optuna announces every new study on standard error; the listener of a search reports instead.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFile(path))  # type: ignore[arg-type]  # implements the methods of Optuna's backend


def _entries(content: bytes, path: Path) -> list[dict[str, Any]]:
    """The complete lines of a journal; the last one may be unfinished.

    Optuna would append to a last line that is not an entry, and could not read the file afterwards.

    Raises:
        NotAJournal: A line is not an entry.
    """
    *finished, last = content.split(b"\n")
    entries = [_entry(line) for line in finished]
    wrong = next((number for number, entry in enumerate(entries, start=1) if entry is None), None)
    if wrong is None and not finished and last and not last.startswith(b"{"):
        wrong = 1
    if wrong is not None:
        raise NotAJournal(
            f"{path} is not a valid journal of a study: line {wrong} is not an entry; move the file away, or start "
            "over with --fresh"
        )
    return [entry for entry in entries if entry is not None]


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "op_code" in entry else None
