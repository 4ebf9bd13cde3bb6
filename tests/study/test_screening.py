"""Screening: scores at rungs in, who continues and who is promoted out."""

from __future__ import annotations

from random import Random

import pytest
from helpers.combinations import each_row

from search.study.records import EpochRecord, TrialRecord
from search.study.screening import Rung, Screening, rungs

THIRD, HALF = Rung(3, 1 / 3, "a"), Rung(10, 1 / 2, "b")


def curve(*folds: list[float], seconds: float = 1.0) -> tuple[EpochRecord, ...]:
    """The epochs of folds with these scores."""
    rows = [(fold, epoch, value) for fold, values in enumerate(folds, 1) for epoch, value in enumerate(values, 1)]
    return tuple(
        EpochRecord(fold, epoch, 1.0, value, seconds * number) for number, (fold, epoch, value) in enumerate(rows, 1)
    )


@pytest.mark.parametrize(
    ("max_epochs", "n_folds", "expected"),
    [
        (30, 3, [(5, 1 / 3), (30, 1 / 2)]),
        (10, 3, [(3, 1 / 3), (10, 1 / 2)]),
        (30, 1, [(5, 1 / 3), (15, 1 / 2)]),
        (6, 1, [(3, 1 / 3)]),
        (3, 3, []),
        (1, 1, []),
    ],
)
def test_rungs_follow_the_epochs_of_the_first_fold(
    max_epochs: int, n_folds: int, expected: list[tuple[int, float]]
) -> None:
    assert [(rung.epoch, rung.keep) for rung in rungs(max_epochs, n_folds)] == expected


@each_row(
    ("others", "own", "passes"),
    [
        ([], 9.0, True),
        ([1.0], 2.0, False),
        ([3.0], 2.0, True),
        ([1.0, 3.0], 2.0, False),
        ([1.0, 3.0, 4.0], 2.0, True),  # two of four
        ([1.0, 1.5, 3.0, 4.0], 2.0, False),
        ([2.0], 2.0, True),  # a tie
    ],
)
@each_row("larger_is_better", [False, True])
def test_the_best_third_passes_the_first_rung(
    others: list[float], own: float, passes: bool, larger_is_better: bool
) -> None:
    sign = -1 if larger_is_better else 1
    screening = Screening((THIRD, HALF), larger_is_better=larger_is_better)
    for number, value in enumerate(others):
        screening.reach(number, curve([9.0 * sign, value * sign, 9.0 * sign]))
    assert screening.reach(99, curve([9.0 * sign, own * sign, 9.0 * sign])) == 0
    assert screening.passes(99, 0) is passes


def test_a_rung_is_reached_by_its_epoch_or_by_the_end_of_the_fold() -> None:
    screening = Screening((THIRD, HALF), larger_is_better=False)
    assert screening.reach(0, curve([1.0, 1.0])) is None
    assert screening.reach(0, curve([1.0, 1.0, 1.0])) == 0
    assert screening.reach(0, curve([1.0] * 9)) == 0
    assert screening.reach(0, curve([1.0] * 10)) == 1
    assert screening.reach(1, curve([1.0] * 5, [1.0])) == 1  # stopped early in the first fold
    assert screening.reach(2, curve([1.0] * 5), ended=True) == 1
    assert screening.reach(3, ()) is None


def test_later_epochs_do_not_count_at_an_earlier_rung() -> None:
    screening = Screening((THIRD, HALF), larger_is_better=False)
    screening.reach(0, curve([5.0, 5.0, 5.0, 1.0]))
    screening.reach(1, curve([4.0, 4.0, 4.0]))
    assert screening.passes(1, 0)
    assert not screening.passes(0, 0)


def test_a_stopped_candidate_is_promoted_when_worse_ones_come() -> None:
    screening = Screening((THIRD,), larger_is_better=False)
    for number, value in enumerate([1.0, 2.0]):
        screening.reach(number, curve([value] * 3))
    assert not screening.passes(1, 0)
    screening.stop(1, 1, 0)
    assert screening.promotable() is None
    for number in (2, 3):
        screening.reach(number, curve([5.0] * 3))
        screening.stop(number, number, 0)
    assert screening.promotable() == 1  # the second of four
    assert screening.promote(1) == 0
    assert screening.promotable() is None


