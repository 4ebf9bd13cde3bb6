"""The baselines of sequence classification and regression."""

from __future__ import annotations

import numpy as np

from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.errors import one_of
from lstmgru.evaluation.sequence_baselines.base import FittedSequenceBaseline
from lstmgru.evaluation.sequence_baselines.constant import Majority, Mean
from lstmgru.evaluation.sequence_baselines.convolutions import KERNEL_LENGTH
from lstmgru.evaluation.sequence_baselines.minirocket import MiniRocket
from lstmgru.evaluation.sequence_baselines.nearest_neighbor import NearestNeighbor
from lstmgru.evaluation.sequence_baselines.ridge import Ridge
from lstmgru.evaluation.sequence_baselines.tfidf import TfidfLogistic, TfidfRidge
from lstmgru.evaluation.time_limit import UNLIMITED, TimeLimit
from lstmgru.specs import LabelSpec

__all__ = [
    "SEQUENCE_BASELINES",
    "FittedSequenceBaseline",
    "fit_sequence_baseline",
    "sequence_baseline_names",
]

SEQUENCE_BASELINES: dict[str, type[FittedSequenceBaseline]] = {
    kind.name: kind for kind in (Majority, Mean, NearestNeighbor, Ridge, MiniRocket, TfidfLogistic, TfidfRidge)
}
"""The kinds of baselines by name."""


def sequence_baseline_names(sequences: LabeledSequences, task: LabelSpec) -> tuple[str, ...]:
    """The baselines for the data, simplest first.

    ``minirocket`` is left out if most sequences are shorter than its kernels.

    Args:
        sequences: The data.
        task: The labels.
    """
    classifies = task.task == "classification"
    constant = "majority" if classifies else "mean"
    if sequences.is_text:
        return constant, "tfidf_logistic" if classifies else "tfidf_ridge"
    long_enough = np.median(sequences.lengths) >= KERNEL_LENGTH
    return constant, "nearest_neighbor", "ridge", *(("minirocket",) if long_enough else ())


def fit_sequence_baseline(
    name: str, sequences: LabeledSequences, train: Indices, task: LabelSpec, limit: TimeLimit = UNLIMITED
) -> FittedSequenceBaseline:
    """Fit a baseline to the training part of a split.

    Args:
        name: One of :func:`sequence_baseline_names`.
        sequences: The data.
        train: (sequences,) indices of the training sequences; no other sequence is read.
        task: The labels.
        limit: Of the time.

    Raises:
        DataError: The training sequences have no usable features.
        BaselineTooSlow: The time limit is exceeded.
        SpecError: There is no such baseline.
    """
    one_of("baseline", name, list(SEQUENCE_BASELINES))
    return SEQUENCE_BASELINES[name].fit(sequences, train, task, limit)
