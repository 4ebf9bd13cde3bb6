"""The interval of a paired difference: right coverage, and no claim without data."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from lstmgru.comparison import holm, paired_interval


def interval(difference: np.ndarray, overlap: int = 1, series: np.ndarray | None = None) -> tuple[float, float]:
    times = np.arange(len(difference))
    series = np.zeros(len(difference), int) if series is None else series
    found = paired_interval(difference, times, series, overlap=overlap)
    return found.low, found.high


def test_independent_differences_have_the_interval_of_the_paired_t_test() -> None:
    difference = np.random.default_rng(0).normal(0.3, 1.0, 40)
    expected = stats.ttest_1samp(difference, 0).confidence_interval(0.95)
    assert interval(difference) == pytest.approx((expected.low, expected.high))


def test_the_p_value_is_that_of_the_paired_t_test() -> None:
    difference = np.random.default_rng(0).normal(0.3, 1.0, 40)
    found = paired_interval(difference, np.arange(40), np.zeros(40, int), overlap=1)
    assert found.p_value == pytest.approx(stats.ttest_1samp(difference, 0).pvalue)


@pytest.mark.parametrize(("difference", "p_value"), [(0.0, 1.0), (-0.5, 0.0)])
def test_differences_without_any_spread_are_chance_only_where_they_are_none(difference: float, p_value: float) -> None:
    found = paired_interval(np.full(40, difference), np.arange(40), np.zeros(40, int), overlap=1)
    assert (found.low, found.high, found.p_value) == (difference, difference, p_value)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # Holm (1979) as R's p.adjust has it
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.04, 0.03], [0.06, 0.06]),
        ([0.9, 0.8, 1.0], [1.0, 1.0, 1.0]),
    ],
)
def test_several_tests_are_corrected_as_holm_does(p_values: list[float], corrected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(corrected)


def test_holms_correction_keeps_the_chance_of_any_false_claim() -> None:
    generator = np.random.default_rng(0)
    claims = sum(min(holm(list(generator.uniform(size=4)))) < 0.05 for _ in range(2000))
    assert claims / 2000 == pytest.approx(0.05, abs=0.015)


def overlapping(generator: np.random.Generator, count: int, overlap: int) -> np.ndarray:
    """Differences of mean zero, of which neighbours share parts as windows one step apart do."""
    return np.convolve(generator.normal(size=count + overlap - 1), np.ones(overlap) / overlap, "valid")


def test_an_overlap_widens_the_interval() -> None:
    difference = overlapping(np.random.default_rng(0), 400, 14)
    narrow, wide = interval(difference, 1), interval(difference, 14)
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


@pytest.mark.parametrize(("count", "overlap"), [(174, 7), (18, 3), (400, 24)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(count: int, overlap: int) -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        low, high = interval(overlapping(generator, count, overlap), overlap)
        covered += low < 0 < high
    assert 0.9 <= covered / 400 <= 0.99


def test_a_large_difference_is_seen_in_a_few_windows() -> None:
    assert interval(overlapping(np.random.default_rng(0), 18, 3) + 5, 3)[0] > 0


def test_too_few_cutoffs_of_one_series_allow_no_claim() -> None:
    assert interval(np.full(8, -1.0), overlap=5) == (-np.inf, np.inf)
    assert paired_interval(np.full(8, -1.0), np.arange(8), np.zeros(8, int), overlap=5).p_value == 1


def test_few_cutoffs_of_many_series_are_compared_over_the_series() -> None:
    difference = np.random.default_rng(0).normal(-1, 0.5, 40)
    found = paired_interval(difference, np.zeros(40, int), np.arange(40), overlap=10)
    assert found.high < 0


def test_series_that_move_together_count_as_one_at_each_cutoff() -> None:
    common = overlapping(np.random.default_rng(0), 100, 5)
    one = paired_interval(common, np.arange(100), np.zeros(100, int), overlap=5)
    times, series = np.tile(np.arange(100), 30), np.repeat(np.arange(30), 100)
    many = paired_interval(np.tile(common, 30), times, series, overlap=5)
    assert (many.low, many.high) == pytest.approx((one.low, one.high))
