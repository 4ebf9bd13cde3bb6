"""Pruning: intermediate values in, decision out."""

from __future__ import annotations

import optuna
import pytest
from optuna.trial import TrialState

from search.pruning import STARTUP_TRIALS, make_pruner, should_prune

EPOCHS = 10
"""Steps of one fold in these tables."""


def study_with(values: list[dict[int, float]], pruner: str = "median") -> optuna.Study:
    study = optuna.create_study(pruner=make_pruner(pruner))  # type: ignore[arg-type]
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


FLAT = [dict.fromkeys((1, 2, 3, 4, 5, 11, 12, 13, 14, 15), 1.0 + 0.1 * n) for n in range(STARTUP_TRIALS)]
"""Medians of 1.2 at every step of two folds."""


@pytest.mark.parametrize(
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
