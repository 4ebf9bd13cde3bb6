"""The whole network: every combination of its parts, channels apart, padding, quantiles, losses, size."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.combinations import each_row, every_combination, every_pair
from helpers.networks import EVERYTHING, FUTURE, assert_same, make_network, random_inputs
from scipy import stats
from sklearn.metrics import mean_tweedie_deviance
from torch import Tensor, nn

from lstmgru.errors import SpecError
from lstmgru.nn.costs import count_parameters
from lstmgru.nn.distributions import DISTRIBUTIONS, NegativeBinomial, Tweedie
from lstmgru.nn.forecast_network import ForecastNetwork, Inputs
from lstmgru.specs import (
    CHANNELS,
    DECODERS,
    MERGES,
    NORMALIZATIONS,
    POOLINGS,
    TRANSFORMS,
    InputSpec,
    ModelSpec,
    parse_branches,
)
from lstmgru.specs.tasks import FORECAST_LOSSES

QUANTILES = (0.1, 0.5, 0.9)
TOPOLOGIES = [("gru(3) > bi-fused(2)", "concat"), *(("lstm(3) > gru(4) | bi-fused(2)", merge) for merge in MERGES)]


OPTIONS: dict[str, Iterable[Any]] = {
    "topology": TOPOLOGIES,
    "pooling": POOLINGS,
    "decoder": DECODERS,
    "channels": CHANNELS,
    "segment_length": [1, 4],
    "linear_path": [False, True],
    "convolution": [0, 3],
}


def check_that_it_forecasts_and_learns(topology: tuple[str, str], **options: Any) -> None:
    """A forecast of the right shape, and a gradient for every parameter."""
    branches, merge = topology
    network = make_network(
        branches,
        inputs=EVERYTHING,
        context_length=6,
        horizon=5,
        quantiles=QUANTILES,
        merge=merge,
        n_heads=2,
        **options,
        residual=True,
        layer_norm=True,
        normalization="window",
        transform="difference",
        series_embedding=3,
        dropout=0.1,
        recurrent_dropout=0.2,
    ).train()
    inputs = random_inputs(network)
    assert network(*inputs).shape == (3, 5, 2, 3)
    loss = network.loss(inputs, torch.ones(3, 5, 2, dtype=torch.float64), "quantile")
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.isfinite()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


@every_pair(**OPTIONS)
def test_any_two_parts_together_forecast_and_learn_with_all_their_parameters(
    topology: tuple[str, str],
    pooling: str,
    decoder: str,
    channels: str,
    segment_length: int,
    linear_path: bool,
    convolution: int,
) -> None:
    options = {"pooling": pooling, "decoder": decoder, "channels": channels, "segment_length": segment_length}
    check_that_it_forecasts_and_learns(topology, linear_path=linear_path, convolution=convolution, **options)


@pytest.mark.slow
def test_every_combination_forecasts_and_learns_with_all_its_parameters() -> None:
    for options in every_combination(**OPTIONS):
        check_that_it_forecasts_and_learns(**options)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_every_normalisation_goes_with_every_transform(normalization: str) -> None:
    for transform in TRANSFORMS:
        network = make_network(normalization=normalization, transform=transform)
        assert network(*random_inputs(network)).isfinite().all()


def spread(network: ForecastNetwork, inputs: Inputs, changed: Tensor) -> list[bool]:
    """Which targets' forecasts differ where these are the contexts instead."""
    difference = network(*inputs._replace(past=changed)) - network(*inputs)
    return (difference.abs().amax(dim=(0, 1, 3)) > 1e-9).tolist()


@every_pair(pooling=POOLINGS, decoder=DECODERS, normalization=["fold", "window"])
def test_independent_channels_never_mix_and_joint_ones_do(pooling: str, decoder: str, normalization: str) -> None:
    options = {"pooling": pooling, "decoder": decoder, "normalization": normalization, "segment_length": 2}
    inputs_spec = InputSpec(n_targets=3, n_inputs=5, n_future=1)
    for channels, expected in (("independent", [False, True, False]), ("joint", [True, True, True])):
        network = make_network(inputs=inputs_spec, channels=channels, **options)
        inputs = random_inputs(network)
        changed = inputs.past.clone()
        changed[..., 1] = changed[..., 1].flip(1)
        assert spread(network, inputs, changed) == expected


