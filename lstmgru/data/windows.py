"""Windows by cutoff: a window is one row number, its context lies before it and its horizon at and after it.

With cutoff row ``c``, context length T and horizon H, the context is rows ``c - T … c - 1`` and the horizon is rows
``c … c + H - 1``. Windows are never materialised: a batch is gathered from the panel by index.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstmgru.data.series import SeriesPanel, ShortSeries
from lstmgru.data.splits import Rows, Split
from lstmgru.errors import DataError


def training_cutoffs(
    panel: SeriesPanel, split: Split, *, context_length: int, horizon: int, short_series: ShortSeries = "error"
) -> Rows:
    """(windows,) cutoffs whose context and horizon both lie in the training part of one series.

    Only cutoffs after an observed row count: the last rows of a filled stretch may be interpolated from the very values
    that are to be forecast.

    Args:
        panel: The data.
        split: Its training part is used.
        context_length: T.
        horizon: H.
        short_series: With ``pad``, a series whose training part is shorter than T + H has windows with at least one
            row of context and fewer than T; see :func:`history`. A longer one has whole windows only.

    Raises:
        DataError: No series has a training part that long.
    """
    starts, ends = split.train.T

    def fitting(policy: ShortSeries) -> Rows:
        short = ends - starts < context_length + horizon
        least = np.where(short, 1, context_length) if policy == "pad" else context_length
        cutoffs = _rows_between(starts + least, ends - horizon + 1)
        after_observed: Rows = cutoffs[panel.observed[cutoffs - 1]]
        return after_observed

    cutoffs = fitting(short_series)
    if len(cutoffs) == 0:
        context = "one row of context" if short_series == "pad" else f"context {context_length}"
        raise DataError(
            f"{split.name}: no training window fits: {context} + horizon {horizon} steps are longer than the longest "
            f"training part ({int((ends - starts).max())} rows); use a shorter context or fewer folds"
            + _padding_helps(fitting("pad"))
        )
    return cutoffs


def evaluation_cutoffs(
    panel: SeriesPanel,
    split: Split,
    *,
    context_length: int,
    horizon: int,
    stride: int,
    short_series: ShortSeries = "error",
) -> Rows:
    """(windows,) cutoffs whose horizon lies in the evaluation part; contexts may reach back before it.

    Only cutoffs after an observed row count, and only horizons that were observed throughout: a filled value is
    neither known at the cutoff nor a truth to score against.

    Args:
        panel: The data.
        split: Its evaluation part is used.
        context_length: Rows that must exist before a cutoff. Give the longest of all candidates, so that all are
            scored on the same windows.
        horizon: H.
        stride: Steps between two cutoffs of a series.
        short_series: With ``pad``, one row before a cutoff is enough.

    Raises:
        DataError: No such window exists.
    """
    starts, ends = split.evaluation.T
    unobserved = np.concatenate([[0], np.cumsum(~panel.observed)])

    def complete(policy: ShortSeries) -> Rows:
        least = 1 if policy == "pad" else context_length
        cutoffs = _rows_between(np.maximum(starts, panel.offsets[:-1] + least), ends - horizon + 1, stride)
        observed: Rows = cutoffs[unobserved[cutoffs - 1] == unobserved[cutoffs + horizon]]
        return observed

    cutoffs = complete(short_series)
    if len(cutoffs) == 0:
        least = "one row" if short_series == "pad" else f"{context_length} rows"
        raise DataError(
            f"{split.name}: no window can be scored: no cutoff has {least} before it and {horizon} observed rows "
            "after it; use longer folds, a shorter context or horizon, or data with fewer gaps"
            + _padding_helps(complete("pad"))
        )
    return cutoffs


def _padding_helps(cutoffs: Rows) -> str:
    return ", or set data.short_series: pad" if len(cutoffs) else ""


def _rows_between(first: Rows, end: Rows, step: int = 1) -> Rows:
    """Every ``step``-th row of each range ``[first, end)``, one range after the other; a range may be empty."""
    counts = np.maximum(-(-(end - first) // step), 0)
    before = np.cumsum(counts) - counts
    rows: Rows = np.repeat(first - step * before, counts) + step * np.arange(counts.sum())
    return rows


def history(panel: SeriesPanel, cutoffs: Rows) -> Rows:
    """(windows,) rows of a cutoff's series before it: where fewer than T, the context begins with padding."""
    rows: Rows = cutoffs - panel.offsets[np.searchsorted(panel.offsets, cutoffs, side="right") - 1]
    return rows


def context_rows(cutoffs: Rows, context_length: int) -> Rows:
    """(windows, T) row numbers of the contexts."""
    return cutoffs[:, None] + np.arange(-context_length, 0)


def horizon_rows(cutoffs: Rows, horizon: int) -> Rows:
    """(windows, H) row numbers of the horizons."""
    return cutoffs[:, None] + np.arange(horizon)


def targets_at(panel: SeriesPanel, cutoffs: Rows, horizon: int) -> npt.NDArray[np.float32]:
    """(windows, H, Y) true values in original units."""
    return panel.values[horizon_rows(cutoffs, horizon), : panel.n_targets]
