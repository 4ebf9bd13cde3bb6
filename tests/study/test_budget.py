"""Budgets: spent time and trials in, may another trial start? out."""

from __future__ import annotations

import pytest

from search.study.budget import EXPORT_SECONDS, EXPORT_STARTUPS, FEWEST_EXPORT_SECONDS, REFIT_FACTOR, Budget


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def budget(trials: int = 10, timeout: float | None = None, spent: float = 0.0) -> tuple[Budget, Clock]:
    clock = Clock()
    return Budget(trials, timeout, spent, clock), clock


@pytest.mark.parametrize(
    ("counted", "timeout", "spent", "passed", "refit", "allowed"),
    [
        (0, None, 0, 0, 0, True),
        (9, None, 0, 1e9, 0, True),
        (10, None, 0, 0, 0, False),
        (11, None, 0, 0, 0, False),
        (0, 100, 0, 0, 0, True),
        (0, 100, 0, 100 - EXPORT_SECONDS - 1, 0, True),
        (0, 100, 0, 100 - EXPORT_SECONDS, 0, False),  # the export has its time reserved
        (0, 100, 0, 80 - EXPORT_SECONDS, 20 / REFIT_FACTOR, False),  # and so has the refit
        (0, 100, 0, 79 - EXPORT_SECONDS, 20 / REFIT_FACTOR, True),
        (0, 100, 100 - EXPORT_SECONDS, 0, 0, False),  # earlier runs of the study count
        (0, 100, 50, 49 - EXPORT_SECONDS, 0, True),
    ],
)
def test_a_trial_may_start_while_trials_and_seconds_are_left(
    counted: int, timeout: float | None, spent: float, passed: float, refit: float, allowed: bool
) -> None:
    left, clock = budget(timeout=timeout, spent=spent)
    clock.now += passed
    assert left.allows_trial(counted, refit) is allowed


def test_a_slow_machine_reserves_more_for_the_export() -> None:
    left, _ = budget(timeout=100)
    before = left.search_seconds_left(0)
    left.calibrate(startup_seconds=20)
    assert left.search_seconds_left(0) == before + EXPORT_SECONDS - EXPORT_STARTUPS * 20
    left.calibrate(startup_seconds=0)
    assert left.refit_seconds_left() == 100 - FEWEST_EXPORT_SECONDS


def test_the_refit_may_take_what_the_export_leaves() -> None:
    left, clock = budget(timeout=100)
    clock.now += 70
    assert left.refit_seconds_left() == pytest.approx(30 - EXPORT_SECONDS)
    assert budget()[0].refit_seconds_left() == float("inf")
