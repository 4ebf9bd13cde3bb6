"""What the end of a study needs and gives, whatever its task."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lstmgru.specs import TrainSpec
from search.space.space import Model
from search.study.records import IntervalRecord

if TYPE_CHECKING:
    from lstmgru.training.callbacks import EpochResult
    from lstmgru.training.training import Trained
    from search.executors.base import JobContext

Data = TypeVar("Data")
Split = TypeVar("Split")


@dataclass(frozen=True)
class Winner:
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
class FinalTask(Generic[Data, Split]):
    """Everything that the end of a study needs.

    Attributes:
        data: What the trials saw, and the holdout, too.
        holdout: The split that is scored.
        winner: What is refitted.
        refit: ``all``: on everything but the holdout; ``last_fold``: as in the last fold.
        baseline_calibrations: Of the intervals of the baselines, by name.
        seconds: What the refit may take.
        bundle: Directory to write.
        report: Directory for what was said of the holdout.
        gaps: What the bundle does about missing rows and cells.
        provenance: What the bundle says about its origin.
    """

    data: Data
    holdout: Split
    winner: Winner
    refit: str
    baseline_calibrations: dict[str, Any]
    seconds: float
    bundle: Path
    report: Path
    gaps: Any
    provenance: dict[str, Any]


@dataclass(frozen=True)
class FinalResult:
    """What the holdout says.

    Attributes:
        metrics: Of the winner, every metric by name.
        baselines: The study's metric of every baseline.
        verdict: One sentence.
        beats_baselines: Whether the whole interval of the difference is on the winner's side.
        intervals: What the winner's prediction intervals cover.
        epochs: Epochs that the refit trained.
        cut: Whether its time was up before it was done.
        notes: What else a user should know, a sentence each.
    """

    metrics: dict[str, float]
    baselines: dict[str, float]
    verdict: str
    beats_baselines: bool
    intervals: tuple[IntervalRecord, ...]
    epochs: int
    cut: bool
    notes: tuple[str, ...] = ()


class Deadline:
    """Stops the refit when its time is up, or when it is asked to."""

    def __init__(self, seconds: float, channel: JobContext) -> None:
        self._end, self._channel = time.monotonic() + seconds, channel
        self.epochs = 0

    def on_epoch(self, result: EpochResult) -> None:
        """Count it."""
        self.epochs = result.epoch

    def should_stop(self) -> bool:
        """Whether to stop now."""
        return time.monotonic() > self._end or self._channel.stop_reason() is not None


def check_interrupted(channel: JobContext) -> None:
    """Go no further where the refit was interrupted.

    Raises:
        InterruptedError: It was.
    """
    if channel.stop_reason() is not None:
        raise InterruptedError("the refit was interrupted")


def final_result(
    metrics: dict[str, float],
    baselines: dict[str, float],
    verdict: tuple[str, bool],
    fitted: Trained[Any],
    onnx_problem: str | None,
    intervals: tuple[IntervalRecord, ...] = (),
) -> FinalResult:
    """What a study notes of its end."""
    return FinalResult(
        metrics=metrics,
        baselines=baselines,
        verdict=verdict[0],
        beats_baselines=verdict[1],
        intervals=intervals,
        epochs=len(fitted.epochs),
        cut=fitted.stopped,
        notes=(f"the model was exported without ONNX: {onnx_problem}",) if onnx_problem else (),
    )


def refit_epochs(best_epochs: list[int]) -> int:
    """How long the refit trains, having no validation part: the median of the folds' best epochs."""
    return max(1, round(statistics.median(best_epochs)))
