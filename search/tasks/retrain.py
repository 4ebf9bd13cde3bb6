"""Retrain the best candidate of a family with a new seed and score the holdout: a job for a worker."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from lstmgru.specs import RecurrentSpec, TrainSpec
from search.tasks.base import Task
from search.tasks.refit import Deadline, refit_epochs

if TYPE_CHECKING:
    from lstmgru.training.training import Trained
    from search.executors.base import JobContext
    from search.tasks.plan import Plan


@dataclass(frozen=True)
class SeedResult:
    """What one seed gave; what else the holdout says stands in the classes derived from this one.

    Attributes:
        seed: Of the training.
        fold_scores: Best score of each fold.
        best_epochs: The epochs of those scores.
        epoch_seconds: Mean over the folds of the seconds of an epoch.
        best_seconds: Mean over the folds of the seconds until the best epoch was over.
        holdout: Score on the holdout.
    """

    seed: int
    fold_scores: tuple[float, ...]
    best_epochs: tuple[int, ...]
    epoch_seconds: float
    best_seconds: float
    holdout: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The result that :meth:`to_dict` wrote."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**plain)


@dataclass(frozen=True)
class Candidate:
    """A candidate to retrain.

    Attributes:
        task: Of the study.
        data: What the trials saw, and the holdout, too.
        holdout: The split that is scored last.
        model: The architecture.
        train: The training settings, but for the seed.
        refit: ``all``: on everything but the holdout; ``last_fold``: as in the last fold.
    """

    task: Task[Any, Any, Any]
    data: Any
    holdout: Any
    model: RecurrentSpec
    train: TrainSpec
    refit: str

    @classmethod
    def of_plan(cls, plan: Plan, model: RecurrentSpec, train: TrainSpec) -> Self:
        """A candidate of a study."""
        return cls(plan.task, plan.whole_data(), plan.holdout, model, train, plan.config.training.refit)

    def smallest(self) -> Self:
        """The same with layers of one unit."""
        branches = tuple(tuple(replace(layer, hidden_size=1) for layer in stack) for stack in self.model.branches)
        data, model = self.task.smallest(self.data, replace(self.model, branches=branches))
        return replace(self, data=data, model=model)


def retrain(candidate: Candidate, seed: int, context: JobContext) -> SeedResult | None:
    """Train on every fold, refit, and score the holdout; ``None`` if it was stopped.

    Raises:
        TrainingDiverged: A loss or score is not finite.
    """
    task, data, model = candidate.task, candidate.data, candidate.model
    train, stop = replace(candidate.train, seed=seed), Deadline(float("inf"), context)
    fits: list[Trained[Any]] = []
    for fold in data.folds:
        fits.append(task.fit(data, fold, model, train, stop))
        if fits[-1].stopped:
            return None
    best_epochs = [each.best_epoch for each in fits]
    fitted = fits[-1]  # with ``last_fold``, a refit would repeat it: the same training part, the same seed
    if candidate.refit == "all":
        train = replace(train, max_epochs=refit_epochs(best_epochs))
        fitted = task.refit(data, candidate.holdout, model, train, stop, part="all")
        if fitted.stopped:
            return None
    folds = {
        "seed": seed,
        "fold_scores": [each.score for each in fits],
        "best_epochs": best_epochs,
        "epoch_seconds": statistics.mean(each.epochs[-1].seconds / len(each.epochs) for each in fits),
        "best_seconds": statistics.mean(each.epochs[each.best_epoch - 1].seconds for each in fits),
    }
    return task.seed_result.from_dict(folds | task.score_seed(data, candidate.holdout, fitted))
