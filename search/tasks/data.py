"""What the search and its tasks exchange: data of the trials, results of baselines, seeds and the holdout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from lstmgru.evaluation.metrics import find_metric
from lstmgru.specs import TrainSpec
from search.study.predictions import Outputs
from search.study.records import IntervalRecord

if TYPE_CHECKING:
    from lstmgru.evaluation.significance import Interval

Data = TypeVar("Data", bound="TaskData")
Split = TypeVar("Split")
Model = TypeVar("Model")
OutputType = Literal["any", "string", "long", "float"]

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
    def kept(self) -> tuple[npt.NDArray[np.int64], ...]:
        """The scored cases of each fold whose outputs are kept, the same ones for every candidate: positions."""

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
        inputs: Columns that it reads.
        outputs: Columns that it writes, with MLflow's types; ``any`` where that depends on the table.
    """

    inputs: tuple[str, ...]
    outputs: dict[str, OutputType]


@dataclass(frozen=True)
class Winner(Generic[Model]):
    """The trial that is exported.

    Attributes:
        number: Its trial number.
        model: The architecture.
        train: Its training settings; ``max_epochs`` is what the refit takes at most.
        calibration: Of its intervals, as plain values; ``None``: it has none.
    """

    number: int
    model: Model
    train: TrainSpec
    calibration: dict[str, Any] | None


@dataclass(frozen=True)
class FinalJob(Generic[Data, Split, Model]):
    """Everything that the end of a study needs.

    Attributes:
        data: What the trials saw, and the holdout, too.
        holdout: The split that is scored.
        winner: The trial to refit.
        refit: ``all``: on everything but the holdout; ``last_fold``: as in the last fold.
        baseline_calibrations: Of the intervals of the baselines, by name.
        seconds: Time limit of the refit.
        bundle: Directory of the exported model.
        report: Directory of the tables of the holdout.
        gaps: How the bundle treats missing rows and cells.
        provenance: Origin of the model, for the bundle.
    """

    data: Data
    holdout: Split
    winner: Winner[Model]
    refit: str
    baseline_calibrations: dict[str, Any]
    seconds: float
    bundle: Path
    report: Path
    gaps: Any
    provenance: dict[str, Any]


@dataclass(frozen=True)
class HoldoutScores:
    """The winner and the baselines on the holdout.

    Attributes:
        metrics: Every metric of the winner, by name.
        baselines: The study's metric of every baseline, by name.
        difference: Interval of the difference between the winner's errors and those of a baseline, given its name.
        outputs: Of the winner, as the task's tables hold them.
        intervals: Coverage of the winner's prediction intervals.
        details: What else the bundle keeps, by name.
    """

    metrics: dict[str, float]
    baselines: dict[str, float]
    difference: Callable[[str], Interval]
    outputs: Any
    intervals: tuple[IntervalRecord, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SeedResult:
    """The result of one seed; subclasses add further scores of the holdout.

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
        """The result that :meth:`to_dict` wrote; values that an older version wrote in addition are ignored."""
        known = {each.name for each in fields(cls)}
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items() if name in known
        }
        return cls(**plain)
