"""Windows: which cutoffs there are, and what they read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.panels import make_panel, training_cutoffs

from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
from lstmgru.data.forecasting.splits import Split
from lstmgru.data.forecasting.windows import (
    Runs,
    context_rows,
    evaluation_cutoffs,
    history,
    horizon_rows,
    known_targets,
    targets_at,
    training_runs,
)
from lstmgru.errors import DataError


def split(train: list[list[int]], evaluation: list[list[int]]) -> Split:
    return Split("fold 1", np.array(train), np.array(evaluation))


def test_training_windows_lie_wholly_inside_the_training_part_of_one_series() -> None:
    cutoffs = training_cutoffs(
        make_panel((20, 10)), split([[0, 10], [20, 29]], [[10, 12], [29, 30]]), context_length=4, horizon=3
    )
    assert cutoffs.tolist() == [4, 5, 6, 7, 24, 25, 26]
    assert context_rows(cutoffs, 4).min() == 0
    assert horizon_rows(cutoffs[:4], 3).max() == 9


def test_training_never_starts_from_a_filled_row() -> None:
    panel = make_panel((12,))
    observed = panel.observed.copy()
    observed[5:7] = False
    found = training_cutoffs(
        replace(panel, observed=observed), split([[0, 12]], [[12, 12]]), context_length=3, horizon=2
    )
    assert found.tolist() == [3, 4, 5, 8, 9, 10]


@pytest.mark.parametrize(
    ("stride", "expected"), [(1, [20, 21, 22, 23, 24, 25]), (2, [20, 22, 24]), (5, [20, 25]), (7, [20])]
)
def test_evaluation_targets_lie_inside_the_evaluation_part(stride: int, expected: list[int]) -> None:
    found = evaluation_cutoffs(
        make_panel((30,)), split([[0, 20]], [[20, 30]]), context_length=8, horizon=5, stride=stride
    )
    assert found.tolist() == expected


def test_a_cutoff_without_a_whole_context_is_not_scored() -> None:
    panel = make_panel((30, 30))
    found = evaluation_cutoffs(
        panel, split([[0, 20], [30, 33]], [[20, 30], [33, 60]]), context_length=25, horizon=5, stride=1
    )
    assert found.tolist() == [25, 55]


def test_filled_rows_are_neither_a_truth_nor_the_last_thing_known() -> None:
    panel = make_panel((30,))
    observed = panel.observed.copy()
    observed[23] = False
    found = evaluation_cutoffs(
        replace(panel, observed=observed), split([[0, 20]], [[20, 30]]), context_length=8, horizon=2, stride=1
    )
    assert found.tolist() == [20, 21, 25, 26, 27, 28]


def test_no_window_is_an_error_that_names_the_split() -> None:
    with pytest.raises(DataError, match=r"fold 1: no training window fits: context 9 .*10 rows"):
        training_cutoffs(make_panel((12,)), split([[0, 10]], [[10, 12]]), context_length=9, horizon=3)
    with pytest.raises(DataError, match="fold 1: no window can be scored"):
        evaluation_cutoffs(make_panel((30,)), split([[0, 20]], [[20, 22]]), context_length=8, horizon=5, stride=1)


def test_targets_are_the_rows_from_the_cutoff_on() -> None:
    panel = make_panel((30,), targets=2, past=1)
    assert np.array_equal(targets_at(panel, np.array([7]), 3)[0], panel.values[7:10, :2])


def test_a_short_series_is_trained_on_from_its_second_row_on_and_a_long_one_in_whole_windows_only() -> None:
    panel = make_panel((20, 8, 7, 4, 3))
    parts = split([[0, 8], [20, 27], [28, 35], [35, 39], [39, 42]], [[8, 20], [27, 28], [35, 35], [39, 39], [42, 42]])
    cutoffs = training_cutoffs(panel, parts, context_length=4, horizon=3, short_series="pad")
    assert cutoffs.tolist() == [4, 5, 24, 32, 36]
    assert history(panel, cutoffs).tolist() == [4, 5, 4, 4, 1]
    parts.train[1, 1] = 26
    cutoffs = training_cutoffs(panel, parts, context_length=4, horizon=3, short_series="pad")
    assert cutoffs.tolist() == [4, 5, 21, 22, 23, 32, 36]
    assert history(panel, cutoffs).tolist() == [4, 5, 1, 2, 3, 4, 1]


def test_with_padding_one_row_before_a_cutoff_is_enough_to_score_it() -> None:
    panel = make_panel((30, 12, 12))
    parts = split([[0, 20], [30, 32], [42, 42]], [[20, 30], [32, 42], [42, 54]])
    cutoffs = evaluation_cutoffs(panel, parts, context_length=8, horizon=5, stride=3, short_series="pad")
    assert cutoffs.tolist() == [20, 23, 32, 35, 43, 46, 49]
    assert history(panel, cutoffs).tolist() == [20, 23, 2, 5, 1, 4, 7]


def reference_cutoffs(
    panel: SeriesPanel, parts: Split, context: int, horizon: int, stride: int, policy: ShortSeries
) -> tuple[list[int], list[int]]:
    """Training and evaluation cutoffs, one row after the other."""
    training, evaluation = [], []
    for series, begin in enumerate(panel.offsets[:-1]):
        start, end = parts.train[series]
        least = 1 if policy == "pad" and end - start < context + horizon else context
        for row in range(start + least, end - horizon + 1):
            if panel.observed[row - 1]:
                training.append(row)
        start, end = parts.evaluation[series]
        for row in range(max(start, begin + (1 if policy == "pad" else context)), end - horizon + 1, stride):
            if panel.observed[row - 1 : row + horizon].all():
                evaluation.append(row)
    return training, evaluation


@pytest.mark.parametrize("policy", ["error", "pad"])
def test_cutoffs_are_those_that_a_loop_over_all_rows_finds(policy: ShortSeries) -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        lengths = tuple(generator.integers(2, 40, size=8).tolist())
        panel = make_panel(lengths)
        panel = replace(panel, observed=generator.random(len(panel.times)) < 0.8)
        starts, ends = panel.offsets[:-1], panel.offsets[1:]
        cuts = starts + generator.integers(0, panel.lengths + 1)
        parts = Split("fold 1", np.stack([starts, cuts], 1), np.stack([cuts, ends], 1))
        context, horizon, stride = (int(generator.integers(1, most)) for most in (8, 5, 4))
        training, evaluation = reference_cutoffs(panel, parts, context, horizon, stride, policy)
        assert training
        assert evaluation

        found = training_cutoffs(panel, parts, context_length=context, horizon=horizon, short_series=policy)
        assert found.tolist() == training
        found = evaluation_cutoffs(
            panel, parts, context_length=context, horizon=horizon, stride=stride, short_series=policy
        )
        assert found.tolist() == evaluation
        assert found.dtype == np.int64


def test_history_counts_the_rows_of_the_same_series() -> None:
    assert history(make_panel((5, 3)), np.array([0, 1, 4, 5, 6, 7])).tolist() == [0, 1, 4, 0, 1, 2]


def test_padding_is_a_way_out_only_where_it_helps() -> None:
    panel = make_panel((12,))
    with pytest.raises(DataError, match=r"or set data\.short_series: pad$"):
        training_cutoffs(panel, split([[0, 10]], [[10, 12]]), context_length=9, horizon=3)
    with pytest.raises(DataError, match=r"or fewer folds$"):
        training_cutoffs(panel, split([[0, 3]], [[10, 12]]), context_length=9, horizon=3)
    with pytest.raises(DataError, match=r"one row of context \+ horizon 3 .*\(3 rows\)"):
        training_cutoffs(panel, split([[0, 3]], [[10, 12]]), context_length=9, horizon=3, short_series="pad")
    with pytest.raises(DataError, match=r"or set data\.short_series: pad$"):
        evaluation_cutoffs(panel, split([[0, 6]], [[6, 12]]), context_length=11, horizon=3, stride=1)
    with pytest.raises(DataError, match=r"no cutoff has one row before it, .* 7 rows with an observed target"):
        evaluation_cutoffs(
            panel, split([[0, 6]], [[6, 12]]), context_length=11, horizon=7, stride=1, short_series="pad"
        )


@pytest.mark.parametrize("rows", [[0], [5], [0, 1, 2], [3, 4, 7, 8, 9, 20], [0, 2, 4]])
def test_runs_hold_rows_in_order(rows: list[int]) -> None:
    runs = Runs.of(np.array(rows, np.int64))
    assert len(runs) == len(rows)
    assert runs.at(np.arange(len(rows))).tolist() == rows
    asked = np.arange(-1, 25)
    assert runs.before(asked).tolist() == [sum(row < limit for row in rows) for limit in asked]


@pytest.mark.parametrize("policy", ["error", "pad"])
def test_runs_are_all_rows_after_an_observed_one(policy: ShortSeries) -> None:
    for seed in range(20):
        generator = np.random.default_rng(seed)
        panel = make_panel((40, *generator.integers(2, 40, 5)))
        panel = replace(panel, observed=generator.random(len(panel.values)) > 0.2)
        train = np.stack([panel.offsets[:-1], generator.integers(panel.offsets[:-1], panel.offsets[1:] + 1)], axis=1)
        train[0, 1] = 40
        expected = []
        for start, end in train:
            least = 4 if policy == "error" or end - start >= 4 + 3 else 1
            expected += [row for row in range(start + least, end - 3 + 1) if panel.observed[row - 1]]
        runs = training_runs(panel, Split("fold 1", train, train), context_length=4, horizon=3, short_series=policy)
        assert runs.at(np.arange(len(runs))).tolist() == expected
        assert np.diff(np.append(0, runs.ends)).min() > 0


def test_a_missing_target_costs_the_windows_without_any_other_and_those_right_after_a_filled_row() -> None:
    for seed in range(10):
        generator = np.random.default_rng(seed)
        panel = make_panel((60, 40), targets=2)
        known = generator.random((100, 2)) < 0.8
        known[[20, 21, 22, 50, 51, 52]] = False  # two whole horizons
        panel = replace(panel, known=known, observed=known.all(axis=1))
        parts = split([[0, 40], [60, 90]], [[40, 60], [90, 100]])
        useful = [row for row in range(98) if panel.observed[row - 1] and known[row : row + 3].any()]

        training = training_cutoffs(panel, parts, context_length=4, horizon=3)
        evaluation = evaluation_cutoffs(panel, parts, context_length=4, horizon=3, stride=1)

        assert training.tolist() == [row for row in useful if 4 <= row <= 37 or 64 <= row <= 87]
        assert evaluation.tolist() == [row for row in useful if 40 <= row <= 57 or 90 <= row <= 97]
        assert len(evaluation) > 2
        counts = [known[row : row + 3].sum() for row in evaluation]
        assert known_targets(panel, evaluation, 3).tolist() == counts
