"""The encoder against compositions by hand: order, directions, skips, norms, merges, states, and unequal lengths."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.combinations import each_row
from helpers.networks import RunningMean, assert_same
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from lstmgru.nn.cells.fused import FusedCell
from lstmgru.nn.cells.gru import GRU
from lstmgru.nn.cells.lstm import LSTM
from lstmgru.nn.encoder import Concat, Encoder, Gate, RecurrentLayer, RecurrentStack, Sum, make_merge
from lstmgru.specs import LayerSpec, ModelSpec, cells, parse_branches, parse_layers

CELLS = {"lstm": LSTM, "gru": GRU, "fused": FusedCell}
TORCHS: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU}


def stack_of(layers: str, **options: Any) -> RecurrentStack:
    torch.manual_seed(0)
    stack = RecurrentStack(parse_layers(layers), n_inputs=3, dropout=options.pop("dropout", 0.0), **options)
    return stack.double().eval()


def encoder_of(branches: str, **options: Any) -> Encoder:
    torch.manual_seed(0)
    return Encoder(ModelSpec(parse_branches(branches), context_length=7, **options), n_inputs=3).double().eval()


def sequence(steps: int = 7, features: int = 3) -> Tensor:
    return torch.randn(4, steps, features, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def torchs(layer: RecurrentLayer, spec: LayerSpec, n_inputs: int) -> nn.RNNBase:
    """torch's layer with the weights of ours."""
    reference = TORCHS[spec.cell](n_inputs, spec.hidden_size, batch_first=True, bidirectional=spec.bidirectional)
    with torch.no_grad():
        for direction, suffix in ((layer.forwards, "l0"), (layer.backwards, "l0_reverse")):
            for name, value in direction.named_parameters() if direction is not None else ():
                getattr(reference.double(), f"{name}_{suffix}").copy_(value)
    return reference


@pytest.mark.parametrize(
    "layers", ["lstm(5)", "gru(5)", "lstm(6) > gru(4)", "gru(4) > lstm(6) > gru(3)", "bi-gru(4) > lstm(3) > bi-lstm(2)"]
)
def test_layers_are_applied_in_the_order_of_the_architecture_string(layers: str) -> None:
    stack, specs = stack_of(layers), parse_layers(layers)
    expected, n_inputs = sequence(), 3
    for layer, spec in zip(stack.layers, specs, strict=True):
        assert isinstance(layer, RecurrentLayer)
        expected, _ = torchs(layer, spec, n_inputs)(expected)
        n_inputs = spec.n_outputs
    assert_same(stack(sequence())[0], expected)
    assert stack.n_outputs == expected.shape[-1]


def test_a_stack_may_mix_all_cells() -> None:
    stack = stack_of("fused(4) > gru(3) > lstm(5) > fused(2)")
    assert [type(layer.forwards) for layer in stack.layers] == [FusedCell, GRU, LSTM, FusedCell]
    expected = sequence()
    for layer in stack.layers:
        expected, _ = layer.forwards(expected)
    assert_same(stack(sequence())[0], expected)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_layer_in_both_directions_is_torchs(cell: str) -> None:
    layers = f"bi-{cell}(5)"
    stack = stack_of(layers)
    reference = torchs(stack.layers[0], parse_layers(layers)[0], 3)  # type: ignore[arg-type]
    expected, after = reference(sequence())
    outputs, last, state = stack(sequence())
    assert_same(outputs, expected)
    h_n = after[0] if cell == "lstm" else after
    assert_same(last, torch.cat([h_n[0], h_n[1]], dim=-1))
    assert_same(stack(sequence(3), state)[0], reference(sequence(3), after)[0])


def test_a_fused_layer_in_both_directions_reads_the_reversed_sequence_with_weights_of_its_own() -> None:
    (layer,) = stack_of("bi-fused(4)").layers
    outputs, _ = layer(sequence(), None)
    assert_same(outputs[..., :4], layer.forwards(sequence())[0])
    assert_same(outputs[..., 4:], layer.backwards(sequence().flip(1))[0].flip(1))
    assert not torch.allclose(outputs[..., :4], outputs[..., 4:])


def test_the_last_output_of_one_direction_is_the_one_at_the_last_step() -> None:
    outputs, last, _ = stack_of("bi-gru(4) > lstm(3)")(sequence())
    assert_same(last, outputs[:, -1])


