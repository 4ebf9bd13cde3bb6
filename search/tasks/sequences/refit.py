"""The end of a study of labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from search.study.paths import CLASSES_TABLE, CONFUSION_TABLE, PREDICTIONS_TABLE
from search.tasks.refit import Deadline, FinalResult, FinalTask, check_interrupted, final_result
from search.tasks.sequences.data import SequenceData
from search.tasks.verdict import best_baseline, describe

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from lstmgru.bundle import SequenceBundle
    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.evaluation.sequences import SequenceEvaluation
    from lstmgru.training.fit_sequences import SequenceFitResult
    from search.executors.base import JobContext

    SequenceTask = FinalTask[SequenceData, SequenceSplit]
    Outputs = npt.NDArray[np.float32]


def finish_sequences(task: SequenceTask, channel: JobContext) -> FinalResult:
    """Refit the winner, score it and the baselines on the holdout, save the bundle and the labels of the holdout."""
    from lstmgru.bundle import save_bundle
    from lstmgru.training.fit_sequences import predict_sequences

    data, evaluation = task.data, task.data.evaluation(task.holdout)
    metric = data.labels.metric
    fitted = _refit(task, channel)
    outputs = predict_sequences(fitted.network, fitted.encoding, data.sequences, task.holdout.evaluation, data.labels)
    baselines = _baseline_outputs(task)
    metrics = evaluation.scores(outputs)
    scores = {name: evaluation.score(metric, each) for name, each in baselines.items()}
    best = best_baseline(metric, scores)
    interval = evaluation.difference(metric, outputs, baselines[best])
    verdict = describe(metric, metrics[metric], best, scores[best], interval)
    known: dict[str, Any] = {"holdout": metrics, "baselines": scores, "verdict": verdict[0]}
    if data.labels.classes:
        known["classes"] = evaluation.per_class(outputs).to_dict(orient="records")
    saved = save_bundle(task.bundle, _bundle(task, fitted, known), onnx="try")
    _write_report(task, evaluation, outputs)
    return final_result(metrics, scores, verdict, fitted, saved.onnx_problem)


def _refit(task: SequenceTask, channel: JobContext) -> SequenceFitResult:
    """Train the winner once more.

    Raises:
        InterruptedError: The channel said so.
    """
    on_fold = task.refit == "last_fold"
    split = task.data.folds[-1] if on_fold else task.holdout
    deadline = Deadline(task.seconds, channel)
    fitted = task.data.fit_split(split, task.winner.model, task.winner.train, deadline, validate=on_fold)
    check_interrupted(channel)
    return fitted


def _baseline_outputs(task: SequenceTask) -> dict[str, Outputs]:
    """Every baseline's outputs for the holdout, by name."""
    from lstmgru.evaluation.sequence_baselines import sequence_baselines

    data, split = task.data, task.holdout
    baselines = sequence_baselines(data.sequences, data.labels)
    return {
        name: baseline(data.sequences, split.train, data.labels)(split.evaluation)
        for name, baseline in baselines.items()
    }


def _bundle(task: SequenceTask, fitted: SequenceFitResult, metrics: dict[str, Any]) -> SequenceBundle:
    """The model with its origin."""
    from lstmgru.bundle import SequenceBundle, example_sequences

    data = task.data
    return SequenceBundle(
        network=fitted.network,
        encoding=fitted.encoding,
        model_spec=fitted.network.spec,
        train_spec=replace(task.winner.train, max_epochs=max(1, len(fitted.epochs))),
        task=data.labels,
        schema=data.sequences.schema,
        gaps=task.gaps,
        metrics=metrics,
        provenance=task.provenance,
        example=example_sequences(data.sequences, task.holdout.train, max_length=fitted.network.spec.max_length),
    )


def _write_report(task: SequenceTask, evaluation: SequenceEvaluation, outputs: Outputs) -> None:
    """The labels of the holdout, and what was confused; tables of an earlier winner go."""
    folder = task.report
    folder.mkdir(parents=True, exist_ok=True)
    predictions(task.data, task.holdout, outputs).to_csv(folder / PREDICTIONS_TABLE, index=False)
    if task.data.labels.classes:
        evaluation.per_class(outputs).to_csv(folder / CLASSES_TABLE, index=False)
        confusion_table(task.data.labels.classes, evaluation.confusion(outputs)).to_csv(folder / CONFUSION_TABLE)


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
