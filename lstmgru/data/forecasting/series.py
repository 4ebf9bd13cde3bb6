"""A panel: one or many regular series with their covariates, concatenated in one array."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.regular_times import compact_times
from lstmgru.data.tables.columns import group_of, whole_numbers
from lstmgru.errors import DataError, one_of
from lstmgru.specs import InputSpec
from lstmgru.specs.fields import check_types

GapPolicy = Literal["error", "fill", "interpolate"]
_BLOCK_ROWS = 262_144
ShortSeries = Literal["error", "pad"]
"""Series with less history than a model reads are refused, or their contexts are padded."""


def check_short_series(short_series: str) -> None:
    """Refuse an unknown policy for short series.

    Raises:
        DataError: The policy is unknown.
    """
    one_of("data.short_series", short_series, get_args(ShortSeries), DataError)


def check_policy(gaps: str) -> None:
    """Refuse an unknown policy for gaps.

    Raises:
        DataError: The policy is unknown.
    """
    one_of("data.gaps", gaps, get_args(GapPolicy), DataError)


@dataclass(frozen=True)
class SeriesSchema:
    """The roles of the columns of a table.

    Attributes:
        time: Column of the time stamps, or of integer steps.
        targets: Columns to forecast.
        id: Column of the names of the series; ``None`` for a single series.
        past_covariates: Columns known only up to the cutoff.
        future_covariates: Columns also known over the horizon.
        calendar: Channels derived from the time column (``day_of_year_sin``), see
            :mod:`lstmgru.data.forecasting.calendar`.
        static_covariates: Columns that are constant within a series.
        categories: Names in categorical covariates: column → names in the order of their first appearance in time. The
            code of a name is its position, from 1; 0 is an unknown name.
        time_columns: Columns that are put together to ``time``; empty if it is a column itself.
        time_format: How times are written, as in ``strptime``; ``None`` for ISO 8601, dates or steps.
    """

    time: str
    targets: tuple[str, ...]
    id: str | None = None
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()
    static_covariates: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    # Not among what a digest of the data covers, which older versions computed from the other fields.
    time_columns: tuple[str, ...] = field(default=(), repr=False)
    time_format: str | None = field(default=None, repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the table must have."""
        return (*((self.id,) if self.id else ()), self.time, *self.value_columns, *self.static_covariates)

    @property
    def value_columns(self) -> tuple[str, ...]:
        """Columns with a value for every row: targets, then past, then future covariates."""
        return (*self.targets, *self.past_covariates, *self.future_covariates)

    @property
    def channel_categories(self) -> tuple[tuple[int, int], ...]:
        """(channel, number of names) of every categorical channel."""
        return self._categories_among(self.value_columns)

    @property
    def static_categories(self) -> tuple[tuple[int, int], ...]:
        """(index, number of names) of every categorical static covariate."""
        return self._categories_among(self.static_covariates)

    def _categories_among(self, columns: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
        sizes = {column: len(names) for column, names in self.categories.items()}
        return tuple((place, sizes[column]) for place, column in enumerate(columns) if column in sizes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_dict` is the inverse."""
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {**plain, "categories": {column: list(names) for column, names in self.categories.items()}}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The schema that :meth:`to_dict` wrote.

        Raises:
            SpecError: A value is of the wrong type.
        """
        check_types(cls, values)
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        categories = plain.get("categories", {})
        return cls(**{**plain, "categories": {column: tuple(names) for column, names in categories.items()}})


@dataclass(frozen=True)
class SeriesPanel:
    """One or many series on a regular time grid, concatenated.

    Attributes:
        schema: The roles of the columns.
        frequency: pandas offset alias (``D``, ``h``, ``MS``…), or ``step`` for an integer time column.
        timezone: Name of the time zone of the time column, with ``times`` in UTC; ``None`` for naive times.
        ids: (series,) names of the series; a single unnamed series is ``"series"``.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``.
        times: (rows,) ``datetime64[ns]`` or ``int64``. Of a panel from another process, they may be a
            :class:`~lstmgru.data.forecasting.regular_times.RegularTimes`, which is indexed in the same way.
        values: (rows, channels) float32 in original units: targets, past covariates, future covariates, calendar. A
            name is its code, see :attr:`SeriesSchema.categories`.
        observed: (rows,) False where a gap policy filled a missing row or cell.
        static: (series, S) float32, the static covariates in the schema's order; a name is its code.
        step: Distance between two rows of an integer time column, else 1.
        local_times: Whether times without a time zone are read as local times of ``timezone``.
        known: (rows, Y) whether a target was observed: steps without it are neither learned nor scored. ``None`` if all
            were, or if windows with any unobserved row are to be left out, as they were in earlier versions.
        trimmed: Number of rows that were left out before the first values of their series.
    """

    schema: SeriesSchema
    frequency: str
    ids: npt.NDArray[np.object_]
    offsets: npt.NDArray[np.int64]
    times: npt.NDArray[Any]
    values: npt.NDArray[np.float32]
    observed: npt.NDArray[np.bool_]
    static: npt.NDArray[np.float32]
    timezone: str | None = None
    step: int = 1
    local_times: bool = False
    known: npt.NDArray[np.bool_] | None = None
    trimmed: int = 0

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the columns of ``values``."""
        return (*self.schema.value_columns, *self.schema.calendar)

    @property
    def n_targets(self) -> int:
        """Y, the first channels."""
        return len(self.schema.targets)

    @property
    def n_future(self) -> int:
        """K, the last channels: known over the horizon."""
        return len(self.schema.future_covariates) + len(self.schema.calendar)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """(series,) rows of each series."""
        return np.diff(self.offsets)

    @cached_property
    def share_of_zeros(self) -> float | None:
        """Of the targets, hidden rows aside; ``None`` if one is negative. It reads all values, so it is kept."""
        zeros = known = 0
        for start in range(0, len(self.values), _BLOCK_ROWS):
            part = self.values[start : start + _BLOCK_ROWS, : self.n_targets]
            if (part < 0).any():
                return None
            zeros, known = zeros + int((part == 0).sum()), known + int(np.isfinite(part).sum())
        return zeros / max(1, known)

    def series_of(self, rows: npt.NDArray[np.int64] | int) -> npt.NDArray[np.int64]:
        """The series that each row belongs to."""
        return group_of(self.offsets, rows)

    def __len__(self) -> int:
        """Number of series."""
        return len(self.ids)

    def __getstate__(self) -> dict[str, Any]:
        """What other processes get: without a timestamp for each row, which is twice as large as a value."""
        return {**vars(self), "times": compact_times(self.times, self.offsets)}

    def hiding(self, starts: npt.NDArray[np.int64]) -> Self:
        """The panel with the rows of each series from ``starts[s]`` on replaced by NaN.

        Row numbers do not change, and any computation on a hidden row becomes NaN, so that leaks are noticed. Static
        covariates are kept, as they do not belong to a row.

        Args:
            starts: (series,) absolute rows.
        """
        values, observed = self.values.copy(), self.observed.copy()
        known = None if self.known is None else self.known.copy()
        for start, end in zip(starts, self.offsets[1:], strict=True):
            values[start:end] = np.nan
            observed[start:end] = False
            if known is not None:
                known[start:end] = False
        return replace(self, values=values, observed=observed, known=known)

    def digest(self) -> str:
        """SHA-256 of names, times and values: two panels with the same digest hold the same data."""
        sha, ids = hashlib.sha256(), self.ids.tolist()
        for text in (repr(self.schema), self.frequency, repr(self.timezone), repr(whole_numbers(ids) or ids)):
            sha.update(text.encode())
        for array in (self.offsets, self.times, self.values, self.observed, self.static):
            sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return sha.hexdigest()


def input_spec(schema: SeriesSchema, *, n_series: int, short_series: ShortSeries) -> InputSpec:
    """The inputs of a network for data of a schema.

    Args:
        schema: The roles of the columns.
        n_series: Number of training series.
        short_series: Whether contexts may be padded.
    """
    return InputSpec(
        n_targets=len(schema.targets),
        n_inputs=len(schema.value_columns) + len(schema.calendar),
        n_future=len(schema.future_covariates) + len(schema.calendar),
        categories=schema.channel_categories,
        n_static=len(schema.static_covariates),
        static_categories=schema.static_categories,
        n_series=n_series,
        padded=short_series == "pad",
    )
