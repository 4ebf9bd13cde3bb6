"""Exponential smoothing in state space form (Hyndman et al. 2002), averaged by AICc (Kolassa 2011)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import ClassVar, Literal

import numpy as np

from lstmgru.evaluation.forecast_baselines.local import Floats, LocalBaseline, seasonal_factors, seasonal_summands

Trend = Literal["none", "damped"]
Season = Literal["none", "additive", "multiplicative"]

# Candidates of the smoothing parameters: drawn from their whole range, then nearer and nearer to the best.
_DRAWN, _NEARBY = 40, 24
_SPREADS = (0.15, 0.05)
# Rows of the regression for the initial level and slope.
_FIRST_ROWS = 10
_LEAST = 1e-8
# Each step of a season is a parameter; longer seasons are left to other methods.
_LONGEST_SEASON = 24
_SHORTEST_SERIES = 4
# Akaike's weights have 2; flatter ones forecast better.
_FLATNESS = 8.0


@dataclass(frozen=True)
class Ets(LocalBaseline):
    """Exponential smoothing, per series.

    Trend: none or damped; season: none, additive or multiplicative, for seasons of up to 24 steps; errors: additive or
    multiplicative. The forecasts of these models are averaged with weights exp(-AICc / 8): this is more accurate than
    the model with the smallest AICc, and so is leaving out undamped trends. Initial states start from a classical
    decomposition, and are searched together with the smoothing parameters. Multiplicative parts need positive values.
    """

    name: ClassVar[str] = "ets"

    def forecast(self, series: Floats) -> Floats:
        """See :meth:`LocalBaseline.forecast`."""
        count, length = series.shape
        if length < _SHORTEST_SERIES:
            return np.repeat(series[:, -1:], self.horizon, axis=1)
        size = np.abs(series).mean(axis=1, keepdims=True)
        scaled = series / np.where(size > 0, size, 1)
        positive = scaled.min(axis=1) > 0
        found = tuple(kinds(self.season_length, length))
        criteria, forecasts = np.full((len(found), count), np.inf), np.zeros((len(found), count, self.horizon))
        for number, kind in enumerate(found):
            some = np.flatnonzero(positive | (kind.season != "multiplicative"))
            if len(some):
                criteria[number, some], forecasts[number, some] = fit(kind, scaled[some], self.horizon)
        weights = np.exp(-(criteria - criteria.min(axis=0)) / _FLATNESS)
        averaged: Floats = ((weights / weights.sum(axis=0))[..., None] * forecasts).sum(axis=0) * size
        return averaged


@dataclass(frozen=True)
class Kind:
    """A model without its errors, which change its likelihood but not its forecasts.

    Attributes:
        trend: Of the level.
        season: How the season is added to it.
        season_length: Steps in one season; 1 without one.
    """

    trend: Trend
    season: Season
    season_length: int

    @property
    def n_parameters(self) -> int:
        """Smoothing parameters, initial states and the variance."""
        return 3 + (3 if self.trend == "damped" else 0) + (self.season_length if self.season != "none" else 0)


def kinds(season_length: int, length: int) -> Iterator[Kind]:
    """The models that series of some length have enough rows for; the simplest one always."""
    seasonal = 1 < season_length <= _LONGEST_SEASON and length >= 2 * season_length + 2
    seasons: tuple[Season, ...] = ("none", "additive", "multiplicative") if seasonal else ("none",)
    trends: tuple[Trend, ...] = ("none", "damped")
    for season in seasons:
        for trend in trends:
            kind = Kind(trend, season, season_length if season != "none" else 1)
            if length > kind.n_parameters + 1 or (trend, season) == ("none", "none"):
                yield kind


def fit(kind: Kind, series: Floats, horizon: int) -> tuple[Floats, Floats]:
    """The best smoothing parameters of a model.

    Args:
        kind: The model.
        series: (n, length) values of about unit size, positive if the season is multiplicative.
        horizon: H.

    Returns:
        (n,) AICc and (n, H) forecasts.
    """
    candidates = np.repeat(_draws(_DRAWN)[None], len(series), axis=0)
    criteria = smooth(kind, series, candidates)[0]
    for spread in _SPREADS:
        best = _best(candidates, criteria)
        near = np.clip(best + spread * (2 * _draws(_NEARBY)[None] - 1), 0, 1)
        candidates = np.concatenate([best, near], axis=1)
        criteria = np.concatenate([criteria.min(axis=1, keepdims=True), smooth(kind, series, near)[0]], axis=1)
    found, states = smooth(kind, series, _best(candidates, criteria))
    return found[:, 0], states.forecast(kind, horizon)[:, 0]


def _best(candidates: Floats, criteria: Floats) -> Floats:
    """(n, 1, 6) the best of (n, P, 6) candidates."""
    return np.take_along_axis(candidates, criteria.argmin(axis=1)[:, None, None], axis=1)


@cache
def _draws(count: int) -> Floats:
    """(count, 6) evenly spread points of the unit cube, the same in each call (Roberts 2018)."""
    root = 1.1127756842787055  # of x⁷ = x + 1
    return (0.5 + np.arange(1, count + 1)[:, None] / root ** np.arange(1, 7)) % 1


@dataclass
class States:
    """The states of P candidates for each of n series, at some step.

    Attributes:
        level: (n, P).
        slope: (n, P), 0 without a trend.
        damping: (n, P), φ.
        seasonal: (n, P, m) of the next m steps, in turn: the next one is at ``next``.
        next: Its place.
    """

    level: Floats
    slope: Floats
    damping: Floats
    seasonal: Floats
    next: int = field(default=0)

    def expected(self, kind: Kind) -> tuple[Floats, Floats, Floats]:
        """(n, P) expected level, seasonal component and value of the next step."""
        base = self.level + self.damping * self.slope
        season = self.seasonal[..., self.next]
        return base, season, base * season if kind.season == "multiplicative" else base + season

    def forecast(self, kind: Kind, horizon: int) -> Floats:
        """(n, P, H) expected values of the next steps."""
        steps = np.arange(1, horizon + 1)
        damped = np.cumsum(self.damping[..., None] ** steps, axis=-1)
        base = self.level[..., None] + damped * self.slope[..., None]
        season = self.seasonal[..., (self.next + steps - 1) % kind.season_length]
        return base * season if kind.season == "multiplicative" else base + season


def smooth(kind: Kind, series: Floats, candidates: Floats) -> tuple[Floats, States]:
    """Run a model over series.

    Args:
        kind: The model.
        series: (n, length) values.
        candidates: (n, P, 6) positions of α, β, γ, φ and the initial level and slope in their ranges.

    Returns:
        (n, P) AICc with the better kind of errors, infinite where a state became invalid; and the last states.
    """
    alpha, beta, gamma, damping = _parameters(kind, candidates)
    states = _initial(kind, series, candidates, damping)
    squares, relative, logs = np.zeros((3, *alpha.shape))
    valid = np.ones(alpha.shape, bool)
    multiplicative = kind.season == "multiplicative"
    with np.errstate(over="ignore", invalid="ignore"):
        for value in series.T[..., None]:
            base, season, expected = states.expected(kind)
            error = value - expected
            size = np.maximum(expected, _LEAST)
            squares += error**2
            relative += (error / size) ** 2
            logs += np.log(size)
            of_level = error / np.maximum(season, _LEAST) if multiplicative else error
            states.level = base + alpha * of_level
            states.slope = states.damping * states.slope + beta * of_level
            if kind.season != "none":
                of_season = error / np.maximum(base, _LEAST) if multiplicative else error
                states.seasonal[..., states.next] = season + gamma * of_season
                states.next = (states.next + 1) % kind.season_length
            if multiplicative:
                valid &= (base > _LEAST) & (season > _LEAST)
        positive = (series.min(axis=1) > 0)[:, None] & (logs > np.log(_LEAST) / 2 * series.shape[1])
        length = series.shape[1]
        additive_errors = length * np.log(np.maximum(squares, _LEAST**2))
        relative_errors = np.where(positive, length * np.log(np.maximum(relative, _LEAST**2)) + 2 * logs, np.inf)
        likelihood = np.minimum(additive_errors, relative_errors)
    likelihood = np.where(valid & np.isfinite(likelihood), likelihood, np.inf)
    k = kind.n_parameters
    return likelihood + 2 * k + 2 * k * (k + 1) / max(length - k - 1, 1), states


def _parameters(kind: Kind, candidates: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """(n, P) α, β, γ and φ of positions in their usual ranges; small β and γ are more frequent."""
    alpha = 0.001 + 0.989 * candidates[..., 0]
    beta = alpha * candidates[..., 1] ** 2 if kind.trend != "none" else np.zeros_like(alpha)
    gamma = (1 - alpha) * candidates[..., 2] ** 2
    damping = 0.8 + 0.18 * candidates[..., 3] if kind.trend == "damped" else np.ones_like(alpha)
    return alpha, beta, gamma, damping


def _initial(kind: Kind, series: Floats, candidates: Floats, damping: Floats) -> States:
    """The states before the first row: a decomposition, then a regression over the first rows without the season."""
    count, length = series.shape
    seasonal = np.zeros((count, kind.season_length))
    adjusted = series
    if kind.season != "none":
        seasonal = _seasonal(kind, series)
        repeated = seasonal[:, np.arange(length) % kind.season_length]
        adjusted = series / repeated if kind.season == "multiplicative" else series - repeated
    first = adjusted[:, : max(_FIRST_ROWS, kind.season_length)]
    t = np.arange(1, first.shape[1] + 1)
    slope = ((t - t.mean()) * first).sum(axis=1) / ((t - t.mean()) ** 2).sum()
    if kind.trend == "none":
        slope = np.zeros(count)
    level = first.mean(axis=1) - slope * t.mean()
    around = np.abs(first - level[:, None] - slope[:, None] * t).mean(axis=1)
    return States(
        level[:, None] + around[:, None] * (4 * candidates[..., 4] - 2),
        slope[:, None] * 2 * candidates[..., 5],
        damping,
        np.repeat(seasonal[:, None], damping.shape[1], axis=1),
    )


def _seasonal(kind: Kind, series: Floats) -> Floats:
    """(n, m) initial seasonal components; neutral factors where the series has none that can be used."""
    if kind.season == "additive":
        return seasonal_summands(series, kind.season_length)
    factors, usable = seasonal_factors(series, kind.season_length)
    return np.where(usable[:, None], factors, 1.0)
