"""What a linear method reads of a window, number by number."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from helpers.panels import make_panel

from lstmgru.data.forecasting.arrays import window_arrays
from lstmgru.data.forecasting.design import WindowDesign
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Split

T, H = 4, 2


class Design:
    """Of a split that trains on the first 20 rows of each series."""

    def __init__(self, panel: SeriesPanel) -> None:
        starts = panel.offsets[:-1]
        split = Split("fold 1", np.stack([starts, starts + 20], axis=1), np.stack([starts + 20, starts + 30], axis=1))
        self.panel = panel
        self.learned = WindowDesign.fit(panel, split, context_length=T, horizon=H)
        self.width = self.learned.width

    def inputs(self, cutoffs: np.ndarray) -> np.ndarray:
        return self.learned.inputs(window_arrays(self.panel, cutoffs, context_length=T, horizon=H))

    def units(self, cutoffs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.learned.units(window_arrays(self.panel, cutoffs, context_length=T, horizon=H))

    def covariates(self, rows: np.ndarray) -> np.ndarray:
        return self.learned.covariates(self.panel.values[rows])


def design(panel: SeriesPanel) -> Design:
    return Design(panel)


def test_a_row_holds_the_context_of_all_channels_and_the_known_future() -> None:
    panel = make_panel((30,), targets=2, past=1, future=1)
    made = design(panel)
    standardized = (panel.values - panel.values[:20].mean(axis=0)) / panel.values[:20].std(axis=0)
    expected = np.concatenate([standardized[6:10].ravel(), standardized[10:12, 3]])
    assert made.inputs(np.array([10]))[0] == pytest.approx(expected, abs=1e-5)
    assert made.width == len(expected)


def test_the_units_of_a_single_series_are_those_of_its_training_part() -> None:
    panel = make_panel((30,), targets=2)
    center, scale = design(panel).units(np.array([10, 20]))
    assert center == pytest.approx(np.tile(panel.values[:20].mean(axis=0), (2, 1, 1)))
    assert scale == pytest.approx(np.tile(panel.values[:20].std(axis=0), (2, 1, 1)))


def test_the_targets_of_a_panel_are_relative_to_their_window() -> None:
    panel = make_panel((30, 30))
    context = panel.values[36:40]
    change = np.abs(context - context[-1]).mean()
    assert design(panel).inputs(np.array([40]))[0] == pytest.approx(((context - context[-1]) / change).ravel())


@pytest.mark.parametrize(("context", "scale"), [([5, 5, 5, 5], 0.05), ([0, 0, 0, 0], 1), ([0, 2, 4, 2], 1)])
def test_a_window_that_does_not_change_has_a_unit_too(context: list[float], scale: float) -> None:
    panel = make_panel((30, 30))
    panel.values[36:40, 0] = context
    assert design(panel).units(np.array([40]))[1].item() == pytest.approx(scale)


def test_rows_of_a_panel_do_not_change_with_the_size_of_a_series() -> None:
    panel = make_panel((30, 30))
    before = design(panel).inputs(np.array([10, 40]))
    panel.values[30:] *= 1000
    assert design(panel).inputs(np.array([10, 40])) == pytest.approx(before, abs=1e-4)


@pytest.mark.parametrize("first", [0, 30])
def test_before_the_start_of_a_series_its_first_row_repeats(first: int) -> None:
    panel = make_panel((30, 30), past=1)
    short = design(panel).inputs(np.array([first + 2]))[0].reshape(T, 2)
    assert np.array_equal(short[0], short[2])
    assert np.array_equal(short[1], short[2])
    assert not np.array_equal(short[2], short[3])


def test_names_become_indicators() -> None:
    panel = make_panel((30,), future=1, categories={"future_0": ("a", "b", "c")})
    panel.values[:, 1] = np.tile([1, 3, 2], 10)
    row = design(panel).inputs(np.array([9]))[0]
    by_frequency = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]  # a and c stand in 7 of the 20 training rows, b in 6
    assert row[-6:].reshape(H, 3).tolist() == by_frequency[:2]
    assert row[:-6].reshape(T, 4)[:, 1:].tolist() == [by_frequency[n] for n in (2, 0, 1, 2)]


def test_rare_names_share_an_indicator() -> None:
    names = tuple(f"name {n}" for n in range(40))
    panel = make_panel((30,), past=1, categories={"past_0": names})
    panel.values[:, 1] = np.minimum(np.arange(30) + 1, 20)  # in the training part 1 to 20, each once
    panel.values[26:30, 1] = [1, 32, 33, 40]
    indicators = design(panel).inputs(np.array([30 - H]))[0].reshape(T, -1)
    assert indicators.shape == (T, 1 + 33)
    columns = design(panel).covariates(np.arange(26, 30)).argmax(axis=1)
    assert columns.tolist() == [0, 31, 32, 32]


def test_a_hidden_name_is_noticed() -> None:
    panel = make_panel((30,), past=1, categories={"past_0": ("a", "b")}).hiding(np.array([25]))
    covariates = design(panel).covariates(np.arange(30))
    assert np.isnan(covariates[25:]).all()
    assert np.isfinite(covariates[:25]).all()


def test_static_covariates_of_a_panel_stand_at_the_end_of_a_row() -> None:
    panel = make_panel((30, 30, 30), static=2, categories={"static_1": ("x", "y")})
    panel = replace(panel, static=np.array([[1, 1], [2, 2], [3, 2]], np.float32))
    statics = design(panel).inputs(np.array([10, 40, 70]))[:, T:]
    expected = [[-(1.5**0.5), 0, 1], [0, 1, 0], [1.5**0.5, 1, 0]]
    assert statics == pytest.approx(np.array(expected))


def test_static_covariates_of_a_single_series_are_left_out() -> None:
    assert design(make_panel((30,), static=2)).width == T


def test_what_comes_after_the_training_part_changes_no_row_before() -> None:
    names = {"past_1": ("a", "b", "c")}
    panel = make_panel((30, 30), past=2, future=1, categories=names)
    before = design(panel).inputs(np.array([10, 40]))
    panel.values[20:30, :3] = 2
    panel.values[50:60, :3] = 2
    assert np.array_equal(before, design(panel).inputs(np.array([10, 40])))


def test_it_is_the_same_after_json() -> None:
    panel = make_panel((30, 30), future=2, static=2, categories={"future_1": ("a", "b"), "static_1": ("x", "y")})
    made = design(panel)
    again = WindowDesign.from_dict(json.loads(json.dumps(made.learned.to_dict())))
    windows = window_arrays(panel, np.array([10, 40]), context_length=T, horizon=H)
    assert np.array_equal(again.inputs(windows), made.learned.inputs(windows))
    assert again.width == made.width == made.learned.inputs(windows).shape[1]
