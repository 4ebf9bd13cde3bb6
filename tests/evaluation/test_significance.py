"""The interval of a paired difference: right coverage, and no claim without data."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.lazy import LazyModule

from lstmgru.evaluation.significance import Interval, holm, paired_bootstrap, paired_interval

stats = LazyModule("scipy.stats")


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
    """Differences of mean zero, of which neighbors share parts as windows one step apart do."""
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


def bootstrap(difference: np.ndarray, units: np.ndarray | None = None) -> Interval:
    """Of the mean of paired differences."""
    units = np.arange(len(difference)) if units is None else units
    return paired_bootstrap(lambda rows: float(difference[rows].mean()), units)


def test_the_bootstrap_of_a_mean_is_about_the_paired_t_test() -> None:
    difference = np.random.default_rng(0).normal(0.2, 1.0, 200)
    found, expected = bootstrap(difference), stats.ttest_1samp(difference, 0)
    interval = expected.confidence_interval(0.95)
    assert found.mean == difference.mean()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=0.02)
    assert found.p_value == pytest.approx(expected.pvalue, abs=0.01)


def test_the_same_differences_have_the_same_bootstrap() -> None:
    difference = np.random.default_rng(0).normal(size=50)
    assert bootstrap(difference) == bootstrap(difference)


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = sum(found.low <= 0 <= found.high for found in (bootstrap(generator.normal(size=60)) for _ in range(100)))
    assert 0.88 <= covered / 100 <= 1


def test_rows_of_a_unit_are_drawn_together_whatever_their_order() -> None:
    """Twenty units of unequal sizes: of a statistic that sees whole units only, each draw has twenty of them."""
    generator = np.random.default_rng(0)
    units = generator.permutation(np.repeat(np.arange(20), np.arange(1, 21)))
    seen: list[float] = []

    def whole_units(rows: np.ndarray) -> float:
        times = np.bincount(rows, minlength=len(units))
        per_unit = np.array([set(times[units == unit].tolist()) for unit in range(20)])
        assert all(len(counts) == 1 for counts in per_unit), "all rows of a unit come equally often"
        seen.append(sum(counts.pop() for counts in per_unit))
        return 0.0

    paired_bootstrap(whole_units, units)
    assert set(seen) == {20}


def test_too_few_units_allow_no_claim() -> None:
    found = bootstrap(np.full(8, -1.0), np.arange(8) // 2)
    assert (found.mean, found.low, found.high, found.p_value) == (-1, -np.inf, np.inf, 1)


def test_draws_without_a_value_do_not_count_unless_they_are_most() -> None:
    difference = np.full(40, -1.0)
    rarely = paired_bootstrap(lambda rows: float("nan") if rows[0] < 5 else difference[rows].mean(), np.arange(40) + 1)
    assert (rarely.low, rarely.high) == (-1, -1)
    mostly = paired_bootstrap(lambda rows: float("nan") if rows[0] > 5 else difference[rows].mean(), np.arange(40))
    assert (mostly.low, mostly.high) == (-np.inf, np.inf)
