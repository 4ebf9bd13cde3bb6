"""Conformal intervals: the finite-sample quantile by hand, coverage of exchangeable data, widths that adapt."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from helpers.combinations import each_row
from helpers.lazy import LazyModule

from lstmgru.data.forecasting.windows import window_scale
from lstmgru.errors import SpecError
from lstmgru.evaluation.intervals import (
    calibrate,
    conformity,
    coverage,
    enough_windows,
    mean_width,
)
from lstmgru.runtime.forecasting.conformal import apply, quantile_forecast
from lstmgru.specs import ForecastSpec
from lstmgru.specs.calibration import Calibration

losses = LazyModule("utilsforecast.losses")

LEVELS = (0.8, 0.95)


def ones(windows: int, targets: int = 1) -> np.ndarray:
    return np.ones((windows, targets), np.float32)


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def calibrated(*, n_windows: int = 60, horizon: int = 4, quantiles: bool = False) -> tuple[Calibration, np.ndarray]:
    """A calibration on noise, and forecasts of the same kind."""
    forecast = np.zeros((n_windows, horizon, 2), np.float32)
    if quantiles:
        forecast = np.sort(noise((n_windows, horizon, 2, 5), seed=1), axis=-1)
    scores = conformity(noise((n_windows, horizon, 2)), forecast, ones(n_windows, 2))
    return calibrate([scores], LEVELS), forecast


@each_row(
    ("n_windows", "level", "rank"),
    [
        (4, 0.8, 4),
        (5, 0.8, 5),
        (9, 0.8, 8),
        (10, 0.8, 9),
        (19, 0.95, 19),
        (20, 0.95, 20),
        (39, 0.95, 38),
        (99, 0.95, 95),
        (100, 0.95, 96),
        (99, 0.55, 55),  # where (n + 1) level is 55.00000000000001 in floating point
        (1, 0.5, 1),
    ],
)
def test_an_offset_is_the_finite_sample_quantile_of_the_scores(n_windows: int, level: float, rank: int) -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1, n_windows + 1)).astype(np.float32)
    calibration = calibrate([scores.reshape(-1, 1, 1)], (level,))
    assert calibration.offsets.item() == rank


@each_row(
    ("n_windows", "horizon", "has"),
    [
        (1, 100, (False, False)),  # a score has no other window to be compared with
        (2, 1, (False, False)),
        (2, 2, (True, False)),
        (2, 9, (True, False)),
        (2, 10, (True, True)),
        (4, 1, (True, False)),
        (4, 4, (True, False)),
        (4, 5, (True, True)),
        (18, 1, (True, False)),
        (19, 1, (True, True)),
    ],
)
def test_a_level_without_enough_backtest_forecasts_has_no_interval(
    n_windows: int, horizon: int, has: tuple[bool, bool]
) -> None:
    scores = np.abs(noise((n_windows, horizon, 1)))
    calibration = calibrate([scores], LEVELS)
    assert tuple(enough_windows(n_windows, horizon, level) for level in LEVELS) == has
    assert [np.isfinite(of_level).all() for of_level in calibration.offsets] == list(has)
    assert [np.isnan(of_level).all() for of_level in calibration.offsets] == [not there for there in has]
    lower, upper = apply(calibration, np.zeros((3, horizon, 1), np.float32), ones(3))
    assert np.isfinite(coverage(np.zeros((3, horizon, 1)), lower, upper)).tolist() == list(has)
    assert np.isfinite(mean_width(lower, upper)).tolist() == list(has)


def test_steps_are_pooled_by_their_size_where_windows_are_few() -> None:
    scores = np.array([[1, 10], [2, 40], [3, 10]], np.float32)[..., None]
    offsets = calibrate([scores], (0.8,)).offsets
    # Ratios to the others' means: 1/2.5, 2/2, 3/1.5 and 10/25, 40/10, 10/25; ⌈7 · 0.8⌉ = 6, so the largest counts.
    assert offsets.ravel() == pytest.approx([4 * 2, 4 * 20])


@each_row("level", LEVELS)
@each_row("persistence", [0, 1])
@each_row("n_windows", [3, 5, 10])
def test_few_windows_cover_at_least_the_level_on_average(n_windows: int, persistence: int, level: float) -> None:
    shares = []
    for seed in range(200):
        errors = noise((n_windows + 50, 12, 1), seed=seed)
        errors = np.cumsum(errors, axis=1) if persistence else errors
        calibration = calibrate([np.abs(errors[:n_windows])], (level,))
        lower, upper = apply(calibration, np.zeros((50, 12, 1), np.float32), ones(50))
        shares.append(coverage(errors[n_windows:], lower, upper)[0])
    assert np.mean(shares) > level - 0.01


def binomial_bounds(draws: int, level: float) -> tuple[float, float]:
    """Bounds of a share that are missed once in a million times."""
    from scipy.stats import binom

    low, high = binom.interval(1 - 1e-6, draws, level)
    return low / draws, high / draws


@pytest.mark.parametrize("n_windows", [19, 100])
@pytest.mark.parametrize("kind", ["point", "quantiles"])
def test_intervals_cover_new_exchangeable_data_as_often_as_they_promise(kind: str, n_windows: int) -> None:
    draws = 4000
    generator = np.random.default_rng(0)
    spread = np.array([1, 1.5, 2])[:, None]  # the errors grow with the step

    def draw(windows: int) -> tuple[np.ndarray, np.ndarray]:
        """True values with a skewed error, and forecasts that are wrong about it."""
        size = generator.uniform(0.5, 2, (windows, 1, 1))
        target = size * spread * (generator.exponential(1, (windows, 3, 1)) - 0.5)
        forecast = np.zeros_like(target)
        if kind == "quantiles":
            forecast = size[..., None] * np.array([-0.2, -0.1, 0, 0.1, 0.2]) + np.zeros((windows, 3, 1, 1))
        return target.astype(np.float32), forecast.astype(np.float32)

    # One new window for each calibration: new windows of the same calibration are not independent of each other.
    inside = []
    for _ in range(draws):
        target, forecast = draw(n_windows + 1)
        old, new = slice(n_windows), slice(n_windows, None)
        calibration = calibrate([conformity(target[old], forecast[old], ones(n_windows))], LEVELS)
        lower, upper = apply(calibration, forecast[new], ones(1))
        inside.append((lower <= target[new]) & (target[new] <= upper))
    shares = np.mean(inside, axis=(0, 2, 4))  # (levels, steps)
    for level, by_step in zip(LEVELS, shares, strict=True):
        promised = np.ceil((n_windows + 1) * level - 1e-9) / (n_windows + 1)
        low, high = binomial_bounds(draws, promised)
        assert ((low <= by_step) & (by_step <= high)).all()


def test_quantile_forecasts_keep_what_they_know_about_the_spread() -> None:
    sizes = np.tile([1, 10], 100).astype(np.float32)[:, None, None]
    target = sizes * noise((200, 1, 1))
    forecast = sizes[..., None] * np.array([-1.5, -1, 0, 1, 1.5], np.float32)
    calibration = calibrate([conformity(target, forecast, ones(200))], LEVELS)
    lower, upper = apply(calibration, forecast, ones(200))
    widths = (upper - lower)[:, :2].ravel()
    assert widths[1] > 3 * widths[0]
    assert widths[3] > 3 * widths[2]


def test_intervals_that_are_too_wide_are_narrowed() -> None:
    target = noise((100, 1, 1))
    forecast = np.zeros((100, 1, 1, 5), np.float32) + np.array([-50, -40, 0, 40, 50], np.float32)
    calibration = calibrate([conformity(target, forecast, ones(100))], LEVELS)
    lower, upper = apply(calibration, forecast, ones(100))
    assert (calibration.offsets < 0).all()
    assert (mean_width(lower, upper) < 10).all()
    assert coverage(target, lower, upper) == pytest.approx(LEVELS, abs=0.02)


def test_series_of_very_different_sizes_are_each_covered() -> None:
    sizes = np.repeat([1e-2, 1, 1e4], 100).astype(np.float32)[:, None, None]
    context, target = sizes * noise((300, 40, 1), seed=1), sizes * noise((300, 6, 1), seed=2)
    forecast, scale = np.zeros_like(target), window_scale(context, 1)
    old, new = np.arange(300) % 2 == 0, np.arange(300) % 2 == 1

    def shares(scale: np.ndarray) -> list[list[float]]:
        calibration = calibrate([conformity(target[old], forecast[old], scale[old])], LEVELS)
        lower, upper = apply(calibration, forecast[new], scale[new])
        parts = [slice(start, start + 50) for start in (0, 50, 100)]
        return [coverage(target[new][part], lower[:, part], upper[:, part]).tolist() for part in parts]

    for by_series in shares(scale):
        assert by_series == pytest.approx(LEVELS, abs=0.06)
    assert shares(ones(300))[2][0] < 0.6, "without scales the large series has to pay for the small ones"


def test_folds_are_calibrated_together() -> None:
    scores = np.abs(noise((30, 4, 2)))
    together = calibrate([scores], LEVELS)
    parted = calibrate([scores[:10], scores[10:12], scores[12:]], LEVELS)
    assert np.array_equal(together.offsets, parted.offsets)
    assert parted.n_windows == 30
    per_level = np.stack([scores, scores])
    assert np.array_equal(calibrate([per_level[:, :10], per_level[:, 10:]], LEVELS).offsets, together.offsets)


@pytest.mark.parametrize("quantiles", [False, True], ids=["point", "quantiles"])
@pytest.mark.parametrize("n_windows", [2, 5, 60])
def test_a_wider_level_contains_a_narrower_one_and_every_interval_the_point_forecast(
    n_windows: int, quantiles: bool
) -> None:
    calibration, forecast = calibrated(n_windows=n_windows, horizon=12, quantiles=quantiles)
    values = quantile_forecast(calibration, forecast, np.abs(noise((n_windows, 2))))
    assert values.shape == (n_windows, 12, 2, 5)
    assert (np.diff(values, axis=-1) >= 0).all()
    point = forecast[..., 2] if quantiles else forecast
    assert np.array_equal(values[..., 2], point)


def test_a_level_whose_offset_is_smaller_than_that_of_a_narrower_one_still_contains_it() -> None:
    calibration = Calibration(LEVELS, np.array([3, -1], np.float32).reshape(2, 1, 1), False, 1, 9)
    forecast = np.array([-2, -1, 0, 1, 2], np.float32).reshape(1, 1, 1, 5)
    assert quantile_forecast(calibration, forecast, ones(1)).ravel().tolist() == [-4, -4, 0, 4, 4]


def test_an_interval_never_shrinks_beyond_the_median() -> None:
    calibration = Calibration(LEVELS, np.full((2, 1, 1), -5, np.float32), False, 1, 9)
    forecast = np.array([-2, -1, 0, 1, 2], np.float32).reshape(1, 1, 1, 5)
    assert quantile_forecast(calibration, forecast, ones(1)).ravel().tolist() == [0, 0, 0, 0, 0]


def test_offsets_grow_with_the_level() -> None:
    levels = (0.1, 0.5, 0.8, 0.9, 0.95, 0.99)
    for n_windows in (3, 12, 60):  # only the narrowest levels have enough windows at each step
        offsets = calibrate([np.abs(noise((n_windows, 40, 2)))], levels).offsets
        assert all((wider >= narrower).all() for narrower, wider in pairwise(offsets))


def test_a_level_without_offset_is_nan_among_the_quantiles() -> None:
    calibration = Calibration(LEVELS, np.array([3, np.nan], np.float32).reshape(2, 1, 1), False, 1, 9)
    values = quantile_forecast(calibration, np.zeros((1, 1, 1), np.float32), ones(1))
    assert values.ravel() == pytest.approx([np.nan, -3, 0, 3, np.nan], nan_ok=True)


def test_the_quantiles_stand_in_the_order_of_the_forecast_spec() -> None:
    calibration = calibrate([np.arange(1, 100, dtype=np.float32).reshape(-1, 1, 1)], LEVELS)
    values = quantile_forecast(calibration, np.full((1, 1, 1), 1000, np.float32), ones(1)).ravel()
    inside = {quantile: value - 1000 for quantile, value in zip(ForecastSpec(1).quantiles, values, strict=True)}
    assert inside == {0.025: -95, 0.1: -80, 0.5: 0, 0.9: 80, 0.975: 95}


def test_without_levels_there_is_the_median_only() -> None:
    calibration = calibrate([np.abs(noise((9, 3, 2)))], ())
    forecast = noise((4, 3, 2))
    assert np.array_equal(quantile_forecast(calibration, forecast, ones(4, 2)), forecast[..., None])


@pytest.mark.parametrize("n_windows", [2, 60])
@pytest.mark.parametrize("levels", [LEVELS, ()])
def test_a_calibration_comes_back_from_json(levels: tuple[float, ...], n_windows: int) -> None:
    scores = np.abs(noise((n_windows, 3, 2)))
    calibration = calibrate([scores], levels, scaled=True, season_length=24)
    text = json.dumps(calibration.to_dict(), allow_nan=False)
    again = Calibration.from_dict(json.loads(text))
    assert np.array_equal(again.offsets, calibration.offsets, equal_nan=True)
    assert again.offsets.dtype == np.float32
    assert (again.levels, again.scaled, again.season_length, again.n_windows) == (levels, True, 24, n_windows)


def test_offsets_that_do_not_fit_the_levels_are_an_error() -> None:
    with pytest.raises(SpecError, match=r"^offsets must be \(2 levels, H, Y\) but have the shape \(3, 4, 1\)$"):
        Calibration(LEVELS, np.zeros((3, 4, 1), np.float32), False, 1, 9)


def test_exact_backtest_forecasts_give_intervals_without_width() -> None:
    for n_windows in (3, 60):
        calibration = calibrate([np.zeros((n_windows, 10, 1), np.float32)], LEVELS)
        assert (calibration.offsets == 0).all()


def test_a_step_that_all_other_windows_hit_exactly_leaves_the_offsets_finite() -> None:
    scores = np.abs(noise((3, 10, 1)))
    scores[1:, 4] = 0
    assert np.isfinite(calibrate([scores], LEVELS).offsets).all()


def test_coverage_is_that_of_utilsforecast() -> None:
    target = noise((20, 3, 1))
    calibration = calibrate([np.abs(noise((60, 3, 1), seed=1))], LEVELS)
    lower, upper = apply(calibration, np.zeros_like(target), ones(20))
    shares = coverage(target, lower, upper)
    frame = pd.DataFrame({"unique_id": 0, "y": target.ravel()}).astype(float)
    for number, level in enumerate(LEVELS):
        percent = round(100 * level)
        frame[f"model-lo-{percent}"], frame[f"model-hi-{percent}"] = lower[number].ravel(), upper[number].ravel()
        assert shares[number] == pytest.approx(losses.coverage(frame, ["model"], level=percent)["model"].item())


def test_scores_of_targets_that_are_not_known_do_not_count() -> None:
    generator = np.random.default_rng(0)
    target = generator.standard_normal((60, 3, 2)).astype(np.float32)
    forecast, scale = np.zeros_like(target), np.ones((60, 2), np.float32)
    missing = generator.random(target.shape) < 0.3
    partial = np.where(missing, np.float32(np.nan), target)

    found = calibrate([conformity(partial, forecast, scale)], (0.8,))

    for step in range(3):
        for column in range(2):
            known = ~missing[:, step, column]
            scores = conformity(target[known, step, column, None, None], forecast[known, :1, :1], scale[known, :1])
            assert found.offsets[0, step, column] == calibrate([scores], (0.8,)).offsets[0, 0, 0]
    lower, upper = apply(found, forecast, scale)
    inside = (lower <= target) & (target <= upper)
    assert coverage(partial, lower, upper)[0] == pytest.approx(inside[0][~missing].mean())


def test_steps_with_few_or_no_known_targets_have_the_size_of_all_steps() -> None:
    scores = np.abs(np.random.default_rng(0).standard_normal((8, 4, 1))).astype(np.float32)
    scores[:, 2], scores[1:, 3] = np.nan, np.nan
    found = calibrate([scores], (0.8,)).offsets[0, :, 0]
    assert np.isfinite(found).all()
    assert 0.3 < found[2] / found[:2].mean() < 3
