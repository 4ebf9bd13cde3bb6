"""What is spent on whom: every family gets the same number of trials, and they share the time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from search.study.budget import REFIT_FACTOR
from search.study.records import TrialRecord
from search.study.store import longest_fold_seconds

MEASURING_SECONDS = 8.0
"""What the fresh process that measures a family takes to start, before this machine's speed is known."""


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
