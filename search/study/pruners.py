"""Pruning across folds: a trial is compared with others that keep the bounds, at the same epoch of the same fold."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, cast

from search.config.search_config import FIRST_RUNG, PERCENTILE

if TYPE_CHECKING:
    from collections.abc import Container

    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, TrialState

    from search.config.search_config import PrunerName

# A few complete trials give the median its meaning; the first epochs of a network say little about its last ones.
STARTUP_TRIALS = 5
WARMUP_EPOCHS = 3

_REASONS = {
    "median": "worse than the median at the same fold and epoch",
    "percentile": "not among the best {percentile:g} % at the same fold and epoch",
    "hyperband": "not among the best third of its bracket at that epoch",
    "successive_halving": "not among the best quarter at that epoch",
}


def make_pruner(name: PrunerName, *, percentile: float | None = None, epochs: int = FIRST_RUNG) -> BasePruner:
    """The pruner of that name.

    Args:
        name: ``median``; ``percentile``; ``hyperband`` (Li et al. 2018); ``successive_halving`` (Li et al. 2020, the
            asynchronous kind); ``none``.
        percentile: Best trials that go on, in per cent, for ``percentile``.
        epochs: Most epochs of a trial, all folds together, for ``hyperband``.
    """
    from optuna import pruners

    match name:
        case "median":
            return pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS)
        case "percentile":
            return pruners.PercentilePruner(percentile or PERCENTILE, n_startup_trials=STARTUP_TRIALS)
        case "hyperband":
            return pruners.HyperbandPruner(min_resource=FIRST_RUNG, max_resource=epochs)
        case "successive_halving":
            return pruners.SuccessiveHalvingPruner(min_resource=FIRST_RUNG)
        case "none":
            return pruners.NopPruner()


def prune_reason(name: str, *, percentile: float | None = None) -> str:
    """What is said of a trial that the pruner of that name stopped."""
    return _REASONS[name].format(percentile=percentile or PERCENTILE)


def should_prune(study: Study, trial: FrozenTrial, *, step: int, max_epochs: int) -> bool:
    """Whether the study's pruner would stop the trial after a step.

    Steps are ``fold * max_epochs + epoch`` with folds from 0 and epochs from 1. Optuna's pruners look at the best value
    of all steps, so a trial with one easy fold would never be pruned in a harder one: they are shown the steps of the
    current fold only. Others are looked up at the same step, hence at the same fold and epoch. Those that break a bound
    are no standard: where only small networks will do, they need not be as good as the large ones.

    Args:
        study: Its pruner decides; its other trials are the standard.
        trial: A running trial with its intermediate values.
        step: The last one; a trial that is run again holds values of later steps from its first attempt.
        max_epochs: Steps of one fold.
    """
    if _has_rungs(study.pruner):
        return _misses_a_rung(study, trial, step, max_epochs)
    if (step - 1) % max_epochs < WARMUP_EPOCHS:
        return False
    first_of_fold = (step - 1) // max_epochs * max_epochs + 1
    view = copy(trial)
    values = trial.intermediate_values.items()
    view.intermediate_values = {at: value for at, value in values if first_of_fold <= at <= step}
    return bool(study.pruner.prune(cast("Study", _WithinBounds(study)), view))


def pass_last_rungs(study: Study, trial: FrozenTrial, *, folds: int, max_epochs: int) -> None:
    """Let a trial that has come to its end count at the rungs that its last fold, ended by patience, did not reach.

    Without it, only the slow learners would be the standard there.

    Args:
        study: With its pruner.
        trial: Still running, as Optuna sees it.
        folds: How many it was trained on.
        max_epochs: Steps of one fold.
    """
    if _has_rungs(study.pruner):
        _misses_a_rung(study, trial, folds * max_epochs, max_epochs)


def _has_rungs(pruner: BasePruner) -> bool:
    """Whether it is one of those that compare trials at certain epochs only."""
    from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner

    return isinstance(pruner, HyperbandPruner | SuccessiveHalvingPruner)


def _misses_a_rung(study: Study, trial: FrozenTrial, step: int, max_epochs: int) -> bool:
    """Whether it is not among the best at a rung that it has reached.

    Rungs are numbers of epochs, fold after fold: a ladder in each fold would halve the halved again. What was reported
    last stands for the epochs that patience left out, so that all trials are compared at the same epoch of the same
    fold; the pruner is asked at the end of the fold before, too.
    """
    last_of_previous = (step - 1) // max_epochs * max_epochs
    return any(
        _prunes_at(study, study.get_trials(deepcopy=False)[trial.number], at)
        for at in (last_of_previous, step)
        if at > 0
    )


def _prunes_at(study: Study, trial: FrozenTrial, step: int) -> bool:
    reached = [at for at in trial.intermediate_values if at <= step]
    if not reached:
        return False
    view = copy(trial)
    view.intermediate_values = {step: trial.intermediate_values[max(reached)]}
    return bool(study.pruner.prune(study, view))


class _WithinBounds:
    """A study as a pruner may see it: its trials that are not known to break a bound."""

    def __init__(self, study: Study) -> None:
        self._study = study

    @property
    def direction(self) -> StudyDirection:
        return self._study.direction

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=deepcopy, states=states)
        return [trial for trial in trials if all(violation <= 0 for violation in trial.constraints.values())]
