"""A database that cannot be used ends a command with one line, which never has the password."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from helpers.postgresql import PASSWORD, QUOTED, PostgreSQL
from helpers.studies import TINY, search_here, write_study

from search import load_study
from search.errors import StorageError

SECRETS = (PASSWORD, QUOTED, "s3cret")


def line_of(folder: Path, *arguments: str, **environment: str) -> str:
    """The only line of a command that is refused."""
    write_study(folder)
    with patch.dict("os.environ", environment):
        result = search_here(folder, *arguments)
    assert result.returncode == 2, result.stdout
    assert not any(secret in result.stdout + result.stderr for secret in SECRETS)
    [line] = result.stderr.splitlines()
    return line.removeprefix("error: ")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://ann@127.0.0.1:{port}/{database}", ("no password supplied", "PGPASSWORD", "~/.pgpass")),
        ("postgresql://ann@127.0.0.1:1/{database}", ("the database postgresql://ann@127.0.0.1:1/", "refused")),
        ("postgresql://ann@nowhere.invalid/{database}", ("nowhere.invalid",)),
        ("postgresql://ann@/absent?host={folder}&port={port}", ('database "absent" does not exist',)),
        ("postgresql://nobody@/{database}?host={folder}&port={port}", ('role "nobody" does not exist',)),
        ("postgresql://ann@/{database}?host={folder}&prt={port}", ("invalid", "prt")),
    ],
)
@pytest.mark.parametrize("command", ["run", "show"])
def test_what_is_wrong_is_named(
    tmp_path: Path, server: PostgreSQL, url: str, words: tuple[str, ...], command: str
) -> None:
    storage = url.format(port=server.port, folder=server.folder, database=server.database())

    line = line_of(tmp_path, command, "tiny.yaml", "--storage", storage)

    assert "cannot be used" in line
    assert all(word in line for word in words), line
    assert not (tmp_path / "studies").exists()


def test_a_wrong_password_of_a_variable_is_not_repeated(tmp_path: Path, server: PostgreSQL) -> None:
    url = server.url(server.database(), password="s3cret")

    line = line_of(tmp_path, "run", "tiny.yaml", "--storage", "env:WHERE", WHERE=url)

    assert 'password authentication failed for user "ann"' in line


@pytest.mark.parametrize("rest", [":s3cret%zz@127.0.0.1/x", "@127.0.0.1/x?password=s3cret%zz"])
def test_a_password_that_the_driver_quotes_is_not_repeated(tmp_path: Path, rest: str) -> None:
    pytest.importorskip("psycopg")

    line = line_of(tmp_path, "run", "tiny.yaml", "--storage", "env:WHERE", WHERE=f"postgresql://ann{rest}")

    assert "***" in line


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "search.storage is env:WHERE, but the environment variable WHERE is not set"),
        ({"WHERE": "mysql://ann:s3cret@db/x"}, "the environment variable WHERE holds 'mysql://ann:***@db/x'"),
    ],
)
def test_a_variable_without_a_url_is_named(tmp_path: Path, environment: dict[str, str], words: str) -> None:
    assert words in line_of(tmp_path, "run", "tiny.yaml", "--storage", "env:WHERE", **environment)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "tiny.yaml", "--storage", "postgresql://ann:s3cret@db/x"),
        ("run", "tiny.yaml", "--set", "search.storage=postgresql://ann:s3cret@db/x"),
        ("compare", "tiny.yaml", "--storage", "postgresql://ann@db/x?password=s3cret"),
        ("show", "tiny.yaml", "--storage", "postgresql://ann:s3cret@db/x"),
        ("report", "tiny.yaml", "--storage", "postgres://ann:s3cret@db/x"),
        ("sync", "tiny.yaml", "--storage", "postgresql://:s3cret@db/x"),
    ],
)
def test_a_password_in_a_url_is_refused_and_masked(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write_study(tmp_path)
    result = search_here(tmp_path, *arguments)
    assert result.returncode == 2
    assert "must not contain a password" in result.stderr
    assert "***" in result.stderr
    assert "s3cret" not in result.stdout + result.stderr


@pytest.mark.parametrize("storage", ["jurnal", ""])
def test_no_reader_takes_another_form(tmp_path: Path, storage: str) -> None:
    """Also of a study without a file, and in Python."""
    write_study(tmp_path)
    for arguments in (("show", "tiny.yaml"), ("show", "other"), ("run", "other"), ("sync", "tiny.yaml")):
        result = search_here(tmp_path, *arguments, "--storage", storage)
        assert result.returncode == 2
        assert result.stderr.startswith("error: storage must be journal, postgresql://user@host/database, or env:NAME")
        assert result.stderr.endswith(f" but got {storage!r}\n")
    with pytest.raises(StorageError, match=r"^storage must be journal"):
        load_study("tiny", folder=tmp_path, storage=storage)


def test_a_password_in_a_study_file_is_masked_too(tmp_path: Path) -> None:
    write_study(tmp_path, TINY.replace("search:\n", "search:\n  storage: postgresql://ann:s3cret@db/x\n"))
    for command in ("run", "check", "show"):
        result = search_here(tmp_path, command, "tiny.yaml")
        assert result.returncode == 2
        assert "search.storage must not contain a password" in result.stderr
        assert "s3cret" not in result.stdout + result.stderr


def test_the_right_to_create_tables_is_named(tmp_path: Path, server: PostgreSQL) -> None:
    database = server.database()
    server.query(f"ALTER DATABASE {database} OWNER TO postgres")

    line = line_of(tmp_path, "run", "tiny.yaml", "--storage", server.url(database))

    assert "permission denied for schema public" in line
    assert "the right to create tables" in line


def test_a_database_that_the_user_may_not_enter_need_not_be_created(tmp_path: Path, server: PostgreSQL) -> None:
    database = server.database()
    server.query(f"ALTER DATABASE {database} OWNER TO postgres")
    server.query(f"REVOKE CONNECT ON DATABASE {database} FROM PUBLIC")

    line = line_of(tmp_path, "show", "tiny.yaml", "--storage", server.url(database))

    assert f'permission denied for database "{database}"' in line
    assert "createdb" not in line


def test_tables_of_another_version_are_named(tmp_path: Path, server: PostgreSQL) -> None:
    from search.study.database.connection import Database

    database = server.database()
    Database(server.url(database)).create_tables()
    server.query("UPDATE alembic_version SET version_num = 'v3.0.0.a'", database)

    line = line_of(tmp_path, "run", "tiny.yaml", "--storage", server.url(database))

    assert "are of another version of Optuna" in line
    assert "optuna storage upgrade" in line


def test_a_missing_driver_is_named(tmp_path: Path) -> None:
    with patch.dict(sys.modules, {"psycopg": None}):
        line = line_of(tmp_path, "run", "tiny.yaml", "--storage", "postgresql://ann@127.0.0.1:1/x")
    assert line.endswith("but the package psycopg is not installed; run pip install 'lstmgru-search[postgresql]'")
