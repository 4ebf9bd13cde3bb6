"""A trained forecasting model that predicts from raw tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from lstmgru.bundle.base import Stored, names_of_rows
from lstmgru.bundle.card import Card
from lstmgru.bundle.files import plain
from lstmgru.bundle.forecasting.card import forecast_card
from lstmgru.bundle.forecasting.members import member_of
from lstmgru.bundle.forecasting.model import ForecastModel
from lstmgru.bundle.forecasting.tables import attention_frame, forecast_columns, forecast_frame
from lstmgru.bundle.forecasting.validation import Array, Codes, check_arrays, check_logarithms, series_codes
from lstmgru.data.forecasting.arrays import window_arrays
from lstmgru.data.forecasting.conforming import conforming_panel, with_codes_of
from lstmgru.data.forecasting.context import ForecastContext, build_context
from lstmgru.data.forecasting.series import SeriesPanel, SeriesSchema, check_policy, check_short_series, input_spec
from lstmgru.data.tables.frequency import STEP, parse_frequency
from lstmgru.data.tables.readers import read_table
from lstmgru.errors import DataError
from lstmgru.evaluation.intervals import Calibration
from lstmgru.nn import kernels
from lstmgru.specs import ForecastSpec

if TYPE_CHECKING:
    import pandas as pd

# Without gradients a window needs little memory, so large batches are fast.
_BATCH_SIZE = 1024
_WINDOWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastBundle(ForecastModel):
    """A trained forecasting model with its origin and everything needed to forecast from a raw table.

    Its parts are the attributes of :class:`~lstmgru.bundle.base.Bundle` and
    :class:`~lstmgru.bundle.forecasting.model.ForecastModel`.
    """

    @classmethod
    def from_description(cls, description: dict[str, Any], stored: Stored) -> Self:
        """Build a bundle from its description, see :meth:`Bundle.from_description`."""
        data = description["data"]
        schema, ids = SeriesSchema.from_dict(data["schema"]), [str(name) for name in data["ids"]]
        forecast = ForecastSpec.from_dict(description["forecast"])
        parse_frequency(data["frequency"], step=data["step"])
        check_policy(data["gaps"])
        check_short_series(data["short_series"])
        inputs = input_spec(schema, n_series=len(ids), short_series=data["short_series"])
        calibration = description["calibration"]
        entries = zip(description["members"], stored.arrays, strict=True)
        return cls(
            members=tuple(member_of(values, arrays, inputs, forecast) for values, arrays in entries),
            forecast=forecast,
            schema=schema,
            frequency=data["frequency"],
            step=data["step"],
            timezone=data["timezone"],
            local_times=bool(data.get("local_times", False)),
            ids=ids,
            metrics=dict(description["metrics"]),
            provenance=dict(description["provenance"]),
            gaps=data["gaps"],
            short_series=data["short_series"],
            calibration=None if calibration is None else Calibration.from_dict(calibration),
        )

    def describe(self) -> dict[str, Any]:
        """The part of ``bundle.json`` that is specific to forecasts, see :meth:`Bundle.describe`."""
        return {
            "forecast": self.forecast.to_dict(),
            "data": {
                "schema": self.schema.to_dict(),
                "frequency": self.frequency,
                "step": self.step,
                "timezone": self.timezone,
                "local_times": self.local_times,
                "gaps": self.gaps,
                "short_series": self.short_series,
                "ids": plain(self.ids, "ids"),
            },
            "channels": list(self.channels),
            "forecast_columns": forecast_columns(self.schema, self.levels),
            "calibration": None if self.calibration is None else self.calibration.to_dict(),
        }

    def card(self, description: dict[str, Any]) -> Card:
        """The content of the model card, see :meth:`Bundle.card`."""
        return forecast_card(self, description)

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
        """Read a table to forecast from, see :meth:`Bundle.read_table`."""
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

    def forecast_array(
        self,
        past: Array,
        future: Array,
        *,
        static: Array | None = None,
        series: Codes | None = None,
        lengths: Codes | None = None,
    ) -> Array:
        """Forecast from arrays; those that the model does not read may be omitted and are ignored.

        Args:
            past: (n, T, F) contexts in original units, T = :attr:`context_length`; for categorical columns the codes of
                the schema's categories, from 1, and 0 for an unknown one.
            future: (n, H, K) covariates known over the horizon, likewise; K may be 0.
            static: (n, S) static covariates, likewise.
            series: (n,) codes of the series, from 1 in the order of ``ids``; read if the model has parameters for each
                series.
            lengths: (n,) number of real rows at the end of each context, at least :attr:`required_rows`; read if series
                may have fewer than T rows.

        Returns:
            (n, H, Y) forecasts in original units.

        Raises:
            DataError: An array that the model reads is missing, or its shape or a value is invalid.
        """
        return self._run({"past": past, "future": future, "static": static, "series": series, "lengths": lengths})[0]

    def quantile_array(
        self,
        past: Array,
        future: Array,
        *,
        static: Array | None = None,
        series: Codes | None = None,
        lengths: Codes | None = None,
    ) -> Array:
        """Forecast quantiles from arrays, with the arguments of :meth:`forecast_array`.

        Returns:
            (n, H, Y, Q) in original units, in the order of ``forecast.quantiles``: both bounds of each prediction
            interval, and the forecast itself as the median. NaN for a level without an interval.

        Raises:
            DataError: As :meth:`forecast_array`, or the model has no prediction intervals.
        """
        if self.calibration is None:
            raise DataError(
                "the model has no prediction intervals: its backtest was too small, or forecast.levels was empty; "
                "train one with more folds, or use forecast_array"
            )
        arrays = {"past": past, "future": future, "static": static, "series": series, "lengths": lengths}
        return self._run(arrays)[1]

    def panel(self, frame: pd.DataFrame, *, source: str = "table") -> SeriesPanel:
        """The series of a table that contains the actual values, for :meth:`forecast_windows`.

        Args:
            frame: A table with the columns of the schema. Other columns are ignored.
            source: Name of the table in error messages.

        Raises:
            DataError: Columns, frequency or values do not fit, or rows or cells are missing.
        """
        return conforming_panel(
            frame,
            schema=self.schema,
            frequency=self.frequency,
            step=self.step,
            timezone=self.timezone,
            local_times=self.local_times,
            gaps=self.gaps,
            source=source,
        )

    def forecast_windows(
        self, panel: SeriesPanel, cutoffs: Codes, *, source: str = "table"
    ) -> tuple[Array, Array | None]:
        """Forecast windows of a panel, each from the rows before its cutoff.

        Args:
            panel: With the columns of the schema; its categories may have names that the model does not know.
            cutoffs: (n,) rows with at least :attr:`required_rows` rows of their series before them.
            source: Name of the table in error messages.

        Returns:
            (n, H, Y) forecasts in original units, and (n, H, Y, Q) quantiles as of :meth:`quantile_array`; ``None``
            without intervals.

        Raises:
            DataError: A value is invalid, or the model has parameters for each series and a series is new.
        """
        panel, codes = with_codes_of(panel, self.schema), None
        if self.servable.tells_series:
            codes = series_codes(self, panel.ids, source)
        parts = []
        for block in np.split(cutoffs, range(_WINDOWS_AT_ONCE, len(cutoffs), _WINDOWS_AT_ONCE)):
            windows = window_arrays(panel, block, context_length=self.context_length, horizon=self.forecast.horizon)
            assert windows.series is not None  # windows of a panel have them
            own = None if codes is None else codes[windows.series - 1]
            arrays = {"past": windows.past, "future": windows.future, "static": windows.static, "series": own}
            parts.append(self._run({**arrays, "lengths": windows.lengths}))
        forecast, *quantiles = (np.concatenate(each) for each in zip(*parts, strict=True))
        return forecast, quantiles[0] if quantiles else None

    def attention(self, frame: pd.DataFrame, *, source: str = "table") -> pd.DataFrame:
        """The attention weights of the forecasts of :meth:`predict`: of the network with attention and most weight.

        Returns:
            A table as from :func:`~lstmgru.bundle.forecasting.tables.attention_frame`.

        Raises:
            DataError: As :meth:`predict`, or the model has no attention.
        """
        context = self._context(frame, source)
        inputs = check_arrays(self.servable, self._arrays(context, source), self.schema)
        having = [member for member in self.networks if member.has_attention]
        if not having:
            poolings = ", ".join(dict.fromkeys(member.model_spec.pooling for member in self.networks))
            raise DataError(
                "the model has no attention to show: only a pooling of additive or multihead has attention weights, "
                f"but this one is {poolings or 'a blend without networks'}"
            )
        member = max(having, key=lambda each: each.weight)
        scaled = self.servable.scaled(self.members.index(member), inputs)
        return attention_frame(self, member, context, member.network.attention(scaled).numpy())

    def _table(self, data: pd.DataFrame) -> tuple[pd.DataFrame, SeriesSchema]:
        return data, self.schema

    def _names(self, frame: pd.DataFrame, schema: SeriesSchema, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
        return np.full(len(rows), "series", object) if schema.id is None else names_of_rows(frame[schema.id], rows)

    def _predict_rows(
        self, frame: pd.DataFrame, schema: SeriesSchema, rows: npt.NDArray[np.int64], source: str
    ) -> pd.DataFrame:
        context = self._context(frame, source)
        return forecast_frame(self, context, self._run(self._arrays(context, source)))

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
        """Those rows as the arguments of :meth:`forecast_array`."""
        check_logarithms(self, context, source)
        series = series_codes(self, context.ids, source) if self.servable.tells_series else None
        return {
            "past": context.past,
            "future": context.future,
            "static": context.static,
            "series": series,
            "lengths": context.lengths,
        }

    def _run(self, arrays: dict[str, Any]) -> list[Array]:
        """Forecasts (n, H, Y) and, with a calibration, quantiles (n, H, Y, Q)."""
        inputs = check_arrays(self.servable, arrays, self.schema)
        count = len(inputs["past"])
        outputs = [np.empty((count, *shape), np.float32) for shape in self.servable.output_shapes.values()]
        # Compiled kernels are loaded from a cache, which unpickles, and would not speed up a few forecasts.
        with torch.inference_mode(), kernels.enabled(False):
            for start in range(0, count, _BATCH_SIZE):
                part = slice(start, start + _BATCH_SIZE)
                results = self.servable(**{name: tensor[part] for name, tensor in inputs.items()})
                for output, result in zip(outputs, results, strict=True):
                    output[part] = result.numpy()
        return outputs
