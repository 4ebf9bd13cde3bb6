"""Pooling against its formulas and torch's attention, with and without steps that are not real."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from helpers.networks import assert_same
from torch import Tensor, nn

from lstmgru.nn.pooling import AdditiveAttention, MultiHeadAttention, make_pooling
from lstmgru.specs import POOLINGS, ModelSpec, parse_branches

BATCH, STEPS, SIZE, QUERIES = 4, 5, 6, 2
LENGTHS = torch.tensor([1, 3, 5, 2])
REAL = torch.arange(STEPS, 0, -1) <= LENGTHS[:, None]
MASKS = pytest.mark.parametrize("real", [None, REAL], ids=["all real", "padded"])


def pooling_of(name: str, size: int = SIZE, n_heads: int = 2) -> Any:
    torch.manual_seed(0)
    spec = ModelSpec(parse_branches("gru(6)"), 9, pooling=name, n_heads=n_heads)  # type: ignore[arg-type]
    pooling = make_pooling(spec, size)
    assert pooling is not None
    return pooling.double()


def draw(steps: int, seed: int, size: int = SIZE) -> Tensor:
    return torch.randn(BATCH, steps, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


OUTPUTS, QUERY = draw(STEPS, 1), draw(QUERIES, 2)


def real_rows(real: Tensor | None, window: int) -> Tensor:
    """(real steps, size) outputs of a window."""
    return OUTPUTS[window] if real is None else OUTPUTS[window][STEPS - LENGTHS[window] :]


@MASKS
@pytest.mark.parametrize("name", ["mean", "max"])
def test_mean_and_max_are_taken_over_the_real_steps(name: str, real: Tensor | None) -> None:
    pooled, weights = pooling_of(name)(OUTPUTS, QUERY, real)
    assert weights is None
    for window in range(BATCH):
        rows = real_rows(real, window)
        expected = rows.mean(0) if name == "mean" else rows.max(0).values
        assert_same(pooled[window], expected.expand(QUERIES, -1))


@MASKS
def test_additive_attention_is_that_of_bahdanau(real: Tensor | None) -> None:
    attention = pooling_of("additive")
    assert isinstance(attention, AdditiveAttention)
    pooled, weights = attention(OUTPUTS, QUERY, real)
    w, b, u, v = attention.query.weight, attention.query.bias, attention.key.weight, attention.score.weight[0]
    for window in range(BATCH):
        rows = real_rows(real, window)
        for query in range(QUERIES):
            scores = torch.stack([v @ torch.tanh(w @ QUERY[window, query] + b + u @ h) for h in rows])
            shares = scores.exp() / scores.exp().sum()
            assert_same(weights[window, query, STEPS - len(rows) :], shares)
            assert_same(pooled[window, query], sum(share * h for share, h in zip(shares, rows, strict=True)))  # type: ignore[arg-type]


@MASKS
@pytest.mark.parametrize("n_heads", [1, 2, 3])
def test_multi_head_attention_is_that_of_torch(n_heads: int, real: Tensor | None) -> None:
    attention = pooling_of("multihead", n_heads=n_heads)
    assert isinstance(attention, MultiHeadAttention)
    reference = nn.MultiheadAttention(SIZE, n_heads, batch_first=True).double()
    projections = (attention.query, attention.key, attention.value)
    with torch.no_grad():
        reference.in_proj_weight.copy_(torch.cat([each.weight for each in projections]))
        reference.in_proj_bias.copy_(torch.cat([each.bias for each in projections]))
        reference.out_proj.weight.copy_(attention.out.weight)
        reference.out_proj.bias.copy_(attention.out.bias)
    expected, weights = reference(QUERY, OUTPUTS, OUTPUTS, key_padding_mask=None if real is None else ~real)
    pooled, own = attention(OUTPUTS, QUERY, real)
    assert_same(pooled, expected)
    assert_same(own, weights)


@MASKS
@pytest.mark.parametrize("name", ["additive", "multihead"])
def test_the_weights_of_an_attention_sum_to_1_and_are_0_where_nothing_is_real(name: str, real: Tensor | None) -> None:
    _, weights = pooling_of(name)(OUTPUTS, QUERY, real)
    assert weights.shape == (BATCH, QUERIES, STEPS)
    assert (weights >= 0).all()
    assert_same(weights.sum(-1), torch.ones(BATCH, QUERIES, dtype=torch.float64))
    if real is not None:
        assert (weights[~real[:, None].expand_as(weights)] == 0).all()
    assert weights.std(dim=(0, 1))[-1] > 0.01, "weights that depend on the query and the outputs"


@pytest.mark.parametrize(("size", "n_heads"), [(6, 4), (5, 2), (3, 8)])
def test_heads_need_not_divide_the_features(size: int, n_heads: int) -> None:
    attention = pooling_of("multihead", size, n_heads)
    assert attention.head_size == math.ceil(size / n_heads)
    outputs = draw(STEPS, 1, size)
    pooled, weights = attention(outputs, outputs[:, -1:], None)
    assert pooled.shape == (BATCH, 1, size)
    assert_same(weights.sum(-1), torch.ones(BATCH, 1, dtype=torch.float64))


@pytest.mark.parametrize("name", [name for name in POOLINGS if name != "last"])
def test_what_is_not_real_changes_no_summary(name: str) -> None:
    other = torch.where(REAL.unsqueeze(-1), OUTPUTS, 1e3)
    assert_same(pooling_of(name)(other, QUERY, REAL)[0], pooling_of(name)(OUTPUTS, QUERY, REAL)[0])


def test_the_last_output_needs_no_pooling() -> None:
    assert make_pooling(ModelSpec(parse_branches("gru(6)"), 9), SIZE) is None
