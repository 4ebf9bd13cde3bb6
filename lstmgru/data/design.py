"""Windows as rows of a design matrix, for methods that are linear in what they read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.scaling import Scaler
from lstmgru.data.series import SeriesPanel
from lstmgru.data.splits import Rows, Split
from lstmgru.data.windows import context_rows, history, horizon_rows

Array = npt.NDArray[np.float32]

# Names of a column that get an indicator of their own; all others share one more.
_MOST_NAMES = 32
# Of a context's mean absolute value: what changes less than that is taken to be constant.
_SMALLEST_CHANGE = 0.01


@dataclass(frozen=True)
class WindowDesign:
    """Turns windows of a panel into rows of numbers of about unit size.

    A row holds the context of all channels, the channels known over the horizon, and in a panel of several series their
    static covariates. Numbers are standardised on the training part. A name becomes indicators: one for each of the 32
    names that are most frequent in the training part, one for all others. Where a context would begin before its
    series, the series' first row repeats.

    Targets are in *units*: those of a single series are standardised too. Those of a panel of several series are taken
    relative to their window, so that large series do not drown small ones: the last value is subtracted, and the rest
    divided by the mean absolute difference of the context from it (at least 1 % of the context's mean absolute value).

    Attributes:
        panel: The data.
        context_length: T.
        horizon: H.
        covariates: (rows, covariates and indicators).
        n_future: Their last columns, known over the horizon.
        static: (series, static covariates and indicators).
        mean: (Y,) of the targets in the training part.
        scale: (Y,) their deviation.
    """

    panel: SeriesPanel
    context_length: int
    horizon: int
    covariates: Array
    n_future: int
    static: Array
    mean: Array
    scale: Array

    @classmethod
    def fit(cls, panel: SeriesPanel, split: Split, *, context_length: int, horizon: int) -> Self:
        """Learn means, deviations and frequent names from the training part of a split.

        Args:
            panel: The data.
            split: Only its training rows are learnt from.
            context_length: T.
            horizon: H.
        """
        scaler, n_targets = Scaler.fit(panel, split.train), panel.n_targets
        training = np.concatenate([np.arange(start, end) for start, end in split.train])
        columns = _expand(scaler.transform(panel.values), dict(panel.schema.channel_categories), training)[n_targets:]
        static = _expand(
            scaler.transform_static(panel.static), dict(panel.schema.static_categories), np.arange(len(panel))
        )
        return cls(
            panel=panel,
            context_length=context_length,
            horizon=horizon,
            covariates=_side_by_side(columns, len(panel.values)),
            n_future=sum(column.shape[1] for column in columns[len(columns) - panel.n_future :]),
            # Those of a single series never change.
            static=_side_by_side(static if len(panel) > 1 else [], len(panel)),
            mean=scaler.mean[0, :n_targets],
            scale=scaler.scale[0, :n_targets],
        )

    @property
    def width(self) -> int:
        """Numbers in a row."""
        channels: int = self.panel.n_targets + self.covariates.shape[1]
        static: int = self.static.shape[1]
        return self.context_length * channels + self.horizon * self.n_future + static

    def inputs(self, cutoffs: Rows) -> Array:
        """(windows, width) rows of the matrix."""
        centre, scale = self.units(cutoffs)
        targets, rows = self._contexts(cutoffs)
        past = np.concatenate([(targets - centre) / scale, self.covariates[rows]], axis=2)
        first_future = self.covariates.shape[1] - self.n_future
        future = self.covariates[horizon_rows(cutoffs, self.horizon), first_future:]
        static = self.static[np.searchsorted(self.panel.offsets, cutoffs, side="right") - 1]
        return np.concatenate([part.reshape(len(cutoffs), -1) for part in (past, future, static)], axis=1)

    def units(self, cutoffs: Rows) -> tuple[Array, Array]:
        """What targets are shifted by, then divided by, in original units: twice (windows, 1, Y)."""
        if len(self.panel) == 1:
            shape = (len(cutoffs), 1, self.panel.n_targets)
            return np.broadcast_to(self.mean, shape), np.broadcast_to(self.scale, shape)
        targets, _ = self._contexts(cutoffs)
        last = targets[:, -1:]
        change, level = np.abs(targets - last).mean(axis=1), np.abs(targets).mean(axis=1)
        scale = np.maximum(change, _SMALLEST_CHANGE * level)
        return last, np.where(scale == 0, np.float32(1), scale)[:, None]

    def _contexts(self, cutoffs: Rows) -> tuple[Array, Rows]:
        """(windows, T, Y) targets and the (windows, T) rows where they stand."""
        starts = cutoffs - history(self.panel, cutoffs)
        rows = np.maximum(context_rows(cutoffs, self.context_length), starts[:, None])
        return self.panel.values[rows, : self.panel.n_targets], rows


def _expand(values: Array, categories: dict[int, int], training: Rows) -> list[Array]:
    """Every column of (rows, columns) as (rows, 1) numbers or (rows, names) indicators.

    Args:
        values: Numbers, and codes of names.
        categories: Column → number of names, of those that hold codes.
        training: Rows in which names are counted.
    """
    columns = list(values.T)
    return [
        _indicators(column, column[training], categories[number]) if number in categories else column[:, None]
        for number, column in enumerate(columns)
    ]


def _indicators(codes: Array, training: Array, n_names: int) -> Array:
    counts = np.bincount(training.astype(np.int64), minlength=n_names + 1)[1:]
    own = 1 + np.argsort(-counts, kind="stable")[:_MOST_NAMES]
    indicators = codes[:, None] == own
    if n_names > len(own):
        indicators = np.column_stack([indicators, ~indicators.any(axis=1)])
    # A hidden row is NaN, and so it stays.
    return np.where(np.isnan(codes)[:, None], np.float32(np.nan), indicators.astype(np.float32))


def _side_by_side(columns: list[Array], n_rows: int) -> Array:
    return np.concatenate([np.empty((n_rows, 0), np.float32), *columns], axis=1)
