"""Scaling of channels, fitted on training rows only: in blocks, in double precision, without copying the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Rows
from lstmgru.data.forecasting.windows import rows_between
from lstmgru.errors import DataError, SpecError
from lstmgru.specs import ModelSpec
from lstmgru.specs.fields import single_precision

_Float = npt.NDArray[np.float64]
# Rows of a block, which should fit in the cache.
_BLOCK_ROWS = 16_384


class TrainingRows:
    """Statistics of the training rows of a panel.

    Args:
        panel: The data.
        train: (series, 2) rows ``[start, end)``; no other row is read.
        transform: Applied to (rows, F) numbers first.
    """

    def __init__(self, panel: SeriesPanel, train: Rows, transform: Callable[[_Float], _Float]) -> None:
        self._panel, self._train, self._transform = panel, train, transform
        self.counts = train[:, 1] - train[:, 0]
        """(series,) number of training rows."""

    def mean(self, *, by_series: bool = False) -> _Float:
        """(1, F) means of all rows, or (series, F) means of each series; 0 without rows."""
        return self._mean(lambda rows, series: self._numbers(rows), by_series)

    def deviation(self, mean: _Float) -> _Float:
        """(1, F) or (series, F) standard deviations from given means."""

        def squares(rows: Rows, series: Rows) -> _Float:
            distance = self._numbers(rows)
            distance -= mean if len(mean) == 1 else mean[series]
            return np.square(distance, out=distance)

        return np.sqrt(self._mean(squares, len(mean) > 1))

    def smallest_above_0(self) -> Array:
        """(F,) smallest positive values in original units; infinite without any."""
        smallest = np.full(self._panel.values.shape[1], np.inf, np.float32)
        for _, start, end in _blocks(self._train[:, 0], self._train[:, 1]):
            values = self._panel.values[rows_between(start, end)]
            smallest = np.minimum(smallest, np.where(values > 0, values, np.inf).min(axis=0))
        return smallest

    def mean_size(self) -> _Float:
        """(1, F) mean absolute values of all rows."""
        return self._mean(lambda rows, series: np.abs(self._numbers(rows)), by_series=False)

    def mean_square_change(self, *, by_series: bool = False) -> _Float:
        """(1, F) means of the squared differences of neighboring rows of a series, or (series, F)."""

        def squares(rows: Rows, series: Rows) -> _Float:
            change = self._numbers(rows) - self._numbers(rows - 1)
            return np.square(change, out=change)

        return self._mean(squares, by_series, first=1)

    def _numbers(self, rows: Rows) -> _Float:
        return self._transform(self._panel.values[rows].astype(np.float64))

    def _mean(self, read: Callable[[Rows, Rows], _Float], by_series: bool, *, first: int = 0) -> _Float:
        """Means of what is read, optionally without the first rows of each series.

        Args:
            read: Maps (n,) rows and (n,) their series to (n, F) values.
            by_series: Whether to compute the means of each series.
            first: Number of rows to skip.
        """
        sums = np.zeros((len(self.counts), self._panel.values.shape[1]))
        starts, ends = self._train[:, 0] + first, self._train[:, 1]
        for series, start, end in _blocks(starts, ends):
            lengths = end - start
            values = read(rows_between(start, end), np.repeat(series, lengths))
            np.add.at(sums, series, np.add.reduceat(values, np.cumsum(lengths) - lengths, axis=0))
        counts = np.maximum(self.counts - first, 0)
        if not by_series:
            sums, counts = sums.sum(axis=0, keepdims=True), counts.sum(keepdims=True)
        means: _Float = sums / np.maximum(counts, 1)[:, None]
        return means


def _blocks(starts: Rows, ends: Rows) -> Iterator[tuple[Rows, Rows, Rows]]:
    """Split and group ranges of rows into blocks of similar size: their series, starts and ends."""
    pieces = np.maximum(-(-(ends - starts) // _BLOCK_ROWS), 0)
    series = np.repeat(np.arange(len(starts)), pieces)
    before = np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = starts[series] + _BLOCK_ROWS * (np.arange(len(series)) - before)
    end = np.minimum(start + _BLOCK_ROWS, ends[series])
    block = np.cumsum(end - start) // _BLOCK_ROWS
    for part in np.split(np.arange(len(series)), np.flatnonzero(np.diff(block)) + 1):
        if len(part):
            yield series[part], start[part], end[part]


Array = npt.NDArray[np.float32]

# A deviation that is only a rounding error of float32 would amplify noise to unit variance.
_ROUNDING = 1e-6
IGNORED_SCALE = 1e30
"""Scale of a covariate that is constant in training: all its values are scaled to 0."""


@dataclass(frozen=True)
class Scaler:
    """``(x - mean) / scale`` for each channel, optionally after the logarithm of the targets.

    A constant target has scale 1, and a constant covariate is ignored: whatever it is later, its scaled value is 0.
    Categorical channels are not changed.

    Attributes:
        mean: (1, F), or (series, F) if series are scaled separately; in original units, or their logarithms.
        scale: Likewise; never 0.
        n_targets: Y, the first channels.
        log: Whether the logarithm of the targets is taken.
        static_mean: (S,) means of the static covariates.
        static_scale: (S,).
        floor: (Y,) smallest positive values of the targets in training, for which others without a logarithm count when
            windows are trained on and scored. A stored scaler has none, and refuses them.
    """

    mean: Array
    scale: Array
    n_targets: int
    log: bool
    static_mean: Array
    static_scale: Array
    floor: Array | None = None

    @classmethod
    def fit(cls, panel: SeriesPanel, train: Rows, model: ModelSpec | None = None) -> Self:
        """Fit the scaler for the normalization of an architecture.

        ``fold``: mean and deviation of all training rows. ``series`` and ``last``: for targets, those of each series,
        or of all rows if a series has no training rows. ``window`` and ``mean`` normalize each window themselves, so
        that only the magnitude is scaled and 0 stays 0. With differences, the scale is their root mean square.

        Args:
            panel: The data.
            train: (series, 2) training rows ``[start, end)``; no other row is read.
            model: The architecture; ``None`` for mean 0 and deviation 1 over all rows.

        Raises:
            DataError: A target whose logarithm is needed has no positive value.
        """
        log, difference = (model.log, model.difference) if model else (False, False)
        kind = model.normalization if model else "fold"
        n_targets, own = panel.n_targets, kind in ("series", "last") and len(panel) > 1
        floor = _floor(TrainingRows(panel, train, lambda numbers: numbers), n_targets) if log else None
        rows = TrainingRows(
            panel, train, lambda numbers: _with_logarithms(numbers, n_targets, floor) if log else numbers
        )
        mean, scale = _moments(rows, n_targets)
        if own:
            mean, scale = _with_own(mean, scale, n_targets, rows)
        if difference:
            mean[:, :n_targets] = 0.0
            scale[:, :n_targets] = _size_of_changes(rows, own)[:, :n_targets]
        elif kind in ("window", "mean"):
            mean[:, :n_targets] = 0.0
            if kind == "mean":
                scale[:, :n_targets] = _one_for_none(rows.mean_size())[:, :n_targets]
        numeric = np.array([column not in panel.schema.categories for column in panel.channels])
        return cls(
            np.where(numeric, mean, 0.0).astype(np.float32),
            np.where(numeric, scale, 1.0).astype(np.float32),
            n_targets,
            log,
            *_static_moments(panel),
            floor,
        )

    @property
    def by_series(self) -> bool:
        """Whether each series has its own scale."""
        return len(self.mean) > 1

    def check(self, values: Array) -> None:
        """Check that (rows, F) values can be scaled.

        Raises:
            DataError: A target whose logarithm is needed is not positive.
        """
        if self.log and self.floor is None:
            _check_positive(values[:, : self.n_targets])

    def transform(self, values: Array, series: npt.NDArray[np.int64] | None = None) -> Array:
        """Original units → scaled.

        Args:
            values: (rows, F).
            series: (rows,) number of each row's series, from 0; needed if series are scaled separately.

        Raises:
            DataError: A target whose logarithm is needed is not positive.
        """
        if self.log:
            values = _with_logarithms(values, self.n_targets, self.floor)
        return (values - self._of(self.mean, series)) / self._of(self.scale, series)

    def inverse_targets(self, values: Array, series: npt.NDArray[np.int64] | None = None) -> Array:
        """Scaled → original units.

        Args:
            values: (windows, H, Y), or with a further axis for quantiles.
            series: (windows,) number of each window's series.
        """
        shape = (-1, 1, self.n_targets, *(1,) * (values.ndim - 3))
        mean, scale = (self._of(table, series)[:, : self.n_targets].reshape(shape) for table in (self.mean, self.scale))
        restored: Array = values * scale + mean
        return np.exp(restored) if self.log else restored

    def transform_static(self, static: Array) -> Array:
        """(series, S) static covariates → scaled."""
        return (static - self.static_mean) / self.static_scale

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        arrays = {name: getattr(self, name).tolist() for name in ("mean", "scale", "static_mean", "static_scale")}
        return {**arrays, "n_targets": self.n_targets, "log": self.log}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The scaler that :meth:`to_dict` wrote.

        Raises:
            SpecError: A number does not fit single precision.
        """
        arrays = {name: single_precision(name, value) for name, value in values.items() if isinstance(value, list)}
        return cls(**arrays, n_targets=int(values["n_targets"]), log=bool(values["log"]))

    def _of(self, table: Array, series: npt.NDArray[np.int64] | None) -> Array:
        if not self.by_series:
            return table
        if series is None:
            raise SpecError("each series is scaled by itself, so the number of every row's series must be given")
        return table[series]


