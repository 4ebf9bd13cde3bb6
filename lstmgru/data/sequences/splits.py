"""Stratified folds and a holdout of labeled sequences; groups are kept together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lstmgru.data.sequences.sequences import Indices, LabeledSequences
from lstmgru.errors import DataError, SpecError, at_least, counted

_Flags = npt.NDArray[np.bool_]

_SINGLE = 5
"""A single fold holds back one fifth."""
_MOST_BINS = 10
"""Maximum number of quantile bins for the stratification of numbers."""


@dataclass(frozen=True)
class SequenceSplitSpec:
    """How sequences are split into folds and a holdout.

    Attributes:
        holdout: Share of the sequences, in (0, 1); ``None`` if there is a given test part.
        folds: Number of folds; a single fold holds back a fifth for validation.
        seed: Seed of the random split.
    """

    holdout: float | None
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        at_least("folds", self.folds, 1)
        at_least("seed", self.seed, 0)
        if self.holdout is not None and not 0 < self.holdout < 1:
            raise SpecError(f"holdout must be in (0, 1) but got {self.holdout!r}")


@dataclass(frozen=True)
class SequenceSplit:
    """The sequences to train on and to score.

    Attributes:
        name: ``fold 1``, … or ``holdout``.
        train: (sequences,) indices of the training sequences, ascending.
        evaluation: (sequences,) indices of the scored sequences, ascending; disjoint from ``train``, and so are their
            groups, if there are any.
    """

    name: str
    train: Indices
    evaluation: Indices

    @property
    def n_train(self) -> int:
        """Sequences of the training part."""
        return len(self.train)


@dataclass(frozen=True)
class SequenceSplits:
    """Folds for the search, and the holdout that is scored once.

    Attributes:
        folds: First to last; they do not contain the evaluation part of the holdout.
        holdout: Its training part is everything else.
    """

    folds: tuple[SequenceSplit, ...]
    holdout: SequenceSplit


def whole_split(holdout: SequenceSplit) -> SequenceSplit:
    """The split that trains on all sequences, those of the holdout included.

    Args:
        holdout: Its evaluation part is kept, and must not be scored after this training.
    """
    return SequenceSplit("everything", np.union1d(holdout.train, holdout.evaluation), holdout.evaluation)


def make_sequence_splits(
    sequences: LabeledSequences, spec: SequenceSplitSpec, test: npt.NDArray[np.bool_] | None = None
) -> SequenceSplits:
    """Split sequences into folds and a holdout, stratified by class and without dividing groups.

    The same data, spec and seed give the same splits with any versions of packages.

    Args:
        sequences: The data. Numeric labels are stratified by quantiles.
        spec: How to split.
        test: (n,) True for sequences of the given test part, which becomes the holdout; ``None`` to draw one.

    Raises:
        SpecError: Both a test part and a share of the holdout are given, or neither.
        DataError: A class has too few sequences, there are too few groups, a training part lacks a class, or a group
            is both in the given test part and in the rest.
    """
    if (test is None) == (spec.holdout is None):
        both = "set only one of them" if test is not None else "set one of them"
        raise SpecError(
            f"splits.holdout is {spec.holdout!r} with {'a' if test is not None else 'no'} test part; {both}"
        )
    generator = np.random.default_rng(spec.seed)
    strata = _strata(sequences, spec)
    least = max(spec.folds, 2)  # a single fold also has two parts
    if test is None:
        assert spec.holdout is not None
        _check_enough(sequences, np.ones(len(sequences), bool), least + 1)
        test = _drawn(strata, sequences.groups, spec.holdout, least, generator)
    else:
        _check_test(sequences, test)
    _check_enough(sequences, ~test, least)
    inner = np.flatnonzero(~test)
    parts = spec.folds if spec.folds > 1 else _SINGLE
    groups = None if sequences.groups is None else sequences.groups[inner]
    fold_of = _dealt(strata[inner], groups, parts, generator)
    folds = tuple(
        SequenceSplit(f"fold {number + 1}", inner[fold_of != number], inner[fold_of == number])
        for number in range(spec.folds)
    )
    splits = SequenceSplits(folds, SequenceSplit("holdout", inner, np.flatnonzero(test)))
    _check_learnable(sequences, splits)
    return splits


def _strata(sequences: LabeledSequences, spec: SequenceSplitSpec) -> Indices:
    """(n,) strata: the classes, or quantiles of numbers."""
    labels = sequences.labels
    if labels.dtype.kind != "f":
        return labels.astype(np.int64)
    bins = max(1, min(_MOST_BINS, len(labels) // (2 * (spec.folds + 1))))
    rank = np.empty(len(labels), np.int64)
    rank[np.argsort(labels, kind="stable")] = np.arange(len(labels))
    return rank * bins // len(labels)


def _drawn(strata: Indices, groups: Indices | None, share: float, least: int, generator: np.random.Generator) -> _Flags:
    """(n,) True in the holdout: a share of each stratum, at least one sequence, leaving at least ``least``."""
    if groups is None:
        order = _shuffled(strata, generator)
        counts = np.bincount(strata)
        place = np.arange(len(strata)) - np.repeat(np.cumsum(counts) - counts, counts)
        chosen = np.zeros(len(strata), bool)
        chosen[order] = place < np.clip(np.rint(counts * share), 1, counts - least)[strata[order]]
        return chosen
    drawn = _parts_of_groups(strata, groups, (1 - share, share), generator) == 1
    return drawn if drawn.any() else np.equal(groups, np.argmin(np.bincount(groups)))


def _dealt(strata: Indices, groups: Indices | None, parts: int, generator: np.random.Generator) -> Indices:
    """(n,) part of each sequence, from 0, with nearly the same share of each stratum in every part."""
    if groups is not None:
        return _parts_of_groups(strata, np.unique(groups, return_inverse=True)[1], (1 / parts,) * parts, generator)
    part = np.empty(len(strata), np.int64)
    part[_shuffled(strata, generator)] = np.arange(len(strata)) % parts
    return part


def _parts_of_groups(
    strata: Indices, groups: Indices, sizes: Sequence[float], generator: np.random.Generator
) -> Indices:
    """(n,) part of each sequence, the same for all sequences of a group.

    Groups are assigned from the largest to the smallest, each to the part that minimizes the sum over parts and strata
    of (share of the stratum)² / (size of the part). This avoids parts that are full or have many sequences of the same
    strata.

    Args:
        strata: (n,) codes of the strata.
        groups: (n,) codes of the groups, consecutive from 0.
        sizes: Intended share of the sequences in each part.
        generator: Orders groups of the same size.
    """
    shares = np.zeros((int(groups.max()) + 1, int(strata.max()) + 1))
    np.add.at(shares, (groups, strata), 1.0)
    shares /= np.maximum(shares.sum(axis=0), 1)
    order = generator.permutation(len(shares))
    have, part_of = np.zeros((len(sizes), shares.shape[1])), np.zeros(len(shares), np.int64)
    for group in order[np.argsort(-shares.sum(axis=1)[order], kind="stable")]:
        added = (2 * have @ shares[group] + (shares[group] ** 2).sum()) / sizes
        part_of[group] = np.lexsort((have.sum(axis=1) / sizes, added))[0]
        have[part_of[group]] += shares[group]
    return part_of[groups]


def _shuffled(strata: Indices, generator: np.random.Generator) -> Indices:
    """(n,) order of the sequences by stratum, random within each."""
    order = generator.permutation(len(strata))
    return order[np.argsort(strata[order], kind="stable")]


def _check_enough(sequences: LabeledSequences, among: _Flags, parts: int) -> None:
    """Refuse data, or a class, with fewer sequences or groups than parts."""
    way_out = "use fewer splits.folds or a smaller splits.holdout, or add some"
    if sequences.groups is not None and (count := len(np.unique(sequences.groups[among]))) < parts:
        raise DataError(f"{counted(count, 'group')} cannot be split into {parts} parts with separate groups; {way_out}")
    if among.sum() < parts:
        raise DataError(f"{counted(int(among.sum()), 'sequence')} cannot be split into {parts} parts; {way_out}")
    if not sequences.classes:
        return
    counts = np.bincount(sequences.labels[among], minlength=len(sequences.classes))
    if (counts < parts).any():
        rare = int(np.argmax(counts < parts))
        raise DataError(
            f"the class {sequences.classes[rare]!r} has {counted(int(counts[rare]), 'sequence')} but there are {parts} "
            "parts, each of which needs one; use fewer splits.folds, add some, or merge it with another class"
        )


def _check_test(sequences: LabeledSequences, test: _Flags) -> None:
    if test.all() or not test.any():
        raise DataError(f"the test part has {'all' if test.all() else 'none'} of the sequences; give one of each part")
    if sequences.groups is None:
        return
    both = np.intersect1d(sequences.groups[test], sequences.groups[~test])
    if len(both):
        name = sequences.group_names[both[0]] if sequences.group_names else int(both[0])
        raise DataError(
            f"the group {name!r} is in the test part and in the rest ({counted(len(both), 'such group')}); move its "
            "sequences to one side, or remove data.group"
        )


def _check_learnable(sequences: LabeledSequences, splits: SequenceSplits) -> None:
    """Refuse a split whose training part lacks a class, for example because one group contains all of it."""
    for split in (*splits.folds, splits.holdout):
        lacking = np.setdiff1d(np.arange(len(sequences.classes)), sequences.labels[split.train])
        if len(lacking):
            raise DataError(
                f"the class {sequences.classes[lacking[0]]!r} is in too few groups: {split.name} would score it "
                "without having learned it; use fewer splits.folds, or add groups of it"
            )
