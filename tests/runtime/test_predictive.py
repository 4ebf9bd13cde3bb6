"""Predictive distributions: intervals of any level, and sample paths with the dependence of the errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from lstmgru.data.forecasting.windows import window_scale
from lstmgru.errors import DataError, SpecError
from lstmgru.evaluation.intervals import calibrate, conformity
from lstmgru.runtime.forecasting.conformal import apply, quantile_forecast
from lstmgru.runtime.forecasting.predictive import MOST_SCORES, PredictiveDistribution, kept_scores, normal_score
from lstmgru.specs.calibration import Calibration

LEVELS = (0.8, 0.95)
HORIZON = 6


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def autoregressive(n: int, horizon: int = HORIZON, seed: int = 0) -> np.ndarray:
    """(n, H, 1) errors of a stationary AR(1) process with the coefficient 0.8 and variance 1."""
    errors = np.random.default_rng(seed).standard_normal((n, horizon, 1))
    for step in range(1, horizon):
        errors[:, step] = 0.8 * errors[:, step - 1] + 0.6 * errors[:, step]
    return errors.astype(np.float32)


def predictive_of(
    target: np.ndarray, forecast: np.ndarray, scale: np.ndarray | None = None, levels: tuple[float, ...] = LEVELS
) -> tuple[PredictiveDistribution, np.ndarray]:
    """The distribution of a backtest, and its calibrated quantiles."""
    scale = np.ones((len(target), target.shape[2]), np.float32) if scale is None else scale
    calibration = calibrate([conformity(target, forecast, scale)], levels)
    quantiles = quantile_forecast(calibration, forecast, scale)
    scores = PredictiveDistribution(calibration).scored(target, quantiles)
    return PredictiveDistribution(calibration, scores), quantiles


def point_backtest(n: int = 99, targets: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True values, point forecasts and scales of windows of very different sizes."""
    sizes = np.exp(noise(n, 1, 1, seed=3))
    forecast = 10 * noise(n, HORIZON, targets, seed=1)
    return forecast + sizes * noise(n, HORIZON, targets), forecast, np.broadcast_to(sizes[:, 0], (n, targets))


