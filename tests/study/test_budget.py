"""Budgets: spent time in, seconds left out; whether a trial may start is a decision of the search's state."""

from __future__ import annotations

import pytest

from search.study.budget import EXPORT_SECONDS, EXPORT_STARTUPS, FEWEST_EXPORT_SECONDS, Budget


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def budget(trials: int = 10, timeout: float | None = None, spent: float = 0.0) -> tuple[Budget, Clock]:
    clock = Clock()
    return Budget(timeout, spent, clock, trials=trials), clock


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


@pytest.mark.parametrize(
    ("timeout", "refit_seconds", "rounds", "reserved"),
    [
        (100, 4, 1, 6),  # one refit has more data than a fold
        (100, 4, 2, 12),
        (100, 4, 8, 20),  # a fifth of the time at most
        (100, 20, 1, 30),  # but always a whole refit
        (100, 20, 8, 30),
    ],
)
def test_refits_of_a_blend_have_a_share_of_the_time(
    timeout: float, refit_seconds: float, rounds: int, reserved: float
) -> None:
    left, _ = budget(timeout=timeout)
    assert left.search_seconds_left(refit_seconds, rounds=rounds) == timeout - EXPORT_SECONDS - reserved