def permuted(network: ForecastNetwork, order: list[int]) -> None:
    """Give each channel the embedding of another."""
    with torch.no_grad():
        if network.channel is not None:
            network.channel.weight.copy_(network.channel.weight[order])
        if isinstance(getattr(network.decoder, "channel", None), Tensor):
            own = network.get_parameter("decoder.channel")
            own.copy_(own[order])


@pytest.mark.parametrize("decoder", DECODERS)
def test_independent_channels_differ_by_their_embeddings_alone(decoder: str) -> None:
    """In another order, with their embeddings in that order too, they have the same forecasts."""
    order, inputs_spec = [2, 0, 1], InputSpec(n_targets=3, n_inputs=5, n_future=1)
    network = make_network("gru(6)", inputs=inputs_spec, channels="independent", decoder=decoder, segment_length=2)
    inputs = random_inputs(network)
    expected = network(*inputs)[:, :, order]
    past = inputs.past.clone()
    past[..., :3] = past[..., order]
    inputs = inputs._replace(past=past)
    assert not torch.allclose(network(*inputs), expected), "the embeddings tell channels apart"
    permuted(network, order)
    assert_same(network(*inputs), expected)


PADDED = InputSpec(n_targets=2, n_inputs=6, n_future=2, categories=((2, 4), (5, 3)), padded=True)


@each_row(
    ("branches", "options"),
    [
        ("lstm(4)", {}),
        ("gru(4)", {"segment_length": 4}),
        ("fused(4)", {"channels": "independent"}),
        ("bi-lstm(3) > bi-gru(4) | bi-fused(5)", {"merge": "gate", "residual": True, "layer_norm": True}),
        *(("bi-gru(4)", {"pooling": pooling, "segment_length": 2, "n_heads": 2}) for pooling in POOLINGS),
        *(("gru(4)", {"decoder": decoder, "segment_length": 4, "pooling": "additive"}) for decoder in DECODERS),
        *(("gru(4)", {"normalization": kind}) for kind in NORMALIZATIONS),
        *(("gru(4)", {"normalization": kind, "transform": "difference"}) for kind in NORMALIZATIONS),
        *(("gru(4)", {"normalization": kind, "linear_path": True}) for kind in NORMALIZATIONS),
        ("gru(4)", {"convolution": 3}),
        ("gru(4)", {"convolution": 5, "segment_length": 4, "channels": "independent"}),
    ],
)
def test_what_stands_in_padded_rows_changes_no_forecast(branches: str, options: dict[str, Any]) -> None:
    network = make_network(branches, inputs=PADDED, **options)
    network = weighted(network) if network.linear_path is not None else network
    inputs = random_inputs(network)._replace(lengths=torch.tensor([1, 4, 9]))
    before = network(*inputs)
    garbage = inputs.past.clone()
    garbage[0, :8, [0, 1, 3, 4]], garbage[1, :5, [0, 1, 3, 4]] = 1e3, -1e3
    garbage[0, :8, [2, 5]] = 3.0
    assert_same(network(*inputs._replace(past=garbage)), before)
    garbage[2, 0, [0, 1, 3, 4]] += 1.0
    assert not torch.allclose(network(*inputs._replace(past=garbage))[2], before[2]), "a real first row counts"


@pytest.mark.parametrize("options", [{}, {"segment_length": 2}, {"pooling": "mean", "normalization": "window"}])
def test_without_padding_a_network_that_knows_of_it_forecasts_what_one_does_that_does_not(
    options: dict[str, Any],
) -> None:
    """But for the weights of the flag that says which rows are real."""
    padded = make_network(inputs=InputSpec(2, 5, 2, padded=True), decoder="parallel", **options)
    plain = make_network(inputs=InputSpec(2, 5, 2), decoder="parallel", **options)
    values = padded.state_dict()
    wide = values["embedding.0.weight"].unflatten(1, (-1, 2 + 3 + 1))
    wide[..., -1] = 0  # a view: also in the padded network
    values["embedding.0.weight"] = wide[..., :-1].flatten(1)
    plain.load_state_dict(values)
    inputs = random_inputs(padded)._replace(lengths=torch.full((3,), 9))
    assert_same(padded(*inputs), plain(*inputs[:2]))
    assert_same(padded(*inputs), padded(*inputs[:2])), "and where no lengths are given"


