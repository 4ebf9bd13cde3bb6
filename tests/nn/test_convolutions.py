"""The convolution before the recurrence: which steps it reads, with what weights, and how wide it is."""

from __future__ import annotations

import pytest
import torch
from helpers.combinations import each_row
from helpers.networks import assert_same

from lstmgru.nn.convolutions import Convolution
from lstmgru.specs import ModelSpec, SequenceModelSpec, parse_branches


@each_row(
    ("kernel_size", "causal", "read"),
    [
        (1, True, [4]), (3, True, [2, 3, 4]), (4, True, [1, 2, 3, 4]),
        (1, False, [4]), (3, False, [3, 4, 5]), (4, False, [3, 4, 5, 6]), (5, False, [2, 3, 4, 5, 6]),
    ],
)  # fmt: skip
def test_a_step_reads_its_neighbors(kernel_size: int, causal: bool, read: list[int]) -> None:
    convolution = Convolution(1, 50, kernel_size, causal=causal).double()
    before = convolution(torch.zeros(1, 9, 1, dtype=torch.float64), None)[0, 4]
    changed = []
    for step in range(9):
        x = torch.zeros(1, 9, 1, dtype=torch.float64)
        x[0, step] = 10.0
        changed += [step] if not torch.equal(convolution(x, None)[0, 4], before) else []
    assert changed == read


@pytest.mark.parametrize("causal", [True, False])
def test_the_features_of_a_step_are_the_sum_over_its_neighbors(causal: bool) -> None:
    convolution = Convolution(2, 4, 3, causal=causal).double()
    x = torch.randn(2, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    features = convolution(x, None)
    weight, bias = convolution.filters.weight, convolution.filters.bias
    first = -2 if causal else -1
    for step in range(6):
        total = bias.expand(2, -1)
        for place in range(3):
            if 0 <= step + first + place < 6:
                total = total + x[:, step + first + place] @ weight[..., place].T
        assert_same(features[:, step], total.clamp(min=0))


def test_padding_has_no_features() -> None:
    convolution = Convolution(2, 4, 3, causal=False)
    real = torch.tensor([[True, True, False], [True, True, True]])
    features = convolution(torch.randn(2, 3, 2) * real.unsqueeze(-1), real)
    assert (features[0, 2] == 0).all()
    assert (features[1, 2] != 0).any()


@pytest.mark.parametrize(
    ("hidden_size", "segment_length", "n_filters"), [(64, 1, 64), (4, 1, 8), (64, 4, 16), (65, 4, 17), (64, 12, 8)]
)
def test_a_segment_has_about_as_many_features_as_the_first_layer(
    hidden_size: int, segment_length: int, n_filters: int
) -> None:
    branches = parse_branches(f"bi-gru({hidden_size}) > lstm(3) | gru(7)")
    for spec in (
        ModelSpec(branches, 24, segment_length=segment_length),
        SequenceModelSpec(branches, 24, segment_length=segment_length),
    ):
        assert spec.n_filters == n_filters