def test_the_one_that_came_farthest_is_promoted_first() -> None:
    screening = Screening((THIRD, HALF), larger_is_better=False)
    for number, value in enumerate([3.0, 4.0, 1.0]):
        screening.reach(number, curve([value] * 10))
    screening.reach(3, curve([2.0] * 3))
    screening.stop(0, 7, 1)
    screening.stop(3, 3, 0)
    for number in range(4, 12):
        screening.reach(number, curve([9.0] * 3))
    assert screening.promotable() == 7  # the latest trial of candidate 0, at the second rung


def test_where_cost_counts_a_trial_is_compared_with_trials_of_similar_cost() -> None:
    screening = Screening((THIRD,), larger_is_better=False, by_cost=True)
    screening.reach(0, curve([1.0] * 3, seconds=10.0))
    screening.reach(1, curve([2.0] * 3, seconds=1.0))
    screening.reach(2, curve([3.0] * 3, seconds=2.0))
    assert [screening.passes(number, 0) for number in range(3)] == [True, True, False]


@pytest.mark.parametrize("by_cost", [False, True])
def test_promotions_are_those_of_a_pass_over_all_candidates(by_cost: bool) -> None:
    """Whatever has been promoted, discarded and trained again before; costs are of three kinds."""
    random, promoted = Random(1), 0
    screening = Screening((THIRD, HALF), larger_is_better=False, by_cost=by_cost)
    stopped: dict[int, tuple[int, int]] = {}
    for number in range(300):
        candidate = number
        if (found := screening.promotable()) is not None and random.random() < 0.5:
            candidate = next(each for each, (trial, _) in stopped.items() if trial == found)
            assert screening.promote(candidate) == stopped.pop(candidate)[1]
            promoted += 1
        scores = [random.choice([1.0, 2.0, random.random() * 4]) + number / 50 for _ in range(4)]
        rung = screening.reach(candidate, curve(scores, seconds=random.choice([1.0, 2.0, 20.0])))
        assert rung is not None
        if candidate == number and not screening.passes(candidate, rung):
            screening.stop(candidate, number, rung)
            stopped[candidate] = number, rung
        elif random.random() < 0.1:
            screening.discard(candidate)
        passing = [
            (-at, screening._values[at][each], trial)
            for each, (trial, at) in stopped.items()
            if screening.passes(each, at)
        ]
        assert screening.promotable() == (min(passing)[2] if passing else None)
    assert promoted > 10


def test_a_candidate_that_violates_a_bound_is_no_rival() -> None:
    screening = Screening((THIRD,), larger_is_better=False)
    for number, value in enumerate([1.0, 2.0]):
        screening.reach(number, curve([value] * 3))
    screening.discard(0)
    assert screening.passes(1, 0)


def test_trials_of_an_earlier_run_count_and_wait_for_promotion() -> None:
    screening = Screening((THIRD,), larger_is_better=False)

    def trial(number: int, value: float, state: str, reason: str | None = None) -> TrialRecord:
        return TrialRecord(  # type: ignore[call-arg]
            number=number, state=state, value=value, layers=None, params={}, n_parameters=None, latency=None,
            train_seconds=None, epochs=3, seconds=None, reason=reason, curve=curve([value] * 3),
        )  # fmt: skip

    stopped = screening.reason(0)
    screening.add(trial(0, 1.0, "COMPLETE"), 0)
    screening.add(trial(1, 2.0, "PRUNED", stopped), 1)
    screening.add(trial(2, 9.0, "PRUNED", stopped), 2)
    screening.add(trial(3, 8.0, "PRUNED", "the time budget ended"), 3)
    assert screening.promotable() == 1
    screening.add(trial(4, 2.0, "COMPLETE"), 1)  # it was promoted
    assert screening.promotable() is None
