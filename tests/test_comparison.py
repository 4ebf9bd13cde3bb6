"""The interval of a paired difference: right coverage, and no claim without data."""

from __future__ import annotations

import numpy as np
import pytest

from lstmgru.comparison import paired_interval


def interval(difference: np.ndarray, block_length: int = 1, series: np.ndarray | None = None) -> tuple[float, float]:
    times = np.arange(len(difference))
    series = np.zeros(len(difference), int) if series is None else series
    found = paired_interval(difference, times, series, block_length=block_length)
    return found.low, found.high


def test_independent_differences_have_the_interval_of_the_textbook() -> None:
    difference = np.random.default_rng(0).normal(0.3, 1.0, 400)
    low, high = interval(difference)
    half = 1.96 * difference.std() / np.sqrt(400)
    assert low == pytest.approx(difference.mean() - half, abs=0.02)
    assert high == pytest.approx(difference.mean() + half, abs=0.02)


def test_blocks_widen_the_interval_of_differences_that_overlap() -> None:
    noise = np.random.default_rng(0).normal(size=430)
    smooth = np.convolve(noise, np.ones(14) / 14, "valid")
    narrow, wide = interval(smooth, 1), interval(smooth, 14)
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        low, high = interval(np.convolve(generator.normal(size=306), np.ones(7) / 7, "valid"), 14)
        covered += low < 0 < high
    assert 85 <= covered <= 100


def test_few_cutoffs_and_one_series_allow_no_claim() -> None:
    assert interval(np.full(8, -1.0), block_length=4) == (-np.inf, np.inf)


def test_few_cutoffs_of_many_series_are_compared_over_the_series() -> None:
    series = np.arange(40)
    difference = np.random.default_rng(0).normal(-1, 0.5, 40)
    found = paired_interval(difference, np.zeros(40, int), series, block_length=10)
    assert found.high < 0


def test_the_same_differences_give_the_same_interval() -> None:
    difference = np.random.default_rng(0).normal(size=100)
    assert interval(difference) == interval(difference)
