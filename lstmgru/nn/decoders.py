"""From what an encoder read to all steps of the horizon.

Every decoder is called with what the encoder gave, which steps of it are real (B, T) or ``None``, what is known of the
horizon (B, H, K), what is known of the series (B, S) and the last targets (B, segment length, Y), all normalized. It
returns forecasts (B, H, Y, Q) and, where the pooling is an attention, its weights (B, M, T): M is 1 for the direct
decoders, and the number of segments of the horizon for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lstmgru.nn.encoder import Encoded, Encoder, EncoderState
from lstmgru.nn.inputs import Segments
from lstmgru.nn.pooling import Pooled, make_pooling
from lstmgru.specs import ModelSpec

# Features between the covariates of the horizon and a forecast.
_FUTURE_FEATURES = 32


@dataclass(frozen=True)
class DecoderSizes:
    """What a decoder reads and writes.

    Attributes:
        horizon: H.
        n_targets: Y.
        n_quantiles: Q.
        n_future: K.
        n_static: S.
        n_channels: Channels that are forecast independently, as rows of the batch one after the other; 1: there are
            none.
    """

    horizon: int
    n_targets: int
    n_quantiles: int
    n_future: int
    n_static: int
    n_channels: int


class DirectDecoder(nn.Module):
    """All steps at once from one summary of the context; the horizon's covariates move their own step.

    Args:
        spec: Its decoder is ``linear``, or ``mlp``: with a hidden layer.
        encoder: Gives the summary.
        sizes: Of inputs and outputs.
    """

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.pooling = make_pooling(spec, encoder.n_outputs)
        width, outputs = encoder.n_outputs, sizes.n_targets * sizes.n_quantiles
        hidden = spec.decoder == "mlp"
        self.head = nn.Sequential(
            nn.Dropout(spec.dropout),
            *((nn.Linear(width, width), nn.ReLU()) if hidden else ()),
            nn.Linear(width, sizes.horizon * outputs),
        )
        self.future = _future_head(sizes.n_future, outputs, hidden=hidden) if sizes.n_future else None

    def forward(self, read: Encoded, real: Tensor | None, future: Tensor, static: Tensor, last: Tensor) -> Pooled:
        """Decode."""
        summary, weights = read.last, None
        if self.pooling is not None:
            pooled, weights = self.pooling(read.outputs, read.last.unsqueeze(1), real)
            summary = pooled.squeeze(1)
        sizes = self.sizes
        forecast = self.head(summary).unflatten(-1, (sizes.horizon, -1))
        if self.future is not None:
            forecast = forecast + self.future(future)
        return forecast.unflatten(-1, (sizes.n_targets, sizes.n_quantiles)), weights


def _future_head(n_future: int, outputs: int, *, hidden: bool) -> nn.Module:
    if not hidden:
        return nn.Linear(n_future, outputs, bias=False)
    return nn.Sequential(nn.Linear(n_future, _FUTURE_FEATURES), nn.ReLU(), nn.Linear(_FUTURE_FEATURES, outputs))


class _GoingOn(nn.Module):
    """What the decoders share that let the encoder's own recurrences go on over the horizon, segment by segment.

    Args:
        spec: The architecture.
        encoder: Its states are where they begin; the weights are shared with it.
        sizes: Of inputs and outputs.
        n_embedded: Features that the encoder reads.
    """

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes, n_embedded: int) -> None:
        super().__init__()
        self.sizes, self.n_embedded = sizes, n_embedded
        self.segments = Segments(spec.segment_length)
        self.n_steps = self.segments.count(sizes.horizon)
        self.pooling = make_pooling(spec, encoder.n_outputs)
        width = encoder.n_outputs * (1 if self.pooling is None else 2)
        outputs = spec.segment_length * sizes.n_targets * sizes.n_quantiles
        self.head = nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(width, outputs))

    def _forecast(self, outputs: Tensor, read: Encoded, real: Tensor | None) -> Pooled:
        """Recurrent outputs (B, M, width) for M segments → (B, M · segment length, Y, Q)."""
        weights = None
        if self.pooling is not None:
            pooled, weights = self.pooling(read.outputs, outputs, real)
            outputs = torch.cat([outputs, pooled], dim=-1)
        shape = (self.segments.length, self.sizes.n_targets, self.sizes.n_quantiles)
        return self.head(outputs).unflatten(-1, shape).flatten(1, 2), weights


class ParallelDecoder(_GoingOn):
    """One step from the encoder's state for each segment of the horizon, all at once (Lin et al. 2023).

    What tells the segments apart is an embedding of their position; independent channels have one as well, and the two
    share the features that the encoder reads.
    """

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes, n_embedded: int) -> None:
        super().__init__(spec, encoder, sizes, n_embedded)
        of_channel = n_embedded // 2 if sizes.n_channels > 1 else 0
        self.position = nn.Parameter(torch.randn(self.n_steps, n_embedded - of_channel))
        self.channel = nn.Parameter(torch.randn(sizes.n_channels, of_channel)) if of_channel else None
        known = self.segments.length * sizes.n_future + sizes.n_static
        self.known = nn.Linear(known, n_embedded, bias=False) if known else None

    def forward(
        self, encoder: Encoder, read: Encoded, real: Tensor | None, future: Tensor, static: Tensor, last: Tensor
    ) -> Pooled:
        """Decode."""
        batch, steps = static.shape[0], self.n_steps
        queries = self.position.expand(batch, -1, -1)
        if self.channel is not None:
            channels = self.channel.repeat(batch // self.sizes.n_channels, 1).unsqueeze(1).expand(-1, steps, -1)
            queries = torch.cat([queries, channels], dim=-1)
        if self.known is not None:
            known = [self.segments.from_start(future), static.unsqueeze(1).expand(-1, steps, -1)]
            queries = queries + self.known(torch.cat(known, dim=-1))
        state = _map_state(read.state, lambda tensor: tensor.repeat_interleave(steps, dim=0))
        outputs = encoder(queries.reshape(batch * steps, 1, -1), state).last.unflatten(0, (-1, steps))
        forecast, weights = self._forecast(outputs, read, real)
        return forecast[:, : self.sizes.horizon], weights


class RecurrentDecoder(_GoingOn):
    """One step after the other; each reads the forecast of the step before (Sutskever et al. 2014).

    It reads its own forecasts in training as well, so that it learns what it will meet.
    """

    def __init__(self, spec: ModelSpec, encoder: Encoder, sizes: DecoderSizes, n_embedded: int) -> None:
        super().__init__(spec, encoder, sizes, n_embedded)
        inputs = self.segments.length * (sizes.n_targets + sizes.n_future) + sizes.n_static
        self.embedding = nn.Sequential(nn.Linear(inputs, n_embedded), nn.ReLU())

    def forward(
        self, encoder: Encoder, read: Encoded, real: Tensor | None, future: Tensor, static: Tensor, last: Tensor
    ) -> Pooled:
        """Decode."""
        state, weights = read.state, []
        forecasts: list[Tensor] = []
        for known in self.segments.from_start(future).unbind(1):
            step = self.embedding(torch.cat([last.flatten(1), known, static], dim=-1))
            after = encoder(step.unsqueeze(1), state)
            state = after.state
            forecast, attention = self._forecast(after.last.unsqueeze(1), read, real)
            last = forecast[..., self.sizes.n_quantiles // 2]
            forecasts.append(forecast)
            weights += [attention] if attention is not None else []
        return torch.cat(forecasts, dim=1)[:, : self.sizes.horizon], torch.cat(weights, dim=1) if weights else None


def _map_state(state: EncoderState, of: Callable[[Tensor], Tensor]) -> EncoderState:
    """A function of every tensor of a state."""
    return tuple(tuple(tuple(of(tensor) for tensor in layer) for layer in stack) for stack in state)
