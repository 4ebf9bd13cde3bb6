"""Windows by cutoff: a window is one row number, its context lies before it and its horizon at and after it.

With cutoff row ``c``, context length T and horizon H, the context is rows ``c - T … c - 1`` and the horizon is rows
``c … c + H - 1``. Windows are never materialised: a batch is gathered from the panel by index.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Rows, Split
from lstmgru.errors import DataError


def training_cutoffs(panel: SeriesPanel, split: Split, *, context_length: int, horizon: int) -> Rows:
    """(windows,) cutoffs whose context and horizon both lie in the training part of one series.

    Only cutoffs after an observed row count: the last rows of a filled stretch may be interpolated from the very values
    that are to be forecast.

    Raises:
        DataError: No series has a training part that long.
    """
    rows = [np.arange(start + context_length, end - horizon + 1) for start, end in split.train]
    fitting: Rows = np.concatenate(rows)
    cutoffs: Rows = fitting[panel.observed[fitting - 1]]
    if len(cutoffs) == 0:
        longest = int((split.train[:, 1] - split.train[:, 0]).max())
        raise DataError(
            f"{split.name}: no training window fits: context {context_length} + horizon {horizon} steps are longer "
            f"than the longest training part ({longest} rows); use a shorter context or fewer folds"
        )
    return cutoffs


def evaluation_cutoffs(panel: SeriesPanel, split: Split, *, context_length: int, horizon: int, stride: int) -> Rows:
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

    Raises:
        DataError: No such window exists.
    """
    chosen = []
    unobserved = np.concatenate([[0], np.cumsum(~panel.observed)])
    for (start, end), first in zip(split.evaluation, panel.offsets[:-1], strict=True):
        cutoffs = np.arange(max(start, first + context_length), end - horizon + 1, stride)
        complete = unobserved[cutoffs - 1] == unobserved[cutoffs + horizon] if len(cutoffs) else np.zeros(0, bool)
        chosen.append(cutoffs[complete])
    result = np.concatenate(chosen)
    if len(result) == 0:
        raise DataError(
            f"{split.name}: no window can be scored: no cutoff has {context_length} rows before it and {horizon} "
            "observed rows after it; use longer folds, a shorter context or horizon, or data with fewer gaps"
        )
    return result.astype(np.int64)


def context_rows(cutoffs: Rows, context_length: int) -> Rows:
    """(windows, T) row numbers of the contexts."""
    return cutoffs[:, None] + np.arange(-context_length, 0)


def horizon_rows(cutoffs: Rows, horizon: int) -> Rows:
    """(windows, H) row numbers of the horizons."""
    return cutoffs[:, None] + np.arange(horizon)


def targets_at(panel: SeriesPanel, cutoffs: Rows, horizon: int) -> npt.NDArray[np.float32]:
    """(windows, H, Y) true values in original units."""
    return panel.values[horizon_rows(cutoffs, horizon), : panel.n_targets]
