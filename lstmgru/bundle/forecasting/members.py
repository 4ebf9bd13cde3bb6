"""The members of a forecasting model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from lstmgru.bundle.members import BaselineMember, NetworkMember, check_scaler
from lstmgru.data.forecasting.scaling import Scaler
from lstmgru.errors import SpecError
from lstmgru.evaluation.forecast_baselines.base import FittedBaseline
from lstmgru.nn.forecast_network import MEDIAN, ForecastNetwork
from lstmgru.runtime.forecasting.baselines import probe
from lstmgru.runtime.members import NETWORK, common_values, stored_baseline
from lstmgru.specs import ForecastSpec, InputSpec, ModelSpec, TrainSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastNetworkMember(NetworkMember):
    """A trained forecasting network.

    Attributes:
        network: On the CPU.
        scaler: Of all input channels, fitted on the training data.
        model_spec: The architecture.
        train_spec: How it was trained.

    Raises:
        SpecError: Scaler and network do not fit together.
    """

    network: ForecastNetwork
    scaler: Scaler
    model_spec: ModelSpec

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_scaler(self.scaler, self.model_spec, self.network.inputs)

    @classmethod
    def from_description(cls, values: dict[str, Any], inputs: InputSpec, forecast: ForecastSpec) -> Self:
        """Build a member with random weights; the inverse of :meth:`describe`.

        Args:
            values: Its entry in ``bundle.json``.
            inputs: Of the bundle.
            forecast: Likewise.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
        """
        model, train = ModelSpec.from_dict(values["model"]), TrainSpec.from_dict(values["training"])
        return cls(
            **common_values(values),
            network=ForecastNetwork.of(model, inputs, forecast, train),
            scaler=Scaler.from_dict(values["scaler"]),
            model_spec=model,
            train_spec=train,
        )

    @property
    def reads(self) -> int:
        """The context length."""
        return self.model_spec.context_length

    @property
    def has_attention(self) -> bool:
        """Whether its pooling is an attention."""
        return self.model_spec.pooling in ("additive", "multihead")

    def describe(self) -> dict[str, Any]:
        """Its entry in ``bundle.json``, as plain values."""
        return {**super().describe(), "scaler": self.scaler.to_dict()}


@dataclass(frozen=True, eq=False, kw_only=True)
class ForecastBaselineMember(BaselineMember):
    """A fitted baseline of forecasts.

    Attributes:
        baseline: Fitted to the training data.
    """

    baseline: FittedBaseline

    @property
    def reads(self) -> int:
        """The context length."""
        return self.baseline.context_length


ForecastMember = ForecastNetworkMember | ForecastBaselineMember


def member_of(
    values: dict[str, Any], arrays: dict[str, Tensor], inputs: InputSpec, forecast: ForecastSpec
) -> ForecastMember:
    """A member from its entry in ``bundle.json``.

    Args:
        values: The entry.
        arrays: Of the member.
        inputs: Of the bundle.
        forecast: Likewise.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, LstmGruError: A key is missing or a value is invalid.
    """
    from lstmgru.evaluation.forecast_baselines import BASELINES

    if values["kind"] == NETWORK:
        return ForecastNetworkMember.from_description(values, inputs, forecast)
    stored = {name: tensor.numpy() for name, tensor in arrays.items()}
    baseline = stored_baseline(BASELINES, values, stored, lambda each: probe(each, inputs, forecast))
    return ForecastBaselineMember(**common_values(values), baseline=baseline)


def check_member(member: ForecastNetworkMember, forecast: ForecastSpec, inputs: InputSpec) -> None:
    """Refuse a member for other data or forecasts than those of its bundle.

    Raises:
        SpecError: They do not fit together.
    """
    network = member.network
    if network.inputs != inputs:
        raise SpecError(f"the inputs of the network must be {inputs} but are {network.inputs}")
    if network.horizon != forecast.horizon:
        raise SpecError(f"the horizon of the network must be {forecast.horizon} but is {network.horizon}")
    if network.quantiles not in (MEDIAN, forecast.quantiles):
        raise SpecError(
            f"the quantiles of the network must be {list(forecast.quantiles)} or the median but are "
            f"{list(network.quantiles)}"
        )


def _check_scaler(scaler: Scaler, model: ModelSpec, inputs: InputSpec) -> None:
    """Refuse a scaler that does not belong to the model."""
    by_series = model.normalization in ("series", "last") and inputs.n_series > 1
    channels, static = (inputs.n_series if by_series else 1, inputs.n_inputs), (inputs.n_static,)
    check_scaler(scaler, {"mean": channels, "scale": channels, "static_mean": static, "static_scale": static})
    codes = [(scaler.mean[:, channel], scaler.scale[:, channel]) for channel, _ in inputs.categories]
    codes += [(scaler.static_mean[[place]], scaler.static_scale[[place]]) for place, _ in inputs.static_categories]
    if any((mean != 0).any() or (scale != 1).any() for mean, scale in codes):
        raise SpecError("the scaler must not change categories: their mean must be 0 and their scale 1")
    if (scaler.n_targets, scaler.log) != (inputs.n_targets, model.log):
        raise SpecError(
            f"the scaler has {scaler.n_targets} targets and log {scaler.log}, but the model has {inputs.n_targets} and "
            f"log {model.log}"
        )
