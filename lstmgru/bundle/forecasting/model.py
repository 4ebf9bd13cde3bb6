"""A trained forecasting model: its parts, and whether they fit together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from lstmgru.bundle.base import Bundle
from lstmgru.bundle.forecasting.members import ForecastMember, ForecastNetworkMember, check_member
from lstmgru.bundle.forecasting.parts import BaselineForecaster, MemberForecaster, NetworkForecaster
from lstmgru.bundle.forecasting.servable import BlendedForecaster
from lstmgru.bundle.members import check_weights
from lstmgru.data.forecasting.series import GapPolicy, SeriesSchema, ShortSeries, input_spec
from lstmgru.errors import SpecError
from lstmgru.evaluation.intervals import Calibration
from lstmgru.specs import ForecastSpec, InputSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastModel(Bundle):
    """The parts of a :class:`~lstmgru.bundle.ForecastBundle`, as far as tables, checks and model card need them.

    Attributes:
        members: What is blended.
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
        SpecError: Members, their weights, calibration, forecast and schema do not fit together.
    """

    axes = {  # noqa: RUF012 as it is never changed
        "past": "batch, context, channel",
        "future": "batch, horizon, channel",
        "static": "batch, static covariate",
        "series": "batch",
        "lengths": "batch",
        "forecast": "batch, horizon, target",
        "quantiles": "batch, horizon, target, quantile",
    }
    results = "forecasts"
    renamed_weights = {"direct.": "decoder.", "going_on.": "decoder."}  # noqa: RUF012 as it is never changed

    members: tuple[ForecastMember, ...]
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
        check_weights(self.members)
        for member in self.networks:
            check_member(member, self.forecast, self.inputs)
        _check_calibration(self.calibration, self.forecast, self.inputs)
        for name in ("minimum", "maximum"):
            bounds = getattr(self.forecast, name)
            if bounds and len(bounds) != len(self.schema.targets):
                raise SpecError(
                    f"{name} must hold a bound for each of {list(self.schema.targets)} but is {list(bounds)}"
                )

    @property
    def task_name(self) -> str:
        """``forecast``."""
        return "forecast"

    @property
    def networks(self) -> tuple[ForecastNetworkMember, ...]:
        """The members that are networks."""
        return tuple(member for member in self.members if isinstance(member, ForecastNetworkMember))

    @cached_property
    def servable(self) -> BlendedForecaster:
        """The blend with all scaling and the calibration inside, in evaluation mode."""
        members = [_forecaster(member) for member in self.members]
        weights = [member.weight for member in self.members]
        return BlendedForecaster(members, weights, self.inputs, self.forecast, self.calibration)

    @property
    def context_length(self) -> int:
        """Rows of history that the longest member reads."""
        return self.servable.context_length

    @property
    def required_rows(self) -> int:
        """Fewest rows of history that a series must have."""
        return self.servable.required_rows

    @property
    def inputs(self) -> InputSpec:
        """The inputs of the members."""
        return input_spec(self.schema, n_series=len(self.ids), short_series=self.short_series)

    @property
    def channels(self) -> tuple[str, ...]:
        """(F,) names of the members' inputs; the last K are known over the horizon."""
        return (*self.schema.value_columns, *self.schema.calendar)

    @property
    def n_future(self) -> int:
        """K."""
        return len(self.schema.future_covariates) + len(self.schema.calendar)

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels with prediction intervals, ascending."""
        if self.calibration is None:
            return ()
        of_level = zip(self.calibration.levels, self.calibration.offsets, strict=True)
        return tuple(level for level, offsets in of_level if not np.isnan(offsets).all())


def _forecaster(member: ForecastMember) -> MemberForecaster:
    if isinstance(member, ForecastNetworkMember):
        return NetworkForecaster(member.network, member.scaler)
    return BaselineForecaster(member.baseline)


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