def test_quantiles_never_cross() -> None:
    network = make_network(quantiles=QUANTILES)
    forecast = network(*random_inputs(network, 20))
    assert (forecast.diff(dim=-1) >= 0).all()
    assert (network._read(random_inputs(network, 20)).forecast.diff(dim=-1) < 0).any(), "which they would"


@pytest.mark.parametrize(("kind", "expected"), [("mae", 1.5), ("mse", 3.25), ("huber", (0.125 + 2.0) / 2)])
def test_the_loss_is_the_mean_over_batch_steps_and_targets(kind: str, expected: float) -> None:
    network = make_network()
    inputs = random_inputs(network)
    target = network(*inputs).squeeze(-1).detach()
    target[..., 0] += 0.5
    target[..., 1] -= 2.5
    assert network.loss(inputs, target, kind).item() == pytest.approx(expected)  # type: ignore[arg-type]


def test_the_quantile_loss_is_the_mean_pinball_loss() -> None:
    network = make_network(quantiles=QUANTILES)
    inputs = random_inputs(network)
    target = torch.randn(3, 4, 2, dtype=torch.float64)
    forecast = network._read(inputs).forecast
    losses = [
        probability * error if error > 0 else (probability - 1) * error
        for q, probability in enumerate(QUANTILES)
        for error in (target - forecast[..., q]).flatten().tolist()
    ]
    assert network.loss(inputs, target, "quantile").item() == pytest.approx(np.mean(losses))


@pytest.mark.parametrize("decoder", ["linear", "recurrent"])
def test_a_student_t_has_the_likelihood_and_the_quantiles_of_scipy(decoder: Any) -> None:
    network = make_network(quantiles=QUANTILES, distribution="student_t", decoder=decoder, linear_path=True)
    nn.init.normal_(network.linear_path.map.weight)  # type: ignore[union-attr]
    inputs, target = random_inputs(network), torch.randn(3, 4, 2, dtype=torch.float64)
    outputs = network._read(inputs).forecast.detach().numpy()
    location, scale = outputs[..., 1], np.logaddexp(outputs[..., 0], 0) + 1e-3
    law = stats.t(4, location, scale)
    quantiles = np.stack([law.ppf(each) for each in QUANTILES], axis=-1)
    np.testing.assert_allclose(network(*inputs).detach(), quantiles, rtol=1e-5)
    constant = math.lgamma(2.5) - math.lgamma(2) - math.log(4 * math.pi) / 2
    expected = constant - law.logpdf(target.numpy()).mean()
    assert network.loss(inputs, target, "student_t").item() == pytest.approx(expected)
    for other, kind, name in (
        (network, "quantile", "student_t"),
        (network, "tweedie", "student_t"),
        (make_network(quantiles=QUANTILES), "student_t", "that of no distribution"),
    ):
        with pytest.raises(SpecError, match=f"must be that of its distribution, {name}, but got '{kind}'"):
            other.loss(inputs, target, kind)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", [0.0, 0.4, 7.0, 600.0])
