"""Ridge regression with leave-one-out predictions, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest

from lstmgru.errors import BaselineTooSlow
from lstmgru.evaluation.sequence_baselines.loo_ridge import fit_loo_ridge
from lstmgru.evaluation.time_limit import TimeLimit

ALPHAS = [0.001, 1.0, 30.0, 1000.0]


def make(count: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Centered features, and targets that depend on some of them."""
    generator = np.random.default_rng(0)
    features = generator.standard_normal((count, width)).astype(np.float32)
    features -= features.mean(axis=0)
    return features, 5 + features[:, :3] @ generator.standard_normal((3, 2)) + generator.standard_normal((count, 2))


@pytest.mark.parametrize(("count", "width"), [(20, 200), (200, 20), (30, 30)])
def test_it_is_that_of_scikit_learn(count: int, width: int) -> None:
    from sklearn.linear_model import RidgeCV

    features, targets = make(count, width)
    found = fit_loo_ridge(features, targets, ALPHAS)
    reference = RidgeCV(ALPHAS, store_cv_results=True).fit(features.astype(np.float64), targets)
    assert found.alpha == reference.alpha_
    assert found.coefficients == pytest.approx(reference.coef_, abs=1e-8)
    assert found.intercept == pytest.approx(reference.intercept_, abs=1e-6)
    errors = reference.cv_results_[:, :, ALPHAS.index(found.alpha)]
    assert (targets - found.left_out) ** 2 == pytest.approx(errors, abs=1e-6)


@pytest.mark.parametrize(("count", "width"), [(12, 40), (40, 12)])
def test_an_example_is_left_out_of_the_model_that_predicts_it(count: int, width: int) -> None:
    from sklearn.linear_model import Ridge

    features, targets = make(count, width)
    found = fit_loo_ridge(features, targets, [2.0])
    for example in range(count):
        others = np.arange(count) != example
        model = Ridge(2.0).fit(features[others].astype(np.float64), targets[others])
        expected = model.predict(features[[example]].astype(np.float64))[0]
        assert found.left_out[example] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("count", "width"), [(5, 3), (3, 5)])
def test_features_without_variation_have_no_coefficients(count: int, width: int) -> None:
    found = fit_loo_ridge(np.zeros((count, width), np.float32), np.arange(count, dtype=np.float64)[:, None], [1.0])
    assert not found.coefficients.any()
    # What is left is the mean of the others.
    others = (np.arange(count).sum() - np.arange(count)) / (count - 1)
    assert found.left_out[:, 0] == pytest.approx(others)


def test_it_stops_before_work_that_would_take_too_long() -> None:
    with pytest.raises(BaselineTooSlow, match="longer than its limit of 0 s"):
        fit_loo_ridge(*make(20, 200), ALPHAS, TimeLimit(1e-9))
