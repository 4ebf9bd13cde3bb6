"""The end of a study of labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE
from search.tasks.data import FinalJob, HoldoutScores
from search.tasks.sequences.data import SequenceData

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from lstmgru.bundle import Bundle, SequenceBundle
    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.evaluation.sequences import SequenceEvaluation
    from lstmgru.specs import SequenceModelSpec
    from lstmgru.training.fit_sequences import SequenceFitResult

    SequenceJob = FinalJob[SequenceData, SequenceSplit, SequenceModelSpec]
    Outputs = npt.NDArray[np.float32]


def score_holdout(job: SequenceJob, fitted: SequenceFitResult) -> HoldoutScores:
    """Score the refitted winner and every baseline on the holdout."""
    from lstmgru.training.fit_sequences import predict_sequences

    data, metric, evaluation = job.data, job.data.metric, job.data.evaluation(job.holdout)
    outputs = predict_sequences(fitted.network, fitted.encoding, data.sequences, job.holdout.evaluation, data.labels)
    baselines = _baseline_outputs(job)
    classes = evaluation.per_class(outputs).to_dict(orient="records") if data.labels.classes else None
    return HoldoutScores(
        metrics=evaluation.scores(outputs),
        baselines={name: evaluation.score(metric, each) for name, each in baselines.items()},
        difference=lambda baseline: evaluation.difference(metric, outputs, baselines[baseline]),
        outputs=outputs,
        details={} if classes is None else {"classes": classes},
    )


def write_holdout(job: SequenceJob, scores: HoldoutScores, bundle: Bundle) -> None:
    """Write the labels of the holdout, and of classes the confusion matrix and the scores of each class."""
    del bundle
    _write_tables(job, job.data.evaluation(job.holdout), scores.outputs)


def _baseline_outputs(job: SequenceJob) -> dict[str, Outputs]:
    """Outputs for the holdout, by name, of the baselines that were scored on the folds."""
    from lstmgru.data.sequences.raw import RawSequences
    from lstmgru.evaluation.sequence_baselines import (
        SEQUENCE_BASELINES,
        fit_sequence_baseline,
        sequence_baseline_names,
    )

    data, split = job.data, job.holdout
    scored = RawSequences.of(data.sequences, split.evaluation)
    names = job.baseline_calibrations or [
        name for name in sequence_baseline_names(data.sequences, data.labels) if not SEQUENCE_BASELINES[name].slow
    ]
    return {
        name: fit_sequence_baseline(name, data.sequences, split.train, data.labels).predict(scored) for name in names
    }


def make_bundle(job: SequenceJob, fitted: SequenceFitResult, metrics: dict[str, Any]) -> SequenceBundle:
    """The model with its origin."""
    from lstmgru.bundle import SequenceBundle, SequenceNetworkMember, example_sequences

    data = job.data
    member = SequenceNetworkMember(
        network=fitted.network,
        encoding=fitted.encoding,
        model_spec=fitted.network.spec,
        train_spec=replace(job.winner.train, max_epochs=max(1, len(fitted.epochs))),
    )
    return SequenceBundle(
        members=(member,),
        task=data.labels,
        schema=data.sequences.schema,
        gaps=job.gaps,
        metrics=metrics,
        provenance=job.provenance,
        example=example_sequences(data.sequences, job.holdout.train, max_length=fitted.network.spec.max_length),
    )


def _write_tables(job: SequenceJob, evaluation: SequenceEvaluation, outputs: Outputs) -> None:
    """The labels of the holdout, and what was confused; tables of an earlier winner go."""
    folder = job.report
    folder.mkdir(parents=True, exist_ok=True)
    predictions(job.data, job.holdout, outputs).to_csv(folder / PREDICTIONS_TABLE, index=False)
    if job.data.labels.classes:
        evaluation.per_class(outputs).to_csv(folder / CLASSES_TABLE, index=False)
        confusion_table(job.data.labels.classes, evaluation.confusion(outputs)).to_csv(folder / CONFUSION_TABLE)


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
