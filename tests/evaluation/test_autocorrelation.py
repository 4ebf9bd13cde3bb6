"""The test of a mean of autocorrelated values, compared with the same calculation by matrices."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.lazy import LazyModule

from lstmgru.evaluation.autocorrelation import MeanTest

stats = LazyModule("scipy.stats")

CANDIDATES = 1 - np.exp(np.linspace(0, np.log(0.015), 24))


def by_matrices(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors and weights by generalized least squares with the whole correlation matrix."""
    count, ones = len(values), np.ones(len(values))
    errors, logs = [], []
    for candidate in CANDIDATES:
        matrix = candidate ** np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
        inverse = np.linalg.inv(matrix)
        information = ones @ inverse @ ones
        residuals = values - ones @ inverse @ values / information
        squares = residuals @ inverse @ residuals
        errors.append(np.sqrt(squares / (count - 1) * matrix.sum()) / count)
        determinant = np.linalg.slogdet(matrix)[1]
        logs.append(-0.5 * (determinant + np.log(information) + (count - 1) * np.log(squares)))
    weights = np.exp(np.array(logs) - max(logs))
    return np.array(errors), weights / weights.sum()


@pytest.mark.parametrize("count", [2, 5, 40])
def test_errors_and_weights_are_those_of_generalized_least_squares(count: int) -> None:
    values = 0.3 + np.cumsum(np.random.default_rng(count).normal(size=count)) * 0.2

    test = MeanTest.of(values)

    errors, weights = by_matrices(values)
    assert test.mean == pytest.approx(values.mean())
    np.testing.assert_allclose(test.errors, errors)
    np.testing.assert_allclose(test.weights, weights, atol=1e-12)
    p_values = 2 * stats.t.sf(abs(values.mean()) / errors, count - 1)
    assert test.p_value == pytest.approx(weights @ p_values)


def test_the_interval_ends_where_the_p_value_is_the_level() -> None:
    values = np.random.default_rng(0).normal(0.4, 1, 30)
    half = MeanTest.of(values).half_width(0.05)

    assert MeanTest.of(values - values.mean() + half).p_value == pytest.approx(0.05)


def test_many_independent_values_have_the_t_test() -> None:
    values = np.random.default_rng(0).normal(0.02, 1, 20_000)
    expected = stats.ttest_1samp(values, 0)

    test = MeanTest.of(values)

    assert test.p_value == pytest.approx(expected.pvalue, abs=0.01)
    interval = expected.confidence_interval(0.95)
    assert test.half_width(0.05) == pytest.approx((interval.high - interval.low) / 2, rel=0.03)


def test_autocorrelation_widens_the_interval_and_few_values_cannot_exclude_it() -> None:
    noise = np.random.default_rng(0).normal(size=200)
    persistent = np.array(
        [noise[max(0, end - 40) : end + 1] @ 0.9 ** np.arange(min(end, 40), -1, -1) for end in range(200)]
    )

    alone, together = MeanTest.of(noise), MeanTest.of(persistent / persistent.std())
    assert together.half_width(0.05) > 3 * alone.half_width(0.05)
    few = MeanTest.of(noise[:10])
    assert few.half_width(0.05) > 3 * stats.t.ppf(0.975, 9) * noise[:10].std(ddof=1) / np.sqrt(10)
