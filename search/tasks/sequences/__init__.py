"""Classification and regression of sequences and texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from search.tasks.base import Task
from search.tasks.data import BaselineResult

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lstmgru.bundle import Bundle, SequenceBundle
    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.specs import SequenceModelSpec, TrainSpec
    from lstmgru.training.fit_sequences import SequenceFitResult
    from lstmgru.training.training import Observer, Trained
    from search.config.space_config import FamilyConfig
    from search.config.study_config import StudyConfig
    from search.reports.task_pages import TaskPages
    from search.tasks.base import Words
    from search.tasks.data import HoldoutScores
    from search.tasks.sequences.compare import ComparedSequences, SequenceSeed
    from search.tasks.sequences.config import SequenceStudyConfig
    from search.tasks.sequences.data import SequenceData
    from search.tasks.sequences.plan import SequencePlan
    from search.tasks.sequences.refit import SequenceJob


class SequenceTask(Task["SequenceData", "SequenceSplit", "SequenceModelSpec"]):
    """Labels of whole sequences or texts."""

    @property
    def config(self) -> type[StudyConfig]:
        """The study file."""
        from search.tasks.sequences.config import SequenceStudyConfig

        return SequenceStudyConfig

    @property
    def family(self) -> type[FamilyConfig]:
        """A family of a comparison."""
        from search.tasks.sequences.config import SequenceFamilyConfig

        return SequenceFamilyConfig

    def plan(self, config: StudyConfig, *, study_file: Path | None = None) -> SequencePlan:
        """See :meth:`search.tasks.base.Task.plan`."""
        from search.tasks.sequences.plan import sequence_plan

        return sequence_plan(cast("SequenceStudyConfig", config), study_file=study_file)

    def fit(
        self,
        data: SequenceData,
        split: SequenceSplit,
        model: SequenceModelSpec,
        train: TrainSpec,
        observer: Observer | None = None,
        *,
        validate: bool = True,
    ) -> SequenceFitResult:
        """See :meth:`search.tasks.base.Task.fit`."""
        from lstmgru.training.fit_sequences import fit_sequences

        return fit_sequences(
            data.sequences,
            split,
            model,
            train,
            data.labels,
            validate=validate,
            observer=observer,
            vectors=data.vectors,
        )

    def score_baselines(self, data: SequenceData, should_stop: Callable[[], bool]) -> dict[str, BaselineResult] | None:
        """Every baseline on the folds, by name; ``None`` if it was stopped."""
        from lstmgru.evaluation.sequence_baselines import sequence_baselines

        results = {}
        for name, baseline in sequence_baselines(data.sequences, data.labels).items():
            scores = []
            for fold in data.folds:
                if should_stop():
                    return None
                outputs = baseline(data.sequences, fold.train, data.labels)(fold.evaluation)
                scores.append(data.evaluation(fold).score(data.metric, outputs))
            results[name] = BaselineResult(sum(scores) / len(scores))
        return results

    def smallest(self, data: SequenceData, model: SequenceModelSpec) -> tuple[SequenceData, SequenceModelSpec]:
        """The same with vectors of one feature for the tokens of texts."""
        if model.tokens is None:
            return data, model
        return replace(data, vectors=None), replace(model, embedding_size=1)

    def score_holdout(self, job: SequenceJob, fitted: Trained[Any]) -> HoldoutScores:
        """See :meth:`search.tasks.base.Task.score_holdout`."""
        from search.tasks.sequences.refit import score_holdout

        return score_holdout(job, cast("SequenceFitResult", fitted))

    def bundle(self, job: SequenceJob, fitted: Trained[Any], metrics: dict[str, Any]) -> SequenceBundle:
        """The model to export, with its origin and its metrics."""
        from search.tasks.sequences.refit import make_bundle

        return make_bundle(job, cast("SequenceFitResult", fitted), metrics)

    def write_holdout(self, job: SequenceJob, scores: HoldoutScores, bundle: Bundle) -> None:
        """See :meth:`search.tasks.base.Task.write_holdout`."""
        from search.tasks.sequences.refit import write_holdout

        write_holdout(job, scores, bundle)

    @property
    def words(self) -> Words:
        """What the command line says of a plan."""
        from search.tasks.sequences import words

        return words

    @property
    def pages(self) -> TaskPages:
        """The task-specific parts of a study's report."""
        from search.tasks.sequences.report import PAGES

        return PAGES

    def compare(self, plan: SequencePlan) -> ComparedSequences:
        """How families of networks are compared."""
        from search.tasks.sequences.compare import ComparedSequences

        return ComparedSequences(plan)

    @property
    def seed_result(self) -> type[SequenceSeed]:
        """The scores of one seed."""
        from search.tasks.sequences.compare import SequenceSeed

        return SequenceSeed

    def score_seed(self, data: SequenceData, holdout: SequenceSplit, fitted: Trained[Any]) -> dict[str, Any]:
        """See :meth:`search.tasks.base.Task.score_seed`."""
        from search.tasks.sequences.compare import score_seed

        return score_seed(data, holdout, cast("SequenceFitResult", fitted))


TASK = SequenceTask()
