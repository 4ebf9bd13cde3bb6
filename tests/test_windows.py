"""Windows: which cutoffs there are, and what they read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import make_panel

from lstmgru.data.splits import Split
from lstmgru.data.windows import context_rows, evaluation_cutoffs, horizon_rows, targets_at, training_cutoffs
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
