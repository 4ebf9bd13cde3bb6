"""What a study is expected to take, before anything is trained: seconds per candidate, candidates, memory.

The estimate needs no torch: the seconds of an epoch follow from the multiplications of candidates that are drawn at
random from the space, and from how many this machine does in a second, which is measured for a moment.
"""

from __future__ import annotations

import random
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from search.run.training_seconds import USUAL_SHARE, training_work
from search.study.budget import LEAST_REFIT_SECONDS, REFIT_SHARE, USUAL_STARTUP, expected_export
from search.study.screening import rungs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.study.screening import Rung
    from search.tasks.plan import Plan

_MEASURED_SECONDS = 0.3
_DRAWN = 100
"""Candidates whose median is the middle of the space."""
_EFFICIENCY = 0.3
"""Multiplications of a training in a second over those of products of matrices.

Measured on weather, employment, vowels and languages, whose candidates take 0.35 to 2.1 times as long as expected.
"""
_BASE_BYTES, _WORKER_BYTES = 600e6, 200e6
"""Memory of the packages, which workers share, and of each worker; measured."""


@dataclass(frozen=True)
class Outlook:
    """What a study is expected to take.

    Attributes:
        screened_seconds: Of a candidate that is stopped where it is first compared; ``None``: no pruner compares there.
        whole_seconds: Of a candidate that is trained on all folds.
        trials: Those that fit into the time limit, or all of them without one.
        seconds: Total, including startup, refits and export.
        data_bytes: Size of the data.
        bytes: Memory of all processes.
    """

    screened_seconds: float | None
    whole_seconds: float
    trials: int
    seconds: float
    data_bytes: float
    bytes: float


def outlook(plan: Plan) -> Outlook:
    """What a study is expected to take; measures this machine for 0.3 s.

    Args:
        plan: The study.
    """
    data: Any = plan.search_data()
    work = statistics.median(_drawn_work(plan, seed) for seed in range(_DRAWN))
    examples = statistics.mean(min(fold.n_train, plan.most_examples or fold.n_train) for fold in data.folds)
    epoch = examples * work / (_EFFICIENCY * _multiplications_per_second())
    screened = rungs(plan.max_epochs, plan.n_folds) if plan.config.search.pruner == "screening" else ()
    usual = USUAL_SHARE * plan.max_epochs * epoch
    first = min(screened[0].epoch * epoch, usual) if screened else None
    mean = mean_seconds([min(rung.epoch * epoch, usual) for rung in screened], screened, usual * plan.n_folds)
    around = USUAL_STARTUP + expected_export(None, 2)
    timeout = plan.config.search.timeout
    trials = affordable(timeout, plan.jobs, mean, around)
    if plan.trials is not None:
        trials = min(trials or plan.trials, plan.trials)
    data_bytes = float(_size(plan.large_data[0]))
    return Outlook(
        screened_seconds=first,
        whole_seconds=usual * plan.n_folds,
        trials=trials or 0,
        seconds=around + LEAST_REFIT_SECONDS + (trials or 0) * mean / plan.jobs,
        data_bytes=data_bytes,
        bytes=_BASE_BYTES + plan.jobs * _WORKER_BYTES + 2 * data_bytes,
    )


def mean_seconds(until: Sequence[float], screened: Sequence[Rung], whole: float) -> float:
    """Seconds of a candidate in the mean, if the share of each rung passes it.

    Args:
        until: Seconds until each rung.
        screened: The rungs, ascending.
        whole: Seconds on all folds.
    """
    total, share, before = 0.0, 1.0, 0.0
    for seconds, rung in zip(until, screened, strict=True):
        total += share * (seconds - before)
        share, before = share * rung.keep, seconds
    return total + share * (whole - before)


def affordable(timeout: float | None, jobs: int, mean: float, around: float) -> int | None:
    """Candidates that fit into the time limit; ``None``: there is none.

    Args:
        timeout: Total seconds; ``None``: no limit.
        jobs: How many run at once.
        mean: Seconds of a candidate.
        around: Seconds before and after the search, without the refits.
    """
    if timeout is None:
        return None
    refits = max(LEAST_REFIT_SECONDS, min(REFIT_SHARE * timeout, mean))
    return max(0, int(jobs * (timeout - around - refits) / mean))


class _Draw(random.Random):
    """Suggests values of a space at random, as a trial does."""

    def suggest_categorical(self, name: str, choices: list[Any]) -> Any:
        """One of the choices."""
        del name
        return self.choice(choices)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A number of the range, in the middle on average."""
        del name
        return round((low * high) ** 0.5) if log else self.randrange(low, high + 1, step)

    def suggest_float(self, name: str, low: float, high: float, **how: Any) -> float:
        """The lowest number: none of these numbers changes the cost."""
        del name, high, how
        return low


def _drawn_work(plan: Plan, seed: int) -> float:
    trial: Any = _Draw(seed)
    model, settings = plan.space.suggest(trial)
    return training_work(model, settings.batch_size)


def _multiplications_per_second() -> float:
    """Of products of matrices of the size that recurrent layers have, on one core while others may work."""
    from threadpoolctl import threadpool_limits

    inputs, weights = np.ones((64, 64), np.float32), np.ones((64, 256), np.float32)
    with threadpool_limits(1):
        end, seconds = time.perf_counter() + _MEASURED_SECONDS, []
        while (start := time.perf_counter()) < end:
            for _ in range(50):
                np.tanh(inputs @ weights)
            seconds.append(time.perf_counter() - start)
    return 50 * inputs.size * weights.shape[1] / statistics.median(seconds)


def _size(value: object) -> int:
    """Bytes of the arrays of a value."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return sum(map(_size, parts)) + (sum(map(_size, vars(value).values())) if hasattr(value, "__dict__") else 0)
