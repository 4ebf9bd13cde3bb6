"""The only writer: its lock, and what it does when the server is gone, in the middle of a commit, or busy elsewhere."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pytest
from helpers.drivers import Notes
from helpers.postgresql import QUOTED, PostgreSQL
from helpers.waiting import until

from search.errors import StorageError, StudyBusy
from search.executors.interruption import interruptible
from search.study.database import writer as module
from search.study.database.connection import Database
from search.study.database.writer import Writer

HOLD = """
import sys, time
from search.study.database.connection import Database
from search.study.database.writer import Writer
with Writer(Database(sys.argv[1]), "demo", print):
    print("held", flush=True)
    time.sleep(600)
"""


def begin(connection: Any) -> None:
    """The study itself, which has the stamp."""
    from sqlalchemy import text

    connection.execute(text("INSERT INTO studies (study_name) VALUES ('demo')"))


def add(connection: Any) -> None:
    """A row that nothing keeps from being doubled."""
    from sqlalchemy import text

    connection.execute(text("INSERT INTO trials (number, state) VALUES (1, 'RUNNING')"))


def rows(url: str) -> int:
    import psycopg

    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT count(*) FROM trials").fetchone()
    assert found is not None
    return int(found[0])


@contextmanager
def begun(url: str, notes: Notes | None = None) -> Iterator[Writer]:
    """A writer of a new study."""
    with Writer(Database(url), "demo", (notes or Notes()).on_message) as writer:
        writer.write(begin)
        yield writer


@pytest.mark.slow
def test_the_lock_has_one_holder_whose_death_releases_it(url: str) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(StudyBusy, match=rf"study 'demo' is being run .* process {process.pid} on .* holds its lock"),
            Writer(Database(url), "demo", print),
        ):
            pass
        with Writer(Database(url), "other", print):
            """Another study is not concerned."""
        process.kill()
    with Writer(Database(url), "demo", print):
        """Nobody has to clean up."""


def test_a_server_that_crashes_is_waited_for(url: str, server: PostgreSQL) -> None:
    notes = Notes()
    with begun(url, notes) as writer:
        server.stop("immediate")
        later = threading.Timer(1.0, server.start)
        later.start()
        writer.write(add)
        later.join()
        writer.write(add)

        assert rows(url) == 2
        assert [note.partition(" (")[0].partition(" after")[0] for note in notes.notes] == [
            f"the database {writer._database.name} does not answer",
            "the database answers again",
        ]
        with pytest.raises(StudyBusy), Writer(Database(url), "demo", print):
            """The lock was taken again."""


class Proxy:
    """Forwards connections to a port; once armed, it loses the answer to a message, together with the connection.

    Args:
        port: Of the server.
        cut: Bytes of the message.
    """

    def __init__(self, port: int, cut: bytes) -> None:
        self.armed = False
        self._port, self._cut = port, cut
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        server, lost = socket.create_connection(("127.0.0.1", self._port)), False
        with client, server, suppress(OSError):
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data or (lost and ready is server):
                        return
                    if ready is client and self.armed and self._cut in data:
                        self.armed, lost = False, True
                    (server if ready is client else client).sendall(data)


@pytest.mark.parametrize("cut", [b"INSERT INTO trials", b"COMMIT"])
def test_a_connection_that_is_lost_in_a_transaction_or_its_commit_doubles_nothing(
    server: PostgreSQL, cut: bytes
) -> None:
    database, notes = server.database(), Notes()
    with begun(server.url(database)):
        """Creates the tables and the study."""
    with closing(Proxy(server.port, cut)) as proxy:
        url = server.url(database, password=QUOTED).replace(f":{server.port}/", f":{proxy.port}/")
        with Writer(Database(url), "demo", notes.on_message) as writer:
            writer.run(lambda connection: None)
            proxy.armed = True
            writer.write(add)
            assert not proxy.armed
            writer.write(add)

    assert rows(server.url(database)) == 2
    assert len(notes.notes) == 2


def test_a_study_that_another_driver_has_continued_is_left_to_it(url: str, server: PostgreSQL) -> None:
    with begun(url) as first:
        first.write(add)
        server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'lstmgru%'")
        with Writer(Database(url), "demo", print) as second:
            second.run(lambda connection: None)
            second.write(add)
        with pytest.raises(StorageError, match=r"study 'demo' in .* was changed by another process"):
            first.write(add)
        with pytest.raises(StorageError, match="was changed by another process"):
            first.write(add)
    assert rows(url) == 2


def test_a_study_that_another_driver_runs_is_left_to_it(url: str, server: PostgreSQL) -> None:
    with begun(url) as first:
        server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'lstmgru%'")
        with subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with pytest.raises(StudyBusy, match=f"process {process.pid}"):
                first.write(add)
            process.kill()
    assert rows(url) == 0


def test_the_wait_has_an_end(url: str, server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.6)
    with begun(url) as writer:
        server.stop("immediate")
        try:
            with pytest.raises(StorageError, match=r"did not answer for 0\.01 minutes .*what had ended before is kept"):
                writer.write(add)
            start = time.monotonic()
            with pytest.raises(StorageError, match="did not answer"):
                writer.write(add)
            assert time.monotonic() - start < 0.1
        finally:
            server.start()


def test_a_signal_ends_the_wait(url: str, server: PostgreSQL) -> None:
    class Source:
        interrupted = False

    with begun(url) as writer:
        server.stop("immediate")
        try:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            with pytest.raises(KeyboardInterrupt), interruptible(source := Source()):
                writer.write(add)
            assert source.interrupted
            with pytest.raises(StorageError, match="the program was stopped while"):
                writer.write(add)
        finally:
            server.start()


def test_a_full_server_is_waited_for(server: PostgreSQL) -> None:
    """It has no room for a connection for some time."""
    name, notes = server.database(), Notes()
    url = server.url(name)
    with begun(url, notes) as writer:
        server.query(f"ALTER DATABASE {name} CONNECTION LIMIT 0")
        server.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'lstmgru%'")
        later = threading.Timer(0.7, server.query, (f"ALTER DATABASE {name} CONNECTION LIMIT -1",))
        later.start()
        writer.write(add)
        later.join()
    assert rows(url) == 1
    until(lambda: len(notes.notes) == 2)


def test_a_change_that_the_server_refuses_is_an_error_at_once(url: str) -> None:
    from sqlalchemy import text

    message = r"cannot be used: column \"nothing\" .*does not exist"
    with begun(url) as writer, pytest.raises(StorageError, match=message):
        writer.write(lambda connection: connection.execute(text("SELECT nothing FROM trials")))
