"""How labels are compared: a bootstrap of the holdout, and the scores of its classes, of its short and long cases."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmgru.evaluation.significance import Interval, bootstrap_interval, bootstrap_scores
from search.tasks.compare import (
    BATCH,
    BaselineScores,
    ClassScore,
    ComparedTask,
    LengthScore,
    median_seconds,
    seed_mean,
)
from search.tasks.data import SeedResult
from search.tasks.sequences.data import SequenceData

if TYPE_CHECKING:
    import numpy.typing as npt

    from lstmgru.data.sequences.sequences import Indices, LabeledSequences
    from lstmgru.data.sequences.splits import SequenceSplit
    from lstmgru.evaluation.sequences import SequenceEvaluation
    from lstmgru.evaluation.time_limit import TimeLimit
    from lstmgru.training.fit_sequences import SequenceFitResult
    from search.tasks.sequences.plan import SequencePlan

    Floats = npt.NDArray[np.float64]
    Outputs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class SequenceSeed(SeedResult):
    """What one seed gave.

    Attributes:
        drawn: (draws,) scores of a bootstrap of the holdout, whose draws are the same for all seeds and families; NaN
            where a draw has none; empty: there are too few sequences or groups.
        by_length: (groups,) scores of the short, middle and long ones there, see
            :func:`~search.tasks.sequences.compare.length_groups`; NaN where a group has none.
        recall: (C,) of each class there; empty for numbers.
        f1: Likewise.
    """

    drawn: tuple[float, ...]
    by_length: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]


def score_seed(data: SequenceData, holdout: SequenceSplit, fitted: SequenceFitResult) -> dict[str, Any]:
    """The scores on the holdout, as :class:`SequenceSeed` holds them.

    Raises:
        DataError: The metric is undefined there.
    """
    from lstmgru.training.fit_sequences import predict_sequences

    data.evaluation(holdout).check(data.metric)
    outputs = predict_sequences(fitted.network, fitted.encoding, data.sequences, holdout.evaluation, data.labels)
    return _scores(data, holdout, outputs)


def score_compared_baseline(
    data: SequenceData, holdout: SequenceSplit, name: str, calibration: dict[str, Any] | None, limit: TimeLimit
) -> BaselineScores:
    """A baseline on the holdout, see :attr:`~search.tasks.base.Task.score_compared_baseline`, without a calibration."""
    from lstmgru.data.sequences.raw import RawSequences

    del calibration
    data.evaluation(holdout).check(data.metric)
    start = time.perf_counter()
    fitted = data.fit_baseline(holdout, name, limit)
    fit_seconds, numbers = time.perf_counter() - start, holdout.evaluation
    outputs = data.predict_baseline(holdout, fitted, limit)
    longest = numbers[np.argmax(case_lengths(data.sequences, numbers))]
    one, batch = (RawSequences.of(data.sequences, np.full(count, longest)) for count in (1, BATCH))
    return BaselineScores(
        scores=_scores(data, holdout, outputs),
        n_parameters=fitted.n_parameters,
        fit_seconds=fit_seconds,
        latency=median_seconds(lambda: fitted.predict(one)),
        batch_latency=median_seconds(lambda: fitted.predict(batch)),
    )


def _scores(data: SequenceData, holdout: SequenceSplit, outputs: Outputs) -> dict[str, Any]:
    """What :class:`SequenceSeed` holds of outputs for the holdout."""
    metric, evaluation = data.metric, data.evaluation(holdout)
    groups = length_groups(case_lengths(data.sequences, holdout.evaluation))
    classes = evaluation.per_class(outputs) if data.labels.classes else None
    return {
        "holdout": evaluation.score(metric, outputs),
        "drawn": drawn_scores(evaluation, outputs),
        "by_length": tuple(_part_score(evaluation, outputs, group) for group in groups),
        "recall": () if classes is None else tuple(classes["recall"].tolist()),
        "f1": () if classes is None else tuple(classes["f1"].tolist()),
    }


class ComparedSequences(ComparedTask):
    """Labels of sequences or texts.

    Args:
        plan: Of the study, or of one of its families.
    """

    def __init__(self, plan: SequencePlan) -> None:
        super().__init__(plan, "texts" if plan.sequences.is_text else "sequences")
        self._plan = plan

    def interval(self, ours: Sequence[SequenceSeed], theirs: Sequence[SequenceSeed]) -> Interval:
        """The difference of the scores on the holdout between two families, the first minus the second."""
        return score_interval(ours, theirs, self._plan.whole_data().evaluation(self._plan.holdout))

    def findings(self, seeds: Sequence[SequenceSeed]) -> dict[str, Any]:
        """The scores of each class, and of short, middle and long ones, mean over the seeds."""
        return {"classes": self._classes(seeds), "lengths": self._lengths(seeds)}

    def _classes(self, seeds: Sequence[SequenceSeed]) -> tuple[ClassScore, ...]:
        names = self._plan.labels.classes
        if not names:
            return ()
        support = np.bincount(self._plan.sequences.labels[self._plan.holdout.evaluation], minlength=len(names))
        recall, f1 = seed_mean([each.recall for each in seeds]), seed_mean([each.f1 for each in seeds])
        return tuple(
            ClassScore(str(name), int(support[code]), float(recall[code]), float(f1[code]))
            for code, name in enumerate(names)
        )

    def _lengths(self, seeds: Sequence[SequenceSeed]) -> tuple[LengthScore, ...]:
        lengths = case_lengths(self._plan.sequences, self._plan.holdout.evaluation)
        scores = seed_mean([each.by_length for each in seeds])
        return tuple(
            LengthScore(int(lengths[group].min()), int(lengths[group].max()), len(group), float(score))
            for group, score in zip(length_groups(lengths), scores, strict=True)
            if np.isfinite(score)
        )


def score_interval(
    ours: Sequence[SequenceSeed], theirs: Sequence[SequenceSeed], evaluation: SequenceEvaluation
) -> Interval:
    """The difference of the scores of two families.

    Scores are averaged over the seeds first, those of each draw too.

    Args:
        ours: What the seeds of the one gave.
        theirs: What those of the other gave.
        evaluation: The labels that were scored.
    """
    mean = float(np.mean([each.holdout for each in ours]) - np.mean([each.holdout for each in theirs]))
    drawn = seed_mean([each.drawn for each in ours]) - seed_mean([each.drawn for each in theirs])
    return bootstrap_interval(mean, drawn, evaluation.units, evaluation.kind_of_units)


def drawn_scores(evaluation: SequenceEvaluation, outputs: Outputs) -> tuple[float, ...]:
    """(draws,) scores of a bootstrap over the sequences, or over the groups where there are any.

    Args:
        evaluation: The labels.
        outputs: (k, O) probabilities of the classes, or numbers.
    """
    return tuple(bootstrap_scores(lambda rows: _part_score(evaluation, outputs, rows), evaluation.units).tolist())


def _part_score(evaluation: SequenceEvaluation, outputs: Outputs, rows: Indices) -> float:
    """The score of some of the cases; NaN where they have none."""
    part = replace(evaluation, labels=evaluation.labels[rows], groups=None)
    return part.score(evaluation.task.metric, outputs[rows])


def case_lengths(sequences: LabeledSequences, numbers: Indices) -> Indices:
    """(k,) steps of some sequences, or characters of texts: what a network reads of them depends on its tokens.

    Args:
        sequences: The data.
        numbers: (k,) numbers of sequences.
    """
    if sequences.is_text:
        return np.array([len(text) for text in sequences.texts[numbers]], np.int64)
    return sequences.lengths[numbers]


def length_groups(lengths: Indices) -> list[Indices]:
    """Positions of the short, the middle and the long ones: as near to thirds as whole lengths allow.

    Args:
        lengths: (k,) of the cases.

    Returns:
        (group,) positions in each group, shortest first; none where all have the same length.
    """
    values, counts = np.unique(lengths, return_counts=True)
    up_to = np.cumsum(counts)[:-1]
    if not len(up_to):
        return []
    cuts = np.unique([values[np.abs(up_to - len(lengths) * third / 3).argmin()] for third in (1, 2)])
    group = np.searchsorted(cuts, lengths)
    return [np.flatnonzero(group == code) for code in range(len(cuts) + 1)]
