"""Folds and holdout: where each part begins and ends, and that nothing leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.panels import make_panel

from lstmgru.data.forecasting.splits import MOST_STEPS, SplitSpec, make_splits, time_span
from lstmgru.errors import DataError, SpecError


def parts(spec: SplitSpec, length: int = 100, horizon: int = 5, context_length: int = 10) -> list[list[int]]:
    splits = make_splits(make_panel((length,)), spec, horizon=horizon, context_length=context_length)
    return [[*split.train[0].tolist(), *split.evaluation[0].tolist()] for split in (*splits.folds, splits.holdout)]


@each_row(
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


@each_row(
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


@each_row("gap", [0, 4])
@each_row("window", ["expanding", "sliding"])
@each_row("align", ["time", "end"])
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


def test_padding_is_the_way_out_where_there_is_a_row_to_read_and_a_horizon_to_forecast() -> None:
    spec = SplitSpec(20, 2, align="end")
    with pytest.raises(DataError, match=r"a shorter context, or data\.short_series: pad"):
        make_splits(make_panel((66,)), spec, horizon=5, context_length=10)
    with pytest.raises(DataError, match=r"a smaller holdout, or a shorter context$"):
        make_splits(make_panel((65,)), spec, horizon=5, context_length=10)


def test_with_padding_one_series_that_can_be_trained_on_is_enough() -> None:
    spec = SplitSpec(20, 2, align="end")
    splits = make_splits(make_panel((66, 30, 45)), spec, horizon=5, context_length=10, short_series="pad")
    assert [(split.train[:, 1] - split.train[:, 0]).tolist() for split in (*splits.folds, splits.holdout)] == [
        [6, 0, 0],
        [26, 0, 5],
        [46, 10, 25],
    ]
    with pytest.raises(
        DataError,
        match=r"series 'series 1' has 65 rows.* here 5 rows, and needs at least 6 \(one row of context \+ horizon 5\); "
        r"use fewer or smaller folds, or a smaller holdout \(2 of 2 series are too short\)",
    ):
        make_splits(make_panel((30, 65)), spec, horizon=5, context_length=10, short_series="pad")


@pytest.mark.parametrize("align", ["time", "end"])
def test_padding_changes_nothing_where_every_series_is_long_enough(align: str) -> None:
    panel = make_panel((100, 80), starts=(0, 20))
    spec = SplitSpec(20, 2, 10, align=align, window="sliding")  # type: ignore[arg-type]
    plain, padded = (
        make_splits(panel, spec, horizon=5, context_length=10, short_series=policy) for policy in ("error", "pad")
    )
    for one, other in zip((*plain.folds, plain.holdout), (*padded.folds, padded.holdout), strict=True):
        np.testing.assert_array_equal(one.train, other.train)
        np.testing.assert_array_equal(one.evaluation, other.evaluation)


@pytest.mark.parametrize(
    ("lengths", "starts"),
    [
        ((100, 15), (0, 85)),  # begins in the holdout
        ((15, 100), (85, 0)),  # so does the first of them
        ((100, 45), (0, 55)),  # begins in the first scored part
        ((100, 100), (0, 0)),
        ((90, 15), (0, 85)),  # the only one that goes on to the end begins late
        ((15, 90, 5), (85, 0, 90)),
    ],
)
def test_a_late_series_leaves_the_moments_of_the_cuts_as_they_are(
    lengths: tuple[int, ...], starts: tuple[int, ...]
) -> None:
    panel = make_panel(lengths, starts=starts)
    splits = make_splits(panel, SplitSpec(20, 2), horizon=5, context_length=10, short_series="pad")
    for split, (begin, stop) in zip((*splits.folds, splits.holdout), [(40, 60), (60, 80), (80, 100)], strict=True):
        moments = np.datetime64("2020-01-01", "ns") + np.array([begin, stop]) * np.timedelta64(86_400_000_000_000, "ns")
        for series, ((start, end), (_, train_end)) in enumerate(zip(split.evaluation, split.train, strict=True)):
            rows = np.arange(panel.offsets[series], panel.offsets[series + 1])
            expected = rows[(panel.times[rows] >= moments[0]) & (panel.times[rows] < moments[1])]
            assert np.arange(start, end).tolist() == expected.tolist()
            assert np.arange(rows[0], train_end).tolist() == rows[panel.times[rows] < moments[0]].tolist()


@pytest.mark.parametrize("frequency", ["h", "W-WED", "ME", "YS", "step"])
def test_cuts_before_every_series_that_goes_on_to_the_end_follow_the_grid(frequency: str) -> None:
    if frequency == "step":
        moments = 5 * np.arange(100)
    else:
        moments = pd.date_range("2000-01-01", periods=100, freq=frequency).to_numpy().astype("datetime64[ns]")
    rows = [np.arange(90), np.arange(85, 100)]
    panel = replace(
        make_panel((90, 15)), frequency=frequency, step=5, times=np.concatenate([moments[part] for part in rows])
    )
    splits = make_splits(panel, SplitSpec(20, 2), horizon=5, context_length=10, short_series="pad")
    assert [(split.evaluation[:, 0] - panel.offsets[:-1]).tolist() for split in splits.folds] == [[40, 0], [60, 0]]
    assert (splits.holdout.evaluation - panel.offsets[:-1, None]).tolist() == [[80, 90], [0, 15]]


def test_a_cut_before_all_rows_leaves_nothing_to_train_on() -> None:
    with pytest.raises(DataError, match="here 0 rows, and needs at least 6"):
        make_splits(
            make_panel((90, 15), starts=(0, 85)), SplitSpec(20, 5), horizon=5, context_length=10, short_series="pad"
        )
    with pytest.raises(DataError, match="here 0 rows, and needs at least 6"):
        make_splits(
            make_panel((90, 15), starts=(0, 85)), SplitSpec(*[MOST_STEPS] * 5), horizon=5, context_length=10,
            short_series="pad",
        )  # fmt: skip


def test_a_sliding_part_is_at_least_a_window_long_where_series_are_padded() -> None:
    spec = SplitSpec(20, 2, 10, window="sliding")
    panel = make_panel((48,))
    splits = make_splits(panel, spec, horizon=5, context_length=12, short_series="pad")
    assert [split.train[0].tolist() for split in splits.folds] == [[0, 8], [1, 18]]
    with pytest.raises(DataError, match=r"splits.train_size is 16, shorter than a window of 17 steps .*at least 17"):
        make_splits(panel, replace(spec, train_size=16), horizon=5, context_length=12, short_series="pad")


def test_an_unknown_policy_for_short_series_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"data\.short_series must be one of error, pad but got 'pads'; did you mean 'pad'"
    ):
        make_splits(make_panel(), SplitSpec(20), horizon=5, context_length=10, short_series="pads")  # type: ignore[arg-type]


def test_the_span_of_parts_is_that_of_the_series_with_rows_in_them() -> None:
    panel = make_panel((10, 20, 5), starts=(30, 0, 5))
    first, last = time_span(panel, np.array([[0, 0], [12, 20], [30, 33]]))
    assert (first, last) == (np.datetime64("2020-01-03"), np.datetime64("2020-01-10"))
