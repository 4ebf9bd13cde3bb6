"""What gradient-boosted trees read of a window: a row of features for each target and step of the horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.arrays import WindowArrays
from lstmgru.data.forecasting.series import SeriesPanel
from lstmgru.errors import SpecError

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

# Numbers of features of one target.
_LAGS, _SEASONS = 12, 3
_LEAST_ROWS = 24
# Rows of the mean that values are relative to, if there is no longer season.
_SHORTEST_MEAN = 4
# Share of the mean absolute value of a context below which changes count as constant.
_SMALLEST_CHANGE = 0.01
# A categorical feature has at most 255 values and a missing one.
_MOST_NAMES = 254


@dataclass(frozen=True)
class TreeFeatures:
    """Turns windows into rows of features; what is not known is NaN.

    Of the target: its last values, the values one to three seasons before the step and their neighbors, and means of
    recent rows, all relative to its mean in the last season, in units of its mean absolute distance from that. Of the
    covariates: the last values, those known at the step and, in the units of the data, static ones. Names are
    categories; only the most frequent ones of the training part are told apart.

    Attributes:
        horizon: H.
        n_targets: Y, the first channels.
        n_future: K, the last channels.
        season_length: Steps in one season; 1 means none.
        names: Known codes of each categorical channel, ascending.
        static_names: Likewise of the static covariates.
        n_channels: F.
        n_static: S.
    """

    horizon: int
    n_targets: int
    n_future: int
    season_length: int
    names: dict[int, Indices]
    static_names: dict[int, Indices]
    n_channels: int
    n_static: int

    @classmethod
    def fit(cls, panel: SeriesPanel, train: npt.NDArray[np.int64], horizon: int, season_length: int) -> Self:
        """Learn the frequent names of the training rows.

        Args:
            panel: The data.
            train: (series, 2) training rows ``[start, end)``.
            horizon: H.
            season_length: Steps in one season.
        """
        names = {}
        for channel, n_names in panel.schema.channel_categories:
            counts = np.zeros(n_names + 1, np.int64)
            for start, end in train:
                counts += np.bincount(panel.values[start:end, channel].astype(np.int64), minlength=n_names + 1)
            names[channel] = _frequent(counts)
        static_names = {
            place: _frequent(np.bincount(panel.static[:, place].astype(np.int64), minlength=n_names + 1))
            for place, n_names in panel.schema.static_categories
        }
        return cls(
            horizon=horizon,
            n_targets=panel.n_targets,
            n_future=panel.n_future,
            season_length=season_length,
            names=names,
            static_names=static_names,
            n_channels=panel.values.shape[1],
            n_static=panel.static.shape[1],
        )

    @property
    def context_length(self) -> int:
        """Rows of context that are read."""
        return max((_SEASONS + 1) * self.season_length + 1, _LAGS, _LEAST_ROWS)

    @property
    def categorical(self) -> list[bool]:
        """Whether each feature is categorical, in the order of :meth:`rows`."""
        first = self.n_channels - self.n_future
        own = [False] * (_LAGS + 2 * _SEASONS + 2 + 6)
        past = [channel in self.names for channel in range(self.n_targets, first)]
        future = [channel in self.names for channel in range(first, self.n_channels)]
        static = [place in self.static_names for place in range(self.n_static)]
        return [False, *([self.n_targets <= _MOST_NAMES] if self.n_targets > 1 else []), *own, *past, *future, *static]

    def units(self, windows: WindowArrays) -> tuple[Floats, Floats]:
        """Shift and scale of the targets in original units: twice (n, Y)."""
        targets = self._targets(windows)
        season = max(self.season_length, _SHORTEST_MEAN)
        center = _mean(targets[:, -season:])
        change = _mean(np.abs(targets - center[:, None]))
        scale = np.maximum(change, _SMALLEST_CHANGE * _mean(np.abs(targets)))
        return center, np.where(scale > 0, scale, 1)

    def rows(self, windows: WindowArrays, steps: Indices) -> Floats:
        """(n, steps, Y, features) of some steps of the horizon.

        Args:
            windows: With at least :attr:`context_length` rows of context, real or not.
            steps: (n, steps) counted from 0.
        """
        center, scale = self.units(windows)
        relative = (self._targets(windows) - center[:, None]) / scale[:, None]
        shape = (*steps.shape, self.n_targets)
        columns: list[npt.NDArray[Any]] = [steps[..., None]]
        if self.n_targets > 1:
            columns.append(np.arange(self.n_targets))
        columns += [relative[:, None, -lag] for lag in range(1, _LAGS + 1)]
        columns += self._seasonal(relative, steps)
        columns += self._summaries(relative, center, scale)
        columns += self._covariates(windows, steps)
        return np.stack([np.broadcast_to(column, shape) for column in columns], axis=-1).astype(np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        counts = ("horizon", "n_targets", "n_future", "season_length", "n_channels", "n_static")
        plain: dict[str, Any] = {name: getattr(self, name) for name in counts}
        for key in ("names", "static_names"):
            plain[key] = [{"column": column, "codes": codes.tolist()} for column, codes in getattr(self, key).items()]
        return plain

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The features that :meth:`to_dict` wrote."""
        tables = {
            key: {each["column"]: np.asarray(each["codes"], np.int64) for each in values[key]}
            for key in ("names", "static_names")
        }
        return cls(**{**values, **tables})

    def _targets(self, windows: WindowArrays) -> Floats:
        """(n, T, Y) the last values, NaN before the first real row."""
        context = windows.context(self.context_length)[..., : self.n_targets].astype(np.float64)
        real = np.arange(self.context_length) >= self.context_length - windows.lengths[:, None]
        return np.where(real[..., None], context, np.nan)

    def _seasonal(self, relative: Floats, steps: Indices) -> list[Floats]:
        """The values some seasons before each step, the neighbors of the latest, and their mean."""
        season, length = self.season_length, relative.shape[1]
        latest = steps % season - season  # from the end of the context, as the seasonal naive repeats

        def at(places: Indices) -> Floats:
            known = (places >= -length) & (places < 0)
            values = np.take_along_axis(relative, (np.where(known, places, -1) + length)[..., None], axis=1)
            return np.where(known[..., None], values, np.nan)

        values = [at(latest - number * season) for number in range(_SEASONS)]
        changes = [values[number] - values[number + 1] for number in range(_SEASONS - 1)]
        changes.append(values[0] - values[-1])
        return [*values, *changes, at(latest - 1), at(latest + 1)]

    def _summaries(self, relative: Floats, center: Floats, scale: Floats) -> list[Floats]:
        """Means of recent rows, the change over a season, noise and level of each window."""
        season = max(self.season_length, _SHORTEST_MEAN)
        parts = [
            _mean(relative[:, -3:]),
            _mean(relative),
            _mean(relative[:, -2 * season : -season]),
            _mean(np.abs(np.diff(relative, axis=1))),
            np.nanstd(relative[:, -season:], axis=1),
            center / scale,
        ]
        return [part[:, None] for part in parts]

    def _covariates(self, windows: WindowArrays, steps: Indices) -> list[Floats]:
        """Past covariates of the last row, those known at each step, and static ones."""
        first, last = self.n_channels - self.n_future, windows.past[:, -1]
        columns = [_coded(last[:, n], self.names.get(n))[:, None, None] for n in range(self.n_targets, first)]
        known = np.take_along_axis(windows.future, steps[..., None], axis=1)
        columns += [_coded(known[..., n], self.names.get(first + n))[..., None] for n in range(self.n_future)]
        if self.n_static and windows.static is None:
            raise SpecError(f"windows must have {self.n_static} static covariates but have none")
        static = windows.static
        if static is not None:
            columns += [_coded(static[:, n], self.static_names.get(n))[:, None, None] for n in range(self.n_static)]
        return columns


def _mean(values: Floats) -> Floats:
    """(n, Y) means of the known values of (n, rows, Y); NaN without any."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    return np.where(counts > 0, np.where(known, values, 0).sum(axis=1) / np.maximum(counts, 1), np.nan)


def _frequent(counts: Indices) -> Indices:
    """The most frequent codes, ascending; 0 is unknown."""
    order = 1 + np.argsort(-counts[1:], kind="stable")[:_MOST_NAMES]
    return np.sort(order[counts[order] > 0])


def _coded(values: npt.NDArray[np.floating], codes: Indices | None) -> Floats:
    """Numbers as they are; the places of known codes, and NaN for others."""
    numbers = values.astype(np.float64)
    if codes is None or not len(codes):
        return numbers if codes is None else np.full_like(numbers, np.nan)
    places = np.minimum(np.searchsorted(codes, numbers), len(codes) - 1)
    return np.where(codes[places] == numbers, places, np.nan)
