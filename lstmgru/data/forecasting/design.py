"""Windows as rows of a design matrix, for linear models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.data.forecasting.splits import Split
from lstmgru.errors import SpecError

Array = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

# Largest target of a training window, in the units of the window.
_MOST_UNITS = 10
# Maximum number of names with their own indicator; all others share another one.
_MOST_NAMES = 32
# Share of the mean absolute value of a context below which changes count as constant.
SMALLEST_CHANGE = 0.01


@dataclass(frozen=True)
class WindowDesign:
    """Turns windows into rows of numbers of about unit size, with what it learned from the training part.

    A row contains the context of all channels, the channels known over the horizon, and for several series their static
    covariates. Numbers are standardized on the training part. Names become indicators: one for each of the 32 most
    frequent names in the training part, and one for all others. Contexts that start before their series repeat its
    first row.

    Targets of a single series are standardized as well. For several series, they are relative to their window, so that
    large series do not dominate: the last value is subtracted, and the result is divided by the mean absolute
    difference from it in the context (at least 1% of the mean absolute value of the context).

    Attributes:
        context_length: T.
        horizon: H.
        n_targets: Y, the first channels.
        n_future: K, the last channels.
        n_static: Static covariates in a row.
        relative: Whether targets are relative to their window.
        scaler: Scaler of the training part.
        names: The indicators of each categorical channel.
        static_names: The indicators of each categorical static covariate.
    """

    context_length: int
    horizon: int
    n_targets: int
    n_future: int
    n_static: int
    relative: bool
    scaler: Scaler
    names: dict[int, Indicators]
    static_names: dict[int, Indicators]

    @classmethod
    def fit(cls, panel: SeriesPanel, split: Split, *, context_length: int, horizon: int) -> Self:
        """Learn means, deviations and frequent names from the training part of a split.

        Args:
            panel: The data.
            split: Its training rows are used.
            context_length: T.
            horizon: H.
        """
        parts = [slice(start, end) for start, end in split.train]
        names = {
            channel: Indicators.of((panel.values[part, channel] for part in parts), n_names)
            for channel, n_names in panel.schema.channel_categories
        }
        several = len(panel) > 1
        static_names = {
            place: Indicators.of([panel.static[:, place]], n_names)
            for place, n_names in panel.schema.static_categories
            if several
        }
        return cls(
            context_length=context_length,
            horizon=horizon,
            n_targets=panel.n_targets,
            n_future=panel.n_future,
            # Static covariates of a single series are constant.
            n_static=panel.static.shape[1] if several else 0,
            relative=several,
            scaler=Scaler.fit(panel, split.train),
            names=names,
            static_names=static_names,
        )

    @property
    def width(self) -> int:
        """Numbers in a row."""
        channels, known = (_width(part, self.names) for part in (self.channels, self.known))
        static = _width(range(self.n_static), self.static_names)
        return self.context_length * (self.n_targets + channels) + self.horizon * known + static

    @property
    def channels(self) -> range:
        """Channels of the covariates."""
        return range(self.n_targets, self.scaler.mean.shape[1])

    @property
    def known(self) -> range:
        """Channels known over the horizon."""
        return self.channels[len(self.channels) - self.n_future :]

    def inputs(self, windows: WindowArrays) -> Array:
        """(n, width) rows of the matrix."""
        context = windows.context(self.context_length)
        targets = context[..., : self.n_targets]
        center, scale = self._units(targets)
        past = np.concatenate([(targets - center) / scale, self.covariates(context)], axis=2)
        parts = [past, self._future(windows), self._static(windows)]
        return np.concatenate([part.reshape(len(windows), -1) for part in parts], axis=1)

    def units(self, windows: WindowArrays) -> tuple[Array, Array]:
        """Shift and scale of the targets, in original units: twice (n, 1, Y)."""
        return self._units(windows.context(self.context_length)[..., : self.n_targets])

    def scaled_targets(self, windows: WindowArrays, targets: Array) -> Array:
        """(n, H, Y) targets of training windows in the units of their window.

        Those of several series are limited to 10 units: after a context of zeros, or of a near constant, a target can
        be thousands of units away, and a few such windows would decide a regression.

        Args:
            windows: The windows.
            targets: (n, H, Y) in original units.
        """
        center, scale = self.units(windows)
        scaled: Array = (targets - center) / scale
        return np.clip(scaled, -_MOST_UNITS, _MOST_UNITS) if self.relative else scaled

    def covariates(self, values: Array) -> Array:
        """(…, covariates and indicators) of (…, F) values in original units."""
        return _expand(self.scaler.transform(values), self.channels, self.names)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        counts = ("context_length", "horizon", "n_targets", "n_future", "n_static", "relative")
        names, static_names = (
            [{"column": column, **each.to_dict()} for column, each in table.items()]
            for table in (self.names, self.static_names)
        )
        plain = {name: getattr(self, name) for name in counts}
        return {**plain, "scaler": self.scaler.to_dict(), "names": names, "static_names": static_names}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The design that :meth:`to_dict` wrote."""
        names, static_names = (
            {each["column"]: Indicators.from_dict(each) for each in values[key]} for key in ("names", "static_names")
        )
        scaler = Scaler.from_dict(values["scaler"])
        return cls(**{**values, "scaler": scaler, "names": names, "static_names": static_names})

    def _units(self, targets: Array) -> tuple[Array, Array]:
        """Shift and scale of (n, T, Y) targets: twice (n, 1, Y)."""
        if not self.relative:
            shape = (len(targets), 1, self.n_targets)
            mean, scale = (part[0, : self.n_targets] for part in (self.scaler.mean, self.scaler.scale))
            return np.broadcast_to(mean, shape), np.broadcast_to(scale, shape)
        last = targets[:, -1:]
        change, level = np.abs(targets - last).mean(axis=1), np.abs(targets).mean(axis=1)
        scale = np.maximum(change, SMALLEST_CHANGE * level)
        return last, np.where(scale == 0, np.float32(1), scale)[:, None]

    def _future(self, windows: WindowArrays) -> Array:
        """(n, H, known covariates and indicators)."""
        first = self.known.start
        scaled = (windows.future - self.scaler.mean[0, first:]) / self.scaler.scale[0, first:]
        names = {channel - first: each for channel, each in self.names.items() if channel >= first}
        return _expand(scaled, range(self.n_future), names)

    def _static(self, windows: WindowArrays) -> Array:
        """(n, static covariates and indicators)."""
        if not self.n_static:
            return np.empty((len(windows), 0), np.float32)
        if windows.static is None:
            raise SpecError(f"windows must have {self.n_static} static covariates but have none")
        return _expand(self.scaler.transform_static(windows.static), range(self.n_static), self.static_names)


@dataclass(frozen=True)
class Indicators:
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        return {"own": self.own.tolist(), "others": self.others}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The indicators that :meth:`to_dict` wrote."""
        return cls(np.asarray(values["own"], np.int64), bool(values["others"]))


def _width(columns: range, names: dict[int, Indicators]) -> int:
    """Columns after expanding the names."""
    return sum(names[column].width if column in names else 1 for column in columns)


def _expand(values: Array, columns: range, names: dict[int, Indicators]) -> Array:
    """(…, numbers and indicators) of some columns of (…, columns) numbers and codes of names."""
    parts = [names[n](values[..., n]) if n in names else values[..., n, None] for n in columns]
    return np.concatenate([np.empty((*values.shape[:-1], 0), np.float32), *parts], axis=-1)
