"""A real PostgreSQL server of the system's package, which can be stopped, killed and started again."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import pytest

from helpers.mlflow_server import free_port

PASSWORD = "pa:ss w/ord@%7"
"""Of the user ``ann``: what a URL must quote."""
QUOTED = "pa%3Ass%20w%2Ford%40%257"


@cache
def programs() -> Path | None:
    """The folder of the server: that of the path, or the newest of Debian's."""
    if (found := shutil.which("initdb")) is not None:
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), default=None)


def skip_without_postgresql() -> None:
    """Skip a test where the server or its driver is missing, unless ``REQUIRE_POSTGRESQL`` is set."""
    missing = "PostgreSQL" if programs() is None else "the package psycopg" if find_spec("psycopg") is None else None
    if missing and "REQUIRE_POSTGRESQL" not in os.environ:
        pytest.skip(f"{missing} is not installed")


class PostgreSQL:
    """A server on a free port of the loopback interface, with the users ``postgres`` and ``ann``. A context manager.

    Attributes:
        port: Where it listens.
        folder: Of its data, its log and its socket; local connections need no password.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._databases = 0
        self._shared: str | None = None

    def __enter__(self) -> Self:
        user = self._user().get("user")
        if user is not None:
            shutil.chown(self.folder, user, user)
        self._call("initdb", "--auth-local=trust", "--auth-host=scram-sha-256", "--username=postgres", "--no-sync",
                   "--encoding=UTF8", "--locale=C")  # fmt: skip
        self.start()
        self.query(f"CREATE USER ann PASSWORD '{PASSWORD}'")
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._call("pg_ctl", "start", "--wait", f"--log={self.folder / 'log'}", f"--options={options}")

    def stop(self, mode: str = "fast") -> None:
        """End it and its connections.

        Args:
            mode: ``immediate`` ends it like a crash.
        """
        self._call("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def database(self) -> str:
        """The name of a new database of ``ann``."""
        self._databases += 1
        name = f"studies{self._databases}"
        self.query(f"CREATE DATABASE {name} OWNER ann")
        return name

    def emptied(self) -> str:
        """The URL of a database with no studies; the same one each time, as creating and removing one takes seconds."""
        if self._shared is None:
            self._shared = self.database()
        tables = self.query("SELECT tablename FROM pg_tables WHERE tableowner = 'ann'", self._shared)
        names = [name for (name,) in tables if name not in ("alembic_version", "version_info")]
        if names:
            self.query(f"TRUNCATE {', '.join(names)}", self._shared)
        return self.url(self._shared)

    def url(self, database: str, user: str = "ann", password: str | None = None) -> str:
        """Through the network with a password, else through the socket."""
        if password is None:
            return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def query(self, statement: str, database: str = "postgres") -> list[Any]:
        """The rows that a statement of the superuser returns."""
        import psycopg

        with psycopg.connect(self.url(database, "postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def _call(self, program: str, *arguments: str) -> None:
        directory = programs()
        assert directory is not None, "PostgreSQL is not installed"
        command = [str(directory / program), f"--pgdata={self.folder / 'data'}", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **self._user()
        )
        assert done.returncode == 0, done.stdout.decode()

    @staticmethod
    def _user() -> dict[str, Any]:
        """The server refuses to run as root."""
        return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
