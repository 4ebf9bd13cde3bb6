"""Ridge regression from sums, against scikit-learn's on all examples at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from helpers.combinations import every_pair

from lstmgru.evaluation.forecast_baselines.ridge import fit_ridge

ALPHAS = np.logspace(5, -1, 13).tolist()


def blocks(x: np.ndarray, y: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return ((x[start : start + size], y[start : start + size]) for start in range(0, len(x), size))


@every_pair(shape=[(400, 20), (60, 50), (2_000, 3)], noise=[0.01, 0.5, 30.0], size=[7, 10_000])
def test_it_finds_the_penalty_and_the_coefficients_of_scikit_learn(
    shape: tuple[int, int], noise: float, size: int
) -> None:
    from sklearn.linear_model import RidgeCV

    examples, width = shape
    generator = np.random.default_rng(width)
    # Columns that depend on each other and lie far from zero, as the steps of a series do.
    x = 5 + generator.normal(size=(examples, 3)) @ generator.normal(size=(3, width))
    x += 0.1 * generator.normal(size=x.shape)
    y = x[:, :2] + noise * generator.normal(size=(examples, 2))
    theirs, own = RidgeCV(alphas=ALPHAS).fit(x, y), fit_ridge(lambda: blocks(x, y, size), ALPHAS)
    assert own.alpha == theirs.alpha_
    np.testing.assert_allclose(own.coefficients, theirs.coef_.T, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(own.intercept, theirs.intercept_, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(own.predict(x), theirs.predict(x), rtol=1e-7, atol=1e-8)


def test_a_constant_column_has_no_say() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    x[:, 1] = 4
    own = fit_ridge(lambda: blocks(x, x[:, :1], 30), ALPHAS)
    assert abs(own.coefficients[1, 0]) < 1e-12
    np.testing.assert_allclose(own.predict(x), x[:, :1], atol=0.01)