_Values = TypeVar("_Values", Array, _Float)


def _with_logarithms(values: _Values, n_targets: int, floor: Array | None) -> _Values:
    targets = values[:, :n_targets]
    if floor is None:
        _check_positive(targets)
    logarithms = values.copy()
    logarithms[:, :n_targets] = np.log(targets if floor is None else np.maximum(targets, floor))
    return logarithms


def _floor(rows: TrainingRows, n_targets: int) -> Array:
    """(Y,) smallest positive values of the targets.

    Raises:
        DataError: There is none.
    """
    floor = rows.smallest_above_0()[:n_targets]
    if np.isinf(floor).any():
        raise DataError(
            "a target has no value above 0 in the training part, but only such numbers have logarithms; choose a "
            "transform without log"
        )
    return floor


def _check_positive(targets: Array | _Float) -> None:
    if (targets <= 0).any():
        raise DataError(
            f"a target has the value {targets[targets <= 0][0]:g}, but only numbers above 0 have logarithms; choose a "
            "transform without log"
        )


def _moments(rows: TrainingRows, n_targets: int, *, by_series: bool = False) -> tuple[_Float, _Float]:
    """(1, F) or (series, F) means and scales: deviations, 1 for constant targets, huge for constant covariates."""
    mean = rows.mean(by_series=by_series)
    deviation = rows.deviation(mean)
    scale = _unless_constant(mean, deviation)
    scale[:, n_targets:][_constant(mean, deviation)[:, n_targets:]] = IGNORED_SCALE
    return mean, scale