def test_a_negative_binomial_has_the_likelihood_and_the_quantiles_of_scipy(level: float) -> None:
    """Quantiles below 128 are exact, those above are approximations."""
    law = NegativeBinomial(QUANTILES, 2).double()
    law.unit.copy_(torch.tensor([1.0, 3.0]))
    outputs = torch.randn(3, 40, 2, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scale = torch.full((3, 1, 2, 1), level + 1e-4, dtype=torch.float64)
    in_counts = scale * law.unit.unsqueeze(-1)
    dispersion = np.logaddexp(outputs[..., 0].numpy(), 0) + 1e-3
    mean = (np.logaddexp(outputs[..., 1].numpy(), 0) + 1e-4) * (1 + in_counts[..., 0].numpy())
    known = stats.nbinom(1 / dispersion, 1 / (1 + dispersion * mean))
    np.testing.assert_allclose(known.var(), mean + dispersion * mean**2)

    found = (law(outputs, scale) * in_counts).numpy()
    expected = np.stack([known.ppf(each) for each in QUANTILES], axis=-1)
    exact = expected < law.grid
    np.testing.assert_allclose(found[exact], expected[exact], atol=1e-6)
    np.testing.assert_allclose(found[~exact], expected[~exact], rtol=0.2)
    above = ~exact & (dispersion <= 1)[..., None]
    np.testing.assert_allclose(found[above], expected[above], rtol=0.07)
    counts = np.arange(240).reshape(3, 40, 2)
    goal = torch.from_numpy(counts / in_counts[..., 0].numpy()).unsqueeze(-1)
    np.testing.assert_allclose(law.loss(outputs, goal, scale)[..., 0], -known.logpmf(counts), rtol=1e-6, atol=1e-8)


def test_a_tweedie_loss_is_half_the_deviance_and_least_at_the_mean() -> None:
    law, values = Tweedie((0.5,), 1).double(), torch.tensor([0.0, 0.0, 3.0, 1.0], dtype=torch.float64)
    scale = torch.full((4, 1, 1, 1), 2.0, dtype=torch.float64)
    outputs = torch.linspace(-3, 3, 4001, dtype=torch.float64).reshape(1, -1, 1, 1)
    losses, means = law.loss(outputs, values.reshape(4, 1, 1, 1), scale), law(outputs, scale)[0].flatten()
    assert means.min() > 0
    assert means[losses.mean(0).argmin()].item() == pytest.approx(1.0, abs=2e-3)
    for number, value in enumerate(values.tolist()):  # sklearn's deviance has terms of the value alone
        halves = [mean_tweedie_deviance([value], [mean], power=1.5) / 2 for mean in means[::1000].tolist()]
        np.testing.assert_allclose(np.diff(losses[number].flatten()[::1000]), np.diff(halves), rtol=1e-9)


def test_a_window_without_sales_is_forecast_in_the_units_of_the_panel() -> None:
    law, outputs = Tweedie((0.5,), 1).double(), torch.zeros(1, 1, 1, 1, dtype=torch.float64)
    nothing = torch.full((1, 1, 1, 1), 1e-4, dtype=torch.float64)
    assert (law(outputs, nothing) * nothing).item() == pytest.approx(math.log(2), rel=1e-3)


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("negative_binomial", {"normalization": "last"}),
        ("tweedie", {"normalization": "mean", "transform": "difference"}),
    ],
)
def test_counts_need_windows_in_which_0_stays_0(name: str, spec: Any) -> None:
    with pytest.raises(SpecError, match=f"the loss {name} needs normalization mean and transform none"):
        make_network(distribution=name, **spec)


def weighted(network: ForecastNetwork) -> ForecastNetwork:
    """The network with random weights in its linear path, which are 0 at first."""
    assert network.linear_path is not None
    for parameter in network.linear_path.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize("decoder", DECODERS)
def test_before_training_a_network_with_a_linear_path_is_one_without(decoder: str) -> None:
    plain, network = (make_network(decoder=decoder, linear_path=on) for on in (False, True))
    rest = {name: value for name, value in network.state_dict().items() if not name.startswith("linear_path.")}
    assert rest.keys() == plain.state_dict().keys()
    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in rest.items())
    assert torch.equal(network(*random_inputs(network)), plain(*random_inputs(plain)))


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("normalization", ["fold", "last", "mean"])
def test_the_linear_path_maps_each_target_in_its_normalized_units(channels: str, normalization: str) -> None:
    options = {"channels": channels, "normalization": normalization, "quantiles": QUANTILES}
    network = weighted(make_network(linear_path=True, **options))
    inputs = random_inputs(network)
    past = inputs.past[..., :2].numpy()
    last, size = past[:, -1:], np.abs(past).mean(axis=1, keepdims=True) + 1e-4
    shift = last if normalization == "last" else np.zeros_like(last)
    scale = size if normalization == "mean" else np.ones_like(last)
    weight, bias = (parameter.detach().numpy() for parameter in network.linear_path.parameters())  # type: ignore[union-attr]
    added = (np.einsum("ht,bty->bhy", weight, (past - shift) / scale) + bias[:, None]) * scale
    plain = make_network(**options)
    plain.load_state_dict(network.state_dict(), strict=False)
    expected = plain(*inputs) + torch.from_numpy(added).unsqueeze(-1)
    assert_same(network(*inputs), expected)


