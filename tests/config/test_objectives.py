"""What a trial is judged by: bounds, the Pareto front and the preference, compared with Optuna and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
import pytest
from helpers.combinations import each_row

from search.config.objectives import Bound, Goal, parse_bound

LATENCY = Bound("latency", 0.002)


@each_row(
    ("text", "bound", "written"),
    [
        ("latency <= 2ms", LATENCY, "latency <= 2ms"),
        ("latency<=0.002s", LATENCY, "latency <= 2ms"),
        ("  latency  <=  2e-3 ", LATENCY, "latency <= 2ms"),
        ("latency ≤ 2 ms", LATENCY, "latency <= 2ms"),
        ("latency <= 1.5s", Bound("latency", 1.5), "latency <= 1500ms"),
        ("train_seconds <= 60", Bound("train_seconds", 60.0), "train_seconds <= 60s"),
        ("train_seconds <= 250ms", Bound("train_seconds", 0.25), "train_seconds <= 0.25s"),
        ("n_parameters <= 50000", Bound("n_parameters", 50_000.0), "n_parameters <= 50000"),
        ("n_parameters <= 1e6", Bound("n_parameters", 1e6), "n_parameters <= 1000000"),
        ("n_parameters <= 123456789", Bound("n_parameters", 123_456_789.0), "n_parameters <= 123456789"),
    ],
)
def test_a_bound_is_a_measure_and_its_limit(text: str, bound: Bound, written: str) -> None:
    assert parse_bound(text) == bound
    assert str(bound) == written
    assert str(parse_bound(written)) == written
    assert parse_bound(written).limit == pytest.approx(bound.limit, rel=1e-12)


@each_row(
    ("text", "message"),
    [
        ("fast", "must look like 'latency <= 2ms'.* but got 'fast'"),
        ("latency <= two", "must look like"),
        ("latency <= 2ms 3", "must look like"),
        ("latency < 2ms", "must look like .*, with '<=', but got 'latency < 2ms'"),
        ("latency >= 2ms", "with '<='"),
        ("latencey <= 2ms", "must bound latency, n_parameters, train_seconds but got .*; did you mean 'latency'"),
        ("score <= 3", "must bound latency, n_parameters, train_seconds but got 'score <= 3'"),
        ("latency <= 2m", "must be in s or ms for latency but got 'latency <= 2m'"),
        ("n_parameters <= 5k", "must be a number without a unit for n_parameters"),
        ("latency <= 0ms", "must have a limit above 0"),
        ("n_parameters <= 1e999", "must have a limit above 0"),
    ],
)
def test_what_is_no_bound_is_refused_with_the_rule(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_bound(text)


@pytest.mark.parametrize(
    ("latency", "violation", "broken"),
    [(0.001, -0.5, False), (0.002, 0.0, False), (0.0020001, 0.00005, True), (0.006, 2.0, True)],
)
def test_a_violation_is_the_share_above_the_limit(latency: float, violation: float, broken: bool) -> None:
    assert LATENCY.violation(latency) == pytest.approx(violation)
    assert bool(Goal(bounds=(LATENCY,)).broken({"latency": latency})) is broken


def test_what_was_not_measured_is_not_known_to_break_a_bound() -> None:
    assert Goal(bounds=(LATENCY,)).broken({"score": 3.0}) == ()


def trials(*points: tuple[float, ...], names: tuple[str, ...] = ("score", "latency")) -> dict[int, dict[str, float]]:
    return {number: dict(zip(names, point, strict=True)) for number, point in enumerate(points)}


@each_row(
    ("points", "front"),
    [
        ([], []),
        ([(1, 1)], [0]),
        ([(1, 3), (2, 2), (3, 1)], [0, 1, 2]),
        ([(1, 3), (2, 3), (3, 1)], [0, 2]),  # as good in one and worse in the other
        ([(2, 2), (1, 1), (3, 3)], [1]),
        ([(1, 1), (1, 1)], [0, 1]),  # neither is better
        ([(1, 2), (1, 1), (2, 1)], [1]),
    ],
)
def test_the_front_holds_the_trials_that_no_other_is_better_than(points: list[Any], front: list[int]) -> None:
    assert Goal(("score", "latency")).front(trials(*points)) == front


@pytest.mark.parametrize("n_objectives", [2, 3])
def test_the_front_is_the_one_that_optuna_finds(n_objectives: int) -> None:
    """On random points with ties, of which some break a bound."""
    generator = np.random.default_rng(n_objectives)
    names = ("latency", "score", "n_parameters")[:n_objectives]
    goal = Goal(names, (Bound("latency", 7.5),))
    for _ in range(30):
        points = generator.integers(1, 12, (25, n_objectives)).astype(float)
        study = optuna.create_study(directions=["minimize"] * n_objectives)
        for point in points:
            trial = study.ask()
            trial.set_constraint("latency", goal.bounds[0].violation(point[0]))
            study.tell(trial, point.tolist())
        judged = trials(*map(tuple, points), names=names)
        assert goal.front(judged) == sorted(trial.number for trial in study.best_trials)


FRONT = trials((1.0, 30.0), (2.0, 20.0), (5.0, 10.0), (4.9, 40.0))
"""Three trials on the front, whose places are 0, 1/4, 1 in the score and 1, 1/2, 0 in the latency; and one behind."""


@each_row(
    ("prefer", "best"),
    [
        ({}, 0),  # the best score
        ({"score": 1}, 0),
        ({"latency": 1}, 2),
        ({"score": 0.5, "latency": 0.5}, 1),  # 1/2, 3/8, 1/2
        ({"score": 8, "latency": 2}, 0),  # 2, 3, 8
        ({"score": 0.2, "latency": 0.8}, 2),  # 0.8, 0.45, 0.2
        ({"score": 0.0, "latency": 3.0}, 2),
    ],
)
def test_the_preferred_trial_has_the_smallest_weighted_place_on_the_front(prefer: dict[str, float], best: int) -> None:
    assert Goal(("score", "latency"), prefer=prefer).best(FRONT) == best


def test_an_objective_in_which_the_front_does_not_differ_counts_nothing() -> None:
    goal = Goal(("score", "n_parameters"), prefer={"score": 1.0, "n_parameters": 1.0})
    assert goal.best(trials((2, 50), (1, 50), names=goal.objectives)) == 1


@pytest.mark.parametrize(
    ("bounds", "best"),
    [
        ((), 0),
        ((Bound("latency", 25.0),), 1),
        ((Bound("latency", 20.0),), 1),
        ((Bound("latency", 15.0),), 2),
        ((Bound("latency", 5.0),), None),
    ],
)
def test_the_best_trial_keeps_the_bounds(bounds: tuple[Bound, ...], best: int | None) -> None:
    assert Goal(bounds=bounds).best(FRONT) == best
    assert Goal(("score", "latency"), bounds).best(FRONT) == best


def test_of_equally_good_trials_the_first_is_the_best() -> None:
    assert Goal().best({4: {"score": 1.0}, 2: {"score": 1.0}, 3: {"score": 2.0}}) == 2


def test_a_study_that_says_nothing_of_it_is_judged_by_its_score() -> None:
    assert Goal.of_study({"forecast": {"metric": "mae"}}) == Goal.of_study({"search": {"sampler": "tpe"}}) == Goal()
    assert Goal().single


def test_a_goal_is_read_from_the_configuration_and_described() -> None:
    search = {"objectives": ["score", "latency"], "bounds": ["n_parameters <= 500"], "prefer": {"score": 1.0}}
    goal = Goal.of_study({"search": search})
    assert goal == Goal(("score", "latency"), (Bound("n_parameters", 500.0),), {"score": 1.0})
    assert not goal.single
    assert goal.describe() == "score and latency, with n_parameters <= 500"
