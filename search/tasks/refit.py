"""The end of a study, whatever its task: refit the winner, score the holdout once, judge, export."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from lstmgru.specs import RecurrentSpec, TrainSpec
from search.study.records import IntervalRecord
from search.tasks import task_of
from search.tasks.base import Task
from search.tasks.data import Data, FinalJob, Model, SeedResult, Split
from search.tasks.verdict import best_baseline, judge

if TYPE_CHECKING:
    from lstmgru.training.training import EpochResult, Trained
    from search.executors.base import JobContext
    from search.tasks.plan import Plan


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


def finalize(task: Task[Data, Split, Model], job: FinalJob[Data, Split, Model], context: JobContext) -> FinalResult:
    """Refit the winner, score it and the baselines on the holdout, save the bundle and the tables of the holdout.

    Raises:
        InterruptedError: The refit was asked to stop.
        NoTrialCompleted: The winner has no score on the holdout.
    """
    from lstmgru.bundle.save import save_bundle

    winner, metric = job.winner, job.data.metric
    deadline = Deadline(job.seconds, context)
    fitted = task.refit(job.data, job.holdout, winner.model, winner.train, deadline, part=job.refit)
    if context.stop_reason() is not None:
        raise InterruptedError("the refit was interrupted")
    scores = task.score_holdout(job, fitted)
    best = best_baseline(metric, scores.baselines)
    verdict, beats = judge(
        metric,
        scores.metrics[metric],
        best,
        scores.baselines[best],
        scores.difference(best),
        choices=len(scores.baselines),
    )
    known = {"holdout": scores.metrics, "baselines": scores.baselines, "verdict": verdict, **scores.details}
    bundle = task.bundle(job, fitted, known)
    saved = save_bundle(job.bundle, bundle, onnx="try")
    task.write_holdout(job, scores, bundle)
    problem = saved.onnx_problem
    return FinalResult(
        metrics=scores.metrics,
        baselines=scores.baselines,
        verdict=verdict,
        beats_baselines=beats,
        intervals=scores.intervals,
        epochs=len(fitted.epochs),
        cut=fitted.stopped,
        notes=(f"the model was exported without ONNX: {problem}",) if problem else (),
    )


class Deadline:
    """Stops a training when its time is up, or when it is asked to.

    Args:
        seconds: Time limit; ``inf``: none.
        context: Of the job.
    """

    def __init__(self, seconds: float, context: JobContext) -> None:
        self._end, self._context = time.monotonic() + seconds, context

    def on_epoch(self, result: EpochResult) -> None:
        """Ignored."""

    def should_stop(self) -> bool:
        """Whether to stop now."""
        return time.monotonic() > self._end or self._context.stop_reason() is not None


def refit_epochs(best_epochs: list[int]) -> int:
    """Epochs of a refit, which has no validation part: the median of the folds' best epochs."""
    return max(1, round(statistics.median(best_epochs)))


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
        return cls(task_of(plan), plan.whole_data(), plan.holdout, model, train, plan.config.training.refit)

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
