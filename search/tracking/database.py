"""The SQLite database of an MLflow store, created whole or not at all.

MLflow creates its tables one by one, in no transaction. A process that ends in between, a full disk or a second process
that does the same leaves a file that MLflow can neither use nor complete (``table … already exists``). A new database
therefore gets its tables under a temporary name, under a lock, and is then renamed.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

from search.errors import TrackingError
from search.study.paths import free_path

SQLITE = "sqlite:///"
_BESIDE = ("-journal", "-wal", "-shm")
"""Endings of the files that SQLite keeps beside a database."""
_SECONDS_TO_CREATE = 300.0
"""How long to wait for another process that creates the database; it takes seconds."""
_SECONDS_LOCKED = 20.0
"""How long to wait for another process that writes to it."""
_SECONDS_UNCHANGED = 10.0
"""A half-made database that was not modified for so long is one that nobody is creating."""


def sqlite_path(uri: str) -> Path | None:
    """The file of a SQLite database; ``None`` for other URIs."""
    if not uri.startswith(SQLITE):
        return None
    text = uri.removeprefix(SQLITE)
    if "%" in text or "?" in text:
        from sqlalchemy.engine import make_url

        text = make_url(uri).database or ""
    return Path(text)


def sqlite_uri(path: Path) -> str:
    """The URI of a SQLite database."""
    text = path.as_posix()
    if "%" in text or "?" in text:
        from sqlalchemy.engine import URL

        return URL.create("sqlite", database=text).render_as_string()
    return SQLITE + text


def artifacts_beside(path: Path) -> str:
    """Artifact location of the experiments of a SQLite database."""
    return (path.absolute().parent / "artifacts").as_uri()


def create_database(uri: str) -> None:
    """Create MLflow's database unless it exists; of several processes that do so, one creates it.

    Args:
        uri: Of the store. Nothing is done if it is not a SQLite database. A half-made one is set aside, see
            :func:`set_aside_half_made`.

    Raises:
        TrackingError: Another process has been creating it for minutes.
    """
    path = sqlite_path(uri)
    if path is None or _state(path) == "there":
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    set_aside_half_made(uri)
    with _lock(path):
        if _state(path) == "missing":
            _create(path)


def set_aside_half_made(uri: str, *, wait: bool = True) -> str | None:
    """Rename a database whose creation was interrupted, so that a new one can be created.

    Args:
        uri: Of the store.
        wait: Whether to wait, for minutes, for another process that may be creating it.

    Returns:
        What was done, or will be, in a sentence for the user; ``None``: it is not a SQLite database, or not half-made.

    Raises:
        TrackingError: Another process has been creating it for minutes.
    """
    path = sqlite_path(uri)
    if path is None or _state(path, wait=wait) != "half-made":
        return None
    with _lock(path, wait=wait) as mine:
        # MLflow itself may be creating it at this moment, for example 'mlflow server'.
        # A clock that was set back is no reason to wait.
        while (half_made := _state(path, wait=wait) == "half-made") and (
            not mine or 0 <= time.time() - path.stat().st_mtime < _SECONDS_UNCHANGED
        ):
            if not wait:
                return f"{path} is not complete: MLflow is creating it, or was interrupted; then it is renamed"
            time.sleep(0.5)
        if not half_made:
            return None
        kept = free_path(path, ".half-made")
        # First what SQLite keeps beside it, which it would take for that of the new database.
        for ending in (*_BESIDE, ""):
            with suppress(FileNotFoundError):
                path.with_name(path.name + ending).rename(kept.with_name(kept.name + ending))
    return (
        f"{path} was left half-made, without any run, when MLflow was interrupted while creating it; it is renamed to "
        f"{kept.name}"
    )


def _state(path: Path, *, wait: bool = True) -> Literal["missing", "half-made", "there"]:
    """What a file is: no tables yet; tables of MLflow without an experiment, which MLflow creates last; or all else."""
    if not path.exists():
        return "missing"
    timeout = _SECONDS_LOCKED if wait else 0
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=timeout)) as database:
            if database.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                return "missing"
            experiments = "SELECT experiment_id, artifact_location, lifecycle_stage FROM experiments LIMIT 1"
            return "there" if database.execute(experiments).fetchone() else "half-made"
    except sqlite3.Error:  # not a database, or not one of MLflow's: MLflow says what is wrong
        return "there"


@contextmanager
def _lock(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Keep other processes from creating the database; the system releases the lock when the process ends.

    Yields:
        Whether the lock was free; always with ``wait``.
    """
    from filelock import FileLock, Timeout

    lock_file = path.with_name(f"{path.name}.lock")
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=_SECONDS_TO_CREATE if wait else 0)
    except Timeout:
        if not wait:
            yield False
            return
        raise TrackingError(
            f"another process has been creating {path} for {_SECONDS_TO_CREATE:g} s ({lock_file} is locked); end it"
        ) from None
    try:
        yield True
        if _state(path) == "there":
            with suppress(OSError):  # on Windows, while it is open
                lock_file.unlink()  # nobody needs it any more: who still waits for it finds the database
    finally:
        lock.release()


def _create(path: Path) -> None:
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    new = path.with_name(f"{path.name}.new")
    parts = [new, *(new.with_name(new.name + ending) for ending in _BESIDE)]
    try:
        for part in parts:
            part.unlink(missing_ok=True)  # of a process that was killed
        store = SqlAlchemyStore(sqlite_uri(new), artifacts_beside(path))  # type: ignore[no-untyped-call]
        store.engine.dispose()
        new.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)
