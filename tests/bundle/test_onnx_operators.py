"""Operators of torch and their translations to ONNX compute the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from helpers.combinations import each_row
from helpers.lazy import LazyModule
from torch import Tensor, nn

from lstmgru.bundle.onnx.graph import Untranslatable
from lstmgru.bundle.onnx.translation import translated

onnxruntime = LazyModule("onnxruntime")

Results = Tensor | tuple[Tensor, ...] | list[Tensor]

TABLE: dict[str, Callable[[Tensor, Tensor], Results]] = {
    "unary": lambda x, n: (x.abs(), x.exp(), x.floor(), x.abs().log(), -x, x.relu(), x.sigmoid(), x.abs().sqrt()),
    "types of numbers are promoted": lambda x, n: (n + 0.5, x * n.unsqueeze(-1), n / 2, n + True, n * 2, 1 - x),
    "comparisons": lambda x, n: (x > 0.2, n >= 0.5, n <= 1, x.lt(n.unsqueeze(-1)), n == 2, ~(x > 0)),
    "logic": lambda x, n: ((x > 0) & (x < 1), (x > 1) | (x < 0), torch.logical_not(x > 0)),
    "whole numbers are divided downward": lambda x, n: ((n - 3) // 2, x // 0.3),
    "bounds": lambda x, n: (x.clamp(-0.5, 0.5), n.clamp(min=1), x.clamp(max=x.mean(1, keepdim=True))),
    "slices": lambda x, n: (x[:, 1:], x[:, :-1], x[:, ::2], x[:, -1], x[..., 2:4], x.flip(1), x.diff(dim=1)),
    "choices": lambda x, n: (
        x[:, torch.tensor([0, 2, -1])], x.index_select(1, torch.tensor([3, 0])), x.gather(1, n.unsqueeze(-1)),
    ),
    "joined": lambda x, n: (torch.cat([x, x[:, :0], n.unsqueeze(-1)], dim=-1), torch.stack([x, 2 * x], dim=-1)),
    "pieces": lambda x, n: [*x.chunk(2, dim=1), *x.split([1, 4], dim=1), *x[:, :2].unbind(1)],
    "shapes": lambda x, n: (
        x.reshape(-1, 1, 5), x.unsqueeze(1).expand(-1, 3, -1), x.repeat(2, 3), x.repeat_interleave(3, dim=0),
        x.unsqueeze(1).transpose(1, 2), x.unsqueeze(1).permute(2, 0, 1), x.unflatten(-1, (5, 1)).flatten(0, 1),
    ),
    "filled": lambda x, n: (
        x.new_zeros(x.shape[0], 2) + x[:, :2], torch.ones_like(x) + x, x.new_ones(x.shape[0], 1) + x,
        torch.zeros(x.shape[0], 5) + x, torch.arange(x.shape[0]) * 2, x + torch.arange(9, -1, -2),
    ),
    "padding": lambda x, n: (
        nn.functional.pad(x, (1, 2)), nn.functional.pad(x.unsqueeze(1), (0, 1, 2, 0), value=3.0),
        nn.functional.pad(x, (2, 1), mode="replicate"),
    ),
    "linear": lambda x, n: (x @ torch.ones(5, 2), torch.addmm(torch.ones(3), x, torch.ones(5, 3)), x.t().t()),
    "reductions": lambda x, n: (
        x.sum(1), x.mean(1, keepdim=True), x.amax(1), (x > 0).sum(dim=1), (x > 0).any(1), x.argmax(-1), x.cumsum(-1),
        x.softmax(dim=-1), x.sort(dim=1).values, x.sort(dim=-1, descending=True).indices,
    ),
    "conditions": lambda x, n: (
        torch.where(x > 0, x, torch.nan), torch.where(x > 0, 1.0, x), torch.where(x > 0, x, -x),
        x.masked_fill(x > 0, -torch.inf),
    ),
    "layers": lambda x, n: (
        nn.functional.softplus(x), nn.functional.layer_norm(x, (5,), torch.ones(5), torch.ones(5)),
        nn.functional.conv1d(x.unsqueeze(1), torch.ones(2, 1, 3), torch.ones(2), padding=1), x.pow(2),
    ),
}  # fmt: skip


class Computed(nn.Module):
    """A function of numbers and of whole numbers as a module."""

    def __init__(self, function: Callable[[Tensor, Tensor], Results]) -> None:
        super().__init__()
        self._function = function

    def forward(self, x: Tensor, n: Tensor) -> tuple[Tensor, ...]:
        results = self._function(x, n)
        return (results,) if isinstance(results, Tensor) else tuple(results)


def program_of(function: Callable[[Tensor, Tensor], Results]) -> Any:
    axis = {0: torch.export.Dim("batch", min=1)}
    return torch.export.export(Computed(function).eval(), inputs(3), dynamic_shapes=(axis, axis))


def inputs(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, 5, generator=generator), torch.randint(0, 5, (count,), generator=generator)


@each_row("name", TABLE)
def test_an_operator_computes_the_same_for_any_batch(name: str) -> None:
    model = translated(program_of(TABLE[name]), None)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for count in (1, 4):
        x, n = inputs(count)
        expected = Computed(TABLE[name])(x, n)
        found = session.run(None, {"x": x.numpy(), "n": n.numpy()})
        for number, (own, other) in enumerate(zip(expected, found, strict=True)):
            assert other.dtype == own.numpy().dtype, number
            np.testing.assert_allclose(other, own.numpy(), rtol=1e-6, atol=1e-6, err_msg=str(number))


@pytest.mark.parametrize(
    ("function", "match"),
    [
        (lambda x, n: torch.erf(x), r"the operator aten\.erf\.default"),
        (lambda x, n: x[x > 0].sum(), "an index by several tensors, or by a mask"),
        (lambda x, n: torch.add(x, x, alpha=2), r"the arguments of aten\.add\.Tensor"),
        (lambda x, n: x.std(dim=1), r"the operator aten\.std"),
    ],
)
def test_what_has_no_translation_is_said(function: Callable[[Tensor, Tensor], Tensor], match: str) -> None:
    with pytest.raises(Untranslatable, match=match):
        translated(program_of(function), None)