def test_residual_connections_add_the_input_of_every_layer_but_the_first() -> None:
    stack = stack_of("gru(4) > gru(4) > lstm(6)", residual=True)
    assert stack.skips is not None
    first, second, third = stack.layers
    one = first(sequence(), None)[0]
    two = second(one, None)[0] + one
    three = third(two, None)[0] + two @ stack.skips[1].weight.T  # another width, after a linear map
    assert stack.skips[1].weight.shape == (6, 4)
    assert_same(stack(sequence())[0], three)


def test_layer_norm_gives_each_output_mean_0_and_deviation_1_over_its_features() -> None:
    stack = stack_of("lstm(6) > bi-gru(4)", layer_norm=True)
    first, second = stack.layers
    one = F.layer_norm(first(sequence(), None)[0], (6,))
    two = F.layer_norm(second(one, None)[0], (8,))
    outputs = stack(sequence())[0]
    assert_same(outputs, two)
    assert outputs.mean(-1).abs().max() < 1e-9
    assert stack.norms is not None
    assert all(norm.weight.requires_grad for norm in stack.norms)


def test_a_norm_comes_after_the_residual_connection() -> None:
    stack = stack_of("gru(4) > gru(4)", residual=True, layer_norm=True)
    first, second = stack.layers
    one = F.layer_norm(first(sequence(), None)[0], (4,))
    assert_same(stack(sequence())[0], F.layer_norm(second(one, None)[0] + one, (4,)))


def test_dropout_lies_between_two_layers_only() -> None:
    one = stack_of("gru(4)", dropout=0.5).train()
    assert torch.equal(one(sequence())[0], one(sequence())[0])
    two = stack_of("gru(4) > gru(3)", dropout=0.5).train()
    torch.manual_seed(5)
    outputs = two(sequence())[0]
    torch.manual_seed(5)
    between = F.dropout(two.layers[0](sequence(), None)[0], 0.5)
    assert_same(outputs, two.layers[1](between, None)[0])


def test_dropout_leaves_the_residual_connection_whole() -> None:
    stack = stack_of("gru(4) > gru(4)", dropout=0.5, residual=True).train()
    torch.manual_seed(5)
    outputs = stack(sequence())[0]
    torch.manual_seed(5)
    one = stack.layers[0](sequence(), None)[0]
    assert_same(outputs, stack.layers[1](F.dropout(one, 0.5), None)[0] + one)


def branches(widths: tuple[int, ...]) -> list[Tensor]:
    return [sequence(features=width) for width in widths]


def test_concat_puts_branches_side_by_side() -> None:
    merge, given = make_merge("concat", [4, 2]), branches((4, 2))
    assert isinstance(merge, Concat)
    assert merge.n_outputs == 6
    assert torch.equal(merge(given)[..., :4], given[0])
    assert torch.equal(merge(given)[..., 4:], given[1])


def test_sum_brings_other_widths_to_that_of_the_first() -> None:
    merge, given = make_merge("sum", [4, 2, 4]).double(), branches((4, 2, 4))
    assert isinstance(merge, Sum)
    assert merge.n_outputs == 4
    assert_same(merge(given), given[0] + given[1] @ merge.maps[1].weight.T + given[2])


def test_a_gate_weighs_the_branches_for_each_feature_and_step() -> None:
    torch.manual_seed(0)
    merge, given = make_merge("gate", [3, 2]).double(), branches((3, 2))
    assert isinstance(merge, Gate)
    one, two = given[0], given[1] @ merge.maps[1].weight.T
    scores = torch.cat([one, two], -1) @ merge.gate.weight.T + merge.gate.bias
    share = torch.sigmoid(scores[..., :3] - scores[..., 3:])  # a softmax over two
    assert_same(merge(given), share * one + (1 - share) * two)
    assert share.std(dim=(0, 1)).min() > 0.01, "weights that differ from step to step"


def test_the_weights_of_a_gate_sum_to_1() -> None:
    merge = make_merge("gate", [3, 3, 3]).double()
    assert_same(merge([sequence()] * 3), sequence())


@pytest.mark.parametrize("merge", ["concat", "sum", "gate"])
def test_branches_read_the_same_and_are_merged(merge: str) -> None:
    encoder = encoder_of("lstm(4) > gru(3) | bi-fused(5) | gru(3)", merge=merge)
    read = encoder(sequence())
    outputs = [branch(sequence())[0] for branch in encoder.branches]
    lasts = [outputs[0][:, -1], torch.cat([outputs[1][:, -1, :5], outputs[1][:, 0, 5:]], -1), outputs[2][:, -1]]
    assert encoder.merge is not None
    assert_same(read.outputs, encoder.merge(outputs))
    assert_same(read.last, encoder.merge(lasts))
    assert read.outputs.shape[-1] == encoder.n_outputs == (16 if merge == "concat" else 3)
    assert [len(states) for states in read.state] == [2, 1, 1]
    assert [len(state) for states in read.state for state in states] == [2, 1, 4, 1]


