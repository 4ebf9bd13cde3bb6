"""The end of a study of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lstmgru.data.tables.columns import whole_numbers
from lstmgru.data.tables.writers import write_csv
from lstmgru.evaluation.blending import blended
from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE
from search.tasks.final_job import FinalJob, FinalMember, HoldoutScores
from search.tasks.sequences.data import SequenceData

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from lstmgru.bundle import Bundle, SequenceBundle
    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.evaluation.sequences import SequenceEvaluation
    from lstmgru.specs import SequenceModelSpec

    SequenceJob = FinalJob[SequenceData, SequenceSplit, SequenceModelSpec]
    Outputs = npt.NDArray[np.float32]


def score_holdout(job: SequenceJob) -> HoldoutScores:
    """Score a blend and every baseline on the holdout."""
    data, metric, evaluation = job.data, job.data.metric, job.data.evaluation(job.holdout)
    outputs = {member.candidate: _outputs(job, member) for member in job.members}
    blend = blended([outputs[member.candidate] for member in job.members], job.weights)
    baselines = {name: fitted.outputs for name, fitted in job.baselines.items() if fitted.outputs is not None}
    single = None if job.single is None else outputs.get(job.single.candidate)
    if single is None and job.single is not None and job.single.scored is not None:
        single = _outputs(job, job.single)
    classes = evaluation.per_class(blend).to_dict(orient="records") if data.labels.classes else None
    return HoldoutScores(
        metrics=evaluation.scores(blend),
        single=None if single is None else evaluation.score(metric, single),
        baselines={name: evaluation.score(metric, each) for name, each in baselines.items()},
        difference=lambda baseline: evaluation.difference(metric, blend, baselines[baseline]),
        own=lambda: evaluation.interval(metric, blend),
        blend=blend,
        outputs=blend,
        details={} if classes is None else {"classes": classes},
    )


def _outputs(job: SequenceJob, member: FinalMember[SequenceModelSpec]) -> Outputs:
    """A member's outputs for the holdout."""
    from lstmgru.training.fit_sequences import predict_sequences

    assert member.scored is not None  # others are no members any more
    if member.scored.outputs is not None:
        return member.scored.outputs
    data, fitted = job.data, member.scored.unpack()
    return predict_sequences(fitted.network, fitted.encoding, data.sequences, job.holdout.evaluation, data.labels)


def write_holdout(job: SequenceJob, scores: HoldoutScores, bundle: Bundle) -> None:
    """Write the labels of the holdout, and of classes the confusion matrix and the scores of each class."""
    del bundle
    _write_tables(job, job.data.evaluation(job.holdout), scores.outputs)


def make_bundle(job: SequenceJob, scores: HoldoutScores, metrics: dict[str, Any]) -> SequenceBundle:
    """The model with its origin."""
    from lstmgru.bundle import SequenceBaselineMember, SequenceBundle, SequenceNetworkMember, example_sequences

    del scores  # there is no calibration
    data = job.data
    members = tuple(
        member.bundled(SequenceNetworkMember, SequenceBaselineMember, lambda fitted: {"encoding": fitted.encoding})
        for member in job.members
    )
    reads = [member.reads for member in members]
    longest = None if None in reads else max(each for each in reads if each is not None)
    return SequenceBundle(
        members=members,
        task=data.labels,
        schema=data.sequences.schema,
        gaps=job.gaps,
        integer_ids=whole_numbers(data.sequences.ids.tolist()) is not None,
        integer_times=data.sequences.integer_times,
        metrics=metrics,
        provenance=job.provenance,
        example=example_sequences(data.sequences, job.holdout.train, max_length=longest),
    )


def _write_tables(job: SequenceJob, evaluation: SequenceEvaluation, outputs: Outputs) -> None:
    """The labels of the holdout, and what was confused; tables of an earlier winner go."""
    folder = job.report
    folder.mkdir(parents=True, exist_ok=True)
    write_csv(predictions(job.data, job.holdout, outputs), folder / PREDICTIONS_TABLE)
    if job.data.labels.classes:
        write_csv(evaluation.per_class(outputs), folder / CLASSES_TABLE)
        confusion = confusion_table(job.data.labels.classes, evaluation.confusion(outputs))
        write_csv(confusion, folder / CONFUSION_TABLE, index=True)


def predictions(data: SequenceData, split: SequenceSplit, outputs: Outputs) -> pd.DataFrame:
    """A row for each sequence of a split's scored part: its name, its label, the one given, probabilities of classes.

    Args:
        data: The sequences.
        split: Whose evaluation part.
        outputs: (sequences, O) probabilities, or values in original units.
    """
    import pandas as pd

    numbers, classes = split.evaluation, data.labels.classes
    labels = data.sequences.labels[numbers]
    columns: dict[str, Any] = {"sequence": data.sequences.ids[numbers]}
    if data.sequences.is_text:
        columns["text"] = data.sequences.texts[numbers]
    if not classes:
        return pd.DataFrame({**columns, "actual": labels, "predicted": outputs[:, 0]})
    columns["actual"] = [classes[code] for code in labels]
    columns["predicted"] = [classes[code] for code in outputs.argmax(axis=1)]
    return pd.DataFrame(columns | {f"p_{name}": outputs[:, code] for code, name in enumerate(classes)})


def confusion_table(classes: tuple[str | int, ...], counts: Any) -> pd.DataFrame:
    """(C, C) counts as a table: a row for each true class, a column for each given one."""
    import pandas as pd

    return pd.DataFrame(counts, index=pd.Index(classes, name="actual"), columns=list(classes))
