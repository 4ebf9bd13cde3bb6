"""A blend of forecasters with inputs and outputs in original units, so that a server needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from lstmgru.bundle.base import Distance, Outputs, Servable
from lstmgru.bundle.forecasting.parts import MemberForecaster, NetworkForecaster
from lstmgru.bundle.forecasting.quantiles import Bounds, CalibratedQuantiles, real_rows
from lstmgru.data.forecasting.scaling import IGNORED_SCALE
from lstmgru.nn.forecast_network import Inputs
from lstmgru.runtime.forecasting.signature import ForecastSignature
from lstmgru.runtime.graph import SHARE
from lstmgru.specs import ForecastSpec, InputSpec
from lstmgru.specs.calibration import Calibration
from lstmgru.specs.layers import Stack


class BlendedForecaster(Servable):
    """The weighted sum of its members' forecasts, with quantiles if there is a calibration.

    Args:
        members: Each reads the last rows of the longest context.
        weights: Of the members, with the sum 1.
        inputs: Of the members.
        forecast: Horizon and bounds.
        calibration: Of the prediction intervals; ``None`` if there are none.
    """

    def __init__(
        self,
        members: Sequence[MemberForecaster],
        weights: Sequence[float],
        inputs: InputSpec,
        forecast: ForecastSpec,
        calibration: Calibration | None = None,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.weights, self.inputs, self.horizon = tuple(weights), inputs, forecast.horizon
        self.bounds = Bounds(forecast)
        self.context_length = max(member.context_length for member in members)
        specs = tuple(member.network.spec for _, member in self.networks)
        self.signature = ForecastSignature(inputs, forecast.horizon, self.context_length, specs)
        self.quantiles = None if calibration is None else CalibratedQuantiles(calibration, forecast)
        self.eval()

    @property
    def parts(self) -> list[MemberForecaster]:
        """The members."""
        return cast("list[MemberForecaster]", list(self.members))

    @property
    def networks(self) -> list[tuple[float, NetworkForecaster]]:
        """The networks among the members, with their weights."""
        pairs = zip(self.weights, self.parts, strict=True)
        return [(weight, member) for weight, member in pairs if isinstance(member, NetworkForecaster)]

    @property
    def outside(self) -> tuple[str, ...]:
        """Members that are computed outside of torch."""
        return tuple(part.outside for part in self.parts if part.outside is not None)

    @property
    def branches(self) -> tuple[Stack, ...]:
        """The recurrent layers of all networks."""
        return tuple(stack for _, member in self.networks for stack in member.network.spec.branches)

    @property
    def unit(self) -> str:
        """The unit of a relative distance, of logarithms if the model takes them."""
        return "standard deviations of a target"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The inputs of :meth:`forward` with their shapes, without the batch; the last two are ``int64``."""
        return self.signature.shapes

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """The outputs of :meth:`forward` with their shapes, without the batch."""
        forecast = (self.horizon, self.inputs.n_targets)
        if self.quantiles is None:
            return {"forecast": forecast}
        return {"forecast": forecast, "quantiles": (*forecast, 2 * len(self.quantiles.offsets) + 1)}

    def forward(
        self,
        past: Tensor,
        future: Tensor | None = None,
        static: Tensor | None = None,
        series: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Outputs:
        """Forecast.

        Args:
            past: (B, T, F) contexts in original units, T = :attr:`context_length`; categories are codes.
            future: (B, H, K) covariates known over the horizon, in original units; ``None`` if K is 0.
            static: (B, S) static covariates in original units; ``None`` if S is 0.
            series: (B,) ``int64`` codes of the series, from 1; ``None`` if no member needs them. A series with the code
                0 is unknown, and its forecasts are NaN.
            lengths: (B,) ``int64`` number of real rows at the end of each context; ``None`` if contexts are never
                padded.

        Returns:
            Forecasts (B, H, Y) in original units and, with a calibration, quantiles (B, H, Y, 2 · levels + 1).
        """
        if future is None:
            future = past.new_zeros(past.shape[0], self.horizon, 0)
        inputs = Inputs(past, future, static, series, lengths)
        return self.decode(self.blend(inputs), inputs)

    def decode(self, blended: Tensor, inputs: Inputs) -> Outputs:
        """The results of :meth:`forward` for the weighted sum of :meth:`blend`."""
        forecast = blended[..., blended.shape[-1] // 2]
        if self.quantiles is None:
            return (forecast,)
        return forecast, self.quantiles(blended, inputs.past[..., : self.inputs.n_targets], inputs.lengths)

    def blend(self, inputs: Inputs) -> Tensor:
        """(B, H, Y, Q) the weighted sum, without calibration; see :meth:`forward`.

        The forecasts of each member are within the bounds. A member that forecasts points adds its point to every
        quantile of the others.

        Args:
            inputs: In original units.
        """
        parts = [
            weight * self.bounds(part(self._read_by(part, inputs)))
            for weight, part in zip(self.weights, self.parts, strict=True)
        ]
        blended: Tensor = sum(parts[1:], start=parts[0])
        return blended

    def scaled(self, number: int, inputs: dict[str, Tensor]) -> Inputs:
        """The inputs of the network of a member.

        Args:
            number: Of the member, from 0.
            inputs: Of :meth:`forward`.
        """
        member, past = self.parts[number], inputs["past"]
        assert isinstance(member, NetworkForecaster)  # only these have a network
        none = past.new_zeros(past.shape[0], self.horizon, 0)
        return member.scaled(self._read_by(member, Inputs(**{"future": none, **inputs})))

    def _read_by(self, member: MemberForecaster, inputs: Inputs) -> Inputs:
        """The last rows of contexts that a member reads, and how many of them are real."""
        rows, lengths = member.context_length, inputs.lengths
        return inputs._replace(
            past=inputs.past[:, self.context_length - rows :],
            lengths=None if lengths is None else lengths.clamp(max=rows),
        )

    def random_inputs(self, batch_size: int, seed: int = 0) -> dict[str, Tensor]:
        """Inputs with the mean and deviation of the training data, and random categories, known series and lengths.

        Without networks, their mean is 0 and their deviation 1.
        """
        generator = torch.Generator().manual_seed(seed)
        inputs, steps = self.inputs, self.context_length

        def whole(low: int, high: int, *shape: int) -> Tensor:
            return torch.randint(low, high + 1, (batch_size, *shape), generator=generator)

        def draw(name: str, mean: Tensor, scale: Tensor, *shape: int) -> Tensor:
            values = mean + scale.where(scale < IGNORED_SCALE, 0.0) * torch.randn(
                batch_size, *shape, mean.shape[-1], generator=generator
            )
            for channel, names in self.signature.categories[name]:
                values[..., channel] = whole(0, names, *shape).to(values.dtype)
            return values

        series, lengths = whole(1, max(1, inputs.n_series)), whole(self.signature.required_rows, steps)
        member = self._typical()
        mean, scale = torch.zeros(1, inputs.n_inputs), torch.ones(1, inputs.n_inputs)
        static_mean, static_scale = torch.zeros(inputs.n_static), torch.ones(inputs.n_static)
        if member is not None:
            mean, scale = member.moments(series)
            static_mean, static_scale = member.static_mean, member.static_scale
        past = draw("past", mean, scale, steps)
        first = inputs.n_inputs - inputs.n_future
        future = draw("future", mean[..., first:], scale[..., first:], self.horizon)
        static = draw("static", static_mean, static_scale)
        if member is not None and member.log:
            past[..., : inputs.n_targets] = past[..., : inputs.n_targets].exp()
        if self.signature.padded:
            past = past * real_rows(lengths, steps).unsqueeze(-1)
        drawn: dict[str, Any] = {"past": past, "future": future, "static": static, "series": series, "lengths": lengths}
        return {name: drawn[name] for name in self.shapes}

    def _typical(self) -> NetworkForecaster | None:
        """The member whose scaler describes the training data: one with logarithms, for which targets are positive."""
        networks = [member for _, member in self.networks]
        return next((member for member in networks if member.log), networks[0] if networks else None)

    def distance(self, found: Outputs, expected: Outputs, inputs: dict[str, Tensor]) -> Distance:
        """The difference between other forecasts and its own, see :meth:`Servable.distance`."""
        absolute, relative = 0.0, 0.0
        for other, own in zip(found, expected, strict=True):
            difference = _difference(other, own)
            absolute = max(absolute, float(difference.max()))
            relative = max(relative, float((difference / self._scale_of(own, inputs.get("series"))).max()))
        return Distance(absolute, relative)

    def _scale_of(self, output: Tensor, series: Tensor | None) -> Tensor:
        """(B, H, Y) the scale of the targets in original units: the weighted mean of the networks' scales."""
        size = _largest(output.abs().nan_to_num())
        networks = self.networks
        if not networks:
            return torch.ones_like(size)
        scales = [weight * member.target_scale(size, series) for weight, member in networks]
        return sum(scales[1:], start=scales[0]) / sum(weight for weight, _ in networks)


class NetworkShare(BlendedForecaster):
    """The share of the networks in a blend that holds baselines which are computed outside of torch.

    Args:
        whole: The blend, with at least one network.
        forecast: Horizon and bounds.
    """

    def __init__(self, whole: BlendedForecaster, forecast: ForecastSpec) -> None:
        networks = [member for _, member in whole.networks]
        super().__init__(networks, [weight for weight, _ in whole.networks], whole.inputs, forecast)

    @property
    def output_shapes(self) -> dict[str, tuple[int, ...]]:
        """``share`` (H, Y, Q), the weighted sum of quantiles in original units; Q is 1 for points."""
        quantiles = max(len(member.network.quantiles) for _, member in self.networks)
        return {SHARE: (self.horizon, self.inputs.n_targets, quantiles)}

    def decode(self, blended: Tensor, inputs: Inputs) -> Outputs:
        """The weighted sum itself."""
        del inputs
        return (blended,)


def _difference(found: Tensor, expected: Tensor) -> Tensor:
    """(B, H, Y) largest difference over the quantiles; infinite where only one of the two is NaN."""
    same = (found == expected) | (found.isnan() & expected.isnan())
    return _largest((found - expected).abs().masked_fill(same, 0.0).nan_to_num(torch.inf))


def _largest(values: Tensor) -> Tensor:
    """The maximum of (B, H, Y, Q) over Q; (B, H, Y) is returned unchanged."""
    return values.amax(dim=-1) if values.ndim == 4 else values
