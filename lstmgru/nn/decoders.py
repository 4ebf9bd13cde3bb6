"""Decoders from an encoded context to all steps of the horizon, with the common interface :class:`Decoder`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from lstmgru.nn.inputs import Segments
from lstmgru.nn.pooling import Pooled, make_pooling

if TYPE_CHECKING:
    from lstmgru.nn.encoder import Encoded, Encoder, EncoderState
    from lstmgru.specs import ModelSpec

# Hidden features between the future covariates and a forecast.
_FUTURE_FEATURES = 32


@dataclass(frozen=True)
class DecoderSizes:
    """Sizes of the inputs and outputs of a decoder.

    Attributes:
        horizon: H.
        n_targets: Y.
        n_outputs: Q, or the number of parameters of a distribution; the middle one is the level that is read again.
        n_future: K.
        n_static: S.
        n_channels: Channels that are forecast independently, as consecutive rows of the batch; 1 if there are none.
        n_embedded: Features that the encoder reads.
    """

    horizon: int
    n_targets: int
    n_outputs: int
    n_future: int
    n_static: int
    n_channels: int
    n_embedded: int


class Decoder(nn.Module, ABC):
    """Forecasts the horizon from an encoded context.

    Args:
        spec: The architecture.
        encoder: Produces the context; its weights are shared, not owned.
        sizes: Of inputs and outputs.
    """

    reuses_encoder: ClassVar[bool] = False
    """Whether the encoder also runs over the horizon, so that it must read embedded inputs."""

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.pooling = make_pooling(spec, encoder.n_outputs)

    @property
    @abstractmethod
    def span(self) -> int:
        """Steps of the horizon that share one row of attention weights."""

    @abstractmethod
    def forward(
        self, encoder: Encoder, encoded: Encoded, real: Tensor | None, future: Tensor, static: Tensor, last: Tensor
    ) -> Pooled:
        """Decode normalized values.

        Args:
            encoder: The encoder, whose recurrence may continue over the horizon.
            encoded: Its outputs and state after the context.
            real: (B, T) False in the padding of a context; ``None`` if nothing is padded.
            future: (B, H, K) features known over the horizon.
            static: (B, S) features of the series.
            last: (B, segment length, Y) the last targets of the context.

        Returns:
            Outputs (B, H, Y, n_outputs) and, if the pooling is an attention, its weights (B, M, T), with one row for
            every :attr:`span` steps of the horizon.
        """


class DirectDecoder(Decoder):
    """All steps at once from one summary of the context; future covariates only affect their own step.

    The decoder ``mlp`` has a hidden layer, ``linear`` has none.
    """

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes) -> None:
        super().__init__(spec, encoder, sizes)
        width, outputs = encoder.n_outputs, sizes.n_targets * sizes.n_outputs
        hidden = spec.decoder == "mlp"
        self.head = nn.Sequential(
            nn.Dropout(spec.dropout),
            *((nn.Linear(width, width), nn.ReLU()) if hidden else ()),
            nn.Linear(width, sizes.horizon * outputs),
        )
        self.future = _future_head(sizes.n_future, outputs, hidden=hidden) if sizes.n_future else None

    @property
    def span(self) -> int:
        """The whole horizon."""
        return self.sizes.horizon

    def forward(
        self, encoder: Encoder, encoded: Encoded, real: Tensor | None, future: Tensor, static: Tensor, last: Tensor
    ) -> Pooled:
        """Decode, see :meth:`Decoder.forward`."""
        summary, weights = encoded.last, None
        if self.pooling is not None:
            pooled, weights = self.pooling(encoded.outputs, encoded.last.unsqueeze(1), real)
            summary = pooled.squeeze(1)
        sizes = self.sizes
        forecast = self.head(summary).unflatten(-1, (sizes.horizon, -1))
        if self.future is not None:
            forecast = forecast + self.future(future)
        return forecast.unflatten(-1, (sizes.n_targets, sizes.n_outputs)), weights


def _future_head(n_future: int, outputs: int, *, hidden: bool) -> nn.Module:
    if not hidden:
        return nn.Linear(n_future, outputs, bias=False)
    return nn.Sequential(nn.Linear(n_future, _FUTURE_FEATURES), nn.ReLU(), nn.Linear(_FUTURE_FEATURES, outputs))


class SegmentDecoder(Decoder):
    """Base of the decoders that continue the encoder's own recurrence over the horizon, segment by segment."""

    reuses_encoder = True

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes) -> None:
        super().__init__(spec, encoder, sizes)
        self.segments = Segments(spec.segment_length)
        self.n_steps = self.segments.count(sizes.horizon)
        width = encoder.n_outputs * (1 if self.pooling is None else 2)
        outputs = spec.segment_length * sizes.n_targets * sizes.n_outputs
        self.head = nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(width, outputs))

    @property
    def span(self) -> int:
        """One segment."""
        return self.segments.length

    def _forecast(self, outputs: Tensor, encoded: Encoded, real: Tensor | None) -> Pooled:
        """Recurrent outputs (B, M, width) of M segments → (B, M · segment length, Y, Q)."""
        weights = None
        if self.pooling is not None:
            pooled, weights = self.pooling(encoded.outputs, outputs, real)
            outputs = torch.cat([outputs, pooled], dim=-1)
        shape = (self.segments.length, self.sizes.n_targets, self.sizes.n_outputs)
        return self.head(outputs).unflatten(-1, shape).flatten(1, 2), weights


