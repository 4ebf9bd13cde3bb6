"""The recurrent part of a network: stacks of layers of any cells, in parallel branches.

If ``lengths`` (B,) are given, sequence ``b`` has ``lengths[b]`` steps, at least 1, followed by padding. Finite padding
has no effect on the real steps, whatever the cell: a backward layer starts at the last real step, which also provides
the last output. The outputs at padded steps and the state are meaningless, so a sequence cannot be continued from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lstmgru.nn.cells import make_cell
from lstmgru.nn.cells.base import State
from lstmgru.specs import LayerSpec, Merge, RecurrentSpec, Stack

StackState = tuple[State, ...]
EncoderState = tuple[StackState, ...]
"""For each branch and each of its layers, the layer's state."""


class Encoded(NamedTuple):
    """The outputs of an encoder.

    Attributes:
        outputs: (B, T, width) after each step.
        last: (B, width) the last output; for a backward layer, the one at the first step.
        state: The final state, from which a sequence can be continued.
    """

    outputs: Tensor
    last: Tensor
    state: EncoderState


class RecurrentLayer(nn.Module):
    """One layer in one direction or in both, with concatenated outputs (Schuster & Paliwal 1997)."""

    def __init__(self, spec: LayerSpec, n_inputs: int, recurrent_dropout: float) -> None:
        super().__init__()
        self.forwards = make_cell(spec.cell, n_inputs, spec.hidden_size, recurrent_dropout)
        backwards = spec.bidirectional
        self.backwards = make_cell(spec.cell, n_inputs, spec.hidden_size, recurrent_dropout) if backwards else None

    def forward(self, x: Tensor, state: State | None, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """(B, T, inputs) → (B, T, outputs), and the states of the forward and then the backward direction."""
        if self.backwards is None:
            outputs: tuple[Tensor, State] = self.forwards(x, state)
            return outputs
        half = None if state is None else len(state) // 2
        there, state_there = self.forwards(x, None if state is None else state[:half])
        reverse = _Reversal(x, lengths)
        back, state_back = self.backwards(reverse(x), None if state is None else state[half:])
        return torch.cat([there, reverse(back)], dim=-1), (*state_there, *state_back)


class RecurrentStack(nn.Module):
    """Consecutive layers with dropout between them.

    Args:
        layers: First to last.
        n_inputs: Features of the input.
        dropout: Probability of dropping a feature between two layers.
        recurrent_dropout: Of each layer.
        residual: Whether to add each layer's input to its output, except for the first layer; if the widths differ,
            the input passes a linear map first.
        layer_norm: Whether to normalize each output over its features.
    """

    def __init__(
        self,
        layers: Stack,
        *,
        n_inputs: int,
        dropout: float,
        recurrent_dropout: float = 0.0,
        residual: bool = False,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        sizes = [n_inputs, *(layer.n_outputs for layer in layers)]
        self.layers = nn.ModuleList(
            RecurrentLayer(layer, size, recurrent_dropout) for layer, size in zip(layers, sizes, strict=False)
        )
        self.skips = nn.ModuleList(
            nn.Identity() if before == after else nn.Linear(before, after, bias=False)
            for before, after in pairwise(sizes[1:])
        ) if residual else None  # fmt: skip
        self.norms = nn.ModuleList(nn.LayerNorm(size) for size in sizes[1:]) if layer_norm else None
        self.dropout = nn.Dropout(dropout)
        self.n_outputs = sizes[-1]
        self._n_forwards = layers[-1].hidden_size

    def forward(
        self, x: Tensor, state: StackState | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor, StackState]:
        """(B, T, inputs) → outputs (B, T, width), the last output (B, width) and the state, as in :class:`Encoded`."""
        states = []
        for index, layer in enumerate(self.layers):
            read = x if index == 0 else self.dropout(x)
            outputs, layer_state = layer(read, None if state is None else state[index], lengths)
            if self.skips is not None and index > 0:
                outputs = outputs + self.skips[index - 1](x)
            x = outputs if self.norms is None else self.norms[index](outputs)
            states.append(layer_state)
        return x, self._last(x, lengths), tuple(states)

    def _last(self, outputs: Tensor, lengths: Tensor | None) -> Tensor:
        """The final outputs of the last layer, in each direction."""
        last = outputs[:, -1] if lengths is None else _rows(outputs, lengths.unsqueeze(1) - 1).squeeze(1)
        if outputs.shape[-1] == self._n_forwards:
            return last
        return torch.cat([last[:, : self._n_forwards], outputs[:, 0, self._n_forwards :]], dim=-1)


class Encoder(nn.Module):
    """The branches of a network, merged.

    Args:
        spec: The architecture.
        n_inputs: Features of the input.
    """

    def __init__(self, spec: RecurrentSpec, n_inputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            RecurrentStack(
                stack,
                n_inputs=n_inputs,
                dropout=spec.dropout,
                recurrent_dropout=spec.recurrent_dropout,
                residual=spec.residual,
                layer_norm=spec.layer_norm,
            )
            for stack in spec.branches
        )
        widths = [stack[-1].n_outputs for stack in spec.branches]
        self.merge = make_merge(spec.merge, widths) if len(widths) > 1 else None
        self.n_outputs = widths[0] if self.merge is None else self.merge.n_outputs

    def forward(self, x: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None) -> Encoded:
        """Encode (B, T, inputs), from the initial or a given state."""
        of_branches = [None] * len(self.branches) if state is None else state
        read = [branch(x, before, lengths) for branch, before in zip(self.branches, of_branches, strict=True)]
        outputs, lasts, states = zip(*read, strict=True)
        if self.merge is None:
            return Encoded(outputs[0], lasts[0], states)
        return Encoded(self.merge(outputs), self.merge(lasts), states)


class _Reversal:
    """Reverses sequences within their lengths, and back; the padding stays in place.

    Args:
        x: (B, T, …) a tensor of the shape to reverse.
        lengths: (B,); ``None`` if all sequences have T steps.
    """

    def __init__(self, x: Tensor, lengths: Tensor | None) -> None:
        self._order = None
        if lengths is not None:
            steps = torch.arange(x.shape[1], device=x.device)
            mirrored = lengths.unsqueeze(1) - 1 - steps
            self._order = torch.where(mirrored < 0, steps, mirrored)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, T, features) → the same in reverse order."""
        return x.flip(1) if self._order is None else _rows(x, self._order)


def _rows(x: Tensor, steps: Tensor) -> Tensor:
    """(B, T, features) at (B, n) steps → (B, n, features); faster than ``gather``, which copies single numbers."""
    starts = torch.arange(x.shape[0], device=x.device).unsqueeze(1) * x.shape[1]
    rows = x.flatten(0, 1).index_select(0, (starts + steps).flatten())
    return rows.reshape(*steps.shape, x.shape[2])


class Concat(nn.Module):
    """Concatenates the branches."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.n_outputs = sum(widths)

    def forward(self, branches: Sequence[Tensor]) -> Tensor:
        """(…, width) of each branch → (…, sum of the widths)."""
        return torch.cat(list(branches), dim=-1)


class Sum(nn.Module):
    """Sums the branches; branches of another width than the first pass a linear map to its width."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.n_outputs = widths[0]
        self.maps = nn.ModuleList(
            nn.Identity() if width == widths[0] else nn.Linear(width, widths[0], bias=False) for width in widths
        )

    def forward(self, branches: Sequence[Tensor]) -> Tensor:
        """(…, width) of each branch → (…, width of the first)."""
        return torch.stack(self._mapped(branches)).sum(0)

    def _mapped(self, branches: Sequence[Tensor]) -> list[Tensor]:
        return [to(branch) for to, branch in zip(self.maps, branches, strict=True)]


class Gate(Sum):
    """A weighted sum: a softmax over the branches for each feature, from all branches (Jacobs et al. 1991)."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__(widths)
        self.gate = nn.Linear(len(widths) * self.n_outputs, len(widths) * self.n_outputs)

    def forward(self, branches: Sequence[Tensor]) -> Tensor:
        """(…, width) of each branch → (…, width of the first)."""
        mapped = self._mapped(branches)
        weights: Tensor = self.gate(torch.cat(mapped, dim=-1)).unflatten(-1, (len(mapped), self.n_outputs))
        return (weights.softmax(dim=-2) * torch.stack(mapped, dim=-2)).sum(dim=-2)


_MERGES: dict[Merge, type[Concat | Sum]] = {"concat": Concat, "sum": Sum, "gate": Gate}


def make_merge(name: Merge, widths: list[int]) -> Concat | Sum:
    """The module that merges sequences of given widths into one."""
    return _MERGES[name](widths)
