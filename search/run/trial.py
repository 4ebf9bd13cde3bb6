"""The job of a worker that runs one trial over the folds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import chain
from math import inf
from typing import TYPE_CHECKING, Any

from search.executors.base import INTERRUPTED
from search.study.records import EpochRecord
from search.tasks.epochs import scored_epochs

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lstmgru.specs import TrainSpec
    from lstmgru.training.epoch_outputs import EpochOutputs
    from lstmgru.training.training import EpochResult, Trained
    from search.executors.base import JobContext
    from search.space.space import Model
    from search.study.out_of_fold import Outputs
    from search.tasks.base import Task
    from search.tasks.data import TaskData


@dataclass(frozen=True)
class TrialReport:
    """One epoch, as reported to the driver.

    Attributes:
        step: ``fold * max_epochs + epoch``, both counted from 0, plus 1.
        value: Mean of the finished folds' best scores and the best so far of the current fold.
        epoch: The epoch itself.
    """

    step: int
    value: float
    epoch: EpochRecord


@dataclass(frozen=True)
class FinishedFold:
    """A fold that was trained to its end, as reported to the driver: a trial that is lost resumes after it.

    The last fold is not reported: with it, the trial ends.

    Attributes:
        fold: 1 for the first.
        score: Its best score.
        best_epoch: The epoch of that score.
        seconds: Wall time of its training.
        elapsed: Seconds since the trial started, in all workers that it had.
        epochs: Its epochs, as reported.
        kept_epochs: Those whose outputs are kept, ascending; the best one is among them.
        outputs: (kept epochs, cases, …) for all scored cases.
    """

    fold: int
    score: float
    best_epoch: int
    seconds: float
    elapsed: float
    epochs: tuple[TrialReport, ...]
    kept_epochs: tuple[int, ...]
    outputs: npt.NDArray[np.float32]

    def after(self, epoch: int) -> tuple[float, npt.NDArray[np.float32]]:
        """Score and outputs after an epoch, or after the nearest one whose outputs are kept."""
        place = min(range(len(self.kept_epochs)), key=lambda each: abs(self.kept_epochs[each] - epoch))
        scores = {each.epoch.epoch: each.epoch.value for each in self.epochs}
        return scores[self.kept_epochs[place]], self.outputs[place]


@dataclass(frozen=True)
class FoldCheckpoint:
    """A fold in the middle of its training, as reported to the driver: a trial that is lost resumes from it.

    Attributes:
        fold: 1 for the first.
        elapsed: Seconds since the trial started, in all workers that it had.
        epochs: The epochs of the fold so far, as reported.
        state: Of the training, see :class:`lstmgru.training.checkpoints.Checkpoints`.
    """

    fold: int
    elapsed: float
    epochs: tuple[TrialReport, ...]
    state: bytes


@dataclass(frozen=True)
class Resumption:
    """Where a trial begins, and how often it reports a checkpoint.

    Attributes:
        finished: The first folds, which an earlier attempt has finished; not all of them.
        checkpoint: Of the fold after them; ``None``: it is trained from its beginning.
        seconds: Minimum training time before the first checkpoint of a fold and between two of them.
    """

    finished: tuple[FinishedFold, ...] = ()
    checkpoint: FoldCheckpoint | None = None
    seconds: float = inf

    @property
    def elapsed(self) -> float:
        """Seconds that the earlier attempts need not spend again."""
        last = self.checkpoint or (self.finished[-1] if self.finished else None)
        return 0.0 if last is None else last.elapsed

    @property
    def epochs(self) -> tuple[TrialReport, ...]:
        """The epochs that are not repeated, as reported."""
        folds = [each.epochs for each in self.finished]
        return tuple(chain(*folds, () if self.checkpoint is None else self.checkpoint.epochs))


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial.

    Attributes:
        fold_scores: Score of each fold that was trained to its end, see
            :func:`~search.tasks.epochs.scored_epochs`; the best one if the trial was stopped.
        best_epochs: The epoch of the best score of each of them.
        fold_seconds: Wall time of those folds.
        n_parameters: Of the network.
        latency: Seconds of one forecast of the last fold's network.
        train_seconds: Wall time of all folds, also of one that was not finished.
        seconds: Wall time of the whole trial in its worker.
        calibration: Calibration of its intervals on the outputs for the folds, finished or not
            (:class:`lstmgru.specs.calibration.Calibration` as plain values); ``None`` where it has none.
        stopped: Why the trial was stopped early, or ``None``.
        outputs: The kept outputs for the folds; ``None`` if it was stopped.
    """

    fold_scores: tuple[float, ...]
    best_epochs: tuple[int, ...]
    fold_seconds: tuple[float, ...]
    n_parameters: int
    latency: float
    train_seconds: float
    seconds: float
    calibration: dict[str, Any] | None
    stopped: str | None
    outputs: Outputs | None = None

    @property
    def score(self) -> float:
        """Mean of the folds' scores, of a trial that was not stopped."""
        return sum(self.fold_scores) / len(self.fold_scores)

    @property
    def measures(self) -> dict[str, float]:
        """Costs of the network by objective; of a stopped trial, up to the point where it stopped."""
        return {
            "latency": self.latency,
            "n_parameters": self.n_parameters,
            "train_seconds": round(self.train_seconds, 3),
        }

    def details(self) -> dict[str, Any]:
        """What a study stores besides the score."""
        return {
            **self.measures,
            "seconds": round(self.seconds, 3),
            "fold_scores": self.fold_scores,
            "best_epochs": self.best_epochs,
            "fold_seconds": self.fold_seconds,
            "reason": self.stopped,
        }


