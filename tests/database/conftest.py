"""One server for all tests of this folder in a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from helpers.postgresql import PostgreSQL, skip_without_postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[PostgreSQL]:
    """A running server."""
    skip_without_postgresql()
    with PostgreSQL() as started:
        yield started


@pytest.fixture
def url(server: PostgreSQL) -> str:
    """A database without studies."""
    return server.emptied()
