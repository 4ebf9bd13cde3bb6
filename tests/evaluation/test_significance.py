"""The interval of a paired difference: right coverage, and no claim without data."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.combinations import each_row
from helpers.lazy import LazyModule

from lstmgru.evaluation.autocorrelation import MeanTest
from lstmgru.evaluation.significance import Interval, bootstrap_interval, holm, paired_bootstrap, paired_interval

stats = LazyModule("scipy.stats")


def interval(difference: np.ndarray, overlap: int = 1) -> Interval:
    return paired_interval(difference, np.arange(len(difference)), overlap=overlap)


def autoregressive(generator: np.random.Generator, count: int, correlation: float) -> np.ndarray:
    """Differences of mean 0 and variance 1."""
    values = generator.normal(size=count)
    for now in range(1, count):
        values[now] = correlation * values[now - 1] + np.sqrt(1 - correlation**2) * values[now]
    return values


def test_few_cutoffs_have_the_interval_of_the_test_of_autocorrelated_means() -> None:
    difference = np.random.default_rng(0).normal(0.3, 1.0, 23)
    test = MeanTest.of(difference)

    found = interval(difference)

    half = test.half_width(0.05)
    assert (found.low, found.high) == pytest.approx((difference.mean() - half, difference.mean() + half))
    assert found.p_value == test.p_value


def test_many_cutoffs_have_at_least_the_interval_of_eight_blocks() -> None:
    """Slow swings under much noise look independent from one cutoff to the next."""
    generator = np.random.default_rng(3)
    difference = 0.5 * autoregressive(generator, 400, 0.98) + generator.normal(size=400)
    blocks = difference.reshape(8, 50).mean(axis=1)
    expected = stats.ttest_1samp(blocks, 0)

    found = interval(difference)

    assert expected.pvalue > MeanTest.of(difference).p_value, "the blocks are needed here"
    limits = expected.confidence_interval(0.95)
    assert (found.low, found.high, found.p_value) == pytest.approx((limits.low, limits.high, expected.pvalue))


def test_neighboring_windows_that_overlap_are_averaged() -> None:
    difference = overlapping(np.random.default_rng(0), 60, 3)

    found, expected = interval(difference, 3), interval(difference.reshape(20, 3).mean(axis=1))

    assert (found.low, found.high, found.p_value) == pytest.approx((expected.low, expected.high, expected.p_value))


@pytest.mark.parametrize(("difference", "p_value"), [(0.0, 1.0), (-0.5, 0.0)])
def test_differences_without_any_spread_are_chance_only_where_they_are_none(difference: float, p_value: float) -> None:
    found = interval(np.full(40, difference))
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


@each_row("correlation", [0.0, 0.5, 0.95])
@each_row("count", [5, 15, 60])
def test_equal_forecasters_are_rarely_called_different(count: int, correlation: float) -> None:
    generator = np.random.default_rng(count)
    found = [interval(autoregressive(generator, count, correlation)) for _ in range(400)]
    claims = np.mean([each.low > 0 or each.high < 0 for each in found])
    assert claims <= 0.07 + 2 * np.sqrt(0.07 * 0.93 / 400)


@pytest.mark.parametrize(("count", "overlap"), [(174, 7), (36, 3), (400, 24)])
def test_overlapping_windows_make_no_more_false_claims(count: int, overlap: int) -> None:
    generator = np.random.default_rng(1)
    found = [interval(overlapping(generator, count, overlap), overlap) for _ in range(400)]
    assert np.mean([each.p_value < 0.05 for each in found]) <= 0.07


@pytest.mark.parametrize(("count", "shift", "power"), [(30, 1.0, 0.9), (60, 0.6, 0.9), (120, 0.4, 0.9), (8, 40.0, 0.9)])
def test_a_difference_that_the_cutoffs_carry_is_found(count: int, shift: float, power: float) -> None:
    generator = np.random.default_rng(2)
    found = [interval(generator.normal(shift, 1.0, count)) for _ in range(100)]
    assert np.mean([each.low > 0 for each in found]) >= power


def test_the_interval_of_blocks_is_that_of_a_t_test_of_eight_means() -> None:
    difference = np.random.default_rng(3).normal(1.0, 1.0, 160)
    means = difference.reshape(8, 20).mean(axis=1)
    low, high = stats.t.interval(0.95, 7, means.mean(), means.std(ddof=1) / np.sqrt(8))
    assert interval(difference).blocks == pytest.approx((high - low) / 2)
    assert interval(difference[:20]).blocks is None


def test_a_large_difference_is_seen_in_a_few_windows() -> None:
    assert interval(overlapping(np.random.default_rng(0), 18, 3) + 20, 3).low > 0


@pytest.mark.parametrize(("count", "overlap"), [(4, 1), (8, 5), (14, 3)])
def test_fewer_than_five_means_allow_no_claim(count: int, overlap: int) -> None:
    found = interval(np.full(count, -1.0), overlap)
    assert found == Interval(-1.0, -np.inf, np.inf, 1.0, "cutoffs")


def test_of_19_means_only_a_significant_difference_has_an_interval() -> None:
    difference = np.random.default_rng(0).normal(size=19)

    assert interval(difference).lacking == "cutoffs"
    clear = interval(difference + 100)
    assert 0 < clear.low < clear.high
    assert (clear.lacking, clear.p_value < 0.05) == ("", True)
    assert np.isfinite(interval(np.append(difference, 0.1)).low)


def test_many_series_at_few_cutoffs_are_no_sample() -> None:
    difference = np.random.default_rng(0).normal(-1, 0.5, 40)

    assert paired_interval(difference, np.zeros(40, int), overlap=1).lacking == "cutoffs"


def test_series_that_move_together_count_as_one_at_each_cutoff() -> None:
    common = overlapping(np.random.default_rng(0), 100, 5)

    many = paired_interval(np.tile(common, 30), np.tile(np.arange(100), 30), overlap=5)

    one = interval(common, 5)
    assert (many.low, many.high) == pytest.approx((one.low, one.high))


@pytest.mark.parametrize("correlation", [0.2, 0.5])
def test_equal_forecasters_of_related_series_are_rarely_called_different(correlation: float) -> None:
    generator = np.random.default_rng(4)
    times = np.tile(np.arange(12), 23)
    claims = 0
    for _ in range(200):
        common, own = generator.normal(size=12), generator.normal(size=(23, 12))
        difference = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own
        claims += paired_interval(difference.ravel(), times, overlap=1).p_value < 0.05
    assert claims / 200 <= 0.07


def bootstrap(difference: np.ndarray, units: np.ndarray | None = None) -> Interval:
    """Of the mean of paired differences."""
    units = np.arange(len(difference)) if units is None else units
    return paired_bootstrap(lambda rows: float(difference[rows].mean()), units, "groups")


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
    covered = sum(found.low <= 0 <= found.high for found in (bootstrap(generator.normal(size=60)) for _ in range(40)))
    assert 0.85 <= covered / 40 <= 1


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

    paired_bootstrap(whole_units, units, "groups")
    assert set(seen) == {20}


def test_too_few_units_allow_no_claim() -> None:
    found = bootstrap(np.full(8, -1.0), np.arange(8) // 2)
    assert found == Interval(-1.0, -np.inf, np.inf, 1.0, "groups")


def test_a_group_that_is_most_of_the_data_is_no_sample() -> None:
    """100 rows of one group and 10 of each of four others weigh as much as 1.9 groups of equal size."""
    units = np.repeat(np.arange(5), [100, 10, 10, 10, 10])
    assert bootstrap(np.random.default_rng(0).normal(3.0, 1.0, 140), units).lacking == "groups"


def test_the_degrees_of_freedom_are_those_of_the_effective_number_of_units() -> None:
    draws, units = np.random.default_rng(0).normal(size=1000), np.repeat(np.arange(6), [10, 10, 10, 10, 20, 20])

    found = bootstrap_interval(0.3, draws, units, "groups")

    effective = 80**2 / (4 * 10**2 + 2 * 20**2)
    half = stats.t.ppf(0.975, effective - 1) * draws.std() * np.sqrt(6 / 5)
    assert (found.low, found.high) == pytest.approx((0.3 - half, 0.3 + half))
    assert found.p_value == pytest.approx(2 * stats.t.sf(0.3 / (draws.std() * np.sqrt(6 / 5)), effective - 1))


@pytest.mark.parametrize(("groups", "power"), [(5, 0.3), (8, 0.6), (10, 0.8)])
def test_equal_methods_are_rarely_called_different_by_a_few_groups(groups: int, power: float) -> None:
    generator = np.random.default_rng(0)
    units = np.repeat(np.arange(groups), 10)
    claims, seen = 0, 0
    for _ in range(100):
        difference = 0.7 * generator.normal(size=groups)[units] + generator.normal(size=len(units))
        total = np.bincount(units, difference) / len(units)
        draws = generator.multinomial(groups, np.full(groups, 1 / groups), size=1000) @ total
        claims += bootstrap_interval(float(total.sum()), draws, units, "groups").p_value < 0.05
        seen += bootstrap_interval(float(total.sum()) + 1, draws + 1, units, "groups").p_value < 0.05
    assert claims / 100 <= 0.1
    assert seen / 100 >= power


def test_draws_without_a_value_do_not_count_unless_they_are_most() -> None:
    difference, units = np.full(40, -1.0), np.arange(40)
    rarely = paired_bootstrap(
        lambda rows: float("nan") if 0 < rows[0] < 5 else difference[rows].mean(), units, "groups"
    )
    assert (rarely.low, rarely.high) == (pytest.approx(-1), pytest.approx(-1))
    mostly = paired_bootstrap(lambda rows: float("nan") if rows[0] > 5 else difference[rows].mean(), units, "groups")
    assert (mostly.low, mostly.high) == (-np.inf, np.inf)
