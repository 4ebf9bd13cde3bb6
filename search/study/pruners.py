"""Pruning across folds: a trial is compared at the same fold and epoch, with trials that satisfy the bounds."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from types import ModuleType
from typing import TYPE_CHECKING, cast

from search.config.search_config import FIRST_RUNG, PERCENTILE

if TYPE_CHECKING:
    from collections.abc import Container

    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.study import StudyDirection
    from optuna.trial import FrozenTrial, TrialState

    from search.config.search_config import PrunerName

# The median needs a few complete trials, and the first epochs of a network say little about its last ones.
STARTUP_TRIALS, WARMUP_EPOCHS = 5, 3

PRUNERS: dict[PrunerName, tuple[Callable[[ModuleType, float, int], BasePruner], str]] = {
    "median": (
        lambda pruners, percentile, epochs: pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS),
        "worse than the median at the same fold and epoch",
    ),
    "percentile": (
        lambda pruners, percentile, epochs: pruners.PercentilePruner(percentile, n_startup_trials=STARTUP_TRIALS),
        "not among the best {percentile:g}% at the same fold and epoch",
    ),
    "hyperband": (
        lambda pruners, percentile, epochs: pruners.HyperbandPruner(min_resource=FIRST_RUNG, max_resource=epochs),
        "not among the best third of its bracket at that epoch",
    ),
    "successive_halving": (
        lambda pruners, percentile, epochs: pruners.SuccessiveHalvingPruner(min_resource=FIRST_RUNG),
        "not among the best quarter at that epoch",
    ),
    # Decides by itself, see search.study.screening.
    "screening": (lambda pruners, percentile, epochs: pruners.NopPruner(), "screening"),
    "none": (lambda pruners, percentile, epochs: pruners.NopPruner(), "never"),
}
"""How a pruner is made (of Optuna's pruners, the percentage and the epochs of a trial), and why it stops a trial."""


def make_pruner(name: PrunerName, *, percentile: float | None = None, epochs: int = FIRST_RUNG) -> BasePruner:
    """The pruner of that name.

    Args:
        name: Of :data:`PRUNERS`; for ``hyperband`` see Li et al. (2018), for ``successive_halving`` Li et al. (2020).
        percentile: Percentage of the best trials that continue, for ``percentile``.
        epochs: Maximum number of epochs of a trial over all folds, for ``hyperband``.
    """
    from optuna import pruners

    return PRUNERS[name][0](pruners, percentile or PERCENTILE, epochs)


def prune_reason(name: PrunerName, *, percentile: float | None = None) -> str:
    """Why the pruner of that name stopped a trial."""
    return PRUNERS[name][1].format(percentile=percentile or PERCENTILE)


def should_prune(study: Study, trial: FrozenTrial, *, step: int, max_epochs: int) -> bool:
    """Whether the study's pruner would stop the trial after a step.

    Steps are ``fold * max_epochs + epoch`` with folds from 0 and epochs from 1. Optuna's pruners use the best value of
    all steps, so a trial with one easy fold would never be pruned in a harder one; therefore they only see the steps of
    the current fold. Other trials are compared at the same step, hence at the same fold and epoch. Trials that violate
    a bound are excluded: where only small networks are allowed, they need not be as good as large ones.

    Args:
        study: The study with its pruner and the other trials.
        trial: A running trial with its intermediate values.
        step: The last step; a restarted trial may have values of later steps from its first attempt.
        max_epochs: Number of steps of a fold.
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
    """Count a finished trial at the rungs that its last fold did not reach because of early stopping.

    Otherwise only slow learners would be compared there.

    Args:
        study: The study with its pruner.
        trial: The trial, which Optuna still counts as running.
        folds: Number of folds that it was trained on.
        max_epochs: Number of steps of a fold.
    """
    if _has_rungs(study.pruner):
        _misses_a_rung(study, trial, folds * max_epochs, max_epochs)


def _has_rungs(pruner: BasePruner) -> bool:
    """Whether the pruner compares trials at certain epochs only."""
    from optuna.pruners import HyperbandPruner, SuccessiveHalvingPruner

    return isinstance(pruner, HyperbandPruner | SuccessiveHalvingPruner)


def _misses_a_rung(study: Study, trial: FrozenTrial, step: int, max_epochs: int) -> bool:
    """Whether the trial is not among the best at a rung that it has reached.

    Rungs count epochs over all folds, because separate rungs in each fold would halve the trials repeatedly. The last
    value stands for epochs that early stopping skipped, so that all trials are compared at the same fold and epoch;
    therefore the pruner is also asked at the end of the previous fold.
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
    """A view of a study for pruners, without the trials that violate a bound."""

    def __init__(self, study: Study) -> None:
        self._study = study

    @property
    def direction(self) -> StudyDirection:
        return self._study.direction

    def get_trials(self, deepcopy: bool = True, states: Container[TrialState] | None = None) -> list[FrozenTrial]:
        trials = self._study.get_trials(deepcopy=deepcopy, states=states)
        return [trial for trial in trials if all(violation <= 0 for violation in trial.constraints.values())]
