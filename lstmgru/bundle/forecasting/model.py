"""A trained forecasting model: its parts, and whether they fit together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lstmgru.bundle.base import Bundle, Parity
from lstmgru.bundle.forecasting.members import ForecastMember, ForecastNetworkMember, check_member
from lstmgru.bundle.forecasting.parts import BaselineForecaster, MemberForecaster, NetworkForecaster
from lstmgru.bundle.forecasting.servable import BlendedForecaster, NetworkShare
from lstmgru.runtime.forecasting.predictor import ForecastPredictor
from lstmgru.runtime.forecasting.signature import ForecastSignature
from lstmgru.runtime.members import check_weights


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastModel(ForecastPredictor, Bundle):
    """The parts of a :class:`~lstmgru.bundle.ForecastBundle`, as far as tables and model card need them.

    Attributes:
        members: What is blended.

    Raises:
        SpecError: Members, their weights, calibration, forecast and schema do not fit together.
    """

    integers = ("series", "lengths")
    axes = {  # noqa: RUF012 as it is never changed
        "past": "batch, context, channel",
        "future": "batch, horizon, channel",
        "static": "batch, static covariate",
        "series": "batch",
        "lengths": "batch",
        "forecast": "batch, horizon, target",
        "quantiles": "batch, horizon, target, quantile",
    }
    renamed_weights = {"direct.": "decoder.", "going_on.": "decoder."}  # noqa: RUF012 as it is never changed

    members: tuple[ForecastMember, ...]

    def __post_init__(self) -> None:
        check_weights([member.weight for member in self.members])
        for member in self.networks:
            check_member(member, self.forecast, self.inputs)
        super().__post_init__()

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
    def network_share(self) -> NetworkShare | None:
        """See :attr:`Bundle.network_share`."""
        return NetworkShare(self.servable, self.forecast) if self.networks else None

    def parity(self, model: Any) -> Parity:
        """Compare the whole, as the calibration is computed twice, too, see :meth:`Bundle.parity`."""
        from lstmgru.bundle.onnx.export import compare_results

        return compare_results(self.servable, model.compute)

    @property
    def signature(self) -> ForecastSignature:
        """The arrays that the members read."""
        return self.servable.signature

    @property
    def channels(self) -> tuple[str, ...]:
        """(F,) names of the members' inputs; the last K are known over the horizon."""
        return (*self.schema.value_columns, *self.schema.calendar)

    @property
    def n_future(self) -> int:
        """K."""
        return len(self.schema.future_covariates) + len(self.schema.calendar)


def _forecaster(member: ForecastMember) -> MemberForecaster:
    if isinstance(member, ForecastNetworkMember):
        return NetworkForecaster(member.network, member.scaler)
    return BaselineForecaster(member.baseline)
