"""Windows as arrays: what a method reads of them, without the panel or table that they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.windows import context_rows, history, horizon_rows
from lstmgru.errors import SpecError

if TYPE_CHECKING:
    from lstmgru.data.forecasting.series import SeriesPanel
    from lstmgru.data.forecasting.splits import Rows

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

# Of the contexts, whose row numbers take twice their memory.
_ROWS_AT_ONCE = 262_144


@dataclass(frozen=True)
class WindowArrays:
    """Windows in original units; for categorical columns, codes of the schema's categories.

    Attributes:
        past: (n, T, F) contexts, channels as in a :class:`~lstmgru.data.forecasting.series.SeriesPanel`.
        future: (n, H, K) covariates known over the horizons, the last K channels.
        lengths: (n,) number of real rows at the end of each context, at least 1. Rows before them have no meaning.
        static: (n, S) static covariates; ``None`` if there are none.
        series: (n,) codes of the series, from 1 in the order of the panel; ``None`` if unknown.
    """

    past: Array
    future: Array
    lengths: Codes
    static: Array | None = None
    series: Codes | None = None

    def __len__(self) -> int:
        """Number of windows."""
        return len(self.past)

    def some(self, windows: slice | Codes) -> Self:
        """Some of the windows, by index."""
        return type(self)(
            self.past[windows],
            self.future[windows],
            self.lengths[windows],
            None if self.static is None else self.static[windows],
            None if self.series is None else self.series[windows],
        )

    def context(self, context_length: int) -> Array:
        """(n, context_length, F) last rows of the contexts. Rows before a series repeat its first known row.

        Args:
            context_length: Number of rows.

        Raises:
            SpecError: The windows have fewer rows, real or not.
        """
        steps = self.past.shape[1]
        if steps < context_length:
            raise SpecError(f"windows must have at least {context_length} rows of context but have {steps}")
        if (self.lengths >= context_length).all():
            return self.past[:, steps - context_length :]
        rows = np.maximum(np.arange(steps - context_length, steps), steps - self.lengths[:, None])
        return np.take_along_axis(self.past, rows[..., None], axis=1)


def window_arrays(panel: SeriesPanel, cutoffs: Rows, *, context_length: int, horizon: int) -> WindowArrays:
    """The windows of a panel. Contexts that start before their series repeat its first row.

    Args:
        panel: The data.
        cutoffs: (n,) rows with at least one row of their series before them, and H rows after them if there are
            covariates known over the horizon.
        context_length: T.
        horizon: H.
    """
    lengths = np.minimum(history(panel, cutoffs), context_length)
    past = np.empty((len(cutoffs), context_length, panel.values.shape[1]), panel.values.dtype)
    at_once = max(1, _ROWS_AT_ONCE // context_length)
    for start in range(0, len(cutoffs), at_once):
        part = slice(start, start + at_once)
        rows = np.maximum(context_rows(cutoffs[part], context_length), (cutoffs - lengths)[part, None])
        past[part] = panel.values[rows]
    first_known = panel.values.shape[1] - panel.n_future
    future = np.empty((len(cutoffs), horizon, 0), np.float32)
    if panel.n_future:
        future = panel.values[horizon_rows(cutoffs, horizon), first_known:]
    series = panel.series_of(cutoffs)
    static = panel.static[series] if panel.static.shape[1] else None
    return WindowArrays(past, future, lengths, static, series + 1)
