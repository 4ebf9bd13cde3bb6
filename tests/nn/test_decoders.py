"""The decoders against references written apart from them, and what of the horizon each of their steps may see."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.combinations import each_row
from helpers.networks import FUTURE, assert_same, copy_weights, make_network, random_inputs
from torch import Tensor, nn

from lstmgru.nn.forecast_network import ForecastNetwork, Inputs
from lstmgru.specs import InputSpec

QUANTILES = (0.1, 0.5, 0.9)


class SegRNN(nn.Module):
    """The model of Lin et al. (2023) as their paper has it: recurrent over segments, parallel over the horizon."""

    def __init__(self, n_channels: int, horizon: int, segment: int, size: int) -> None:
        super().__init__()
        self.horizon, self.segment = horizon, segment
        self.value = nn.Linear(segment, size)
        self.gru = nn.GRU(size, size, batch_first=True)
        self.position = nn.Parameter(torch.empty(horizon // segment, size // 2))
        self.channel = nn.Parameter(torch.empty(n_channels, size // 2))
        self.predict = nn.Linear(size, segment)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, H, C)."""
        batch, _, n_channels = x.shape
        last = x[:, -1:]
        segments = (x - last).permute(0, 2, 1).reshape(batch * n_channels, -1, self.segment)
        _, h = self.gru(torch.relu(self.value(segments)))
        positions = self.position.repeat(n_channels, 1)
        channels = self.channel.repeat_interleave(len(self.position), dim=0)
        queries = torch.cat([positions, channels], dim=1).unsqueeze(1).repeat(batch, 1, 1)
        _, h = self.gru(queries, h.repeat_interleave(len(self.position), dim=1))
        return self.predict(h[0]).reshape(batch, n_channels, self.horizon).permute(0, 2, 1) + last


def test_a_gru_over_segments_with_a_parallel_decoder_is_segrnn() -> None:
    network = make_network(
        "gru(8)",
        inputs=InputSpec(n_targets=3, n_inputs=3),
        context_length=12,
        horizon=6,
        channels="independent",
        normalization="last",
        segment_length=3,
        decoder="parallel",
    )
    reference = SegRNN(n_channels=3, horizon=6, segment=3, size=8).double()
    names = {"embedding.0.weight": "value.weight", "embedding.0.bias": "value.bias"}
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        names[f"encoder.branches.0.layers.0.forwards.{name}"] = f"gru.{name}_l0"
    names |= {"decoder.position": "position", "decoder.channel": "channel"}
    names |= {"decoder.head.1.weight": "predict.weight", "decoder.head.1.bias": "predict.bias"}
    assert set(names) == {name for name, _ in network.named_parameters()}, "nothing more is learnt, and nothing less"
    copy_weights(network, reference, names)
    inputs = random_inputs(network, 5)
    assert_same(network(*inputs).squeeze(-1), reference(inputs.past))


def reference_recurrent(network: ForecastNetwork, inputs: Inputs) -> Tensor:
    """The recurrent decoder of one GRU as a loop over the horizon's segments; quantiles as they come."""
    spec, length = network.inputs, network.spec.segment_length
    layer = dict(network.encoder.named_parameters(prefix=""))
    cell = nn.GRUCell(network.encoder.n_outputs, network.encoder.n_outputs).double()
    prefix = "branches.0.layers.0.forwards."
    with torch.no_grad():
        for name, value in cell.named_parameters():
            value.copy_(layer[prefix + name])
    assert network.embedding is not None
    assert inputs.static is not None
    h = torch.zeros(len(inputs.past), cell.hidden_size, dtype=torch.float64)
    for segment in inputs.past.split(length, dim=1):
        h = cell(network.embedding(torch.cat([segment.flatten(1), inputs.static], 1)), h)
    last, forecasts = inputs.past[:, -length:, : spec.n_targets], []
    for known in inputs.future.split(length, dim=1):
        step = torch.cat([last.flatten(1), known.flatten(1), inputs.static], 1)
        h = cell(network.decoder.embedding(step), h)  # type: ignore[operator]
        forecast = network.decoder.head(h).reshape(-1, length, spec.n_targets, len(network.quantiles))  # type: ignore[operator]
        last = forecast[..., 1]  # the median is what it reads next
        forecasts.append(forecast)
    return torch.cat(forecasts, dim=1)


def test_the_recurrent_decoder_reads_its_own_medians_segment_by_segment() -> None:
    inputs_spec = InputSpec(n_targets=2, n_inputs=5, n_future=2, n_static=1)
    network = make_network(
        "gru(6)",
        inputs=inputs_spec,
        context_length=8,
        horizon=6,
        quantiles=QUANTILES,
        segment_length=2,
        decoder="recurrent",
    )
    inputs = random_inputs(network)
    assert_same(network(*inputs), reference_recurrent(network, inputs).sort(-1).values)


