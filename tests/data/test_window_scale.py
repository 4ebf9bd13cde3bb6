"""The scale of a window against its formula, where contexts are short, constant or begin with padding."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.panels import make_panel

from lstmgru.data.forecasting.windows import panel_scale, window_scale


def contexts(*rows: list[float]) -> np.ndarray:
    """(windows, T, 1)."""
    return np.array(rows, np.float32)[..., None]


@each_row(
    ("context", "season_length", "expected"),
    [
        ([1, 5, 2, 7, 4], 2, (1 + 2 + 2) / 3),  # more than two seasons: to one season earlier
        ([1, 5, 2, 7], 2, (4 + 3 + 5) / 3),  # two seasons: to the row before
        ([1, 5, 2, 7], 1, (4 + 3 + 5) / 3),
        ([1, 5, 2, 7], 99, (4 + 3 + 5) / 3),
        ([50, 50, 50], 1, 0.05),  # constant: a thousandth of its level
        ([-50, -50, -50], 1, 0.05),
        ([0, 0, 0], 1, 1),  # zeros: no level either
        ([3], 1, 0.003),  # no difference at all
    ],
)
def test_the_scale_of_a_context(context: list[float], season_length: int, expected: float) -> None:
    assert window_scale(contexts(context), season_length).item() == pytest.approx(expected)


@pytest.mark.parametrize(("real", "season_length"), [(5, 2), (4, 2), (2, 2), (1, 2), (3, 1)])
def test_padding_does_not_count(real: int, season_length: int) -> None:
    whole = np.random.default_rng(0).standard_normal((3, real, 2)).astype(np.float32)
    padded = np.concatenate([np.zeros((3, 6, 2), np.float32), whole], axis=1)
    scales = window_scale(padded, season_length, np.full(3, real))
    assert scales == pytest.approx(window_scale(whole, season_length))


def test_windows_of_different_lengths_each_have_their_own_rule() -> None:
    padded = contexts([0, 1, 5, 2, 7], [1, 5, 2, 7, 4])
    scales = window_scale(padded, 2, np.array([4, 5]))
    assert scales.ravel() == pytest.approx([4, 5 / 3])


def test_the_scale_grows_with_the_series() -> None:
    context = np.random.default_rng(0).standard_normal((4, 30, 2)).astype(np.float32)
    assert window_scale(1000 * context, 7) == pytest.approx(1000 * window_scale(context, 7), rel=1e-5)


def test_the_scales_of_a_panel_are_those_of_the_contexts_in_its_series() -> None:
    panel = make_panel((40, 30), targets=2)
    cutoffs = np.array([30, 45, 60])
    scales = panel_scale(panel, cutoffs, context_length=20, season_length=7)
    for scale, (start, end) in zip(scales, [(10, 30), (40, 45), (40, 60)], strict=True):
        assert scale == pytest.approx(window_scale(panel.values[None, start:end, :2], 7)[0])


def test_many_windows_have_the_scales_that_they_have_one_by_one() -> None:
    panel = make_panel((2000, 800))
    cutoffs = np.arange(10, 2700)
    together = panel_scale(panel, cutoffs, context_length=5, season_length=1)
    for number in (0, 1023, 1024, 2047, 2048, 2689):
        alone = panel_scale(panel, cutoffs[number : number + 1], context_length=5, season_length=1)
        assert np.array_equal(together[number], alone[0])


def test_nothing_at_or_after_a_cutoff_is_read() -> None:
    panel = make_panel((40, 30))
    cutoffs = np.array([30, 60])
    before = panel_scale(panel, cutoffs, context_length=10, season_length=7)
    panel.values[30:40] = np.nan
    panel.values[60:] = np.nan
    assert np.array_equal(before, panel_scale(panel, cutoffs, context_length=10, season_length=7))


def test_a_hidden_row_in_the_context_is_noticed() -> None:
    panel = make_panel((40, 30)).hiding(np.array([20, 70]))
    assert np.isnan(panel_scale(panel, np.array([25]), context_length=10, season_length=7)).all()


def test_a_single_series_has_no_scale() -> None:
    panel = make_panel((40,), targets=3)
    assert np.array_equal(panel_scale(panel, np.array([20, 30]), context_length=10, season_length=7), np.ones((2, 3)))
