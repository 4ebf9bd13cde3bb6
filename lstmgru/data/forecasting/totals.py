"""Means over the training rows of a panel, a block at a time: in double precision, and without a copy of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Rows
from lstmgru.data.forecasting.windows import rows_between

_Float = npt.NDArray[np.float64]
# So few that a block stays in the processor's cache.
_BLOCK_ROWS = 16_384


class TrainingRows:
    """The rows of a panel that may be learnt from.

    Args:
        panel: The data.
        train: (series, 2) rows ``[start, end)``; no other row is read.
        transform: What is taken of (rows, F) numbers before anything else.
    """

    def __init__(self, panel: SeriesPanel, train: Rows, transform: Callable[[_Float], _Float]) -> None:
        self._panel, self._train, self._transform = panel, train, transform
        self.counts = train[:, 1] - train[:, 0]
        """(series,) rows of each."""

    def mean(self, *, by_series: bool = False) -> _Float:
        """(1, F) means of all rows, or (series, F) of the rows of each series; 0 where there are none."""
        return self._mean(lambda rows, series: self._numbers(rows), by_series)

    def deviation(self, mean: _Float) -> _Float:
        """(1, F) or (series, F) standard deviations from such means."""

        def squares(rows: Rows, series: Rows) -> _Float:
            distance = self._numbers(rows)
            distance -= mean if len(mean) == 1 else mean[series]
            return np.square(distance, out=distance)

        return np.sqrt(self._mean(squares, len(mean) > 1))

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
        """Means of what is read, but of the first rows of each series.

        Args:
            read: (n,) rows and (n,) their series → (n, F).
            by_series: Whether each series has its own.
            first: Rows that are left out.
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
    """Ranges of rows cut and gathered into blocks of about as many rows: their series, starts and ends."""
    pieces = np.maximum(-(-(ends - starts) // _BLOCK_ROWS), 0)
    series = np.repeat(np.arange(len(starts)), pieces)
    before = np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = starts[series] + _BLOCK_ROWS * (np.arange(len(series)) - before)
    end = np.minimum(start + _BLOCK_ROWS, ends[series])
    block = np.cumsum(end - start) // _BLOCK_ROWS
    for part in np.split(np.arange(len(series)), np.flatnonzero(np.diff(block)) + 1):
        if len(part):
            yield series[part], start[part], end[part]
