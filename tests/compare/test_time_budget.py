"""A fair budget: the same number of trials for every family, whatever the study brought and whatever they take."""

from __future__ import annotations

import heapq
import re
from typing import Any

import numpy as np
import pytest
from helpers.combinations import each_row

from search.compare.time_budget import Options, common_trials, next_family, reserved_seconds
from search.errors import SearchError
from search.study.budget import TimeBudget


@each_row(
    ("begun", "limit", "expected"),
    [
        ({"lstm": 0, "gru": 0, "fused": 0}, 3, "lstm"),
        ({"lstm": 1, "gru": 0, "fused": 0}, 3, "gru"),
        ({"lstm": 1, "gru": 1, "fused": 0}, 3, "fused"),
        ({"lstm": 9, "gru": 4, "fused": 2}, None, "fused"),
        ({"lstm": 9, "gru": 4, "fused": 2}, 4, "fused"),
        ({"lstm": 9, "gru": 4, "fused": 4}, 4, None),
        ({"lstm": 3, "gru": 3, "fused": 3}, 3, None),
        ({"lstm": 3, "gru": 3, "fused": 3}, None, "lstm"),
    ],
)
def test_the_family_with_the_fewest_trials_is_next(
    begun: dict[str, int], limit: int | None, expected: str | None
) -> None:
    assert next_family(begun, limit) == expected


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("inherited", [(0, 0, 0), (5, 0, 2)])
def test_no_family_is_ever_more_than_one_trial_ahead_of_what_it_began_with(
    workers: int, inherited: tuple[int, ...]
) -> None:
    """With trials that take very different times, on several workers."""
    generator = np.random.default_rng(workers)
    began = dict(zip(("lstm", "gru", "fused"), inherited, strict=True))
    begun, clock = dict(began), 0.0
    running: list[tuple[float, int]] = []
    for number in range(60):
        if len(running) == workers:
            clock, _ = heapq.heappop(running)
        name = next_family(begun, None)
        assert name is not None
        begun[name] += 1
        heapq.heappush(running, (clock + generator.exponential(9 if name == "gru" else 1), number))
        asked = {family: count for family, count in begun.items() if count > began[family]}
        assert all(count - min(begun.values()) <= 1 for count in asked.values())
    assert max(begun.values()) - min(begun.values()) <= 1


@pytest.mark.parametrize(("ended", "count"), [([4, 4, 4], 4), ([9, 4, 5], 4), ([3, 0], 0), ([2], 2)])
def test_as_many_trials_count_as_the_poorest_family_has(ended: list[int], count: int) -> None:
    assert common_trials(ended) == count


@pytest.mark.parametrize(
    ("trainings", "seeds", "jobs", "startup", "expected"),
    [
        ([0.0, 0.0], 5, 1, None, 16.0),  # only what measuring takes is known
        ([60.0], 1, 1, None, 60.0 + 8.0),
        ([60.0], 4, 1, None, 4 * 60.0 + 8.0),
        ([60.0], 4, 2, None, 2 * 60.0 + 8.0),
        ([60.0, 0.0], 4, 2, 20.0, 2 * 60.0 + 40.0),
    ],
)
def test_what_follows_the_search_is_kept_free(
    trainings: list[float], seeds: int, jobs: int, startup: float | None, expected: float
) -> None:
    assert reserved_seconds(trainings, seeds=seeds, jobs=jobs, startup_seconds=startup) == pytest.approx(expected)


def test_time_is_a_total_over_all_runs() -> None:
    now = [100.0]
    budget = TimeBudget(60.0, spent=20.0, clock=lambda: now[0])
    now[0] += 15.0

    assert (budget.elapsed, budget.left) == (35.0, 25.0)
    assert TimeBudget(None, clock=lambda: now[0]).left == float("inf")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Options(5, None, 1200.0)),
        ({"trials": "8"}, Options(5, 8, None)),
        ({"trials": 8, "timeout": "90s"}, Options(5, 8, 90.0)),
        ({"timeout": "1h30m", "seeds": "3"}, Options(3, None, 5400.0)),
        ({"timeout": "90"}, Options(5, None, 90.0)),
        ({"timeout": 45.5, "seeds": 1}, Options(1, None, 45.5)),
    ],
)
def test_without_a_time_and_a_number_of_trials_there_are_twenty_minutes(
    given: dict[str, Any], expected: Options
) -> None:
    assert Options.checked(**given) == expected


@each_row(
    ("given", "message"),
    [
        ({"seeds": "0"}, "seeds must be a whole number from 1 to 100 but got '0'"),
        ({"seeds": "many"}, "seeds must be a whole number from 1 to 100 but got 'many'"),
        ({"seeds": 101}, "seeds must be a whole number from 1 to 100 but got 101"),
        ({"seeds": True}, "seeds must be a whole number from 1 to 100 but got true"),
        ({"trials": "2.5"}, "trials must be a whole number from 1 to 1000000 but got '2.5'"),
        ({"trials": ""}, "trials must be a whole number from 1 to 1000000 but got ''"),
        ({"timeout": "soon"}, "timeout must be a number of seconds, or like 90s, 5m, 2h or 1h30m but got 'soon'"),
        ({"timeout": "0"}, "timeout must be a time above zero"),
    ],
)
def test_a_wrong_budget_is_an_error_that_names_it(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SearchError, match=re.escape(message)):
        Options.checked(**given)
