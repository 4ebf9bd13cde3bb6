"""Errors that users can act on, the checks that raise them, and the wording of their one-line messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt


class LstmGruError(Exception):
    """Base of the library's errors."""


class DataError(LstmGruError):
    """The data breaks a rule: the message names the source, the column, the rule, the value and a remedy."""


class RowsError(DataError):
    """Some rows of a table cannot be read, the others can.

    Args:
        wrong: (rows,) True for these rows.
        message: The message about a row, from its index, its number as messages show it, and what to write after it:
            `` and 3 more rows``, or nothing.

    Attributes:
        rows: Indices of these rows.
        message: As above.
    """

    def __init__(self, wrong: npt.NDArray[Any], message: Callable[[int, int, str], str]) -> None:
        self.rows: list[int] = wrong.nonzero()[0].tolist()
        self.message = message
        others = len(self.rows) - 1
        more = f" and {others} more rows" if others > 1 else " and one more row" if others else ""
        super().__init__(message(self.rows[0], self.rows[0] + 1, more))


class SeriesError(DataError):
    """Some series of a table break a rule, the others do not.

    Args:
        names: Of these series; the message of the error is about the first.
        message: The message about a series, from its index in ``names``.
        summary: The message of the error instead, if it is about all series of the table.

    Attributes:
        names, message, summary: As above.
    """

    def __init__(self, names: Sequence[object], message: Callable[[int], str], summary: str | None = None) -> None:
        self.names, self.message, self.summary = [str(name) for name in names], message, summary
        super().__init__(message(0) if summary is None else summary)


class SpecError(LstmGruError, ValueError):
    """A specification has an invalid value."""


class TrainingDiverged(LstmGruError):
    """The loss or the validation score became NaN or infinite."""


class BaselineTooSlow(LstmGruError):
    """A baseline would take longer than its time limit."""


class BundleError(LstmGruError):
    """A bundle directory is missing, incomplete or of another version."""


def did_you_mean(name: str, valid: list[str]) -> str:
    """The hint ``; did you mean 'x'?`` for the nearest valid name, or an empty string.

    Args:
        name: What the user wrote.
        valid: The valid names.
    """
    import difflib

    by_lower = {candidate.lower(): candidate for candidate in valid}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=1, cutoff=0.5)
    return f"; did you mean '{by_lower[close[0]]}'?" if close else ""


def one_of(name: str, value: str, valid: Sequence[str], error: type[LstmGruError] = SpecError) -> None:
    """Refuse a value that is not one of the valid ones."""
    if value not in valid:
        hint = did_you_mean(str(value), list(valid))
        raise error(f"{name} must be one of {', '.join(valid)} but got {value!r}{hint}")


def at_least(name: str, value: float, minimum: float) -> None:
    """Refuse a number below a minimum."""
    if not value >= minimum:
        raise SpecError(f"{name} must be at least {minimum:g} but got {value!r}")


def probability(name: str, value: float) -> None:
    """Refuse a number outside [0, 1)."""
    if not 0 <= value < 1:
        raise SpecError(f"{name} must be in [0, 1) but got {value!r}")


def show_time(time: object) -> str:
    """A time as messages show it: without midnight, or the number of a step."""
    if isinstance(time, Integral):
        return str(time)
    import pandas as pd

    return str(pd.Timestamp(time)).removesuffix(" 00:00:00")  # type: ignore[arg-type]  # a datetime64


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shorten(names: Sequence[object], most: int = 12) -> str:
    """``a, b, c``, at most ``most`` names."""
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, or ``a, b and c``; empty without names."""
    return "".join(names) if len(names) < 2 else f"{', '.join(names[:-1])} and {names[-1]}"
