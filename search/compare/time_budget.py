"""What a comparison may spend, and on whom: every family gets the same number of trials, and they share the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from search.config.durations import parse_duration
from search.config.yaml_file import parse_value
from search.errors import SearchError, shown
from search.study.budget import REFIT_FACTOR
from search.study.records import TrialRecord
from search.study.store import longest_fold_seconds

DEFAULT_SEEDS = 5
DEFAULT_SECONDS = 1200.0
"""Time of a comparison for which neither a time nor a number of trials is given."""
MOST_SEEDS = 100
MEASURING_SECONDS = 8.0
"""What the fresh process that measures a family takes to start, before this machine's speed is known."""


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


@dataclass
class TimeBudget:
    """The time of a comparison, a total over all of its runs.

    Attributes:
        timeout: Seconds; ``None``: no limit.
        spent: Seconds that earlier runs took.
        clock: Seconds; monotonic.
    """

    timeout: float | None
    spent: float = 0.0
    clock: Callable[[], float] = time.monotonic
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    @property
    def elapsed(self) -> float:
        """Seconds over all runs."""
        return self.spent + self.clock() - self._start

    @property
    def left(self) -> float:
        """Seconds; infinite without a limit."""
        return float("inf") if self.timeout is None else self.timeout - self.elapsed


def next_family(begun: Mapping[str, int], limit: int | None) -> str | None:
    """Whose turn it is: the family with the fewest trials, of several the first; ``None`` where all have enough.

    Args:
        begun: Trials that ended or are running, by family.
        limit: Trials that each may have; ``None``: any number.
    """
    family = min(begun, key=begun.__getitem__)
    return None if limit is not None and begun[family] >= limit else family


def common_trials(ended: Iterable[int]) -> int:
    """How many trials of each family count: as many as the one with the fewest has.

    The trials of a study are unevenly spread over the families; what one of them has more must not decide.

    Args:
        ended: Trials that came to their end, of each family.
    """
    return min(ended)


def reserved_seconds(
    best: Iterable[TrialRecord | None], *, seeds: int, jobs: int, startup_seconds: float | None
) -> float:
    """What has to be left of the time for what follows the search.

    Each family's best candidate is trained on the folds and refitted with every seed, and then measured in a process of
    its own.

    Args:
        best: The best complete trial of each family; ``None`` where there is none yet.
        seeds: With how many it is trained again.
        jobs: How many trainings run at once.
        startup_seconds: What a worker takes to start; ``None``: not known yet.
    """
    trainings, measuring = 0.0, 0.0
    for trial in best:
        if trial is not None:
            fold = longest_fold_seconds(trial.curve)
            trainings += seeds * ((trial.train_seconds or 0.0) + REFIT_FACTOR * fold)
        measuring += max(MEASURING_SECONDS, startup_seconds or 0.0)
    return trainings / jobs + measuring
