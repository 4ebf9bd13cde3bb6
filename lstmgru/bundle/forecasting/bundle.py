"""A trained forecasting model that predicts from raw tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from lstmgru.bundle.base import Stored
from lstmgru.bundle.card import Card
from lstmgru.bundle.files import plain
from lstmgru.bundle.forecasting.card import forecast_card
from lstmgru.bundle.forecasting.members import member_of
from lstmgru.bundle.forecasting.model import ForecastModel
from lstmgru.bundle.forecasting.tables import attention_frame
from lstmgru.data.forecasting.arrays import window_arrays
from lstmgru.data.forecasting.conforming import conforming_panel, with_codes_of
from lstmgru.data.forecasting.series import SeriesPanel, input_spec
from lstmgru.errors import DataError
from lstmgru.nn import kernels
from lstmgru.runtime.forecasting.description import described_values
from lstmgru.runtime.forecasting.predictor import NORMAL_SCORES
from lstmgru.runtime.forecasting.tables import forecast_columns
from lstmgru.runtime.forecasting.validation import Array, Codes, check_arrays, series_codes

if TYPE_CHECKING:
    import pandas as pd

_WINDOWS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastBundle(ForecastModel):
    """A trained forecasting model with its origin and everything needed to forecast from a raw table.

    Its parts are the attributes of :class:`~lstmgru.bundle.base.Bundle`,
    :class:`~lstmgru.bundle.forecasting.model.ForecastModel` and
    :class:`~lstmgru.runtime.forecasting.predictor.ForecastPredictor`.
    """

    @classmethod
    def from_description(cls, description: dict[str, Any], stored: Stored) -> Self:
        """Build a bundle from its description, see :meth:`Bundle.from_description`."""
        known = described_values(description)
        inputs = input_spec(known["schema"], n_series=len(known["ids"]), short_series=known["short_series"])
        entries = zip(description["members"], stored.arrays, strict=True)
        return cls(
            **known,
            members=tuple(member_of(values, arrays, inputs, known["forecast"]) for values, arrays in entries),
            metrics=dict(description["metrics"]),
            provenance=dict(description["provenance"]),
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

    @property
    def extra_arrays(self) -> dict[str, Array]:
        """The normal scores, if they were kept."""
        return {} if self.normal_scores is None else {NORMAL_SCORES: self.normal_scores}

    def card(self, description: dict[str, Any]) -> Card:
        """The content of the model card, see :meth:`Bundle.card`."""
        return forecast_card(self, description)

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
        panel, parts = with_codes_of(panel, self.schema), []
        for block in np.split(cutoffs, range(_WINDOWS_AT_ONCE, len(cutoffs), _WINDOWS_AT_ONCE)):
            windows = window_arrays(panel, block, context_length=self.context_length, horizon=self.forecast.horizon)
            assert windows.series is not None  # windows of a panel have them
            own = None
            if self.signature.tells_series:
                distinct, places = np.unique(windows.series - 1, return_inverse=True)
                own = series_codes(panel.ids[distinct], self.ids, self.signature, source)[places]
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
        arrays = check_arrays(self.signature, self._arrays(context, source), self.schema)
        having = [member for member in self.networks if member.has_attention]
        if not having:
            poolings = ", ".join(dict.fromkeys(member.model_spec.pooling for member in self.networks))
            raise DataError(
                "the model has no attention to show: only a pooling of additive or multihead has attention weights, "
                f"but this one is {poolings or 'a blend without networks'}"
            )
        member = max(having, key=lambda each: each.weight)
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        scaled = self.servable.scaled(self.members.index(member), tensors)
        return attention_frame(self, member, context, member.network.attention(scaled).numpy())

    def compute(self, inputs: dict[str, npt.NDArray[Any]]) -> list[Array]:
        """Run the model, see :meth:`ForecastPredictor.compute`."""
        # Compiled kernels are loaded from a cache, which unpickles, and would not speed up a few forecasts.
        with torch.inference_mode(), kernels.enabled(False):
            results = self.servable(**{name: torch.from_numpy(array) for name, array in inputs.items()})
        return [result.numpy() for result in results]
