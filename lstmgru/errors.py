"""Errors that users can act on, the checks that raise them, and the wording of their one-line messages."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral


class LstmGruError(Exception):
    """Base of the library's errors."""


class DataError(LstmGruError):
    """The data breaks a rule: the message names the source, the column, the rule, the value and a remedy."""


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
    """``a``, ``a and b``, or ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
