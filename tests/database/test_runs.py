"""The whole program with a database: commands, kills, a second driver, and a server that crashes in the middle."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from helpers.mlflow_server import free_port
from helpers.postgresql import QUOTED, PostgreSQL
from helpers.studies import TINY, search, search_here, shop_table, shown, start, write_study
from helpers.waiting import PATIENCE, until

pytestmark = pytest.mark.slow

SLOWER = TINY.replace("max_epochs: 5", "max_epochs: 40").replace("patience: 3", "patience: null")
"""Trials of about a second."""
QUICK = ("--set", "tracking.enabled=false", "--set", "search.pruner=none", "--set", "search.portfolio=off")


def ended(server: PostgreSQL, database: str) -> int:
    """How many trials have ended."""
    if server.query("SELECT to_regclass('trials')", database) == [(None,)]:
        return 0
    return int(server.query("SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')", database)[0][0])


def wait_for_trials(server: PostgreSQL, database: str, count: int, process: subprocess.Popen[str]) -> None:
    def enough() -> bool:
        assert process.poll() is None, process.communicate()[0]
        return ended(server, database) >= count

    until(enough, f"fewer than {count} trials ended")


def trials(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shown(folder)["trials"]
    return found


def check_complete(folder: Path, count: int) -> None:
    found = trials(folder)
    assert [trial["number"] for trial in found] == list(range(count))
    assert Counter(trial["state"] for trial in found) == {"COMPLETE": count}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_driver_leaves_no_lock_and_costs_no_finished_trial(
    tmp_path: Path, server: PostgreSQL, jobs: str
) -> None:
    database = server.database()
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--jobs", jobs, "--storage", server.url(database), *QUICK)
    with start(tmp_path, *command, "--trials", "100000") as process:
        wait_for_trials(server, database, 2, process)
        assert any(trial["state"] == "RUNNING" for trial in trials(tmp_path))
        busy = search_here(tmp_path, *command)
        assert busy.returncode == 2
        assert f"process {process.pid} on" in busy.stderr
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = [trial for trial in trials(tmp_path) if trial["state"] == "COMPLETE"]
    assert "RUNNING" not in {trial["state"] for trial in trials(tmp_path)}
    total = len(trials(tmp_path)) + 1
    result = search(tmp_path, "run", "tiny.yaml", "--jobs", jobs, *QUICK, "--trials", str(total))
    assert result.returncode == 0, result.stderr
    check_complete(tmp_path, total)
    after = trials(tmp_path)
    assert [after[trial["number"]] for trial in before] == before


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_server_that_crashes_twice_in_the_middle_costs_nothing(tmp_path: Path, server: PostgreSQL, jobs: str) -> None:
    database = server.database()
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--jobs", jobs, "--storage", server.url(database), *QUICK, "--trials", "8")
    with start(tmp_path, *command) as process:
        for count in (2, 5):
            wait_for_trials(server, database, count, process)
            server.stop("immediate")
            server.start()
        output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, output
    assert "does not answer" in output
    assert "the database answers again" in output
    check_complete(tmp_path, 8)


def test_ctrl_c_while_the_server_is_gone_ends_the_run_and_it_resumes(tmp_path: Path, server: PostgreSQL) -> None:
    database = server.database()
    write_study(tmp_path, SLOWER)
    command = ("run", "tiny.yaml", "--storage", server.url(database), *QUICK)
    with start(tmp_path, *command, "--trials", "100000") as process:
        wait_for_trials(server, database, 1, process)
        server.stop("immediate")
        lines = []
        while not lines or "does not answer" not in lines[-1]:
            assert process.stdout is not None
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=PATIENCE)[0]
    server.start()
    assert process.returncode == 130, output
    assert "Traceback" not in output
    total = len(trials(tmp_path)) + 1
    assert search(tmp_path, *command, "--trials", str(total)).returncode == 0
    check_complete(tmp_path, total)


def test_every_command_reads_the_study_and_no_file_has_the_password(
    tmp_path: Path, server: PostgreSQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = server.database()
    journal, folder = tmp_path / "journal", tmp_path / "database"
    monkeypatch.setenv("STUDIES", server.url(database, password=QUOTED))
    more = "compare:\n  families:\n    lstm: {cell: lstm}\n    gru: {cell: gru}\n"
    said = []
    for place, options in ((journal, ()), (folder, ("--storage", "env:STUDIES"))):
        place.mkdir()
        write_study(place, TINY + more)
        result = search_here(place, "run", "tiny.yaml", *options)
        assert result.returncode == 0, result.stderr
        said.append(result.stdout + result.stderr)

    def scores(place: Path) -> list[tuple[Any, ...]]:
        return [(trial["params"], trial["value"], trial["state"], trial["layers"]) for trial in trials(place)]

    assert scores(folder) == scores(journal)
    assert (folder / "studies" / "tiny.storage").read_text() == "env:STUDIES\n"
    assert not list(folder.glob("studies/*.journal"))

    (tmp_path / "elsewhere").mkdir()
    shop_table(230).to_csv(folder / "later.csv", index=False)
    port = free_port()
    for place, arguments in (
        (folder, ("show", "tiny")),
        (folder, ("report", "tiny")),
        (folder, ("export", "tiny")),
        (folder, ("backtest", "tiny", "--data", "later.csv")),
        (folder, ("refit", "tiny", "--data", "later.csv")),
        (folder, ("sync", "tiny", "--tracking-uri", f"sqlite:///{folder}/copy.db")),
        (folder, ("compare", "tiny.yaml", "--trials", "2", "--seeds", "1")),
        (folder, ("compare", "tiny.yaml", "--trials", "2", "--seeds", "1")),
        (tmp_path / "elsewhere", ("show", "tiny", "--storage", "env:STUDIES")),
        (tmp_path / "elsewhere", ("report", "tiny", "--storage", "env:STUDIES")),
        (folder, ("run", "tiny", "--fresh", "--storage", f"postgresql://ann@127.0.0.1:{port}/x")),
    ):
        result = search_here(place, *arguments)
        said.append(result.stdout + result.stderr)
        assert result.returncode == (2 if "--fresh" in arguments else 0), result.stderr
    assert shown(folder)["refits"], "the refit was recorded"

    names = [name for (name,) in server.query("SELECT study_name FROM studies ORDER BY 1", database)]
    assert names == ["tiny", "tiny.compare", "tiny.compare: gru", "tiny.compare: lstm"]
    rows = server.query("SELECT string_agg(value_json, ' ') FROM study_user_attributes", database)[0][0]
    words = [QUOTED.encode(), *(json.dumps(text).strip('"').encode() for text in ("pa:ss w/ord@%7",))]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    for word in words:
        assert word not in rows.encode()
        assert not [path for path in files if word in path.read_bytes()]
        assert word.decode() not in "\n".join(said)


def test_starting_over_moves_a_study_from_a_journal_to_a_database_and_back(tmp_path: Path, server: PostgreSQL) -> None:
    database = server.database()
    storage = ("--storage", server.url(database))
    write_study(tmp_path)
    quick = (*QUICK, "--trials", "2")
    assert search_here(tmp_path, "run", "tiny.yaml", *quick).returncode == 0
    refused = search_here(tmp_path, "run", "tiny.yaml", *quick, *storage)
    assert refused.returncode == 2
    assert re.search(r"study 'tiny' is stored in .*tiny\.journal, but search\.storage is postgresql", refused.stderr)
    moved = search_here(tmp_path, "run", "tiny.yaml", *quick, *storage, "--fresh")
    assert moved.returncode == 0, moved.stderr
    assert "starting over: 2 trials in studies/tiny.journal" in moved.stdout.replace(f"{tmp_path}/", "")
    assert ended(server, database) == 2
    back = search_here(tmp_path, "run", "tiny.yaml", *quick, "--storage", "journal", "--fresh")
    assert back.returncode == 0, back.stderr
    assert ended(server, database) == 0
    assert not (tmp_path / "studies" / "tiny.storage").exists()
    assert len(trials(tmp_path)) == 2
