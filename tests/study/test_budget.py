"""Budgets: spent time in, seconds left out; whether a trial may start is a decision of the search's state."""

from __future__ import annotations

import pytest
from helpers.combinations import each_row

from search.study.budget import (
    EXPORT_STARTUPS,
    LEAST_REFIT_SECONDS,
    LEAST_STARTUP,
    NETWORK_STARTUPS,
    ONNX_STARTUPS,
    REFIT_SHARE,
    USUAL_STARTUP,
    Budget,
    expected_export,
)


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def budget(trials: int = 10, timeout: float | None = None, spent: float = 0.0) -> tuple[Budget, Clock]:
    clock = Clock()
    return Budget(timeout, spent, clock, trials=trials, export_seconds=12.0), clock


@pytest.mark.parametrize(
    ("startup", "networks", "seconds"),
    [
        (10.0, 0, 10 * EXPORT_STARTUPS),
        (10.0, 3, 10 * (EXPORT_STARTUPS + ONNX_STARTUPS + 3 * NETWORK_STARTUPS)),
        (0.0, 0, LEAST_STARTUP * EXPORT_STARTUPS),  # everything was imported before
        (None, 0, USUAL_STARTUP * EXPORT_STARTUPS),  # no worker has started yet
    ],
)
def test_an_export_takes_as_long_as_the_machine_is_slow_and_the_blend_large(
    startup: float | None, networks: int, seconds: float
) -> None:
    assert expected_export(startup, networks) == pytest.approx(seconds)


def test_the_refit_may_take_what_the_export_leaves() -> None:
    left, clock = budget(timeout=100)
    clock.now += 70
    assert left.refit_seconds_left() == pytest.approx(30 - 12)
    assert budget()[0].refit_seconds_left() == float("inf")


@each_row(
    ("timeout", "trainings", "jobs", "reserved"),
    [
        (100, [], 2, LEAST_REFIT_SECONDS),
        (100, [0.5, 0.25, 0.25], 2, LEAST_REFIT_SECONDS),
        (100, [4, 4, 3, 3], 2, 7),
        (100, [4, 4, 3, 3], 1, 14),
        (100, [9, 1, 1], 4, 9),  # the longest one takes its time on any number of workers
        (100, [30, 30, 30], 1, 30),  # a share of the limit at most, but always a whole refit
        (100, [15, 15, 15], 1, 100 * REFIT_SHARE),
        (10_000, [15, 15, 15], 1, 45),
    ],
)
def test_refits_reserve_the_seconds_that_they_are_expected_to_take(
    timeout: float, trainings: list[float], jobs: int, reserved: float
) -> None:
    left, _ = budget(timeout=timeout)
    assert left.search_seconds_left(trainings, jobs=jobs) == pytest.approx(timeout - 12 - reserved)


@each_row(
    ("scored", "exported", "reserved"),
    [
        ([4, 3], [5, 4], 8),
        ([4, 3], [90, 80], 100 * REFIT_SHARE),  # what was scored can be exported
        ([30, 3], [40, 4], 30),
    ],
)
def test_refits_on_everything_are_left_out_rather_than_the_search(
    scored: list[float], exported: list[float], reserved: float
) -> None:
    left, _ = budget(timeout=100)
    assert left.search_seconds_left(scored, exported, jobs=2) == pytest.approx(100 - 12 - reserved)
