"""Windows, represented by the row of their cutoff: the context ends before it, the horizon starts with it.

With cutoff row ``c``, context length T and horizon H, the context is rows ``c - T … c - 1`` and the horizon is rows
``c … c + H - 1``. Windows are never materialized: a batch is gathered from the panel by index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.tables.columns import group_of
from lstmgru.errors import DataError

if TYPE_CHECKING:
    from lstmgru.data.forecasting.series import SeriesPanel, ShortSeries
    from lstmgru.data.forecasting.splits import Rows, Split

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]

# Small enough for hourly temperatures in kelvin to count as changing.
_SMALLEST_CHANGE = 1e-3
_WINDOWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Runs:
    """Ascending rows as runs of consecutive rows, a compact form of millions of cutoffs.

    Attributes:
        first: (runs,) first row of each.
        ends: (runs,) cumulative number of rows; no run is empty.
    """

    first: Rows
    ends: Rows

    @classmethod
    def of(cls, rows: Rows) -> Self:
        """The runs of ascending rows."""
        starts = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        return cls(rows[starts], np.append(starts[1:], len(rows))[: len(starts)])

    def __len__(self) -> int:
        """Number of rows."""
        return int(self.ends[-1]) if len(self.ends) else 0

    def at(self, places: Rows) -> Rows:
        """(n,) rows at (n,) positions, from 0."""
        run = np.searchsorted(self.ends, places, side="right")
        rows: Rows = places - np.append(0, self.ends)[run] + self.first[run]
        return rows

    def before(self, rows: Rows) -> Rows:
        """(n,) number of rows of the runs before each of (n,) rows."""
        run = group_of(self.first, rows)
        begins = np.append(0, self.ends)
        inside = begins[run] + np.minimum(rows - self.first[run], self.ends[run] - begins[run])
        return np.where(run < 0, 0, inside)


def training_runs(
    panel: SeriesPanel, split: Split, *, context_length: int, horizon: int, short_series: ShortSeries = "error"
) -> Runs:
    """The cutoffs whose context and horizon are both within the training part of one series.

    Cutoffs after filled rows are excluded, as these may be interpolated from the values to forecast, and so are
    horizons without a known target.

    Args:
        panel: The data.
        split: Its training part is used.
        context_length: T.
        horizon: H.
        short_series: With ``pad``, series whose training part is shorter than T + H have windows with fewer than T
            rows of context, at least one; see :func:`history`. Longer series only have full windows.

    Raises:
        DataError: No training part is long enough.
    """
    starts, ends = split.train.T
    useless = _unobserved(panel) + 1
    if panel.known is not None:
        useless = np.union1d(useless, np.flatnonzero(known_targets(panel, np.arange(len(panel.times)), horizon) == 0))

    def fitting(policy: ShortSeries) -> Runs:
        short = ends - starts < context_length + horizon
        least = np.where(short, 1, context_length) if policy == "pad" else context_length
        return _runs_without(starts + least, ends - horizon + 1, useless)

    runs = fitting(short_series)
    if len(runs) == 0:
        context = "one row of context" if short_series == "pad" else f"context {context_length}"
        raise DataError(
            f"{split.name}: no training window fits: {context} + horizon {horizon} steps are longer than the longest "
            f"training part ({int((ends - starts).max())} rows); use a shorter context or fewer folds"
            + _padding_helps(fitting("pad"))
        )
    return runs


def evaluation_cutoffs(
    panel: SeriesPanel,
    split: Split,
    *,
    context_length: int,
    horizon: int,
    stride: int,
    short_series: ShortSeries = "error",
) -> Rows:
    """(windows,) cutoffs whose horizon is within the evaluation part; contexts may start before it.

    Cutoffs after filled rows are excluded, as filled values are not known at the cutoff, and horizons without a known
    target. Where a panel does not say which targets are known, horizons with filled rows are excluded.

    Args:
        panel: The data.
        split: Its evaluation part is used.
        context_length: Rows required before a cutoff. Use the longest context of all candidates, so that all are
            scored on the same windows.
        horizon: H.
        stride: Steps between two cutoffs of a series.
        short_series: With ``pad``, one row before a cutoff is enough.

    Raises:
        DataError: No such window exists.
    """
    starts, ends = split.evaluation.T
    unobserved = _unobserved(panel)

    def complete(policy: ShortSeries) -> Rows:
        least = 1 if policy == "pad" else context_length
        cutoffs = rows_between(np.maximum(starts, panel.offsets[:-1] + least), ends - horizon + 1, stride)
        if panel.known is not None:
            return cutoffs[panel.observed[cutoffs - 1] & (known_targets(panel, cutoffs, horizon) > 0)]
        before, after = (np.searchsorted(unobserved, rows) for rows in (cutoffs - 1, cutoffs + horizon))
        observed: Rows = cutoffs[before == after]
        return observed

    cutoffs = complete(short_series)
    if len(cutoffs) == 0:
        least = "one row" if short_series == "pad" else f"{context_length} rows"
        raise DataError(
            f"{split.name}: no window can be scored: no cutoff has {least} before it, the last of them observed, and "
            f"{horizon} rows with an observed target after it; use longer folds, a shorter context or horizon, or data "
            "with fewer gaps" + _padding_helps(complete("pad"))
        )
    return cutoffs


def _padding_helps(cutoffs: Rows | Runs) -> str:
    return ", or set data.short_series: pad" if len(cutoffs) else ""


def rows_between(first: Rows, end: Rows, step: int = 1) -> Rows:
    """Every ``step``-th row of each range ``[first, end)``, concatenated; ranges may be empty."""
    counts = np.maximum(-(-(end - first) // step), 0)
    before = np.cumsum(counts) - counts
    rows: Rows = np.repeat(first - step * before, counts) + step * np.arange(counts.sum())
    return rows


def known_targets(panel: SeriesPanel, cutoffs: Rows, horizon: int) -> Rows:
    """(windows,) number of known targets over each horizon, at most H · Y; horizons end with the last row.

    Args:
        panel: The data.
        cutoffs: (windows,) rows.
        horizon: H.
    """
    if panel.known is None:
        return np.full(len(cutoffs), horizon * panel.n_targets)
    before = np.concatenate([[0], np.cumsum(panel.known.sum(axis=1))])
    counts: Rows = before[np.minimum(cutoffs + horizon, len(panel.times))] - before[cutoffs]
    return counts


def _unobserved(panel: SeriesPanel) -> Rows:
    """(filled rows,) ascending."""
    return np.flatnonzero(~panel.observed)


def _runs_without(first: Rows, end: Rows, removed: Rows) -> Runs:
    """The rows of ascending, disjoint ranges ``[first, end)`` without some rows; ranges may be empty."""
    first, end = first[first < end], end[first < end]
    range_ = group_of(first, removed)
    inside = removed[(range_ >= 0) & (removed < end[range_])] if len(first) else removed[:0]
    # The n-th start belongs to the n-th end, as the pieces do not overlap.
    starts, stops = np.sort(np.concatenate([first, inside + 1])), np.sort(np.concatenate([end, inside]))
    filled = starts < stops
    return Runs(starts[filled], np.cumsum(stops[filled] - starts[filled]))


def history(panel: SeriesPanel, cutoffs: Rows) -> Rows:
    """(windows,) rows of the series before each cutoff; with fewer than T, the context is padded."""
    return cutoffs - panel.offsets[panel.series_of(cutoffs)]


def context_rows(cutoffs: Rows, context_length: int) -> Rows:
    """(windows, T) row numbers of the contexts."""
    return cutoffs[:, None] + np.arange(-context_length, 0)


def horizon_rows(cutoffs: Rows, horizon: int) -> Rows:
    """(windows, H) row numbers of the horizons."""
    return cutoffs[:, None] + np.arange(horizon)


def targets_at(panel: SeriesPanel, cutoffs: Rows, horizon: int) -> npt.NDArray[np.float32]:
    """(windows, H, Y) true values in original units, filled where they are not known."""
    return panel.values[horizon_rows(cutoffs, horizon), : panel.n_targets]


def known_at(panel: SeriesPanel, cutoffs: Rows, horizon: int) -> npt.NDArray[np.bool_] | None:
    """(windows, H, Y) whether a target is known; ``None`` if all are."""
    return None if panel.known is None else panel.known[horizon_rows(cutoffs, horizon)]


def window_scale(context: Array, season_length: int, lengths: Rows | None = None) -> Array:
    """(windows, Y) positive scales: the typical change of the targets of each window, in original units.

    For n rows x_t of a context, with m = ``season_length`` if n > 2 ``season_length``, else 1::

        s = max(mean |x_t - x_{t-m}|, 0.001 mean |x_t|), or 1 if that is 0

    For a constant context, a small share of its level is used. For a context of zeros the scale is 1, as for constant
    channels in :class:`~lstmgru.data.forecasting.scaling.Scaler`, so that the scores of such windows do not dominate.

    Args:
        context: (windows, T, Y) targets.
        season_length: Steps in one season.
        lengths: (windows,) number of real rows at the end of each context; ``None`` if all are.
    """
    values, steps = context.astype(np.float64), context.shape[1]
    known = np.full(len(values), steps) if lengths is None else lengths
    real = np.arange(steps) >= steps - known[:, None]

    def mean(sizes: _Float, counted: npt.NDArray[np.bool_]) -> _Float:
        counts = np.maximum(counted.sum(axis=1), 1)[:, None]
        means: _Float = np.where(counted[..., None], sizes, 0).sum(axis=1) / counts
        return means

    def change(lag: int) -> _Float:
        return mean(np.abs(values[:, lag:] - values[:, : steps - lag]), real[:, : steps - lag])

    seasonal = (known > 2 * season_length)[:, None]
    changes = np.where(seasonal, change(min(season_length, steps)), change(1))
    scale = np.maximum(changes, _SMALLEST_CHANGE * mean(np.abs(values), real))
    return np.where(scale == 0, 1, scale).astype(np.float32)


def panel_scale(
    panel: SeriesPanel, cutoffs: Rows, *, context_length: int, season_length: int, scaled: bool | None = None
) -> Array:
    """(windows, Y) scales of windows of a panel: :func:`window_scale`, or 1.

    Args:
        panel: The data; only rows before the cutoffs are read.
        cutoffs: (windows,) rows.
        context_length: T of the model whose forecasts are scored; contexts may start before their series.
        season_length: Steps in one season.
        scaled: Whether they are not 1, as of a known calibration; ``None``: they are 1 for a single series.
    """
    if not (len(panel) > 1 if scaled is None else scaled):
        return np.ones((len(cutoffs), panel.n_targets), np.float32)

    def scales(cutoffs: Rows) -> Array:
        lengths = np.minimum(history(panel, cutoffs), context_length)
        rows = np.maximum(context_rows(cutoffs, context_length), (cutoffs - lengths)[:, None])
        return window_scale(panel.values[rows, : panel.n_targets], season_length, lengths)

    parts = np.split(cutoffs, range(_WINDOWS_AT_ONCE, len(cutoffs), _WINDOWS_AT_ONCE))
    return np.concatenate([scales(part) for part in parts])
