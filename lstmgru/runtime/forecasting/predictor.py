"""A forecasting model that predicts from raw tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.context import ForecastContext, build_context
from lstmgru.data.forecasting.series import (
    GapPolicy,
    SeriesSchema,
    ShortSeries,
    check_policy,
    check_short_series,
    input_spec,
)
from lstmgru.data.tables.frequency import STEP, parse_frequency
from lstmgru.data.tables.readers import read_table
from lstmgru.errors import SpecError
from lstmgru.runtime.forecasting.signature import ForecastSignature
from lstmgru.runtime.forecasting.tables import forecast_frame
from lstmgru.runtime.forecasting.validation import Array, check_arrays, check_logarithms, series_codes
from lstmgru.runtime.predictor import Predictor, names_of_rows
from lstmgru.specs import ForecastSpec, InputSpec
from lstmgru.specs.calibration import Calibration

if TYPE_CHECKING:
    import pandas as pd

# Without gradients a window needs little memory, so large batches are fast.
_BATCH_SIZE = 1024


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastPredictor(Predictor):
    """A forecasting model with everything needed to forecast from a raw table.

    Attributes:
        forecast: Horizon, season, metric, levels of the intervals.
        schema: The roles of a table's columns.
        frequency: pandas offset alias, or ``step``.
        step: Distance between two integer times, else 1.
        timezone: Of the time column; ``None`` for times without one.
        local_times: Whether times without a time zone are read as local times of ``timezone``.
        ids: Names of the training series; their codes are their positions, from 1.
        gaps: How missing rows and cells before the end of a series are handled, as in training.
        short_series: How series with less history than the context are handled, as in training.
        calibration: Of the prediction intervals, for the errors of the blend; ``None`` if there are none.

    Raises:
        SpecError: Calibration, forecast and schema do not fit together.
    """

    results = "forecasts"

    forecast: ForecastSpec
    schema: SeriesSchema
    frequency: str
    step: int = 1
    timezone: str | None = None
    local_times: bool = False
    ids: list[Any] = field(default_factory=list)
    gaps: GapPolicy = "error"
    short_series: ShortSeries = "error"
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        _check_calibration(self.calibration, self.forecast, self.inputs)
        for name in ("minimum", "maximum"):
            bounds = getattr(self.forecast, name)
            if bounds and len(bounds) != len(self.schema.targets):
                raise SpecError(
                    f"{name} must hold a bound for each of {list(self.schema.targets)} but is {list(bounds)}"
                )

    @property
    @abstractmethod
    def signature(self) -> ForecastSignature:
        """The arrays that the model reads."""

    @abstractmethod
    def _compute(self, inputs: dict[str, npt.NDArray[Any]]) -> Sequence[Array]:
        """Run the model.

        Args:
            inputs: The arrays of the signature for a batch of windows.

        Returns:
            Forecasts (B, H, Y) and, with a calibration, quantiles (B, H, Y, Q).
        """

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """What the model computes, with its shapes, without the batch."""
        shape = (self.forecast.horizon, len(self.schema.targets))
        if self.calibration is None:
            return {"forecast": shape}
        return {"forecast": shape, "quantiles": (*shape, len(self.forecast.quantiles))}

    @property
    def context_length(self) -> int:
        """Rows of history that the longest member reads."""
        return self.signature.context_length

    @property
    def required_rows(self) -> int:
        """Fewest rows of history that a series must have."""
        return self.signature.required_rows

    @property
    def inputs(self) -> InputSpec:
        """The inputs of the members."""
        return input_spec(self.schema, n_series=len(self.ids), short_series=self.short_series)

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels with prediction intervals, ascending."""
        if self.calibration is None:
            return ()
        of_level = zip(self.calibration.levels, self.calibration.offsets, strict=True)
        return tuple(level for level, offsets in of_level if not np.isnan(offsets).all())

    @property
    def integer_columns(self) -> tuple[str, ...]:
        """The id column, and a time column of steps."""
        steps = (self.schema.time,) if self.frequency == STEP else ()
        return (*((self.schema.id,) if self.schema.id else ()), *steps)

    @property
    def timestamp_columns(self) -> tuple[str, ...]:
        """The time column, if it has a time zone."""
        return (self.schema.time,) if self.timezone else ()

    def read_table(
        self,
        path: Path,
        *,
        delimiter: str = ",",
        decimal: str = ".",
        encoding: str = "utf-8",
        columns: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Read a table to forecast from, see :meth:`Predictor.read_table`."""
        names = [*self.schema.categories, *((self.schema.id,) if self.schema.id else ())]
        return read_table(path, delimiter=delimiter, decimal=decimal, encoding=encoding, columns=columns, text=names)

    def predict(self, data: pd.DataFrame, *, source: str = "table") -> pd.DataFrame:
        """Forecast the steps after the last known value of each series.

        Args:
            data: A table with the columns of the schema and at least :attr:`required_rows` rows for each series; future
                covariates need H more rows, with empty targets. Other columns are ignored.
            source: Name of the table in error messages.

        Returns:
            A row for each series, time and target, in that order: the id column (if there is one) and the time column
            under their own names, ``target``, ``forecast`` in original units, and for each level of prediction
            intervals, such as 0.8, the bounds ``lower_80`` and ``upper_80``. If a column of the table already has one
            of these names, an underscore is appended to the new one.

        Raises:
            DataError: Columns, frequency, length or values do not fit, or the model has parameters for each series and
                a series is new.
        """
        return self._predict_rows(data, self.schema, np.arange(len(data)), source)

    def _table(self, data: pd.DataFrame) -> tuple[pd.DataFrame, SeriesSchema]:
        return data, self.schema

    def _names(self, frame: pd.DataFrame, schema: SeriesSchema, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
        return np.full(len(rows), "series", object) if schema.id is None else names_of_rows(frame[schema.id], rows)

    def _predict_rows(
        self, frame: pd.DataFrame, schema: SeriesSchema, rows: npt.NDArray[np.int64], source: str
    ) -> pd.DataFrame:
        context = self._context(frame, source)
        outputs = self._run(self._arrays(context, source))
        return forecast_frame(context, outputs, schema=self.schema, forecast=self.forecast, levels=self.levels)

    def _context(self, frame: pd.DataFrame, source: str) -> ForecastContext:
        """The rows of a table that the model reads."""
        return build_context(
            frame,
            schema=self.schema,
            frequency=self.frequency,
            timezone=self.timezone,
            local_times=self.local_times,
            step=self.step,
            context_length=self.context_length,
            required_rows=self.required_rows,
            horizon=self.forecast.horizon,
            gaps=self.gaps,
            source=source,
        )

    def _arrays(self, context: ForecastContext, source: str) -> dict[str, Any]:
        """Those rows as arrays by name, see :class:`ForecastSignature`; ``None`` for one that is not read."""
        signature, grid = self.signature, parse_frequency(self.frequency, step=self.step)
        check_logarithms(context, signature, self.schema, grid, source)
        series = series_codes(context.ids, self.ids, signature, source) if signature.tells_series else None
        return {
            "past": context.past,
            "future": context.future,
            "static": context.static,
            "series": series,
            "lengths": context.lengths,
        }

    def _run(self, arrays: dict[str, Any]) -> list[Array]:
        """Forecasts (n, H, Y) and, with a calibration, quantiles (n, H, Y, Q).

        Raises:
            DataError: An array that the model reads is missing, or its shape or a value is invalid.
        """
        inputs = check_arrays(self.signature, arrays, self.schema)
        count = len(inputs["past"])
        outputs = [np.empty((count, *shape), np.float32) for shape in self.output_shapes.values()]

        def compute(start: int) -> None:
            part = slice(start, start + _BATCH_SIZE)
            results = self._compute({name: array[part] for name, array in inputs.items()})
            for output, result in zip(outputs, results, strict=True):
                output[part] = result

        self._for_each(compute, range(0, count, _BATCH_SIZE))
        return outputs


def described_values(description: dict[str, Any]) -> dict[str, Any]:
    """The attributes of :class:`ForecastPredictor` from the content of ``bundle.json``.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
    """
    data, calibration = description["data"], description["calibration"]
    parse_frequency(data["frequency"], step=data["step"])
    check_policy(data["gaps"])
    check_short_series(data["short_series"])
    return {
        "forecast": ForecastSpec.from_dict(description["forecast"]),
        "schema": SeriesSchema.from_dict(data["schema"]),
        "frequency": data["frequency"],
        "step": data["step"],
        "timezone": data["timezone"],
        "local_times": bool(data.get("local_times", False)),
        "ids": [str(name) for name in data["ids"]],
        "gaps": data["gaps"],
        "short_series": data["short_series"],
        "calibration": None if calibration is None else Calibration.from_dict(calibration),
    }


def _check_calibration(calibration: Calibration | None, forecast: ForecastSpec, inputs: InputSpec) -> None:
    """Refuse a calibration that does not belong to the forecasts of the model."""
    if calibration is None:
        return
    if calibration.levels != forecast.levels:
        raise SpecError(
            f"the levels of the calibration must be those of the forecast, {list(forecast.levels)}, but are "
            f"{list(calibration.levels)}"
        )
    expected = (forecast.horizon, inputs.n_targets)
    if calibration.offsets.shape[1:] != expected:
        raise SpecError(
            f"the offsets of the calibration must be of {expected} steps and targets but are of "
            f"{calibration.offsets.shape[1:]}"
        )
    if np.isinf(calibration.offsets).any():
        raise SpecError("the offsets of the calibration must not be infinite")
    if not (isinstance(calibration.season_length, int) and calibration.season_length >= 1):
        raise SpecError(f"the season_length of the calibration must be at least 1 but is {calibration.season_length!r}")
