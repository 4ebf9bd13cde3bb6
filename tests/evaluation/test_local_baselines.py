"""Theta, exponential smoothing and methods for intermittent series, against other implementations and by hand."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from helpers.combinations import every_pair
from helpers.panels import make_panel

from lstmgru.data.forecasting.splits import SplitSpec, make_splits
from lstmgru.data.forecasting.windows import rows_between
from lstmgru.evaluation.forecast_baselines import fit_baseline
from lstmgru.evaluation.forecast_baselines.base import forecaster
from lstmgru.evaluation.forecast_baselines.ets import Ets, Kind, kinds, smooth
from lstmgru.evaluation.forecast_baselines.intermittent import Adida, Croston
from lstmgru.evaluation.forecast_baselines.local import LocalBaseline, seasonal_factors, seasonal_summands
from lstmgru.evaluation.forecast_baselines.theta import Theta, dynamic_theta
from lstmgru.specs import ForecastSpec

LENGTH = 72
TIME = np.arange(LENGTH)
LOCAL = (Theta, Ets, Croston, Adida)


def series(name: str) -> np.ndarray:
    generator = np.random.default_rng(5)
    generator.normal(0, 2, LENGTH)
    noise, steps = generator.normal(0, 0.03, LENGTH), generator.normal(0.3, 1, LENGTH)
    factors = (50 + 1.5 * TIME) * (1 + 0.3 * np.sin(2 * np.pi * TIME / 12)) * np.exp(noise)
    return factors if name == "factors" else np.cumsum(steps) - 5


def method(kind: type[LocalBaseline], horizon: int = 6, season_length: int = 12) -> LocalBaseline:
    return kind(horizon, 1, season_length, LENGTH)


@pytest.mark.parametrize(
    ("kind", "name", "expected", "tolerance"),
    [
        # statsforecast 2.1.1: DynamicOptimizedTheta and AutoETS, season_length=12, h=6
        (Theta, "factors", [165.55, 189.65, 207.44, 221.46, 213.79, 195.84], 0.03),
        (Theta, "walk", [22.73, 23.04, 23.35, 23.66, 23.98, 24.3], 0.01),
        (Ets, "factors", [162.58, 185.51, 204.47, 214.47, 206.73, 188.95], 0.07),
        (Ets, "walk", [22.82, 23.2, 23.58, 23.97, 24.35, 24.73], 0.07),
    ],
)
def test_forecasts_are_near_those_of_statsforecast(
    kind: type[LocalBaseline], name: str, expected: list[float], tolerance: float
) -> None:
    assert method(kind).forecast(series(name)[None])[0] == pytest.approx(expected, rel=tolerance)


def test_theta_finds_the_parameters_of_an_exhaustive_search() -> None:
    values = series("walk")

    def squares(alpha: float, kappa: float, level: float) -> tuple[float, float]:
        """Sum of squared errors of the model as it is written in the paper, and the forecast of the next step."""
        total = 0.0
        for t in range(1, LENGTH + 1):
            level = alpha * values[t - 1] + (1 - alpha) * level
            slope, intercept = np.polyfit(np.arange(1, t + 1), values[:t], 1) if t > 1 else (0.0, values[0])
            rest = 1 - alpha
            expected = level + kappa * (rest**t * intercept + (1 - rest ** (t + 1)) / alpha * slope)
            if 3 <= t < LENGTH:
                total += (values[t] - expected) ** 2
        return total, expected

    grid = [(a, k, v) for a in (0.1, 0.5, 0.8, 0.9, 0.99) for k in (0, 0.25, 0.5, 1) for v in (-10, -5, 0)]
    best = min((squares(*point) for point in grid), key=lambda found: found[0])
    own = dynamic_theta(values[None], 1)[0, 0]
    assert abs(own - best[1]) < 0.2
    assert own == pytest.approx(dynamic_theta(1e6 * values[None], 1)[0, 0] / 1e6)


def test_a_line_is_continued_by_theta() -> None:
    assert dynamic_theta((3 + 2.0 * TIME)[None], 3)[0] == pytest.approx(3 + 2.0 * (LENGTH + np.arange(3)), rel=2e-3)


@pytest.mark.parametrize("trend", ["none", "damped"])
@pytest.mark.parametrize("season", ["none", "additive", "multiplicative"])
def test_smoothing_follows_the_recursions_of_the_textbook(trend: str, season: str) -> None:
    values = series("factors") / 100
    m = 1 if season == "none" else 12
    kind = Kind(trend, season, m)  # type: ignore[arg-type]
    at = np.array([0.3, 0.4, 0.5, 0.6, 0.5, 0.5])  # the last two: initial states as the decomposition has them
    found, states = smooth(kind, values[None], at[None, None])
    alpha = 0.001 + 0.989 * 0.3
    beta, gamma, phi = alpha * 0.16, (1 - alpha) * 0.25, 0.8 + 0.18 * 0.6
    seasonal, adjusted = [0.0], values
    if season == "additive":
        seasonal = seasonal_summands(values[None], 12)[0].tolist()
        adjusted = values - np.tile(seasonal, 6)
    elif season == "multiplicative":
        seasonal = seasonal_factors(values[None], 12)[0][0].tolist()
        adjusted = values / np.tile(seasonal, 6)
    rows = max(10, m)
    slope, level = np.polyfit(np.arange(1, rows + 1), adjusted[:rows], 1)
    if trend == "none":
        slope, level, phi, beta = 0.0, adjusted[:rows].mean(), 1.0, 0.0
    squares = relative = logs = 0.0
    for t, value in enumerate(values):
        base, s = level + phi * slope, seasonal[t % m]
        expected = base * s if season == "multiplicative" else base + s
        error = value - expected
        squares, relative, logs = squares + error**2, relative + (error / expected) ** 2, logs + math.log(expected)
        divisor = s if season == "multiplicative" else 1
        level, slope = base + alpha * error / divisor, phi * slope + beta * error / divisor
        if season != "none":
            seasonal[t % m] = s + gamma * error / (base if season == "multiplicative" else 1)
    k = 3 + (3 if trend == "damped" else 0) + (m if season != "none" else 0)
    likelihood = min(LENGTH * math.log(squares), LENGTH * math.log(relative) + 2 * logs)
    assert found[0, 0] == pytest.approx(likelihood + 2 * k + 2 * k * (k + 1) / (LENGTH - k - 1))
    base, s = level + phi * slope, seasonal[0]
    assert states.forecast(kind, 1)[0, 0, 0] == pytest.approx(base * s if season == "multiplicative" else base + s)


def test_a_short_series_is_fitted_with_few_parameters() -> None:
    assert [kind.season for kind in kinds(12, 20)] == ["none", "none"]
    assert [kind.trend for kind in kinds(12, 4)] == ["none"]
    assert len(list(kinds(12, 40))) == 6


def test_croston_and_adida_by_hand() -> None:
    values = np.array([[0, 4, 0, 0, 2, 0]], float)
    # Sizes 4, then 4 + .1 (2 - 4); intervals 2, then 2 + .1 (3 - 2).
    assert method(Croston, 2).forecast(values)[0] == pytest.approx([0.95 * 3.8 / 2.1] * 2)
    # Periods of round(5 / 2) = 2 steps with the sums 4, 0 and 2: the best α of .1 … .3 is .3.
    errors = {alpha: (4**2) + (2 - 4 * (1 - alpha)) ** 2 for alpha in np.linspace(0.1, 0.3, 21)}
    alpha = min(errors, key=errors.__getitem__)
    level = 4 * (1 - alpha)
    assert method(Adida, 2).forecast(values)[0] == pytest.approx([(level + alpha * (2 - level)) / 2] * 2)


@every_pair(
    kind=LOCAL,
    season_length=[1, 12],
    length=[1, 2, 3, 5, 13, 25, 72],
    shape=["constant", "zeros", "negative", "one value", "huge", "tiny"],
)
def test_every_series_has_a_finite_forecast(
    kind: type[LocalBaseline], season_length: int, length: int, shape: str
) -> None:
    noise = np.random.default_rng(0).normal(size=length)
    values = {
        "constant": np.full(length, 7.0),
        "zeros": np.zeros(length),
        "negative": -5 + noise,
        "one value": np.eye(1, length, length // 2)[0],
        "huge": 1e12 * (2 + noise),
        "tiny": 1e-12 * noise,
    }[shape]
    forecast = method(kind, 15, season_length).forecast(values[None])
    assert forecast.shape == (1, 15)
    assert np.isfinite(forecast).all()
    if shape in ("constant", "zeros") and kind in (Theta, Ets):
        assert forecast[0] == pytest.approx(values[0], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("kind", LOCAL)
def test_a_series_is_forecast_by_itself(kind: type[LocalBaseline]) -> None:
    both = np.stack([series("factors"), series("walk")])
    alone = np.concatenate([method(kind).forecast(each[None]) for each in both])
    assert method(kind).forecast(both) == pytest.approx(alone, rel=1e-9)


def test_forecasts_of_many_windows_take_little_memory() -> None:
    """Beside the contexts of a block, which are in single precision."""
    panel = make_panel((400,) * 20)
    cutoffs = rows_between(panel.offsets[:-1] + 150, panel.offsets[1:])
    tracemalloc.start()
    try:
        forecaster(panel, Theta(1, 1, 1, 150))(cutoffs)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    contexts = 4 * 150 * len(cutoffs)

    assert peak < 5 * contexts


def test_local_methods_read_longer_contexts_than_networks() -> None:
    panel = make_panel((400, 90))
    split = make_splits(panel, SplitSpec(holdout=30, folds=1), horizon=10, context_length=14).folds[0]
    assert fit_baseline("theta", panel, split, ForecastSpec(10, 7), 14).context_length == 150
    assert fit_baseline("theta", panel, split, ForecastSpec(10, 24), 14).context_length == 288
    assert fit_baseline("theta", panel, split, ForecastSpec(10, 100), 14).context_length == 400
