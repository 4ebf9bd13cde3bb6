"""How a task scores its baselines: groups, time limits, and what happens to slow ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from lstmgru.errors import BaselineTooSlow
from lstmgru.evaluation.time_limit import TimeLimit
from search.tasks.data import BaselineResult, DroppedBaseline


def grouped(names: tuple[str, ...], is_slow: Callable[[str], bool]) -> tuple[tuple[str, ...], ...]:
    """The quick baselines together, then each slow one.

    Args:
        names: Simplest first.
        is_slow: Whether a baseline needs a job of its own.
    """
    quick = tuple(name for name in names if not is_slow(name))
    return (quick, *((name,) for name in names if name not in quick))


def score_each(
    names: tuple[str, ...], score: Callable[[str], BaselineResult]
) -> dict[str, BaselineResult | DroppedBaseline] | None:
    """The results of some baselines by name; ``None`` if one was stopped.

    Args:
        names: The baselines.
        score: Scores one on the folds; may raise ``BaselineTooSlow`` and ``InterruptedError``.
    """
    results: dict[str, BaselineResult | DroppedBaseline] = {}
    for name in names:
        try:
            results[name] = score(name)
        except BaselineTooSlow as error:
            results[name] = DroppedBaseline(str(error))
        except InterruptedError:
            return None
    return results


def fold_limits(n_folds: int, seconds: float, should_stop: Callable[[], bool]) -> Iterator[TimeLimit]:
    """The time limit of each fold, begun when it is asked for.

    Every fold has an equal share of the time that is left, so that a baseline that is too slow is noticed in the first.

    Args:
        n_folds: Number of folds.
        seconds: Of all folds.
        should_stop: Asks whether to stop.

    Raises:
        BaselineTooSlow: No time is left.
        InterruptedError: It should stop.
    """
    end = time.monotonic() + seconds
    for number in range(n_folds):
        limit = TimeLimit((end - time.monotonic()) / (n_folds - number), should_stop)
        limit.check()
        yield limit
