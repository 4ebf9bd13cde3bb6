"""Median pruning across folds: a trial is compared with others at the same epoch of the same fold."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from optuna import Study
    from optuna.pruners import BasePruner
    from optuna.trial import FrozenTrial

# A few complete trials give the median its meaning; the first epochs of a network say little about its last ones.
STARTUP_TRIALS = 5
WARMUP_EPOCHS = 3


def make_pruner(name: Literal["median", "none"]) -> BasePruner:
    """The pruner of that name."""
    from optuna.pruners import MedianPruner, NopPruner

    if name == "none":
        return NopPruner()
    return MedianPruner(n_startup_trials=STARTUP_TRIALS)


def should_prune(study: Study, trial: FrozenTrial, *, step: int, max_epochs: int) -> bool:
    """Whether the study's pruner would stop the trial after a step.

    Steps are ``fold * max_epochs + epoch`` with folds from 0 and epochs from 1. Optuna's pruners look at the best value
    of all steps, so a trial with one easy fold would never be pruned in a harder one: they are shown the steps of the
    current fold only. Others are looked up at the same step, hence at the same fold and epoch.

    Args:
        study: Its pruner decides; its other trials are the standard.
        trial: A running trial with its intermediate values.
        step: The last one; a trial that is run again holds values of later steps from its first attempt.
        max_epochs: Steps of one fold.
    """
    if (step - 1) % max_epochs < WARMUP_EPOCHS:
        return False
    first_of_fold = (step - 1) // max_epochs * max_epochs + 1
    view = copy(trial)
    values = trial.intermediate_values.items()
    view.intermediate_values = {at: value for at, value in values if first_of_fold <= at <= step}
    return bool(study.pruner.prune(study, view))
