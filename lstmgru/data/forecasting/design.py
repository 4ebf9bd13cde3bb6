"""Windows as rows of a design matrix, for linear models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Rows, Split
from lstmgru.data.forecasting.windows import context_rows, history, horizon_rows

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

# Maximum number of names with their own indicator; all others share another one.
_MOST_NAMES = 32
# Share of the mean absolute value of a context below which changes count as constant.
_SMALLEST_CHANGE = 0.01


@dataclass(frozen=True)
class WindowDesign:
    """Turns windows of a panel into rows of numbers of about unit size.

    A row contains the context of all channels, the channels known over the horizon, and for several series their static
    covariates. Numbers are standardized on the training part. Names become indicators: one for each of the 32 most
    frequent names in the training part, and one for all others. Contexts that start before their series repeat its
    first row.

    Targets of a single series are standardized as well. For several series, they are relative to their window, so that
    large series do not dominate: the last value is subtracted, and the result is divided by the mean absolute
    difference from it in the context (at least 1 % of the mean absolute value of the context).

    Rows are computed on demand, without a second copy of the data.

    Attributes:
        panel: The data.
        context_length: T.
        horizon: H.
        scaler: Scaler of the training part.
        names: The indicators of each categorical channel.
        static: (series, static covariates and indicators).
    """

    panel: SeriesPanel
    context_length: int
    horizon: int
    scaler: Scaler
    names: dict[int, _Indicators]
    static: Array

    @classmethod
    def fit(cls, panel: SeriesPanel, split: Split, *, context_length: int, horizon: int) -> Self:
        """Learn means, deviations and frequent names from the training part of a split.

        Args:
            panel: The data.
            split: Its training rows are used.
            context_length: T.
            horizon: H.
        """
        scaler = Scaler.fit(panel, split.train)
        parts = [slice(start, end) for start, end in split.train]
        names = {
            channel: _Indicators.of((panel.values[part, channel] for part in parts), n_names)
            for channel, n_names in panel.schema.channel_categories
        }
        static_names = {
            place: _Indicators.of([panel.static[:, place]], n_names)
            for place, n_names in panel.schema.static_categories
        }
        # Static covariates of a single series are constant.
        n_static = panel.static.shape[1] if len(panel) > 1 else 0
        static = _expand(scaler.transform_static(panel.static), range(n_static), static_names)
        return cls(panel, context_length, horizon, scaler, names, static)

    @property
    def width(self) -> int:
        """Numbers in a row."""
        columns = [self.names[channel].width if channel in self.names else 1 for channel in self._channels]
        static: int = self.static.shape[1]
        targets, future = self.panel.n_targets, columns[len(columns) - self.panel.n_future :]
        return self.context_length * (targets + sum(columns)) + self.horizon * sum(future) + static

    def inputs(self, cutoffs: Rows) -> Array:
        """(windows, width) rows of the matrix."""
        center, scale = self.units(cutoffs)
        targets, rows = self._contexts(cutoffs)
        past = np.concatenate([(targets - center) / scale, self.covariates(rows)], axis=2)
        known = self._channels[len(self._channels) - self.panel.n_future :]
        future = self._columns(horizon_rows(cutoffs, self.horizon), known)
        static = self.static[np.searchsorted(self.panel.offsets, cutoffs, side="right") - 1]
        return np.concatenate([part.reshape(len(cutoffs), -1) for part in (past, future, static)], axis=1)

    def covariates(self, rows: Rows) -> Array:
        """(…, covariates and indicators) in (…) rows."""
        return self._columns(rows, self._channels)

    @property
    def _channels(self) -> range:
        """Channels of the covariates."""
        return range(self.panel.n_targets, self.panel.values.shape[1])

    def _columns(self, rows: Rows, channels: range) -> Array:
        return _expand(self.scaler.transform(self.panel.values[rows]), channels, self.names)

    def units(self, cutoffs: Rows) -> tuple[Array, Array]:
        """Shift and scale of the targets, in original units: twice (windows, 1, Y)."""
        if len(self.panel) == 1:
            shape = (len(cutoffs), 1, self.panel.n_targets)
            mean, scale = (part[0, : shape[-1]] for part in (self.scaler.mean, self.scaler.scale))
            return np.broadcast_to(mean, shape), np.broadcast_to(scale, shape)
        targets, _ = self._contexts(cutoffs)
        last = targets[:, -1:]
        change, level = np.abs(targets - last).mean(axis=1), np.abs(targets).mean(axis=1)
        scale = np.maximum(change, _SMALLEST_CHANGE * level)
        return last, np.where(scale == 0, np.float32(1), scale)[:, None]

    def _contexts(self, cutoffs: Rows) -> tuple[Array, Rows]:
        """(windows, T, Y) targets and their (windows, T) rows."""
        starts = cutoffs - history(self.panel, cutoffs)
        rows = np.maximum(context_rows(cutoffs, self.context_length), starts[:, None])
        return self.panel.values[rows, : self.panel.n_targets], rows


@dataclass(frozen=True)
class _Indicators:
    """Indicator columns for a column of category codes.

    Attributes:
        own: (names,) codes with their own column.
        others: Whether there is a column for all other names.
    """

    own: Codes
    others: bool

    @classmethod
    def of(cls, training: Iterable[Array], n_names: int) -> Self:
        """The indicators of the most frequent names in (n,) codes, given in parts."""
        counts = np.zeros(n_names + 1, np.int64)
        for codes in training:
            counts += np.bincount(codes.astype(np.int64), minlength=n_names + 1)
        own = 1 + np.argsort(-counts[1:], kind="stable")[:_MOST_NAMES]
        return cls(own, n_names > len(own))

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.own) + self.others

    def __call__(self, codes: Array) -> Array:
        """(…) codes → (…, width)."""
        indicators = codes[..., None] == self.own
        if self.others:
            indicators = np.concatenate([indicators, ~indicators.any(axis=-1, keepdims=True)], axis=-1)
        # Hidden rows stay NaN.
        return np.where(np.isnan(codes)[..., None], np.float32(np.nan), indicators.astype(np.float32))


def _expand(values: Array, columns: range, names: dict[int, _Indicators]) -> Array:
    """(…, numbers and indicators) of some columns of (…, columns) numbers and codes of names."""
    parts = [names[n](values[..., n]) if n in names else values[..., n, None] for n in columns]
    return np.concatenate([np.empty((*values.shape[:-1], 0), np.float32), *parts], axis=-1)
