"""Values of ``search.storage``, and what of a URL is ever shown."""

from __future__ import annotations

import pytest
from helpers.combinations import each_row

from search.config.storage import checked_storage, database_url, public_url
from search.errors import StorageError, masked, printable, shown


@pytest.mark.parametrize(
    "value",
    [
        "journal",
        "env:DATABASE_URL",
        "postgresql://db/studies",
        "postgres://ann@db.example.org:5433/studies?sslmode=require",
        "postgresql:///studies?host=/run/postgresql",
        "postgresql://one,two/studies?target_session_attrs=read-write",
    ],
)
def test_a_place_is_taken_as_it_is(value: str) -> None:
    assert checked_storage(value) == value


@each_row(
    ("value", "message"),
    [
        ("jurnal", "must be journal, postgresql://user@host/database, or env:NAME .* but got 'jurnal'$"),
        ("", "must be journal"),
        (7, "must be journal, .* but got 7$"),
        ("env:", "must be journal"),
        ("env:NO SPACE", "must be journal"),
        ("postgresql://", "must be journal"),
        ("mysql://ann:secret@db/studies", r"but got 'mysql://ann:\*\*\*@db/studies'$"),
        ("sqlite:///studies.db", "but got 'sqlite:///studies.db'; a journal serves as well on one machine$"),
        ("postgresql://ann:secret@db/studies", r"must not contain a password, .* but got 'postgresql://ann:\*\*\*@db"),
        ("postgresql://ann:@db/studies", "must not contain a password"),
        ("postgresql://ann@db/studies?sslpassword=secret", "must not contain a password"),
        ("postgresql://ann@corp:secret@db/studies", r"but got 'postgresql://ann@corp:\*\*\*@db/studies'"),
        ("postgresql://ann b:secret@db/studies", "must be journal, .* without blanks"),
        ("postgresql://ann:my secret@db/studies", "must be journal, .* without blanks"),
        ("postgresql://[::1/studies", "must be journal"),
    ],
)
def test_other_values_are_refused_without_their_password(value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        checked_storage(value)
    assert "secret" not in str(caught.value)


def test_a_variable_has_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    assert database_url("postgresql://db/studies") == "postgresql://db/studies"
    monkeypatch.setenv("WHERE", "postgres://ann:secret@db/studies")
    assert database_url("env:WHERE") == "postgres://ann:secret@db/studies"
    for wrong in ("secret", "postgresql://ann:a secret@db/x"):
        monkeypatch.setenv("WHERE", wrong)
        with pytest.raises(StorageError, match="WHERE holds no URL; set it to a URL like") as caught:
            database_url("env:WHERE")
        assert wrong not in str(caught.value)
    monkeypatch.delenv("WHERE")
    with pytest.raises(StorageError, match="the environment variable WHERE is not set; set it to a URL like"):
        database_url("env:WHERE")


@pytest.mark.parametrize(
    ("url", "shown_as"),
    [
        ("postgres://ann:secret@db:5433/studies?sslmode=require", "postgresql://ann@db:5433/studies"),
        ("postgresql://db/studies?password=secret&user=ann", "postgresql://db/studies"),
        ("postgresql:///studies?host=/tmp/s&port=5433", "postgresql:///studies?host=/tmp/s&port=5433"),
        ("postgresql://ann:se@cret@db/studies", "postgresql://ann@db/studies"),
        ("postgresql://ann:se/cret@db/studies", "postgresql://ann:***@db/studies"),
    ],
)
def test_a_url_is_shown_without_password(url: str, shown_as: str) -> None:
    assert public_url(url) == shown_as


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--storage postgresql://ann:se/c@ret@db/x: wrong", "--storage postgresql://ann:***@db/x: wrong"),
        ("at http://127.0.0.1:5000/#/experiments/1", "at http://127.0.0.1:5000/#/experiments/1"),
        ("host=db password=secret dbname=x", "host=db password=*** dbname=x"),
        ("trials in postgresql://ann@db/x", "trials in postgresql://ann@db/x"),
    ],
)
def test_passwords_of_urls_are_masked_wherever_they_are_printed(text: str, expected: str) -> None:
    assert masked(text) == expected
    assert printable(text) == expected
    assert shown(text) in (repr(expected), f"{repr(expected)[:57]}...")
