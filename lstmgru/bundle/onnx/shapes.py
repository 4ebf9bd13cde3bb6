"""The operators of torch that choose, join and arrange values, as translations to ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.fx import Node

from lstmgru.bundle.onnx.graph import Graph, Translation, Untranslatable, dtype_of, numpy_dtype, shape_of

_LAST = np.iinfo(np.int64).max
_FIRST = np.iinfo(np.int64).min


def size(graph: Graph, node: Node, x: Node, dim: int) -> str:
    """The number of entries along an axis."""
    shape = graph.emit("Shape", graph.read(x))
    return graph.emit("Gather", shape, graph.constant(dim, np.int64), axis=0)


def slice(graph: Graph, node: Node, x: Node, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> str:
    """Entries along an axis, from a start to an end."""
    if start in (None, 0) and end in (None, _LAST) and step == 1:
        return graph.read(x)
    bounds = [graph.sizes([0 if start is None else start]), graph.sizes([_LAST if end is None else end])]
    return graph.emit("Slice", graph.read(x), *bounds, graph.integers([dim]), graph.integers([step]))


def flip(graph: Graph, node: Node, x: Node, dims: list[int]) -> str:
    """The reverse order along some axes."""
    one = [1] * len(dims)
    parts = [[-1 for _ in one], [_FIRST for _ in one], dims, [-1 for _ in one]]
    return graph.emit("Slice", graph.read(x), *map(graph.integers, parts))


def select(graph: Graph, node: Node, x: Node, dim: int, index: int) -> str:
    """One entry along an axis, which is gone then."""
    return graph.emit("Gather", graph.read(x), graph.constant(index, np.int64), axis=dim)


def index(graph: Graph, node: Node, x: Node, indices: list[Node | None]) -> str:
    """Entries along one axis.

    Raises:
        Untranslatable: The index is a mask, or consists of several tensors.
    """
    given = [(dim, index) for dim, index in enumerate(indices) if index is not None]
    if len(given) != 1 or dtype_of(given[0][1]) == torch.bool:
        raise Untranslatable("an index by several tensors, or by a mask")
    ((dim, index),) = given
    return graph.emit("Gather", graph.read(x), graph.read(index), axis=dim)


def index_select(graph: Graph, node: Node, x: Node, dim: int, index: Node) -> str:
    """Entries along an axis."""
    return graph.emit("Gather", graph.read(x), graph.read(index), axis=dim)


def gather(graph: Graph, node: Node, x: Node, dim: int, index: Node) -> str:
    """One entry along an axis for each other position."""
    return graph.emit("GatherElements", graph.read(x), graph.read(index), axis=dim)


def embedding(graph: Graph, node: Node, weight: Node, codes: Node, *_: Any) -> str:
    """Rows of a table."""
    return graph.emit("Gather", graph.read(weight), graph.read(codes), axis=0)


def cat(graph: Graph, node: Node, parts: list[Node], dim: int = 0) -> str:
    """Pieces side by side, without empty ones."""
    whole = [graph.read(part, dtype_of(node)) for part in parts if shape_of(part)[dim] != 0]
    return whole[0] if len(whole) == 1 else graph.emit("Concat", *whole, axis=dim)


def stack(graph: Graph, node: Node, parts: list[Node], dim: int = 0) -> str:
    """Tensors side by side along a new axis."""
    rank = len(shape_of(node))
    axes = graph.integers([dim % rank])
    rows = [graph.emit("Unsqueeze", graph.read(part, dtype_of(node)), axes) for part in parts]
    return graph.emit("Concat", *rows, axis=dim % rank)


def split(graph: Graph, node: Node, x: Node, dim: int) -> list[str]:
    """Pieces as large as the results of the node are."""
    sizes = [part.shape[dim] for part in node.meta["val"]]
    if len(sizes) == 1:
        return [graph.read(x)]
    return graph.emit_many(len(sizes), "Split", graph.read(x), graph.integers(sizes), axis=dim)


def chunk(graph: Graph, node: Node, x: Node, sizes: Any, dim: int = 0) -> list[str]:
    """Pieces along an axis."""
    return split(graph, node, x, dim)


def unbind(graph: Graph, node: Node, x: Node, dim: int = 0) -> list[str]:
    """All entries along an axis, which is gone then."""
    return [
        graph.emit("Gather", graph.read(x), graph.constant(number, np.int64), axis=dim)
        for number in range(len(node.meta["val"]))
    ]


def transpose(graph: Graph, node: Node, x: Node, first: int = 0, second: int = 1) -> str:
    """Two axes exchanged."""
    order = list(range(len(shape_of(node))))
    order[first], order[second] = order[second], order[first]
    return graph.emit("Transpose", graph.read(x), perm=order)


def permute(graph: Graph, node: Node, x: Node, dims: list[int]) -> str:
    """Axes in another order."""
    return graph.emit("Transpose", graph.read(x), perm=[dim % len(dims) for dim in dims])


def expand(graph: Graph, node: Node, x: Node, sizes: list[Any]) -> str:
    """Axes of size 1 repeated."""
    return graph.emit("Expand", graph.read(x), graph.sizes([1 if size == -1 else size for size in sizes]))


def repeat(graph: Graph, node: Node, x: Node, counts: list[Any]) -> str:
    """Whole axes repeated."""
    return graph.emit("Tile", graph.read(x), graph.sizes(counts))


def repeat_interleave(graph: Graph, node: Node, x: Node, count: int, dim: int) -> str:
    """Each entry along an axis repeated."""
    apart = graph.emit("Unsqueeze", graph.read(x), graph.integers([dim + 1]))
    counts = [1] * (len(shape_of(x)) + 1)
    counts[dim + 1] = count
    return graph.reshape(graph.emit("Expand", apart, graph.integers(counts)), shape_of(node))


def filled(value: float) -> Translation:
    """A tensor of one value, of the sizes that come last among the arguments."""

    def translate(graph: Graph, node: Node, *arguments: Any, **_: Any) -> str:
        return _constant_of(graph, node, graph.sizes(arguments[-1]), value)

    return translate


def filled_like(value: float) -> Translation:
    """A tensor of one value, of the sizes of another."""

    def translate(graph: Graph, node: Node, x: Node, **_: Any) -> str:
        return _constant_of(graph, node, graph.emit("Shape", graph.read(x)), value)

    return translate


def _constant_of(graph: Graph, node: Node, sizes: str, value: float) -> str:
    from onnx import numpy_helper

    array = np.array([value], numpy_dtype(dtype_of(node)))
    return graph.emit("ConstantOfShape", sizes, value=numpy_helper.from_array(array))


def arange(graph: Graph, node: Node, *bounds: Any, **_: Any) -> str:
    """Whole numbers or others at equal distances."""
    start, end, step = {1: (0, *bounds, 1), 2: (*bounds, 1), 3: bounds}[len(bounds)]
    return graph.emit("Range", *(graph.read(each, dtype_of(node)) for each in (start, end, step)))


def pad(graph: Graph, node: Node, x: Node, pads: list[int], mode: str = "constant", value: float | None = None) -> str:
    """Entries before and after those of the last axes."""
    rank, count = len(shape_of(x)), len(pads) // 2
    axes = [rank - 1 - number for number in range(count)]
    ends = graph.integers([*pads[0::2], *pads[1::2]])
    filling = graph.constant(value or 0, numpy_dtype(dtype_of(node)))
    names = {"constant": "constant", "replicate": "edge", "reflect": "reflect"}
    return graph.emit("Pad", graph.read(x), ends, filling, graph.integers(axes), mode=names[mode])
