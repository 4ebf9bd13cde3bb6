"""How much a window's targets change: the unit in which forecast errors of large and small series compare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Rows
from lstmgru.data.forecasting.windows import context_rows, history

Array = npt.NDArray[np.float32]
_Float = npt.NDArray[np.float64]

# Small enough to leave alone what does change, as temperatures in kelvin do from hour to hour.
_SMALLEST_CHANGE = 1e-3
_WINDOWS_AT_ONCE = 1024


def window_scale(context: Array, season_length: int, lengths: Rows | None = None) -> Array:
    """(windows, Y) positive scales: how much the targets of each window change, in original units.

    With n rows x_t of a context, m = ``season_length`` where n > 2 ``season_length`` and else 1::

        s = max(mean |x_t - x_{t-m}|, 0.001 mean |x_t|), and 1 where that is 0

    A context that never changes tells nothing about its spread, so a small share of its level stands in. One of zeros
    does not even tell the level; 1, the scale of constant channels in
    :class:`~lstmgru.data.forecasting.scaling.Scaler`, keeps the scores of such windows from drowning all others.

    Args:
        context: (windows, T, Y) targets.
        season_length: Steps in one season.
        lengths: (windows,) real rows of each context, its last; ``None``: all.
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


def panel_scale(panel: SeriesPanel, cutoffs: Rows, *, context_length: int, season_length: int) -> Array:
    """(windows, Y) scales of windows of a panel: :func:`window_scale`, or ones where there is a single series.

    Args:
        panel: The data; only rows before the cutoffs are read.
        cutoffs: (windows,) rows.
        context_length: T of the model whose forecasts are scored; it may reach back before the start of a series.
        season_length: Steps in one season.
    """
    if len(panel) == 1:
        return np.ones((len(cutoffs), panel.n_targets), np.float32)

    def scales(cutoffs: Rows) -> Array:
        lengths = np.minimum(history(panel, cutoffs), context_length)
        rows = np.maximum(context_rows(cutoffs, context_length), (cutoffs - lengths)[:, None])
        return window_scale(panel.values[rows, : panel.n_targets], season_length, lengths)

    parts = np.split(cutoffs, range(_WINDOWS_AT_ONCE, len(cutoffs), _WINDOWS_AT_ONCE))
    return np.concatenate([scales(part) for part in parts])
