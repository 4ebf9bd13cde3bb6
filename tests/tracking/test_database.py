"""MLflow's database is there whole or not at all, whatever ends the process that creates it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock
from helpers.mlflow_store import client, make_store
from helpers.studies import program_environment, search_here

from search.tracking import database
from search.tracking.background import BackgroundTracker
from search.tracking.database import create_database, set_aside_half_made, sqlite_uri
from search.tracking.factory import make_tracker

EXPERIMENTS = "CREATE TABLE experiments (experiment_id INTEGER, artifact_location TEXT, lifecycle_stage TEXT)"


def half_made(path: Path) -> bytes:
    """A database as an interrupted MLflow leaves it."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(EXPERIMENTS)
    os.utime(path, (0, 0))  # nobody is at work on it
    return path.read_bytes()


FILES = {
    "nothing": [],
    "no tables": ["CREATE TABLE a (b)", "DROP TABLE a"],
    "another program's": ["CREATE TABLE users (name)"],
    "another program's experiments": ["CREATE TABLE experiments (name)"],
    "whole": [EXPERIMENTS, "INSERT INTO experiments VALUES (0, '', 'active')"],
    "its experiment deleted": [EXPERIMENTS, "INSERT INTO experiments VALUES (0, '', 'deleted')"],
}


@pytest.mark.parametrize("name", FILES)
def test_only_tables_of_mlflow_without_any_experiment_are_set_aside(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(path)) as connection:
        for statement in FILES[name]:
            connection.execute(statement)
        connection.commit()
    os.utime(path, (0, 0))
    assert set_aside_half_made(sqlite_uri(path)) is None
    assert [file.name for file in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_half_made_database_is_kept_under_another_name(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    for name in ("mlflow.db.half-made", "mlflow.db.half-made-2"):
        content = half_made(path)
        journal = path.with_name("mlflow.db-journal")
        journal.write_bytes(bytes(512))  # of a process that was killed in a transaction
        note = set_aside_half_made(sqlite_uri(path))
        assert not journal.exists()
        assert (tmp_path / f"{name}-journal").exists()
        assert note is not None
        assert note.startswith(f"{path} was left half-made")
        assert note.endswith(f"it is renamed to {name}")
        assert (tmp_path / name).read_bytes() == content
        assert not path.exists()


def test_the_search_does_not_wait_for_a_process_that_may_be_creating_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_SECONDS_TO_CREATE", 1.0)  # who waits gives up with an error
    path = tmp_path / "mlruns" / "mlflow.db"
    content = half_made(path)
    notes: list[str] = []
    tracking = SimpleNamespace(enabled=True, uri=None, experiment=None, registered_model=None, system_metrics=False)
    config: Any = SimpleNamespace(tracking=tracking)

    with FileLock(path.with_name("mlflow.db.lock")):
        assert isinstance(make_tracker(config, tmp_path, on_problem=notes.append), BackgroundTracker)
    os.utime(path)  # as if MLflow had just written to it
    make_tracker(config, tmp_path, on_problem=notes.append)

    assert notes == [f"{path} is not complete: MLflow is creating it, or was interrupted; then it is renamed"] * 2
    assert path.read_bytes() == content
    os.utime(path, (0, 0))
    make_tracker(config, tmp_path, on_problem=notes.append)
    assert notes[2].endswith("it is renamed to mlflow.db.half-made")
    assert not path.exists()


def test_a_text_at_the_place_of_the_database_stays_for_mlflow_to_refuse(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    path.write_text("notes")
    assert set_aside_half_made(sqlite_uri(path)) is None
    create_database(sqlite_uri(path))
    assert path.read_text() == "notes"


def test_the_ui_of_a_half_made_database_says_what_it_was_and_what_to_do(tmp_path: Path) -> None:
    half_made(tmp_path / "mlruns" / "mlflow.db")
    done = search_here(tmp_path, "ui")
    assert done.returncode == 2
    assert "was left half-made" in done.stderr
    assert "run a study in this folder first" in done.stderr


def test_a_database_with_experiments_is_not_touched(tmp_path: Path) -> None:
    path = make_store(tmp_path) / "mlruns" / "mlflow.db"
    os.utime(path, (0, 0))
    create_database(sqlite_uri(path))
    assert path.stat().st_mtime == 0


CREATE = """
import sys
from search.tracking.store import connect, talking_to
with talking_to(sys.argv[1]):
    print([each.name for each in connect(sys.argv[1]).search_experiments()])
"""
MLFLOW_ALONE = "import sys, mlflow; mlflow.MlflowClient(sys.argv[1]).search_experiments()"


def begin(path: Path, program: str = CREATE) -> subprocess.Popen[str]:
    """Create the database in another process."""
    command = [sys.executable, "-c", program, sqlite_uri(path)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=program_environment())


def kill_in_the_middle(file: Path, path: Path, program: str = CREATE) -> None:
    """Kill a process that creates the database once it has written some of the tables.

    Args:
        file: What it writes.
        path: What it is asked to create.
        program: What it runs.
    """
    for _ in range(20):
        with begin(path, program) as process:
            while process.poll() is None and not (file.exists() and file.stat().st_size >= 100_000):
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
        if file.exists() and (file != path or database._state(path) == "half-made"):
            return
        for part in path.parent.iterdir():  # this test was too slow to meet it
            part.unlink()
    raise AssertionError("no process was met while it created the database")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.slow
def test_a_kill_in_the_middle_leaves_nothing_that_the_next_process_trips_over(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    kill_in_the_middle(tmp_path / "mlflow.db.new", path)
    assert not path.exists()
    out, error = begin(path).communicate(timeout=120)
    assert (out, error) == ("['Default']\n", "")
    assert names(tmp_path) == ["mlflow.db"]


@pytest.mark.slow
def test_processes_that_start_at_once_share_one_database(tmp_path: Path) -> None:
    processes = [begin(tmp_path / "mlflow.db") for _ in range(3)]
    assert [process.communicate(timeout=120) for process in processes] == [("['Default']\n", "")] * 3
    assert names(tmp_path) == ["mlflow.db"]


@pytest.mark.slow
def test_what_a_kill_of_mlflow_left_is_set_aside_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "mlruns" / "mlflow.db"
    path.parent.mkdir()
    kill_in_the_middle(path, path, MLFLOW_ALONE)
    started = time.monotonic()
    assert [each.name for each in client(tmp_path).search_experiments()] == ["Default"]
    assert time.monotonic() - started > 5  # MLflow may have been at work
    assert {*names(path.parent)} - {"mlflow.db.half-made-journal"} == {"mlflow.db", "mlflow.db.half-made"}


FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n" + CREATE


@pytest.mark.slow
def test_a_full_disk_leaves_no_database(tmp_path: Path) -> None:
    process = begin(tmp_path / "mlflow.db", FULL_DISK)
    assert "TrackingError: MLflow at sqlite:///" in process.communicate(timeout=120)[1]
    assert names(tmp_path) == ["mlflow.db.lock"]
    assert begin(tmp_path / "mlflow.db").communicate(timeout=120) == ("['Default']\n", "")
    assert names(tmp_path) == ["mlflow.db"]
