"""The study's file: one driver at a time writes it, a torn last line is repaired, old trials are taken up again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from search.errors import StudyBusy

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
    """
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if not path.exists():
        return 0
    content = path.read_bytes()
    keep = content.rfind(b"\n") + 1
    if keep < len(content):
        os.truncate(path, keep)
    return len(content) - keep


def open_storage(path: Path) -> JournalStorage:
    """The Optuna storage in that file."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    # Optuna announces every new study on standard error; who watches a search is told by its listener.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(path)))
