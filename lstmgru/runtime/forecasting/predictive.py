"""Predictive distributions: intervals of any level, and sample paths, from the errors of backtest forecasts.

The calibrated quantiles of a forecast (``lstmgru.evaluation.intervals``) define its quantile function Q: piecewise
linear in the normal score z = Φ⁻¹(p) through the point forecast at z = 0 and the ends of every interval at their z, and
proportional to z beyond the outermost one. The *normal score* of a true value y is Q⁻¹(y), its probability integral
transform as a quantile of the standard normal distribution. Scores of different windows, series and targets are
comparable, because each is measured by its own forecast.

- *Intervals.* The interval of a level is [Q(-c), Q(c)], where c is the ⌈(n + 1) level⌉-th smallest of the n absolute
  scores of a step (distributional conformal prediction: Chernozhukov, Wüthrich & Zhu 2021). Around a point forecast it
  is the interval of split conformal prediction. At a level of the calibration it is the calibrated interval itself, and
  other intervals are nested between those.
- *Sample paths.* A Gaussian copula couples the steps and the targets: a path is Q(±c(|g|)), where g has the standard
  normal distribution at each step, the correlations of the scores between steps and targets, and the sign ±. Beyond
  the highest level that the scores support, c is proportional to |g|, so tails are those of a normal distribution.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from lstmgru.errors import DataError, SpecError, counted, shorten
from lstmgru.runtime.forecasting.conformal import step_offsets
from lstmgru.specs.calibration import Calibration

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]

MOST_SCORES = 2**18
"""Numbers of a backtest that a model keeps."""
_NUMBERS_AT_ONCE = 2**20
"""Of the paths of a series, which are computed part after part to save memory."""
_SMALLEST_WIDTH = 1e-6
"""Share of the forecast, at least of 1, that an interval without width counts as beyond its end."""
_LARGEST = 3.0
"""Scores are clipped before they are correlated, so that no single error decides."""
_FARTHEST, _STEP = 6.0, 0.05
"""Of the table of c: no sample of 10⁹ is farther out."""


def normal_score(level: float) -> float:
    """The normal score of the upper end of the central interval of a level."""
    return NormalDist().inv_cdf((1 + level) / 2)


@dataclass(frozen=True)
class PredictiveDistribution:
    """What the errors of a backtest say about a forecast beyond the levels of its calibration.

    Attributes:
        calibration: Of the prediction intervals.
        scores: (n, H, Y) normal scores of backtest forecasts, NaN where a value was not known; ``None`` if they were
            not kept, so that there are the levels of the calibration only.

    Raises:
        SpecError: The scores are not of the steps and targets of the calibration.
    """

    calibration: Calibration
    scores: Array | None = None

    def __post_init__(self) -> None:
        expected = self.calibration.offsets.shape[1:]
        if self.scores is None:
            return
        if self.scores.ndim != 3 or self.scores.shape[1:] != expected:
            raise SpecError(f"the normal scores must be (n, {expected[0]}, {expected[1]}) but are {self.scores.shape}")
        if self.scores.dtype.kind != "f" or np.isinf(self.scores).any():
            raise SpecError("the normal scores must be finite numbers or NaN")

    @cached_property
    def levels(self) -> tuple[float, ...]:
        """The levels of the calibration that have intervals, ascending."""
        return self.calibration.known_levels

    @cached_property
    def highest_level(self) -> float:
        """The highest level that the errors support; 0 if there is none."""
        highest = max(self.levels, default=0.0)
        if self.scores is None or not self.levels:
            return highest
        return max(highest, self._n_errors / (self._n_errors + 1))

    def scored(self, target: Array, quantiles: Array) -> Array:
        """(windows, H, Y) normal scores of true values; NaN where they are not known.

        Where Q is flat, as at a bound, the score closest to 0 counts, that of the narrowest interval with the value.

        Args:
            target: (windows, H, Y) true values in original units.
            quantiles: (windows, H, Y, Q) calibrated quantiles, in the order of ``ForecastSpec.quantiles``.
        """
        point = _point(quantiles)
        difference = target - point
        distance, widths = np.abs(difference), self._widths(quantiles, difference >= 0)
        knots = self._knots
        outermost = _outermost(widths, point)
        score = knots[-1] * distance / outermost
        for number in range(len(knots) - 1, 0, -1):
            near, far = widths[number - 1], widths[number]
            share = np.divide(distance - near, far - near, out=np.zeros_like(distance), where=far > near)
            inside = knots[number - 1] + share * (knots[number] - knots[number - 1])
            score = np.where(distance <= far, inside, score)
        score = np.where(distance == 0, 0, score)
        return np.where(np.isnan(target), np.nan, np.copysign(score, difference)).astype(np.float32)

    def at(self, scores: _Float, quantiles: Array) -> _Float:
        """The values Q(z) of normal scores, in original units.

        Args:
            scores: (…, h, Y) normal scores.
            quantiles: (…, h, Y, Q) calibrated quantiles, broadcast with the scores.
        """
        point, size = _point(quantiles), np.abs(scores)
        widths, knots = self._widths(quantiles, scores >= 0), self._knots
        width = _outermost(widths, point) * (size / knots[-1])
        for number in range(len(knots) - 1, 0, -1):
            share = (size - knots[number - 1]) / (knots[number] - knots[number - 1])
            between = widths[number - 1] + share * (widths[number] - widths[number - 1])
            width = np.where(size <= knots[number], between, width)
        values: _Float = point + np.copysign(width, scores)
        return values

    def check_levels(self, levels: Sequence[float]) -> tuple[float, ...]:
        """The levels, ascending, without the digits that a transport in single precision adds.

        Raises:
            DataError: One is outside (0, 1), occurs twice, or is not supported by the errors of the backtest.
        """
        levels = [round(float(level), 6) for level in levels]
        wrong = [level for level in levels if not 0 < level < 1]
        if wrong:
            raise DataError(f"levels must be numbers between 0 and 1 but got {wrong[0]:g}; 0.9 is the 90% interval")
        if len(set(levels)) < len(levels):
            raise DataError(f"levels must differ but got {shorten([f'{level:g}' for level in levels])}")
        for level in levels:
            self._check_level(level)
        return tuple(sorted(levels))

    def _check_level(self, level: float) -> None:
        if not self.levels:
            raise _no_intervals()
        if level in self.levels or (self.scores is not None and not np.isnan(self._reach((level,))).any()):
            return
        known = shorten([f"{each:g}" for each in self.levels])
        if self.scores is None:
            raise DataError(
                f"the model has prediction intervals of the levels {known} but not of {level:g}: it was exported "
                "without the errors of its backtest, by an earlier version; choose one of them, or repeat its search "
                "(run --fresh)"
            )
        n, horizon, _ = self.scores.shape
        needed = math.ceil(level / (1 - level) - 1e-6)
        raise DataError(
            f"an interval of level {level:g} needs {needed:,} errors of the backtest, but there are "
            f"{self._n_errors:,} ({counted(n, 'forecast')} of {counted(horizon, 'step')}); choose a level up to "
            f"{math.floor(1e4 * self.highest_level) / 1e4:g}, or train a model with more folds"
        )

    def intervals(self, quantiles: Array, levels: Sequence[float]) -> tuple[Array, Array]:
        """Lower and upper ends (levels, series, h, Y) of intervals in original units; nested, not clipped.

        Args:
            quantiles: (series, h, Y, Q) calibrated quantiles of the first h steps.
            levels: Ascending, as :meth:`check_levels` returns them.
        """
        horizon, middle = quantiles.shape[1], quantiles.shape[-1] // 2
        reach = self._reach([level for level in levels if level not in self.levels])[:, :horizon]
        lower, upper = np.empty((2, len(levels), *quantiles.shape[:-1]), np.float32)
        others = iter(reach)
        for number, level in enumerate(levels):
            if level in self.levels:
                place = 1 + self.calibration.levels.index(level)
                lower[number], upper[number] = quantiles[..., middle - place], quantiles[..., middle + place]
            else:
                size = next(others)
                lower[number], upper[number] = self.at(-size, quantiles), self.at(size, quantiles)
        return lower, upper

    def check_paths(self) -> None:
        """Refuse a distribution without sample paths.

        Raises:
            DataError: The errors of the backtest were not kept, or there are no intervals.
        """
        if not self.levels:
            raise _no_intervals()
        if self.scores is None:
            raise DataError(
                "the model has no sample paths: it was exported without the errors of its backtest, by an earlier "
                "version; repeat its search (run --fresh), or use its prediction intervals"
            )

    def paths(self, quantiles: Array, n: int, names: Sequence[str], seed: int = 0) -> Array:
        """(series, n, h, Y) sample paths in original units, not clipped.

        Paths of different series are independent. Those of a series depend on the seed and on its name only, not on
        the other series, and the first paths do not depend on n.

        Args:
            quantiles: (series, h, Y, Q) calibrated quantiles of the first h steps.
            n: Number of paths for each series.
            names: Of the series.
            seed: Of the random numbers.

        Raises:
            DataError: As :meth:`check_paths`.
        """
        self.check_paths()
        factor = self._factor[:, : quantiles.shape[1]]
        paths = np.empty((len(quantiles), n, *quantiles.shape[1:-1]), np.float32)
        at_once = max(1, _NUMBERS_AT_ONCE // max(len(factor), factor[0].size))
        for number, generator in enumerate(_generators(names, seed)):
            for start in range(0, n, at_once):
                part = paths[number, start : start + at_once]
                normal = np.tensordot(generator.standard_normal((len(part), len(factor))), factor, 1)
                part[:] = self.at(np.copysign(self._scaled(np.abs(normal)), normal), quantiles[number])
        return paths

    @cached_property
    def _knots(self) -> _Float:
        """Normal scores of the point forecast and of the ends of the intervals, ascending."""
        return np.array([0.0, *map(normal_score, self.levels)])

    def _widths(self, quantiles: Array, above: npt.NDArray[np.bool_]) -> list[_Float]:
        """Distances from the point forecast to the ends on one side: of the forecast itself, 0, and of each level."""
        middle, point = quantiles.shape[-1] // 2, _point(quantiles)
        places = [1 + self.calibration.levels.index(level) for level in self.levels]
        ends = (np.where(above, quantiles[..., middle + each], quantiles[..., middle - each]) for each in places)
        return [np.zeros(above.shape), *(np.abs(end.astype(np.float64) - point) for end in ends)]

    @property
    def _n_errors(self) -> int:
        """Errors that the highest level can be calibrated on: of one step, or of all steps of a target."""
        assert self.scores is not None  # otherwise there are none
        counts = (~np.isnan(self.scores)).sum(axis=0)
        return int(max(counts.min(), counts.sum(axis=0).min() if len(self.scores) > 1 else 0))

    def _reach(self, levels: Sequence[float]) -> _Float:
        """(levels, H, Y) normal scores of the upper ends of intervals; NaN if the errors are too few for a level."""
        if not levels or self.scores is None:
            return np.full((len(levels), *self.calibration.offsets.shape[1:]), np.nan)
        sizes = np.abs(self.scores)
        # Levels may be of one step or pooled over all of them, so enforce that they ascend.
        reach = np.maximum.accumulate([step_offsets(sizes, level) for level in levels], axis=0)
        for row, level in zip(reach, levels, strict=True):
            inner = max((normal_score(each) for each in self.levels if each <= level), default=0.0)
            outer = min((normal_score(each) for each in self.levels if each >= level), default=np.inf)
            np.clip(row, inner, outer, out=row)
        return reach

    @cached_property
    def _table(self) -> tuple[_Float, _Float]:
        """(G,) normal scores, ascending from 0, and (G, H, Y) the scores of the upper ends of their intervals."""
        at = np.unique([*np.arange(0, _FARTHEST + _STEP, _STEP), *self._knots])
        reach = self._reach([math.erf(each / math.sqrt(2)) for each in at[1:]])
        reach = np.concatenate([np.zeros((1, *reach.shape[1:])), reach])
        for place in range(1, len(at)):
            if np.isnan(reach[place]).any():
                reach[place] = reach[place - 1] * at[place] / at[place - 1]
        return at, reach

    def _scaled(self, sizes: _Float) -> _Float:
        """c of the absolute values of standard normal numbers (n, h, Y)."""
        at, table = self._table
        right = np.searchsorted(at, sizes).clip(1, len(at) - 1)
        steps, targets = (np.arange(length) for length in sizes.shape[1:])
        left_value, right_value = (table[place, steps[:, None], targets] for place in (right - 1, right))
        share = (sizes - at[right - 1]) / (at[right] - at[right - 1])
        scaled: _Float = left_value + share * (right_value - left_value)
        return scaled

    @cached_property
    def _factor(self) -> _Float:
        """(m, H, Y) a root of the correlations of the scores: m independent normal numbers times it have them."""
        assert self.scores is not None  # otherwise there are no paths
        n, horizon, n_targets = self.scores.shape
        scores = _without_gaps(self.scores).clip(-_LARGEST, _LARGEST).reshape(n, -1)
        root = np.linalg.qr(scores, mode="r")
        size = np.linalg.norm(root, axis=0)
        factor: _Float = (root / np.where(size > 0, size, 1)).reshape(-1, horizon, n_targets)
        return factor


def kept_scores(scores: Sequence[Array]) -> Array:
    """The normal scores of all folds that a model keeps: all, or evenly spaced windows if they are too many.

    Args:
        scores: (windows, H, Y) of each fold.
    """
    together = np.concatenate(scores)
    most = max(2, MOST_SCORES // together[0].size)
    if len(together) <= most:
        return together
    return together[np.linspace(0, len(together) - 1, most).round().astype(np.int64)]


def _no_intervals() -> DataError:
    return DataError(
        "the model has no prediction intervals: its backtest was too small, or forecast.levels was empty; train one "
        "with more folds"
    )


def _generators(names: Sequence[str], seed: int) -> Iterator[np.random.Generator]:
    """Random numbers of each series."""
    for name in names:
        digest = hashlib.sha256(str(name).encode(errors="surrogatepass")).digest()
        yield np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def _point(quantiles: Array) -> _Float:
    return quantiles[..., quantiles.shape[-1] // 2].astype(np.float64)


def _outermost(widths: Sequence[_Float], point: _Float) -> _Float:
    """The width of the outermost interval, which is never 0."""
    return np.maximum(widths[-1], _SMALLEST_WIDTH * np.maximum(np.abs(point), 1))


def _without_gaps(scores: Array) -> _Float:
    """The scores with unknown ones interpolated along the horizon; 0 where all steps of a window are unknown."""
    values = scores.astype(np.float64)
    for window, target in np.argwhere(np.isnan(values).any(axis=1)):
        row = values[window, :, target]
        known = np.flatnonzero(~np.isnan(row))
        values[window, :, target] = np.interp(np.arange(len(row)), known, row[known]) if len(known) else 0
    return values