def _with_own(mean: _Float, scale: _Float, n_targets: int, rows: TrainingRows) -> tuple[_Float, _Float]:
    """(series, F) moments: for targets those of each series, if it has enough rows, otherwise those of all rows."""
    own, enough = _moments(rows, n_targets, by_series=True), rows.counts[:, None] > 1
    together = [np.repeat(each, len(rows.counts), axis=0) for each in (mean, scale)]
    for each, its in zip(together, own, strict=True):
        each[:, :n_targets] = np.where(enough, its, each)[:, :n_targets]
    return together[0], together[1]


def _size_of_changes(rows: TrainingRows, own: bool) -> _Float:
    """(1, F) or (series, F) root mean squares of changes, not centered, to keep the size of a steady trend.

    1 if nothing changes; series with fewer than two rows get the value of all series.
    """
    every = _one_for_none(np.sqrt(rows.mean_square_change()))
    if not own:
        return every
    its = _one_for_none(np.sqrt(rows.mean_square_change(by_series=True)))
    return np.where(rows.counts[:, None] > 1, its, every)


def _one_for_none(size: _Float) -> _Float:
    return np.where(size > 0, size, 1.0)


def moments(values: _Float) -> tuple[_Float, _Float]:
    """(channels,) mean and standard deviation of (rows, channels); constant channels have a deviation of 1."""
    mean = values.mean(axis=0)
    return mean, _unless_constant(mean, values.std(axis=0))


def _unless_constant(mean: _Float, deviation: _Float) -> _Float:
    """The deviation; 1 for channels that are constant up to rounding."""
    return np.where(_constant(mean, deviation), 1.0, deviation)


def _constant(mean: _Float, deviation: _Float) -> npt.NDArray[np.bool_]:
    return deviation <= _ROUNDING * np.maximum(np.abs(mean), 1e-30)


def _static_moments(panel: SeriesPanel) -> tuple[Array, Array]:
    """(S,) mean and deviation over the series; 0 and 1 for categories."""
    mean, scale = moments(panel.static.astype(np.float64))
    numeric = np.array([column not in panel.schema.categories for column in panel.schema.static_covariates], bool)
    return np.where(numeric, mean, 0.0).astype(np.float32), np.where(numeric, scale, 1.0).astype(np.float32)
