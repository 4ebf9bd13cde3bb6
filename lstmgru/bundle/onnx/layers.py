"""Layers and decoders that export quickly for any length of context and horizon.

``torch.onnx.export`` traces a recurrence step by step, several times: 7 s for a context of 28 steps, 49 s for 336. LSTM
and GRU are replaced by ONNX's own operators; every other cell and the autoregressive decoder by a loop over time
(:mod:`lstmgru.bundle.onnx.scan`).
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from lstmgru.bundle.onnx.scan import Loops
from lstmgru.nn.cells.base import State
from lstmgru.nn.cells.gru import GRU
from lstmgru.nn.cells.lstm import LSTM
from lstmgru.nn.decoders import AutoregressiveDecoder
from lstmgru.nn.encoder import Encoded, Encoder, EncoderState, RecurrentLayer
from lstmgru.nn.pooling import Pooled

# torch stacks the gates i f g o and r z n, ONNX i o f c and z r h.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
_STATES = {"LSTM": 2, "GRU": 1}

_Module = TypeVar("_Module", bound=nn.Module)


class OnnxRecurrence(nn.Module):
    """An operator ``LSTM`` or ``GRU`` with the weights of a layer; it can be exported but not run.

    Args:
        layer: The layer to replace.
    """

    weight: Tensor
    recurrence: Tensor
    bias: Tensor

    def __init__(self, layer: LSTM | GRU) -> None:
        super().__init__()
        self.operator = "LSTM" if isinstance(layer, LSTM) else "GRU"
        self.hidden_size = layer.hidden_size
        self.register_buffer("weight", self._reorder(layer.weight_ih)[None])
        self.register_buffer("recurrence", self._reorder(layer.weight_hh)[None])
        self.register_buffer("bias", torch.cat([self._reorder(layer.bias_ih), self._reorder(layer.bias_hh)])[None])

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, inputs) → (B, T, hidden size), and the state after it."""
        attributes: dict[str, Any] = {"hidden_size": self.hidden_size}
        if self.operator == "GRU":
            attributes["linear_before_reset"] = 1
        batch, steps, _ = x.shape
        after = (1, batch, self.hidden_size)
        shapes = [(steps, *after), *[after] * _STATES[self.operator]]
        before = () if state is None else (None, *(tensor.unsqueeze(0) for tensor in state))
        outputs, *states = torch.onnx.ops.symbolic_multi_out(
            self.operator,
            (x.transpose(0, 1), self.weight, self.recurrence, self.bias, *before),
            attributes,
            dtypes=[torch.float32] * len(shapes),
            shapes=shapes,
        )
        return outputs.squeeze(1).transpose(0, 1), tuple(tensor.squeeze(0) for tensor in states)

    def _reorder(self, tensor: Tensor) -> Tensor:
        gates = tensor.detach().chunk(len(_GATES[self.operator]))
        return torch.cat([gates[index] for index in _GATES[self.operator]])


class OnnxCell(nn.Module):
    """Any other cell in a loop over time; it can be exported but not run.

    Args:
        cell: The cell to replace.
        loops: Collects its loop.
    """

    def __init__(self, cell: nn.Module, loops: Loops) -> None:
        super().__init__()
        self.cell, self._loops = cell, loops

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, inputs) → (B, T, hidden size), and the state after it."""
        first, after = self.cell(x[:, :1], state)  # only the cell knows its initial state
        if x.shape[1] == 1:
            return first, after
        states, outputs = self._loops.emit(_CellStep(self.cell), after, x[:, 1:], output_shape=first.shape[2:])
        return torch.cat([first, outputs], dim=1), tuple(states)


class _CellStep(nn.Module):
    """One step of a cell, as the body of a loop."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        *state, x = tensors
        outputs, after = self.cell(x.unsqueeze(1), tuple(state))
        return (*after, outputs.squeeze(1))


class OnnxAutoregressiveDecoder(nn.Module):
    """An autoregressive decoder in a loop over the horizon; it can be exported but not run.

    Args:
        decoder: The decoder to replace.
        loops: Collects its loop.
    """

    def __init__(self, decoder: AutoregressiveDecoder, loops: Loops) -> None:
        super().__init__()
        self.decoder, self._loops = decoder, loops

    def forward(
        self, encoder: Encoder, encoded: Encoded, real: Tensor | None, future: Tensor, static: Tensor, last: Tensor
    ) -> Pooled:
        """Decode; attention weights are not exported."""
        sizes, segments = self.decoder.sizes, self.decoder.segments
        steps = segments.count(sizes.horizon)
        known = future.new_zeros(future.shape[0], steps, segments.length, 1)  # a loop needs a sequence
        if future.shape[-1]:
            known = segments.from_start(future).reshape(-1, steps, segments.length, future.shape[-1])
        seen = [static] if static.shape[-1] else []
        if self.decoder.pooling is not None:
            seen += [encoded.outputs] if real is None else [encoded.outputs, real]
        step = _DecoderStep(self.decoder, encoder, encoded.state)
        shape = (segments.length, sizes.n_targets, sizes.n_outputs)
        _, forecasts = self._loops.emit(step, [*_flat(encoded.state), last], known, seen, output_shape=shape)
        return forecasts.flatten(1, 2)[:, : sizes.horizon], None


class _DecoderStep(nn.Module):
    """One step of a decoder, as the body of a loop: the decoder itself, for a horizon of one segment."""

    def __init__(self, decoder: AutoregressiveDecoder, encoder: Encoder, state: EncoderState) -> None:
        super().__init__()
        self.decoder, self.encoder = copy.copy(decoder), encoder
        self.decoder.sizes = replace(decoder.sizes, horizon=decoder.segments.length)
        self._layers = [[len(layer) for layer in stack] for stack in state]

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        left = list(tensors)
        state = tuple(tuple(tuple(left.pop(0) for _ in range(n)) for n in stack) for stack in self._layers)
        last, known = left.pop(0), left.pop(0)
        sizes = self.decoder.sizes
        batch, static = last.shape[0], left.pop(0) if sizes.n_static else last.new_zeros(last.shape[0], 0)
        outputs, real = left.pop(0) if left else last, left.pop(0) if left else None
        after: list[Encoded] = []

        def encode(x: Tensor, state: EncoderState) -> Encoded:
            after.append(self.encoder(x, state))
            return after[-1]

        known = known if sizes.n_future else last.new_zeros(batch, self.decoder.segments.length, 0)
        encoded = Encoded(outputs, outputs[:, -1], state)
        forecast, _ = self.decoder(cast(Encoder, encode), encoded, real, known, static, last)
        return (*_flat(after[0].state), forecast[..., sizes.n_outputs // 2], forecast)


def _flat(state: EncoderState) -> list[Tensor]:
    return [tensor for stack in state for layer in stack for tensor in layer]


def with_onnx_layers(module: _Module) -> tuple[_Module, Loops]:
    """A copy of a module in which everything that loops over time is replaced, and its loops."""
    module, loops = copy.deepcopy(module), Loops()
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, LSTM | GRU):
                setattr(parent, name, OnnxRecurrence(child))
            elif isinstance(parent, RecurrentLayer):
                setattr(parent, name, OnnxCell(child, loops))
            elif isinstance(child, AutoregressiveDecoder):
                setattr(parent, name, OnnxAutoregressiveDecoder(child, loops))
    return module, loops