def changed_steps(network: ForecastNetwork, step: int) -> list[int]:
    """Steps of the forecast that a change of what is known of one step of the horizon moves."""
    inputs = random_inputs(network)
    future = inputs.future.clone()
    future[:, step] += 1.0
    difference = (network(*inputs._replace(future=future)) - network(*inputs)).abs().amax(dim=(0, 2, 3))
    return difference.nonzero().flatten().tolist()


ENCODERS = pytest.mark.parametrize(
    ("branches", "options"),
    [
        ("gru(5)", {}),
        ("bi-lstm(4)", {"pooling": "additive"}),
        ("fused(4) > gru(4) | lstm(5)", {"pooling": "multihead", "n_heads": 2, "merge": "gate", "residual": True}),
        ("lstm(5)", {"channels": "independent", "normalization": "window", "pooling": "max"}),
    ],
    ids=["gru", "both directions", "branches", "channels apart"],
)


@ENCODERS
@pytest.mark.parametrize("decoder", ["linear", "mlp"])
def test_what_is_known_of_a_step_changes_that_step_only(branches: str, options: dict[str, Any], decoder: str) -> None:
    network = make_network(branches, horizon=7, segment_length=3, decoder=decoder, **options)
    assert changed_steps(network, 4) == [4]


@ENCODERS
def test_in_parallel_what_is_known_of_a_segment_changes_that_segment_only(
    branches: str, options: dict[str, Any]
) -> None:
    network = make_network(branches, horizon=7, segment_length=3, decoder="parallel", **options)
    assert changed_steps(network, 4) == [3, 4, 5]
    assert changed_steps(network, 6) == [6], "a last segment that is not full"


@ENCODERS
def test_a_recurrence_goes_forward_what_is_known_of_a_segment_changes_it_and_those_after_it(
    branches: str, options: dict[str, Any]
) -> None:
    network = make_network(branches, horizon=7, segment_length=3, decoder="recurrent", **options)
    assert changed_steps(network, 4) == [3, 4, 5, 6]
    assert changed_steps(network, 0) == [0, 1, 2, 3, 4, 5, 6]


@each_row("decoder", ["linear", "mlp", "recurrent", "parallel"])
@each_row(("context_length", "horizon", "segment_length"), [(9, 4, 1), (9, 7, 4), (10, 2, 5), (5, 5, 5)])
def test_segments_need_not_divide_the_context_or_the_horizon(
    decoder: str, context_length: int, horizon: int, segment_length: int
) -> None:
    network = make_network(
        context_length=context_length, horizon=horizon, segment_length=segment_length, decoder=decoder
    )
    assert network(*random_inputs(network)).shape == (3, horizon, FUTURE.n_targets, 1)


@pytest.mark.parametrize("decoder", ["recurrent", "parallel"])
def test_the_recurrences_of_the_encoder_go_on_with_its_own_weights(decoder: str) -> None:
    one = make_network("gru(5)", decoder=decoder)
    names = [name for name, _ in one.named_parameters() if "weight_hh" in name]
    assert names == ["encoder.branches.0.layers.0.forwards.weight_hh"]


@pytest.mark.parametrize("decoder", ["recurrent", "parallel"])
def test_units_that_are_dropped_from_the_recurrence_stay_dropped_over_the_horizon(decoder: str) -> None:
    """A batch in training is one in which the columns of those units are 0 throughout."""
    network = make_network("gru(6)", decoder=decoder, segment_length=2, recurrent_dropout=0.5).train()
    inputs = random_inputs(network)
    torch.manual_seed(3)
    dropped = network(*inputs)
    torch.manual_seed(3)
    mask = torch.empty(1, 6, dtype=torch.float64).bernoulli_(0.5)
    assert 0 < mask.sum() < 6, "a mask that shows nothing; take another seed"
    with torch.no_grad():
        network.get_parameter("encoder.branches.0.layers.0.forwards.weight_hh").mul_(mask / 0.5)
    assert_same(dropped, network.eval()(*inputs))


@each_row(
    ("options", "shape"),
    [
        ({}, (3, 1, 1, 9)),
        ({"decoder": "mlp", "channels": "independent", "segment_length": 2}, (3, 2, 1, 5)),
        ({"decoder": "parallel", "segment_length": 2}, (3, 1, 4, 5)),
        ({"decoder": "recurrent", "channels": "independent", "segment_length": 4}, (3, 2, 2, 3)),
    ],
)
@each_row("pooling", ["additive", "multihead"])
def test_every_decoder_says_what_its_forecasts_look_at(
    pooling: str, options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    network = make_network(horizon=7, pooling=pooling, n_heads=2, **options)
    weights = network.attention(random_inputs(network))
    assert weights.shape == shape
    assert_same(weights.sum(-1), torch.ones(shape[:-1], dtype=torch.float64))
