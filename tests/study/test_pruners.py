"""Pruning: intermediate values in, decision out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import optuna
import pytest
from helpers.combinations import each_row
from helpers.drivers import NUMBERS, drive
from optuna.trial import TrialState

from search.config.search_config import RUNGS, PrunerName
from search.study.pruners import (
    PRUNERS,
    STARTUP_TRIALS,
    _has_rungs,
    make_pruner,
    pass_last_rungs,
    prune_reason,
    should_prune,
)

EPOCHS = 10
"""Steps of one fold in these tables."""


def study_with(values: list[dict[int, float]], pruner: str = "median", **options: Any) -> optuna.Study:
    study = optuna.create_study(study_name="demo", pruner=make_pruner(pruner, **options))  # type: ignore[arg-type]
    for intermediate in values:
        last = intermediate[max(intermediate)]
        study.add_trial(
            optuna.trial.create_trial(state=TrialState.COMPLETE, value=last, intermediate_values=intermediate)
        )
    return study


def decide(study: optuna.Study, reported: dict[int, float]) -> bool:
    trial = study.ask()
    for step, value in reported.items():
        trial.report(value, step)
    return should_prune(study, study.trials[-1], step=max(reported, default=1), max_epochs=EPOCHS)


def test_every_pruner_has_its_entry_and_those_with_rungs_are_known() -> None:
    assert set(PRUNERS) == set(get_args(PrunerName))
    assert {name for name in PRUNERS if _has_rungs(make_pruner(name))} == set(RUNGS)


FLAT = [dict.fromkeys((1, 2, 3, 4, 5, 11, 12, 13, 14, 15), 1.0 + 0.1 * n) for n in range(STARTUP_TRIALS)]
"""Medians of 1.2 at every step of two folds."""


@each_row(
    ("reported", "expected"),
    [
        ({}, False),
        ({1: 9.0}, False),  # warm-up
        ({1: 9.0, 2: 9.0, 3: 9.0}, False),  # still warm-up
        ({1: 9.0, 2: 9.0, 3: 9.0, 4: 9.0}, True),
        ({1: 1.0, 2: 1.0, 3: 1.0, 4: 1.1}, False),
        ({1: 1.0, 2: 9.0, 3: 9.0, 4: 9.0}, False),  # the best epoch of the fold counts, as of the others
        ({1: 1.0, 4: 1.0, 11: 9.0}, False),  # a new fold warms up again
        ({1: 1.0, 4: 1.0, 11: 9.0, 12: 9.0, 13: 9.0, 14: 9.0}, True),  # an easy first fold does not protect
        (
            {1: 9.0, 2: 9.0, 3: 9.0, 11: 1.0, 12: 1.0, 13: 1.0, 14: 1.0},
            False,
        ),  # a hard first fold does not condemn
        ({1: 9.0, 2: 9.0, 3: 9.0, 9: 9.0}, False),  # nobody else reached that epoch
    ],
)
def test_a_trial_is_compared_at_the_same_epoch_of_the_same_fold(reported: dict[int, float], expected: bool) -> None:
    assert decide(study_with(FLAT), reported) is expected


def test_a_trial_that_is_run_again_is_not_judged_by_its_first_attempt() -> None:
    study = study_with(FLAT)
    trial = study.ask()
    for step in range(1, 6):
        trial.report(9.0, step)
    assert not should_prune(study, study.trials[-1], step=2, max_epochs=EPOCHS)
    assert should_prune(study, study.trials[-1], step=4, max_epochs=EPOCHS)


def test_no_trial_is_pruned_before_a_few_are_complete() -> None:
    reported = dict.fromkeys(range(1, 6), 9.0)
    assert not decide(study_with(FLAT[: STARTUP_TRIALS - 1]), reported)
    assert decide(study_with(FLAT), reported)


def test_none_never_prunes() -> None:
    assert not decide(study_with(FLAT, "none"), dict.fromkeys(range(1, 6), 9.0))


@pytest.mark.parametrize(
    ("percentile", "value", "expected"),
    [
        (None, 1.05, False),  # values of the others: 1.0, 1.1, 1.2, 1.3, 1.4
        (None, 1.15, True),
        (50.0, 1.15, False),
        (50.0, 1.25, True),
        (80.0, 1.31, False),
        (80.0, 1.35, True),
    ],
)
def test_a_percentile_keeps_so_many_of_the_best(percentile: float | None, value: float, expected: bool) -> None:
    study = study_with(FLAT, "percentile", percentile=percentile)
    assert decide(study, dict.fromkeys(range(1, 5), value)) is expected


@pytest.mark.parametrize("pruner", ["median", "percentile"])
def test_trials_that_break_a_bound_are_no_standard(pruner: str) -> None:
    """Large networks that score well would have every small one pruned, of which the winner must be one."""
    study = optuna.create_study(pruner=make_pruner(pruner))  # type: ignore[arg-type]
    for number in range(2 * STARTUP_TRIALS):
        large = number % 2 == 0
        value = 0.1 if large else 1.0
        trial = optuna.trial.create_trial(value=value, intermediate_values=dict.fromkeys(range(1, 11), value))
        trial.set_constraint("n_parameters", 0.5 if large else -0.5)
        study.add_trial(trial)
    assert not decide(study, dict.fromkeys(range(1, 6), 0.9))
    assert decide(study, dict.fromkeys(range(1, 6), 1.1))


HALVING = "successive_halving"


def run(study: optuna.Study, reported: dict[int, float], *, folds: int = 3) -> int | None:
    """Report one value after the other; the step at which the trial is pruned, or ``None`` if it comes to its end."""
    trial = study.ask()
    for step, value in reported.items():
        trial.report(value, step)
        if should_prune(study, study.get_trials(deepcopy=False)[trial.number], step=step, max_epochs=EPOCHS):
            study.tell(trial, state=TrialState.PRUNED)
            return step
    pass_last_rungs(study, study.get_trials(deepcopy=False)[trial.number], folds=folds, max_epochs=EPOCHS)
    study.tell(trial, list(reported.values())[-1])
    return None


WHOLE = [*range(1, 31)]
"""Every step of three folds; the rungs of successive halving are at 3 and 12, those of hyperband at 3, 9 and 27."""
PATIENT = [1, 2, 3, 4, 5, *range(11, 31)]
"""The first fold ended after five epochs."""


@each_row(
    ("steps", "values", "expected"),
    [
        (WHOLE, {1: 2.0}, 3),  # not before the first rung
        (WHOLE, {1: 1.0}, None),  # as good as the best
        (WHOLE, {1: 0.5, 4: 2.0}, 12),  # a rung in the second fold
        (PATIENT, {1: 0.5, 4: 2.0}, 12),
        (WHOLE, {1: 0.5, 4: 2.0, 12: 0.5}, None),  # only what it has at a rung counts
        (PATIENT, {1: 2.0}, 3),
        ([1, 2, *range(11, 31)], {1: 2.0}, 11),  # patience left the rung out: what was reached counts there
        ([1, 2, *range(11, 31)], {1: 1.0, 11: 2.0}, 12),  # a bad second fold is no bad first one
    ],
)
def test_halving_compares_at_rungs_fold_after_fold(
    steps: list[int], values: dict[int, float], expected: int | None
) -> None:
    study = study_with([], HALVING)
    for value in (1.0, 1.1, 1.2, 1.3):
        run(study, dict.fromkeys(WHOLE, value))
    reported, value = {}, 0.0
    for step in steps:
        value = values.get(step, value)
        reported[step] = value
    assert run(study, reported) == expected


def test_a_quarter_passes_each_rung() -> None:
    study = study_with([], HALVING)
    ends = [run(study, dict.fromkeys(WHOLE, 1.0 - number / 100)) for number in range(8)]
    assert ends == [None] * 8  # each is the best so far
    ends = [run(study, dict.fromkeys(WHOLE, 0.925 + number / 1000)) for number in range(8)]
    # The two best of nine and of ten pass. From then on the two best, three best… are those, and ones that came before.
    assert ends == [None, None, *[3] * 6]


def test_a_trial_that_ended_early_counts_at_the_rungs_that_it_left_out() -> None:
    """Otherwise the second would be alone at the rung of step 12, and pass."""
    study = study_with([], HALVING)
    run(study, dict.fromkeys([1, 2, 3, 11], 1.0), folds=3)
    assert study.trials[0].system_attrs["completed_rung_1"] == 1.0
    assert run(study, {**dict.fromkeys([1, 2, 3], 0.9), **dict.fromkeys(range(11, 31), 1.5)}) == 12


def test_a_trial_that_is_run_again_is_not_judged_twice_at_a_rung() -> None:
    study = study_with([], HALVING)
    run(study, dict.fromkeys(WHOLE, 1.0))
    trial = study.ask()
    for step in range(1, 6):
        trial.report(0.9, step)
        assert not should_prune(study, study.trials[-1], step=step, max_epochs=EPOCHS)
    for step in range(1, 6):  # again, from its beginning
        assert not should_prune(study, study.trials[-1], step=step, max_epochs=EPOCHS)
    assert study.trials[-1].system_attrs == {"completed_rung_0": 0.9}


def test_hyperband_compares_within_brackets_that_begin_at_different_rungs() -> None:
    study = study_with([], "hyperband", epochs=30)
    ends = [run(study, dict.fromkeys(WHOLE, 1.0 + number / 100)) for number in range(40)]
    assert set(ends) == {None, 3, 9, 27}
    assert ends.count(None) == 3  # the first of each bracket


@pytest.mark.parametrize(
    ("name", "percentile", "reason"),
    [
        ("median", None, "worse than the median at the same fold and epoch"),
        ("percentile", None, "not among the best 25% at the same fold and epoch"),
        ("percentile", 12.5, "not among the best 12.5% at the same fold and epoch"),
        ("hyperband", None, "not among the best third of its bracket at that epoch"),
        ("successive_halving", None, "not among the best quarter at that epoch"),
    ],
)
def test_a_pruned_trial_says_by_what_rule(name: str, percentile: float | None, reason: str) -> None:
    assert prune_reason(name, percentile=percentile) == reason


SLOW = NUMBERS.replace("max_epochs: 1", "max_epochs: 9, patience: null").replace("folds: 1", "folds: 2")
"""Two folds of nine epochs, in which small steps lead nowhere."""


@pytest.mark.parametrize(
    ("pruner", "last_epochs"),
    [
        ("median", range(4, 10)),
        pytest.param("percentile", range(4, 10), marks=pytest.mark.slow),
        pytest.param("hyperband", [3, 9], marks=pytest.mark.slow),
        (HALVING, [3, 12]),
    ],
)
def test_a_pruner_stops_trials_of_a_real_study(tmp_path: Path, pruner: str, last_epochs: Any) -> None:
    """Nearly all of the learning rates are too small; each pruner stops trials, where it may and for its reason."""
    store = drive(
        tmp_path,
        f"search.pruner={pruner}",
        "search.sampler=random",
        "search.trials=12",
        "space.learning_rate={low: 1e-5, high: 3e-2, log: true}",
        text=SLOW,
    )
    trials = store.record().trials
    pruned = [trial for trial in trials if trial.state == "PRUNED"]
    assert pruned
    assert {trial.reason for trial in pruned} == {prune_reason(pruner)}
    for trial in pruned:
        fold, epoch = trial.curve[-1].fold, trial.curve[-1].epoch
        assert (fold - 1) * 9 + epoch in last_epochs or (pruner in ("median", "percentile") and epoch in last_epochs)
        assert trial.n_parameters
        assert trial.latency
    best, worst = min(trials, key=lambda trial: trial.value or 9e9), max(pruned, key=lambda trial: trial.value or 0)
    assert best.state == "COMPLETE"
    assert (worst.value or 0) > (best.value or 0)