class _FoldObserver:
    """Turns the epochs of one fold into reports about the trial."""

    def __init__(
        self, context: JobContext, data: TaskData, fold: int, max_epochs: int, earlier: list[float], start: float
    ) -> None:
        self.reason: str | None = None
        self.reports: list[TrialReport] = []
        self._context, self._data, self._fold, self._max_epochs = context, data, fold, max_epochs
        self._earlier, self._start = earlier, start
        self._best: float | None = None

    def resume(self, checkpoint: FoldCheckpoint) -> bytes:
        """Continue after the epochs of a checkpoint, which the driver knows; returns the state of the training."""
        self.reports.extend(checkpoint.epochs)
        for each in checkpoint.epochs:
            self._note(each.epoch.value)
        return checkpoint.state

    def on_checkpoint(self, state: bytes) -> None:
        """Report a checkpoint; the epoch before it was reported."""
        elapsed = time.perf_counter() - self._start
        self._context.report(FoldCheckpoint(self._fold + 1, elapsed, tuple(self.reports), state))

    def on_epoch(self, result: EpochResult) -> None:
        if self.reason == INTERRUPTED:
            return  # the epoch was cut short, and will be run again as a whole
        scores = [*self._earlier, self._note(result.score)]
        seconds = time.perf_counter() - self._start
        epoch = EpochRecord(self._fold + 1, result.epoch, result.train_loss, result.score, seconds)
        step = self._fold * self._max_epochs + result.epoch
        self.reports.append(TrialReport(step, sum(scores) / len(scores), epoch))
        self._context.report(self.reports[-1])

    def _note(self, score: float) -> float:
        """The best score of the fold so far."""
        self._best = score if self._best is None else self._data.better(self._best, score)
        return self._best

    def should_stop(self) -> bool:
        self.reason = self.reason or self._context.stop_reason()
        return self.reason is not None


def run_trial(
    task: Task[Any, Any, Any],
    data: TaskData,
    model: Model,
    train: TrainSpec,
    resumption: Resumption,
    context: JobContext,
) -> TrialResult:
    """Train one candidate on every fold, reporting each epoch and each finished fold, and measure what it costs.

    Every fold is seeded by itself, and checkpoints within a fold contain all of its state, so a trial that resumes has
    the scores of one that was never interrupted.

    Args:
        task: Of the study.
        data: Of the study.
        model: The architecture.
        train: The training settings.
        resumption: Where it begins.
        context: Receives the reports.

    Raises:
        TrainingDiverged: A loss or score is not finite.
        DataError: A fold has nothing to learn from for this candidate.
    """
    from lstmgru.nn.costs import count_parameters, network_latency
    from lstmgru.training.checkpoints import Checkpoints
    from lstmgru.training.epoch_outputs import EpochOutputs

    start, checkpoint = time.perf_counter() - resumption.elapsed, resumption.checkpoint
    folds = list(resumption.finished)
    train_seconds = sum(each.seconds for each in folds)
    for fold, split in enumerate(data.folds[len(folds) :], start=len(folds)):
        observer = _FoldObserver(context, data, fold, train.max_epochs, [each.score for each in folds], start)
        checkpoints = Checkpoints(observer.on_checkpoint, seconds=resumption.seconds)
        if checkpoint is not None:  # of the first of these folds
            checkpoints.resume_from = observer.resume(checkpoint)
            checkpoint = None
        kept = EpochOutputs() if len(data.folds) > 1 else None
        fitted = task.fit(data, split, model, train, observer, checkpoints=checkpoints, epoch_outputs=kept)
        train_seconds += fitted.seconds
        if observer.reason is not None:
            break
        folds.append(_finished(fold, fitted, kept, observer, time.perf_counter() - start))
        if len(folds) < len(data.folds):
            context.report(folds[-1])
    best_epochs = [each.best_epoch for each in folds]
    # Pruning compares the best scores so far, and so do those who read why a trial was stopped.
    epochs = best_epochs if observer.reason is not None else scored_epochs(best_epochs)
    scored = [each.after(epoch) for each, epoch in zip(folds, epochs, strict=True)]
    backtest = data.backtest(model)
    for fold, (_, outputs) in enumerate(scored):
        backtest.add(fold, outputs)
    if observer.reason is not None and fitted.outputs is not None:
        backtest.add(len(folds), fitted.outputs)
    return TrialResult(
        fold_scores=tuple(score for score, _ in scored),
        best_epochs=tuple(best_epochs),
        fold_seconds=tuple(each.seconds for each in folds),
        n_parameters=count_parameters(fitted.network),
        latency=network_latency(fitted.network),
        train_seconds=train_seconds,
        seconds=time.perf_counter() - start,
        calibration=backtest.calibration(),
        stopped=observer.reason,
        outputs=backtest.outputs() if observer.reason is None else None,
    )


def _finished(
    fold: int, fitted: Trained[Any], kept: EpochOutputs | None, observer: _FoldObserver, elapsed: float
) -> FinishedFold:
    """A fold, counted from 0, whose training ended by itself."""
    import numpy as np

    assert fitted.outputs is not None  # it was validated
    outputs = {fitted.best_epoch: fitted.outputs} | ({} if kept is None else kept.epochs)
    epochs = sorted(outputs)
    return FinishedFold(
        fold + 1, fitted.score, fitted.best_epoch, fitted.seconds, elapsed, tuple(observer.reports), tuple(epochs),
        np.stack([outputs[each] for each in epochs]),
    )  # fmt: skip
