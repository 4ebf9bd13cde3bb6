"""How much a comparison may spend, as someone asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from search.config.durations import parse_duration
from search.config.yaml_file import parse_value
from search.errors import SearchError, shown

DEFAULT_SEEDS = 5
DEFAULT_SECONDS = 1200.0
"""Time of a comparison for which neither a time nor a number of trials is given."""
MOST_SEEDS = 100


@dataclass(frozen=True)
class Options:
    """The budget of a comparison.

    Attributes:
        seeds: With how many fresh seeds the best of each family is trained again.
        trials: Trials of each family in total, those of the study included; ``None``: as many as fit into the time.
        timeout: Seconds in total; ``None``: no limit.
    """

    seeds: int = DEFAULT_SEEDS
    trials: int | None = None
    timeout: float | None = DEFAULT_SECONDS

    @classmethod
    def checked(cls, *, seeds: object = None, trials: object = None, timeout: object = None) -> Self:
        """From what a user wrote; ``None`` stands for the default.

        Without a time, a number of trials is the only limit; without both there are 20 minutes.

        Raises:
            SearchError: A value is not valid; the message names it.
        """
        count = None if trials is None else _whole("trials", trials, 1_000_000)
        seconds = DEFAULT_SECONDS if count is None else None
        if timeout is not None:
            try:
                seconds = parse_duration(_value(timeout))
            except ValueError as error:
                raise SearchError(f"timeout {error}") from error
        return cls(DEFAULT_SEEDS if seeds is None else _whole("seeds", seeds, MOST_SEEDS), count, seconds)


def _whole(name: str, given: object, most: int) -> int:
    value = _value(given)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SearchError(f"{name} must be a whole number from 1 to {most} but got {shown(given)}")
    return value


def _value(given: object) -> object:
    """What the text of a command line stands for."""
    try:
        return parse_value(given) if isinstance(given, str) and given else given
    except ValueError:
        return given
