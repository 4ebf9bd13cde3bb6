"""Loops in ONNX: a ``Scan`` over time, in place of the placeholder in an export.

``torch.onnx.export`` unrolls a loop, several times over. Therefore a loop is exported as a placeholder operator, and
its step separately; the step then becomes the body of a ``Scan``, a standard operator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

_DOMAIN, _OPERATOR = "lstmgru", "Loop"


@dataclass(frozen=True)
class _Loop:
    step: nn.Module
    n_states: int
    examples: tuple[Tensor, ...]


@dataclass(frozen=True)
class Loops:
    """The loops found while a model was traced."""

    _found: list[_Loop] = field(default_factory=list)

    def emit(
        self,
        step: nn.Module,
        states: Sequence[Tensor],
        sequence: Tensor,
        constants: Sequence[Tensor] = (),
        *,
        output_shape: tuple[int, ...],
    ) -> tuple[list[Tensor], Tensor]:
        """A placeholder for a loop over a sequence; it can be exported but not run.

        Args:
            step: ``(*states, element, *constants)`` → ``(*states, output)``, all with the batch as their first axis.
            states: States before the first step, each (B, …).
            sequence: (B, steps, …), one element for each step.
            constants: Read by every step, each (B, …).
            output_shape: Of the output of a step, without the batch.

        Returns:
            The states after the last step, and the outputs (B, steps, …).
        """
        read = (*states, sequence[:, 0], *constants)
        examples = tuple(torch.ones(2, *map(int, tensor.shape[1:]), dtype=tensor.dtype) for tensor in read)
        self._found.append(_Loop(step, len(states), examples))
        batch, steps = sequence.shape[:2]
        *after, outputs = torch.onnx.ops.symbolic_multi_out(
            f"{_DOMAIN}::{_OPERATOR}",
            (*states, sequence, *constants),
            {"number": len(self._found) - 1},
            dtypes=[*(state.dtype for state in states), torch.float32],
            shapes=[*(state.shape for state in states), (batch, steps, *output_shape)],
            version=1,
        )
        return after, outputs

    def fill(self, model: ModelProto, export: Callable[[nn.Module, tuple[Tensor, ...]], ModelProto]) -> None:
        """Replace every placeholder in a model with a ``Scan``.

        Args:
            model: The exported model.
            export: Exports a step with example arguments, whose first axis is dynamic.
        """
        from onnx import compose, helper

        for node in model.graph.node:
            if (node.domain, node.op_type) == (_DOMAIN, _OPERATOR):
                loop = self._found[helper.get_node_attr_value(node, "number")]
                body = compose.add_prefix_graph(export(loop.step, loop.examples).graph, f"{node.output[-1]}.")
                node.CopyFrom(_scan(node, body, loop.n_states))
        kept = [opset for opset in model.opset_import if opset.domain != _DOMAIN]
        del model.opset_import[:]
        model.opset_import.extend(kept)


def _scan(node: NodeProto, body: GraphProto, n_states: int) -> NodeProto:
    """A ``Scan`` with the inputs and outputs of a placeholder, and its step as body."""
    from onnx import helper

    outer, inner = node.input[n_states + 1 :], [value.name for value in body.input[n_states + 1 :]]
    del body.input[n_states + 1 :]  # a body can read from the graph around it
    constants = [helper.make_node("Identity", [seen], [name]) for seen, name in zip(outer, inner, strict=True)]
    nodes = [*constants, *body.node]
    del body.node[:]
    body.node.extend(nodes)
    attributes: dict[str, Any] = {"num_scan_inputs": 1, "scan_input_axes": [1], "scan_output_axes": [1]}
    inputs = node.input[: n_states + 1]
    return helper.make_node("Scan", inputs, list(node.output), name=node.name, body=body, **attributes)