def test_dropout_acts_in_training_only() -> None:
    network = make_network("lstm(8) > gru(8)", dropout=0.5)
    inputs = random_inputs(network)
    assert torch.equal(network(*inputs), network(*inputs))
    network.train()
    assert not torch.equal(network(*inputs), network(*inputs))


@pytest.mark.parametrize("decoder", DECODERS)
def test_dropout_lies_before_the_head_too(decoder: str) -> None:
    network = make_network("lstm(8)", dropout=0.5, decoder=decoder).train()
    inputs = random_inputs(network)
    assert not torch.equal(network(*inputs), network(*inputs))


def test_attention_weights_are_there_where_there_is_an_attention() -> None:
    network = make_network(pooling="mean")
    with pytest.raises(SpecError, match=r"only a pooling of additive or multihead has attention weights, .* is mean"):
        network.attention(random_inputs(network))


def test_attention_weights_of_independent_channels_are_told_apart() -> None:
    network = make_network(pooling="additive", channels="independent")
    inputs = random_inputs(network)
    before = network.attention(inputs)
    inputs.past[..., 1] = inputs.past[..., 1].flip(1)
    after = network.attention(inputs)
    assert_same(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1])


@pytest.mark.parametrize("inputs", [InputSpec(1, 1), FUTURE, EVERYTHING])
def test_an_example_has_the_shapes_that_the_network_reads(inputs: InputSpec) -> None:
    spec = ModelSpec(parse_branches("gru(3)"), 6, series_embedding=2 if inputs is EVERYTHING else 0)
    network = ForecastNetwork(spec, inputs, horizon=5)
    example = network.example_input(batch_size=4)
    assert network(*example).shape == (4, 5, inputs.n_targets, 1)
    assert [value is None for value in example[2:]] == [inputs is not EVERYTHING] * 3


def test_parameters_are_counted_as_the_formula_says() -> None:
    lstm, gru = 4 * 6 * (5 + 6 + 2), 3 * 4 * (6 + 4 + 2)
    head, future_head = 4 * 2 * (4 + 1), 2 * 2
    assert count_parameters(make_network("lstm(6) > gru(4)")) == lstm + gru + head + future_head


def test_parameters_of_a_segrnn_are_counted_as_the_formula_says() -> None:
    segrnn = make_network(
        "gru(8)",
        inputs=InputSpec(7, 7),
        context_length=12,
        horizon=6,
        channels="independent",
        segment_length=3,
        decoder="parallel",
    )
    value, gru, positions = 8 * (3 + 1), 3 * 8 * (8 + 8 + 2), 2 * 4 + 7 * 4
    assert count_parameters(segrnn) == value + gru + positions + 3 * (8 + 1)


@each_row("kind", FORECAST_LOSSES)
def test_targets_that_are_not_known_are_left_out_of_the_loss(kind: Any) -> None:
    distribution = kind if kind in DISTRIBUTIONS else None
    network = make_network(quantiles=QUANTILES, distribution=distribution, normalization="mean")
    inputs, target = random_inputs(network), torch.randn(3, 4, 2, dtype=torch.float64)
    missing = torch.rand(3, 4, 2, generator=torch.Generator().manual_seed(0)) < 0.4
    parameters = list(network.parameters())
    assert network.loss(inputs, target, kind, partial=True).item() == pytest.approx(
        network.loss(inputs, target, kind).item()
    )

    loss = network.loss(inputs, target.masked_fill(missing, torch.nan), kind, partial=True)

    read = network._read(inputs)
    goal = ((target - read.level.shift) / read.level.scale).unsqueeze(-1)
    goal = goal if kind in DISTRIBUTIONS else goal.expand_as(read.forecast)
    each = network._errors(read, goal, kind, "none")
    assert loss.item() == pytest.approx(each[~missing].mean().item())
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, parameters, allow_unused=False))
    nothing = network.loss(inputs, torch.full_like(target, torch.nan), kind, partial=True)
    assert nothing.item() == 0
    assert not any(gradient.any() for gradient in torch.autograd.grad(nothing, parameters))
