"""Ridge regression of outputs that are not always known, against least squares by numpy, one output at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.panels import make_panel, training_cutoffs

from lstmgru.data.forecasting.arrays import window_arrays
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.evaluation.forecast_baselines import fit_baseline
from lstmgru.evaluation.forecast_baselines.channel_linear import ChannelLinear
from lstmgru.evaluation.forecast_baselines.linear import Linear
from lstmgru.evaluation.forecast_baselines.partial_ridge import fit_partial_ridge
from lstmgru.evaluation.forecast_baselines.ridge import ALPHAS
from lstmgru.specs import ForecastSpec

FORECAST = ForecastSpec(horizon=4, season_length=7)


def least_squares(x: np.ndarray, y: np.ndarray, alpha: float) -> tuple[np.ndarray, float]:
    """Coefficients and intercept of one output; the penalty is further examples."""
    penalty = np.sqrt(alpha) * np.eye(x.shape[1])
    centered = np.concatenate([x - x.mean(axis=0), penalty])
    coefficients = np.linalg.lstsq(centered, np.append(y - y.mean(), np.zeros(x.shape[1])), rcond=None)[0]
    return coefficients, float(y.mean() - x.mean(axis=0) @ coefficients)


def squared_errors(x: np.ndarray, y: np.ndarray, alpha: float) -> float:
    """Of each example, forecast by all others."""
    errors = []
    for left_out in range(len(x)):
        others = np.arange(len(x)) != left_out
        coefficients, intercept = least_squares(x[others], y[others], alpha)
        errors.append(y[left_out] - x[left_out] @ coefficients - intercept)
    return float(np.square(errors).sum())


@pytest.mark.parametrize(
    ("examples", "width", "share"), [(60, 5, 0.8), (60, 5, 0.3), (12, 20, 0.7)], ids=["most", "few", "wide"]
)
def test_each_output_is_fitted_to_its_known_examples(examples: int, width: int, share: float) -> None:
    generator = np.random.default_rng(width)
    x = 5 + generator.normal(size=(examples, 3)) @ generator.normal(size=(3, width))
    y = 100 + x[:, :4] + 2 * generator.normal(size=(examples, 4))
    known = generator.random(y.shape) < share
    known[:, 3] = known[:, 2]

    ridge = fit_partial_ridge(x, np.where(known, y, 1e9), known)

    each = [(x[rows], y[rows, column]) for column, rows in enumerate(known.T)]
    errors = [sum(squared_errors(*one, alpha) for one in each) for alpha in ALPHAS]
    assert ridge.alpha == ALPHAS[int(np.argmin(errors))]
    for column, one in enumerate(each):
        coefficients, intercept = least_squares(*one, ridge.alpha)
        np.testing.assert_allclose(ridge.coefficients[:, column], coefficients, rtol=1e-6, atol=1e-9)
        assert ridge.intercept[column] == pytest.approx(intercept, rel=1e-6)


def test_an_output_that_is_never_known_is_that_of_the_nearest_step_of_its_target() -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(50, 3)), generator.normal(size=(50, 8))
    known = np.ones(y.shape, bool)
    known[0] = False
    known[:, [0, 2, 3]] = False  # the first two steps of the first target, the second step of the second

    ridge = fit_partial_ridge(x, y, known, n_targets=2)

    for column, source in enumerate([4, 1, 4, 1, 4, 5, 6, 7]):
        assert np.array_equal(ridge.coefficients[:, column], ridge.coefficients[:, source])
        assert ridge.intercept[column] == ridge.intercept[source]


def gappy_panel() -> SeriesPanel:
    """Two targets; a fifth of the values is not known."""
    panel = make_panel((160,), targets=2)
    known = np.random.default_rng(1).random((160, 2)) < 0.8
    return replace(panel, known=known, observed=known.all(axis=1))


@pytest.mark.parametrize("context_length", [6, 100])
def test_linear_baselines_learn_known_targets_only(context_length: int) -> None:
    panel = gappy_panel()
    assert panel.known is not None
    split = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=4, context_length=context_length).holdout
    linear, channels = (
        fit_baseline(name, panel, split, FORECAST, context_length) for name in ("linear", "channel_linear")
    )
    assert isinstance(linear, Linear)
    assert isinstance(channels, ChannelLinear)
    cutoffs = training_cutoffs(panel, split, context_length=context_length, horizon=4)
    windows = window_arrays(panel, cutoffs, context_length=context_length, horizon=4)
    known, targets = (
        np.stack([array[cutoff : cutoff + 4] for cutoff in cutoffs]) for array in (panel.known, panel.values)
    )

    inputs, scaled = linear.design.inputs(windows), linear.design.scaled_targets(windows, targets)
    for step, target in np.ndindex(4, 2):
        rows = known[:, step, target]
        expected, _ = least_squares(inputs[rows].astype(float), scaled[rows, step, target], linear.ridge.alpha)
        np.testing.assert_allclose(linear.ridge.coefficients[:, 2 * step + target], expected, rtol=1e-4, atol=1e-6)

    last = windows.past[:, -1:]
    contexts, ahead = ((values - last) / channels.scale for values in (windows.past, targets))
    for step in range(4):
        x = np.concatenate([contexts[known[:, step, target], :, target] for target in range(2)]).astype(float)
        y = np.concatenate([ahead[known[:, step, target], step, target] for target in range(2)])
        expected, _ = least_squares(x, y, channels.ridge.alpha)
        np.testing.assert_allclose(channels.ridge.coefficients[:, step], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["linear", "channel_linear"])
def test_a_mask_without_a_gap_changes_nothing(name: str) -> None:
    panel = make_panel((160,), targets=2)
    split = make_splits(panel, SplitSpec(holdout=20, folds=1), horizon=4, context_length=6).holdout
    _, plain = fit_baseline(name, panel, split, FORECAST, 6).state()
    masked = replace(panel, known=np.ones((160, 2), bool))
    _, same = fit_baseline(name, masked, split, FORECAST, 6).state()
    assert all(np.array_equal(plain[key], same[key]) for key in plain)
