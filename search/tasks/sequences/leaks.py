"""What stands in both a training and a scored part, and channels that are the label in disguise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lstmgru.errors import counted

if TYPE_CHECKING:
    from lstmgru.data.sequences.sequences import Indices, LabeledSequences
    from lstmgru.data.sequences.splits import SequenceSplits

_FEW = 0.01
"""Share of a drawn part below which equal sequences are left unsaid: short texts repeat."""
_SAME = 0.999
"""Correlation from which a channel is the label."""
_FEWEST = 20


def leaks(sequences: LabeledSequences, splits: SequenceSplits, *, has_test_part: bool) -> tuple[str, ...]:
    """A sentence for each leak.

    Args:
        sequences: All of them.
        splits: Folds and holdout.
        has_test_part: Whether the holdout is a part that the data name, so that nothing of it may stand in the rest.
    """
    return (*_repeated(sequences, splits, has_test_part=has_test_part), *_labels(sequences, splits.holdout.train))


def _repeated(sequences: LabeledSequences, splits: SequenceSplits, *, has_test_part: bool) -> Iterator[str]:
    """Equal sequences or texts in the training and in the scored part of a split."""
    what = "texts" if sequences.is_text else "sequences"
    codes = _content_codes(sequences)
    least = 0.0 if has_test_part else _FEW
    holdout = "test part" if has_test_part else "holdout"
    train, evaluation = splits.holdout.train, splits.holdout.evaluation
    first = np.full(int(codes.max()) + 1, -1)
    first[codes[train[::-1]]] = train[::-1]
    both = evaluation[first[codes[evaluation]] >= 0]
    if len(both) > least * len(evaluation):
        other = int((sequences.labels[both] != sequences.labels[first[codes[both]]]).sum())
        labels = f", {other} of them with another label" if other else ""
        yield (
            f"{_share(len(both), len(evaluation))} {what} of the {holdout} also stand in the training "
            f"part{labels}; remove them from one of the two, or name what they have in common in data.group"
        )
    scored = sum(len(fold.evaluation) for fold in splits.folds)
    again = sum(int(np.isin(codes[fold.evaluation], codes[fold.train]).sum()) for fold in splits.folds)
    if again > _FEW * scored:
        yield (
            f"{_share(again, scored)} {what} that the folds score also stand in their training parts; remove the "
            "repetitions, or name what they have in common in data.group"
        )


def _share(part: int, whole: int) -> str:
    return f"{part:,} of {whole:,} ({max(0.1, 100 * part / whole):.1f}%)"


def _content_codes(sequences: LabeledSequences) -> Indices:
    """(n,) a number for each content; equal sequences have the same."""
    contents: dict[str | bytes, int] = {}
    if sequences.is_text:
        every: list[str | bytes] = [text.strip() for text in sequences.texts]
    else:
        values = np.ascontiguousarray(sequences.values)
        every = [values[start:end].tobytes() for start, end in pairwise(sequences.offsets)]
    return np.array([contents.setdefault(content, len(contents)) for content in every], np.int64)


def _labels(sequences: LabeledSequences, train: Indices) -> Iterator[str]:
    """Channels that are constant within every sequence and tell the label.

    Args:
        sequences: All of them.
        train: (sequences,) numbers of those outside the holdout; no other is read.
    """
    if sequences.schema.layout != "long" or len(train) < _FEWEST:
        return
    starts, lengths = sequences.offsets[train], sequences.lengths[train]
    firsts, labels = sequences.values[starts], sequences.labels[train]
    rows = np.concatenate([np.arange(start, start + length) for start, length in zip(starts, lengths, strict=True)])
    for channel, column in enumerate(sequences.schema.channels):
        value = firsts[:, channel]
        if (sequences.values[rows, channel] != np.repeat(value, lengths)).any() or (value == value[0]).all():
            continue
        if sequences.classes:
            distinct, places = np.unique(value, return_inverse=True)
            pairs = np.unique(places * len(sequences.classes) + labels)
            tells = len(pairs) == len(distinct) <= len(train) / 4
            figure = f"each of its {len(distinct)} values has one class"
        else:
            correlation = abs(float(np.corrcoef(value, labels)[0, 1]))
            tells, figure = correlation >= _SAME, f"its correlation with the label is {correlation:.4f}"
        if tells:
            yield (
                f"channel {column!r} may be the label in disguise: it never changes within a sequence, and {figure} in "
                f"{counted(len(train), 'sequence')}; remove it unless it is known before the label"
            )
