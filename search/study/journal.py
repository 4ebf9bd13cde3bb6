"""The study's file: one driver at a time writes it, a torn last line is repaired, old trials are taken up again."""

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
"""Between two ends of trials that are forced to the disk."""


@contextmanager
def exclusive(lock_file: Path, study: str) -> Iterator[None]:
    """Hold the lock of a study's journal; the system releases it when the process ends, however it ends.

    Args:
        lock_file: ``studies/weather.lock``.
        study: What the error calls it.

    Raises:
        StudyBusy: Another process runs the study.
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
    """Cut off a last line that a killed process left unfinished; return the number of bytes cut.

    Call it under :func:`exclusive`. Optuna would append to such a line, and could not read the file from then on.
    The lock of a process that was killed while appending goes too.

    Raises:
        NotAJournal: The file is something else; it is left as it is.
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
    """The file behind Optuna's journal storage, for the only process that writes it; see :func:`exclusive`.

    Optuna's own backend locks the file, forces it to the disk and reads it again with every entry, for there may be
    other writers. Here an entry is in the file, where every process sees it and no kill can take it back, when
    :meth:`append_logs` returns. What is said of the study is forced to the disk, with all before it, and so is the end
    of a trial, though no more than once a second: a machine that loses power costs the trials that run, which are run
    again anyway, and perhaps the last one.

    A process that only reads has the entries that were there when it opened the file.

    Args:
        path: The file, made if there is none.

    Raises:
        NotAJournal: The file is something else, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        self._first = 0
        self._forced = float("-inf")
        self._file: BinaryIO | None = None
        self._entries = _entries(path.read_bytes(), path)

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """The entries from a number on; those before it are not asked for again."""
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
        """The file, opened with the first entry and closed with this object."""
        if self._file is None:
            self._file = self._path.open("ab")
            weakref.finalize(self, self._file.close)
        return self._file

    def __reduce__(self) -> tuple[type[JournalFile], tuple[Path]]:
        return JournalFile, (self._path,)


def _is_of_study(entry: Mapping[str, Any]) -> bool:
    return "study_id" in entry and "datetime_start" not in entry  # else it creates a trial


def _ends_trial(entry: Mapping[str, Any]) -> bool:
    return "datetime_complete" in entry


def open_storage(path: Path) -> JournalStorage:
    """The Optuna storage in that file; to write to it, hold :func:`exclusive`.

    Raises:
        NotAJournal: The file is something else, or damaged.
    """
    import optuna
    from optuna.storages import JournalStorage

    # Optuna announces every new study on standard error; who watches a search is told by its listener.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFile(path))  # type: ignore[arg-type]  # has the methods of Optuna's backend


def _entries(content: bytes, path: Path) -> list[dict[str, Any]]:
    """The finished lines of a journal; the last one may be unfinished.

    Optuna would not notice a last line that is no entry, append to it, and never read the file again.

    Raises:
        NotAJournal: A line is no entry.
    """
    *finished, last = content.split(b"\n")
    entries = [_entry(line) for line in finished]
    wrong = next((number for number, entry in enumerate(entries, start=1) if entry is None), None)
    if wrong is None and not finished and last and not last.startswith(b"{"):
        wrong = 1
    if wrong is not None:
        raise NotAJournal(
            f"{path} cannot be read as the trials of a study: line {wrong} is no entry of such a file; "
            "move it away, or start over with --fresh"
        )
    return [entry for entry in entries if entry is not None]


def _entry(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) and "op_code" in entry else None