def test_an_encoder_goes_on_from_its_state_where_it_stopped() -> None:
    encoder = encoder_of("lstm(4) > gru(3) | fused(5)", merge="gate", residual=True, layer_norm=True)
    whole = encoder(sequence())
    first = encoder(sequence()[:, :3])
    second = encoder(sequence()[:, 3:], first.state)
    assert_same(torch.cat([first.outputs, second.outputs], 1), whole.outputs)
    assert_same(second.last, whole.last)


def test_one_branch_is_not_merged() -> None:
    encoder = encoder_of("gru(4) > lstm(6)", merge="gate")
    assert encoder.merge is None
    assert_same(encoder(sequence()).outputs, encoder.branches[0](sequence())[0])


LENGTHS = torch.tensor([7, 1, 4, 6])
EVERY_CELL = ["lstm", "gru", "fused", "running_mean"]
ENCODERS = [
    *(f"{direction}{cell}(4)" for cell in EVERY_CELL for direction in ("", "bi-")),
    "bi-gru(4) > lstm(4) > bi-fused(3)",
    "bi-lstm(3) | gru(4) > bi-running_mean(4)",
]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_registered", {"running_mean": RunningMean})


@each_row(
    ("branches", "merge"), [*((each, "concat") for each in ENCODERS), (ENCODERS[-1], "sum"), (ENCODERS[-1], "gate")]
)
def test_a_sequence_is_read_alone_as_among_longer_ones(branches: str, merge: str) -> None:
    for options in [{}, {"residual": True, "layer_norm": True}]:
        encoder = encoder_of(branches, merge=merge, **options)
        x = sequence()
        x[torch.arange(7) >= LENGTHS[:, None]] = 1e3
        read = encoder(x, lengths=LENGTHS)
        for row, length in enumerate(LENGTHS.tolist()):
            alone = encoder(x[row : row + 1, :length])
            assert_same(read.outputs[row, :length], alone.outputs[0])
            assert_same(read.last[row], alone.last[0])


@each_row("branches", ENCODERS)
def test_full_lengths_change_nothing(branches: str) -> None:
    encoder = encoder_of(branches)
    plain, with_lengths = encoder(sequence()), encoder(sequence(), lengths=torch.full((4,), 7))
    assert_same(with_lengths.outputs, plain.outputs)
    assert_same(with_lengths.last, plain.last)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_padding_is_passed_over_as_torchs_packed_sequences_do(cell: str) -> None:
    layers = f"bi-{cell}(5)"
    stack = stack_of(layers)
    reference = torchs(stack.layers[0], parse_layers(layers)[0], 3)  # type: ignore[arg-type]
    packed = pack_padded_sequence(sequence(), LENGTHS, batch_first=True, enforce_sorted=False)
    expected, after = reference(packed)
    outputs, last, _ = stack(sequence(), lengths=LENGTHS)
    real = torch.arange(7) < LENGTHS[:, None]
    assert_same(outputs[real], pad_packed_sequence(expected, batch_first=True)[0][real])
    h_n = after[0] if cell == "lstm" else after
    assert_same(last, torch.cat([h_n[0], h_n[1]], dim=-1))


@each_row("branches", ENCODERS)
def test_padding_changes_no_gradient(branches: str) -> None:
    def gradients(padding: float) -> list[Tensor]:
        encoder, x = encoder_of(branches), sequence()
        x[torch.arange(7) >= LENGTHS[:, None]] = padding
        read = encoder(x.requires_grad_(), lengths=LENGTHS)
        real = (torch.arange(7) < LENGTHS[:, None]).unsqueeze(-1)
        ((read.outputs * real).sin().sum() + read.last.cos().sum()).backward()
        assert x.grad is not None
        assert (x.grad.masked_select(~real) == 0).all()
        return [x.grad, *(parameter.grad for parameter in encoder.parameters() if parameter.grad is not None)]

    for one, other in zip(gradients(0.0), gradients(1e2), strict=True):
        assert_same(one, other)
