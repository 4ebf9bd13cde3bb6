"""The budget of a comparison: every family gets the same number of trials within the total time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from search.config.types import parse_duration
from search.config.yaml_file import parse_value
from search.errors import SearchError, shown

DEFAULT_SEEDS = 5
DEFAULT_SECONDS = 1200.0
"""Default time limit if neither a time nor a number of trials is given."""
MOST_SEEDS = 100
MEASURING_SECONDS = 8.0
"""Assumed startup time of the process that measures a family, as long as no worker has started."""


@dataclass(frozen=True)
class Options:
    """The budget that a user asks for.

    Attributes:
        seeds: Number of new seeds with which the best trial of each family is retrained.
        trials: Total number of trials of each family, including those of the study; ``None``: as many as fit into the
            time.
        timeout: Total time in seconds; ``None``: no limit.
    """

    seeds: int = DEFAULT_SEEDS
    trials: int | None = None
    timeout: float | None = DEFAULT_SECONDS

    @classmethod
    def checked(cls, *, seeds: object = None, trials: object = None, timeout: object = None) -> Self:
        """Options from raw values; ``None`` stands for the default.

        With trials and no time there is no time limit; with neither the limit is 20 minutes.

        Raises:
            SearchError: A value is invalid; the message names it.
        """
        count = None if trials is None else _whole("--trials", trials, 1_000_000)
        seconds = DEFAULT_SECONDS if count is None else None
        if timeout is not None:
            try:
                seconds = parse_duration(_value(timeout))
            except ValueError as error:
                raise SearchError(f"--timeout {error}") from error
        return cls(DEFAULT_SEEDS if seeds is None else _whole("--seeds", seeds, MOST_SEEDS), count, seconds)


def _whole(name: str, given: object, most: int) -> int:
    value = _value(given)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise SearchError(f"{name} must be a whole number from 1 to {most} but got {shown(given)}")
    return value


def _value(given: object) -> object:
    """The value of an argument of the command line."""
    try:
        return parse_value(given) if isinstance(given, str) and given else given
    except ValueError:
        return given


def next_family(begun: Mapping[str, int], limit: int | None) -> str | None:
    """The family with the fewest trials, the first one of several; ``None``: all have enough.

    Args:
        begun: Number of ended and running trials, by family.
        limit: Number of trials of each family; ``None``: no limit.
    """
    family = min(begun, key=begun.__getitem__)
    return None if limit is not None and begun[family] >= limit else family


def common_trials(ended: Iterable[int]) -> int:
    """Number of trials of each family that count: as many as the family with the fewest has.

    The trials of a study are spread unevenly over the families; a family must not profit from having more.

    Args:
        ended: Number of ended trials of each family.
    """
    return min(ended)


def reserved_seconds(trainings: Collection[float], *, seeds: int, jobs: int, startup_seconds: float | None) -> float:
    """Seconds to reserve for what follows the search.

    The best candidate of each family is retrained on the folds and refitted with every seed, and then measured in a new
    process.

    Args:
        trainings: Expected seconds of a retraining of the best trial of each family; 0: there is none yet.
        seeds: Number of seeds.
        jobs: Number of parallel trainings.
        startup_seconds: Seconds that a worker takes to start; ``None``: unknown yet.
    """
    measuring = max(MEASURING_SECONDS, startup_seconds or 0.0)
    return seeds * sum(trainings) / jobs + measuring * len(trainings)
