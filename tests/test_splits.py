"""Folds and holdout: where each part begins and ends, and that nothing leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import make_panel

from lstmgru.data.splits import MOST_STEPS, SplitSpec, make_splits
from lstmgru.errors import DataError, SpecError


def parts(spec: SplitSpec, length: int = 100, horizon: int = 5, context_length: int = 10) -> list[list[int]]:
    splits = make_splits(make_panel((length,)), spec, horizon=horizon, context_length=context_length)
    return [[*split.train[0].tolist(), *split.evaluation[0].tolist()] for split in (*splits.folds, splits.holdout)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (SplitSpec(holdout=20, folds=1), [[0, 60, 60, 80], [0, 80, 80, 100]]),
        (SplitSpec(holdout=20, folds=2), [[0, 40, 40, 60], [0, 60, 60, 80], [0, 80, 80, 100]]),
        (SplitSpec(holdout=20, folds=2, fold_size=10), [[0, 60, 60, 70], [0, 70, 70, 80], [0, 80, 80, 100]]),
        (
            SplitSpec(holdout=20, folds=2, fold_size=10, step=5),
            [[0, 65, 65, 75], [0, 70, 70, 80], [0, 80, 80, 100]],
        ),
        (
            SplitSpec(holdout=20, folds=2, fold_size=10, gap=3),
            [[0, 57, 60, 70], [0, 67, 70, 80], [0, 77, 80, 100]],
        ),
        (
            SplitSpec(holdout=20, folds=2, fold_size=10, window="sliding"),
            [[0, 60, 60, 70], [10, 70, 70, 80], [0, 80, 80, 100]],
        ),
        (
            SplitSpec(holdout=20, folds=2, fold_size=10, window="sliding", train_size=30),
            [[30, 60, 60, 70], [40, 70, 70, 80], [0, 80, 80, 100]],
        ),
    ],
)
def test_parts_begin_and_end_where_the_spec_says(spec: SplitSpec, expected: list[list[int]]) -> None:
    assert parts(spec) == expected


@pytest.mark.parametrize("align", ["time", "end"])
def test_series_are_cut_at_the_same_moment_or_each_at_its_own_end(align: str) -> None:
    panel = make_panel((100, 80), starts=(0, 0))
    spec = SplitSpec(holdout=20, folds=1, fold_size=10, align=align)  # type: ignore[arg-type]
    splits = make_splits(panel, spec, horizon=5, context_length=5)
    second = splits.folds[0].train[1] - 100
    assert second.tolist() == ([0, 70] if align == "time" else [0, 50])
    assert (splits.holdout.evaluation[1] - 100).tolist() == ([80, 80] if align == "time" else [60, 80])


def test_a_training_part_ends_on_an_observed_row_so_that_interpolation_cannot_carry_the_future_into_it() -> None:
    panel = make_panel((100,))
    observed = panel.observed.copy()
    observed[57:63] = False
    splits = make_splits(replace(panel, observed=observed), SplitSpec(20, 2, 10), horizon=5, context_length=10)
    assert splits.folds[0].train[0].tolist() == [0, 57]


@pytest.mark.parametrize(
    ("spec", "length", "message"),
    [
        (SplitSpec(holdout=4), 100, r"splits.holdout is 4 steps, shorter than forecast.horizon \(5\)"),
        (SplitSpec(holdout=20, fold_size=4), 100, "splits.fold_size is 4 steps"),
        (SplitSpec(holdout=20, folds=3), 80, "^the series has 80 rows, too few.*here 0 rows.*at least 15"),
        (SplitSpec(holdout=20, folds=4), 100, "fewer or smaller folds"),
        (SplitSpec(holdout=20, folds=1, window="sliding", train_size=12), 100, "needs at least 15"),
        (SplitSpec(holdout=200), 100, "too few"),
        (SplitSpec(holdout=20, folds=MOST_STEPS), 100, "before the last 20000000020 .*fewer or smaller folds"),
        (SplitSpec(*[MOST_STEPS] * 5, window="sliding", train_size=MOST_STEPS), 100, "too few"),
        (SplitSpec(*[MOST_STEPS] * 5, align="end", stride=MOST_STEPS), 100, "too few"),
    ],
)
def test_what_does_not_fit_is_an_error_that_says_the_way_out(spec: SplitSpec, length: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        parts(spec, length)


@pytest.mark.parametrize("field", ["holdout", "folds", "fold_size", "step", "train_size", "stride"])
def test_lengths_must_be_positive_and_small_enough_to_reckon_with(field: str) -> None:
    with pytest.raises(SpecError, match=f"{field} must be at least 1 but got 0"):
        SplitSpec(**{"holdout": 10, field: 0})
    with pytest.raises(SpecError, match=f"{field} must be at most 1000000000 but got 1000000001"):
        SplitSpec(**{"holdout": 10, field: 1_000_000_001})


def test_the_series_that_is_too_short_is_named_where_there_are_several() -> None:
    with pytest.raises(DataError, match=r"^series 'series 1' has 60 rows, too few.*\(1 of 2 series are too short\)"):
        make_splits(make_panel((100, 60)), SplitSpec(20, 2, align="end"), horizon=5, context_length=10)


@pytest.mark.parametrize("gap", [0, 4])
@pytest.mark.parametrize("window", ["expanding", "sliding"])
@pytest.mark.parametrize("align", ["time", "end"])
def test_no_training_row_lies_at_or_after_the_evaluation_part(gap: int, window: str, align: str) -> None:
    spec = SplitSpec(20, 3, 10, gap=gap, window=window, align=align)  # type: ignore[arg-type]
    panel = make_panel((150, 140), starts=(0, 10))
    splits = make_splits(panel, spec, horizon=5, context_length=10)
    for split in (*splits.folds, splits.holdout):
        assert np.all(split.train[:, 1] + gap <= split.evaluation[:, 0])
        for (_, train_end), (start, _) in zip(split.train, split.evaluation, strict=True):
            assert panel.times[train_end - 1] < panel.times[start]
    for fold in splits.folds:
        assert np.all(fold.evaluation[:, 1] <= splits.holdout.evaluation[:, 0])
