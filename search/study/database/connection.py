"""Connections to a PostgreSQL database, whose errors are one line, and the locks of studies there."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from search.config.storage import public_url
from search.errors import StorageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

_DIALECT = "postgresql+psycopg://"
_NETWORK: dict[str, Any] = {
    "connect_timeout": 10,
    # A server whose machine or network is gone is noticed within about a minute.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_SAID = re.compile(r"(?:FATAL|ERROR): +(.+)|failed: (?!.*(?:FATAL|ERROR|failed):)(.+)")
_HINTS = {
    "password": "; the password is read from PGPASSWORD, ~/.pgpass, or a URL in an environment variable (env:NAME)",
    'database ".*" does not exist': "; create it with createdb, or name another one",
    "refused": "; see that the server runs and that its host and port are right",
    "known": "; see that its host is right",
    "timeout": "; see that the server runs and that its host and port are right",
    "permission denied": "; the user needs the right to create tables there, and to read and change those of Optuna",
}
"""Ways out, by patterns of what the server says."""
_HOLDER = """
    SELECT coalesce(nullif(application_name, ''), usename, '?') FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid::bigint = :high AND objid::bigint = :low
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


class Database:
    """A PostgreSQL database.

    Args:
        url: Of the database, perhaps with a password.

    Attributes:
        name: The URL without password.
    """

    def __init__(self, url: str) -> None:
        self._url, self.name = url, public_url(url)

    @cached_property
    def engine(self) -> Engine:
        """Makes connections, without a pool.

        Raises:
            StorageError: The driver is not installed.
        """
        from sqlalchemy import create_engine

        try:
            return create_engine(_DIALECT, **self._options)
        except ImportError as error:
            raise StorageError(
                "the study is in a PostgreSQL database, but the package psycopg is not installed; run pip install "
                "'lstmgru-search[postgresql]'"
            ) from error

    @property
    def _options(self) -> dict[str, Any]:
        """Of engines; none has the URL, with its password."""
        from sqlalchemy.pool import NullPool

        return {"creator": self._connect, "poolclass": NullPool}

    def _connect(self) -> Any:
        import psycopg

        return psycopg.connect(self._url, application_name=application_name(), **_NETWORK)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read once.

        Raises:
            StorageError: The database cannot be used.
        """
        with self.problems(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def problems(self) -> Iterator[None]:
        """Turn errors of the database into a :class:`StorageError`."""
        from optuna.exceptions import StorageInternalError
        from sqlalchemy.exc import DBAPIError

        try:
            yield
        except DBAPIError as error:
            raise self.error(error) from error
        except StorageInternalError as error:
            if not isinstance(error.__cause__, DBAPIError):
                raise
            raise self.error(error.__cause__) from error

    def error(self, error: DBAPIError) -> StorageError:
        """The error for the user, in one line."""
        reason = self.reason(error)
        hint = next((hint for words, hint in _HINTS.items() if re.search(words, reason)), "")
        return StorageError(f"the database {self.name} cannot be used: {reason}{hint}")

    def reason(self, error: DBAPIError) -> str:
        """What the server or the network says, in a few words."""
        text = str(error.orig)
        for secret in self._secrets:
            text = text.replace(secret, "***")
        said = [server or network for server, network in _SAID.findall(text)] or text.strip().splitlines()
        return str(said[0] if said else type(error.orig).__name__).strip()

    @property
    def _secrets(self) -> set[str]:
        """The passwords of the URL, as they stand there and without quoting."""
        parts = urlsplit(self._url)
        pairs = (part.partition("=") for part in parts.query.split("&"))
        given = [parts.password, *(value for key, _, value in pairs if key in ("password", "sslpassword"))]
        return {form for each in given if each for form in (each, unquote(each))}

    def create_tables(self) -> None:
        """Create Optuna's tables unless they are there.

        Raises:
            StorageError: They are of another version of Optuna.
        """
        from optuna.storages import RDBStorage

        try:
            RDBStorage(_DIALECT, self._options)
        except RuntimeError as error:
            said = " ".join(str(error).split())
            raise StorageError(f"the tables in {self.name} are of another version of Optuna: {said}") from error


def application_name() -> str:
    """The name of this process for the server, which shows at most 63 bytes."""
    return f"lstmgru-search, process {os.getpid()} on {socket.gethostname()}".encode()[:63].decode(errors="ignore")


def lock_key(name: str) -> int:
    """The number of the advisory lock of a study: 64 bits, signed."""
    digest = hashlib.sha256(f"lstmgru-search/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def lock_holder(connection: Connection, name: str) -> str | None:
    """Who holds the lock of a study, as far as the server says it; ``None``: nobody."""
    from sqlalchemy import text

    high, low = divmod(lock_key(name) % 2**64, 2**32)
    holder: str | None = connection.scalar(text(_HOLDER), {"high": high, "low": low})
    return holder
