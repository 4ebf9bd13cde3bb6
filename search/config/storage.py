"""Values of ``search.storage``: a journal, or a PostgreSQL database by its URL, which never has a password."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from search.errors import StorageError, masked, shown

JOURNAL = "journal"
"""A file in the folder of the study."""
_VARIABLE = re.compile(r"env:([A-Za-z_]\w*)", re.ASCII)
_URL = re.compile(r"\S*://\S*")
_SCHEMES = ("postgresql", "postgres")
_FORMS = "journal, postgresql://user@host/database, or env:NAME for a URL in an environment variable"
_SHOWN = ("host", "port", "service")
"""Parameters of a URL that say where a database is."""


def checked_storage(value: Any) -> Any:
    """The value as it is.

    Raises:
        ValueError: It has another form, or a password; the message is the predicate of a key.
    """
    if value == JOURNAL or (isinstance(value, str) and _VARIABLE.fullmatch(value)):
        return value
    if isinstance(value, str) and "://" in value and not _URL.fullmatch(value):
        raise ValueError(f"must be {_FORMS}, without blanks; %20 stands for one")  # not shown: it may have a password
    if not isinstance(value, str) or not _is_postgresql(value):
        hint = "; a journal serves as well on one machine" if str(value).startswith("sqlite") else ""
        raise ValueError(f"must be {_FORMS} but got {shown(value)}{hint}")
    if masked(value) != value:
        raise ValueError(
            f"must not contain a password, which would be stored with the study, but got {shown(value)}; put the "
            "password into PGPASSWORD or ~/.pgpass, or the URL into an environment variable: env:NAME"
        )
    return value


def database_url(storage: str) -> str:
    """The URL of a database, perhaps with a password.

    Args:
        storage: A value that :func:`checked_storage` accepts, but not ``journal``.

    Raises:
        StorageError: The environment variable that it names is not set, or has no such URL.
    """
    variable = _VARIABLE.fullmatch(storage)
    if variable is None:
        return storage
    url = os.environ.get(variable[1], "")
    if not _is_postgresql(url):
        found = f"holds {shown(url)}" if _URL.fullmatch(url) else "holds no URL" if url else "is not set"
        raise StorageError(
            f"search.storage is {storage}, but the environment variable {variable[1]} {found}; set it to a URL like "
            "postgresql://user:password@host/database"
        )
    return url


def public_url(url: str) -> str:
    """The URL of a database without password and without settings of the connection, for messages."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    query = "&".join(f"{key}={value}" for key, value in parse_qsl(parts.query) if key in _SHOWN)
    return masked(f"postgresql://{user.partition(':')[0]}{at}{host}{parts.path}{'?' if query else ''}{query}")


def _is_postgresql(url: str) -> bool:
    """Whether it is a URL of PostgreSQL, and one that can be taken apart."""
    try:
        urlsplit(url)
    except ValueError:  # brackets without an address
        return False
    scheme, _, rest = url.partition("://")
    return scheme in _SCHEMES and bool(rest) and _URL.fullmatch(url) is not None
