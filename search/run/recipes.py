"""The recipe of a finished trial: what is trained again at the end of a study, and on later data."""

from __future__ import annotations

import statistics
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from search.tasks.epochs import refit_epochs
from search.tasks.final_job import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from search.study.store import StudyStore
    from search.tasks.plan import Plan


def trial_recipe(plan: Plan, store: StudyStore, number: int, *, part: str) -> Recipe[Any]:
    """The specs of a trial, with the number of epochs of its refit.

    Args:
        plan: The study's.
        store: Where the trial is.
        number: Of the trial.
        part: Of the data; for ``all``, nothing validates, and the number of epochs is that of the best ones. For
            ``last_fold``, the last fold is repeated up to its best epoch or, with a learning rate schedule, which
            depends on the number of epochs, to its end.
    """
    from optuna.trial import FixedTrial

    trial = store.trial(number)
    model, settings = plan.space.suggest(FixedTrial(trial.params))
    train = plan.train_spec(settings, seed=trial.user_attrs["seed"])
    result = trial.user_attrs["result"]
    # A trial that was stopped within its first fold has no finished fold: use its best epoch so far.
    best_epochs = result["best_epochs"] or [_best_epoch(plan, result["curve"])]
    curve: tuple[float, ...] = ()
    if part == "all":
        train = replace(train, max_epochs=refit_epochs(best_epochs))
        curve = mean_curve(result["curve"])[: train.max_epochs]
    elif len(best_epochs) == plan.n_folds:
        best = min if plan.direction == "minimize" else max
        curve = tuple(accumulate((row[3] for row in result["curve"] if row[0] == plan.n_folds), best))
        if train.schedule == "constant":
            train = replace(train, max_epochs=best_epochs[-1])
            curve = curve[: train.max_epochs]
    return Recipe(number, model, train, trial.user_attrs.get("calibration"), curve)


def mean_curve(rows: Sequence[Sequence[Any]]) -> tuple[float, ...]:
    """Score after each epoch, the mean over the folds; a fold that ended earlier has its last score from then on.

    Args:
        rows: Of a trial's curve, with fold, epoch (from 1), loss and score first.
    """
    folds: dict[int, dict[int, float]] = {}
    for fold, epoch, _, score, *_ in rows:
        folds.setdefault(fold, {})[epoch] = score
    longest = max((max(scores) for scores in folds.values()), default=0)
    last = dict[int, float]()
    means = []
    for epoch in range(1, longest + 1):
        last |= {fold: scores[epoch] for fold, scores in folds.items() if epoch in scores}
        means.append(statistics.fmean(last.values()))
    return tuple(means)


def _best_epoch(plan: Plan, curve: list[list[Any]]) -> int:
    """The epoch with the best score, of the rows of a trial's curve."""
    best = min if plan.direction == "minimize" else max
    return int(best(curve, key=lambda epoch: epoch[3])[1])
