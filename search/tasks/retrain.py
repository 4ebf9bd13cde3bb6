"""What a worker does for a family: train its best candidate again with a fresh seed, and score the holdout."""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from lstmgru.specs import TrainSpec
from search.space.space import Model
from search.tasks.base import TaskData
from search.tasks.refit import refit_epochs

if TYPE_CHECKING:
    from lstmgru.training.callbacks import EpochResult, Observer
    from lstmgru.training.training import Trained
    from search.executors.base import JobContext


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
class Candidate(ABC):
    """What is trained again.

    Attributes:
        data: What the trials saw, and the holdout, too.
        holdout: The split that is scored last.
        model: The architecture.
        train: The training settings, but for the seed.
        refit: ``all``: on everything but the holdout; ``last_fold``: as in the last fold.
    """

    result: ClassVar[type[SeedResult]]
    """What a seed gives."""

    data: TaskData
    holdout: Any
    model: Model
    train: TrainSpec
    refit: str

    @property
    @abstractmethod
    def last_fold(self) -> Any:
        """The split of that name."""

    @abstractmethod
    def fit(self, split: Any, train: TrainSpec, observer: Observer | None = None) -> Trained[Any]:
        """Train on the training part of a split, without a score for each epoch.

        Raises:
            TrainingDiverged: The loss is not finite.
        """

    @abstractmethod
    def score(self, fitted: Trained[Any]) -> dict[str, Any]:
        """The score on the holdout and what else it says, as :attr:`result` has them."""

    def narrow(self) -> Self:
        """The same with the smallest layers."""
        branches = tuple(tuple(replace(layer, hidden_size=1) for layer in stack) for stack in self.model.branches)
        return replace(self, model=replace(self.model, branches=branches))


def train_again(candidate: Candidate, seed: int, channel: JobContext) -> SeedResult | None:
    """Train on every fold, refit, and score the holdout; ``None`` if it was stopped.

    Raises:
        TrainingDiverged: A loss or score is not finite.
    """
    data, train, stop = candidate.data, replace(candidate.train, seed=seed), _Stop(channel)
    fits: list[Trained[Any]] = []
    for fold in range(data.n_folds):
        fits.append(data.fit(fold, candidate.model, train, stop))
        if fits[-1].stopped:
            return None
    best_epochs = [each.best_epoch for each in fits]
    if candidate.refit == "all":
        fitted = candidate.fit(candidate.holdout, replace(train, max_epochs=refit_epochs(best_epochs)), stop)
        if fitted.stopped:
            return None
    else:
        fitted = fits[-1]  # the same training part, the same seed
    folds = {
        "seed": seed,
        "fold_scores": [each.score for each in fits],
        "best_epochs": best_epochs,
        "epoch_seconds": statistics.mean(each.epochs[-1].seconds / len(each.epochs) for each in fits),
        "best_seconds": statistics.mean(each.epochs[each.best_epoch - 1].seconds for each in fits),
    }
    return candidate.result.from_dict(folds | candidate.score(fitted))


class _Stop:
    """Stops a training when the channel says so."""

    def __init__(self, channel: JobContext) -> None:
        self._channel = channel

    def on_epoch(self, result: EpochResult) -> None:
        """Nothing to tell."""

    def should_stop(self) -> bool:
        return self._channel.stop_reason() is not None
