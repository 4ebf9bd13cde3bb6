"""The labeling network: padding changes nothing, shapes, losses, dropout of tokens, first vectors, attention."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from helpers.combinations import every_combination, every_pair
from helpers.networks import RunningMean, assert_same
from torch import Tensor, nn
from torch.nn import functional as F

from lstmgru.data.sequences import vocabulary
from lstmgru.errors import SpecError
from lstmgru.nn import sequence_network as label_network
from lstmgru.nn.sequence_network import PADDING, UNKNOWN, SequenceInputs, SequenceNetwork
from lstmgru.specs import MERGES, POOLINGS, SequenceModelSpec, TrainSpec, cells, parse_branches

STEPS, CHANNELS, TOKENS = 7, 3, 11
LENGTHS = torch.tensor([4, 7, 1, 2, 5])
REAL = torch.arange(STEPS) < LENGTHS[:, None]
NGRAMS = np.tril(np.arange(1, 4) + 10 * np.arange(-1, TOKENS - 1)[:, None], k=-2)
"""No n-grams of the special tokens, then up to three."""
CELLS = ["lstm", "gru", "fused", "running_mean"]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_registered", {"running_mean": RunningMean})


def network_of(branches: str = "bi-gru(4)", *, n_outputs: int = 3, **spec: Any) -> SequenceNetwork:
    torch.manual_seed(0)
    if spec.get("tokens"):
        spec = {"embedding_size": 5, "normalization": "none", **spec}
    model = SequenceModelSpec(parse_branches(branches), max_length=STEPS, **spec)
    sizes: dict[str, Any] = {"n_channels": 0, "vocabulary_size": TOKENS} if model.tokens else {"n_channels": CHANNELS}
    if model.subwords:
        sizes["subwords"] = NGRAMS
    return SequenceNetwork(model, n_outputs=n_outputs, **sizes).double().eval()


def inputs_of(network: SequenceNetwork, *, padding: float = 0.0) -> SequenceInputs:
    """Five sequences; of tokens, the padding holds what is no code at all where it is not 0."""
    generator = torch.Generator().manual_seed(1)
    if network.spec.tokens is None:
        values = 5 + torch.randn(len(LENGTHS), STEPS, CHANNELS, generator=generator, dtype=torch.float64)
        return SequenceInputs(values.masked_fill(~REAL.unsqueeze(-1), padding), LENGTHS)
    codes = torch.randint(UNKNOWN, TOKENS, (len(LENGTHS), STEPS), generator=generator)
    return SequenceInputs(codes.masked_fill(~REAL, int(padding)), LENGTHS)


def gradients(network: SequenceNetwork, inputs: SequenceInputs) -> list[Tensor]:
    network.zero_grad()
    network(*inputs).sin().sum().backward()
    return [parameter.grad.clone() for parameter in network.parameters() if parameter.grad is not None]


def assert_padding_changes_nothing(network: SequenceNetwork, garbage: float) -> None:
    """The same alone and among longer ones, with zeros and with garbage in the padding, in outputs and gradients."""
    inputs = inputs_of(network)
    outputs = network(*inputs)
    for row, length in enumerate(LENGTHS.tolist()):
        alone = network(inputs.values[row : row + 1, :length], LENGTHS[row : row + 1])
        assert_same(outputs[row], alone[0])
    other = inputs_of(network, padding=garbage)
    assert_same(network(*other), outputs)
    for one, two in zip(gradients(network, other), gradients(network, inputs), strict=True):
        assert_same(one, two)


KINDS: dict[str, tuple[dict[str, Any], float]] = {
    "normalized": ({"normalization": "sequence"}, float("nan")),
    "numbers": ({"normalization": "fold"}, 1e9),
    "words": ({"tokens": "word"}, 10**6),
}
"""What the sequences are, and what stands in their padding."""


def check_padding(kind: str, branches: str, **options: Any) -> None:
    """It changes nothing in a network of these options."""
    spec, garbage = KINDS[kind]
    assert_padding_changes_nothing(network_of(branches, n_heads=2, **spec, **options), garbage)


LAYERS: dict[str, Iterable[Any]] = {
    "branches": [f"{side}{cell}(4)" for side, cell in product(("", "bi-"), CELLS)],
    "pooling": POOLINGS,
    "kind": KINDS,
}


@every_pair(**LAYERS)
def test_padding_changes_nothing(branches: str, pooling: str, kind: str) -> None:
    check_padding(kind, branches, pooling=pooling)


@pytest.mark.slow
def test_padding_changes_nothing_in_any_combination() -> None:
    for options in every_combination(**LAYERS):
        check_padding(**options)


@every_pair(pooling=["last", "max", "additive"], segment_length=[2, 3, 7], kind=KINDS)
def test_padding_changes_no_segment(pooling: str, segment_length: int, kind: str) -> None:
    check_padding(kind, "bi-lstm(4) > gru(3)", pooling=pooling, segment_length=segment_length)


@every_pair(convolution=[1, 2, 3, 5, 9], segment_length=[1, 3], kind=KINDS)
def test_padding_changes_no_convolution(convolution: int, segment_length: int, kind: str) -> None:
    check_padding(kind, "bi-gru(4)", pooling="mean", convolution=convolution, segment_length=segment_length)


@every_pair(segment_length=[1, 3], convolution=[0, 3], pooling=["last", "additive"], kind=KINDS)
def test_padding_changes_no_convolutional_branch(
    segment_length: int, convolution: int, pooling: str, kind: str
) -> None:
    options = {"segment_length": segment_length, "convolution": convolution, "pooling": pooling}
    check_padding(kind, "bi-gru(4)", fcn_filters=5, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_in_training_the_batch_decides_and_its_padding_does_not(kind: str) -> None:
    spec, garbage = KINDS[kind]
    network = network_of("gru(4)", fcn_filters=5, **spec).train()
    inputs, other = inputs_of(network), inputs_of(network, padding=garbage)
    assert_same(network(*other), network(*inputs))
    few = SequenceInputs(inputs.values[:2], inputs.lengths[:2])
    assert not torch.allclose(network(*few), network(*inputs)[:2])


def test_the_convolutional_branch_is_read_beside_the_recurrence() -> None:
    network = network_of("gru(4)", fcn_filters=5, segment_length=2, pooling="max")
    inputs = inputs_of(network)
    recurrent = network_of("gru(4)", segment_length=2, pooling="max")
    recurrent.load_state_dict(
        {name: network.state_dict()[name] for name in recurrent.state_dict() if "head" not in name}, strict=False
    )
    seen = []
    recurrent.head.register_forward_pre_hook(lambda _, summary: seen.append(summary[0]))
    recurrent(*inputs)
    assert network.fcn is not None
    summary = torch.cat([seen[0], network.fcn(network.reader(inputs.values, REAL), REAL)], dim=1)
    assert_same(network(*inputs), network.head(summary))


@every_pair(merge=MERGES, options=[{}, {"residual": True}, {"layer_norm": True}, {"head": "mlp"}], kind=KINDS)
def test_padding_changes_no_mix_of_layers(merge: str, options: dict[str, Any], kind: str) -> None:
    check_padding(kind, "bi-gru(3) > lstm(4) > bi-fused(2) | lstm(4)", merge=merge, pooling="mean", **options)


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing_in_single_precision(kind: str) -> None:
    spec, garbage = KINDS[kind]
    network = network_of("bi-gru(16) > lstm(8)", pooling="max", **spec).float()
    values, lengths = inputs_of(network, padding=garbage)
    values = values.float() if values.is_floating_point() else values
    outputs = network(values, lengths)
    alone = [network(values[row : row + 1, :length], lengths[row : row + 1]) for row, length in enumerate(lengths)]
    torch.testing.assert_close(outputs, torch.cat(alone), rtol=1e-6, atol=1e-6)


def test_more_padding_than_the_longest_sequence_needs_changes_nothing() -> None:
    network = network_of(pooling="additive")
    values, lengths = inputs_of(network)
    assert_same(network(F.pad(values, (0, 0, 0, 4)), lengths), network(values, lengths))


def test_the_network_is_its_parts_one_after_the_other() -> None:
    """Without padding: words, the encoder, the maximum, the head."""
    network = network_of("bi-gru(4) > lstm(6)", tokens="word", pooling="max", head="mlp")
    codes = torch.randint(UNKNOWN, TOKENS, (3, STEPS), generator=torch.Generator().manual_seed(1))
    outputs = network.encoder(network.reader.embedding(codes)).outputs
    first, second = network.head[1], network.head[4]
    expected = F.relu(outputs.amax(1) @ first.weight.T + first.bias) @ second.weight.T + second.bias
    assert_same(network(codes, torch.full((3,), STEPS)), expected)


def test_each_sequence_is_normalised_over_its_own_steps() -> None:
    network = network_of(normalization="sequence")
    values, _ = inputs_of(network)
    values[0] = 3.0  # does not vary
    moved = values * torch.tensor([2.0, 1e6, 1e-6]) + torch.tensor([1.0, -1e6, 0.0])
    read = network.reader(values, REAL)
    assert_same(network.reader(moved, REAL), read)
    assert (read[0] == 0).all()
    for row, length in enumerate(LENGTHS.tolist()):
        if length > 1 and row > 0:
            assert_same(read[row, :length].mean(0), torch.zeros(CHANNELS, dtype=torch.float64))
            assert_same(read[row, :length].std(0, correction=0), torch.ones(CHANNELS, dtype=torch.float64))


def test_a_large_level_that_does_not_vary_is_not_taken_for_a_pattern() -> None:
    network = network_of(normalization="sequence").float()
    values = torch.full((2, STEPS, CHANNELS), 1234567.8)
    assert (network.reader(values, torch.ones(2, STEPS, dtype=torch.bool)) == 0).all()


@pytest.mark.parametrize(("loss", "reference"), [("mae", F.l1_loss), ("mse", F.mse_loss), ("huber", F.huber_loss)])
def test_the_loss_of_numbers_is_torchs(loss: str, reference: Any) -> None:
    network = network_of(n_outputs=1)
    inputs, target = inputs_of(network), torch.linspace(-3, 3, 5, dtype=torch.float64)
    expected = reference(network(*inputs)[:, 0], target)
    assert_same(network.loss(inputs, target, TrainSpec(loss=loss)), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, (1.0, 0.5, 3.0)])
def test_the_loss_of_classes_is_the_weighted_cross_entropy(weights: tuple[float, ...] | None, smoothing: float) -> None:
    network, target = network_of(), torch.tensor([0, 2, 1, 1, 0])
    inputs = inputs_of(network)
    class_weights = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    loss = network.loss(inputs, target, TrainSpec(loss="cross_entropy", label_smoothing=smoothing), class_weights)
    logs = network(*inputs).log_softmax(1)
    weight = torch.ones(3, dtype=torch.float64) if class_weights is None else class_weights
    chosen = -(weight[target] * logs[torch.arange(5), target]).sum()
    spread = -(weight * logs).sum() / 3
    assert_same(loss, ((1 - smoothing) * chosen + smoothing * spread) / 5)


def test_a_loss_of_forecasts_is_refused() -> None:
    network = network_of(n_outputs=1)
    with pytest.raises(SpecError, match="must be cross_entropy, mae, mse or huber but got 'quantile'"):
        network.loss(inputs_of(network), torch.zeros(5), TrainSpec(loss="quantile"))


@pytest.mark.parametrize("pooling", ["additive", "multihead"])
def test_attention_has_a_weight_for_each_real_segment(pooling: str) -> None:
    network = network_of(pooling=pooling, segment_length=2)
    weights = network.attention(inputs_of(network))
    assert weights.shape == (5, 4)
    assert_same(weights.sum(1), torch.ones(5, dtype=torch.float64))
    real = torch.arange(4) * 2 < LENGTHS[:, None]
    assert ((weights > 0) == real).all()


def test_what_pools_without_attention_has_no_weights() -> None:
    network = network_of(pooling="max")
    with pytest.raises(SpecError, match="has attention weights, but this one is max"):
        network.attention(inputs_of(network))


def test_dropped_tokens_are_read_as_unknown_ones_in_training_only() -> None:
    network = network_of(tokens="word", token_dropout=0.5)
    nn.init.normal_(network.reader.embedding.weight)
    codes = torch.full((20, 200), 5)
    everything = torch.ones_like(codes, dtype=torch.bool)
    known, unknown = network.reader.embedding(torch.tensor([5, UNKNOWN]))
    assert (network.reader(codes, everything) == known).all()
    vectors = network.train().reader(codes, everything)
    as_unknown = (vectors == unknown).all(-1)
    assert (as_unknown | (vectors == known).all(-1)).all()
    assert as_unknown.double().mean().item() == pytest.approx(0.5, abs=0.03)


def test_noise_on_the_numbers_of_a_sequence_acts_in_training_alone() -> None:
    network = network_of(input_noise=0.1)
    inputs = inputs_of(network)
    assert torch.equal(network(*inputs), network_of()(*inputs))
    noisy = network.train().reader(inputs.values, REAL)
    assert (noisy[~REAL] == 0).all()
    assert ((noisy != inputs.values).all(-1) == REAL).all()


def test_texts_have_no_noise() -> None:
    with pytest.raises(SpecError, match=r"input_noise must be 0 for texts but got 0\.1"):
        network_of(tokens="word", input_noise=0.1)


def test_dropout_lies_behind_the_vectors_of_tokens_and_before_the_head() -> None:
    network = network_of("gru(4)", tokens="word", dropout=0.5).train()
    vectors = network.reader(*inputs_of(network)[:1], REAL)
    assert (vectors[REAL] == 0).double().mean().item() == pytest.approx(0.5, abs=0.15)
    assert isinstance(network.head[0], nn.Dropout)
    assert network.head[0].p == 0.5


@pytest.mark.parametrize("training", [True, False])
def test_a_word_has_the_mean_of_the_vectors_of_its_n_grams_beside_its_own(training: bool) -> None:
    network = network_of("gru(4)", tokens="word", subwords=True)
    reader = network.reader.train(training)
    codes, own, shared = inputs_of(network).values, reader.embedding.weight, reader.subwords.embedding.weight
    expected = own.clone()
    for code, ngrams in enumerate(NGRAMS):
        if ngrams.any():
            expected[code] += shared[ngrams[ngrams > 0]].mean(0)
    torch.testing.assert_close(reader(codes, REAL), expected[codes] * REAL.unsqueeze(-1))
    assert not [name for name in network.state_dict() if "embedding" not in name and "reader" in name]


def test_vectors_are_what_the_embedding_begins_with_where_there_are_any() -> None:
    vectors = torch.randn(TOKENS, 5)
    vectors[4] = torch.nan
    spec = SequenceModelSpec(parse_branches("gru(4)"), 7, tokens="word", embedding_size=5, normalization="none")
    torch.manual_seed(0)
    weight = SequenceNetwork(
        spec, n_channels=0, n_outputs=2, vocabulary_size=TOKENS, vectors=vectors
    ).reader.embedding.weight
    assert (weight[: UNKNOWN + 1] == 0).all()
    assert torch.equal(weight[[2, 3, *range(5, TOKENS)]], vectors[[2, 3, *range(5, TOKENS)]])
    assert weight[4].isfinite().all()
    assert weight.requires_grad


def test_the_codes_are_those_of_a_vocabulary() -> None:
    assert (label_network.PADDING, label_network.UNKNOWN) == (vocabulary.PADDING, vocabulary.UNKNOWN)


def test_every_token_has_its_n_grams() -> None:
    spec = SequenceModelSpec(
        parse_branches("gru(4)"), 7, tokens="word", embedding_size=5, normalization="none", subwords=True
    )
    with pytest.raises(SpecError, match="subwords must have 9 rows, one for each token, but has 8"):
        SequenceNetwork(spec, n_channels=0, n_outputs=2, vocabulary_size=9, subwords=NGRAMS[:8])


@pytest.mark.parametrize("spec", [{}, {"segment_length": 3}, {"tokens": "character"}])
def test_an_example_has_the_shapes_that_forward_takes(spec: dict[str, Any]) -> None:
    network = network_of(**spec).float()
    example = network.example_input(batch_size=4)
    assert example.values.shape[:2] == (4, STEPS)
    assert example.lengths.tolist() == [STEPS] * 4
    assert network(*example).shape == (4, 3)
    assert PADDING not in example.values or not spec.get("tokens")


@pytest.mark.parametrize(
    ("tokens", "sizes", "message"),
    [
        (None, {"n_channels": 0}, "reads numbers has at least 1 channel .* but got 0 and 0"),
        (None, {"n_channels": 2, "vocabulary_size": 5}, "reads numbers .* vocabulary_size of 0 but got 2 and 5"),
        ("word", {"n_channels": 0}, "reads texts .* vocabulary_size of at least 2 but got 0 and 0"),
        ("word", {"n_channels": 0, "vocabulary_size": 5, "subwords": NGRAMS}, "only then, but spec.subwords is False"),
        ("word", {"n_channels": 1, "vocabulary_size": 5}, "reads texts has 0 channels .* but got 1 and 5"),
    ],
)
def test_sizes_that_do_not_fit_the_architecture_are_refused(tokens: Any, sizes: dict[str, int], message: str) -> None:
    more = {"tokens": tokens, "embedding_size": 4, "normalization": "none"} if tokens else {}
    spec = SequenceModelSpec(parse_branches("gru(4)"), max_length=7, **more)
    with pytest.raises(SpecError, match=message):
        SequenceNetwork(spec, n_outputs=2, **sizes)