def test_the_interval_of_any_level_around_a_point_forecast_is_that_of_split_conformal_prediction() -> None:
    target, forecast, scale = point_backtest()
    levels = (0.1, 0.5, 0.8, 0.9, 0.95, 0.99)
    found, quantiles = predictive_of(target, forecast, scale)
    reference = apply(calibrate([conformity(target, forecast, scale)], levels), forecast, scale)

    ends = found.intervals(quantiles, found.check_levels(levels))

    for own, expected in zip(ends, reference, strict=True):
        np.testing.assert_allclose(own, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_windows", [2, 9, 99])
@pytest.mark.parametrize("kind", ["point", "quantiles"])
def test_levels_of_the_calibration_keep_their_intervals_and_all_are_nested(kind: str, n_windows: int) -> None:
    target = noise(n_windows, 12, 2)
    forecast = np.zeros_like(target)
    if kind == "quantiles":
        forecast = np.sort(noise(n_windows, 12, 2, 5, seed=1), axis=-1)
    found, quantiles = predictive_of(target, forecast)
    levels = [level for level in (0.2, 0.5, 0.75, 0.8, 0.85, 0.95, 0.97) if level <= found.highest_level]

    lower, upper = found.intervals(quantiles, found.check_levels(levels))

    for level in found.levels:
        place = 1 + LEVELS.index(level)
        assert np.array_equal(upper[levels.index(level)], quantiles[..., 2 + place])
        assert np.array_equal(lower[levels.index(level)], quantiles[..., 2 - place])
    assert all((wider >= narrower - 1e-5).all() for narrower, wider in pairwise(upper))
    assert all((wider <= narrower + 1e-5).all() for narrower, wider in pairwise(lower))


def test_other_levels_cover_new_exchangeable_data_as_often_as_they_promise() -> None:
    from scipy.stats import binom

    generator, draws, n_windows, levels = np.random.default_rng(0), 1000, 60, (0.5, 0.9, 0.98)
    inside = []
    for _ in range(draws):
        size = generator.uniform(0.5, 2, (n_windows + 1, 1, 1))
        target = (size * (generator.exponential(1, (n_windows + 1, 2, 1)) - 0.5)).astype(np.float32)
        ends = np.array([-0.2, -0.1, 0, 0.1, 0.2])
        forecast = (size[..., None] * ends + np.zeros((n_windows + 1, 2, 1, 1))).astype(np.float32)
        found, _ = predictive_of(target[:-1], forecast[:-1])
        quantiles = quantile_forecast(found.calibration, forecast[-1:], np.ones((1, 1), np.float32))
        lower, upper = found.intervals(quantiles, levels)
        inside.append((lower <= target[-1:]) & (target[-1:] <= upper))
    for level, shares in zip(levels, np.mean(inside, axis=(0, 2, 4)), strict=True):
        promised = np.ceil((n_windows + 1) * level - 1e-9) / (n_windows + 1)
        low, high = binom.interval(1 - 1e-6, draws, promised)
        # The calibrated quantiles have seen the same errors, which costs up to one of them.
        assert ((low / draws - 1 / n_windows <= shares) & (shares <= high / draws + 1 / n_windows)).all()


def test_scores_are_the_normal_quantiles_of_true_values_and_lead_back_to_them() -> None:
    target, forecast, scale = point_backtest()
    found, quantiles = predictive_of(target, forecast, scale)
    assert found.scores is not None

    np.testing.assert_allclose(found.at(found.scores.astype(float), quantiles), target, rtol=1e-4, atol=1e-4)
    for level, share in zip(LEVELS, (80, 95), strict=True):
        within = (np.abs(found.scores) <= normal_score(level) + 1e-5).sum(axis=0)
        assert (within == share).all()


def test_at_a_bound_the_narrowest_interval_with_the_value_counts() -> None:
    calibration = Calibration(LEVELS, np.ones((2, 1, 1), np.float32), False, 1, 99)
    quantiles = np.array([0, 0, 1, 3, 5], np.float32).reshape(1, 1, 1, 5)
    found = PredictiveDistribution(calibration)

    for value, score in [(0, -normal_score(0.8)), (1, 0), (3, normal_score(0.8)), (np.nan, np.nan)]:
        scored = found.scored(np.full((1, 1, 1), value, np.float32), quantiles)
        np.testing.assert_allclose(scored.ravel(), score, rtol=1e-6)
    exact = np.full((1, 1, 1, 5), 7, np.float32)
    assert np.isfinite(found.scored(np.full((1, 1, 1), 8, np.float32), exact)).all()
    assert found.at(np.zeros((1, 1, 1)), exact).item() == 7


def test_levels_that_the_errors_do_not_support_are_refused_with_those_that_they_do() -> None:
    found, _ = predictive_of(noise(9, 4, 1), np.zeros((9, 4, 1), np.float32))
    assert found.highest_level == pytest.approx(36 / 37)
    assert found.check_levels((0.97, 0.5)) == (0.5, 0.97)
    assert found.check_levels(np.array([0.8], np.float32)) == (0.8,)

    for levels, message in [
        (
            (0.98,),
            r"level 0\.98 needs 49 errors .* there are 36 \(9 forecasts of 4 steps\); choose a level up to 0\.9729",
        ),
        ((80,), r"between 0 and 1 but got 80; 0\.9 is the 90% interval"),
        ((0.5, 0.5), r"levels must differ but got 0\.5, 0\.5"),
    ]:
        with pytest.raises(DataError, match=message):
            found.check_levels(levels)
    earlier = PredictiveDistribution(found.calibration)
    assert (earlier.check_levels((0.8,)), earlier.highest_level) == ((0.8,), 0.95)
    with pytest.raises(
        DataError, match=r"of the levels 0\.8, 0\.95 but not of 0\.5: it was exported without the errors"
    ):
        earlier.check_levels((0.5,))
    with pytest.raises(DataError, match="has no sample paths"):
        earlier.paths(np.zeros((1, 4, 1, 5), np.float32), 3, ["a"])
    nothing = PredictiveDistribution(calibrate([noise(1, 2, 1)], LEVELS), noise(1, 2, 1))
    with pytest.raises(DataError, match="has no prediction intervals"):
        nothing.check_levels((0.5,))
    with pytest.raises(SpecError, match=r"must be \(n, 4, 1\) but are \(9, 3, 1\)"):
        PredictiveDistribution(found.calibration, noise(9, 3, 1))


def test_sample_paths_fall_into_every_interval_as_often_as_its_level() -> None:
    from scipy.stats import binom

    target, forecast, scale = point_backtest(n=300, targets=2)
    found, quantiles = predictive_of(target, forecast, scale)
    levels, n = (0.1, 0.3, 0.5, 0.8, 0.9, 0.95, 0.99), 4000

    paths = found.paths(quantiles[:1], n, ["a"])[0]
    lower, upper = found.intervals(quantiles[:1], levels)

    for level, low, high in zip(levels, lower[:, 0], upper[:, 0], strict=True):
        least, most = binom.interval(1 - 1e-6, n, level)
        shares = ((low <= paths) & (paths <= high)).mean(axis=0)
        assert (shares >= least / n - 0.004).all()
        assert (shares <= most / n + 0.004).all()


def test_sums_over_the_horizon_vary_as_those_of_the_errors_and_not_as_if_steps_were_independent() -> None:
    horizon, n = 24, 4000
    errors = autoregressive(500, horizon)
    found, quantiles = predictive_of(errors, np.zeros_like(errors))
    lags = np.abs(np.subtract.outer(np.arange(horizon), np.arange(horizon)))
    planted = np.sqrt((0.8**lags).sum())

    paths = found.paths(quantiles[:1], n, ["a"])[0, :, :, 0]
    shuffled = np.random.default_rng(0).permuted(paths, axis=0)

    assert paths.sum(axis=1).std() == pytest.approx(planted, rel=0.08)
    assert shuffled.sum(axis=1).std() < 0.55 * planted
    neighbors = np.mean([np.corrcoef(paths[:, h], paths[:, h + 1])[0, 1] for h in range(horizon - 1)])
    assert neighbors == pytest.approx(0.8, abs=0.04)


def test_targets_that_err_together_are_sampled_together() -> None:
    errors = np.concatenate([noise(400, HORIZON, 1), noise(400, HORIZON, 1, seed=1)], axis=2)
    errors[..., 1] = 0.9 * errors[..., 0] + np.sqrt(1 - 0.81) * errors[..., 1]
    found, quantiles = predictive_of(errors, np.zeros_like(errors))

    paths = found.paths(quantiles[:1], 3000, ["a"])[0]

    for step in range(HORIZON):
        assert np.corrcoef(paths[:, step].T)[0, 1] == pytest.approx(0.9, abs=0.06)
        if step:
            assert abs(np.corrcoef(paths[:, step, 0], paths[:, step - 1, 0])[0, 1]) < 0.2


def test_paths_depend_on_the_seed_and_on_the_name_of_their_series_only() -> None:
    target, forecast, scale = point_backtest()
    found, quantiles = predictive_of(target, forecast, scale)
    paths = found.paths(quantiles[:3], 20, ["a", "b", "c"], seed=1)

    assert np.array_equal(found.paths(quantiles[:3], 20, ["a", "b", "c"], seed=1), paths)
    assert np.array_equal(found.paths(quantiles[2:3], 20, ["c"], seed=1)[0], paths[2])
    np.testing.assert_allclose(found.paths(quantiles[:1], 5, ["a"], seed=1)[0], paths[0, :5], rtol=1e-5)
    np.testing.assert_allclose(found.paths(quantiles[:1, :2], 20, ["a"], seed=1)[0], paths[0, :, :2], rtol=1e-5)
    assert not np.array_equal(found.paths(quantiles[:3], 20, ["a", "b", "c"], seed=2), paths)
    same = np.repeat(quantiles[:1], 2, axis=0)
    first, second = found.paths(same, 20, ["a", "b"], seed=1)
    assert not np.array_equal(first, second)


def test_unknown_values_neither_count_nor_weaken_the_dependence() -> None:
    errors = autoregressive(500)
    missing = np.random.default_rng(1).random(errors.shape) < 0.2
    found, quantiles = predictive_of(np.where(missing, np.float32(np.nan), errors), np.zeros_like(errors))
    assert found.scores is not None
    assert np.array_equal(np.isnan(found.scores), missing)

    paths = found.paths(quantiles[:1], 3000, ["a"])[0, :, :, 0]

    assert np.corrcoef(paths[:, 2], paths[:, 3])[0, 1] == pytest.approx(0.8, abs=0.1)


def test_forecasts_that_were_always_right_are_sampled_as_they_are() -> None:
    target = noise(50, HORIZON, 1)
    found, quantiles = predictive_of(target, target)
    assert np.array_equal(found.paths(quantiles[:2], 5, ["a", "b"]), np.repeat(target[:2, None], 5, axis=1))


def test_a_model_keeps_a_bounded_number_of_scores_evenly_spaced() -> None:
    few = [noise(3, 2, 1), noise(2, 2, 1, seed=1)]
    assert np.array_equal(kept_scores(few), np.concatenate(few))
    many = np.arange(4000, dtype=np.float32)[:, None, None] + np.zeros((1, 400, 1), np.float32)
    kept = kept_scores([many])
    assert kept.size <= MOST_SCORES
    assert (kept[0, 0, 0], kept[-1, 0, 0]) == (0, 3999)
    assert np.ptp(np.diff(kept[:, 0, 0])) <= 1


def test_the_scale_of_a_window_widens_other_levels_as_well() -> None:
    sizes = np.repeat([1, 100], 100).astype(np.float32)[:, None, None]
    context, target = sizes * noise(200, 40, 1, seed=1), sizes * noise(200, HORIZON, 1)
    found, quantiles = predictive_of(target, np.zeros_like(target), window_scale(context, 1))
    lower, upper = found.intervals(quantiles, (0.5, 0.9))
    for level, low, high in zip((0.5, 0.9), lower, upper, strict=True):
        for part in (slice(100), slice(100, 200)):
            assert np.mean((low[part] <= target[part]) & (target[part] <= high[part])) == pytest.approx(level, abs=0.06)
