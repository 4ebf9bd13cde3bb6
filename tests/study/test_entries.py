"""Damaged journals: a table of damages and what is said, the checkpoint, and what a kill may leave."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from helpers.drivers import Notes

from search.errors import NotAJournal
from search.run.resume import check_studies
from search.study.journal import JournalFile, open_storage, repair, start_over
from search.study.journal.entries import Extent, encode
from search.study.paths import checkpoint_path
from search.study.store import StudyStore

ATTRIBUTES = {"task": "forecast", "config": {}, "identity": {}, "data": {}, "metric": "mae"}
Lines = list[bytes]


@pytest.fixture(autouse=True, params=[4096, 3, 1])
def at_a_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines that are decoded together."""
    monkeypatch.setattr("search.study.journal.entries._AT_A_TIME", request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the journal of a study with two finished trials."""
    journal = tmp_path / "demo.journal"
    study = StudyStore.create(open_storage(journal), "demo", direction="minimize", attributes=ATTRIBUTES).study
    for value in (1.0, 2.0):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        study.tell(trial, value)
    study.set_user_attr("elapsed", 3.5)
    return journal


def values(path: Path) -> list[float | None]:
    return [trial.value for trial in optuna.load_study(study_name="demo", storage=open_storage(path)).trials]


def without_checksums(path: Path) -> None:
    """The journal as an earlier version writes it."""
    path.write_bytes(re.sub(rb',"crc":\d+\}\n', b"}\n", path.read_bytes()))
    checkpoint_path(path).unlink()


def change(lines: Lines, place: int, old: bytes, new: bytes) -> Lines:
    assert old in lines[place]
    return [*lines[:place], lines[place].replace(old, new), *lines[place + 1 :]]


DAMAGES: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "another score": (lambda lines: change(lines, -2, b'"values":[2.0]', b'"values":[1.5]'), "line 13 does not match"),
    "another type": (lambda lines: change(lines, 0, b'"demo"', b"[null]"), "line 1 does not match its checksum"),
    "a key less": (lambda lines: change(lines, 0, b'"study_name":"demo",', b""), "line 1 does not match its checksum"),
    "no checksum": (lambda lines: change(lines, 1, b'"crc"', b'"crd"'), "line 3 does not match its checksum"),
    "a line twice": (lambda lines: [lines[0], *lines], "line 2 does not match its checksum"),
    "the last line twice": (lambda lines: [*lines, lines[-1]], "line 15 does not match its checksum"),
    "lines swapped": (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], "line 4 does not match its checksum"),
    "a line lost": (lambda lines: [*lines[:5], *lines[6:]], "line 6 does not match its checksum"),
    "the first line lost": (lambda lines: lines[1:], "line 1 does not match its checksum"),
    "no entry": (lambda lines: [*lines[:5], b"[1, 2]\n", *lines[6:]], "line 6 is not an entry"),
    "deeper than Python can read": (lambda lines: [*lines[:5], b"[" * 100_000 + b"\n"], "line 6 is not an entry"),
    "the end lost": (
        lambda lines: lines[:-3],
        r"the last 3 entries are missing; 2 trials had ended, and 1 are left; .* remove .*demo.checkpoint to resume",
    ),
    "the end torn": (lambda lines: [*lines[:-3], lines[-3][:10]], "the last 3 entries are missing"),
    "everything lost": (lambda lines: [], "the last 14 entries are missing"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damage_is_named_and_left_alone(name: str, path: Path) -> None:
    damage, message = DAMAGES[name]
    content = b"".join(damage(path.read_bytes().splitlines(keepends=True)))
    path.write_bytes(content)
    for read in (open_storage, repair):
        with pytest.raises(NotAJournal, match=rf"demo.journal is not a valid journal of a study: {message}"):
            read(path)
    assert path.read_bytes() == content
    start_over(path, {}, check_studies, Notes().on_message)
    assert path.with_name("demo.journal.damaged").read_bytes() == content
    assert repair(path) == 0
    assert read_entries_of(path) == []


def read_entries_of(path: Path) -> list[object]:
    """The entries of a journal that is created if it is not there."""
    return list(JournalFile(path).read_logs(0))


def test_the_user_may_go_on_with_what_is_left(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-3]))
    checkpoint_path(path).unlink()
    assert values(path) == [1.0, None]


def test_a_journal_may_be_ahead_of_its_checkpoint(path: Path) -> None:
    before = checkpoint_path(path).read_bytes()
    study = optuna.load_study(study_name="demo", storage=open_storage(path))
    study.tell(study.ask(), 3.0)
    checkpoint_path(path).write_bytes(before)  # killed before it was written
    path.write_bytes(path.read_bytes() + b'{"op_code":6,"trial')
    assert values(path) == [1.0, 2.0, 3.0]
    assert repair(path) == 19
    assert values(path) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("content", [b"", b"\0" * 46])
def test_a_checkpoint_that_a_power_failure_emptied_says_nothing(content: bytes, path: Path) -> None:
    checkpoint_path(path).write_bytes(content)
    assert values(path) == [1.0, 2.0]


@pytest.mark.parametrize(
    "content", [b"{}", b"[1]", b"\xff", b'{"entries": null, "crc": 1, "ended": 1}', b"[" * 100_000]
)
def test_a_damaged_checkpoint_is_named(content: bytes, path: Path) -> None:
    checkpoint_path(path).write_bytes(content)
    with pytest.raises(NotAJournal, match=r"demo.checkpoint is damaged, so .* remove .*demo.checkpoint to go on"):
        open_storage(path)
    checkpoint_path(path).unlink()
    assert values(path) == [1.0, 2.0]


def test_a_journal_in_the_place_of_another_is_noticed(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.journal"
    study = optuna.create_study(study_name="demo", storage=open_storage(other))
    for number in range(20):
        study.set_user_attr("number", number)
    path.write_bytes(other.read_bytes())
    with pytest.raises(NotAJournal, match=r"line 14 is not the entry that .*demo.checkpoint knows"):
        open_storage(path)


def test_entries_of_optuna_and_of_earlier_versions_have_no_checksum_and_are_read(path: Path) -> None:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    without_checksums(path)
    study = optuna.load_study(study_name="demo", storage=open_storage(path))
    study.tell(study.ask(), 3.0)
    theirs = optuna.load_study(study_name="demo", storage=JournalStorage(JournalFileBackend(str(path))))
    theirs.set_user_attr("note", "by Optuna's dashboard")
    study.tell(study.ask(), 4.0)
    assert values(path) == [1.0, 2.0, 3.0, 4.0]
    lines = path.read_bytes().splitlines(keepends=True)
    assert [b'"crc"' in line for line in lines].count(False) == 15
    path.write_bytes(b"".join([*lines[:15], *lines[16:]]))
    with pytest.raises(NotAJournal, match="line 17 does not match its checksum"):
        open_storage(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"op_code":5', b'"op_code":55', r"line 9 cannot be replayed \(AssertionError"),
        (b'"param_name":"x",', b"", r"line 9 cannot be replayed \(KeyError: 'param_name'"),
        (b'"metric":"mae"', b'"metric":[1]', "metric of study 'demo': Input should be a valid string"),
        (b'"config":{}', b'"config":7', r"the values of study 'demo' have wrong types \("),
    ],
)
def test_what_cannot_be_replayed_without_checksums_is_named(old: bytes, new: bytes, message: str, path: Path) -> None:
    without_checksums(path)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(NotAJournal, match=message):
        StudyStore.load(open_storage(path), "demo")


def test_an_append_that_fails_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    before, limits = path.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    file = JournalFile(path)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        with pytest.raises(OSError, match=r"demo\.journal"):
            file.append_logs([{"op_code": 2, "study_id": 0, "user_attr": {"long": "text"}}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    file.append_logs([{"op_code": 2, "study_id": 0, "user_attr": {"short": 1}}])
    assert optuna.load_study(study_name="demo", storage=open_storage(path)).user_attrs["short"] == 1


def test_a_checksum_continues_the_one_before() -> None:
    logs = [{"op_code": 1, "study_id": 0}, {"op_code": 4, "datetime_complete": "2026"}]
    lines, extent = encode(logs, Extent())
    assert [json.loads(line) | {"crc": 0} for line in lines] == [log | {"crc": 0} for log in logs]
    assert encode(logs[1:], encode(logs[:1], Extent())[1]) == (lines[1:], extent)
    assert (extent.entries, extent.ended) == (2, 1)
