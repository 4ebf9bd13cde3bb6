"""Classification and regression of sequences and texts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from search.tasks.base import Task, lazy

if TYPE_CHECKING:
    from pathlib import Path

    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.specs import SequenceModelSpec, TrainSpec
    from lstmgru.training.checkpoints import Checkpoints
    from lstmgru.training.epoch_outputs import EpochOutputs
    from lstmgru.training.fit_sequences import SequenceFitResult
    from lstmgru.training.training import Observer
    from search.config.study_config import StudyConfig
    from search.tasks.sequences.config import SequenceStudyConfig
    from search.tasks.sequences.data import SequenceData
    from search.tasks.sequences.plan import SequencePlan


class SequenceTask(Task["SequenceData", "SequenceSplit", "SequenceModelSpec"]):
    """Labels of whole sequences or texts."""

    modules = ("lstmgru.training.fit_sequences", "numba")
    config = lazy("search.tasks.sequences.config:SequenceStudyConfig")
    family = lazy("search.tasks.sequences.config:SequenceFamilyConfig")
    words = lazy("search.tasks.sequences.words")
    pages = lazy("search.tasks.sequences.report:PAGES")
    score_holdout = lazy("search.tasks.sequences.final_steps:score_holdout")
    bundle = lazy("search.tasks.sequences.final_steps:make_bundle")
    write_holdout = lazy("search.tasks.sequences.final_steps:write_holdout")
    backtest = lazy("search.tasks.sequences.backtest")
    compare = lazy("search.tasks.sequences.compare:ComparedSequences")
    seed_result = lazy("search.tasks.sequences.compare:SequenceSeed")
    score_seed = lazy("search.tasks.sequences.compare:score_seed")
    score_compared_baseline = lazy("search.tasks.sequences.compare:score_compared_baseline")

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
        checkpoints: Checkpoints | None = None,
        epoch_outputs: EpochOutputs | None = None,
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
            checkpoints=checkpoints,
            epoch_outputs=epoch_outputs,
            vectors=data.vectors,
        )

    def everything(self, data: SequenceData, holdout: SequenceSplit) -> SequenceSplit:
        """The split whose training part are all sequences; see :meth:`search.tasks.base.Task.everything`."""
        from lstmgru.data.sequences.splits import whole_split

        return whole_split(holdout)

    def smallest(self, data: SequenceData, model: SequenceModelSpec) -> tuple[SequenceData, SequenceModelSpec]:
        """The same with vectors of one feature for the tokens of texts."""
        if model.tokens is None:
            return data, model
        return replace(data, vectors=None), replace(model, embedding_size=1)


TASK = SequenceTask()
