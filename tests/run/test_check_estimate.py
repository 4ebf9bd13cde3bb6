"""What check expects of a study: shares of rungs and seconds in, candidates out; and whether a real run agrees."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
from helpers.drivers import plan_of

from search import run_study
from search.api import load_plan
from search.run.check_estimate import affordable, mean_seconds, outlook
from search.study.screening import Rung


@pytest.mark.parametrize(
    ("until", "keep", "whole", "seconds"),
    [
        ([], [], 60.0, 60.0),  # without screening, every candidate is trained on all folds
        ([3.0], [0.5], 13.0, 3 + 0.5 * 10),
        ([3.0, 20.0], [1 / 3, 1 / 2], 60.0, 3 + 17 / 3 + 40 / 6),
        ([3.0, 3.0], [1 / 3, 1 / 2], 3.0, 3.0),
    ],
)
def test_a_candidate_takes_what_it_and_those_that_pass_the_rungs_take(
    until: list[float], keep: list[float], whole: float, seconds: float
) -> None:
    screened = [Rung(number, share, "") for number, share in enumerate(keep)]
    assert mean_seconds(until, screened, whole) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("timeout", "jobs", "mean", "trials"),
    [
        (None, 2, 5.0, None),
        (60.0, 1, 5.0, 7),  # 20 s around the search, and the refit of one candidate
        (60.0, 4, 5.0, 28),
        (60.0, 1, 0.1, 370),  # at least three seconds for the refits
        (60.0, 1, 100.0, 0),
        (10.0, 1, 1.0, 0),
    ],
)
def test_as_many_trials_fit_as_the_search_has_seconds(
    timeout: float | None, jobs: int, mean: float, trials: int | None
) -> None:
    assert affordable(timeout, jobs, mean, 20.0) == trials


def test_the_outlook_follows_the_study(tmp_path: Path) -> None:
    small = outlook(plan_of(tmp_path, "search.trials=5", "training.max_epochs=20"))
    assert small.trials == 5
    assert small.screened_seconds is not None
    assert 0 < small.screened_seconds < small.whole_seconds
    assert small.data_bytes > 0
    large = outlook(
        plan_of(tmp_path, "search.trials=5", "training.max_epochs=20", "space.hidden_size=128", "search.jobs=2")
    )
    assert large.whole_seconds > small.whole_seconds
    assert large.bytes > small.bytes
    assert outlook(plan_of(tmp_path, "search.pruner=none")).screened_seconds is None


@pytest.mark.slow
def test_a_real_run_takes_what_was_expected_within_a_factor_of_three(tmp_path: Path) -> None:
    settings = ("search.pruner=none", "search.portfolio=off", "search.sampler=random", "tracking.enabled=false")
    expected = outlook(load_plan("weather", overrides=[*settings, "search.trials=6"]))
    trials = run_study("weather", overrides=[*settings, "search.trials=6"], folder=tmp_path).record.complete
    took = statistics.mean(trial.train_seconds or 0.0 for trial in trials)
    assert expected.whole_seconds / 3 < took < expected.whole_seconds * 3
