"""A panel: one or many regular series with their covariates, concatenated in one array."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from lstmgru.errors import DataError, did_you_mean
from lstmgru.specs import InputSpec

GapPolicy = Literal["error", "fill", "interpolate"]
ShortSeries = Literal["error", "pad"]
"""Series with less history than a model reads are refused, or their contexts are padded."""


def check_short_series(short_series: str) -> None:
    """Refuse a policy for short series that there is not.

    Raises:
        DataError: Names the valid ones.
    """
    valid = list(get_args(ShortSeries))
    if short_series not in valid:
        near = did_you_mean(short_series, valid)
        raise DataError(f"data.short_series must be one of {', '.join(valid)} but got {short_series!r}{near}")


@dataclass(frozen=True)
class SeriesSchema:
    """Which column of a table plays which part.

    Attributes:
        time: Column of the time stamps, or of integer steps.
        targets: Columns to forecast.
        id: Column that tells the series apart; ``None`` for a single series.
        past_covariates: Columns known up to the cutoff only.
        future_covariates: Columns known ahead, over the horizon too.
        calendar: Channels derived from the time column (``day_of_year_sin``), see
            :mod:`lstmgru.data.forecasting.calendar`.
        static_covariates: Columns that do not change within a series.
        categories: Covariates that hold names: column → its names, in the order of their first appearance in time. The
            code of a name is its place there, from 1; 0 is an unknown name.
    """

    time: str
    targets: tuple[str, ...]
    id: str | None = None
    past_covariates: tuple[str, ...] = ()
    future_covariates: tuple[str, ...] = ()
    calendar: tuple[str, ...] = ()
    static_covariates: tuple[str, ...] = ()
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

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
        """(channel, number of names) of every channel that holds codes of names."""
        return self._categories_among(self.value_columns)

    @property
    def static_categories(self) -> tuple[tuple[int, int], ...]:
        """(place among the static covariates, number of names) of those that hold codes of names."""
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
        """The schema that :meth:`to_dict` wrote."""
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        categories = plain.get("categories", {})
        return cls(**{**plain, "categories": {column: tuple(names) for column, names in categories.items()}})


@dataclass(frozen=True)
class SeriesPanel:
    """One or many series on a regular time grid, stored end to end (series after series).

    Attributes:
        schema: The parts that the columns play.
        frequency: pandas offset alias (``D``, ``h``, ``MS``…), or ``step`` for an integer time column, whose
            step is then ``step``.
        timezone: Name of the time zone of the time column; ``times`` are UTC then. ``None``: naive times.
        ids: (series,) names of the series; a single unnamed series is ``"series"``.
        offsets: (series + 1,) rows of series ``s`` are ``offsets[s]:offsets[s + 1]``.
        times: (rows,) ``datetime64[ns]`` or ``int64``.
        values: (rows, channels) float32 in original units: targets, past covariates, future covariates, calendar. A
            name is its code, see :attr:`SeriesSchema.categories`.
        observed: (rows,) False where a gap policy filled a missing row or cell.
        static: (series, S) float32, the static covariates in the schema's order; a name is its code.
        step: Distance of two rows of an integer time column, else 1.
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

    def __len__(self) -> int:
        """Number of series."""
        return len(self.ids)

    def hiding(self, starts: npt.NDArray[np.int64]) -> Self:
        """The panel with row ``starts[s]`` of each series and all after it replaced by NaN.

        Row numbers stay what they are, and whatever would read a hidden row becomes NaN: a leak cannot go unnoticed.
        Static covariates stay, as they do not belong to any row.

        Args:
            starts: (series,) absolute rows.
        """
        values, observed = self.values.copy(), self.observed.copy()
        for start, end in zip(starts, self.offsets[1:], strict=True):
            values[start:end] = np.nan
            observed[start:end] = False
        return replace(self, values=values, observed=observed)

    def digest(self) -> str:
        """SHA-256 of names, times and values: two panels with the same digest hold the same data."""
        sha = hashlib.sha256()
        for text in (repr(self.schema), self.frequency, repr(self.timezone), repr(self.ids.tolist())):
            sha.update(text.encode())
        for array in (self.offsets, self.times, self.values, self.observed, self.static):
            sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
        return sha.hexdigest()


def input_spec(schema: SeriesSchema, *, n_series: int, short_series: ShortSeries) -> InputSpec:
    """The inputs of a network for data of a schema.

    Args:
        schema: The parts that the columns play.
        n_series: Series that it learns from.
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
