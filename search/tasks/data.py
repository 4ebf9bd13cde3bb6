"""What the search and its tasks exchange: data of the trials, results of baselines, seeds and the holdout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from lstmgru.evaluation.metrics import find_metric
from search.study.out_of_fold import Outputs

if TYPE_CHECKING:
    from lstmgru.evaluation.blending import Criterion
    from lstmgru.evaluation.time_limit import TimeLimit

Data = TypeVar("Data", bound="TaskData")
Split = TypeVar("Split")
Model = TypeVar("Model")
ColumnType = Literal["string", "long", "float", "double", "datetime"]
"""Names of MLflow's types."""

MOST_KEPT = 1_000_000
"""Numbers that are kept of the outputs of a trial or baseline for the folds."""


@dataclass(frozen=True)
class BaselineResult:
    """Scores of a baseline.

    Attributes:
        score: Mean over the folds.
        calibration: Of its prediction intervals, as plain values; ``None``: it has none.
        outputs: Its kept outputs for the folds.
    """

    score: float
    calibration: dict[str, Any] | None = None
    outputs: Outputs | None = None


@dataclass(frozen=True)
class DroppedBaseline:
    """A baseline that was not scored to the end.

    Attributes:
        reason: Why, after a colon.
    """

    reason: str


class Backtest(Protocol):
    """Collects the outputs of a candidate for the folds."""

    def add(self, fold: int, outputs: Any) -> None:
        """Outputs for the scored part of a fold, counted from 0."""

    def calibration(self) -> dict[str, Any] | None:
        """Calibration of prediction intervals, as plain values; ``None`` where there are none."""

    def outputs(self) -> Outputs:
        """The kept outputs of the folds so far."""

    def score(self, outputs: Sequence[Any]) -> float:
        """The mean score of the outputs for all folds, which were added before."""


class TaskData(ABC):
    """What every trial of a study shares; the holdout is hidden in it.

    A worker receives it once, so it must be picklable; it is read only. Tasks add ``folds``, a tuple of their splits.
    """

    if TYPE_CHECKING:

        @property
        def folds(self) -> tuple[Any, ...]:
            """First to last."""

    @property
    @abstractmethod
    def metric(self) -> str:
        """Name of the score."""

    @property
    @abstractmethod
    def targets(self) -> tuple[str, ...]:
        """Names of the columns that are predicted."""

    @property
    @abstractmethod
    def kept(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The scored cases of each fold whose outputs are kept, the same ones for every candidate: positions."""

    @property
    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the outputs for one case, without quantiles."""

    @property
    @abstractmethod
    def baselines(self) -> dict[str, bool]:
        """The names of the baselines for the data, simplest first, and whether each needs a job of its own."""

    @abstractmethod
    def fit_baseline(self, split: Any, name: str, limit: TimeLimit) -> Any:
        """A baseline, fitted to the training part of a split.

        Raises:
            BaselineTooSlow: It takes longer than the limit.
            DataError: It cannot be fitted.
        """

    @abstractmethod
    def predict_baseline(self, split: Any, fitted: Any, limit: TimeLimit) -> npt.NDArray[np.float32]:
        """The outputs of a fitted baseline for the scored part of a split.

        Raises:
            BaselineTooSlow: It takes longer than the limit.
        """

    @abstractmethod
    def backtest(self, model: Any = None) -> Backtest:
        """Collects the outputs for the folds of a candidate; ``None``: of a baseline."""

    @abstractmethod
    def criterion(self) -> Criterion:
        """What blends are selected by: the mean over the folds of the scores of the kept outputs."""

    def fits(self, outputs: Outputs) -> bool:
        """Whether kept outputs belong to these data: of the same folds and cases, with or without quantiles."""
        shape = self.output_shape
        return [len(values) for values in outputs] == [len(cases) for cases in self.kept] and all(
            values.shape[1 : len(shape) + 1] == shape and values.ndim <= len(shape) + 2 for values in outputs
        )

    def better(self, score: float, other: float) -> float:
        """The better of two scores."""
        return max(score, other) if find_metric(self.metric).larger_is_better else min(score, other)


def kept_cases(counts: Sequence[int], width: int, *, most: int = MOST_KEPT) -> tuple[npt.NDArray[np.int64], ...]:
    """The cases of each fold to keep the outputs of: all, or evenly spaced ones if they are too many.

    Args:
        counts: Number of scored cases of each fold.
        width: Numbers that the outputs of one case may have.
        most: Numbers to keep in all; at least one case of each fold is kept.
    """
    share = min(1.0, most / (sum(counts) * width))
    kept = [count if share == 1 else max(1, int(count * share)) for count in counts]
    return tuple(
        np.linspace(0, count - 1, some).round().astype(np.int64) for count, some in zip(counts, kept, strict=True)
    )


@dataclass(frozen=True)
class ModelColumns:
    """What an exported model reads and writes.

    Attributes:
        inputs: Columns that it reads, with their types.
        outputs: Columns that it writes, with their types.
        horizon: Steps that it forecasts; ``None`` of a model that labels.
        levels: Levels of its prediction intervals, ascending.
    """

    inputs: dict[str, ColumnType]
    outputs: dict[str, ColumnType]
    horizon: int | None = None
    levels: tuple[float, ...] = ()


@dataclass(frozen=True)
class SeedResult:
    """The result of one seed; subclasses add further scores of the holdout.

    Attributes:
        seed: Of the training.
        fold_scores: Score of each fold, see :func:`~search.tasks.epochs.scored_epochs`.
        best_epochs: The epoch of the best score of each fold.
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
        """The result that :meth:`to_dict` wrote; values that an older version wrote in addition are ignored."""
        known = {each.name for each in fields(cls)}
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known
        }
        return cls(**plain)
