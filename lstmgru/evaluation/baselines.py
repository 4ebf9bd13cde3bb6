"""The baselines of forecasts: naive, seasonal naive and ridge regression."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.design import WindowDesign
from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
from lstmgru.data.forecasting.splits import Rows, Split
from lstmgru.data.forecasting.windows import history, targets_at, training_runs
from lstmgru.specs import ForecastSpec

_Float = npt.NDArray[np.float64]
Blocks = Callable[[], Iterable[tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]]]
"""Yields blocks of (examples, width) inputs and (examples, outputs) targets, the same ones in each call."""


@dataclass(frozen=True)
class Ridge:
    """A fitted regression.

    Attributes:
        coefficients: (width, outputs).
        intercept: (outputs,).
        alpha: The penalty.
    """

    coefficients: _Float
    intercept: _Float
    alpha: float

    def predict(self, inputs: npt.NDArray[np.floating]) -> _Float:
        """(examples, outputs) of (examples, width)."""
        outputs: _Float = inputs @ self.coefficients + self.intercept
        return outputs


def fit_ridge(blocks: Blocks, alphas: Sequence[float]) -> Ridge:
    """Fit ridge regression with the penalty that minimizes the mean squared leave-one-out error.

    Args:
        blocks: More examples than inputs.
        alphas: Positive penalties; ties are resolved in favor of the first.
    """
    count, center, of_targets = _means(blocks)
    squares, products = _products(blocks, center, of_targets)
    values, vectors = np.linalg.eigh(squares)
    values, turned = np.maximum(values, 0.0), vectors.T @ products
    errors = np.zeros(len(alphas))
    for inputs, targets in blocks():
        z, y = (inputs - center) @ vectors, targets - of_targets
        z_squared = z**2
        for number, alpha in enumerate(alphas):
            shrunk = 1 / (values + alpha)
            left = 1 - 1 / count - z_squared @ shrunk
            with np.errstate(divide="ignore", invalid="ignore"):  # interpolated examples, see _ALPHAS
                errors[number] += (((y - z @ (shrunk[:, None] * turned)) / left[:, None]) ** 2).sum()
    alpha = float(alphas[int(np.argmin(np.where(np.isnan(errors), np.inf, errors)))])
    coefficients: _Float = vectors @ (turned / (values + alpha)[:, None])
    return Ridge(coefficients, of_targets - center @ coefficients, alpha)


def _means(blocks: Blocks) -> tuple[int, _Float, _Float]:
    """The number of examples, and the (width,) and (outputs,) means of inputs and targets."""
    sums = [(len(x), x.sum(axis=0, dtype=np.float64), y.sum(axis=0, dtype=np.float64)) for x, y in blocks()]
    counts, inputs, targets = zip(*sums, strict=True)
    count = sum(counts)
    return count, sum(inputs) / count, sum(targets) / count


def _products(blocks: Blocks, center: _Float, of_targets: _Float) -> tuple[_Float, _Float]:
    """XᵀX and XᵀY of centered inputs and targets."""
    squares: _Float = np.zeros((len(center), len(center)))
    products: _Float = np.zeros((len(center), len(of_targets)))
    for inputs, targets in blocks():
        x = inputs - center
        squares += x.T @ x
        products += x.T @ (targets - of_targets)
    return squares, products


Array = npt.NDArray[np.float32]
Forecaster = Callable[[Rows], Array]
"""(windows,) cutoffs → (windows, H, Y) forecasts in original units."""

# Maximum size of the whole design matrix of the linear baseline: a few seconds on one core.
_MAX_DESIGN_NUMBERS = 6_000_000
# Maximum size of a block of it, if there are more windows than columns.
_NUMBERS_AT_ONCE = 250_000
# Largest first: a small penalty that interpolates the training windows has leave-one-out errors of 0/0, and RidgeCV
# never replaces a finite error by NaN, but would keep a NaN that comes first.
_ALPHAS = np.logspace(5, -1, 13)


class Baseline(Protocol):
    """Fits a simple method to the training part of a split."""

    def __call__(
        self,
        panel: SeriesPanel,
        split: Split,
        forecast: ForecastSpec,
        context_length: int,
        short_series: ShortSeries = "error",
    ) -> Forecaster:
        """Fit the method; the result forecasts at any cutoff with at least one row before it.

        Args:
            panel: The data.
            split: Its training part is used.
            forecast: Horizon and season.
            context_length: T, rows that are read before a cutoff.
            short_series: With ``pad``, windows with fewer rows before the cutoff are also used for training.

        Raises:
            DataError: No training window fits.
        """


def naive(
    panel: SeriesPanel, split: Split, forecast: ForecastSpec, context_length: int, short_series: ShortSeries = "error"
) -> Forecaster:
    """The last observed value, for every step."""

    def predict(cutoffs: Rows) -> Array:
        last = panel.values[cutoffs - 1, : panel.n_targets]
        return np.repeat(last[:, None], forecast.horizon, axis=1)

    return predict


def seasonal_naive(
    panel: SeriesPanel, split: Split, forecast: ForecastSpec, context_length: int, short_series: ShortSeries = "error"
) -> Forecaster:
    """The value one season earlier; for longer horizons the last season repeats.

    Within the first season of a series, the last value is used instead.
    """
    steps = np.arange(forecast.horizon) % forecast.season_length - forecast.season_length

    def predict(cutoffs: Rows) -> Array:
        known = -steps <= history(panel, cutoffs)[:, None]
        return panel.values[cutoffs[:, None] + np.where(known, steps, -1), : panel.n_targets]

    return predict


def linear(
    panel: SeriesPanel, split: Split, forecast: ForecastSpec, context_length: int, short_series: ShortSeries = "error"
) -> Forecaster:
    """Ridge regression (Hoerl & Kennard 1970) from all inputs of a network to the whole horizon.

    For the features and the scaling of series, see :class:`~lstmgru.data.forecasting.design.WindowDesign`. The penalty
    is chosen by the leave-one-out error on the training windows, which are evenly subsampled if they are too many.
    """
    design = WindowDesign.fit(panel, split, context_length=context_length, horizon=forecast.horizon)
    runs = training_runs(
        panel, split, context_length=context_length, horizon=forecast.horizon, short_series=short_series
    )
    step = max(1, -(-len(runs) * design.width // _MAX_DESIGN_NUMBERS))
    cutoffs = runs.at(np.arange(0, len(runs), step))

    def parts(cutoffs: Rows) -> list[Rows]:
        at_once = max(1, _NUMBERS_AT_ONCE // design.width)
        return np.split(cutoffs, range(at_once, len(cutoffs), at_once))

    def examples(cutoffs: Rows) -> tuple[Array, Array]:
        center, scale = design.units(cutoffs)
        target = (targets_at(panel, cutoffs, forecast.horizon) - center) / scale
        return design.inputs(cutoffs), target.reshape(len(cutoffs), -1)

    if len(cutoffs) > design.width:
        ridge: Any = fit_ridge(lambda: map(examples, parts(cutoffs)), _ALPHAS.tolist())
    else:
        ridge = _ridge_of_few(*examples(cutoffs))

    def predict_some(cutoffs: Rows) -> Array:
        center, scale = design.units(cutoffs)
        flat = np.asarray(ridge.predict(design.inputs(cutoffs)), np.float32)
        return flat.reshape(len(cutoffs), forecast.horizon, panel.n_targets) * scale + center

    def predict(cutoffs: Rows) -> Array:
        return np.concatenate([predict_some(part) for part in parts(cutoffs)])

    return predict


def _ridge_of_few(inputs: Array, targets: Array) -> Any:
    """Ridge regression with fewer examples than inputs, solved in the space of examples."""
    from sklearn.linear_model import RidgeCV

    with np.errstate(divide="ignore", invalid="ignore"):
        return RidgeCV(alphas=_ALPHAS).fit(inputs, targets)


BASELINES: dict[str, Baseline] = {"naive": naive, "seasonal_naive": seasonal_naive, "linear": linear}
