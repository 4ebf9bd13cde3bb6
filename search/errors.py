"""Errors of the search that a user can act on; the command line prints them and ends with their exit code."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_PASSWORD = re.compile(r"(://[^\s:/]*:)\S*@|(\b(?:ssl)?password=)[^\s&]*")


class SearchError(Exception):
    """Base of the search's errors; ``exit_code`` is what the command line ends with."""

    exit_code = 2


class NoRoom(SearchError):
    """There is no room for a file that the search needs."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a study file.

    Attributes:
        key: Dotted path of the key, ``space.hidden_size.low``; empty for the file as a whole.
        message: Rule, value and way out, as the predicate of ``key``: ``must be at least 1 but got 0``.
        line: Where in the file, from 1; ``None`` where there is no line to name.
        given: What the user typed, if the value came from the command line and not from the file: ``--trials 0``.
    """

    key: str
    message: str
    line: int | None = None
    given: str = ""

    def __str__(self) -> str:
        where = f"{self.given}: " if self.given else f"line {self.line}: " if self.line else ""
        return masked(f"{where}{self.key} {self.message}" if self.key else f"{where}{self.message}")


def shown(value: object) -> str:
    """A value as a study file would write it, on one line and not too long."""
    if value is None:
        return "nothing"
    plain = isinstance(value, bool | list | dict)
    text = masked(json.dumps(value, default=str, ensure_ascii=False) if plain else repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def masked(text: str) -> str:
    """The text without the passwords in its URLs; what only looks like one may be masked, too."""
    return _PASSWORD.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", text)


def printable(text: str) -> str:
    """The text as a terminal may show it: without passwords and control characters, which could hide what it says.

    Line breaks stay.
    """
    text = masked(text)
    return "".join(each for each in text if each == "\n" or unicodedata.category(each) not in ("Cc", "Cf", "Cs"))


class StudyFileError(SearchError):
    """A study file breaks rules: the message is headed by the file and has one line for each problem.

    Attributes:
        file: The study file.
        problems: All of them, first to last in the file.
    """

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        super().__init__(file, problems)
        self.file = file
        self.problems = list(problems)

    def __str__(self) -> str:
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        return "\n  ".join([f"{self.file}: {count}", *map(str, self.problems)])


class StudyNotFound(SearchError):
    """There is no study file of that path or name, or the study was never run."""


class StudyMismatch(SearchError):
    """A study cannot be resumed because its data, its space or its scoring has changed."""


class StudyBusy(SearchError):
    """Another process is running the study."""


class NotAJournal(SearchError):
    """The file at the path of a study's journal is not a journal, or is damaged."""


class StorageError(SearchError):
    """The database of a study cannot be used, or has stopped answering; what was stored there is kept."""


class WorkersCannotStart(SearchError):
    """A worker process exited before it could run its first trial."""


class NoTrialCompleted(SearchError):
    """Every trial of the study failed or was stopped, so there is nothing to choose from."""

    exit_code = 1


class ComparisonUnfinished(SearchError):
    """The time of a comparison was up before there was anything to compare; finished trials are kept."""

    exit_code = 1


class RefitFailed(SearchError):
    """The winner of a study could not be refitted or exported; its trials are kept."""

    exit_code = 1


class ModelDoesNotServe(SearchError):
    """An exported model does not work in an environment that has only what it declares."""

    exit_code = 1


class TrackingError(SearchError):
    """The MLflow store or server that was asked for cannot be used."""
