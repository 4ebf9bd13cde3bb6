"""Recurrent layers as ONNX operators.

``torch.onnx.export`` traces the decomposition of ``nn.LSTM`` and ``nn.GRU`` step by step, several times: 7 s for a
context of 28 steps, 49 s for 336. A layer that stands for the operator from the start exports in a second, whatever the
context.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

# torch stacks the gates i f g o and r z n, ONNX i o f c and z r h.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
_OUTPUTS = {"LSTM": 3, "GRU": 2}

_Module = TypeVar("_Module", bound=nn.Module)


class OnnxRecurrentLayer(nn.Module):
    """An operator ``LSTM`` or ``GRU`` with the weights of a layer; it can be exported, not run.

    Args:
        layer: One layer, one direction, batch first, with biases.
    """

    weight: Tensor
    recurrence: Tensor
    bias: Tensor

    def __init__(self, layer: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.operator = layer.mode
        self.hidden_size = layer.hidden_size
        weight, recurrence, bias, recurrent_bias = (self._reorder(tensor) for tensor in layer.all_weights[0])
        self.register_buffer("weight", weight[None])
        self.register_buffer("recurrence", recurrence[None])
        self.register_buffer("bias", torch.cat([bias, recurrent_bias])[None])

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """(batch, T, features) → (batch, T, hidden size)."""
        attributes: dict[str, Any] = {"hidden_size": self.hidden_size}
        if self.operator == "GRU":
            attributes["linear_before_reset"] = 1
        batch, steps, _ = x.shape
        state = (1, batch, self.hidden_size)
        shapes = [(steps, *state), *[state] * (_OUTPUTS[self.operator] - 1)]
        outputs = torch.onnx.ops.symbolic_multi_out(
            self.operator,
            (x.transpose(0, 1), self.weight, self.recurrence, self.bias),
            attributes,
            dtypes=[torch.float32] * len(shapes),
            shapes=shapes,
        )
        return outputs[0].squeeze(1).transpose(0, 1), None

    def _reorder(self, tensor: Tensor) -> Tensor:
        gates = tensor.detach().chunk(len(_GATES[self.operator]))
        return torch.cat([gates[index] for index in _GATES[self.operator]])


def with_onnx_layers(module: _Module) -> _Module:
    """A copy of a module whose recurrent layers are ONNX operators.

    Layers that :class:`OnnxRecurrentLayer` does not cover stay as they are, which is only slower.
    """
    module = copy.deepcopy(module)
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.LSTM | nn.GRU) and _covered(child):
                setattr(parent, name, OnnxRecurrentLayer(child))
    return module


def _covered(layer: nn.LSTM | nn.GRU) -> bool:
    return (
        layer.num_layers == 1 and not layer.bidirectional and layer.batch_first and layer.bias and not layer.proj_size
    )
