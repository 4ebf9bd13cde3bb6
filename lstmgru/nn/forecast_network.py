"""The forecasting network, and the size and latency of any network.

Forecasting means to normalize a window, encode it with recurrent layers, decode the horizon, and undo the
normalization.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.errors import SpecError
from lstmgru.nn.convolutions import Convolution
from lstmgru.nn.decoders import DECODER_CLASSES, Decoder, DecoderSizes
from lstmgru.nn.distributions import DISTRIBUTIONS, Distribution
from lstmgru.nn.encoder import Encoder
from lstmgru.nn.inputs import (
    CategoryEmbedding,
    InputNoise,
    Level,
    Segments,
    StaticFeatures,
    WindowNormalization,
    denormalize,
)
from lstmgru.specs import ForecastSpec, InputSpec, ModelSpec, TrainSpec
from lstmgru.specs.tasks import FORECAST_LOSSES, QUANTILE_LOSSES

MEDIAN = (0.5,)


class Inputs(NamedTuple):
    """A batch of windows: scaled where a network reads them, in original units where a bundle or a baseline does.

    Attributes:
        past: (B, T, F) contexts; categorical channels hold codes.
        future: (B, H, K) covariates known over the horizon.
        static: (B, S) static covariates; ``None`` if S is 0.
        series: (B,) codes of the series, from 1; ``None`` if the network has no parameters for each series.
        lengths: (B,) number of real rows at the end of each context; ``None`` if all are real.
    """

    past: Tensor
    future: Tensor
    static: Tensor | None = None
    series: Tensor | None = None
    lengths: Tensor | None = None


class _Read(NamedTuple):
    """A normalized forecast (B, H, Y, Q), its level, and the attention weights."""

    forecast: Tensor
    level: Level
    weights: Tensor | None


class ForecastNetwork(nn.Module):
    """Forecasts all steps of the horizon from a context.

    Args:
        spec: The architecture.
        inputs: Its inputs.
        horizon: H.
        quantiles: (Q,) ascending probabilities with the median in the middle; only the median for a point forecast.
        distribution: The loss of a network that forecasts the parameters of a distribution, see
            :data:`~lstmgru.nn.distributions.DISTRIBUTIONS`; ``None`` if it forecasts the quantiles themselves.

    Raises:
        SpecError: Values of the distribution are at least 0, and the architecture does not keep 0 where it is.
    """

    probabilities: Tensor

    def __init__(
        self,
        spec: ModelSpec,
        inputs: InputSpec,
        *,
        horizon: int,
        quantiles: tuple[float, ...] = MEDIAN,
        distribution: str | None = None,
    ) -> None:
        super().__init__()
        self.spec, self.inputs, self.horizon, self.quantiles = spec, inputs, horizon, quantiles
        self.register_buffer("probabilities", torch.tensor(quantiles), persistent=False)
        self.distribution = _distribution(distribution, spec, quantiles, inputs.n_targets)
        independent = spec.channels == "independent"
        decoder = DECODER_CLASSES[spec.decoder]
        n_targets, n_past, first_future = inputs.n_targets, inputs.n_inputs, inputs.n_inputs - inputs.n_future

        self.normalization = WindowNormalization(spec)
        self.noise = InputNoise(spec.input_noise)
        self.covariates = CategoryEmbedding(n_past - n_targets, _from(inputs.categories, n_targets))
        self.future = CategoryEmbedding(inputs.n_future, _from(inputs.categories, first_future))
        self.static = StaticFeatures(inputs, spec.series_embedding)
        # The parallel decoder has its own channel embedding, next to that of positions.
        size = min(16, n_targets // 2 + 1) if independent and n_targets > 1 and spec.decoder != "parallel" else 0
        self.channel = nn.Embedding(n_targets, size) if size else None
        n_static = self.static.n_outputs + size
        n_read = (1 if independent else n_targets) + self.covariates.n_outputs + inputs.padded

        self.convolution = (
            Convolution(n_read, spec.n_filters, spec.convolution, causal=True) if spec.convolution else None
        )
        n_read = spec.n_filters if spec.convolution else n_read
        self.segments = Segments(spec.segment_length)
        n_embedded = spec.branches[0][0].hidden_size
        n_segment = spec.segment_length * n_read + n_static
        embeds = decoder.reuses_encoder or spec.segment_length > 1
        self.embedding = nn.Sequential(nn.Linear(n_segment, n_embedded), nn.ReLU()) if embeds else None
        self.encoder = Encoder(spec, n_embedded if embeds else n_segment)
        sizes = DecoderSizes(
            horizon=horizon,
            n_targets=1 if independent else n_targets,
            n_outputs=len(quantiles) if self.distribution is None else self.distribution.n_outputs,
            n_future=self.future.n_outputs,
            n_static=n_static,
            n_channels=n_targets if independent else 1,
            n_embedded=n_embedded,
        )
        self.decoder: Decoder = decoder(spec, self.encoder, sizes)
        self.linear_path = _LinearPath(spec.context_length, horizon) if spec.linear_path else None

    @classmethod
    def of(cls, spec: ModelSpec, inputs: InputSpec, forecast: ForecastSpec, train: TrainSpec) -> Self:
        """The network that is trained with a loss: it forecasts quantiles if the loss is of quantiles.

        Args:
            spec: The architecture.
            inputs: Its inputs.
            forecast: Horizon and quantiles.
            train: The loss.
        """
        quantiles = forecast.quantiles if train.loss in QUANTILE_LOSSES else MEDIAN
        distribution = train.loss if train.loss in DISTRIBUTIONS else None
        return cls(spec, inputs, horizon=forecast.horizon, quantiles=quantiles, distribution=distribution)

    def forward(
        self,
        past: Tensor,
        future: Tensor,
        static: Tensor | None = None,
        series: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Forecast; see :class:`Inputs`.

        Returns:
            (B, H, Y, Q) scaled, ascending in Q.
        """
        read = self._read(Inputs(past, future, static, series, lengths))
        forecast = read.forecast
        if self.distribution is not None:
            forecast = self.distribution(forecast, read.level.scale.unsqueeze(-1))
        forecast = denormalize(forecast, read.level)
        # Rearrange crossing quantiles (Chernozhukov et al. 2010).
        return forecast.sort(dim=-1).values if len(self.quantiles) > 1 else forecast

    def loss(self, inputs: Inputs, target: Tensor, kind: str, *, partial: bool = False) -> Tensor:
        """Mean loss of a batch on normalized values, a scalar.

        Args:
            inputs: The batch.
            target: (B, H, Y) scaled.
            kind: ``mae``, ``mse``, ``huber`` or ``quantile``, or that of the distribution of the network.
            partial: Whether targets may be NaN, which are left out of the mean.

        Raises:
            SpecError: The loss is not for forecasts.
        """
        read = self._read(inputs)
        goal = ((target - read.level.shift) / read.level.scale).unsqueeze(-1)
        goal = goal if self.distribution is not None else goal.expand_as(read.forecast)
        if not partial:
            return self._errors(read, goal, kind, "mean")
        known = ~goal.isnan()
        errors = self._errors(read, goal.where(known, 0), kind, "none") * known
        return errors.sum() / known.sum().clamp(min=1)

    def _errors(self, read: _Read, goal: Tensor, kind: str, reduction: Literal["mean", "none"]) -> Tensor:
        own = None if self.distribution is None else type(self.distribution)
        if DISTRIBUTIONS.get(kind) is not own:
            name = next((name for name, each in DISTRIBUTIONS.items() if each is own), "that of no distribution")
            raise SpecError(f"the loss of a network must be that of its distribution, {name}, but got {kind!r}")
        forecast = read.forecast
        if self.distribution is not None:
            errors = self.distribution.loss(forecast, goal, read.level.scale.unsqueeze(-1))
            return errors.mean() if reduction == "mean" else errors
        match kind:
            case "mae":
                return F.l1_loss(forecast, goal, reduction=reduction)
            case "mse":
                return F.mse_loss(forecast, goal, reduction=reduction)
            case "huber":
                return F.huber_loss(forecast, goal, reduction=reduction)
            case "quantile":
                above = goal - forecast
                errors = torch.maximum(self.probabilities * above, (self.probabilities - 1) * above)
                return errors.mean() if reduction == "mean" else errors
            case _:
                raise SpecError(f"the loss of a forecast must be one of {', '.join(FORECAST_LOSSES)} but got {kind!r}")

    @torch.no_grad()
    def attention(self, inputs: Inputs) -> Tensor:
        """The attention weights of the forecasts.

        Returns:
            (B, C, M, L) weights with sum 1 over L, the segments of the context (steps, for a segment length of 1). C is
            Y if channels are independent, else 1; M is H / ``decoder.span``, rounded up.

        Raises:
            SpecError: The pooling is not an attention.
        """
        weights = self._read(inputs).weights
        if weights is None:
            raise SpecError(
                f"only a pooling of additive or multihead has attention weights, but this one is {self.spec.pooling}"
            )
        independent = self.spec.channels == "independent"
        return weights.reshape(-1, self.inputs.n_targets if independent else 1, *weights.shape[1:])

    def example_input(self, batch_size: int = 2) -> Inputs:
        """Zeros of the shapes that :meth:`forward` takes."""
        past = torch.zeros(batch_size, self.spec.context_length, self.inputs.n_inputs)
        return Inputs(past, torch.zeros(batch_size, self.horizon, self.inputs.n_future), *self.example_rest(batch_size))

    def example_rest(self, batch_size: int) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Static covariates, series and lengths of an example, as far as the network reads them."""
        static = torch.zeros(batch_size, self.inputs.n_static) if self.inputs.n_static else None
        series = torch.ones(batch_size, dtype=torch.int64) if self.spec.series_embedding else None
        lengths = torch.full((batch_size,), self.spec.context_length) if self.inputs.padded else None
        return static, series, lengths

    def _read(self, inputs: Inputs) -> _Read:
        """The normalized forecast."""
        n_targets = self.inputs.n_targets
        past, future = inputs.past, self.future(inputs.future)
        real = _real(inputs.lengths, past) if self.inputs.padded else None
        targets, level = self.normalization(past[..., :n_targets], real)
        targets = self.noise(targets, real)
        covariates = self.noise(self.covariates(past[..., n_targets:]), real, len(self.covariates.numeric))
        if real is not None:
            flags = real.unsqueeze(-1).to(past.dtype)
            covariates = torch.cat([covariates * flags, flags], dim=-1)
        static = self.static(
            past.new_zeros(past.shape[0], 0) if inputs.static is None else inputs.static, inputs.series
        )

        read = targets
        independent = self.spec.channels == "independent"
        if independent:  # each channel becomes a row of the batch
            targets = targets.transpose(1, 2).flatten(0, 1).unsqueeze(-1)
            covariates, future, static = (
                values.repeat_interleave(n_targets, dim=0) for values in (covariates, future, static)
            )
            real = None if real is None else real.repeat_interleave(n_targets, dim=0)
            if self.channel is not None:
                of_channel = self.channel.weight.repeat(past.shape[0], 1)
                static = torch.cat([static, of_channel], dim=-1)

        x = torch.cat([targets, covariates], dim=-1)
        x = self.segments(x if self.convolution is None else self.convolution(x, real))
        x = torch.cat([x, static.unsqueeze(1).expand(-1, x.shape[1], -1)], dim=-1)
        encoded = self.encoder(x if self.embedding is None else self.embedding(x))
        real = self.segments.real(real)
        last = targets[:, -self.segments.length :]
        forecast, weights = self.decoder(self.encoder, encoded, real, future, static, last)
        if independent:  # (B · Y, H, 1, Q) → (B, H, Y, Q)
            forecast = forecast.squeeze(2).unflatten(0, (-1, n_targets)).transpose(1, 2)
        if self.linear_path is not None:
            along = self.linear_path(read)
            forecast = forecast + (along if self.distribution is None else self.distribution.shift(along))
        return _Read(forecast, level, weights)


def _distribution(
    name: str | None, spec: ModelSpec, quantiles: tuple[float, ...], n_targets: int
) -> Distribution | None:
    if name is None:
        return None
    kind = DISTRIBUTIONS[name]
    if kind.nonnegative and (spec.normalization, spec.transform) != ("mean", "none"):
        raise SpecError(
            f"the loss {name} needs normalization mean and transform none, which keep 0 where it is, but the "
            f"architecture has {spec.normalization} and {spec.transform}"
        )
    return kind(quantiles, n_targets)


class _LinearPath(nn.Module):
    """A linear map from a target's context to its horizon, the same for all targets, which is 0 before training.

    Args:
        context_length: T.
        horizon: H.
    """

    def __init__(self, context_length: int, horizon: int) -> None:
        super().__init__()
        self.map = nn.Linear(context_length, horizon)
        nn.init.zeros_(self.map.weight)
        nn.init.zeros_(self.map.bias)

    def forward(self, targets: Tensor) -> Tensor:
        """(B, T, Y) normalized targets → (B, H, Y, 1), to be added to every quantile."""
        forecast: Tensor = self.map(targets.transpose(1, 2))
        return forecast.transpose(1, 2).unsqueeze(-1)


def _real(lengths: Tensor | None, past: Tensor) -> Tensor:
    """(B, T) False before the first real row of each context."""
    steps = torch.arange(past.shape[1], 0, -1, device=past.device)
    if lengths is None:
        return torch.ones(past.shape[:2], dtype=torch.bool, device=past.device)
    return steps <= lengths.unsqueeze(-1)


def _from(categories: tuple[tuple[int, int], ...], first: int) -> tuple[tuple[int, int], ...]:
    """The categories of the channels from ``first`` on, with channel numbers relative to it."""
    return tuple((channel - first, names) for channel, names in categories if channel >= first)
