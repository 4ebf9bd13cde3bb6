"""Folds and holdout of labeled sequences: every class has its share, and no group is on two sides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from helpers.combinations import each_row

from lstmgru.data.sequences.sequences import LabeledSequences, SequenceSchema
from lstmgru.data.sequences.splits import SequenceSplits, SequenceSplitSpec, make_sequence_splits
from lstmgru.errors import DataError, SpecError


def make(labels: npt.ArrayLike, groups: npt.ArrayLike | None = None) -> LabeledSequences:
    """Sequences of which only labels and groups matter; labels that are whole numbers are codes of classes."""
    found = np.asarray(labels)
    n = len(found)
    codes = None if groups is None else np.asarray(groups)
    return LabeledSequences(
        SequenceSchema("wide", "label", ("value",), group=None if groups is None else "group"),
        ids=np.arange(1, n + 1).astype(object),
        offsets=np.arange(n + 1),
        values=np.zeros((n, 1), np.float32),
        texts=np.empty(0, object),
        labels=found,
        classes=() if found.dtype.kind == "f" else tuple("abcdefghijklmno"[: found.max() + 1]),
        groups=codes,
        group_names=() if codes is None else tuple(f"group {n}" for n in range(codes.max() + 1)),
    )


def unbalanced(seed: int = 0) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(np.repeat([0, 1, 2], [97, 41, 12]))


def check(sequences: LabeledSequences, splits: SequenceSplits, folds: int) -> None:
    """What holds of all splits."""
    everything = np.arange(len(sequences))
    assert [fold.name for fold in splits.folds] == [f"fold {n + 1}" for n in range(folds)]
    assert splits.holdout.name == "holdout"
    np.testing.assert_array_equal(np.sort(np.r_[splits.holdout.train, splits.holdout.evaluation]), everything)
    for split in (*splits.folds, splits.holdout):
        assert len(split.evaluation) > 0
        assert (np.diff(split.train) > 0).all()
        assert (np.diff(split.evaluation) > 0).all()
        assert np.intersect1d(split.train, split.evaluation).size == 0
        if sequences.groups is not None:
            assert np.intersect1d(sequences.groups[split.train], sequences.groups[split.evaluation]).size == 0
    for fold in splits.folds:
        np.testing.assert_array_equal(np.sort(np.r_[fold.train, fold.evaluation]), splits.holdout.train)
    if folds > 1:
        scored = np.concatenate([fold.evaluation for fold in splits.folds])
        np.testing.assert_array_equal(np.sort(scored), splits.holdout.train)


@each_row("folds", [1, 2, 3, 5])
@each_row("holdout", [0.1, 0.2, 0.5])
def test_every_class_has_its_share_of_every_part(folds: int, holdout: float) -> None:
    sequences = make(unbalanced())

    splits = make_sequence_splits(sequences, SequenceSplitSpec(holdout, folds))

    check(sequences, splits, folds)
    counts = np.bincount(sequences.labels)
    held = np.bincount(sequences.labels[splits.holdout.evaluation])
    assert np.abs(held - counts * holdout).max() <= 1
    for fold in splits.folds:
        scored = np.bincount(sequences.labels[fold.evaluation], minlength=3)
        assert np.abs(scored - (counts - held) / max(folds, 2 if folds > 1 else 5)).max() < 1


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_a_large_holdout_leaves_what_the_folds_need(folds: int) -> None:
    sequences = make(unbalanced())

    splits = make_sequence_splits(sequences, SequenceSplitSpec(0.95, folds))

    check(sequences, splits, folds)
    assert np.bincount(sequences.labels[splits.holdout.train]).min() == max(folds, 2)


def test_folds_are_as_even_as_those_of_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedKFold

    sequences = make(unbalanced())
    splits = make_sequence_splits(sequences, SequenceSplitSpec(None, 4), np.arange(150) < 30)

    rest = sequences.labels[30:]
    others = StratifiedKFold(4, shuffle=True, random_state=0).split(rest, rest)

    ours = sorted(np.bincount(sequences.labels[fold.evaluation]).tolist() for fold in splits.folds)
    spread = np.ptp(ours, axis=0)
    assert (spread <= np.ptp([np.bincount(rest[scored], minlength=3) for _, scored in others], axis=0)).all()
    assert np.ptp([len(fold.evaluation) for fold in splits.folds]) <= 1


def grouped(seed: int, n_groups: int = 60) -> LabeledSequences:
    """Groups of 1 to 12 sequences, each with classes that it likes more than others."""
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 13, n_groups)
    labels = np.concatenate([generator.choice(4, size, p=generator.dirichlet([2, 1, 1, 0.5])) for size in sizes])
    order = generator.permutation(len(labels))
    return make(labels[order], np.repeat(np.arange(n_groups), sizes)[order])


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_groups_stay_together_and_classes_still_have_about_their_share(folds: int) -> None:
    for seed in range(5):
        sequences = grouped(seed)

        splits = make_sequence_splits(sequences, SequenceSplitSpec(0.2, folds, seed))

        check(sequences, splits, folds)
        counts = np.bincount(sequences.labels)
        np.testing.assert_allclose(np.bincount(sequences.labels[splits.holdout.evaluation]) / counts, 0.2, atol=0.05)
        for fold in splits.folds:
            share = np.bincount(sequences.labels[fold.evaluation], minlength=4) / counts
            np.testing.assert_allclose(share, 0.8 / (folds if folds > 1 else 5), atol=0.05)


def test_a_group_that_is_larger_than_the_holdout_stays_out_of_it() -> None:
    sizes = [50, 30, 6, 6, 4, 4]
    sequences = make([0, 1] * 50, np.repeat(np.arange(6), sizes))

    splits = make_sequence_splits(sequences, SequenceSplitSpec(0.1, 3))

    assert len(splits.holdout.evaluation) == 12


def test_groups_are_spread_more_evenly_than_by_scikit_learn() -> None:
    from sklearn.model_selection import StratifiedGroupKFold

    spreads = []
    for seed in range(10):
        sequences = grouped(seed)
        assert sequences.groups is not None
        test = sequences.groups == 0
        splits = make_sequence_splits(sequences, SequenceSplitSpec(None, 5, seed), test)
        labels, groups = sequences.labels[~test], sequences.groups[~test]
        reference = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(labels, labels, groups)
        ours = [np.bincount(sequences.labels[fold.evaluation], minlength=4) for fold in splits.folds]
        theirs = [np.bincount(labels[scored], minlength=4) for _, scored in reference]
        spreads.append([np.std(counts, axis=0).sum() for counts in (ours, theirs)])

    mine, other = np.mean(spreads, axis=0)
    assert mine < other


@pytest.mark.parametrize("groups", [None, np.arange(200) // 4])
def test_numbers_are_stratified_by_their_quantiles(groups: npt.NDArray[np.int64] | None) -> None:
    labels = np.random.default_rng(0).lognormal(0, 2, 200).astype(np.float32)
    sequences = make(labels, groups)

    splits = make_sequence_splits(sequences, SequenceSplitSpec(0.2, 4))

    check(sequences, splits, 4)
    for split in (*splits.folds, splits.holdout):
        above = (labels[split.evaluation] > np.median(labels)).mean()
        assert above == pytest.approx(0.5, abs=0.03 if groups is None else 0.1)


@pytest.mark.parametrize("n", [3, 4, 7])
def test_a_handful_of_numbers_can_be_split(n: int) -> None:
    sequences = make(np.arange(n, dtype=np.float32))

    check(sequences, make_sequence_splits(sequences, SequenceSplitSpec(0.2, 2)), 2)


def test_a_given_test_part_is_the_holdout() -> None:
    sequences = make(unbalanced())
    test = np.random.default_rng(1).random(150) < 0.4

    splits = make_sequence_splits(sequences, SequenceSplitSpec(None, 3), test)

    check(sequences, splits, 3)
    np.testing.assert_array_equal(splits.holdout.evaluation, np.flatnonzero(test))


@pytest.mark.parametrize("groups", [None, np.arange(150) // 3])
def test_the_seed_alone_decides(groups: npt.NDArray[np.int64] | None) -> None:
    sequences = make(unbalanced(), groups)

    def scored(seed: int) -> list[list[int]]:
        splits = make_sequence_splits(sequences, SequenceSplitSpec(0.2, 3, seed))
        return [split.evaluation.tolist() for split in (*splits.folds, splits.holdout)]

    assert scored(0) == scored(0)
    assert scored(0) != scored(1)


PINNED = [[1, 3, 6, 10], [0, 7, 11, 12], [2, 4, 13, 15], [5, 8, 9, 14]]
PINNED_GROUPS = [[10, 11, 12, 13], [0, 1, 8, 9], [2, 3, 4, 5], [6, 7, 14, 15]]


def test_splits_stay_what_they_are_in_later_versions() -> None:
    """A study goes on with the folds that it began with."""
    splits = make_sequence_splits(make([0, 1] * 8), SequenceSplitSpec(0.25, 3, seed=7))

    assert [split.evaluation.tolist() for split in (splits.holdout, *splits.folds)] == PINNED
    grouped_splits = make_sequence_splits(make([0, 1] * 8, np.arange(16) // 2), SequenceSplitSpec(0.25, 3, seed=7))
    assert [split.evaluation.tolist() for split in (grouped_splits.holdout, *grouped_splits.folds)] == PINNED_GROUPS


TWENTY = [0, 1] * 10


@each_row(
    ("labels", "groups", "spec", "message"),
    [
        ([0] * 18 + [1] * 2, None, SequenceSplitSpec(0.2, 2), "the class 'b' has 2 sequences but there are 3 parts, "
         "each of which needs one; use fewer splits.folds, add some, or merge it with another class$"),
        ([0] * 18 + [1] * 2, None, SequenceSplitSpec(0.2, 1), "the class 'b' has 2 sequences but"),
        ([0] * 19 + [1], None, SequenceSplitSpec(0.2, 1), "the class 'b' has 1 sequence but there are 3 parts"),
        (TWENTY, [0] * 10 + [1] * 10, SequenceSplitSpec(0.2, 2), "2 groups cannot be split into 3 parts with "
         "separate groups; use fewer splits.folds or a smaller splits.holdout, or add some$"),
        ([0.0, 1.0, 2.0], None, SequenceSplitSpec(0.2, 5), "3 sequences cannot be split into 6 parts; use fewer"),
        ([0] * 15 + [1] * 5, [0, 1, 2, 3, 4] * 3 + [5] * 5, SequenceSplitSpec(0.2, 3), "the class 'b' is in too few "
         "groups: .* would score it without having learned it; use fewer splits.folds, or add groups of it$"),
        (TWENTY, [0, 0, 1, 1, 2, 2, 3, 3] + [4] * 12, SequenceSplitSpec(0.9, 4), "into 4 parts with separate groups"),
    ],
)  # fmt: skip
def test_data_that_cannot_be_split_is_refused(
    labels: list[int], groups: list[int] | None, spec: SequenceSplitSpec, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make_sequence_splits(make(np.array(labels, None if isinstance(labels[0], int) else np.float32), groups), spec)


@pytest.mark.parametrize(
    ("groups", "test", "message"),
    [
        (None, [True] * 20, "the test part has all of the sequences; give one of each part$"),
        (None, [False] * 20, "the test part has none of the sequences"),
        ([0, 1, 2, 3] * 5, [True] * 5 + [False] * 15, r"the group 'group 0' is in the test part and in the rest \(4 "
         r"such groups\); move its sequences to one side, or remove data.group$"),
        (None, [False, False] * 3 + [True] * 14, "the class 'a' has 3 sequences but there are 5 parts"),
    ],
)  # fmt: skip
def test_a_test_part_that_cannot_be_the_holdout_is_refused(
    groups: list[int] | None, test: list[bool], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        make_sequence_splits(make(TWENTY, groups), SequenceSplitSpec(None), np.array(test))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SequenceSplitSpec(0.0), r"holdout must be in \(0, 1\) but got 0.0"),
        (lambda: SequenceSplitSpec(1.0), r"holdout must be in \(0, 1\) but got 1.0"),
        (lambda: SequenceSplitSpec(0.2, folds=0), "folds must be at least 1 but got 0"),
        (lambda: SequenceSplitSpec(0.2, seed=-1), "seed must be at least 0 but got -1"),
        (
            lambda: make_sequence_splits(make(TWENTY), SequenceSplitSpec(None)),
            "splits.holdout is None with no test part; set one",
        ),
        (
            lambda: make_sequence_splits(make(TWENTY), SequenceSplitSpec(0.2), np.arange(20) < 4),
            "splits.holdout is 0.2 with a test part; set only one of them$",
        ),
    ],
)
def test_a_spec_that_cannot_be_is_refused(call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(SpecError, match=message):
        call()
