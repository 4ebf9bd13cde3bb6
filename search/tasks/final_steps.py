"""The end of a study, whatever its task: train networks again, score the holdout once, judge, export."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from lstmgru.errors import BaselineTooSlow
from lstmgru.evaluation.blending import Criterion, blended_folds, same_shapes
from lstmgru.evaluation.time_limit import TimeLimit
from lstmgru.specs import RecurrentSpec, TrainSpec
from search.executors.sharing import give_back_memory
from search.tasks import task_of
from search.tasks.backtest import BacktestPart
from search.tasks.base import Task
from search.tasks.data import Data, DroppedBaseline, Model, SeedResult, Split
from search.tasks.epochs import refit_epochs, scored_epochs
from search.tasks.final_job import EndData, FinalJob, FinalResult, HoldoutScores, Recipe, Refitted, Rival
from search.tasks.verdict import around, best_baseline, judge, of_baselines, unscored

if TYPE_CHECKING:
    from lstmgru.training.training import EpochResult, Trained
    from search.executors.base import JobContext
    from search.tasks.plan import Plan


EVERYTHING = "everything"
"""The part of the data that an exported model is trained on."""


def refit_network(
    task: Task[Data, Split, Model],
    end: EndData[Data, Split],
    recipe: Recipe[Model],
    part: str,
    seconds: float,
    context: JobContext,
) -> Refitted:
    """Train a network of the blend again.

    Args:
        task: Of the study.
        end: The data.
        recipe: The network.
        part: ``all``: on all data before the holdout; ``last_fold``: as in the last fold; ``everything``: on all data.
        seconds: Time limit, after which the network is as good as it is by then.
        context: Of the job.

    Raises:
        InterruptedError: The refit was asked to stop.
        TrainingDiverged: The loss is not finite.
    """
    deadline = Deadline(seconds, context)
    if part == EVERYTHING:
        split = task.everything(end.data, end.holdout)
        fitted = task.fit(end.data, split, recipe.model, recipe.train, deadline, validate=False)
    else:
        fitted = task.refit(end.data, end.holdout, recipe.model, recipe.train, deadline, part=part)
    if context.stop_reason() is not None:
        raise InterruptedError("the refit was interrupted")
    return Refitted.of_network(fitted)


def refit_baseline(
    task: Task[Data, Split, Model], end: EndData[Data, Split], name: str, part: str, seconds: float, context: JobContext
) -> Refitted | DroppedBaseline:
    """Fit a baseline again; its outputs for the holdout come with it, unless it has seen the holdout.

    Args:
        task: Of the study.
        end: The data.
        name: Of the baseline.
        part: ``everything``, or else the data before the holdout.
        seconds: Time limit; one that takes longer is dropped.
        context: Of the job.

    Raises:
        InterruptedError: It was asked to stop.
    """
    limit, start = TimeLimit(seconds, lambda: context.stop_reason() is not None), time.monotonic()
    split = task.everything(end.data, end.holdout) if part == EVERYTHING else end.holdout
    outputs: Any = None
    try:
        fitted = end.data.fit_baseline(split, name, limit)
        if part != EVERYTHING:
            outputs = end.data.predict_baseline(split, fitted, limit)
    except BaselineTooSlow as error:
        return DroppedBaseline(str(error))
    return Refitted.of_baseline(fitted, outputs, time.monotonic() - start)


def finalize(
    task: Task[Data, Split, Model], job: FinalJob[Data, Split, Model], context: JobContext
) -> FinalResult | None:
    """Score the blend and the baselines on the holdout, save the bundle and the tables of the holdout.

    Returns:
        ``None`` if the blend is worse on the folds than it must be: then nothing is written.

    Raises:
        InterruptedError: It was asked to stop.
        NoTrialCompleted: The blend has no score on the holdout.
    """
    from lstmgru.bundle.save import save_bundle

    folds = job.members[0].score if job.alone or job.known_calibration else _folds_score(job)
    if folds is not None and job.least is not None and job.data.better(folds, job.least) != folds:
        return None
    scores = task.score_holdout(job)
    if context.stop_reason() is not None:
        raise InterruptedError("the scoring of the holdout was interrupted")
    verdict, beats = _verdict(job, scores)
    known = {"holdout": scores.metrics, "baselines": scores.baselines, "verdict": verdict, "beats_baselines": beats}
    known |= scores.details
    if scores.single is not None and not job.alone:
        assert job.single is not None  # it was scored
        known["single"] = {"name": f"trial {job.single.candidate}", "score": scores.single}
    bundle = task.bundle(job, scores, known)
    give_back_memory()  # intervals of all windows are several times as large as their forecasts
    problem = save_bundle(job.bundle, bundle, onnx="try").onnx_problem
    task.write_holdout(job, scores, bundle)
    return FinalResult(
        metrics=scores.metrics,
        folds=folds,
        single=scores.single,
        baselines=scores.baselines,
        verdict=verdict,
        beats_baselines=beats,
        intervals=scores.intervals,
        score_interval=around(scores.metrics[job.data.metric], scores.own(), own=True, squared=scores.squared),
        baseline_intervals=_baseline_intervals(scores),
        notes=(f"the model has no model.onnx: {problem}",) if problem else (),
        rival=_rival(task, job, scores),
    )


def _rival(task: Task[Data, Split, Model], job: FinalJob[Data, Split, Model], scores: HoldoutScores) -> Rival | None:
    """An earlier model on the holdout, beside the blend."""
    if job.rival is None:
        return None
    from lstmgru.bundle.load import load_bundle

    part = BacktestPart(job.data, job.holdout, "")
    outputs = task.backtest.outputs(load_bundle(job.rival), part, "the table")
    score = task.backtest.scores(part, outputs)[job.data.metric]
    return Rival(score, task.backtest.difference(part, scores.blend, outputs))


def _folds_score(job: FinalJob[Any, Any, Any]) -> float:
    """The score of the blend on the kept outputs for the folds."""
    outputs = [member.outputs for member in job.members if member.outputs is not None]
    weights = dict(enumerate(job.weights))
    criterion: Criterion = job.data.criterion()
    return criterion.score(blended_folds(same_shapes(outputs), weights))


def _baseline_intervals(scores: HoldoutScores) -> dict[str, tuple[float, float]]:
    found = {
        name: around(score, scores.difference(name), squared=scores.squared) for name, score in scores.baselines.items()
    }
    return {name: ends for name, ends in found.items() if ends is not None}


def _verdict(job: FinalJob[Any, Any, Any], scores: HoldoutScores) -> tuple[str, bool]:
    """The sentence on the exported model, and whether it beats every baseline."""
    metric, names = job.data.metric, [member.candidate for member in job.members if isinstance(member.candidate, str)]
    score, best = scores.metrics[metric], best_baseline(metric, scores.baselines)
    called = "winner" if job.alone else "blend" if len(job.members) > 1 else f"baseline {names[0].replace('_', ' ')}"
    sentence, beats = "", False
    if len(job.members) > 1 or names != [best]:
        sentence, beats = judge(
            metric,
            score,
            best,
            scores.baselines[best],
            scores.difference(best),
            targets=job.data.targets,
            choices=len(scores.baselines),
            called=called,
        )
    if len(names) == len(job.members):
        alone = of_baselines(metric, names, score, job.without_networks, targets=job.data.targets)
        sentence = f"{alone} {sentence}".strip()
    if job.better_unscored:
        late = not set(job.better_unscored).isdisjoint(job.late)
        sentence = f"{unscored(job.better_unscored, late=late)} {sentence}"
    return sentence, beats


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


@dataclass(frozen=True)
class RefitCandidate:
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


def retrain(candidate: RefitCandidate, seed: int, context: JobContext) -> SeedResult | None:
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
        "fold_scores": [
            each.epochs[min(epoch, len(each.epochs)) - 1].score
            for epoch, each in zip(scored_epochs(best_epochs), fits, strict=True)
        ],
        "best_epochs": best_epochs,
        "epoch_seconds": statistics.mean(each.epochs[-1].seconds / len(each.epochs) for each in fits),
        "best_seconds": statistics.mean(each.epochs[each.best_epoch - 1].seconds for each in fits),
    }
    return task.seed_result.from_dict(folds | task.score_seed(data, candidate.holdout, fitted))
