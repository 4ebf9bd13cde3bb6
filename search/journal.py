"""The study's file: one driver at a time writes it, a torn last line is repaired, old trials are taken up again."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import NotAJournal, StudyBusy

if TYPE_CHECKING:
    from optuna.storages import JournalStorage


def journal_path(folder: Path, study: str) -> Path:
    """``studies/weather.journal`` below the working folder."""
    return folder / "studies" / f"{study}.journal"


@contextmanager
def exclusive(path: Path, study: str) -> Iterator[None]:
    """Hold the study for writing; the system releases it when the process ends, however it ends.

    Raises:
        StudyBusy: Another process runs the study.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_suffix(".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StudyBusy(
            f"study '{study}' is being run by another process ({path.with_suffix('.lock')} is locked); "
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
    _check(content, path)
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    keep = content.rfind(b"\n") + 1
    if keep < len(content):
        os.truncate(path, keep)
    return len(content) - keep


def open_storage(path: Path) -> JournalStorage:
    """The Optuna storage in that file.

    Raises:
        NotAJournal: The file is something else, or damaged.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    # Optuna announces every new study on standard error; who watches a search is told by its listener.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if path.exists():
        _check(path.read_bytes(), path)
    return JournalStorage(JournalFileBackend(str(path)))


def _check(content: bytes, path: Path) -> None:
    """Make sure that all finished lines are entries of a journal; the last one may be unfinished.

    Optuna would not notice a last line that is none, append to it, and never read the file again.
    """
    *finished, last = content.split(b"\n")
    wrong = next((number for number, line in enumerate(finished, start=1) if not _is_entry(line)), None)
    if wrong is None and not finished and last and not last.startswith(b"{"):
        wrong = 1
    if wrong is not None:
        raise NotAJournal(
            f"{path} cannot be read as the trials of a study: line {wrong} is no entry of such a file; "
            "move it away, or start over with --fresh"
        )


def _is_entry(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return isinstance(entry, dict) and "op_code" in entry
