"""The connection of the only writer of a study: its lock, its transactions, and waiting through an outage."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self, TypeVar

from search.errors import SearchError, StorageError, StudyBusy
from search.executors.interruption import stop_requested
from search.study.database.connection import Database, application_name, lock_holder, lock_key
from search.study.database.rows import read_stamp, write_stamp

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError

Result = TypeVar("Result")

PATIENCE = 600.0
"""Seconds that a driver waits for its database."""
_LONGEST_PAUSE = 5.0
_LOOK_SECONDS = 0.2
_KEEPALIVES = {"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3"}
"""Settings of the server, which then releases the lock of a driver whose machine is gone in a minute, not in hours."""


class _LockIsLeft(Exception):
    """The server has not yet noticed that the former connection of this process is lost."""


class Writer:
    """Holds the lock of a study and writes its changes, on one connection. A context manager.

    The lock belongs to the connection, so it ends with this process, and with the server. After an outage, the writer
    connects and takes the lock again. Each transaction leaves a stamp: if the connection is lost during a commit, the
    stamp says whether it took place, and if another process has written since, nothing is overwritten.

    Args:
        database: Where the study is.
        name: Of the study there.
        on_message: Receives messages on outages.
    """

    def __init__(self, database: Database, name: str, on_message: Callable[[str], None]) -> None:
        self._database, self._name, self._on_message = database, name, on_message
        self._connection: Connection | None = None
        self._id, self._transactions = uuid.uuid4().hex, 0
        self._stamp: str | None = None
        self._ended: SearchError | None = None
        self._entered = False

    def __enter__(self) -> Self:
        """Connect, take the lock, and create the tables if there are none.

        Raises:
            StudyBusy: Another process holds the lock.
            StorageError: The database cannot be used.
        """
        try:
            with self._database.problems():
                self._connect()
                self._entered = True
                self._create_tables()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Close the connection, which releases the lock."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # of a connection that is broken
                connection.close()

    def run(self, action: Callable[[Connection], Result]) -> Result:
        """Read or change something in a transaction of its own; an outage is an error.

        Raises:
            StorageError: The database cannot be used.
        """
        with self._database.problems(), self._open.begin():
            result = action(self._open)
            self._stamp = read_stamp(self._open, self._name)
            return result

    def write(self, change: Callable[[Connection], Result]) -> Result:
        """Make a change in a transaction, exactly once, however often the connection is lost.

        Args:
            change: Called again if its transaction was lost.

        Raises:
            StorageError: The database did not answer for :data:`PATIENCE` seconds, or another process has written.
            KeyboardInterrupt: A signal asked the program to stop while it waited.
        """
        from sqlalchemy.exc import DBAPIError

        if self._ended is not None:
            raise self._ended
        stamp = json.dumps(f"{self._id} {self._transactions + 1}")
        results: list[Result] = []
        began: float | None = None
        while True:
            try:
                if self._connection is None:
                    self._connect()
                    if self._is_committed(stamp):
                        break
                with self._open.begin():
                    results = [change(self._open)]
                    if not write_stamp(self._open, self._name, self._stamp, stamp):
                        raise self._end(self._overtaken())
                break
            except (DBAPIError, _LockIsLeft) as error:
                reason = self._outage(error)
                self.__exit__()
                began = self._wait(began, reason)
        if began is not None:
            self._on_message(f"the database answers again after {time.monotonic() - began:.0f} s")
        self._stamp, self._transactions = stamp, self._transactions + 1
        return results[0]

    @property
    def _open(self) -> Connection:
        assert self._connection is not None  # a context manager
        return self._connection

    def _connect(self) -> None:
        """Connect and take the lock.

        Raises:
            StudyBusy: Another process holds it.
        """
        from sqlalchemy import func, select

        self._connection = self._database.engine.connect()
        with self._open.begin():
            self._open.execute(select(*(func.set_config(*setting, False) for setting in _KEEPALIVES.items())))
            if self._open.scalar(select(func.pg_try_advisory_lock(lock_key(self._name)))):
                return
            holder = lock_holder(self._open, self._name)
        if self._entered and holder == application_name():
            raise _LockIsLeft
        raise self._end(
            StudyBusy(
                f"study '{self._name}' is being run by another process ({holder} holds its lock in "
                f"{self._database.name}); wait for it, or stop it"
            )
        )

    def _create_tables(self) -> None:
        from sqlalchemy import func, select

        with self._open.begin():
            # Two drivers that create the tables at the same time would fail.
            self._open.execute(select(func.pg_advisory_xact_lock(lock_key(""))))
            self._database.create_tables()

    def _is_committed(self, stamp: str) -> bool:
        """After an outage, whether the transaction with this stamp took place.

        Raises:
            StorageError: Another process has written.
        """
        with self._open.begin():
            found = read_stamp(self._open, self._name)
        if found not in (stamp, self._stamp):
            raise self._end(self._overtaken())
        return found == stamp

    def _outage(self, error: DBAPIError | _LockIsLeft) -> str:
        """What is wrong with the database.

        Raises:
            StorageError: Waiting does not help.
        """
        import psycopg

        if isinstance(error, _LockIsLeft):
            return "it still holds the lock of the lost connection"
        passing = (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction)
        if error.connection_invalidated or isinstance(error.orig, passing):
            return self._database.reason(error)
        raise self._end(self._database.error(error)) from error

    def _wait(self, began: float | None, reason: str) -> float:
        """Wait before the next attempt; returns when the outage began.

        Raises:
            StorageError: It has lasted too long.
            KeyboardInterrupt: A signal asked the program to stop.
        """
        now = time.monotonic()
        if began is None:
            began = now
            self._on_message(
                f"the database {self._database.name} does not answer ({reason}); the study waits for it, at most "
                f"{PATIENCE / 60:g} minutes"
            )
        if now - began > PATIENCE:
            raise self._end(
                StorageError(
                    f"the database {self._database.name} did not answer for {PATIENCE / 60:g} minutes ({reason}); what "
                    "had ended before is kept, and the same command resumes the study"
                )
            )
        until = now + min(_LONGEST_PAUSE, max(_LOOK_SECONDS, (now - began) / 2))
        while time.monotonic() < until:
            if stop_requested():
                self._end(StorageError(f"the program was stopped while {self._database.name} did not answer"))
                raise KeyboardInterrupt
            time.sleep(_LOOK_SECONDS)
        return began

    def _end(self, error: SearchError) -> SearchError:
        """The error with which every further transaction fails as well."""
        self._ended = error
        return error

    def _overtaken(self) -> StorageError:
        return StorageError(
            f"study '{self._name}' in {self._database.name} was changed by another process while this one was running; "
            "run it again to continue with what is there"
        )