class ParallelDecoder(SegmentDecoder):
    """One recurrent step for each segment of the horizon, all from the state after the context (Lin et al. 2023).

    Segments differ by an embedding of their position. Independent channels have an embedding as well; the two share
    the features that the encoder reads.
    """

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes) -> None:
        super().__init__(spec, encoder, sizes)
        of_channel = sizes.n_embedded // 2 if sizes.n_channels > 1 else 0
        self.position = nn.Parameter(torch.randn(self.n_steps, sizes.n_embedded - of_channel))
        self.channel = nn.Parameter(torch.randn(sizes.n_channels, of_channel)) if of_channel else None
        known = self.segments.length * sizes.n_future + sizes.n_static
        self.known = nn.Linear(known, sizes.n_embedded, bias=False) if known else None

    def forward(
        self, encoder: Encoder, encoded: Encoded, real: Tensor | None, future: Tensor, static: Tensor, last: Tensor
    ) -> Pooled:
        """Decode, see :meth:`Decoder.forward`."""
        batch, steps = static.shape[0], self.n_steps
        queries = self.position.expand(batch, -1, -1)
        if self.channel is not None:
            channels = self.channel.repeat(batch // self.sizes.n_channels, 1).unsqueeze(1).expand(-1, steps, -1)
            queries = torch.cat([queries, channels], dim=-1)
        if self.known is not None:
            known = [self.segments.from_start(future), static.unsqueeze(1).expand(-1, steps, -1)]
            queries = queries + self.known(torch.cat(known, dim=-1))
        state = _map_state(encoded.state, lambda tensor: tensor.repeat_interleave(steps, dim=0))
        outputs = encoder(queries.reshape(batch * steps, 1, -1), state).last.unflatten(0, (-1, steps))
        forecast, weights = self._forecast(outputs, encoded, real)
        return forecast[:, : self.sizes.horizon], weights


class AutoregressiveDecoder(SegmentDecoder):
    """One segment after the other; each step reads the forecast of the previous one (Sutskever et al. 2014).

    It reads its own forecasts during training as well (no teacher forcing).
    """

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes) -> None:
        super().__init__(spec, encoder, sizes)
        inputs = self.segments.length * (sizes.n_targets + sizes.n_future) + sizes.n_static
        self.embedding = nn.Sequential(nn.Linear(inputs, sizes.n_embedded), nn.ReLU())

    def forward(
        self, encoder: Encoder, encoded: Encoded, real: Tensor | None, future: Tensor, static: Tensor, last: Tensor
    ) -> Pooled:
        """Decode, see :meth:`Decoder.forward`."""
        state, weights = encoded.state, []
        forecasts: list[Tensor] = []
        for known in self.segments.from_start(future).unbind(1):
            step = self.embedding(torch.cat([last.flatten(1), known, static], dim=-1))
            after = encoder(step.unsqueeze(1), state)
            state = after.state
            forecast, attention = self._forecast(after.last.unsqueeze(1), encoded, real)
            last = forecast[..., self.sizes.n_outputs // 2]
            forecasts.append(forecast)
            weights += [attention] if attention is not None else []
        return torch.cat(forecasts, dim=1)[:, : self.sizes.horizon], torch.cat(weights, dim=1) if weights else None


DECODER_CLASSES: dict[str, type[Decoder]] = {
    "linear": DirectDecoder,
    "mlp": DirectDecoder,
    "parallel": ParallelDecoder,
    "recurrent": AutoregressiveDecoder,
}
"""The class of each value of ``ModelSpec.decoder``."""


def _map_state(state: EncoderState, of: Callable[[Tensor], Tensor]) -> EncoderState:
    """Apply a function to every tensor of a state."""
    return tuple(tuple(tuple(of(tensor) for tensor in layer) for layer in stack) for stack in state)
