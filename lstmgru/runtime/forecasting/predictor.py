"""A forecasting model that predicts from raw tables."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from lstmgru.data.forecasting.context import ForecastContext, build_context
from lstmgru.data.forecasting.series import GapPolicy, SeriesSchema, ShortSeries, input_spec
from lstmgru.data.tables.frequency import STEP, parse_frequency
from lstmgru.data.tables.readers import read_table
from lstmgru.errors import DataError, SpecError
from lstmgru.runtime.forecasting.description import check_calibration
from lstmgru.runtime.forecasting.predictive import PredictiveDistribution
from lstmgru.runtime.forecasting.signature import ForecastSignature
from lstmgru.runtime.forecasting.tables import forecast_frame, sample_frame
from lstmgru.runtime.forecasting.validation import (
    Array,
    check_arrays,
    check_finite,
    check_horizon,
    check_logarithms,
    check_samples,
    series_codes,
)
from lstmgru.runtime.predictor import BlockPlan, Options, Predictor, names_of_rows, no_table
from lstmgru.specs import ForecastSpec, InputSpec
from lstmgru.specs.calibration import Calibration

if TYPE_CHECKING:
    import pandas as pd

NORMAL_SCORES = "normal_scores"
"""The name of the array in a bundle."""
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
        normal_scores: (n, H, Y) of the backtest, see :mod:`lstmgru.runtime.forecasting.predictive`; ``None`` if they
            were not kept.

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
    normal_scores: Array | None = None

    def __post_init__(self) -> None:
        check_calibration(self.calibration, self.forecast, self.inputs)
        _ = self.predictive  # raises the error of scores that do not fit
        for name in ("minimum", "maximum"):
            bounds = getattr(self.forecast, name)
            if bounds and len(bounds) != len(self.schema.targets):
                raise SpecError(
                    f"{name} must hold a bound for each of {list(self.schema.targets)} but is {list(bounds)}"
                )

    def with_arrays(self, arrays: Mapping[str, Array]) -> Self:
        """The model with its normal scores, see :meth:`Predictor.with_arrays`."""
        return replace(self, normal_scores=arrays[NORMAL_SCORES]) if NORMAL_SCORES in arrays else self

    @property
    @abstractmethod
    def signature(self) -> ForecastSignature:
        """The arrays that the model reads."""

    @abstractmethod
    def compute(self, inputs: dict[str, npt.NDArray[Any]]) -> Sequence[Array]:
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

    @cached_property
    def predictive(self) -> PredictiveDistribution:
        """What is known of the errors of forecasts."""
        calibration = self.calibration
        if calibration is None:
            none = np.empty((0, self.forecast.horizon, len(self.schema.targets)), np.float32)
            calibration = Calibration((), none, scaled=False, season_length=1, n_windows=0)
        return PredictiveDistribution(calibration, self.normal_scores)

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels with prediction intervals, ascending."""
        return self.predictive.levels

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
        path: Path | str,
        *,
        delimiter: str = ",",
        decimal: str = ".",
        encoding: str = "utf-8",
        columns: Sequence[str] = (),
    ) -> pd.DataFrame:
        """Read a table to forecast from, see :meth:`Predictor.read_table`."""
        text = self._names_of_columns
        return read_table(
            Path(path), delimiter=delimiter, decimal=decimal, encoding=encoding, columns=columns, text=text
        )

    def blocks(self, path: Path) -> BlockPlan | None:
        """Blocks of whole series, see :meth:`Predictor.blocks`; a single series is read as a whole."""
        del path
        schema = self.schema
        if schema.id is None:
            return None
        return BlockPlan(
            schema.id,
            sorted=True,
            columns=(schema.id, schema.time, *schema.time_columns, *schema.value_columns, *schema.static_covariates),
            text=self._names_of_columns,
            numbers=self.context_length * self.inputs.n_inputs,
            output_rows=self.forecast.horizon * len(schema.targets),
        )

    @property
    def _names_of_columns(self) -> tuple[str, ...]:
        return (*self.schema.categories, *((self.schema.id,) if self.schema.id else ()))

    def checked(self, options: Options) -> Options:
        """The options, levels in ascending order, see :meth:`Predictor.checked`."""
        horizon, samples = check_horizon(options.horizon, self.forecast.horizon), options.samples
        if samples is not None:
            if options.levels is not None:
                raise DataError("sample paths have no intervals; remove the levels, or predict twice")
            check_samples(samples, horizon, len(self.schema.targets))
            self.predictive.check_paths()
            return options
        levels = self.levels if options.levels is None else self.predictive.check_levels(options.levels)
        return options._replace(levels=levels)

    def predict(
        self,
        data: pd.DataFrame,
        *,
        source: str = "table",
        levels: Sequence[float] | None = None,
        horizon: int | None = None,
    ) -> pd.DataFrame:
        """Forecast the steps after the last known value of each series.

        Args:
            data: A table with the columns of the schema and at least :attr:`required_rows` rows for each series; future
                covariates need as many more rows as steps are forecast, with empty targets. Other columns are ignored.
            source: Name of the table in error messages.
            levels: Of the prediction intervals: any up to ``predictive.highest_level``; ``None`` for :attr:`levels`.
            horizon: Number of steps, the first ones; ``None`` for all. Where later covariates are not in the table,
                they keep their last values, which only matters to members that read all steps at once.

        Returns:
            A row for each series, time and target, in that order: the id column (if there is one) and the time column
            under their own names, ``target``, ``forecast`` in original units, and for each level of prediction
            intervals, such as 0.8, the bounds ``lower_80`` and ``upper_80``. If a column of the table already has one
            of these names, an underscore is appended to the new one.

        Raises:
            DataError: Columns, frequency, length or values do not fit, the model has parameters for each series and a
                series is new, or levels or horizon are not supported.
        """
        options = self.checked(Options.of(levels, horizon))
        return self._predict_rows(*self._table(data), np.arange(len(data)), source, options)

    def sample(
        self, data: pd.DataFrame, n: int, *, source: str = "table", seed: int = 0, horizon: int | None = None
    ) -> pd.DataFrame:
        """Sample paths of the steps after the last known value of each series.

        The quantiles of many paths at a step are those of the prediction intervals, and the steps and targets of a path
        depend on each other as the errors of the backtest did, see :mod:`lstmgru.runtime.forecasting.predictive`. Paths
        of different series are independent.

        Args:
            data: As for :meth:`predict`.
            n: Number of paths of each series.
            source: Name of the table in error messages.
            seed: The same seed gives the same paths of a series, whatever other series the table holds.
            horizon: As for :meth:`predict`.

        Returns:
            A row for each series, path, time and target, in that order: the id column (if there is one) and the time
            column under their own names, ``target``, ``sample`` (from 1) and ``value`` in original units.

        Raises:
            DataError: As :meth:`predict`, or the model has no sample paths.
        """
        options = self.checked(Options.of(None, horizon, n, seed))
        return self._predict_rows(*self._table(data), np.arange(len(data)), source, options)

    def _table(self, data: pd.DataFrame) -> tuple[pd.DataFrame, SeriesSchema]:
        import pandas as pd

        if not isinstance(data, pd.DataFrame):
            raise no_table(data)
        return data, self.schema

    def _names(self, frame: pd.DataFrame, schema: SeriesSchema, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
        return np.full(len(rows), "series", object) if schema.id is None else names_of_rows(frame[schema.id], rows)

    def _predict_rows(
        self,
        frame: pd.DataFrame,
        schema: SeriesSchema,
        rows: npt.NDArray[np.int64],
        source: str,
        options: Options,
    ) -> pd.DataFrame:
        context = self._context(frame, source, options.horizon)
        outputs = [output[:, : options.horizon] for output in self._run(self._arrays(context, source))]
        context = replace(context, times=context.times[:, : options.horizon])
        points, quantiles, levels = outputs[0], outputs[-1], options.levels or ()
        check_finite(context, outputs, self.schema, source)
        if options.samples is not None:
            check_samples(options.samples, points.shape[1], points.shape[2], len(context))
            paths = self.predictive.paths(quantiles, options.samples, context.ids.tolist(), options.seed)
            check_finite(context, [paths], self.schema, source)
            return sample_frame(context, self.forecast.clip(paths), schema)
        ends = self.predictive.intervals(quantiles, levels) if levels else ()
        check_finite(context, [np.moveaxis(each, 0, 1) for each in ends], self.schema, source)
        return forecast_frame(context, points, tuple(map(self.forecast.clip, ends)), schema, levels)

    def _context(self, frame: pd.DataFrame, source: str, steps: int | None = None) -> ForecastContext:
        """The rows of a table that the model reads.

        Args:
            frame: The table.
            source: Its name in error messages.
            steps: Of the horizon whose covariates must be known; ``None`` for all.
        """
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
            known_steps=steps,
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

        def fill(start: int) -> None:
            part = slice(start, start + _BATCH_SIZE)
            results = self.compute({name: array[part] for name, array in inputs.items()})
            for output, result in zip(outputs, results, strict=True):
                output[part] = result

        self._for_each(fill, range(0, count, _BATCH_SIZE))
        return outputs
