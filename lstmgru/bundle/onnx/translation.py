"""A program of ``torch.export`` as an ONNX model.

``torch.onnx.export`` decomposes a program, translates it and optimizes the result, which takes five times as long as
the trace itself. The operators of this library need no decomposition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch.export.graph_signature import InputKind

from lstmgru.bundle.onnx.graph import Graph, Untranslatable
from lstmgru.bundle.onnx.operators import IGNORED, TRANSLATIONS

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch.export import ExportedProgram
    from torch.fx import Node


def translated(program: ExportedProgram, output_names: Sequence[str] | None) -> ModelProto:
    """The ONNX model of a program.

    Args:
        program: Of a module in evaluation mode, whose only symbolic size is the batch.
        output_names: ``None``: they are numbered.

    Raises:
        Untranslatable: It has another operator, or an unknown argument of one.
    """
    graph, nodes = Graph(), list(program.graph.nodes)
    inputs = _bind_inputs(program, graph, [node for node in nodes if node.op == "placeholder"])
    for node in nodes:
        if node.op == "call_function" and str(node.target) not in IGNORED:
            graph.bind(node, _translate(graph, node))
    (results,) = nodes[-1].args
    names = output_names or [f"output_{number}" for number in range(len(results))]
    return graph.model(inputs, list(zip(names, results, strict=True)))


def _bind_inputs(program: ExportedProgram, graph: Graph, placeholders: Sequence[Node]) -> list[tuple[str, Node]]:
    """The inputs; weights and constants are stored."""
    inputs, stored = [], {**program.state_dict, **program.constants}
    for spec, node in zip(program.graph_signature.input_specs, placeholders, strict=True):
        if spec.kind == InputKind.USER_INPUT:
            graph.bind(node, node.name)
            inputs.append((node.name, node))
        else:
            assert spec.target is not None  # only inputs have none
            graph.bind(node, graph.store(spec.target, stored[spec.target]))
    return inputs


def _translate(graph: Graph, node: Node) -> str | list[str]:
    target: Any = node.target
    translation = TRANSLATIONS.get(target) or TRANSLATIONS.get(str(target))
    if translation is None:
        raise Untranslatable(f"the operator {target}")
    try:
        return translation(graph, node, *node.args, **node.kwargs)
    except (TypeError, KeyError, AttributeError) as error:
        raise Untranslatable(f"the arguments of {target}: {error}") from error
